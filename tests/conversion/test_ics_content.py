"""What is in a calendar, of rows of every kind, and nothing of an account is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from icalendar import Calendar

from .archives import Tables, rows_of
from .calendars import BERLIN, CALENDAR, block, calendars_of, convert, events, occurrences, read

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
