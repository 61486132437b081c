"""One run of a schedule: look at the disk, let the command do its work, verify what it wrote, and let old archives go.

Each command is a process of its own, as if somebody had typed it. No server in reach is not the end of a night: it is
asked again, an hour in all, since a laptop that wakes finds its network later than its clock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from ... import errors
from ...errors import JSONTextError, ManabackupError, OutputError, ServerError
from ...limits import MIB
from ...text import jsontext
from ...text.printable import one_line
from ..places import is_address, is_there, located
from .managers import Systemd
from .spec import DATE, Schedule, SecretKind, SecretPlace
from .store import RunRecord, ScheduleStore
from .telling import Telling

PAUSES: Final = (60.0, 300.0, 900.0, 2_340.0)
"""Seconds before the second attempt and those after it; an hour together."""
SPARE: Final = 64 * MIB
"""Bytes that a disk should have besides what is to be written."""
_WAIT = 3_600
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_DISK_FULL = OutputError.exit_code
_NO_SERVER = ServerError.exit_code


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Its last error in words."""
        return self._last("error: ")

    @property
    def hint(self) -> str:
        """What to do about that."""
        return self._last("hint: ")

    @property
    def report(self) -> dict[str, Any]:
        """What it printed with ``--json``; empty where that is no object."""
        try:
            found = jsontext.parse(self.out.encode())
        except JSONTextError:
            return {}
        return found if isinstance(found, dict) else {}

    def _last(self, label: str) -> str:
        lines = [line.removeprefix(label) for line in self.err.splitlines() if line.startswith(label)]
        return one_line(lines[-1], 500) if lines else ""


def is_due(schedule: Schedule, store: ScheduleStore, *, now: datetime, zone: tzinfo) -> bool:
    """Whether the hour has come since the last run began, or since the schedule was made."""
    due = schedule.when.last_due(now, zone)
    last = store.last_run()
    begun = last.started_at if last is not None else datetime.fromisoformat(schedule.installed_at)
    return begun < due


def run(
    schedule: Schedule,
    store: ScheduleStore,
    *,
    zone: tzinfo,
    say: Callable[[str], object] = lambda _: None,
    sleep: Callable[[float], object] = time.sleep,
    environ: Mapping[str, str] | None = None,
) -> RunRecord:
    """Do what a schedule says, tell of it, and keep how it ended. Whatever went wrong is in the record.

    ``say`` is given what the commands say to people. Raises :class:`LockedError` while the same schedule runs
    elsewhere, :class:`OutputError` where the state folder takes nothing.
    """
    with store.lock():
        telling = Telling(schedule)
        telling.begun()
        before = store.last_run()
        run = _Run(schedule, store, zone=zone, say=say, sleep=sleep, environ=os.environ if environ is None else environ)
        record = store.note_run(run.run())
        telling.ended(record, worth_telling=_is_news(record, before))
        for words in telling.untold:
            say(f"warning: {words}")
    return record


def error_of(record: RunRecord) -> ManabackupError:
    """The error of a run that was not good, with the exit code that it had."""
    words = f"{record.step}: {record.message or f'exit code {record.exit_code}'}"
    return error_with(record.exit_code, words, record.hint)


def error_with(code: int, message: str, hint: str = "") -> ManabackupError:
    """An error of another process as one of this one, by its exit code."""
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ManabackupError))
    kind = next((kind for kind in kinds if kind.exit_code == code), ManabackupError)
    return kind(message, hint=hint or None)


def _is_news(record: RunRecord, before: RunRecord | None) -> bool:
    """A failure always is; that something is missing is told once, and again when it becomes something else."""
    if record.exit_code == 3:
        return before is None or before.exit_code != 3 or before.losses != record.losses
    return record.exit_code != 0


