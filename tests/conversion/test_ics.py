"""``ics``: read by vobject, and expanded by recurring-ical-events, into what the app shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
import vobject
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from manabackup.conversion.options import ConvertOptions
from manabackup.conversion.series import rule_of
from manabackup.conversion.spans import span_of
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive

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


# --- what is in a calendar --------------------------------------------------------------------------------------------


def test_tasks_are_to_dos_with_their_parts_and_reminders(tmp_path: Path) -> None:
    tables: Tables = {
        "todoProjects": [{"id": "p", "name": "Home"}],
        "globalTags": [{"id": "t", "name": "garden"}],
        "tasks": [
            {
                "id": "a",
                "title": "Weed",
                "isCompleted": False,
                "priority": "urgent",
                "dueDate": "2026-05-04T00:00:00.000Z",
                "projectId": "p",
                "estimatedDuration": 90,
                "scheduledBlockId": "b",
                "metadata": {"labelIds": ["t"], "storyPoints": 5},
                "subtasks": [{"id": "s", "title": "Roots", "isCompleted": True, "order": 0}],
            },
            {
                "id": "c",
                "title": "Rest",
                "isCompleted": True,
                "completedAt": "2026-05-02T08:00:00.000Z",
                "dueDate": "2026-05-02T10:15:00.000Z",
                "estimatedDuration": 3600,
            },
            {"id": "d", "title": "Odd", "isCompleted": False, "dueDate": "31. Mai"},
        ],
        "reminders": [{"id": "r", "taskId": "a", "minutesBefore": 30}, {"id": "q", "taskId": "d", "minutesBefore": 5}],
        "timeBlocks": [
            block("b", sourceModule="todo", sourceId="a", startDate="2026-05-03T09:00:00", endDate=None, title="Weed")
        ],
    }
    found, result = calendars_of(tmp_path, tables, zone=BERLIN)
    assert set(found) == {"Tasks.ics"}
    todos = {str(todo["SUMMARY"]): todo for todo in found["Tasks.ics"].walk("VTODO")}
    weed, roots, rest = todos["Weed"], todos["Roots"], todos["Rest"]
    assert (weed["DUE"].dt, weed["DTSTART"].dt, weed["PRIORITY"]) == (date(2026, 5, 4), date(2026, 5, 3), 1)
    assert weed["STATUS"] == "NEEDS-ACTION"
    assert [str(name) for name in weed["CATEGORIES"].cats] == ["garden"]
    assert weed["X-MANA-ESTIMATED-MINUTES"] == "90"
    assert rest["X-MANA-ESTIMATED-MINUTES"] == "60"
    (alarm,) = weed.walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(minutes=-30)
    assert alarm["TRIGGER"].params["RELATED"] == "END"
    assert str(roots["RELATED-TO"]) == str(weed["UID"])
    assert roots["STATUS"] == "COMPLETED"
    assert (rest["STATUS"], rest["COMPLETED"].dt) == ("COMPLETED", datetime(2026, 5, 2, 8, tzinfo=UTC))
    assert rest["DUE"].dt == datetime(2026, 5, 2, 10, 15, tzinfo=UTC)
    assert result.left_out.to_json() == {"noTime": {"reminders": 1}, "oddTime": {"tasks": 1}}


def test_a_gathering_has_its_guests_and_a_birthday_its_year(tmp_path: Path) -> None:
    tables: Tables = {
        "socialEvents": [
            {
                "id": "g",
                "title": "Party",
                "status": "cancelled",
                "location": "Lake",
                "locationLat": 47.5,
                "locationLon": 8.5,
                "locationUrl": "https://example.org/lake",
                "publicToken": "tok",
            }
        ],
        "timeBlocks": [
            block(
                "b",
                sourceModule="events",
                sourceId="g",
                startDate="2026-05-01T16:00:00.000Z",
                endDate="2026-05-01T20:00:00.000Z",
            )
        ],
        "eventGuests": [
            {
                "id": "1",
                "eventId": "g",
                "name": 'Ada "A"\r\nX:1',
                "email": "ada@example.org",
                "rsvpStatus": "yes",
                "plusOnes": 2,
            },
            {"id": "2", "eventId": "g", "name": "Bob", "email": "no address", "rsvpStatus": "maybe"},
        ],
        "contacts": [
            {"id": "c", "firstName": "Ada", "birthday": "1992-02-29"},
            {"id": "d", "firstName": "Old", "birthday": "1815-12-10"},
            {"id": "e", "firstName": "Odd", "birthday": "1992-02-30"},
        ],
    }
    found, result = calendars_of(tmp_path, tables)
    party = events(found["Gatherings.ics"])["Party"]
    assert (party["STATUS"], party["LOCATION"], party["URL"]) == ("CANCELLED", "Lake", "https://example.org/lake")
    assert (party["ATTENDEE"], party["ATTENDEE"].params["PARTSTAT"]) == ("mailto:ada@example.org", "ACCEPTED")
    assert "Bob: tentative" in str(party["DESCRIPTION"])
    assert b"tok" not in (tmp_path / "out" / "Gatherings.ics").read_bytes()
    days = occurrences(found["Birthdays.ics"], date(2027, 1, 1), date(2028, 12, 31))
    assert days == [date(2027, 2, 28), date(2027, 12, 10), date(2028, 2, 29), date(2028, 12, 10)]
    assert "Ada (*1992)" in events(found["Birthdays.ics"])
    assert result.left_out.to_json() == {"secret": {"socialEvents": 1}, "oddTime": {"contacts": 1}}


def test_events_without_a_time_are_counted_and_those_without_a_calendar_are_in_the_default_one(tmp_path: Path) -> None:
    tables: Tables = {
        "calendars": [CALENDAR, {"id": "l", "name": "Club", "timezone": "nowhere"}],
        "events": [
            {"id": "e", "title": "Fair", "calendarId": "gone", "timeBlockId": "b"},
            {"id": "f", "title": "Lost", "calendarId": "k"},
            {"id": "g", "title": "Match", "calendarId": "l"},
        ],
        "timeBlocks": [
            block("b", sourceId="e", startDate="2026-05-01T09:00:00", endDate="2026-05-01T10:00:00"),
            block("c", sourceId="g", startDate="2026-05-01T09:00:00.000Z", endDate=None),
            block("d", sourceId="deleted", startDate="2026-05-01T12:00:00", endDate=None, title="Left over"),
            block("x", sourceId="e", startDate=None),
        ],
    }
    found, result = calendars_of(tmp_path, tables)
    assert set(found) == {"Mine.ics", "Club.ics"}
    mine = events(found["Mine.ics"])
    assert set(mine) == {"Fair", "Left over"}
    assert mine["Fair"]["DTSTART"].dt == datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert "DTEND" not in events(found["Club.ics"])["Match"]
    assert found["Mine.ics"]["X-APPLE-CALENDAR-COLOR"] == "#3B82F6"
    assert result.left_out.to_json() == {"noTime": {"events": 1, "timeBlocks": 1}}


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    title = "a\r\nEND:VEVENT\r\nBEGIN:VEVENT;,\\ \0 \u202e \ud83d " + "👩‍👩‍👧" * 100
    tables: Tables = {
        "calendars": [{**CALENDAR, "name": "x\r\nX-EVIL:1", "color": "red\r\nX:1"}],
        "events": [{"id": "e\r\n", "title": title, "calendarId": "k", "description": title, "color": "javascript:"}],
        "timeBlocks": [block("b", sourceId="e\r\n", startDate="2026-05-01T09:00:00Z", endDate=None)],
    }
    found, _ = calendars_of(tmp_path, tables)
    (calendar,) = found.values()
    (event,) = calendar.walk("VEVENT")
    assert "X-EVIL" not in calendar
    assert str(event["SUMMARY"]).startswith("a\nEND:VEVENT\nBEGIN:VEVENT;,\\ ")
    assert str(event["SUMMARY"]).endswith("👩‍👩‍👧")


# --- a whole account --------------------------------------------------------------------------------------------------


def test_every_block_and_task_of_an_account_is_there_or_counted(life: Path, tmp_path: Path) -> None:
    result = convert(life, tmp_path / "out", language="de", include_deleted=True)
    found = read(tmp_path / "out")
    rows, told = rows_of(life), result.left_out.to_json()
    written = [event for calendar in found.values() for event in calendar.walk("VEVENT")]
    blocks = [event for event in written if str(event["UID"]).startswith("timeBlocks-")]
    plans = [todo for calendar in found.values() for todo in calendar.walk("VTODO") if "DTSTART" in todo]
    lost = sum(told.get(kind, {}).get("timeBlocks", 0) for kind in ("noTime", "copy"))
    periods = sum(block.get("sourceModule") == "period" for block in rows["timeBlocks"].values())
    assert len(blocks) + len(plans) + lost + periods >= len(rows["timeBlocks"]) - len(rows["tasks"])
    todos = {str(todo["UID"]) for calendar in found.values() for todo in calendar.walk("VTODO")}
    assert {f"tasks-{identifier}@mana" for identifier in rows["tasks"]} <= todos
    convert(life, tmp_path / "again", language="de", include_deleted=True)
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_all_calendars_go_into_one_file_where_that_is_wanted(life: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "out")
    convert(life, tmp_path / "one.ics", one_file=True)
    whole = Calendar.from_ical((tmp_path / "one.ics").read_bytes())
    parts = read(tmp_path / "out")
    for kind in ("VEVENT", "VTODO"):
        assert len(whole.walk(kind)) == sum(len(calendar.walk(kind)) for calendar in parts.values())


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
