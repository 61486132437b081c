"""How it stands with schedules: are they installed, how did they run last, when do they next, is one overdue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from ...errors import ManabackupError
from ...host.zone import machine_zone
from ...text.jsontext import JSON
from ...text.timestamps import app_time
from ..account.state import StateFolder
from .managers import MANAGERS
from .spec import GRACE, Schedule, SecretKind
from .store import RunRecord, ScheduleStore, names


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """One schedule."""

    name: str
    schedule: Schedule | None
    """None where what is kept cannot be read."""
    problem: str | None
    """What keeps it from running."""
    last: RunRecord | None
    next_due: datetime | None
    overdue: bool
    """There should have been a good run by now."""

    @property
    def well(self) -> bool:
        """The last run did its work, if there was one, and the next one will come."""
        return not self.overdue and self.problem is None and (self.last is None or self.last.good)

    def to_json(self) -> dict[str, JSON]:
        """A member of what ``schedule status --json`` prints (``formats/schemas/schedule-status.schema.json``)."""
        schedule = self.schedule
        return {
            "name": self.name,
            "command": None if schedule is None else list(schedule.words),
            "when": None if schedule is None else str(schedule.when),
            "manager": None if schedule is None else schedule.manager,
            "problem": self.problem,
            "lastRun": None if self.last is None else self.last.to_json(),
            "nextDue": None if self.next_due is None else app_time(self.next_due),
            "overdue": self.overdue,
        }


def status(state: StateFolder, *, zone: tzinfo, now: datetime | None = None) -> list[ScheduleStatus]:
    """All schedules of a state folder. Nothing is changed."""
    return [_status(ScheduleStore(state, name), zone, now or datetime.now(UTC)) for name in names(state)]


def schedules(state_dir: Path | None = None) -> list[ScheduleStatus]:
    """The same of the platform's state folder, or of another one, in this computer's zone."""
    return status(StateFolder(state_dir), zone=machine_zone())


def _status(store: ScheduleStore, zone: tzinfo, now: datetime) -> ScheduleStatus:
    last = store.last_run()
    try:
        schedule = store.load()
        installed = datetime.fromisoformat(schedule.installed_at)
    except (ManabackupError, ValueError) as error:
        return ScheduleStatus(store.name, None, str(error), last, None, overdue=True)
    try:
        manager = MANAGERS.get(schedule.manager)
        problem = f"{schedule.manager}: unknown" if manager is None else manager.state(schedule.name)
        problem = problem or _missing_secret(schedule)
    except ManabackupError as error:
        problem = error.message
    good = last.last_good_at if last is not None else None
    due = schedule.when.last_due(now - GRACE, zone)
    overdue = max(good or installed, installed) < due
    return ScheduleStatus(store.name, schedule, problem, last, schedule.when.next_due(now, zone), overdue)


def _missing_secret(schedule: Schedule) -> str | None:
    """What is said of a file that a run would read a secret from, and that is not there."""
    for name, place in schedule.secrets.items():
        if place.kind is not SecretKind.COMMAND and not Path(place.place).exists():
            return f"{place.place} does not exist, which holds the {name}"
    return None
