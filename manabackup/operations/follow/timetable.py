"""When a follower pulls. All times are seconds of a clock that only goes forward."""

from __future__ import annotations

from .settings import FollowSettings, Surroundings

_REST = 10.0
"""Between pulls lies so many times what the last one took, so that a large mirror is not read all day."""
_FIRST_RETRY = 2.0
LONGEST_RETRY = 300.0
_LOCKED_RETRY = 5.0
_REFUSED_RETRY = 60.0
"""At most: whoever signs in anew does not want to wait for longer."""
_REFUSED_SECONDS = 600.0
"""For so long the server may refuse tokens that it took before: it does while it cannot reach its own keys."""
_REFUSALS = 4
"""So often besides: a computer that slept for ten minutes has not asked."""
_ALIVE_SECONDS = 60.0
"""Between two signs of life."""


class Timetable:
    """When the next pull is due, of everything and of what streams named, and the next sign of life."""

    def __init__(self, settings: FollowSettings, around: Surroundings) -> None:
        self._settings = settings
        self._clock = around.clock
        self._jitter = around.jitter
        self._look_at = self._refresh_at = self._retry_at = self._alive_at = 0.0
        self._retry = _FIRST_RETRY
        self._refused_since: float | None = None
        self._refusals = 0

    # --- what is due

    def is_look_due(self) -> bool:
        """Whether everything is to be pulled now."""
        return self._clock() >= max(self._look_at, self._retry_at)

    def is_refresh_due(self) -> bool:
        """Whether what streams named is to be pulled now, if anything was."""
        return self._clock() >= max(self._refresh_at, self._retry_at)

    def is_sign_due(self) -> bool:
        """Whether a sign of life is to be given now; it is then due again a minute later."""
        now = self._clock()
        if now < self._alive_at:
            return False
        self._alive_at = now + _ALIVE_SECONDS
        return True

    def next(self, *, is_pending: bool) -> float:
        """The moment at which something is due again. What streams named ``is_pending``, or there is nothing."""
        pull_at = min(self._refresh_at, self._look_at) if is_pending else self._look_at
        return min(max(pull_at, self._retry_at), self._alive_at)

    # --- what moves it

    def named(self) -> None:
        """Streams named something, and had named nothing before."""
        self._refresh_at = max(self._refresh_at, self._clock() + self._settings.debounce)

    def pulled(self, took: float) -> None:
        """A pull went well, in so many seconds."""
        self._refresh_at = self._clock() + min(took * _REST, self._settings.longest_rest)
        self._retry, self._retry_at = _FIRST_RETRY, 0.0
        self._refused_since, self._refusals = None, 0

    def looked(self) -> None:
        """Everything was pulled."""
        self._look_at = self._clock() + self._settings.look_every

    def look_again(self) -> None:
        """Everything is to be pulled as soon as anything is."""
        self._look_at = self._clock()

    # --- pulls that failed; these give the pause, in seconds

    def locked(self) -> float:
        """Another command has the mirror."""
        return self._paused(_LOCKED_RETRY)

    def failed(self) -> float:
        """The pause is twice as long after each time, with jitter."""
        return self._later(LONGEST_RETRY)

    def refused(self) -> float:
        """The same, for an account that the server does not take now."""
        return self._later(_REFUSED_RETRY)

    def is_refused_for_good(self) -> bool:
        """Tokens were refused, now and for a long time."""
        now = self._clock()
        self._refused_since = now if self._refused_since is None else self._refused_since
        self._refusals += 1
        return now - self._refused_since >= _REFUSED_SECONDS and self._refusals >= _REFUSALS

    def _later(self, longest: float) -> float:
        pause = min(longest, self._retry) * (1 + self._jitter()) / 2
        self._retry = min(LONGEST_RETRY, self._retry * 2)
        return self._paused(pause)

    def _paused(self, seconds: float) -> float:
        self._retry_at = self._clock() + seconds
        return seconds
