"""Export from the mirror, against a loop that does as little as can be done for the same rows."""

from __future__ import annotations

import zipfile
import zlib
from binascii import a2b_base64
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from isal import isal_zlib

from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.model.registry import load
from manabackup.operations.export import Source, export

from ..data import Dataset, opened, prose
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run, typical
from ..report import Line, memory, rate, speed_ratio, time_ratio
from ..setting import PASSPHRASE, Setting

_PREFIX = "enc:1:"
_BLOCK = 256 << 10
MANY = 10
"""How many times the rows of the usual account the large one has."""


def measure(setting: Setting) -> list[Line]:
    """Plain and sealed, on one core and on all; size and memory."""
    dataset = setting.data(prose(setting.rows))
    target = setting.scratch / "export.mana"

    def write(cores: int | None, *, sealed: bool = False) -> Measurement:
        return run(write_archive, cores=cores, folder=dataset.folder, target=str(target), sealed=sealed)

    results = interleaved(
        setting.rounds,
        {
            "bare": lambda: run(bare_loop, cores=1, folder=dataset.folder),
            "one": lambda: write(1),
            "all": lambda: write(None),
            "one sealed": lambda: write(1, sealed=True),
            "all sealed": lambda: write(None, sealed=True),
        },
    )
    bare, rows = results["bare"], setting.rows
    _check_rows(dataset, {name: typical(some).values["rows"] for name, some in results.items()})
    bare_rate = f"bare loop {rate(bare, rows, 'rows')}"
    lines = [
        Line(what, rate(results[name], rows, "rows"), bare_rate, speed_ratio(results[name], bare), wanted)
        for what, name, wanted in (
            ("export, two cores", "all", "≥ 1.8"),
            ("export, one core", "one", "20,000 rows/s"),
        )
    ]
    lines += [
        Line(
            f"export --seal, {what}",
            rate(results[f"{name} sealed"], rows, "rows"),
            f"plain {rate(results[name], rows, 'rows')}",
            speed_ratio(results[f"{name} sealed"], results[name]),
            wanted,
        )
        for what, name, wanted in (("two cores", "all", "≥ 0.9"), ("one core", "one", ""))
    ]
    lines.append(Line("export, memory", memory(results["all"]), "", "", "≤ 150 MB"))
    lines.append(Line("export --seal, memory", memory(results["all sealed"]), "", "", "≤ 150 MB"))
    write(None)
    zlib_size = run(size_at_zlib_6, archive=str(target)).values["bytes"]
    size = target.stat().st_size
    lines.append(Line("archive, size", f"{size:,}", f"zlib level 6 {zlib_size:,}", f"{size / zlib_size:.3f}", "≤ 1.08"))
    return lines


def measure_many(setting: Setting) -> list[Line]:
    """Memory at ten times the rows."""
    few, many = setting.data(prose(setting.rows)), setting.data(prose(setting.rows, copies=MANY))
    target = str(setting.scratch / "many.mana")
    results = interleaved(
        1,
        {
            str(dataset.changes): partial(run, write_archive, folder=dataset.folder, target=target)
            for dataset in (few, many)
        },
    )
    small, large = results.values()
    return [
        Line(
            f"export, memory at {MANY} x the rows",
            memory(large),
            f"at 1 x {memory(small)}",
            f"{typical(large).peak / typical(small).peak:.2f}",
            "≤ 1.2",
        ),
        Line(
            f"export, time at {MANY} x the rows",
            rate(large, MANY * setting.rows, "rows"),
            f"at 1 x {rate(small, setting.rows, 'rows')}",
            time_ratio(large, small),
            "",
        ),
    ]


def bare_loop(meter: Meter, *, folder: str) -> dict[str, Any]:
    """One process, everything in memory: parse, decrypt, splice, write, deflate; nothing else."""
    dataset = opened(folder)
    with dataset.mirror() as mirror, mirror.snapshot() as snapshot:
        lines = [
            line
            for collection in snapshot.collections()
            for page in snapshot.read(collection.app, collection.name)
            for line in page.lines()
        ]
    decrypt = AESGCM(bytes.fromhex(dataset.master_key)).decrypt
    deflate = isal_zlib.compressobj(2, isal_zlib.DEFLATED, -15)
    start, dot = len(_PREFIX), len(_PREFIX) + 16
    written, rows = 0, 0
    block: list[bytes] = []
    waiting = 0
    with meter:
        for line in lines:
            change = orjson.loads(line)
            row = change.get("data")
            if row is None:
                row = {name: field["value"] for name, field in change.get("fields", {}).items()}
            else:
                rows += 1
            for name, value in row.items():
                if type(value) is str and value.startswith(_PREFIX):
                    opened_value = decrypt(a2b_base64(value[start:dot]), a2b_base64(value[dot + 1 :]), None)
                    row[name] = orjson.Fragment(opened_value)
            text = orjson.dumps(row)
            block.append(text)
            waiting += len(text)
            if waiting >= _BLOCK:
                written += len(deflate.compress(b"\n".join(block)))
                block.clear()
                waiting = 0
        written += len(deflate.compress(b"\n".join(block))) + len(deflate.flush())
    return {"rows": rows, "bytes": written}


def write_archive(
    meter: Meter, *, folder: str, target: str, sealed: bool = False, strict: bool = True
) -> dict[str, Any]:
    """What ``export --offline`` does once the key is there. ``strict``: nothing is lost."""
    dataset = opened(folder)
    seal = Seal(PASSPHRASE) if sealed else None
    with dataset.mirror() as mirror, mirror.snapshot() as snapshot:
        source = Source(snapshot, load(), dataset.user_id, FieldCipher(bytes.fromhex(dataset.master_key)))
        with meter:
            result = export(source, Path(target), seal=seal, force=True)
    if strict and result.status != "complete":
        raise BrokenOutputError(f"the export is {result.status}")
    return {"rows": result.rows + result.completeness["deleted"], "bytes": result.bytes}


def size_at_zlib_6(meter: Meter, *, archive: str) -> dict[str, Any]:
    """What the archive would measure, had zlib deflated it at its usual level."""
    saved = 0
    with meter, zipfile.ZipFile(archive) as container:
        for entry in container.infolist():
            deflate, size = zlib.compressobj(6, zlib.DEFLATED, -15), 0
            with container.open(entry) as content:
                while block := content.read(_BLOCK):
                    size += len(deflate.compress(block))
            saved += entry.compress_size - size - len(deflate.flush())
    return {"bytes": Path(archive).stat().st_size - saved}


def _check_rows(dataset: Dataset, rows: dict[str, int]) -> None:
    if len(set(rows.values())) != 1:
        raise BrokenOutputError(f"different numbers of rows of {dataset.folder}: {rows}")
