"""Rows of a database made into lines, a block of rows at a time, each block by itself: it does not matter by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...limits import DEFAULT_LIMITS
from ...rows.completeness import Case
from ...sources.lines import LineMaker
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


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes lines of the rows that one question is answered with."""

    lines: LineMaker
    cells: Callable[[Any], Iterator[list[Any]]]
    table: str
    """As it is called in the archive."""

    def made(self, block: Any) -> Made:
        """All rows of a block."""
        made = Made()
        add = made.pairs.append
        line = self.lines.line
        for row in self.cells(block):
            identifier, text, broken = line(row)
            made.rows += 1
            if len(text) > DEFAULT_LIMITS.line_bytes or not jsontext.nests_within(text):
                made.cases.append(Case("rowSetAside", self.table, identifier))
                continue
            if broken:
                made.cases += [Case("notText", self.table, identifier, name) for name in broken]
            made.size += len(text) + 1
            add((identifier, text))
        return made


def make(makers: Sequence[Maker], task: Task) -> Made:
    """Does a task."""
    number, block = task
    return makers[number].made(block)
