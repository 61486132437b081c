"""Switches for states of the servers that a healthy sandbox is never in.

Others stand where the state itself is kept: ``Accounts.jwks_outage``, ``Accounts.set_subscription`` (402),
``ChangeLog.poison`` (a page that answers 500), ``FileStore.delete`` and ``FileStore.lose`` (files that are gone).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias


class FileFault(Enum):
    """What goes wrong with one request to the services that keep files, or to the store behind them.

    At a request that it has no meaning for, nothing goes wrong.
    """

    SHORT = auto()
    """The store breaks off: a body that ends regularly, and too early; nothing but its length and hash tell."""
    CUT = auto()
    """The connection is closed in the middle of a body, before its regular end."""
    WRONG = auto()
    """Other bytes, as many as there should be."""
    STORE_AWAY = auto()
    """The store behind the service refuses: ``File not found``, ``Download failed``."""
    STORE_UNSET = auto()
    """mana-api has no store in its settings: no links either."""
    DATABASE_AWAY = auto()
    """500 wherever mana-media asks its database."""
    QUEUE_AWAY = auto()
    """An upload that would be processed is stored, and never answered."""
    SILENT = auto()
    """Nothing is said, and the connection is closed after :attr:`Faults.silence_seconds`."""
    BAD_GATEWAY = auto()
    """A proxy's page, 502."""
    ORIGIN_AWAY = auto()
    """A proxy's page, 530."""
    TOO_MANY = auto()
    """mana-api: 429, as when others at the same address have used up the limit."""
    EXPIRED = auto()
    """mana-api: 401, as when the token's time is over."""
    LINK_DEAD = auto()
    """mana-api: the link names a host where nobody listens."""
    LINK_EXPIRED = auto()
    """mana-api: the link was good until an hour ago."""


FileJudge: TypeAlias = Callable[[str, str], FileFault | None]
"""Asked about each request to the services that keep files, with its method and its path and query as they came."""


def _well(_first: str, _second: str) -> None:
    return None


class StreamFault(Enum):
    """What goes wrong with one event of a stream, a heartbeat among them."""

    LOST = auto()
    """It is not sent, and never will be."""
    CUT = auto()
    """The connection is closed in the middle of it."""
    END = auto()
    """The stream ends regularly before it, as at a restart."""
    SILENT = auto()
    """It is not sent, and nothing after it: the connection stays open, and is dead."""


StreamJudge: TypeAlias = Callable[[str, str], StreamFault | None]
"""Asked about each event that is about to be sent, with the app and the event's name."""


@dataclass
class Faults:
    """May be changed at any time from any thread; the next request sees it."""

    membership_outage: bool = False
    """Memberships cannot be looked up: answers are 200 without the rows of shared spaces."""
    commit_lag_us: int = 0
    """Pushed changes are stamped this many microseconds before they become visible: transactions that commit late."""
    files: FileJudge = _well
    """What goes wrong with requests for files: :class:`FileScript`, or a function of one's own."""
    streams: StreamJudge = _well
    """What goes wrong with events."""
    silence_seconds: float = 10.0
    """How long :attr:`FileFault.SILENT` lasts."""
    short: float = 0.5
    """How much of a body comes with :attr:`FileFault.SHORT` and :attr:`FileFault.CUT`, between 0 and 1."""


@dataclass
class FileScript:
    """A :data:`FileJudge`: ``fault`` at the requests whose target holds ``part``, from the ``first`` on (counted from
    1), ``times`` of them; None: for ever."""

    fault: FileFault
    part: str = ""
    method: str = ""
    """Any, when empty."""
    first: int = 1
    times: int | None = 1
    seen: int = field(default=0, init=False)
    """How many such requests there were."""

    def __call__(self, method: str, target: str) -> FileFault | None:
        if self.part not in target or self.method not in ("", method):
            return None
        self.seen += 1
        over = self.times is not None and self.seen >= self.first + self.times
        return None if self.seen < self.first or over else self.fault
