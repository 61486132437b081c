"""What starts runs: systemd's user manager, launchd, cron. Each says what it would write and run, and does it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from ...errors import ManabackupError, UsageError
from ...host.output import AtomicFile, writing_to
from ...text.printable import one_line
from . import cron, launchd, systemd
from .spec import Schedule

_PATIENCE = 60.0
"""Seconds for a command of the system."""
_LINGER = "it runs while you are signed in to this computer; `loginctl enable-linger` lets it run at other times too"


@dataclass(frozen=True, slots=True)
class Installation:
    """What is written and what is run for a schedule; nothing is done yet."""

    files: Mapping[Path, bytes] = field(default_factory=dict)
    commands: Sequence[Sequence[str]] = ()
    crontab: str | None = None
    """The whole new crontab."""
    added: str = ""
    """What is new in it."""
    notes: Sequence[str] = ()

    def shown(self) -> list[str]:
        """All of it, for somebody who is to say yes."""
        lines: list[str] = []
        for path, content in self.files.items():
            lines += [f"--- {path}", *content.decode().rstrip("\n").split("\n")]
        if self.crontab is not None:
            lines += ["--- your crontab gets these lines", *self.added.rstrip("\n").split("\n")]
        lines += [f"$ {shlex.join(command)}" for command in self.commands]
        return lines


class Manager(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """What it is called."""

    def is_there(self) -> bool:
        """Whether it can be used here and now."""

    def plan(
        self, schedule: Schedule, command: tuple[str, ...], *, log: Path, encrypted: Mapping[str, str]
    ) -> Installation:
        """What installing means. Raises :class:`UsageError` for what cannot be expressed."""

    def remove(self, name: str) -> None:
        """Takes a schedule away; that there is none is no error. Raises :class:`ManabackupError`."""

    def state(self, name: str) -> str | None:
        """What is wrong with a schedule there; None where it will run."""


def carry_out(plan: Installation) -> None:
    """Write and run what a plan says. Raises :class:`OutputError`, :class:`ManabackupError`."""
    for path, content in plan.files.items():
        with writing_to(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with AtomicFile(path, force=True) as file:
            file.write(content)
    if plan.crontab is not None:
        _write_crontab(plan.crontab)
    for command in plan.commands:
        _must(command)


class Systemd:
    """Timers of the user's own manager."""

    name: Final = "systemd"

    def is_there(self) -> bool:
        """Whether a manager of the user's runs."""
        return shutil.which("systemctl") is not None and _quiet(["systemctl", "--user", "show-environment"]) is not None

    def version(self) -> int:
        """0 where it does not say."""
        found = re.match(r"systemd (\d+)", _quiet(["systemctl", "--version"]) or "")
        return int(found[1]) if found else 0

    def encrypts(self) -> bool:
        """Whether user services can have encrypted credentials."""
        return self.version() >= systemd.ENCRYPTED_SINCE and shutil.which("systemd-creds") is not None

    def encrypt(self, name: str, secret: bytes) -> bytes:
        """A secret as only this user's services on this computer can read it. Raises :class:`ManabackupError`."""
        command = ["systemd-creds", "encrypt", "--user", f"--name={name}", "-", "-"]
        return _run(command, secret).stdout

    def decrypting(self, name: str, path: str) -> list[str]:
        """The command that gives such a secret back, for runs by hand."""
        return ["systemd-creds", "decrypt", "--user", f"--name={name}", path, "-"]

    def plan(
        self, schedule: Schedule, command: tuple[str, ...], *, log: Path, encrypted: Mapping[str, str]
    ) -> Installation:
        """Two units, and the timer is started."""
        folder = self._folder()
        units = systemd.units(schedule, command, encrypted)
        notes = [] if self._lingers() else [_LINGER]
        return Installation(
            {folder / name: text.encode() for name, text in units.items()},
            [
                ["systemctl", "--user", "daemon-reload"],
                ["systemctl", "--user", "enable", "--now", f"{systemd.unit(schedule.name)}.timer"],
            ],
            notes=notes,
        )

    def remove(self, name: str) -> None:
        """The timer is stopped, the units go."""
        unit = systemd.unit(name)
        there = self.is_there()
        if there and (self._folder() / f"{unit}.timer").exists():
            _must(["systemctl", "--user", "disable", "--now", f"{unit}.timer"])
        for ending in ("timer", "service"):
            path = self._folder() / f"{unit}.{ending}"
            with writing_to(path):
                path.unlink(missing_ok=True)
        if there:
            _must(["systemctl", "--user", "daemon-reload"])

    def state(self, name: str) -> str | None:
        """Whether the timer waits."""
        unit = systemd.unit(name)
        if not (self._folder() / f"{unit}.timer").exists():
            return f"{unit}.timer is gone"
        if not self.is_there():
            return "systemd's user manager does not answer here"
        if _quiet(["systemctl", "--user", "is-active", f"{unit}.timer"]) is None:
            return f"{unit}.timer is not active: `systemctl --user enable --now {unit}.timer`"
        return None

    def _folder(self) -> Path:
        config = os.environ.get("XDG_CONFIG_HOME")
        return (Path(config) if config else Path.home() / ".config") / "systemd" / "user"

    def _lingers(self) -> bool:
        return (_quiet(["loginctl", "show-user", str(os.getuid()), "-p", "Linger"]) or "").strip() == "Linger=yes"


