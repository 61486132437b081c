"""What has happened while an account is followed: told as events, counted, and kept where others look."""

from __future__ import annotations

from contextlib import suppress

from ...errors import LockedError, ManabackupError, OutputError
from ...text.jsontext import JSON
from .events import FollowEvent, Happening
from .exports import Exported
from .pulling import Pulled
from .record import FollowRecord
from .settings import Surroundings


class Chronicle:
    """What has happened so far. Raises :class:`OutputError` where it cannot be kept."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.record = FollowRecord(started_at=around.now())
        self.speaking: set[str] = set()
        """Apps whose stream speaks."""
        self._known: set[str] = set()
        """Apps of whose stream anything was heard: that it speaks, or that it broke."""
        self.events = self.breaks = self.pulls = self.looks = self.exports = 0
        self.unreadable = 0
        """Losses at the last whole pull."""
        self.lacking = 0
        """Losses of the last archive."""

    @property
    def losses(self) -> int:
        """What the mirror and the last archive lack."""
        return self.unreadable + self.lacking

    def happened(self, what: Happening, **facts: JSON) -> FollowEvent:
        """One thing more, and how far the follower is now."""
        self.keep()
        return FollowEvent(what, self._around.now(), facts)

    def keep(self) -> None:
        """Says how far the follower is, which is a sign of life as well."""
        self.record.streams = len(self.speaking)
        self.record.streams_connecting = max(0, self.record.streams_wanted - len(self._known))
        self.record.alive_at = self._around.now()
        self._around.keep(self.record)

    def connected(self, app: str) -> FollowEvent:
        """A stream speaks."""
        self.speaking.add(app)
        self._known.add(app)
        self.record.streams_problem = None
        return self.happened(Happening.CONNECTED, app=app, streams=len(self.speaking))

    def disconnected(self, app: str, reason: str) -> FollowEvent | None:
        """It speaks no more; None where it never did, unless it is the last of which that was to be seen."""
        self._known.add(app)
        spoke = app in self.speaking
        self.speaking.discard(app)
        self.breaks += spoke
        was_known = self.record.streams_problem is not None
        if not self.speaking and len(self._known) >= self.record.streams_wanted:
            self.record.streams_problem = reason
        if not spoke and (was_known or self.record.streams_problem is None):
            return None
        return self.happened(Happening.DISCONNECTED, app=app, reason=reason, streams=len(self.speaking))

    def told(self, changes: int) -> None:
        """Streams told of so many changes."""
        self.events += changes
        self.record.last_event_at = self._around.now()

    def pending(self) -> None:
        """There is something to be pulled."""
        self.record.pending_since = self._around.now()
        self.keep()

    def pulled(self, pulled: Pulled) -> None:
        """A pull went well."""
        self.record.last_pull_at = self._around.now()
        self.record.pending_since = None
        self.record.problem = self.record.problem_since = self.record.hint = None
        self.record.new_changes += pulled.new
        self.record.streams_wanted = pulled.streams
        if pulled.whole is None:
            self.pulls += 1
        else:
            self.looks += 1
            self.record.last_look_at = self._around.now()
            self.unreadable = pulled.whole.unreadable

    def delayed(self, error: ManabackupError, pause: float) -> FollowEvent:
        """A pull has to wait so many seconds."""
        self.record.problem, self.record.hint = error.message, error.hint
        if isinstance(error, LockedError):
            self.record.hint = None  # which is for whoever waits for a command
        elif self.record.problem_since is None:
            self.record.problem_since = self._around.now()
        return self.happened(Happening.DELAYED, reason=error.message, retryIn=round(pause, 1), hint=self.record.hint)

    def exported(self, done: Exported) -> FollowEvent:
        """An archive was written."""
        self.exports += 1
        self.lacking = sum(done.losses.values())
        self.record.last_export_at, self.record.archive = self._around.now(), done.archive
        self.record.archive_problem = None
        return self.happened(Happening.EXPORTED, **done.to_json())

    def not_exported(self, error: ManabackupError) -> FollowEvent:
        """None was."""
        self.record.archive_problem = error.message
        return self.happened(Happening.EXPORT_FAILED, exitCode=error.exit_code, message=error.message, hint=error.hint)

    def failed(self, error: ManabackupError) -> None:
        """It ends because of this."""
        self.record.ended_by, self.record.hint = error.message, error.hint

    def end(self) -> None:
        """Nobody follows any more. Where that cannot be kept, it is not the reason why it ended."""
        self.speaking.clear()
        self.record.ended_at = self._around.now()
        with suppress(OutputError):
            self.keep()

    def summary(self, *, is_pending: bool) -> FollowEvent:
        """What it amounted to."""
        facts: dict[str, JSON] = {
            "startedAt": self.record.to_json()["startedAt"],
            "new": self.record.new_changes,
            "events": self.events,
            "pulls": self.pulls,
            "looks": self.looks,
            "breaks": self.breaks,
            "exports": self.exports,
            "pending": is_pending,
        }
        return FollowEvent(Happening.ENDED, self._around.now(), facts)
