"""Clocks that are no time blocks, as events with an alarm: the alarm clock, reminders to stretch, plans for watering.

They name a time of day and days of the week; from when on is not in the rows, so it is from the day on which they were
made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from icalendar import Alarm, Event

from ..model.values import first_text, moment
from ..text.jsontext import JSON
from .ics_parts import Parts
from .joined import Joined
from .reading import Reading, ReadRow
from .spans import in_zone

CLOCKS: Final = {"timeAlarms": ("repeatDays", "enabled"), "stretchReminders": ("days", "isActive")}
"""Table → (field with days of the week, 0 being Sunday; field that says whether it is switched on)."""
WATERING: Final = "wateringSchedules"
_DAYS: Final = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_MOST_HOURS: Final = 24 * 60


class Clocks:
    """The clocks of an archive."""

    def __init__(self, reading: Reading, joined: Joined, parts: Parts) -> None:
        self._reading = reading
        self._joined = joined
        self._parts = parts

    def components(self) -> Iterator[tuple[str, Event]]:
        """(table, event) of each; those without a day and those that are switched off are counted."""
        for table, (days, switch) in CLOCKS.items():
            for row in self._reading.rows(table):
                if row.values.get(switch) is False:
                    self._reading.left_out.note("switchedOff", table)
                    continue
                event = self._repeated(table, row, row.values.get(days))
                if event is not None:
                    yield table, event
        plants = self._joined.names("plants") if self._reading.has(WATERING) else {}
        for row in self._reading.rows(WATERING):
            event = self._watering(row, plants.get(first_text(row.values, "plantId")))
            if event is not None:
                yield WATERING, event

    def _repeated(self, table: str, row: ReadRow, days: JSON) -> Event | None:
        wanted = sorted({day for day in days if type(day) is int and 0 <= day <= 6} if isinstance(days, list) else ())
        clock = moment(row.values.get("time"))
        if not wanted:
            self._reading.left_out.note("noDay", table)
            return None
        start = None if not isinstance(clock, time) else _first(self._made(row), wanted, clock, self._reading.zone)
        if start is None:
            self._reading.left_out.note("oddTime", table)
            return None
        event = self._event(table, row, first_text(row.values, "label") or first_text(row.values, "name"))
        event.add("dtstart", start)
        event.add("rrule", {"FREQ": "WEEKLY", "BYDAY": [_DAYS[day] for day in wanted]})
        _ring(event, timedelta())
        return event

    def _watering(self, row: ReadRow, plant: str | None) -> Event | None:
        told = row.values.get("nextWateringAt")
        found = moment(told)
        if not isinstance(found, date):
            self._reading.left_out.note("oddTime" if told else "noDay", WATERING)
            return None
        try:
            start = in_zone(found, self._reading.zone).astimezone(UTC) if isinstance(found, datetime) else found
        except OverflowError:
            self._reading.left_out.note("oddTime", WATERING)
            return None
        event = self._event(WATERING, row, plant)
        event.add("dtstart", start)
        hours = row.values.get("reminderHoursBefore")
        if row.values.get("reminderEnabled") is True and type(hours) is int and 0 <= hours <= _MOST_HOURS:
            _ring(event, timedelta(hours=-hours))
        return event

    def _event(self, table: str, row: ReadRow, title: str | None) -> Event:
        event = Event()
        self._parts.common(event, table, row, row, tags=False)
        model = self._reading.model(table)
        label = model.label.of(self._reading.language) if model is not None else table
        self._parts.text(event, "summary", f"{label}: {title}" if title else label)
        event.add("transp", "TRANSPARENT")
        return event

    def _made(self, row: ReadRow) -> date:
        """The day on which a row was made, as far as that is known."""
        for told in (row.created, self._reading.archive.manifest.exported_at):
            found = moment(told)
            if isinstance(found, datetime):
                try:
                    return in_zone(found, self._reading.zone).date()
                except OverflowError:
                    continue
            if isinstance(found, date):
                return found
        return date(1970, 1, 1)


def _first(made: date, days: list[int], clock: time, zone: tzinfo) -> datetime | None:
    """The first time from a day on."""
    try:
        for later in range(7):
            day = made + timedelta(days=later)
            if day.isoweekday() % 7 in days:
                return in_zone(datetime.combine(day, clock.replace(microsecond=0)), zone)
    except OverflowError:
        pass
    return None


def _ring(event: Any, when: timedelta) -> None:
    alarm: Any = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", event["SUMMARY"])
    alarm.add("trigger", when)
    event.add_component(alarm)