class Launchd:
    """Agents of macOS."""

    name: Final = "launchd"

    def is_there(self) -> bool:
        """Whether this is macOS."""
        return sys.platform == "darwin" and shutil.which("launchctl") is not None

    def plan(
        self, schedule: Schedule, command: tuple[str, ...], *, log: Path, encrypted: Mapping[str, str]
    ) -> Installation:
        """A property list, which is loaded; one that is loaded already goes before."""
        path = self._path(schedule.name)
        content = launchd.agent(schedule, command, str(log))
        commands = [["launchctl", "bootstrap", self._domain(), str(path)]]
        if path.exists():
            commands.insert(0, ["launchctl", "bootout", f"{self._domain()}/{launchd.label(schedule.name)}"])
        return Installation({path: content}, commands)

    def remove(self, name: str) -> None:
        """The agent is unloaded, its list goes."""
        path = self._path(name)
        if path.exists() and self.is_there():
            _quiet(["launchctl", "bootout", f"{self._domain()}/{launchd.label(name)}"])
        with writing_to(path):
            path.unlink(missing_ok=True)

    def state(self, name: str) -> str | None:
        """Whether the agent is loaded."""
        if not self._path(name).exists():
            return f"{self._path(name)} is gone"
        if _quiet(["launchctl", "print", f"{self._domain()}/{launchd.label(name)}"]) is None:
            return "the agent is not loaded: sign out of this computer and in again"
        return None

    def _path(self, name: str) -> Path:
        return Path.home() / "Library" / "LaunchAgents" / f"{launchd.label(name)}.plist"

    def _domain(self) -> str:
        return f"gui/{os.getuid()}"


class Cron:
    """The user's crontab."""

    name: Final = "cron"

    def is_there(self) -> bool:
        """Whether there is a program that edits it."""
        return shutil.which("crontab") is not None

    def plan(
        self, schedule: Schedule, command: tuple[str, ...], *, log: Path, encrypted: Mapping[str, str]
    ) -> Installation:
        """Two lines in the crontab as it is."""
        lines = cron.block(schedule, command)
        return Installation(crontab=cron.with_block(_read_crontab(), schedule.name, lines), added=lines)

    def remove(self, name: str) -> None:
        """The lines go, all else stays."""
        crontab = _read_crontab()
        if cron.has_block(crontab, name):
            _write_crontab(cron.without_block(crontab, name))

    def state(self, name: str) -> str | None:
        """Whether the lines are there."""
        if not self.is_there():
            return "there is no crontab program here"
        return None if cron.has_block(_read_crontab(), name) else "its lines in the crontab are gone"


class ByHand:
    """Whatever its owner has that starts programs."""

    name: Final = "none"

    def is_there(self) -> bool:
        """Always."""
        return True

    def plan(
        self, schedule: Schedule, command: tuple[str, ...], *, log: Path, encrypted: Mapping[str, str]
    ) -> Installation:
        """Nothing; its owner is told what to start."""
        words = shlex.join([*command, launchd.IF_DUE])
        return Installation(notes=[f"let something start this every hour; it sees itself whether it is due: {words}"])

    def remove(self, name: str) -> None:
        """Nothing is known of it."""

    def state(self, name: str) -> str | None:
        """Nothing is known of it."""
        return None


MANAGERS: Final[Mapping[str, Manager]] = {"systemd": Systemd(), "launchd": Launchd(), "cron": Cron(), "none": ByHand()}


def manager_called(name: str | None) -> Manager:
    """A manager by its name, or the first one that is there. Raises :class:`UsageError` where there is none."""
    if name is not None:
        manager = MANAGERS.get(name)
        if manager is None:
            raise UsageError(f"{one_line(name)} starts nothing here", hint=", ".join(MANAGERS))
        if not manager.is_there():
            raise UsageError(f"{name} cannot be used here")
        return manager
    for manager in MANAGERS.values():
        if manager.name != ByHand.name and manager.is_there():
            return manager
    raise UsageError(
        "nothing here starts programs by the clock: neither systemd's user manager nor launchd nor cron",
        hint="let what there is start `manabackup schedule run NAME --if-due` every hour; install it with --with none",
    )


def _read_crontab() -> str:
    """Empty where the user has none. Raises :class:`ManabackupError` where it cannot be read: it must not be lost."""
    done = _start(["crontab", "-l"])
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "surrogateescape")
    words = done.stderr.decode("utf-8", "replace")
    if done.returncode == 1 and "no crontab for" in words:
        return ""
    raise ManabackupError(f"crontab -l: {one_line(words) or f'exit code {done.returncode}'}")


def _write_crontab(text: str) -> None:
    _run(["crontab", "-"], text.encode("utf-8", "surrogateescape"))


def _must(command: Sequence[str]) -> None:
    _run(command)


def _run(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    done = _start(command, given)
    if done.returncode != 0:
        words = one_line(done.stderr.decode("utf-8", "replace")) or f"exit code {done.returncode}"
        raise ManabackupError(f"{' '.join(command)}: {words}")
    return done


def _quiet(command: Sequence[str]) -> str | None:
    """What a command prints; None where it fails."""
    try:
        done = _start(command)
    except ManabackupError:
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _start(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603 # the system's own programs
            command, input=given, capture_output=True, check=False, timeout=_PATIENCE, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else "does not end"
        raise ManabackupError(f"{command[0]}: {reason}") from None
