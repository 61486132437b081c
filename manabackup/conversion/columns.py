"""Which columns a table's rows have in a database, and rows to columns and back without a loss.

A value stands in the column of its field where it has the type that the description states. Whatever else a row holds,
fields that nobody has described among it, stands in the JSON object of the column ``_more``. A field that is null is
told from one that is not there by ``_nulls``: bit *n* of the number stands for the *n*-th column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from ..model.tables import TableModel
from ..text import jsontext
from ..text.jsonmembers import members
from ..text.jsontext import JSON

ColumnKind = Literal["text", "number", "boolean", "json"]
Cell = str | int | float | bytes | None
SQL_TYPES: Final[Mapping[ColumnKind, str]] = {"text": "TEXT", "number": "NUMERIC", "boolean": "INTEGER", "json": "TEXT"}

_SCOPE: Final[Mapping[str, tuple[tuple[str, ColumnKind], ...]]] = {
    "space": (("spaceId", "text"), ("authorId", "text"), ("visibility", "text")),
    "user": (("userId", "text"),),
}
_TIMES: Final[tuple[tuple[str, ColumnKind], ...]] = (
    ("createdAt", "text"),
    ("updatedAt", "text"),
    ("deletedAt", "text"),
)
_MOST_NULLS = 63
_LARGEST = 2**63
_DEEPEST = 500
"""Opening brackets in a value that SQLite is given as JSON: it takes 1,000 levels, or 2,000."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table, ``id`` left out."""

    fields: tuple[tuple[str, ColumnKind], ...]
    _places: dict[str, tuple[int, ColumnKind]] = field(init=False, compare=False, repr=False)
    """Field → where its cell stands among a row's, and its kind."""

    def __post_init__(self) -> None:
        places = {name: (number, kind) for number, (name, kind) in enumerate(self.fields, 1)}
        object.__setattr__(self, "_places", places)

    def cells(self, values: Mapping[str, JSON], line: bytes | None = None) -> tuple[list[Cell], bytes]:
        """What stands in ``id``, the fields' columns, ``_nulls`` and ``_more``; and the :meth:`line` of it.

        Texts are given in UTF-8. ``line`` is what ``values`` give when they are written in their order, where that is
        known: it then need not be written anew. Raises :class:`UnicodeEncodeError` for an ``id`` that is no text in
        UTF-8.
        """
        places = self._places
        cells: list[Cell] = [None] * (len(self.fields) + 3)
        cells[0] = values["id"].encode()
        nulls, more, before = 0, {}, ""
        members = iter(values.items())
        if line is not None and next(members)[0] != "id":
            members, line = iter(values.items()), None
        for name, value in members:
            if name < before:
                line = None
            before = name
            place = places.get(name)
            if place is None:
                if name != "id":
                    more[name] = value
                continue
            number, kind = place
            if type(value) is str and kind == "text":
                try:
                    cells[number] = value.encode()
                except UnicodeEncodeError:  # half a surrogate pair
                    more[name] = value
            elif value is None and number <= _MOST_NULLS:
                nulls |= 1 << number - 1
            else:
                cell = cells[number] = _cell(kind, value)
                if cell is None:
                    more[name] = value
        cells[-2] = nulls
        if more:
            cells[-1] = jsontext.dumps_in_order(more)
        if line is None:
            line = self.line([cell.decode() if type(cell) is bytes else cell for cell in cells])
        return cells, line

    def line(self, cells: Sequence[Cell]) -> bytes:
        """The canonical text of the row that :meth:`cells` were made of. Raises :class:`ValueError` for what is none.

        JSON in a column keeps its own text.
        """
        values: dict[str, JSON] = {}
        nulls, more = cells[-2], cells[-1]
        if not isinstance(cells[0], str) or not isinstance(nulls, int | None):
            raise ValueError("no id, or no number where it is to be told what is null")  # noqa: TRY004 - of a text
        for number, (name, kind) in enumerate(self.fields):
            cell = cells[number + 1]
            if cell is not None:
                values[name] = _value(kind, cell)
            elif nulls and number < _MOST_NULLS and nulls >> number & 1:
                values[name] = None
        if more is not None:
            if not isinstance(more, str):
                raise ValueError("no text")
            values.update({name: jsontext.Fragment(text) for name, text in members(more.encode()).items()})
        return _text_of(cells[0], values)


def columns_of(model: TableModel | None) -> Columns:
    """The columns of a table; of one that nobody has described only those that all tables have."""
    if model is None:
        return Columns((*_SCOPE["space"], *_SCOPE["user"], *_TIMES))
    own = [(name, _kind(described.type)) for name, described in model.fields.items()]
    return Columns(tuple(_each_once([*own, *_SCOPE[model.scope], *_TIMES])))


def _each_once(fields: Iterable[tuple[str, ColumnKind]]) -> Iterable[tuple[str, ColumnKind]]:
    """Columns are called alike where their names differ by case alone."""
    seen = {"id", "_nulls", "_more"}
    for name, kind in fields:
        if name.casefold() not in seen:
            seen.add(name.casefold())
            yield name, kind


def _kind(field_type: str) -> ColumnKind:
    if field_type in ("string", "enum"):
        return "text"
    if field_type == "number":
        return "number"
    return "boolean" if field_type == "boolean" else "json"


def _cell(kind: ColumnKind, value: JSON) -> Cell:
    """A value as its column holds it; None where it does not."""
    of = type(value)
    if kind == "text":
        return None
    if kind == "number":
        return value if (of is int and -_LARGEST <= value < _LARGEST) or (of is float and _stays(value)) else None
    if kind == "boolean":
        return int(value) if of is bool else None
    if of is not dict and of is not list:
        return None
    text = jsontext.dumps_in_order(value)
    return text if text.count(b"[") + text.count(b"{") <= _DEEPEST or _nesting(text) <= _DEEPEST else None


def _value(kind: ColumnKind, cell: Cell) -> JSON:
    if kind == "json":
        if not isinstance(cell, str):
            raise ValueError("no JSON")
        jsontext.parse_inexact(cell.encode())
        return jsontext.Fragment(cell)
    if isinstance(cell, bytes):
        raise ValueError("bytes")  # noqa: TRY004
    return cell == 1 if kind == "boolean" and cell in (0, 1) else cell


def _text_of(identifier: Cell, values: dict[str, JSON]) -> bytes:
    values.pop("id", None)
    begin = b'{"id":' + jsontext.dumps(identifier)
    return begin + (b"," + jsontext.dumps(values)[1:] if values else b"}")


def _stays(value: float) -> bool:
    """Whether a column of numbers gives a number back as it is: ``1.0`` becomes ``1``, which is another text."""
    return not value.is_integer() or abs(value) >= _LARGEST


def _nesting(text: bytes) -> int:
    """How deep a JSON text nests, at most: brackets in strings count."""
    depth = deepest = 0
    for character in text:
        if character in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in b"]}":
            depth -= 1
    return deepest
