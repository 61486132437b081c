"""What the doctor finds: one line for each thing that was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ...errors import ManabackupError
from ...text.jsontext import JSON


class Level(StrEnum):
    """How it stands with something."""

    WELL = "well"
    ATTENTION = "attention"
    """It works, and somebody should know."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """It could not be looked at, because of something else that is told of."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    id: str
    """A stable word."""
    level: Level
    found: str
    """What is so, in words."""
    advice: str | None = None
    """What to do."""

    def to_json(self) -> dict[str, JSON]:
        """A member of ``checks``."""
        return {"id": self.id, "level": self.level.value, "found": self.found, "advice": self.advice}


_MEND: Final = "mend that, or name another place with --state-dir or --config"
Examination = Callable[[], Iterable[Check]]


def well(what: str, found: str) -> Check:
    """All is well with it."""
    return Check(what, Level.WELL, found)


def attention(what: str, found: str, advice: str) -> Check:
    """It works, and somebody should know."""
    return Check(what, Level.ATTENTION, found, advice)


def broken(what: str, found: str, advice: str | None = None) -> Check:
    """It keeps a backup from being made or used."""
    return Check(what, Level.BROKEN, found, advice)


def unknown(what: str, found: str) -> Check:
    """Nobody can tell."""
    return Check(what, Level.UNKNOWN, found)


def guarded(what: str, examine: Examination) -> Iterator[Check]:
    """The checks of an examination; one that fails is itself a finding, whatever it fails of."""
    try:
        yield from examine()
    except ManabackupError as error:
        yield broken(what, error.message, error.hint or _MEND)
    except OSError as error:
        yield broken(what, f"{error.filename or what}: {error.strerror or type(error).__name__}", _MEND)
    except Exception as error:  # noqa: BLE001 # the doctor works when nothing else does
        yield broken(what, f"it could not be looked at ({type(error).__name__})", "a report of this is welcome")
