"""How far work has come: one protocol for everything that takes long.

Whoever takes a ``progress`` tells it of each step at its beginning and now and then until its end. What ``progress``
raises ends the work and comes out of it as it is, and so does ``KeyboardInterrupt``: that is how work is cancelled. An
output that was begun is gone then, and what can be gone on with (a mirror, a restore) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Step(StrEnum):
    """What is done meanwhile. Its :attr:`unit` is what ``done`` and ``total`` count."""

    PULL = "pull"
    """The server is read into the mirror."""
    EXPORT = "export"
    """Rows are made of changes, and written: also where an archive of version 1 is converted."""
    FILES = "files"
    """Files that rows refer to are fetched."""
    REKEY = "rekey"
    RESEAL = "reseal"
    """The same rows are written in another coat: sealed, or not any more."""
    VERIFY = "verify"
    """An archive is read to its last byte."""
    COMPARE = "compare"
    AUDIT = "audit"
    LOOK = "look"
    """Files of an archive are looked for on their services."""
    READ_TARGET = "readTarget"
    """What the account holds that is written into is read."""
    PLAN = "plan"
    """Every row of the archive is decided on."""
    PUSH = "push"
    """Changes are sent."""
    READ_AGAIN = "readAgain"
    """The account is read once more, and held against the plan."""
    ROUNDTRIP = "roundtrip"
    SEND = "send"
    """What is written is whole, and goes to a far place; back to its beginning where it has to be sent again."""
    CONVERT = "convert"
    """Rows are written in another format."""
    PRUNE = "prune"
    """Archives that are kept are read to their last byte."""
    SEARCH = "search"
    """Rows are searched for words."""
    FLEET = "fleet"
    """A command is run over many archives or accounts."""

    @property
    def unit(self) -> str:
        """``archives``, ``B``, ``changes``, ``collections``, ``files``, ``items``, ``rows``, ``steps``, ``tables``."""
        return _UNITS[self]


_UNITS = {
    Step.PULL: "collections",
    Step.EXPORT: "changes",
    Step.FILES: "B",
    Step.REKEY: "B",
    Step.RESEAL: "B",
    Step.VERIFY: "B",
    Step.COMPARE: "rows",
    Step.AUDIT: "changes",
    Step.LOOK: "files",
    Step.READ_TARGET: "collections",
    Step.PLAN: "tables",
    Step.PUSH: "changes",
    Step.READ_AGAIN: "collections",
    Step.ROUNDTRIP: "steps",
    Step.SEND: "B",
    Step.CONVERT: "rows",
    Step.PRUNE: "archives",
    Step.SEARCH: "rows",
    Step.FLEET: "items",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step has come."""

    step: Step
    done: int
    total: int | None = None
    """None where nobody knows. It may grow."""
    note: str = ""
    """What there is to say besides, in a few words: what a pull has read, which step of a roundtrip is next."""


Watch: TypeAlias = Callable[[Progress], object]
"""Is told of progress. Called from any thread, one call at a time."""

Tell: TypeAlias = Callable[[int, int], object]
"""Takes (done, total) of a step that is known."""


def teller(watch: Watch | None, step: Step) -> Tell:
    """Tells ``watch`` how far ``step`` is, beginning now."""
    if watch is None:
        return _to_nobody
    told: Watch = watch

    def tell(done: int, total: int) -> None:
        told(Progress(step, done, total))

    told(Progress(step, 0))
    return tell


def sending(watch: Watch | None) -> Tell | None:
    """Tells ``watch`` how far something is sent to a far place, from when it begins; None where nobody watches."""
    if watch is None:
        return None
    told: Watch = watch
    return lambda done, total: told(Progress(Step.SEND, done, total))


def pull_teller(watch: Watch | None, step: Step) -> Callable[[int, int, int], object] | None:
    """The same for a pull, which tells of the changes that it has read besides."""
    if watch is None:
        return None
    told: Watch = watch

    def tell(done: int, total: int, changes: int) -> None:
        told(Progress(step, done, total, f"{changes:,} changes"))

    told(Progress(step, 0))
    return tell


def _to_nobody(done: int, total: int) -> None:
    """Nobody watches."""
