"""Rows of a database as lines of an archive (``formats/mana-v2.md``, "Rows of other databases")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..text import jsontext
from .catalog import Column
from .copied import BrokenRow
from .profile import StoreKind
from .values import converter, key_of_column, row_id


class Line(NamedTuple):
    """One row."""

    id: str
    text: bytes
    broken: tuple[str, ...] = ()
    """The names of texts in it that are not UTF-8."""


class LineMaker:
    """Makes lines of rows of some columns of a table, which are to be selected in the order of :attr:`columns`."""

    def __init__(self, columns: Sequence[Column], key: Sequence[str], kind: StoreKind) -> None:
        self._key = tuple(key)
        self._is_whole_key = self._key == ("id",)
        by_name = sorted((_place(column, self._key), column.name, column) for column in columns)
        self.columns = tuple(column for _, _, column in by_name)
        """In the order in which a line has them."""
        self._names = [name for (_, name), _, _ in by_name]
        converters = [converter(column, kind) for column in self.columns]
        self._convert = [(place, convert) for place, convert in enumerate(converters) if convert is not None]
        self._places = [[column.name for column in self.columns].index(name) for name in self._key]
        self._all_names = self._names if self._is_whole_key else ["id", *self._names]

    def line(self, cells: list[Any]) -> Line:
        """The line of a row, as the database gives it; the list is given away."""
        broken: list[str] = []
        if type(cells) is BrokenRow:
            for place, cell in enumerate(cells):
                if type(cell) is bytes:
                    cells[place] = self._mended(place, cell, broken)
        for place, convert in self._convert:
            cell = cells[place]
            if cell is not None:
                try:
                    cells[place] = convert(cell)
                except UnicodeDecodeError:
                    cells[place] = self._mended(place, cell, broken)
        if self._is_whole_key:
            cells[0] = identifier = row_id(cells[:1], self._key)
        else:
            identifier = row_id([cells[place] for place in self._places], self._key)
            cells.insert(0, identifier)
        # Names are in their order, and so are the keys within any value: nothing is left to sort.
        text = jsontext.dumps_in_order_to_keep(dict(zip(self._all_names, cells, strict=True)))
        return Line(identifier, text, tuple(broken))

    def _mended(self, place: int, cell: bytes, broken: list[str]) -> str:
        broken.append(self._names[place])
        return cell.decode("utf-8", "replace")


def _place(column: Column, key: tuple[str, ...]) -> tuple[bool, str]:
    """Where a column stands in a line: the row's id first, then by name."""
    name = key_of_column(column.name, key)
    return name != "id", name
