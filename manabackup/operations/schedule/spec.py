"""What is to be done when: a schedule, and the moments at which it is due."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

from ...errors import UsageError
from ...text.jsontext import JSON
from ...text.printable import printable

VERSION: Final = 1
DEFAULT_NAME: Final = "backup"
DATE: Final = "{date}"
"""In an output's name: the day of the run, ``2026-11-30``."""
GRACE: Final = timedelta(hours=2)
"""How long after its hour a run may still be on its way, with its delay and its attempts."""
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


class Every(StrEnum):
    """How often."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class When:
    """The clock's time of a run, in whatever zone the computer then is."""

    at: time
    every: Every = Every.DAY
    weekday: int = 6
    """Of weekly runs; 0 is Monday."""

    @classmethod
    def parse(cls, at: str, every: str = "day", weekday: str = "Sun") -> When:
        """Raises :class:`UsageError`."""
        found = _TIME.fullmatch(at)
        if found is None:
            raise UsageError(f"{printable(at[:64])} is not a time of day", hint="such as 03:00")
        return cls(time(int(found[1]), int(found[2])), Every(every), WEEKDAYS.index(weekday))

    def last_due(self, now: datetime, zone: tzinfo) -> datetime:
        """The last moment at or before ``now`` at which a run was due."""
        local = now.astimezone(zone)
        due = local.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0, fold=0)
        if self.every is Every.WEEK:
            due -= timedelta(days=(due.weekday() - self.weekday) % 7)
        while due > local:
            due -= timedelta(days=7 if self.every is Every.WEEK else 1)
        return due

    def next_due(self, now: datetime, zone: tzinfo) -> datetime:
        """The first moment after ``now`` at which a run is due."""
        return self.last_due(now, zone) + timedelta(days=7 if self.every is Every.WEEK else 1)

    def __str__(self) -> str:
        day = "every day" if self.every is Every.DAY else f"every {WEEKDAYS[self.weekday]}"
        return f"{day} at {self.at:%H:%M}"


class SecretKind(StrEnum):
    """Where a run gets a secret from."""

    FILE = "file"
    COMMAND = "command"
    CREDENTIAL = "credential"
    """From systemd, which decrypts it for the run alone, or from a file of the schedule's own."""


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a run gets one secret from; never the secret."""

    kind: SecretKind
    place: str
    """An absolute path, or a command."""

    @property
    def suffix(self) -> str:
        """What the option is called that takes it."""
        return "command" if self.kind is SecretKind.COMMAND else "file"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A command that the computer runs by itself. Nothing in it is a secret."""

    name: str
    words: tuple[str, ...]
    """The command and its options, without those of secrets; paths are absolute."""
    when: When
    program: tuple[str, ...]
    """What starts this program, absolute."""
    state_dir: str
    secrets: Mapping[str, SecretPlace] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings that stood in the environment when it was made."""
    keep: tuple[str, ...] = ()
    """Options of ``prune``, which then follows a good run."""
    ping_file: str | None = None
    """A file with the address that is told of every run."""
    on_failure: str | None = None
    """A command that gets the words about a failed run on its standard input."""
    notify: bool = True
    """Whether a failed run is told of on the desktop."""
    manager: str = ""
    """What starts the runs."""
    installed_at: str = ""
    """RFC 3339."""

    @property
    def command(self) -> str:
        """``export``, ``pull``."""
        return self.words[0]

    @property
    def output(self) -> str | None:
        """Where the archive goes, with :data:`DATE` in its name."""
        for at, word in enumerate(self.words):
            if word == "--output":
                return self.words[at + 1]
        return None

    def to_json(self) -> dict[str, JSON]:
        """The file that keeps it."""
        return {
            "version": VERSION,
            "name": self.name,
            "words": list(self.words),
            "at": f"{self.when.at:%H:%M}",
            "every": self.when.every.value,
            "weekday": WEEKDAYS[self.when.weekday],
            "program": list(self.program),
            "stateDir": self.state_dir,
            "secrets": {name: [place.kind.value, place.place] for name, place in self.secrets.items()},
            "environment": dict(self.environment),
            "keep": list(self.keep),
            "pingFile": self.ping_file,
            "onFailure": self.on_failure,
            "notify": self.notify,
            "manager": self.manager,
            "installedAt": self.installed_at,
        }

    @classmethod
    def from_json(cls, kept: Any) -> Schedule:
        """Raises :class:`ValueError` for what :meth:`to_json` did not write."""
        try:
            if kept["version"] != VERSION:
                raise ValueError("another version")
            return cls(
                name=str(kept["name"]),
                words=tuple(map(str, kept["words"])),
                when=When.parse(kept["at"], kept["every"], kept["weekday"]),
                program=tuple(map(str, kept["program"])),
                state_dir=str(kept["stateDir"]),
                secrets={
                    name: SecretPlace(SecretKind(kind), str(place)) for name, (kind, place) in kept["secrets"].items()
                },
                environment={name: str(value) for name, value in kept["environment"].items()},
                keep=tuple(map(str, kept["keep"])),
                ping_file=kept["pingFile"],
                on_failure=kept["onFailure"],
                notify=kept["notify"] is True,
                manager=str(kept["manager"]),
                installed_at=str(kept["installedAt"]),
            )
        except (KeyError, TypeError, AttributeError, UsageError) as error:
            raise ValueError("not a schedule") from error


def check_name(name: str) -> str:
    """The name of a schedule. Raises :class:`UsageError` for one that no file and no unit could have."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"not a schedule's name: {printable(name[:64])}", hint="small letters, digits and '-', 32 at most"
        )
    return name


def check_output(words: tuple[str, ...], output: str | None) -> None:
    """Whether every run can write its archive. Raises :class:`UsageError`."""
    if output is None:
        return
    if output == "-":
        raise UsageError("nobody reads the standard output of a run at night", hint=f"-o FOLDER/mana-{DATE}.mana")
    if DATE not in output and "--force" not in words:
        raise UsageError(
            "the second run would find the first one's archive in its place",
            hint=f"write {DATE} where the day is to stand, as in -o mana-{DATE}.mana; or --force for one that is "
            "replaced each time",
        )
