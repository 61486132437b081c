"""When a follower's archives are due, and what comes of one that could not be written."""

from __future__ import annotations

from collections.abc import Iterator

from .chronicle import Chronicle
from .events import FollowEvent
from .exports import Exported
from .settings import FollowSettings, Surroundings
from .timetable import LONGEST_RETRY


class Archives:
    """An archive at the beginning, and then so often as the settings say, if there is anything that none has."""

    def __init__(self, settings: FollowSettings, around: Surroundings, chronicle: Chronicle) -> None:
        self._every = settings.export_every
        self._around = around
        self._chronicle = chronicle
        self._is_new = True
        self._has_exported = False
        self.due_at = float("inf")
        """By the clock that only goes forward."""

    def begin(self) -> None:
        """The first one is due, if there are to be any."""
        if self._every is not None:
            self.due_at = self._around.clock()

    def note(self, new: int) -> None:
        """So many changes were pulled that no archive has."""
        self._is_new = self._is_new or new > 0

    def write(self) -> Iterator[FollowEvent]:
        """Writes an archive, if there is anything that the last one has not. Raises what hinders the first one."""
        assert self._around.export is not None
        assert self._every is not None
        self.due_at = self._around.clock() + self._every
        if not self._is_new:
            return
        self._is_new = False
        done = self._around.export(self._around.now())
        if isinstance(done, Exported):
            self._has_exported = True
            yield self._chronicle.exported(done)
            return
        self._is_new = True
        if not done.may_pass and not self._has_exported:
            raise done.error
        # Counted from now on: one that fails for longer than its interval must not keep pulls from their turn.
        soon = self._around.clock() + min(self._every, LONGEST_RETRY)
        self.due_at = soon if done.is_tried_soon else max(self.due_at, soon)
        yield self._chronicle.not_exported(done.error)
