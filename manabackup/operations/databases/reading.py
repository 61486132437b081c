"""One table of a database on its way into an archive: rows as lines, brought into the order of their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...crypto.spools import SpoolFile
from ...errors import SourceError
from ...host.processes import InOrder
from ...host.sorting import LineSorter
from ...limits import MIB
from ...rows.completeness import Case
from ...sources.agreement import exported_columns, row_key
from ...sources.catalog import CatalogTable
from ...sources.lines import LineMaker
from ...sources.postgresql import PostgresqlDatabase
from ...sources.profile import ProfiledTable, StoreKind, store_of, table_of
from ...sources.queries import RowQuery
from ...text.jsontext import JSON
from .check import questions_about
from .making import Made, Maker, Task
from .stores import Stores, Whose, one_number

SORT_BYTES = 14 * MIB
"""Lines that are brought into order in memory."""


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
    dangling: Mapping[str, int] = field(default_factory=dict)
    """Column → own rows in which it points at a row that is not in the database."""

    def to_json(self) -> dict[str, JSON]:
        """As the manifest lists it."""
        dangling: dict[str, JSON] = {"dangling": dict(self.dangling)} if self.dangling else {}
        return {"own": self.own, "reduced": self.reduced, "leftOut": self.left_out, "nobodys": self.nobodys, **dangling}


class TableReader:
    """Reads what somebody may have of a table, all of it; then gives lines in order.

    What makes lines of its rows are :attr:`makers`: the first of one's own, a second of others' where the profile
    grants columns of these.
    """

    def __init__(self, stores: Stores, table: ProfiledTable, *, archived_as: str, derived: bool) -> None:
        store = store_of(table.name)
        self.there: CatalogTable = stores.catalogs[store].tables[table_of(table.name)]
        self.key = row_key(table, self.there)
        self.columns = exported_columns(table, self.there, derived=derived)
        self.table = table
        self.archived_as = archived_as
        self.database = stores.database(store)
        self.ask = questions_about(stores, table)
        kind = StoreKind.POSTGRESQL if isinstance(self.database, PostgresqlDatabase) else StoreKind.SQLITE
        self.lines = LineMaker(self.columns, self.key, kind)
        self.others_lines: LineMaker | None = None
        if table.others is not None and table.others.columns:
            granted = set(table.others.columns)
            # The key is read to tell the row from others; it is part of what is granted, or the row has none.
            missing = [name for name in self.key if name not in granted]
            if missing:
                raise SourceError(f"{table.name}: others' rows need {', '.join(missing)}, their key")
            columns = [column for column in self.columns if column.name in granted]
            self.others_lines = LineMaker(columns, self.key, kind)
        self.loose = self.ask.loose()
        """Columns that may point at nothing."""
        self.makers = [Maker(self.lines, self.database.cells, archived_as, len(self.loose))]
        if self.others_lines is not None:
            self.makers.append(Maker(self.others_lines, self.database.cells, archived_as))

    def read(
        self,
        whose: Whose,
        making: InOrder[Task, Made],
        first: int,
        note: Callable[[Case], object],
        make_file: Callable[[], SpoolFile],
    ) -> tuple[Found, Iterator[bytes]]:
        """Reads all rows: what was found, and then their lines. Raises :class:`SourceError`.

        ``making`` knows the table's makers by numbers from ``first``.
        """
        sorter = LineSorter(make_file, budget=SORT_BYTES)
        size = 0
        dangling: Counter[int] = Counter()

        def take(number: int, question: RowQuery) -> int:
            nonlocal size
            rows = 0
            blocks = self.database.blocks(question, question.values(whose.identities))
            for made in making.over((number, block) for block in blocks):
                rows += made.rows
                size += made.size
                dangling.update(made.dangling)
                sorter.add(made.pairs)
                for case in made.cases:
                    note(case)
            return rows

        own = take(first, self.ask.own(self.lines.columns, self.loose))
        reduced = left_out = 0
        if self.others_lines is not None:
            reduced = take(first + 1, self.ask.others(self.others_lines.columns))
        elif self.table.others is not None:
            left_out = one_number(self.database, self.ask.count_others(), whose)
        nobodys = one_number(self.database, self.ask.count_nobodys(), whose)
        loose = self.named(dangling)
        return Found(own, reduced, left_out, nobodys, size, loose), self.unlike(sorter.pairs())

    def named(self, dangling: Mapping[int, int]) -> dict[str, int]:
        """Numbers by the names of the columns in :attr:`loose`."""
        return {self.loose[place]: dangling[place] for place in sorted(dangling)}

    def unlike(self, pairs: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """The lines of (id, line), which are in order. Raises :class:`SourceError` where two rows have one key."""
        last = None
        for identifier, line in pairs:
            if identifier == last:
                raise SourceError(
                    f"{self.table.name}: two rows are alike in {', '.join(self.key)}, which was to tell them apart"
                )
            last = identifier
            yield line
