"""Where an export's time goes: each stage by itself, over the same rows, on one core."""

from __future__ import annotations

import gc
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from manabackup import jsontext
from manabackup.archive.deflate import segment
from manabackup.crypto.fields import IV_BYTES, FieldCipher
from manabackup.detached import attach, parts, referred
from manabackup.jsontext import JSON
from manabackup.mirror import MirrorPage, Snapshot
from manabackup.operations.completeness import Completeness
from manabackup.operations.rowtext import Actors, RowText, Spaces, encrypted
from manabackup.projection import Record, fold, meta_line
from manabackup.registry import Table, load
from manabackup.sorting import LineSorter

from ..data import Dataset, opened, prose
from ..measure import Measurement, Meter, interleaved, run
from ..report import Line
from ..setting import Setting

_BLOCK = 1 << 20


def measure(setting: Setting) -> list[Line]:
    """Microseconds of CPU for each row."""
    dataset = setting.data(prose(setting.rows))
    rounds = interleaved(setting.rounds, {"stages": lambda: run(stages, cores=1, folder=dataset.folder)})["stages"]
    names: list[str] = list(rounds[0].values)
    best = {name: min(_microseconds(one, name) for one in rounds) for name in names}
    total = sum(best[name] for name in names if not name.startswith("of that"))
    lines = [
        Line(f"export, stage: {name}", f"{best[name]:.1f} µs a row", "", f"{best[name] / total:.2f}", "")
        for name in names
    ]
    return [*lines, Line("export, all stages", f"{total:.1f} µs a row", "", "", "")]


def stages(meter: Meter, *, folder: str) -> dict[str, Any]:
    """A job: CPU seconds by stage. Everything between two stages is kept in memory."""
    dataset = opened(folder)
    clock = _Clock()
    gc.disable()  # what is kept here for the next stage would be searched over and over
    with dataset.mirror() as mirror, mirror.snapshot() as snapshot, meter:
        for table in load().tables:
            _table(clock, dataset, snapshot, table)
    return {name: seconds / clock.rows for name, seconds in clock.seconds.items()}


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.rows = 0

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - begun


def _table(clock: _Clock, dataset: Dataset, snapshot: Snapshot, table: Table) -> None:
    with clock("read, inflate, split"):
        pages: list[MirrorPage] = list(snapshot.read(table.app, table.collection))
    with clock("bring together by record"):
        sorter = LineSorter(tempfile.TemporaryFile)
        for page in pages:
            sorter.add(zip([record or "" for record in page.ids], page.changes, strict=True))
        groups = [changes for _, changes in sorter.groups()]
    clock.rows += len(groups)
    with clock("parse"):
        parsed = [_parsed(changes) for changes in groups]
    with clock("fold"):
        records = [fold(table, some) for some, _ in parsed]
    _lines(clock, dataset, table, list(zip(records, [ciphertexts for _, ciphertexts in parsed], strict=True)))


def _parsed(changes: list[bytes]) -> tuple[list[JSON], bytes]:
    """Values, and the ciphertexts that they refer to."""
    if len(changes) > 1:
        return [jsontext.parse_canonical(attach(change)) for change in changes], b""
    text, ciphertexts = parts(changes[0])
    return [jsontext.parse_canonical(text)], ciphertexts


def _lines(clock: _Clock, dataset: Dataset, table: Table, records: list[tuple[Record, bytes]]) -> None:
    cipher = FieldCipher(bytes.fromhex(dataset.master_key))
    with clock("of that, opening private fields"):
        for record, ciphertexts in records:
            for name in encrypted(record.values):
                value = record.values[name]
                if ciphertexts:
                    ciphertext = referred(value, ciphertexts)
                    cipher.open_parts(ciphertext[:IV_BYTES], ciphertext[IV_BYTES:])
                else:
                    cipher.open(value)
    actors, spaces = Actors(), Spaces({})
    text = RowText(cipher, spaces, Completeness(lambda _: 0))
    with clock("write rows as text"):
        lines = [text.line(table.name, table, record, ciphertexts)[0] for record, ciphertexts in records]
    with clock("write meta as text"):
        metas = [jsontext.dumps(meta_line(record, table, actors, spaces)) for record, _ in records]
    with clock("SHA-256"):
        _in_blocks(lines, hashlib.sha256().update)
        _in_blocks(metas, hashlib.sha256().update)
    with clock("deflate"):
        _in_blocks(lines, segment)
        _in_blocks(metas, segment)


def _in_blocks(lines: list[bytes], work: Callable[[bytes], object]) -> None:
    content = b"\n".join(lines)
    for at in range(0, len(content), _BLOCK):
        work(content[at : at + _BLOCK])


def _microseconds(measurement: Measurement, name: str) -> float:
    return float(measurement.values[name]) * 1e6
