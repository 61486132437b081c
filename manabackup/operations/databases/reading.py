"""One table of a database on its way into an archive: rows as lines, brought into the order of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...crypto.spools import SpoolFile
from ...errors import SourceError
from ...host.sorting import LineSorter
from ...limits import DEFAULT_LIMITS
from ...rows.archived import row_line
from ...rows.completeness import Case
from ...sources.agreement import exported_columns, row_key
from ...sources.catalog import CatalogTable, Column
from ...sources.postgresql import PostgresqlDatabase
from ...sources.profile import ProfiledTable, StoreKind, store_of, table_of
from ...sources.queries import RowQuery
from ...sources.values import Converter, converter, key_of_column, row_id
from ...text import jsontext
from ...text.jsontext import JSON
from .check import questions_about
from .stores import Stores, Whose, one_number


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one table."""

    own: int
    reduced: int
    """Rows of others of which some columns are taken."""
    left_out: int
    """Rows of others of which nothing is taken, and that the subject stands above."""
    nobodys: int
    bytes: int
    """Of the lines, with their ends."""

    def to_json(self) -> dict[str, JSON]:
        """As the manifest lists it."""
        return {"own": self.own, "reduced": self.reduced, "leftOut": self.left_out, "nobodys": self.nobodys}


class TableReader:
    """Reads what somebody may have of a table, all of it; then gives lines in order."""

    def __init__(
        self,
        stores: Stores,
        table: ProfiledTable,
        note: Callable[[Case], object],
        make_file: Callable[[], SpoolFile],
        *,
        archived_as: str,
        derived: bool,
    ) -> None:
        store = store_of(table.name)
        self.there: CatalogTable = stores.catalogs[store].tables[table_of(table.name)]
        self.key = row_key(table, self.there)
        self.columns = exported_columns(table, self.there, derived=derived)
        self.archived_as = archived_as
        self._table = table
        self._database = stores.database(store)
        self._kind = StoreKind.POSTGRESQL if isinstance(self._database, PostgresqlDatabase) else StoreKind.SQLITE
        self._ask = questions_about(stores, table)
        self._note = note
        self._sorter = LineSorter(make_file)
        self._bytes = 0

    def read(self, whose: Whose) -> Found:
        """Reads and sorts. Raises :class:`SourceError`."""
        own = self._take(self._ask.own(self.columns), self.columns, whose)
        reduced = left_out = 0
        if self._table.others is not None:
            granted = set(self._table.others.columns)
            columns = tuple(column for column in self.columns if column.name in granted)
            if columns:
                # The key is read to tell the row from others; it is part of what is granted, or the row has none.
                missing = [name for name in self.key if name not in granted]
                if missing:
                    raise SourceError(f"{self._table.name}: others' rows need {', '.join(missing)}, their key")
                reduced = self._take(self._ask.others(columns), columns, whose)
            else:
                left_out = one_number(self._database, self._ask.count_others(), whose)
        nobodys = one_number(self._database, self._ask.count_nobodys(), whose)
        return Found(own, reduced, left_out, nobodys, self._bytes)

    def lines(self) -> Iterator[bytes]:
        """The rows' lines, ascending by id. Raises :class:`SourceError` where two rows have one key."""
        last = None
        for identifier, line in self._sorter.pairs():
            if identifier == last:
                raise SourceError(
                    f"{self._table.name}: two rows are alike in {', '.join(self.key)}, which was to tell them apart"
                )
            last = identifier
            yield line

    def _take(self, question: RowQuery, columns: Sequence[Column], whose: Whose) -> int:
        convert = [converter(column, self._kind) for column in columns]
        names = [key_of_column(column.name, self.key) for column in columns]
        places = [[column.name for column in columns].index(name) for name in self.key]
        count = 0
        for row in self._database.rows(question, question.values(whose.identities)):
            count += 1
            broken: list[str] = []
            try:
                cells = [None if cell is None else make(cell) for make, cell in zip(convert, row, strict=True)]
            except UnicodeDecodeError:
                cells = []
                for name, make, cell in zip(names, convert, row, strict=True):
                    cells.append(None if cell is None else _whatever(make, cell, partial(broken.append, name)))
            values = dict(zip(names, cells, strict=True))
            values["id"] = identifier = row_id([cells[place] for place in places], self.key)
            self._add(identifier, values, broken)
        return count

    def _add(self, identifier: str, values: dict[str, JSON], broken: Sequence[str]) -> None:
        line = row_line(values)
        if len(line) > DEFAULT_LIMITS.line_bytes or not jsontext.nests_within(line):
            self._note(Case("rowSetAside", self.archived_as, identifier))
            return
        for name in broken:
            self._note(Case("notText", self.archived_as, identifier, name))
        self._bytes += len(line) + 1
        self._sorter.add([(identifier, line)])


def _whatever(make: Converter, cell: Any, broken: Callable[[], object]) -> JSON:
    """A value of which it is not sure that it is text."""
    try:
        return make(cell)
    except UnicodeDecodeError:
        broken()
        return bytes(cell).decode("utf-8", "replace")
