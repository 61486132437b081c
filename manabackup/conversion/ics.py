"""``ics``: iCalendar (RFC 5545), a file for each calendar, or one for all.

Single events stand in UTC, series in the zone of their calendar, because the app keeps the clock across summer time.
A series is written once: its copies are left out where the rule gives them, and are overrides where they differ.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, BinaryIO, Final

from icalendar import Event

from ..host.output_folder import AtomicFolder
from ..host.sorting import LineSorter
from ..model.values import moment
from ..text.jsontext import JSON
from . import prose
from .file_names import Names
from .ics_clocks import CLOCKS, WATERING, Clocks
from .ics_parts import Parts
from .ics_tasks import Tasks
from .ics_zones import definition
from .joined import Joined
from .reading import Reading, ReadRow, zone_called
from .series import Series, rule_of
from .spans import PERIOD, Span, span_of

_HELD: Final = frozenset({"calendars", "events", "eventTags", "timeBlocks", "socialEvents", "eventGuests"}) | {
    *("tasks", "taskLabels", "todoProjects", "reminders", "habits", "habitLogs", "periods", "timeEntries"),
    *("contacts", "globalTags", WATERING, *CLOCKS),
}
_OWNERS: Final = {
    "calendar": "events",
    "events": "socialEvents",
    "todo": "tasks",
    "habits": "habits",
    "times": "timeEntries",
    "body": "bodyWorkouts",
    "plants": "wateringLogs",
    "dreams": "dreams",
    "skilltree": "activities",
    "guides": "runs",
    "cards": "cardDecks",
    "presi": "presiDecks",
    "moodlit": "moods",
    "places": "places",
    "music": "songs",
}
"""``sourceModule`` of a block → the table that its calendar is called after."""
_COLOR = re.compile("#[0-9A-Fa-f]{6}")
_LINE_END = b"\r\n"
_LEAP: Final = (2, 29)


def convert(reading: Reading, output: AtomicFolder | BinaryIO) -> None:
    """Fill the folder, or write the one file."""
    _Calendars(reading).write(output)


class _Calendars:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._joined = Joined(reading)
        self._parts = Parts(reading, self._joined)
        self._sorter = LineSorter(reading.make_file)
        self._number = 0
        self._first: dict[str, date] = {}
        """Zone → the first day of a series in it."""
        self._zones: dict[str, set[str]] = {}
        """Calendar → the zones of its series."""
        self._names: dict[str, tuple[str, JSON]] = {}
        """Calendar → (what it is called, its colour)."""

    def write(self, output: AtomicFolder | BinaryIO) -> None:
        self._reading.leave_out_others(lambda name: name in _HELD)
        tasks = Tasks(self._reading, self._joined, self._parts)
        with_time: dict[str, set[str]] = {"events": set(), "socialEvents": set()}
        for row in self._reading.rows("timeBlocks"):
            self._block(row, tasks, with_time)
        for name, found in with_time.items():
            missing = sum(row.id not in found for row in self._reading.rows(name))
            self._reading.left_out.note("noTime", name, missing)
        for todo in tasks.components():
            self._put("tasks", todo)
        for table, event in Clocks(self._reading, self._joined, self._parts).components():
            self._put(table, event)
        self._birthdays()
        self._periods()
        self._write(output)

    # --- blocks

    def _block(self, row: ReadRow, tasks: Tasks, with_time: dict[str, set[str]]) -> None:
        values = row.values
        module, owner_id = values.get("sourceModule"), values.get("sourceId")
        if module == PERIOD:
            return  # the rows of periods say the same, and more
        calendar, zone = self._calendar(module, owner_id)
        span, odd = span_of(values, zone)
        if odd:
            self._reading.left_out.note("oddTime", "timeBlocks")
        if span is None:
            self._reading.left_out.note("noTime", "timeBlocks")
            return
        owner = self._owner(module, owner_id)
        if module in ("calendar", "events") and owner is not None:
            with_time["events" if module == "calendar" else "socialEvents"].add(owner.id)
        series = self._series_of(row, span, zone)
        if module == "todo" and isinstance(owner_id, str) and self._reading.has("tasks"):
            if values.get("parentBlockId") in self._masters:
                self._reading.left_out.note("copy", "timeBlocks")
                return
            if tasks.takes(owner_id, row.id, span, series):
                return
        parent = self._masters.get(str(values.get("parentBlockId")))
        event = self._event(row, span, zone, owner, series)
        if parent is not None and series is None:
            copy = _copy_of(row)
            occurrence = parent.occurrence(copy[1]) if copy is not None else None
            if occurrence is not None:
                if self._same(parent, occurrence, span, values.get("title")):
                    self._reading.left_out.note("copy", "timeBlocks")
                    return
                event["UID"] = self._parts.uid("timeBlocks", str(values["parentBlockId"]))
                event.add("recurrence-id", occurrence)
        elif series is None and values.get("recurrenceRule"):
            self._reading.left_out.note("oddRule", "timeBlocks")
        self._add(*calendar, event, zone=zone if series is not None or "RECURRENCE-ID" in event else None, span=span)

    @cached_property
    def _masters(self) -> dict[str, Series]:
        """Block id → series, of the blocks with a rule. They are few."""
        found = {}
        for row in self._reading.rows("timeBlocks"):
            if not row.values.get("recurrenceRule"):
                continue
            _, zone = self._calendar(row.values.get("sourceModule"), row.values.get("sourceId"))
            span, _ = span_of(row.values, zone)
            rule = rule_of(row.values.get("recurrenceRule"))
            if span is not None and rule is not None and not row.values.get("parentBlockId"):
                found[row.id] = Series(span, rule, zone, row.values.get("title"))
        for parent, day in self._thrown_away:
            if parent in found:
                found[parent].skip(day)
        return found

    @cached_property
    def _thrown_away(self) -> set[tuple[JSON, date]]:
        """(series, day of UTC) of the copies in the bin, where no other one has come in their place.

        The app makes copies of the next thirty days again, whatever was thrown away.
        """
        if self._reading.options.include_deleted:
            return set()
        gone = set(map(_copy_of, self._reading.thrown_away("timeBlocks")))
        if gone - {None}:
            gone -= set(map(_copy_of, self._reading.rows("timeBlocks")))
        return {copy for copy in gone if copy is not None}

    def _series_of(self, row: ReadRow, span: Span, zone: tzinfo) -> Series | None:
        return self._masters.get(row.id)

    @staticmethod
    def _same(parent: Series, occurrence: date, span: Span, title: JSON) -> bool:
        """Whether a copy is what the rule gives."""
        return span.start == occurrence and span.length == parent.span.length and title == parent.title

    def _event(self, row: ReadRow, span: Span, zone: tzinfo, owner: ReadRow | None, series: Series | None) -> Event:
        told = owner if owner is not None else row
        event = Event()
        self._parts.common(event, "timeBlocks", row, told)
        title = told.values.get("title") or told.values.get("name") or row.values.get("title")
        self._parts.text(event, "summary", title or row.values.get("type") or "–")
        self._parts.text(event, "description", told.values.get("description") or row.values.get("description"))
        self._parts.text(event, "location", told.values.get("location"))
        self._put_span(event, span, in_zone=series is not None or row.values.get("parentBlockId") in self._masters)
        if series is not None:
            series.put(event)
        color = told.values.get("color")
        if isinstance(color, str) and _COLOR.fullmatch(color):
            event.add("x-apple-calendar-color", color)
        if row.values.get("kind") == "logged" or row.values.get("sourceModule") not in ("calendar", "events", "todo"):
            event.add("transp", "TRANSPARENT")
        if row.values.get("sourceModule") == "events" and owner is not None:
            self._parts.gathering(event, owner)
        return event

    @staticmethod
    def _put_span(event: Event, span: Span, *, in_zone: bool) -> None:
        for name, value in (("dtstart", span.start), ("dtend", span.end)):
            if value is not None:
                event.add(name, value.astimezone(UTC) if isinstance(value, datetime) and not in_zone else value)

    # --- whose

    @cached_property
    def _owners(self) -> dict[str, dict[str, ReadRow]]:
        """The rows that events are told by, besides their blocks."""
        return {name: {row.id: row for row in self._reading.rows(name)} for name in ("events", "socialEvents")}

    def _owner(self, module: JSON, owner_id: JSON) -> ReadRow | None:
        table = {"calendar": "events", "events": "socialEvents"}.get(str(module))
        return None if table is None else self._owners[table].get(str(owner_id))

    @cached_property
    def _own_calendars(self) -> dict[str, tuple[str, JSON, tzinfo]]:
        """Calendar → (name, colour, zone)."""
        found = {}
        for row in self._reading.rows("calendars"):
            zone = zone_called(row.values.get("timezone")) or self._reading.zone
            name = row.values.get("name")
            found[row.id] = (name if isinstance(name, str) else "", row.values.get("color"), zone)
        return found

    @cached_property
    def _default_calendar(self) -> str | None:
        rows = list(self._reading.rows("calendars"))
        default = [row.id for row in rows if row.values.get("isDefault") is True]
        return next(iter([*default, *(row.id for row in rows)]), None)

    def _calendar(self, module: JSON, owner_id: JSON) -> tuple[tuple[str, str, JSON], tzinfo]:
        """(key, name, colour) of the calendar of a block, and its zone."""
        if module == "calendar":
            owner = self._owners["events"].get(str(owner_id))
            wanted = owner.values.get("calendarId") if owner is not None else None
            key = wanted if isinstance(wanted, str) and wanted in self._own_calendars else self._default_calendar
            if key is not None:
                name, color, zone = self._own_calendars[key]
                return (f"calendar {key}", name or self._label("events"), color), zone
            return ("calendar", self._label("events"), None), self._reading.zone
        table = _OWNERS.get(str(module), "timeBlocks")
        return (table, self._label(table), None), self._reading.zone

    def _label(self, table: str) -> str:
        model = self._reading.model(table)
        return model.label.of(self._reading.language) if model is not None else table

    # --- days

    def _birthdays(self) -> None:
        german = self._reading.language == "de"
        name = "Geburtstage" if german else "Birthdays"
        model = self._reading.model("contacts")
        assert model is not None
        for row in self._reading.rows("contacts"):
            told = row.values.get("birthday")
            if not told:
                continue
            born = moment(told)
            born = born.date() if isinstance(born, datetime) else born
            if not isinstance(born, date) or born.year == date.max.year:
                self._reading.left_out.note("oddTime", "contacts")
                continue
            event = Event()
            self._parts.common(event, "birthday", row, row, tags=False)
            self._parts.text(event, "summary", f"{model.heading(row.values, self._reading.language)} (*{born.year})")
            self._put_span(event, Span(born, born + timedelta(days=1)), in_zone=False)
            # Who was born on a leap day has a birthday every year all the same.
            leap = {"BYMONTH": 2, "BYMONTHDAY": -1} if (born.month, born.day) == _LEAP else {}
            event.add("rrule", {"FREQ": "YEARLY", **leap})
            event.add("transp", "TRANSPARENT")
            self._add("birthdays", name, None, event)

    def _periods(self) -> None:
        for row in self._reading.rows("periods"):
            start = moment(row.values.get("startDate"))
            end = moment(row.values.get("periodEndDate")) or start
            if not isinstance(start, date) or not isinstance(end, date):
                self._reading.left_out.note("noTime", "periods")
                continue
            first, last = (day.date() if isinstance(day, datetime) else day for day in (start, end))
            event = Event()
            self._parts.common(event, "periods", row, row)
            self._parts.text(event, "summary", self._label("periods"))
            self._parts.text(event, "description", row.values.get("notes"))
            self._put_span(event, Span(first, max(first, last) + timedelta(days=1)), in_zone=False)
            event.add("transp", "TRANSPARENT")
            if row.values.get("isPredicted") is True:
                event.add("status", "TENTATIVE")
            self._add("periods", self._label("periods"), None, event)

    # --- files

    def _add(
        self, key: str, name: str, color: JSON, component: Any, *, zone: tzinfo | None = None, span: Span | None = None
    ) -> None:
        self._names.setdefault(key, (name, color))
        if zone is not None and span is not None and not span.all_day:
            first = span.start.date() if isinstance(span.start, datetime) else span.start
            self._first[str(zone)] = min(first, self._first.get(str(zone), first))
            self._zones.setdefault(key, set()).add(str(zone))
        self._number += 1
        self._sorter.add([(f"{key}\0{self._number:012}", component.to_ical())])

    def _put(self, table: str, component: Any) -> None:
        """A component of the calendar that is called after a table."""
        start = component["DTSTART"].dt if "RRULE" in component else None
        if isinstance(start, datetime):
            self._add(table, self._label(table), None, component, zone=start.tzinfo, span=Span(start, None))
        else:
            self._add(table, self._label(table), None, component)

    def _write(self, output: AtomicFolder | BinaryIO) -> None:
        pairs = self._sorter.pairs()
        if not isinstance(output, AtomicFolder):
            title = "Mana"
            output.write(self._begin(title, None, {zone for zones in self._zones.values() for zone in zones}))
            for _, component in pairs:
                output.write(component)
            output.write(b"END:VCALENDAR" + _LINE_END)
            return
        names = Names()
        following = next(pairs, None)
        while following is not None:
            key = following[0].partition("\0")[0]
            name, color = self._names[key]
            file_name = names.name((), name, key.rpartition(" ")[2], otherwise="calendar", ending=".ics")
            with output.file(file_name) as file:
                file.write(self._begin(name, color, self._zones.get(key, set())))
                while following is not None and following[0].partition("\0")[0] == key:
                    file.write(following[1])
                    following = next(pairs, None)
                file.write(b"END:VCALENDAR" + _LINE_END)

    def _begin(self, name: str, color: JSON, zones: set[str]) -> bytes:
        lines: list[bytes] = [
            b"BEGIN:VCALENDAR",
            b"VERSION:2.0",
            b"PRODID:-//manabackup//convert//EN",
            b"CALSCALE:GREGORIAN",
        ]
        head = Event()
        head.add("x-wr-calname", prose.clean(name).replace("\n", " "))
        if isinstance(color, str) and _COLOR.fullmatch(color):
            head.add("x-apple-calendar-color", color)
        lines += head.to_ical().split(_LINE_END)[1:-2]
        return _LINE_END.join(lines) + _LINE_END + b"".join(self._zone(zone) for zone in sorted(zones))

    def _zone(self, name: str) -> bytes:
        """The definition of a zone, from the year before its first series on."""
        zone = zone_called(name)
        if zone is None:
            return b""
        return definition(zone, self._first[name])


def _copy_of(row: ReadRow) -> tuple[JSON, date] | None:
    """(series, day of UTC) that a block was made for; None for what is no copy."""
    parent, found = row.values.get("parentBlockId"), moment(row.values.get("recurrenceDate"))
    if not isinstance(parent, str) or not isinstance(found, date):
        return None
    return parent, found.date() if isinstance(found, datetime) else found
