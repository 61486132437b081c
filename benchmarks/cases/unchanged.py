"""What a night would win if tables that have not changed were taken over from the archive of the night before.

Nothing takes them over (decision 39). Measured is what is known without: the export of the tables that have changed
alone, and of the others' members a copy that is checked.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

from isal import isal_zlib

from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.model.registry import load
from manabackup.operations.archives.verify import verify
from manabackup.operations.export import Selection, Source, export

from ..data import PROSE_TABLES, opened, prose
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run, typical
from ..report import Line
from ..setting import PASSPHRASE, Setting

_PIECE = 1 << 20
_CHANGED = PROSE_TABLES[0]


def measure(setting: Setting) -> list[Line]:
    """By CPU time: a night is an export and its verification."""
    folder = setting.data(prose(setting.rows)).folder
    whole, sealed, part = (setting.scratch / f"{name}.mana" for name in ("whole", "sealed", "part"))

    def write(target: Path, **options: Any) -> Measurement:
        return run(export_some, folder=folder, target=str(target), **options)

    def copy(*tables: str) -> Measurement:
        return run(copy_members, source=str(whole), target=str(part), tables=tables)

    results = interleaved(
        min(3, setting.rounds),
        {
            "whole": lambda: write(whole),
            "verify": lambda: run(verify_archive, source=str(whole)),
            "changed": lambda: write(part, tables=[_CHANGED]),
            "others": lambda: copy(*(table for table in PROSE_TABLES if table != _CHANGED)),
            "all": lambda: copy(*PROSE_TABLES),
            "sealed": lambda: write(sealed, seal=True),
            "verify sealed": lambda: run(verify_archive, source=str(sealed), seal=True),
        },
    )
    took = {name: typical(some).cpu for name, some in results.items()}
    night = took["whole"] + took["verify"]
    return [
        _line("one of three large tables has changed", took["changed"] + took["others"] + took["verify"], night),
        _line("only small tables have changed", took["all"] + took["verify"], night),
        _line("sealed", *[took["sealed"] + took["verify sealed"]] * 2),
    ]


def _line(what: str, after: float, before: float) -> Line:
    return Line(f"night, {what}", f"CPU {after:.1f} s", f"all anew {before:.1f} s", f"{after / before:.2f}", "≤ 0.5")


def export_some(
    meter: Meter, *, folder: str, target: str, tables: list[str] | None = None, seal: bool = False
) -> dict[str, Any]:
    """Some tables, or all."""
    data = opened(folder)
    with data.mirror() as mirror, mirror.snapshot() as snapshot:
        source = Source(snapshot, load(), data.user_id, FieldCipher(bytes.fromhex(data.master_key)))
        with meter:
            result = export(
                source,
                Path(target),
                selection=Selection(tables=tuple(tables or ())),
                seal=Seal(PASSPHRASE) if seal else None,
                force=True,
            )
    if not result.rows:
        raise BrokenOutputError("nothing was exported")
    return {"rows": result.rows}


def copy_members(meter: Meter, *, source: str, target: str, tables: list[str]) -> dict[str, Any]:
    """The compressed bytes of some tables as they are, their content held against the archive's own sums."""
    wanted = {f"{folder}/{table}.jsonl" for folder in ("data", "meta") for table in tables}
    with meter, zipfile.ZipFile(source) as archive, Path(source).open("rb") as file, Path(target).open("wb") as out:
        sums = dict(line.split("  ")[::-1] for line in archive.read("SHA256SUMS").decode().splitlines())
        for info in archive.infolist():
            if info.filename not in wanted:
                continue
            file.seek(info.header_offset + 26)
            lengths = file.read(4)
            file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
            left, found, inflater = info.compress_size, hashlib.sha256(), isal_zlib.decompressobj(-15)
            while left:
                piece = file.read(min(left, _PIECE))
                left -= len(piece)
                found.update(inflater.decompress(piece))
                out.write(piece)
            if found.hexdigest() != sums[info.filename]:
                raise BrokenOutputError(f"{info.filename} is not what its sum says")
    return {}


def verify_archive(meter: Meter, *, source: str, seal: bool = False) -> dict[str, Any]:
    """To the last byte."""
    with meter:
        report = verify(Path(source), passphrase=(lambda: PASSPHRASE) if seal else None)
    if not report.ok:
        raise BrokenOutputError("the archive is not whole")
    return {}
