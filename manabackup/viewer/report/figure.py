"""Activity as a figure: a line an app, a bar a year, with its numbers in a table; the same as the page draws."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from .content import Report
from .words import WORDS, Language, say

_APPS = 12
_YEARS = 30
_PATIENCE = 3
"""Years without entries that are shown as such; more of them in a row are a gap."""
_GAP = "…"
_NAMES, _CELL, _LINE, _TOP = 132, 56, 34, 26
"""Pixels: of names, of a year's width, of a line's height, above the first."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in pixels."""

    x: int
    y: float
    width: int
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """One app."""

    label: str
    short: str
    counts: list[int]
    sum: int
    ground: int
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Figure:
    """What the templates draw."""

    columns: list[str]
    lines: list[Line]
    width: int
    height: int
    names: int = _NAMES
    cell: int = _CELL


def figure(report: Report, language: Language) -> Figure | None:
    """The figure of a report; None where nothing has a time."""
    months = {} if report.activity is None else report.activity.months
    seen = sorted({month for counts in months.values() for month in counts})
    if not seen:
        return None
    years = sorted({month[:4] for month in seen})
    length = 4 if len(years) > 1 else 7
    found = years if length == 4 else seen
    first = found[-_YEARS:][0]  # what was before is counted in it
    columns = _columns(found[-_YEARS:])
    labels = {app.app: say(app.label, language) for app in report.apps}
    rows = [
        (
            labels.get(app, app),
            [sum(n for month, n in counts.items() if max(month[:length], first) == column) for column in columns],
        )
        for app, counts in months.items()
    ]
    rows = _with_others(sorted(rows, key=lambda row: (-sum(row[1]), row[0])), say(WORDS["others"], language))
    if len(found) > _YEARS:
        columns[0] = f"≤ {first}"
    most = max(1, *(count for _, counts in rows for count in counts))
    lines = [_line(label, counts, columns, place, most) for place, (label, counts) in enumerate(rows)]
    return Figure(columns, lines, _NAMES + len(columns) * _CELL + 60, _TOP + len(lines) * _LINE)


def _columns(found: list[str]) -> list[str]:
    """Years without entries belong between those with; a goal for a year far ahead does not push the others aside."""
    if len(found[0]) != 4:
        return list(found)
    columns = [found[0]]
    for before, year in pairwise(found):
        between = range(int(before) + 1, int(year))
        columns += [_GAP] if len(between) > _PATIENCE else [f"{empty:04}" for empty in between]
        columns.append(year)
    return columns


def _with_others(rows: list[tuple[str, list[int]]], label: str) -> list[tuple[str, list[int]]]:
    if len(rows) <= _APPS:
        return rows
    rest = [counts for _, counts in rows[_APPS - 1 :]]
    return [*rows[: _APPS - 1], (label, [sum(column) for column in zip(*rest, strict=True)])]


def _line(label: str, counts: list[int], columns: list[str], place: int, most: int) -> Line:
    ground = _TOP + place * _LINE + _LINE - 4
    bars = [
        Bar(
            x=_NAMES + column * _CELL + 12,
            y=round(ground - tall, 1),
            width=_CELL - 24,
            height=tall,
            title=f"{label} {columns[column]}: {count}",
        )
        for column, count in enumerate(counts)
        if count
        for tall in [max(2.0, round(sqrt(count / most) * (_LINE - 16), 1))]
    ]
    short = label if len(label) <= 20 else f"{label[:19]}…"
    return Line(label, short, counts, sum(counts), ground, bars)
