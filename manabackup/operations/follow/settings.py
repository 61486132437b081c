"""How an account is followed, and what a follower depends on."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...mirror import Mirror
from ...model.registry import Registry, load
from ...remote.sync import STREAM_SILENCE
from ..progress import Watch
from .exports import Export
from .listening import Jitter
from .record import FollowRecord

LOOK_SECONDS = 15 * 60.0
"""Between whole pulls: of what others write into shared spaces, and what was written late, no stream tells."""
MOST_STREAMS = 64
DEBOUNCE_SECONDS = 1.0
"""From the first word of something new to the pull: what is written at once is pulled at once."""
LONGEST_REST = 30.0
_random = random.SystemRandom().random

OpenMirror = Callable[[], AbstractContextManager[Mirror]]
"""Opens the account's mirror for one pull, under whatever lock it has."""


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """How an account is followed. Times are in seconds."""

    look_every: float = LOOK_SECONDS
    duration: float | None = None
    """How long; None: until somebody ends it."""
    export_every: float | None = None
    extra_apps: tuple[str, ...] = ()
    debounce: float = DEBOUNCE_SECONDS
    longest_rest: float = LONGEST_REST
    """Between two pulls because of streams, at most, however long a pull takes."""
    silence: float = STREAM_SILENCE
    """A stream that says nothing for so long is dead."""
    most_streams: int = MOST_STREAMS
    """Of the apps with the most changes; the others are pulled with everything."""


def _running() -> float:
    """Seconds on a clock that only goes forward, and on Linux while the computer sleeps, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a follower depends on besides the server."""

    clock: Callable[[], float] = _running
    """Seconds; it only goes forward."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    """This computer's clock, which may jump: for people alone."""
    jitter: Jitter = _random
    registry: Registry = field(default_factory=load)
    keep: Callable[[FollowRecord], object] = lambda _: None
    """Is given how far the follower is, whenever that changes."""
    export: Export | None = None
    progress: Watch | None = None
    """Is told of whole pulls."""
