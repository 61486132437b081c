"""What becomes of an item: its states, and what its command said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ...errors import DamagedArchiveError, LostProcessError, OutputError, ServerError
from ...text.printable import printable

LOSSES: Final = 3
DIFFERENCES: Final = 4
PASSING: Final = frozenset({ServerError.exit_code, OutputError.exit_code})
"""Exit codes of what may be over in a while: it is tried again."""
_KNOWN: Final = frozenset({0, LOSSES, DIFFERENCES, DamagedArchiveError.exit_code})
"""Exit codes that say something about the item itself: an item that has not changed has them again."""
INTERRUPTED: Final = 130
"""The exit code of a command that somebody told to end."""
BAD_PAGE: Final = LostProcessError.page


class State(StrEnum):
    """Where an item stands."""

    WAITING = "waiting"
    """Not done, or to be done again."""
    RUNNING = "running"
    """Somebody does it now; a run that is gone has left it behind."""
    DONE = "done"
    """The command said what there is to say of it. That may be that it is damaged."""
    FAILED = "failed"
    """The command could not say it: a wrong passphrase, a server that is away. The next run tries it."""
    BAD = "bad"
    """It ended its process, also when it was tried alone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said of an item."""

    exit_code: int
    error: str | None = None
    """The error's page (``docs/errors``), where there was one."""
    message: str = ""
    rows: int | None = None
    data_sha256: str | None = None
    losses: Mapping[str, int] = field(default_factory=dict)
    """Kind → how many: losses of what was written, problems of what was verified, differences of a roundtrip."""
    version: str = ""
    """Of the program that did it."""
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    """Bytes of memory at most."""

    @property
    def state(self) -> State:
        """That of an item with this outcome."""
        return State.DONE if self.exit_code in _KNOWN else State.FAILED

    def to_json(self) -> dict[str, Any]:
        """What a worker tells: numbers, names and sums."""
        return {
            "exitCode": self.exit_code,
            "error": self.error,
            "message": self.message,
            "rows": self.rows,
            "dataSha256": self.data_sha256,
            "losses": dict(self.losses),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any], *, seconds: float, cpu: float, peak: int) -> Outcome:
        """The outcome that a worker told, with what it took."""
        return cls(
            exit_code=told["exitCode"],
            error=told["error"],
            message=told["message"],
            rows=told["rows"],
            data_sha256=told["dataSha256"],
            losses=told["losses"],
            version=told["version"],
            seconds=seconds,
            cpu=cpu,
            peak=peak,
        )


def said_of(item: Mapping[str, Any]) -> str:
    """What a command said of an item of a ledger; its name, where that comes first, left out."""
    name, message = printable(item["name"]), printable(item["message"] or "")
    return message.removeprefix(f"{name}: ").removeprefix(f"{name} ")


def worst(codes: Mapping[int, int]) -> int:
    """Of exit codes, each with how often: that of all of them together.

    Errors outrank what is missing or different, and of errors damage outranks what only was not opened, as where one
    command is given several files.
    """
    there = {code for code, count in codes.items() if count}
    errors = there - {0, LOSSES, DIFFERENCES}
    if errors:
        return max(errors)
    return max(there, default=0)
