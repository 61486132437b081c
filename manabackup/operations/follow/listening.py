"""The streams of an account's apps: one connection and one thread for each, opened again and again.

The server has a stream for each app and none for all of them. What streams say is gathered on a :class:`Board`, which
takes no more room than there are apps, however long nobody looks at it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from ...errors import ManabackupError, ServerError
from ...remote.events import HEARTBEAT, StreamEvent
from ...remote.sync import STREAM_SILENCE, SyncClient

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds before a stream is opened again, with jitter: twice as many after each time at which nothing was heard."""
_MOST_NAMES = 100
"""Collections that are noted of one app; more of them nobody makes."""
_QUERY_CHARACTERS = 2_000
"""Of all collections that a stream is asked for. Those that are left out are told of when somebody writes to them."""
_random = random.SystemRandom().random

Jitter = Callable[[], float]
"""Between 0 and 1."""


@dataclass(slots=True)
class Said:
    """What streams said since somebody looked."""

    named: dict[str, set[str]] = field(default_factory=dict)
    """App → collections that changes were told of: what is to be pulled."""
    changes: int = 0
    """How many events told of changes."""
    connected: list[str] = field(default_factory=list)
    """Apps whose stream speaks now, and did not before."""
    broken: dict[str, str] = field(default_factory=dict)
    """App → why its stream does not speak any more."""
    error: Exception | None = None
    """One of this program's own."""
    is_over: bool = False
    """Somebody wants no more."""

    def __bool__(self) -> bool:
        return bool(self.named or self.connected or self.broken or self.error or self.is_over)


class Board:
    """Where streams leave word for whoever pulls. Safe to share between threads."""

    def __init__(self) -> None:
        self._said = Said()
        self._changed = threading.Condition()

    def take(self, seconds: float) -> Said:
        """All that was said since the last call; waits until there is something, at most so long."""
        with self._changed:
            if not self._said:
                self._changed.wait(max(0.0, seconds))
            said, self._said = self._said, Said()
            return said

    def name(self, app: str, event: StreamEvent | None = None) -> None:
        """An app is to be pulled."""
        with self._changed:
            names = self._said.named.setdefault(app, set())
            if event is not None:
                self._said.changes += 1
                if event.collection is not None and len(names) < _MOST_NAMES:
                    names.add(event.collection)
            self._changed.notify()

    def connect(self, app: str) -> None:
        """A stream has begun to speak."""
        with self._changed:
            self._said.connected.append(app)
            self._changed.notify()

    def lose(self, app: str, reason: str) -> None:
        """A stream speaks no more."""
        with self._changed:
            if app in self._said.connected:  # nobody has seen it
                self._said.connected.remove(app)
            self._said.broken[app] = reason
            self._changed.notify()

    def end(self) -> None:
        """Whoever pulls is to stop."""
        with self._changed:
            self._said.is_over = True
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """A thread of this program's is at its end."""
        with self._changed:
            self._said.error = self._said.error or error
            self._changed.notify()


class Streams:
    """An account's streams. Closing ends their connections, which must be nobody else's, and waits for the threads."""

    _LAST_WORDS = 5.0
    """Seconds: a command that is to give a token ends when it wants to."""

    def __init__(
        self, client: SyncClient, board: Board, *, jitter: Jitter = _random, silence: float = STREAM_SILENCE
    ) -> None:
        self.since = ""
        """RFC 3339: what the server stored later is told of when a stream is opened."""
        self._client = client
        self._board = board
        self._jitter = jitter
        self._silence = silence
        self._ended = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    @property
    def apps(self) -> Sequence[str]:
        """Those that a stream was opened for."""
        return tuple(self._threads)

    def open(self, app: str, collections: Sequence[str]) -> None:
        """Opens the stream of an app, and again whenever it ends; one that is there stays."""
        if app in self._threads or self._ended.is_set():
            return
        run = partial(self._run, app, _asked_for(collections))
        self._threads[app] = threading.Thread(target=run, name=f"stream-{app[:40]}", daemon=True)
        self._threads[app].start()

    def close(self) -> None:
        """Ends all of them."""
        self._ended.set()
        self._client.close()
        for thread in self._threads.values():
            thread.join(self._LAST_WORDS)

    def _run(self, app: str, collections: Sequence[str]) -> None:
        pause = FIRST_PAUSE
        try:
            while not self._ended.is_set():
                spoke = self._listen(app, collections)
                pause = FIRST_PAUSE if spoke else min(LONGEST_PAUSE, pause * 2)
                self._ended.wait(pause * (1 + self._jitter()) / 2)
        except Exception as error:  # noqa: BLE001 # raised where somebody sees it
            self._board.fail(error)

    def _listen(self, app: str, collections: Sequence[str]) -> bool:
        """One connection, to its end; whether anything was heard on it."""
        spoke = False

        def hear(event: StreamEvent) -> None:
            nonlocal spoke
            if not spoke:
                spoke = True
                self._board.connect(app)
                self._board.name(app)  # what happened before the server listened, too
            if event.name != HEARTBEAT:
                self._board.name(app, event)

        reason = "the server ended the stream"
        try:
            self._client.listen(app, self.since, hear, collections=collections, silence=self._silence)
        except ServerError as error:
            reason = error.message
        except ManabackupError as error:
            reason = error.message
            self._board.name(app)  # a pull meets the same refusal, and it is decided there what comes of it
        if not self._ended.is_set():
            self._board.lose(app, reason)
        return spoke


def _asked_for(collections: Sequence[str]) -> tuple[str, ...]:
    """As many as a query takes; a comma would make two of one."""
    asked: list[str] = []
    left = _QUERY_CHARACTERS
    for name in collections:
        left -= len(name) + 1
        if "," not in name and name.isprintable() and left > 0:
            asked.append(name)
    return tuple(asked)
