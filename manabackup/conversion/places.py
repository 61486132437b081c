"""Where things are: the places that rows have, and the location log in its order, for formats of maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple

from ..model.tables import TableModel
from ..model.values import DateKind, decimal, moment, values_at
from ..text.jsontext import JSON
from .reading import Reading, ReadRow

LOG: Final = "locationLogs"
"""The table of the places that a device was at."""
GAP: Final = timedelta(minutes=30)
"""Between points of the log that are further apart there is no line: the app takes one every five minutes at most."""
_HALF: Final = 180
"""Degrees."""
_NO_TIME: Final = " "
"""Stands before all times."""

Position = tuple[Decimal, ...]
"""Latitude, longitude (WGS 84, degrees) and perhaps the altitude (metres)."""


class Point(NamedTuple):
    """A row that is somewhere."""

    model: TableModel
    row: ReadRow
    place: Position


class Fix(NamedTuple):
    """A point of the location log."""

    row: ReadRow
    place: Position
    at: datetime | None
    """In UTC; those without one come first."""
    follows: bool
    """A line leads here from the one before."""


def has_places(reading: Reading, name: str) -> bool:
    """Whether rows of a table may be somewhere."""
    model = reading.model(name)
    return model is not None and bool(model.geo)


def points(reading: Reading) -> Iterator[Point]:
    """Every row that has a place, but for those of the location log; the others are taken down."""
    for name in reading.tables:
        model = reading.model(name)
        if model is None or not model.geo or name == LOG:
            continue
        for row in reading.rows(name):
            place = _place(reading, model, row)
            if place is not None:
                yield Point(model, row, place)


def fixes(reading: Reading) -> Iterator[Fix]:
    """The location log, the oldest first, in constant memory."""
    model = reading.model(LOG)
    if model is None or not reading.has(LOG):
        return

    def key(row: ReadRow) -> str:
        at = instant(next(values_at(row.values, "timestamp"), None), reading.zone)
        return _NO_TIME if at is None else at.isoformat(timespec="microseconds")

    last: Fix | None = None
    for found, row in reading.ordered(LOG, key):
        place = _place(reading, model, row)
        if place is None:
            continue
        at = None if found == _NO_TIME else datetime.fromisoformat(found)
        last = Fix(row, place, at, follows=last is not None and _is_near(last, place, at))
        yield last


def _is_near(last: Fix, place: Position, at: datetime | None) -> bool:
    """Whether a line leads from one point to the next; one across the 180th degree would lead around the world."""
    return at is not None and last.at is not None and at - last.at <= GAP and abs(place[1] - last.place[1]) <= _HALF


def _place(reading: Reading, model: TableModel, row: ReadRow) -> Position | None:
    place = model.place(row.values)
    if place is None:
        said = [row.values.get(name) for name in model.geo[:2]]
        nowhere = all(value is None or value == "" or decimal(value) == 0 for value in said)
        reading.left_out.note("noPlace" if nowhere else "oddValue", model.name)
    return place


def instant(value: JSON, zone: tzinfo, kind: DateKind = "datetime-mixed") -> datetime | None:
    """An instant in UTC, of a local clock the one in ``zone``; None for a day, and for what is no time."""
    found = moment(value, kind)
    if not isinstance(found, datetime):
        return None
    try:
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None  # in the first or the last hours that there are


# fmt: off
_BOOKKEEPING: Final = frozenset(
    (
        "id", "spaceId", "authorId", "userId", "createdAt", "updatedAt", "deletedAt", "visibility",
        "visibilityChangedAt", "visibilityChangedBy", "order", "sortOrder"
    )
)
# fmt: on


def note_unheld(reading: Reading, table: str, values: Mapping[str, JSON], held: frozenset[str]) -> None:
    """Take down the values of a row that are not among the fields that went in; bookkeeping is none."""
    rest = [name for name, value in values.items() if value not in (None, "", [], {}, False)]
    reading.left_out.note("noField", table, sum(name not in held and name not in _BOOKKEEPING for name in rest))
