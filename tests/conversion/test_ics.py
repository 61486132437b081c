"""``ics``: read by vobject, and expanded by recurring-ical-events, into what the app shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.conversion.series import rule_of
from manabackup.conversion.spans import span_of

from .archives import Tables
from .calendars import BERLIN, block, calendars_of, copy, events, occurrences, series

# --- series -----------------------------------------------------------------------------------------------------------


def test_a_series_keeps_the_clock_over_both_changes_and_stands_once(tmp_path: Path) -> None:
    copies = [
        copy("c1", "2026-03-04T18:30:00.000Z", "2026-03-04T20:00:00.000Z", "2026-03-04"),
        copy("c2", "2026-04-01T17:30:00.000Z", "2026-04-01T19:00:00.000Z", "2026-04-01"),
    ]
    rule = {"recurrenceRule": "FREQ=WEEKLY;BYDAY=WE;UNTIL=20261231T235959Z"}
    tables = series("2026-03-04T18:30:00.000Z", "2026-03-04T20:00:00.000Z", copies, **rule)
    found, result = calendars_of(tmp_path, tables)
    starts = occurrences(found["Mine.ics"], date(2026, 1, 1), date(2027, 6, 1))
    expected = [datetime(2026, 3, 4, 19, 30, tzinfo=BERLIN) + timedelta(weeks=week) for week in range(44)]
    assert [start.astimezone(UTC) for start in starts] == [moment.astimezone(UTC) for moment in expected]
    assert {start.astimezone(BERLIN).hour for start in starts} == {19}
    assert starts[-1].date() == date(2026, 12, 30)
    assert result.left_out.to_json() == {"copy": {"timeBlocks": 2}}
    assert found["Mine.ics"].walk("VTIMEZONE")


@pytest.mark.parametrize("all_day", [False, True])
def test_a_first_day_that_the_rule_does_not_give_is_there_for_every_reader(tmp_path: Path, all_day: bool) -> None:
    """Some count it without a word (RFC 5545 leaves that open), ical.js, which Thunderbird reads with, does not."""
    times = (
        ("2026-03-06T23:00:00.000Z", "2026-03-07T22:59:00.000Z")
        if all_day
        else ("2026-03-07T18:30:00.000Z", "2026-03-07T20:00:00.000Z")
    )
    tables = series(*times, [], recurrenceRule="FREQ=WEEKLY;BYDAY=MO", allDay=all_day)
    found, _ = calendars_of(tmp_path, tables)
    (event,) = found["Mine.ics"].walk("VEVENT")
    (extra,) = [moment.dt for moment in event["RDATE"].dts]
    assert extra == event["DTSTART"].dt
    assert (extra if all_day else extra.astimezone(BERLIN).date()) == date(2026, 3, 7)
    starts = occurrences(found["Mine.ics"], date(2026, 3, 1), date(2026, 3, 20))
    assert [start if all_day else start.astimezone(BERLIN).date() for start in starts] == [
        date(2026, 3, day) for day in (7, 9, 16)
    ]


def test_a_copy_that_differs_is_an_override_and_one_that_lost_its_series_an_event(tmp_path: Path) -> None:
    copies = [
        copy("c1", "2026-03-11T19:30:00.000Z", "2026-03-11T21:00:00.000Z", "2026-03-11"),
        copy("c2", "2026-03-18T18:30:00.000Z", "2026-03-18T20:00:00.000Z", "2026-03-18", title="Concert"),
        copy("c3", "2026-03-20T18:30:00.000Z", "2026-03-20T20:00:00.000Z", "2026-03-20"),
        copy("c4", "2026-03-25T18:30:00.000Z", "2026-03-25T20:00:00.000Z", "2026-03-25", parentBlockId="gone"),
    ]
    tables = series(
        "2026-03-04T18:30:00.000Z", "2026-03-04T20:00:00.000Z", copies, recurrenceRule="FREQ=WEEKLY;COUNT=4"
    )
    found, result = calendars_of(tmp_path, tables)
    starts = [start.astimezone(BERLIN) for start in occurrences(found["Mine.ics"], date(2026, 3, 1), date(2026, 5, 1))]
    assert [(start.day, start.hour, start.minute) for start in starts] == [
        (4, 19, 30),
        (11, 20, 30),
        (18, 19, 30),
        (20, 19, 30),
        (25, 19, 30),
        (25, 19, 30),
    ]
    overrides = [event for event in found["Mine.ics"].walk("VEVENT") if "RECURRENCE-ID" in event]
    assert len(overrides) == 2
    (master,) = [event for event in found["Mine.ics"].walk("VEVENT") if "RRULE" in event]
    assert {str(event["UID"]) for event in overrides} == {str(master["UID"])}
    assert result.left_out.to_json() == {}


def test_a_whole_day_series_ends_on_its_last_day(tmp_path: Path) -> None:
    rule = {"recurrenceRule": "FREQ=DAILY;UNTIL=20260503T235959Z", "allDay": True}
    tables = series("2026-04-30T22:00:00.000Z", "2026-05-01T21:59:00.000Z", [], **rule)
    found, _ = calendars_of(tmp_path, tables)
    event = events(found["Mine.ics"])["Choir"]
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (date(2026, 5, 1), date(2026, 5, 2))
    assert occurrences(found["Mine.ics"], date(2026, 4, 1), date(2026, 6, 1)) == [
        date(2026, 5, day) for day in (1, 2, 3)
    ]


def test_a_habit_has_its_rule_without_its_name(tmp_path: Path) -> None:
    tables: Tables = {
        "habits": [{"id": "h", "title": "Run"}],
        "timeBlocks": [
            block(
                "b",
                sourceModule="habits",
                sourceId="h",
                title="Run",
                startDate="2026-03-02T07:00:00",
                endDate="2026-03-02T06:30:00.000Z",
                recurrenceRule="RRULE:FREQ=WEEKLY;BYDAY=MO,TH",
            ),
        ],
    }
    found, _ = calendars_of(tmp_path, tables, zone=BERLIN)
    data = (tmp_path / "out" / "Habits.ics").read_text()
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO,TH" in data
    starts = occurrences(found["Habits.ics"], date(2026, 3, 20), date(2026, 4, 10))
    assert {start.astimezone(BERLIN).hour for start in starts} == {7}


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY",
        "RRULE:RRULE:FREQ=DAILY",
        "FREQ=DAILY\r\nX-EVIL:1",
        "FREQ=DAILY;COUNT=0",
        "x",
        "FREQ=DAILY;COUNT=1;UNTIL=20260101",
    ],
)
def test_a_rule_that_is_none_is_counted_and_the_event_is_there_once(tmp_path: Path, rule: str) -> None:
    tables = series("2026-03-04T18:30:00.000Z", "2026-03-04T20:00:00.000Z", [], recurrenceRule=rule)
    found, result = calendars_of(tmp_path, tables)
    assert "RRULE" not in events(found["Mine.ics"])["Choir"]
    assert result.left_out.to_json() == {"oddRule": {"timeBlocks": 1}}


# --- times ------------------------------------------------------------------------------------------------------------

_SPANS = [
    # written by, block, start, end (exclusive)
    ("form", {"startDate": "2026-05-01T07:00:00.000Z", "endDate": "2026-05-01T08:00:00.000Z"}, (1, 9), (1, 10)),
    ("side panel", {"startDate": "2026-05-01T09:00:00", "endDate": "2026-05-01T10:00:00"}, (1, 9), (1, 10)),
    ("task", {"startDate": "2026-05-01T09:00:00", "endDate": "2026-05-01T07:01:00.000Z"}, (1, 9), (1, 9)),
    (
        "dream",
        {"sourceModule": "dreams", "startDate": "2026-05-01T23:00:00.000Z", "endDate": "2026-05-02T07:00:00.000Z"},
        (1, 23),
        (2, 7),
    ),
]


@pytest.mark.parametrize(("by", "values", "start", "end"), _SPANS)
def test_a_time_is_what_clocks_showed(by: str, values: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    span, odd = span_of({"sourceModule": "calendar", **values}, BERLIN)
    assert span is not None
    assert not odd
    assert isinstance(span.start, datetime)
    assert isinstance(span.end, datetime)
    assert ((span.start.day, span.start.hour), (span.end.day, span.end.hour)) == (start, end)


_DAYS = [
    ("form", {"startDate": "2026-04-30T22:00:00.000Z", "endDate": "2026-05-01T21:59:59.000Z"}, 1, 2),
    ("form, two days", {"startDate": "2026-04-30T22:00:00.000Z", "endDate": "2026-05-02T21:59:00.000Z"}, 1, 3),
    ("side panel", {"startDate": "2026-05-01T00:00:00", "endDate": "2026-05-01T23:59:59"}, 1, 2),
    ("tool", {"startDate": "2026-05-01", "endDate": None}, 1, 2),
    ("task without a time", {"startDate": "2026-05-01T09:00:00", "endDate": "2026-05-01T08:00:00.000Z"}, 1, 2),
    (
        "period",
        {
            "sourceModule": "period",
            "startDate": "2026-05-01T00:00:00.000Z",
            "endDate": "2026-05-04T23:59:59.999Z",
        },
        1,
        5,
    ),
]


@pytest.mark.parametrize(("by", "values", "start", "end"), _DAYS)
def test_whole_days_end_after_their_last(by: str, values: Any, start: int, end: int) -> None:
    for zone in (BERLIN, ZoneInfo("America/New_York")) if by in ("side panel", "tool", "period") else (BERLIN,):
        span, odd = span_of({"allDay": True, **values}, zone)
        assert span is not None
        assert (span.start, span.end, odd) == (date(2026, 5, start), date(2026, 5, end), False)


def test_what_no_clock_shows_and_what_no_calendar_has() -> None:
    span, _ = span_of({"startDate": "2026-03-29T02:30:00", "endDate": "2026-03-29T04:00:00"}, BERLIN)
    assert span is not None
    assert span.start == datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN)
    for start in ("0000-01-01T00:00:00Z", "99999-01-01", "soon", "2026-02-30T10:00:00"):
        assert span_of({"startDate": start}, BERLIN) == (None, True)
    assert span_of({}, BERLIN) == (None, False)
    backwards, odd = span_of({"startDate": "2026-05-01T10:00:00", "endDate": "2026-05-01T09:00:00"}, BERLIN)
    assert backwards is not None
    assert (backwards.end, odd) == (None, True)


_ANY = st.none() | st.text(max_size=30) | st.datetimes().map(lambda at: at.isoformat() + "Z") | st.integers()


@given(st.fixed_dictionaries({"startDate": _ANY, "endDate": _ANY, "allDay": st.booleans(), "sourceModule": st.text()}))
def test_any_block_has_a_span_in_order_or_none(values: dict[str, Any]) -> None:
    span, _ = span_of(values, BERLIN)
    if span is not None and span.end is not None:
        assert span.end >= span.start
        assert isinstance(span.end, datetime) == isinstance(span.start, datetime)


@given(st.text(st.sampled_from("FREQ=DAILYWKUNT;COBR:,0123456789TZ\r\n"), max_size=40))
def test_any_text_is_a_rule_or_none(text: str) -> None:
    rule = rule_of(text)
    assert rule is None or "FREQ" in rule


# --- what was thrown away, and other clocks --------------------------------------------------------------------------


@pytest.mark.parametrize("whole_days", [False, True])
def test_an_occurrence_that_was_thrown_away_is_left_out_unless_the_app_made_it_again(
    tmp_path: Path, whole_days: bool
) -> None:
    gone = {"deletedAt": "2026-03-20T10:00:00.000Z"}
    start, end = "2026-03-04T18:30:00.000Z", "2026-03-04T20:00:00.000Z"
    extra: dict[str, Any] = {"recurrenceRule": "FREQ=WEEKLY;COUNT=4"}
    if whole_days:
        start, end = "2026-03-03T23:00:00.000Z", "2026-03-04T22:59:00.000Z"
        extra["allDay"] = True
    days = ["2026-03-10", "2026-03-17"] if whole_days else ["2026-03-11", "2026-03-18"]
    copies = [
        copy("c1", start, end, days[0], **gone),
        copy("c2", start, end, days[1], **gone),
        copy(
            "c3",
            start.replace("03-04", "03-18").replace("03-03", "03-17"),
            end.replace("03-04", "03-18"),
            days[1],
            allDay=whole_days,
        ),
    ]
    found, result = calendars_of(tmp_path, series(start, end, copies, **extra))
    seen = occurrences(found["Mine.ics"], date(2026, 3, 1), date(2026, 5, 1))
    seen = [one.astimezone(BERLIN).date() if isinstance(one, datetime) else one for one in seen]
    assert [day.day for day in seen] == [4, 18, 25]
    assert result.left_out.to_json()["bin"] == {"timeBlocks": 2}


def test_alarms_and_reminders_ring_on_their_days_and_plants_want_water(tmp_path: Path) -> None:
    tables: Tables = {
        "timeAlarms": [
            {"id": "a", "label": "Up", "time": "06:45", "enabled": True, "repeatDays": [1, 5]},
            {"id": "b", "label": "Off", "time": "07:00", "enabled": False, "repeatDays": [1]},
            {"id": "c", "label": "Once", "time": "07:00", "enabled": True, "repeatDays": None},
            {"id": "d", "label": "Odd", "time": "27:00", "enabled": True, "repeatDays": [1]},
        ],
        "stretchReminders": [{"id": "s", "name": "Neck", "time": "15:00", "days": [0], "isActive": True}],
        "plants": [{"id": "p", "name": "Monstera"}],
        "wateringSchedules": [
            {
                "id": "w",
                "plantId": "p",
                "nextWateringAt": "2026-05-04T08:00:00.000Z",
                "reminderEnabled": True,
                "reminderHoursBefore": 2,
            },
            {"id": "x", "plantId": "p", "nextWateringAt": None},
        ],
    }
    found, result = calendars_of(tmp_path, tables, zone=BERLIN)
    assert sorted(found) == ["Alarms.ics", "Stretch reminders.ics", "Watering schedules.ics"]
    rings = occurrences(found["Alarms.ics"], date(2026, 3, 23), date(2026, 4, 5))
    assert [f"{ring.astimezone(BERLIN):%d %H:%M}" for ring in rings] == ["23 06:45", "27 06:45", "30 06:45", "03 06:45"]
    assert found["Alarms.ics"].walk("VTIMEZONE")
    (neck,) = occurrences(found["Stretch reminders.ics"], date(2026, 3, 2), date(2026, 3, 9))
    assert f"{neck.astimezone(BERLIN):%d %H:%M}" == "08 15:00"
    (water,) = found["Watering schedules.ics"].walk("VEVENT")
    assert str(water["SUMMARY"]) == "Watering schedules: Monstera"
    assert water["DTSTART"].dt == datetime(2026, 5, 4, 8, tzinfo=UTC)
    assert [alarm["TRIGGER"].dt for alarm in water.walk("VALARM")] == [timedelta(hours=-2)]
    left = result.left_out.to_json()
    assert (left["switchedOff"], left["noDay"]) == ({"timeAlarms": 1}, {"timeAlarms": 1, "wateringSchedules": 1})
    assert (left["oddTime"], result.left_out.losses) == ({"timeAlarms": 1}, 1)


def test_a_task_that_comes_again_has_the_definition_of_its_zone(tmp_path: Path) -> None:
    plan = block(
        "b",
        sourceModule="todo",
        type="task",
        sourceId="t",
        startDate="2026-03-02T09:00:00",
        endDate="2026-03-02T09:00:00.000Z",
        recurrenceRule="FREQ=WEEKLY",
    )
    tables: Tables = {"tasks": [{"id": "t", "title": "Bins", "scheduledBlockId": "b"}], "timeBlocks": [plan]}
    found, _ = calendars_of(tmp_path, tables, zone=BERLIN)
    (todo,) = found["Tasks.ics"].walk("VTODO")
    assert todo["DTSTART"].params["TZID"] == "Europe/Berlin"
    assert [str(zone["TZID"]) for zone in found["Tasks.ics"].walk("VTIMEZONE")] == ["Europe/Berlin"]
