"""Series: the rule of a master block, and what its copies say that the rule does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final

from ..text.jsontext import JSON
from .spans import Span, naive

_PART: Final = re.compile(
    r"FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)|INTERVAL=[1-9]\d{0,4}|BYDAY=(?:MO|TU|WE|TH|FR|SA|SU)(?:,(?:MO|TU|WE|TH|FR|SA|SU))*"
    r"|COUNT=[1-9]\d{0,5}|UNTIL=\d{8}(?:T\d{6}Z)?"
)
_MOST: Final = 20_000
"""Occurrences that are computed of one series."""


def rule_of(value: JSON) -> dict[str, str] | None:
    """The parts of a rule as the app writes it, with ``RRULE:`` before it or without; None for anything else."""
    if not isinstance(value, str):
        return None
    parts = value.removeprefix("RRULE:").split(";")
    if not all(_PART.fullmatch(part) for part in parts):
        return None
    found = dict(part.split("=") for part in parts)
    if len(found) != len(parts) or "FREQ" not in found or {"COUNT", "UNTIL"} <= found.keys():
        return None
    try:
        datetime.strptime(found.get("UNTIL", "20000101")[:8], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return found


class Series:
    """A master block: its span in the zone of its calendar, and its rule."""

    def __init__(self, span: Span, rule: dict[str, str], zone: tzinfo, title: JSON) -> None:
        self.span = span
        self.rule = rule
        self.title = title
        self._zone = zone
        self._skipped: set[date] = set()
        self._days: set[date] = set()
        self._occurrences: Iterator[datetime] | None = None
        self._reached: datetime | None = None

    def skip(self, utc_day: date) -> None:
        """Leave out the occurrence that a copy stood for, by the day of UTC that it was made for."""
        occurrence = self.occurrence(utc_day)
        if occurrence is not None:
            self._skipped.add(occurrence)

    def put(self, component: Any) -> None:
        """The rule and the days that it leaves out, into a component of iCalendar.

        A first day that the rule does not give is named besides: whether it counts is left open (RFC 5545, 3.8.5.3).
        """
        component.add("rrule", self.recur)
        if not self._holds(naive(self.span.start).date()):
            component.add("rdate", [component["DTSTART"].dt])
        for occurrence in sorted(self._skipped):
            component.add("exdate", occurrence)

    @property
    def recur(self) -> dict[str, Any]:
        """The rule as iCalendar has it: the end of a series of days is a day."""
        found: dict[str, Any] = {}
        for name, value in self.rule.items():
            if name == "UNTIL":
                day = date(int(value[:4]), int(value[4:6]), int(value[6:8]))
                found[name] = (
                    day if self.span.all_day else datetime.combine(day, datetime.max.time(), UTC).replace(microsecond=0)
                )
            else:
                found[name] = value.split(",") if name == "BYDAY" else value
        return found

    def occurrence(self, utc_day: date) -> date | None:
        """The start of the occurrence that a copy stands for, by the day of UTC that it was made for; None without."""
        clock = naive(self.span.start).time()
        for shift in (0, 1, -1):
            day = date.fromordinal(utc_day.toordinal() + shift)
            local = datetime.combine(day, clock, self._zone)
            if local.astimezone(UTC).date() == utc_day and self._holds(day):
                return day if self.span.all_day else local
        return None

    def _holds(self, day: date) -> bool:
        """Whether the rule gives a day."""
        if self._occurrences is None:
            self._occurrences = self._all()
        while len(self._days) < _MOST and (self._reached is None or self._reached.date() <= day):
            found = next(self._occurrences, None)
            if found is None:
                break
            self._reached = found
            self._days.add(found.date())
        return day in self._days

    def _all(self) -> Iterator[datetime]:
        from dateutil.rrule import rrulestr

        start = naive(self.span.start)
        parts = {name: value for name, value in self.rule.items() if name != "UNTIL"}
        if "UNTIL" in self.rule:
            parts["UNTIL"] = f"{self.rule['UNTIL'][:8]}T235959"
        return iter(rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=start))
