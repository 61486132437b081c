"""Definitions of zones, read by icalendar and dateutil: the clocks are Python's, in any year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from dateutil.tz import tzical

from manabackup.conversion.ics_zones import definition


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("Europe/Berlin", 3),
        ("America/New_York", 3),
        ("America/Santiago", 3),
        ("Australia/Lord_Howe", 3),
        ("Asia/Kolkata", 1),
        ("Asia/Jerusalem", 3),  # the Friday before the last Sunday
        ("Europe/Dublin", 3),  # where winter is what is not usual
        ("Africa/Casablanca", 200),  # by the moon
        ("UTC", 1),
    ],
)
def test_a_zone_has_the_right_clocks_for_good(name: str, most: int) -> None:
    zone = ZoneInfo(name)
    text = definition(zone, date(2026, 3, 1))
    assert text.count(b"BEGIN:STANDARD") + text.count(b"BEGIN:DAYLIGHT") <= most
    read = tzical(StringIO(text.decode())).get()
    at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    while at.year < 2095:
        local = at.astimezone(zone).replace(tzinfo=None)
        assert local.replace(tzinfo=read).utcoffset() == at.astimezone(zone).utcoffset(), at
        at += timedelta(days=17)


def test_a_zone_is_right_in_the_past() -> None:
    zone = ZoneInfo("Europe/Berlin")
    read = tzical(StringIO(definition(zone, date(1979, 6, 1)).decode())).get()
    for year in (1979, 1980, 1981, 1995, 1996, 2030):
        for month in (1, 4, 7, 10):
            local = datetime(year, month, 10, 12)  # noqa: DTZ001 - of the zone
            assert local.replace(tzinfo=read).utcoffset() == local.replace(tzinfo=zone).utcoffset(), local


@pytest.mark.parametrize("first", [date.min, date.max])
@pytest.mark.parametrize("name", ["America/New_York", "Pacific/Auckland"])
def test_a_series_at_the_end_of_the_calendar_has_a_zone_all_the_same(name: str, first: date) -> None:
    read = tzical(StringIO(definition(ZoneInfo(name), first).decode())).get()
    for month in (1, 7):
        local = datetime(2090, month, 10, 12)  # noqa: DTZ001 - of the zone
        assert local.replace(tzinfo=read).utcoffset() == local.replace(tzinfo=ZoneInfo(name)).utcoffset()