class _Run:
    def __init__(
        self,
        schedule: Schedule,
        store: ScheduleStore,
        *,
        zone: tzinfo,
        say: Callable[[str], object],
        sleep: Callable[[float], object],
        environ: Mapping[str, str],
    ) -> None:
        self._schedule = schedule
        self._store = store
        self._zone = zone
        self._say = say
        self._sleep = sleep
        self._environ = environ
        self._started = _now()
        self._attempts = 1
        self._report: dict[str, Any] = {}
        self._archive: str | None = None
        """Where today's goes: a path, or an address."""
        self._verified: bool | None = None
        self._removed = 0

    def run(self) -> RunRecord:
        output = self._schedule.output
        self._archive = free_name(output, self._started.astimezone(self._zone)) if output is not None else None
        lacking = self._lacking_space()
        if lacking is not None:
            return self._record("space", Finished(_DISK_FULL, "", f"error: {lacking}"))
        done = self._command()
        self._report = done.report
        if done.code not in (0, 3):
            return self._record(self._schedule.command, done)
        if self._archive is not None:
            verified = self._start(["verify", self._archive], ["passphrase"] if self._seals else [])
            self._verified = verified.code == 0
            if not self._verified:
                return self._record("verify", verified)
        if self._archive is not None and self._schedule.keep:
            words = ["prune", _folder_of(self._archive), *self._schedule.keep, "--yes"]
            pruned = self._start(words, ["passphrase"] if self._seals else [])
            self._removed = len(pruned.report.get("removed", []))
            if pruned.code != 0:
                return self._record("prune", pruned)
        return self._record(self._schedule.command, done)

    @property
    def _seals(self) -> bool:
        return "--seal" in self._schedule.words

    def _command(self) -> Finished:
        words = list(self._schedule.words)
        if self._archive is not None:
            words[words.index("--output") + 1] = self._archive
        for pause in (*PAUSES, None):
            done = self._start([*words, f"--wait={_WAIT}"], list(self._schedule.secrets))
            if done.code != _NO_SERVER or pause is None:
                break
            self._say(f"the server does not answer; once more in {pause / 60:.0f} minutes")
            self._sleep(pause)
            self._attempts += 1
        return done

    def _start(self, words: Sequence[str], secrets: Sequence[str]) -> Finished:
        command = [*self._schedule.program, "--state-dir", self._schedule.state_dir, *words, "--json", "--quiet"]
        for name in secrets:
            if (place := self._schedule.secrets.get(name)) is not None:
                command += _secret_option(name, place, self._environ)
        environment = {**self._environ, **self._schedule.environment}
        try:
            done = subprocess.run(  # noqa: S603 # this program
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment
            )
        except OSError as error:
            return Finished(1, "", f"error: {command[0]}: {error.strerror}")
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        for line in err.splitlines():
            if not line.startswith(("error: ", "hint: ")):  # which are in the record
                self._say(line)
        return Finished(done.returncode if done.returncode >= 0 else 128 - done.returncode, out, err)

    def _lacking_space(self) -> str | None:
        """Which disk has too little room, before a night's work is begun that cannot end well."""
        for folder, needed in self._needs():
            try:
                free = shutil.disk_usage(folder).free
            except OSError as error:
                return f"{folder}: {error.strerror}"
            if free < needed:
                return f"{folder} has {free / MIB:,.0f} MiB free, and {needed / MIB:,.0f} MiB may be needed"
        return None

    def _needs(self) -> Iterator[tuple[Path, int]]:
        """A new archive is about as large as the last one; twice that, for what is set aside meanwhile."""
        last = self._store.last_run()
        yield self._store.folder, SPARE
        if self._archive is not None:
            yield (
                Path(tempfile.gettempdir() if is_address(self._archive) else _folder_of(self._archive)),
                SPARE + 2 * (last.bytes if last is not None else 0),
            )

    def _record(self, step: str, done: Finished) -> RunRecord:
        completeness = self._report.get("completeness")
        losses = completeness.get("losses") if isinstance(completeness, dict) else None
        written = self._archive if self._report and self._archive is not None else None
        size, status = self._report.get("bytes"), self._report.get("status")
        return RunRecord(
            started_at=self._started,
            ended_at=_now(),
            exit_code=done.code,
            step=step,
            message=done.error,
            hint=done.hint,
            archive=written,
            bytes=size if isinstance(size, int) else 0,
            status=status if isinstance(status, str) else None,
            losses={str(kind): int(count) for kind, count in (losses or {}).items()},
            verified=self._verified,
            attempts=self._attempts,
            removed=self._removed,
        )


def _folder_of(archive: str) -> str:
    """As ``prune`` takes it."""
    return archive[: archive.rindex("/") + 1] if is_address(archive) else str(Path(archive).parent)


def free_name(output: str, now: datetime) -> str:
    """Where today's archive goes: the day in its name, and a number behind it where that one is there already."""
    if DATE not in output:
        return output
    for number in range(1, 1_000):
        day = f"{now:%Y-%m-%d}" if number == 1 else f"{now:%Y-%m-%d}-{number}"
        name = output.replace(DATE, day)
        try:
            if not is_there(located(name)):
                break
        except ManabackupError:  # of a far place; the run itself is told why, and tells it
            break
    return name


def _now() -> datetime:
    """As it is kept: to the millisecond."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)


def _secret_option(name: str, place: SecretPlace, environ: Mapping[str, str]) -> list[str]:
    """How a command is told of a secret: from systemd where that started the run."""
    folder = environ.get(_CREDENTIALS)
    if place.kind is not SecretKind.COMMAND and folder and (Path(folder) / name).exists():
        return [f"--{name}-file", str(Path(folder) / name)]
    if place.kind is SecretKind.CREDENTIAL and place.place.endswith(".cred"):
        import shlex

        return [f"--{name}-command", shlex.join(Systemd().decrypting(name, place.place))]
    return [f"--{name}-{place.suffix}", place.place]
