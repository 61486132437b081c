"""Where an export's time goes: each stage by itself, over the same rows, on one core, block by block as they come."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from manabackup.archive.deflate import segment
from manabackup.crypto.fields import FieldCipher, may_be_encrypted
from manabackup.host.sorting import LineSorter
from manabackup.limits import DEFAULT_LIMITS, KIB, MIB
from manabackup.mirror import Snapshot
from manabackup.model.detached import DetachedChange
from manabackup.model.registry import Table, load
from manabackup.operations.export.blocks import fold_block
from manabackup.operations.export.terms import ExportTerms, Stream
from manabackup.text import jsontext

from ..data import Dataset, opened, prose
from ..measure import Measurement, Meter, interleaved, run
from ..report import Line
from ..setting import Setting

_BLOCK_BYTES = 512 * KIB
_SORT_BYTES = 14 * MIB
"""Both as an export has them."""
_READ, _SORT, _BLOCKS = "read, inflate, split", "bring together by record", "blocks of changes to blocks of lines"
_PARSE, _OPEN, _REST = "parse", "open private fields", "fold, write as text, with meta lines"
_DEFLATE, _HASH = "deflate", "SHA-256"


def measure(setting: Setting) -> list[Line]:
    """Microseconds of CPU for each row."""
    dataset = setting.data(prose(setting.rows))
    rounds = interleaved(setting.rounds, {"stages": lambda: run(stages, cores=1, folder=dataset.folder)})["stages"]
    best = {name: min(_microseconds(one, name) for one in rounds) for name in rounds[0].values}
    best[_REST] = best[_BLOCKS] - best[_PARSE] - best[_OPEN] - best[_DEFLATE]
    names = (_READ, _SORT, _PARSE, _OPEN, _REST, _DEFLATE, _HASH)
    total = sum(best[name] for name in names)
    lines = [
        Line(f"export, stage: {name}", f"{best[name]:.1f} µs a row", "", f"{best[name] / total:.2f}", "")
        for name in names
    ]
    return [*lines, Line("export, all stages", f"{total:.1f} µs a row", "", "", "")]


def stages(meter: Meter, *, folder: str) -> dict[str, Any]:
    """A job: CPU seconds a row by stage. What makes lines of a block is timed as a whole, then some of its parts."""
    dataset = opened(folder)
    clock = _Clock()
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
    cipher = FieldCipher(bytes.fromhex(dataset.master_key))
    now = datetime.now(UTC).isoformat()
    terms = ExportTerms(cipher, {}, (), False, None, now, DEFAULT_LIMITS.line_bytes)
    stream = Stream(table.name, table, table.app, table.collections, 0, 0)
    sorter = LineSorter(tempfile.TemporaryFile, budget=_SORT_BYTES)
    pages = snapshot.read(table.app, table.collection)
    while True:
        with clock(_READ):
            page = next(pages, None)
        if page is None:
            break
        with clock(_SORT):
            sorter.add((record, change) for record, change in zip(page.ids, page.changes, strict=True) if record)
    blocks = sorter.blocks(_BLOCK_BYTES)
    while True:
        with clock(_SORT):
            pairs = next(blocks, None)
        if pairs is None:
            break
        with clock(_BLOCKS):
            block = fold_block(terms, [stream], 0, pairs)
        with clock(_DEFLATE):
            segment(block.text)
        with clock(_HASH):
            hashlib.sha256(block.text)
            hashlib.sha256(block.meta)
        clock.rows += block.live + block.deleted
        del block
        _parts(clock, cipher, pairs)


def _parts(clock: _Clock, cipher: FieldCipher, pairs: list[tuple[str, bytes]]) -> None:
    with clock(_PARSE):
        parsed = [
            (change, jsontext.parse_canonical(change.text)) for change in map(DetachedChange.read, dict(pairs).values())
        ]
    encrypted = [
        (change, value)
        for change, values in parsed
        for value in values.get("data", {}).values()
        if may_be_encrypted(value)
    ]
    with clock(_OPEN):
        for change, value in encrypted:
            change.open(value, cipher)


def _microseconds(measurement: Measurement, name: str) -> float:
    return float(measurement.values[name]) * 1e6
