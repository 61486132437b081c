"""What is kept of a schedule in the state folder: what it is, how its last run ended, and its secrets where it has any.

::

    schedules/<name>/schedule.json    the schedule
    schedules/<name>/last-run.json    how the last run ended, and when the last good one did
    schedules/<name>/lock             held while it runs
    schedules/<name>/<secret>         a secret that was typed in, mode 0600; <secret>.cred is one that systemd encrypted
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import JSONTextError, NotFoundError, OutputError
from ...host.output import write_whole, writing_to
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.timestamps import app_time, parse_timestamp
from ..account.state import Lock, StateFolder, make_room
from .spec import Schedule

_RUN_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunRecord:
    """How a run ended."""

    started_at: datetime
    ended_at: datetime
    exit_code: int
    step: str
    """What was done last: ``space``, the command's name, ``verify``, ``prune``."""
    message: str = ""
    """The error in words; empty where there was none."""
    hint: str = ""
    """What to do about it, as the command says; told at once, and not kept."""
    archive: str | None = None
    bytes: int = 0
    status: str | None = None
    """``complete`` or ``partial``, of an export."""
    losses: Mapping[str, int] = field(default_factory=dict)
    verified: bool | None = None
    """Whether the new archive was read to its end, and is whole; None where there is none."""
    attempts: int = 1
    removed: int = 0
    """Old archives that went afterwards."""
    last_good_at: datetime | None = None
    """When the last run began that did what it should; this one, where it did."""

    @property
    def good(self) -> bool:
        """The command did its work, and what it wrote is whole. An archive may lack what nobody can read."""
        return self.exit_code in (0, 3)

    def to_json(self) -> dict[str, JSON]:
        """The file that keeps it, and the object that ``schedule run --json`` prints."""
        return {
            "version": _RUN_VERSION,
            "startedAt": app_time(self.started_at),
            "endedAt": app_time(self.ended_at),
            "exitCode": self.exit_code,
            "step": self.step,
            "message": self.message,
            "archive": self.archive,
            "bytes": self.bytes,
            "status": self.status,
            "losses": dict(self.losses),
            "verified": self.verified,
            "attempts": self.attempts,
            "removed": self.removed,
            "lastGoodAt": None if self.last_good_at is None else app_time(self.last_good_at),
        }


def _run_from_json(kept: Any) -> RunRecord:
    """Raises :class:`ValueError`, :class:`KeyError`, :class:`TypeError`."""
    if kept["version"] != _RUN_VERSION:
        raise ValueError("another version")
    good = kept["lastGoodAt"]
    return RunRecord(
        started_at=_moment(kept["startedAt"]),
        ended_at=_moment(kept["endedAt"]),
        exit_code=int(kept["exitCode"]),
        step=str(kept["step"]),
        message=str(kept["message"]),
        archive=kept["archive"],
        bytes=int(kept["bytes"]),
        status=kept["status"],
        losses={name: int(count) for name, count in kept["losses"].items()},
        verified=kept["verified"],
        attempts=int(kept["attempts"]),
        removed=int(kept["removed"]),
        last_good_at=None if good is None else _moment(good),
    )


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(parse_timestamp(text) / 1e6, UTC)


class ScheduleStore:
    """One schedule's folder. Nothing is created before something is kept."""

    def __init__(self, state: StateFolder, name: str) -> None:
        self.name = name
        self.folder: Path = state.root / "schedules" / name

    def load(self) -> Schedule:
        """Raises :class:`NotFoundError` where there is none, :class:`OutputError` for one that cannot be read."""
        path = self.folder / "schedule.json"
        try:
            return Schedule.from_json(jsontext.parse(path.read_bytes()))
        except FileNotFoundError:
            raise NotFoundError(
                f"there is no schedule called {self.name}", hint="`manabackup schedule install` makes one"
            ) from None
        except (JSONTextError, ValueError):
            hint = "`manabackup schedule install` writes it anew"
            raise OutputError(f"{path} is damaged, or from a newer version", hint=hint) from None
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from None

    def save(self, schedule: Schedule) -> None:
        """Raises :class:`OutputError`."""
        make_room(self.folder / "schedule.json")
        write_whole(self.folder / "schedule.json", jsontext.dumps(schedule.to_json()) + b"\n")

    def last_run(self) -> RunRecord | None:
        """How the last run ended; None where nobody knows."""
        try:
            return _run_from_json(jsontext.parse((self.folder / "last-run.json").read_bytes()))
        except (OSError, JSONTextError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def note_run(self, record: RunRecord) -> RunRecord:
        """Keeps how a run ended, with when the last good one began. Raises :class:`OutputError`."""
        before = self.last_run()
        good = record.started_at if record.good else before.last_good_at if before is not None else None
        record = replace(record, last_good_at=good)
        write_whole(self.folder / "last-run.json", jsontext.dumps(record.to_json()) + b"\n")
        return record

    def keep_secret(self, name: str, content: bytes) -> Path:
        """A file of the schedule's own, mode 0600. Raises :class:`OutputError`."""
        path = self.folder / name
        make_room(path)
        write_whole(path, content)
        return path

    def lock(self) -> Lock:
        """So that a schedule does not run twice at once."""
        make_room(self.folder / "lock")
        return Lock(self.folder / "lock")

    def forget(self) -> None:
        """Removes all of it. Raises :class:`OutputError`."""
        with writing_to(self.folder):
            if self.folder.is_dir():
                for path in self.folder.iterdir():
                    path.unlink()
                self.folder.rmdir()


def names(state: StateFolder) -> list[str]:
    """The schedules that there are."""
    folder = state.root / "schedules"
    try:
        return sorted(path.name for path in folder.iterdir() if (path / "schedule.json").exists())
    except OSError:
        return []
