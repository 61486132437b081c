"""The table that a run prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .measure import MIB, Measurement, ratio, typical


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what was measured, against what, and what is wanted."""

    what: str
    measured: str
    yardstick: str
    ratio: str
    target: str


COLUMNS = Line("what", "measured", "yardstick", "ratio (by CPU)", "target")


def print_lines(lines: Sequence[Line]) -> None:
    """As a table of Markdown, fit for the README."""
    rows = [_cells(COLUMNS), *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


def speed_ratio(ours: Sequence[Measurement], theirs: Sequence[Measurement], *, scale: float = 1.0) -> str:
    """How many times as fast ``ours`` is; ``scale`` is our amount of work by theirs."""
    wall, cpu = ratio(theirs, ours)
    return f"{wall * scale:.2f} ({cpu * scale:.2f})"


def time_ratio(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> str:
    """How many times as long ``ours`` takes."""
    wall, cpu = ratio(ours, theirs)
    return f"{wall:.2f} ({cpu:.2f})"


def rate(measurements: Sequence[Measurement], amount: float, unit: str) -> str:
    """Work by wall time."""
    return f"{amount / typical(measurements).wall:,.0f} {unit}/s"


def seconds(measurements: Sequence[Measurement]) -> str:
    """Wall time."""
    return f"{typical(measurements).wall:.2f} s"


def memory(measurements: Sequence[Measurement]) -> str:
    """The highest peak."""
    return f"{typical(measurements).peak / MIB:.0f} MB"


def _cells(line: Line) -> tuple[str, ...]:
    return line.what, line.measured, line.yardstick, line.ratio, line.target
