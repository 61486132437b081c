"""Who is told of runs: a watcher's address, a command of the owner's, and the desktop. That nobody is told of a failure
is itself told, and changes nothing about the run.

The address is one of healthchecks' kind: ``<address>/start`` at the beginning, ``<address>/<exit code>`` at the end
(https://healthchecks.io/docs/http_api/). It is a secret and stands in a file. Nothing but the exit code is sent.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from ...errors import ManabackupError
from ...host.secret_sources import SecretFile, secret_text
from ...limits import DEFAULT_LIMITS
from ...remote.request import Request
from ...remote.transport import Transport
from .spec import Schedule
from .store import RunRecord

_PATIENT = replace(DEFAULT_LIMITS, attempts=2, request_seconds=10.0, connect_seconds=10.0)
_COMMAND_SECONDS = 300.0
_TITLE: Final = "manabackup"


class Telling:
    """Tells of the runs of one schedule. :attr:`untold` collects what went wrong with that, for people."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.untold: list[str] = []

    def begun(self) -> None:
        """A run has begun."""
        if self._schedule.ping_file is not None:
            self._ping(self._schedule.ping_file, "/start")

    def ended(self, record: RunRecord, *, worth_telling: bool) -> None:
        """A run has ended; ``worth_telling``: somebody should look at it."""
        if self._schedule.ping_file is not None:
            self._ping(self._schedule.ping_file, f"/{record.exit_code}")
        if not worth_telling:
            return
        words = told(self._schedule, record)
        if self._schedule.on_failure is not None:
            self._call(self._schedule.on_failure, words, record)
        if self._schedule.notify:
            self._notify(words)

    def _ping(self, file: str, path: str) -> None:
        with self._trying("the watcher could not be told"):
            address = secret_text(SecretFile(Path(file)), "address to ping").strip()
            with Transport(address.rstrip("/"), limits=_PATIENT) as server:
                answer = server.request(Request("GET", path))
            if answer.status >= 400:
                self.untold.append(f"the watcher could not be told: it answers {answer.status}")

    def _call(self, command: str, words: str, record: RunRecord) -> None:
        with self._trying("--on-failure"):
            environment = {
                **os.environ,
                "MANABACKUP_SCHEDULE": self._schedule.name,
                "MANABACKUP_EXIT_CODE": str(record.exit_code),
            }
            done = subprocess.run(  # noqa: S603 # the owner's own command
                shlex.split(command),
                input=f"{words}\n".encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                self.untold.append(f"--on-failure: the command failed with exit code {done.returncode}")

    def _notify(self, words: str) -> None:
        command = notification(words)
        if command is None:
            return
        with self._trying("the desktop could not be told"):
            subprocess.run(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_COMMAND_SECONDS,
                check=False,
            )

    @contextmanager
    def _trying(self, what: str) -> Iterator[None]:
        try:
            yield
        except ManabackupError as error:
            # An address is a secret: of what a server says only the kind is repeated.
            words = error.message if what.startswith("--") else type(error).__name__.removesuffix("Error")
            self.untold.append(f"{what}: {words}")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.untold.append(f"{what}: {type(error).__name__}")


def told(schedule: Schedule, record: RunRecord) -> str:
    """What became of a run that somebody should look at."""
    if record.exit_code == 3:
        kinds = ", ".join(f"{kind}: {count:,}" for kind, count in record.losses.items())
        return f"the backup `{schedule.name}` lacks something ({kinds}): {record.archive}"
    return f"the backup `{schedule.name}` failed at {record.step}, exit code {record.exit_code}: {record.message}"


def notification(words: str) -> list[str] | None:
    """The command that shows words on the desktop; None where there is none."""
    if sys.platform == "darwin" and shutil.which("osascript") is not None:
        script = "on run argv\ndisplay notification (item 1 of argv) with title (item 2 of argv)\nend run"
        return ["osascript", "-e", script, words, _TITLE]
    if shutil.which("notify-send") is not None and os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return ["notify-send", "--app-name", _TITLE, "--urgency", "critical", "--", _TITLE, words]
    return None
