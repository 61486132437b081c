"""The rules against restic's own example, against a second, plain reading of its manual, and at their edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import UsageError
from manabackup.operations.prune import UNLIMITED, Duration, Policy

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PERIODS: dict[str, Callable[[datetime], str]] = {
    "hourly": lambda at: f"{at:%Y-%m-%d %H}",
    "daily": lambda at: f"{at:%Y-%m-%d}",
    "weekly": lambda at: f"{at:%G-%V}",
    "monthly": lambda at: f"{at:%Y-%m}",
    "yearly": lambda at: f"{at:%Y}",
}
SUNDAYS = [datetime(2019, 9, 1, 11, tzinfo=UTC) + timedelta(weeks=week) for week in range(12)]
"""The example of restic's manual: a backup every Sunday for twelve weeks."""


def kept(policy: Policy, moments: Sequence[datetime], zone: tzinfo = UTC, now: datetime = NOW) -> set[datetime]:
    found = policy.reasons(moments, now=now, zone=zone)
    return {moment for moment, reasons in zip(moments, found, strict=True) if reasons}


def plainly(policy: Policy, moments: Sequence[datetime], zone: tzinfo, now: datetime) -> set[datetime]:
    """The manual, sentence by sentence, for moments that are all different."""
    stay = {moment for moment in moments if moment > now}
    past = sorted(set(moments) - stay)
    if policy.last:
        stay |= set(past[-policy.last :])
    for name, period in PERIODS.items():
        number = getattr(policy, name)
        newest = {period(moment.astimezone(zone)): moment for moment in past}
        stay |= set(sorted(newest.values(), reverse=True)[:number])
        if number > len(newest) and past:
            stay.add(past[0])
    if policy.within is not None and past:
        stay |= {moment for moment in past if moment >= policy.within.before(past[-1].astimezone(zone))}
    return stay


numbers = st.one_of(st.just(0), st.integers(0, 6), st.just(UNLIMITED))
durations = st.builds(
    Duration, years=st.integers(0, 2), months=st.integers(0, 30), days=st.integers(0, 50), hours=st.integers(0, 50)
)
policies = st.builds(
    Policy,
    **dict.fromkeys(("last", *PERIODS), numbers),
    within=st.one_of(st.none(), durations),
)


def between(first: str, last: str) -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime.fromisoformat(first), datetime.fromisoformat(last), timezones=st.just(UTC))


moments = st.lists(
    st.one_of(
        between("2024-12-20", "2026-12-10"),
        between("2026-11-23", "2026-12-02"),
        between("2026-10-24T22:00", "2026-10-25T04:00"),  # when summer time ends in Berlin
    ),
    max_size=25,
    unique=True,
)


@given(policies, moments, st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Kiritimati")]))
def test_what_is_kept_is_what_the_manual_says(policy: Policy, moments: list[datetime], zone: tzinfo) -> None:
    assert kept(policy, moments, zone) == plainly(policy, moments, zone, NOW)


@given(policies, moments, st.randoms())
def test_the_order_of_the_files_decides_nothing(policy: Policy, moments: list[datetime], random: object) -> None:
    shuffled = list(moments)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert kept(policy, shuffled) == kept(policy, moments)


@given(policies.filter(lambda policy: not policy.is_empty), moments.filter(bool))
def test_any_rule_keeps_the_newest(policy: Policy, moments: list[datetime]) -> None:
    assert max(moments) in kept(policy, moments)


@given(policies, moments)
def test_what_stays_stays_when_it_is_asked_again(policy: Policy, moments: list[datetime]) -> None:
    """But for the oldest of all, which a rule keeps only as long as it has nothing better."""
    once = kept(policy, moments)
    assert kept(policy, sorted(once)) == once


def test_four_sundays_of_twelve() -> None:
    assert kept(Policy(daily=4), SUNDAYS, now=SUNDAYS[-1]) == set(SUNDAYS[-4:])
    assert kept(Policy(last=12), SUNDAYS) == set(SUNDAYS)
    assert kept(Policy(monthly=2), SUNDAYS) == {SUNDAYS[8], SUNDAYS[11]}


def test_the_reasons_are_named() -> None:
    moments = [NOW - timedelta(hours=hours) for hours in (30, 2, 1, -1)]
    found = Policy(last=1, daily=3, within=Duration(hours=1)).reasons(moments, now=NOW, zone=UTC)
    assert found == [["daily"], ["within 1h"], ["last", "daily", "within 1h"], ["in the future"]]
    assert Policy(daily=2).reasons(moments[1:3], now=NOW, zone=UTC) == [["oldest daily"], ["daily"]]


def test_days_are_those_of_the_zone() -> None:
    before, after = datetime(2026, 6, 1, 21, 59, tzinfo=UTC), datetime(2026, 6, 1, 22, 1, tzinfo=UTC)
    assert kept(Policy(daily=1), [before, after], BERLIN) == {after}
    assert kept(Policy(daily=2), [before, after], BERLIN) == {before, after}
    older = before - timedelta(hours=1)
    assert kept(Policy(daily=2), [older, before, after], BERLIN) == {before, after}


@pytest.mark.parametrize(
    ("span", "before"),
    [
        ("1y5m7d2h", datetime(2025, 6, 23, 10, tzinfo=UTC)),
        ("1m", datetime(2026, 10, 30, 12, tzinfo=UTC)),
        ("9m", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("30d", datetime(2026, 10, 31, 12, tzinfo=UTC)),
        ("48h", datetime(2026, 11, 28, 12, tzinfo=UTC)),
        ("9999y", datetime.min.replace(tzinfo=UTC)),
        ("2026y", datetime.min.replace(tzinfo=UTC)),
        ("999999d", datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_span_goes_by_the_calendar(span: str, before: datetime) -> None:
    assert Duration.parse(span).before(NOW) == before
    assert Duration.parse(str(Duration.parse(span))) == Duration.parse(span)


@pytest.mark.parametrize("span", ["", "1w", "d", "1d2y", "-1d", "1 d", "٣d", "99999999d"])
def test_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        Duration.parse(span)


def test_less_than_nothing_is_no_number() -> None:
    with pytest.raises(UsageError):
        Policy(daily=-1)
