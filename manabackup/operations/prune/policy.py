"""Which of several backups are kept: the rules and the words of restic's ``forget``.

Source: restic's manual, "Removing snapshots according to a policy" (doc/060_forget.rst). Each rule is asked by itself,
and what one of them keeps is kept. Hours, days, weeks (Monday to Sunday), months and years are those of the calendar in
one zone; only those in which there is a backup count, and of each the newest is kept. Where there are fewer of them
than are to be kept, the oldest backup is kept too. What lies in the future is neither removed nor counted.
"""

from __future__ import annotations

import calendar
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, tzinfo
from typing import Final

from ...errors import UsageError
from ...text.printable import printable

UNLIMITED: Final = sys.maxsize
"""A number that no folder's archives reach: keep all."""
_DURATION = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?", re.ASCII)
_IN_THE_FUTURE = "in the future"


@dataclass(frozen=True, slots=True)
class Duration:
    """A span by the calendar, as restic writes it: ``1y5m7d2h``. A month before 31 March is the last of February."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises :class:`UsageError` for what is none."""
        match = _DURATION.fullmatch(text)
        if match is None or not text:
            raise UsageError(f"{printable(text[:64])} is not a duration", hint="such as 30d, or 1y5m7d2h; no weeks")
        return cls(*(int(number or 0) for number in match.groups()))

    def before(self, moment: datetime) -> datetime:
        """The moment that lies so long before another one; the first one that there is, where it would lie before."""
        months = moment.year * 12 + moment.month - 1 - self.years * 12 - self.months
        if months < 12:
            return datetime.min.replace(tzinfo=moment.tzinfo)
        year, month = months // 12, months % 12 + 1
        day = min(moment.day, calendar.monthrange(year, month)[1])
        try:
            return moment.replace(year=year, month=month, day=day) - timedelta(days=self.days, hours=self.hours)
        except OverflowError:
            return datetime.min.replace(tzinfo=moment.tzinfo)

    def __str__(self) -> str:
        parts = ((self.years, "y"), (self.months, "m"), (self.days, "d"), (self.hours, "h"))
        return "".join(f"{number}{unit}" for number, unit in parts if number) or "0h"


@dataclass(frozen=True, slots=True)
class Policy:
    """How many to keep. 0 is no rule at all, :data:`UNLIMITED` keeps all that a rule is about."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Duration | None = None
    """All that are at most so much older than the newest one."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 0:
                raise UsageError(f"--keep-{field.name} is less than nothing")

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be kept by it."""
        return self == Policy()

    @property
    def options(self) -> tuple[str, ...]:
        """The same as options of ``prune``."""
        words: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value not in (0, None):
                words += [f"--keep-{field.name}", "unlimited" if value == UNLIMITED else str(value)]
        return tuple(words)

    def reasons(self, moments: Sequence[datetime], *, now: datetime, zone: tzinfo) -> list[list[str]]:
        """Why each is kept, in the words of the rules; no reason where it is not. All moments have zones.

        ``zone`` is that of the calendar. Of equal moments the one further behind counts as newer.
        """
        found: list[list[str]] = [[] for _ in moments]
        newest_first = sorted(range(len(moments)), key=lambda at: (moments[at], at), reverse=True)
        past = [at for at in newest_first if moments[at] <= now]
        for at in newest_first:
            if moments[at] > now:
                found[at].append(_IN_THE_FUTURE)
        for at in past[: self.last]:
            found[at].append("last")
        for name, period in _PERIODS.items():
            self._keep_by(name, [period(moments[at].astimezone(zone)) for at in past], [found[at] for at in past])
        if self.within is not None and past:
            since = self.within.before(moments[past[0]].astimezone(zone))
            for at in past:
                if moments[at] >= since:
                    found[at].append(f"within {self.within}")
        return found

    def _keep_by(self, name: str, periods: Sequence[tuple[int, ...]], reasons: Sequence[list[str]]) -> None:
        """Keeps the newest of each period; ``periods`` and ``reasons`` are those of all, newest first."""
        left: int = getattr(self, name)
        before: tuple[int, ...] | None = None
        for at, period in enumerate(periods):
            if left == 0:
                return
            if period != before:
                reasons[at].append(name)
                before, left = period, left - 1
            elif at == len(periods) - 1:
                reasons[at].append(f"oldest {name}")


def _hour(moment: datetime) -> tuple[int, ...]:
    return moment.year, moment.month, moment.day, moment.hour


def _day(moment: datetime) -> tuple[int, ...]:
    return moment.year, moment.month, moment.day


def _week(moment: datetime) -> tuple[int, ...]:
    return moment.isocalendar()[:2]


def _month(moment: datetime) -> tuple[int, ...]:
    return moment.year, moment.month


def _year(moment: datetime) -> tuple[int, ...]:
    return (moment.year,)


_PERIODS: Final[dict[str, Callable[[datetime], tuple[int, ...]]]] = {
    "hourly": _hour,
    "daily": _day,
    "weekly": _week,
    "monthly": _month,
    "yearly": _year,
}
