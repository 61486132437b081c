"""``parquet``: a folder with a file for each table (Apache Parquet), for those who compute with their data.

A column has the type that the table's description states: days are dates, instants are UTC microseconds, lists of texts
are lists. Other nested values are JSON text. What has another type in some row stands in ``_more``, as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..host.output_folder import AtomicFolder
from ..model.tables import TableModel
from ..model.values import decimal, moment
from ..text import jsontext
from ..text.jsontext import JSON
from .columns import Columns, columns_of
from .file_names import Names
from .joined import Joined
from .reading import Reading, ReadRow

_ROWS: Final = 2_000
"""In a group; one group is in memory at a time."""
_LARGEST: Final = 2**53
_TEXT, _INSTANT = pa.string(), pa.timestamp("us", tz="UTC")
Convert = Callable[[JSON], Any]
"""The value as its column holds it; None where it does not."""


def convert(reading: Reading, folder: AtomicFolder) -> None:
    """Fill the folder."""
    names, joined = Names(), Joined(reading)
    for name in reading.tables:
        rows = reading.rows(name)
        first = list(islice(rows, _ROWS))
        if not first:
            continue
        plan = _Plan(columns_of(reading.model(name)), reading.model(name), joined)
        with (
            folder.file(names.name((), name, name, otherwise="table", ending=".parquet")) as file,
            pq.ParquetWriter(file, plan.schema, compression="zstd") as writer,
        ):
            while first:
                writer.write_table(pa.Table.from_pylist([plan.record(row) for row in first], plan.schema))
                first = list(islice(rows, _ROWS))


class _Plan:
    """The columns of a table, and its rows as records."""

    def __init__(self, columns: Columns, model: TableModel | None, joined: Joined) -> None:
        self._model = model
        self._joined = joined
        self._fields = {name: _column(name, kind, model) for name, kind in columns.fields}
        fields = [pa.field("id", _TEXT, nullable=False)]
        fields += [pa.field(name, kind) for name, (kind, _) in self._fields.items()]
        fields += [pa.field("_tags", pa.list_(_TEXT)), pa.field("_created", _INSTANT), pa.field("_modified", _INSTANT)]
        self.schema = pa.schema([*fields, pa.field("_more", _TEXT)])

    def record(self, row: ReadRow) -> dict[str, Any]:
        """A row."""
        record: dict[str, Any] = {"id": _whole(row.id)}
        more: dict[str, JSON] = {}
        for name, value in row.values.items():
            if name == "id" or value is None:
                continue
            _, make = self._fields.get(name, (None, _nothing))
            made = make(value)
            if made is None:
                more[name] = value
            else:
                record[name] = made
        if self._model is not None:
            record["_tags"] = [_whole(tag) for tag in self._joined.tags(self._model, row.id, row.values)]
        record["_created"], record["_modified"] = _instant(row.created), _instant(row.modified)
        record["_more"] = jsontext.dumps(more).decode() if more else None
        return record


def _column(name: str, kind: str, model: TableModel | None) -> tuple[pa.DataType, Convert]:
    told = model.dates.get(name) if model is not None else None
    if told == "date":
        return pa.date32(), _day
    if told in ("datetime-utc", "epoch-ms") or name in ("createdAt", "updatedAt", "deletedAt"):
        return _INSTANT, _instant
    if kind == "number":
        return pa.float64(), _float
    if kind == "boolean":
        return pa.bool_(), lambda value: value if isinstance(value, bool) else None
    field = model.fields.get(name) if model is not None else None
    if field is not None and field.type in ("string[]", "enum[]"):
        return pa.list_(_TEXT), _texts
    return _TEXT, _text if kind == "text" else _json


def _nothing(value: JSON) -> None:
    """Of a field that has no column."""


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and _whole(value) == value else None


def _texts(value: JSON) -> list[str] | None:
    return value if isinstance(value, list) and all(_text(one) is not None for one in value) else None


def _json(value: JSON) -> str | None:
    return jsontext.dumps(value).decode() if isinstance(value, dict | list) else None


def _float(value: JSON) -> float | None:
    """A number that a double holds exactly, or as its writer held it."""
    number = decimal(value)
    return float(number) if number is not None and abs(number) <= _LARGEST else None


def _day(value: JSON) -> date | None:
    found = moment(value)
    return found if isinstance(found, date) and not isinstance(found, datetime) and len(str(value)) == 10 else None


def _instant(value: JSON) -> datetime | None:
    found = moment(value, "epoch-ms")
    return found.astimezone(UTC) if isinstance(found, datetime) and found.tzinfo is not None else None
