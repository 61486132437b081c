"""``parquet``: a folder with a typed file for each table (Apache Parquet), for programs that compute.

``docs/convert.md`` says which types there are. A value that is not of its column's type stands in ``more``.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..about import PRODUCT
from ..host.output_folder import AtomicFolder
from .file_names import Names
from .joined import Joined
from .parquet_columns import ParquetColumns
from .reading import Reading

_MOST_ROWS: Final = 50_000
_MOST_BYTES: Final = 16 << 20
"""Of rows' text, in a row group."""


def convert(reading: Reading, folder: AtomicFolder) -> None:
    """Fill the folder. A table without rows has no file."""
    joined, names = Joined(reading), Names()
    for name in reading.tables:
        _table(reading, folder, name, names.name((), name, name, otherwise="table", ending=".parquet"), joined)


def _table(reading: Reading, folder: AtomicFolder, name: str, file_name: str, joined: Joined) -> None:
    rows = reading.rows(name)
    first = next(rows, None)
    if first is None:
        return
    columns = ParquetColumns(reading, name, joined)
    model = reading.model(name)
    label = name if model is None else model.label.of(reading.language)
    schema = columns.schema.with_metadata({"creator": PRODUCT, "mana-table": _utf8(name), "title": _utf8(label)})
    with folder.file(file_name) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        pending: list[list[object]] = []
        size = 0
        for row in chain((first,), rows):
            pending.append(columns.cells(row))
            size += len(row.line)
            if size >= _MOST_BYTES or len(pending) >= _MOST_ROWS:
                writer.write_batch(_batch(pending, schema))
                pending, size = [], 0
        if pending:
            writer.write_batch(_batch(pending, schema))


def _batch(records: list[list[object]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(cells, of) for cells, of in zip(zip(*records, strict=True), schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
