"""Rows of a database made into lines, a block of rows at a time, each block by itself: it does not matter by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ...limits import DEFAULT_LIMITS
from ...rows.completeness import Case
from ...sources.copied import BrokenRow
from ...sources.lines import Line, LineMaker
from ...sources.queries import EverybodysQuery
from ...sources.whose import People, is_nobodys
from ...text import jsontext

Task: TypeAlias = tuple[int, Any]
"""The number of a maker, and a block of rows as a database gives it."""


@dataclass(slots=True)
class Made:
    """What some rows became."""

    rows: int = 0
    size: int = 0
    """Bytes of the lines, with their ends."""
    pairs: list[tuple[str, bytes]] = field(default_factory=list)
    """Ids and lines, in the database's order."""
    cases: list[Case] = field(default_factory=list)
    """What there is to say about completeness."""
    owned: int = 0
    """Of everybody's rows: those that are somebody's."""
    nobodys: int = 0
    """Of everybody's rows: those that are nobody's."""
    dangling: Counter[int] = field(default_factory=Counter)
    """Of the columns that may point at nothing, by their places: how many do."""


class AnyMaker(Protocol):
    """Makes lines of rows."""

    def made(self, block: Any) -> Made:
        """All rows of a block."""


def make(makers: Sequence[AnyMaker], task: Task) -> Made:
    """Does a task."""
    number, block = task
    return makers[number].made(block)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes lines of the rows that one question is answered with."""

    lines: LineMaker
    cells: Callable[[Any], Iterator[list[Any]]]
    table: str
    """As it is called in the archive."""
    loose: int = 0
    """How many columns come before the line's own, of :meth:`Questions.loose`."""

    def made(self, block: Any) -> Made:
        """All rows of a block."""
        made = Made()
        for cells in self.cells(block):
            made.rows += 1
            if self.loose:
                made.dangling.update(place for place, is_loose in enumerate(cells[: self.loose]) if int(is_loose))
                del cells[: self.loose]
            line = self.lines.line(cells)
            cases = cases_of(self.table, line)
            if cases:
                made.cases += cases
            if not is_set_aside(cases):
                made.size += len(line.text) + 1
                made.pairs.append((line.id, line.text))
        return made


def cases_of(table: str, line: Line) -> list[Case]:
    """What there is to say about a line."""
    if len(line.text) > DEFAULT_LIMITS.line_bytes or not jsontext.nests_within(line.text):
        return [Case(_SET_ASIDE, table, line.id)]
    return [Case("notText", table, line.id, name) for name in line.broken] if line.broken else []


def is_set_aside(cases: Sequence[Case]) -> bool:
    """Whether a line of which this is said has no place in an archive."""
    return bool(cases) and cases[0].kind == _SET_ASIDE


_SET_ASIDE = "rowSetAside"


@dataclass(frozen=True, slots=True)
class EverybodysMaker:
    """Makes lines of all rows of a table, each for everybody who may have it.

    Keys of pairs are :func:`place_of` the row in all archives. A line begins with what it is: :data:`OWN`,
    :data:`REDUCED`, :data:`LEFT_OUT` and the number of such rows, :data:`DANGLING` with the place of a column and a
    number, or :data:`CASE` and a case.
    """

    number: int
    """The table's."""
    lines: LineMaker
    others_lines: LineMaker | None
    cells: Callable[[Any], Iterator[list[Any]]]
    table: str
    """As it is called in an archive."""
    query: EverybodysQuery
    people: People
    wanted: Callable[[str], bool]
    """Whether somebody's archive is to be written."""
    loose: int = 0
    """As of a :class:`Maker`."""

    def made(self, block: Any) -> Made:
        """All rows of a block."""
        made = Made()
        left_out: Counter[str] = Counter()
        dangling: Counter[tuple[str, int]] = Counter()
        for row in self.cells(block):
            made.rows += 1
            ends, cells = row[: self.query.ends], row[self.query.ends :]
            loose = [place for place, is_loose in enumerate(cells[: self.loose]) if int(is_loose)]
            del cells[: self.loose]
            if type(row) is BrokenRow:
                cells = BrokenRow(cells)
            own = self.people.owners(self.query.own, ends)
            others = frozenset[str]()
            if self.query.others is not None:
                others = self.people.owners(self.query.others, ends) - own
            dangling.update((key, place) for key in own for place in loose)
            made.owned += bool(own)
            made.nobodys += is_nobodys(self.query.own, ends)
            if self.others_lines is None:
                left_out.update(others)
            elif some := [key for key in others if self.wanted(key)]:
                self._add(made, some, self.others_lines.line(self._granted(cells)), REDUCED)
            if some := [key for key in own if self.wanted(key)]:
                self._add(made, some, self.lines.line(cells), OWN)
        for key, count in left_out.items():
            if self.wanted(key):
                made.pairs.append((place_of(key, self.number, ""), b"%b%d" % (LEFT_OUT, count)))
        for (key, place), count in dangling.items():
            if self.wanted(key):
                made.pairs.append((place_of(key, self.number, ""), b"%b%d %d" % (DANGLING, place, count)))
        return made

    def _granted(self, cells: list[Any]) -> list[Any]:
        assert self.others_lines is not None
        some = [cells[self.lines.columns.index(column)] for column in self.others_lines.columns]
        return BrokenRow(some) if type(cells) is BrokenRow else some

    def _add(self, made: Made, keys: Iterable[str], line: Line, kind: bytes) -> None:
        cases = cases_of(self.table, line)
        for key in keys:
            made.pairs += [(place_of(key, self.number, ""), CASE + stored_case(case)) for case in cases]
            if is_set_aside(cases):
                # It was found all the same.
                made.pairs.append((place_of(key, self.number, ""), kind))
            else:
                made.size += len(line.text) + 1
                made.pairs.append((place_of(key, self.number, line.id), kind + line.text))


OWN, REDUCED, LEFT_OUT, DANGLING, CASE = b"o", b"r", b"l", b"d", b"c"


def stored_case(case: Case) -> bytes:
    """A case as a line has it; :func:`read_case` reads it."""
    return jsontext.dumps([case.kind, case.table, case.record, case.field])


def read_case(line: bytes) -> Case:
    """What :func:`stored_case` wrote."""
    return Case(*jsontext.parse(line))


def place_of(key: str, number: int, identifier: str) -> str:
    """Orders the rows of all archives: by whose they are, by table, by id; what is no row comes before."""
    return f"{key}\0{number:04}\0{identifier}"
