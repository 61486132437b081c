"""When a schedule is due, and what can be scheduled."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import UsageError
from manabackup.operations.schedule import Every, Schedule, When, check_name
from manabackup.operations.schedule.spec import check_output
from manabackup.text import jsontext

from .schedules import FILE, schedule

BERLIN = ZoneInfo("Europe/Berlin")
whens = st.builds(
    When,
    st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    st.sampled_from(Every),
    st.integers(0, 6),
)
moments = st.datetimes(
    datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-01-01"), timezones=st.just(UTC)
)


@given(whens, moments, st.sampled_from([BERLIN, UTC, ZoneInfo("America/St_Johns")]))
def test_a_run_is_due_at_its_hour_of_its_day_and_at_no_other(when: When, now: datetime, zone: ZoneInfo) -> None:
    last, coming = when.last_due(now, zone), when.next_due(now, zone)
    assert last.replace(tzinfo=None) <= now.astimezone(zone).replace(tzinfo=None) < coming.replace(tzinfo=None)
    step = timedelta(days=1 if when.every is Every.DAY else 7)
    assert coming.replace(tzinfo=None) - last.replace(tzinfo=None) == step
    for due in (last, coming):
        assert time(due.hour, due.minute) == when.at
        assert when.every is Every.DAY or due.weekday() == when.weekday


@given(whens, moments)
def test_the_next_run_is_the_last_one_once_its_moment_has_come(when: When, now: datetime) -> None:
    coming = when.next_due(now, UTC)
    assert when.last_due(coming, UTC) == coming
    assert when.last_due(coming - timedelta(seconds=1), UTC) == when.last_due(now, UTC)


def test_the_night_without_the_hour_still_has_its_run() -> None:
    when = When.parse("02:30")
    morning = datetime(2026, 3, 29, 8, tzinfo=BERLIN)  # the clocks went from two to three
    assert when.last_due(morning, BERLIN).date() == morning.date()


@pytest.mark.parametrize("at", ["", "3", "24:00", "03:60", "3:0", "noon", "٠٣:٠٠"])
def test_what_is_no_time_of_day_is_refused(at: str) -> None:
    with pytest.raises(UsageError, match="is not a time of day"):
        When.parse(at)


def test_a_schedule_is_kept_as_it_is() -> None:
    made = schedule("export", "--output", "/b/mana-{date}.mana", at="4:05", every="week", secrets={"passphrase": FILE})
    kept = jsontext.parse(jsontext.dumps(made.to_json()))
    assert Schedule.from_json(kept) == made
    for key in list(kept):
        with pytest.raises(ValueError, match="not a schedule"):
            Schedule.from_json({name: value for name, value in kept.items() if name != key})
    with pytest.raises(ValueError, match="another version"):
        Schedule.from_json({**kept, "version": 2})


@pytest.mark.parametrize("name", ["", "Backup", "a b", "../x", "-a", "a" * 33, "ä"])
def test_names_are_those_that_files_and_units_can_have(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
    assert check_name("work-2") == "work-2"


def test_every_night_needs_a_name_of_its_own_or_leave_to_replace() -> None:
    check_output(("export",), "/b/mana-{date}.mana")
    check_output(("export", "--force"), "/b/mana.mana")
    check_output(("pull",), None)
    with pytest.raises(UsageError, match="the second run would find the first one's archive"):
        check_output(("export",), "/b/mana-2026-11-30.mana")
    with pytest.raises(UsageError, match="nobody reads the standard output"):
        check_output(("export", "--force"), "-")
