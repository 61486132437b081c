"""Archives of a follower: ``export`` in a process of its own, as each night of a schedule is.

So nothing of an export stays in the memory of a program that runs for weeks, and all cores take part in it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, TypeAlias

from ...errors import (
    AccessError,
    LockedError,
    ManabackupError,
    NotFoundError,
    ServerError,
    SignInError,
    UsageError,
)
from ...remote.answers import UnknownServerError
from ...text.jsontext import JSON
from ..places import is_there, located
from ..schedule.running import Finished, error_with, free_name
from ..schedule.spec import DATE, SecretPlace

_WAIT = 3_600
"""Seconds that an export waits for another run."""
_PASSING = (LockedError.exit_code, ServerError.exit_code)
_SOON = (*_PASSING, SignInError.exit_code)


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive was written."""

    archive: str
    bytes: int
    status: str
    losses: Mapping[str, int]

    def to_json(self) -> dict[str, JSON]:
        """What is told of it."""
        return {"archive": self.archive, "bytes": self.bytes, "status": self.status, "losses": dict(self.losses)}


@dataclass(frozen=True, slots=True)
class NotExported:
    """None was."""

    error: ManabackupError

    @property
    def may_pass(self) -> bool:
        """Whether it is not the command's own fault: another run, or no server."""
        return self.error.exit_code in _PASSING

    @property
    def is_tried_soon(self) -> bool:
        """Whether the next one is not waited for: what may pass, and what somebody mends by signing in."""
        return self.error.exit_code in _SOON


Export: TypeAlias = Callable[[datetime], Exported | NotExported]
"""Writes an archive; is given the time for its name."""


@dataclass(frozen=True, slots=True)
class ExportCommand:
    """An :data:`Export`: this program's command. Nothing in it is a secret, but for ``environment``."""

    program: Sequence[str]
    """What starts this program, with the options that stand before the command."""
    output: str
    """Where archives go, perhaps with ``{date}`` in the name."""
    options: Sequence[str] = ()
    secrets: Mapping[str, SecretPlace] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    zone: tzinfo | None = None
    """Whose days are named; None: this computer's."""
    check_account: Callable[[], object] = lambda: None
    """Raises where the command would work with another account than the one that is followed."""

    def check(self, *, force: bool) -> ServerError | None:
        """Looks at the place, and gives the error of one that does not answer now, and may later.

        Raises :class:`UsageError` where something lies that every archive would replace, :class:`NotFoundError`,
        :class:`AccessError`, and :class:`UnknownServerError` for a place that is hardly the one that was meant.
        """
        if DATE in self.output.rpartition("/")[0]:
            raise UsageError(f"{DATE} belongs into the file's name, not into a folder's")
        place = located(self.output)
        if isinstance(place, Path) and not place.parent.is_dir():
            raise NotFoundError(f"{place.parent} does not exist", hint="make the folder first")
        may_replace = force and DATE not in self.output
        try:
            is_taken = is_there(place)
        except UnknownServerError:
            raise
        except ServerError as error:
            return error
        except AccessError:
            if not may_replace:  # else one who may only write need not be allowed to look
                raise
            return None
        if DATE not in self.output and not force and is_taken:
            raise UsageError(
                f"{place} exists, and every archive would take its place",
                hint=f"write {DATE} into its name, or allow it with --force",
            )
        return None

    def __call__(self, now: datetime) -> Exported | NotExported:
        """Starts it and waits for it. What interrupts the waiting ends it, and it removes what it has begun."""
        try:
            self.check_account()
        except ManabackupError as error:
            return NotExported(error)
        path = free_name(self.output, now.astimezone(self.zone))
        command = [*self.program, "export", "--output", path, *self.options, f"--wait={_WAIT}"]
        command += ["--json", "--quiet"]
        if DATE not in self.output:
            command.append("--force")
        for name, place in self.secrets.items():
            command += [f"--{name}-{place.suffix}", place.place]
        done = _finished(command, {**os.environ, **self.environment})
        report: dict[str, Any] = done.report
        if done.code not in (0, 3) or "archive" not in report:
            return NotExported(error_with(done.code, f"export: {done.error or f'exit code {done.code}'}", done.hint))
        losses = report.get("completeness", {}).get("losses", {})
        return Exported(str(report["archive"]), int(report["bytes"]), str(report["status"]), losses)


def _finished(command: Sequence[str], environ: Mapping[str, str]) -> Finished:
    try:
        process = subprocess.Popen(  # noqa: S603 # this program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
        )
    except OSError as error:
        return Finished(1, "", f"error: {command[0]}: {error.strerror}")
    with process:
        try:
            out, err = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Finished(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
