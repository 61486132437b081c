"""How far a follower is, as the state folder tells others: a lock, and a small file beside it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from ...errors import JSONTextError
from ...host.output import reading_from, write_whole
from ...text import jsontext
from ...text.jsontext import JSON
from ..account.state import Lock, make_room
from .events import written

_VERSION = 1
_PATIENCE = 2.0
"""Seconds: whoever asks for the state holds the lock for a moment, too."""
_NAMES = {
    "started_at": "startedAt",
    "alive_at": "aliveAt",
    "ended_at": "endedAt",
    "ended_by": "endedBy",
    "streams_wanted": "streamsWanted",
    "streams_connecting": "streamsConnecting",
    "streams_problem": "streamsProblem",
    "last_event_at": "lastEventAt",
    "last_pull_at": "lastPullAt",
    "last_look_at": "lastLookAt",
    "pending_since": "pendingSince",
    "new_changes": "newChanges",
    "last_export_at": "lastExportAt",
    "problem_since": "problemSince",
    "archive_problem": "archiveProblem",
}


@dataclass(slots=True)
class FollowRecord:
    """How far a follower is. Times are those of this computer's clock."""

    process: int = 0
    started_at: datetime | None = None
    alive_at: datetime | None = None
    """When this was written last: once a minute, if nothing else happens."""
    ended_at: datetime | None = None
    """None while it runs, and after a death that it could not tell of."""
    ended_by: str | None = None
    """The error that ended it; None for an end that somebody wanted."""
    streams: int = 0
    """That speak."""
    streams_wanted: int = 0
    streams_connecting: int = 0
    """Of which nothing was heard yet, neither an event nor an end; a server may be silent for half a minute."""
    streams_problem: str | None = None
    """Why none speaks, when something was heard of all of them; what is new comes by whole pulls alone then."""
    last_event_at: datetime | None = None
    """When a stream told of changes last."""
    last_pull_at: datetime | None = None
    last_look_at: datetime | None = None
    """The last whole pull."""
    pending_since: datetime | None = None
    """Since when something is to be pulled; None when nothing is known of."""
    new_changes: int = 0
    """Pulled since the start."""
    last_export_at: datetime | None = None
    archive: str | None = None
    """The last one."""
    problem: str | None = None
    """Why the last attempt to pull failed; None when it went well."""
    problem_since: datetime | None = None
    """Since when none goes well; None where it is only another run that holds the mirror."""
    hint: str | None = None
    """What to do about ``problem``, or about what ended it."""
    archive_problem: str | None = None
    """The same of the last archive."""

    def to_json(self) -> dict[str, JSON]:
        """The file, but for its version, and the most of the member ``follower`` of ``status --json``."""
        return {
            _NAMES.get(name, name): written(value) if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, kept: Any) -> FollowRecord | None:
        """None for what no version of this program has written."""
        if not isinstance(kept, dict) or kept.get("version") != _VERSION:
            return None
        record = cls()
        try:
            for one in fields(cls):
                value = kept.get(_NAMES.get(one.name, one.name))
                if one.name.endswith(("_at", "_since")) and value is not None:
                    value = datetime.fromisoformat(value)
                if value is not None:
                    setattr(record, one.name, value)
        except (TypeError, ValueError):
            return None
        return record


class FollowerPlace:
    """Where a follower of one account says how far it is. Looking creates nothing."""

    def __init__(self, folder: Path) -> None:
        self._lock_path = folder / "lock"
        self._path = folder / "follower.json"

    def lock(self) -> Lock:
        """Held by the one that follows; not yet taken."""
        make_room(self._lock_path)
        return Lock(
            self._lock_path,
            wait=_PATIENCE,
            busy="another `manabackup follow`{process} follows this account",
            hint="one is enough; `manabackup status` says how far it is",
        )

    def is_followed(self) -> bool:
        """Whether somebody holds the lock now. Raises :class:`OutputError`."""
        return Lock.is_held(self._lock_path)

    def write(self, record: FollowRecord) -> None:
        """Raises :class:`OutputError`."""
        record.process = os.getpid()
        write_whole(self._path, jsontext.dumps({"version": _VERSION, **record.to_json()}) + b"\n")

    def read(self) -> FollowRecord | None:
        """What was written last; None where nobody ever followed. Raises :class:`OutputError`."""
        try:
            with reading_from(self._path):
                return FollowRecord.from_json(jsontext.parse(self._path.read_bytes()))
        except (FileNotFoundError, JSONTextError):
            return None
