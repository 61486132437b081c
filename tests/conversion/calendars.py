"""Calendars as somebody else's readers read them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events
import vobject
from icalendar import Calendar

from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, write_archive

BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = {"id": "k", "name": "Mine", "isDefault": True, "timezone": "Europe/Berlin", "color": "#3B82F6"}


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "ics", target, options=ConvertOptions(**options))


def block(identifier: str, **values: Any) -> dict[str, Any]:
    return {"id": identifier, "sourceModule": "calendar", "type": "event", "kind": "scheduled", **values}


def calendars_of(tmp_path: Path, tables: Tables, **options: Any) -> tuple[dict[str, Any], Converted]:
    """File name → what icalendar reads; vobject has read it too."""
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", **options)
    return read(tmp_path / "out"), result


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        assert all(len(line) <= 75 for line in data.split(b"\r\n"))
        assert b"\n" not in data.replace(b"\r\n", b"")
        assert len(list(vobject.readComponents(data.decode()))) == 1
        found[path.name] = Calendar.from_ical(data)
    return found


def events(calendar: Any) -> dict[str, Any]:
    return {str(event["SUMMARY"]): event for event in calendar.walk("VEVENT")}


def occurrences(calendar: Any, first: date, last: date) -> list[Any]:
    return sorted(event["DTSTART"].dt for event in recurring_ical_events.of(calendar).between(first, last))


def series(start: str, end: str, copies: list[dict[str, Any]], **values: Any) -> Tables:
    master = block("m", title="Choir", startDate=start, endDate=end, sourceId="e", **values)
    return {
        "calendars": [CALENDAR],
        "events": [{"id": "e", "calendarId": "k", "title": "Choir", "timeBlockId": "m"}],
        "timeBlocks": [master, *copies],
    }


def copy(identifier: str, start: str, end: str, day: str, **values: Any) -> dict[str, Any]:
    told = {"title": "Choir", "sourceId": "e", "parentBlockId": "m", "recurrenceDate": day, **values}
    return block(identifier, startDate=start, endDate=end, **told)
