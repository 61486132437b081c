"""The whole examination, in the order in which trouble is looked for. It writes nothing, and asks nobody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo

from ...errors import ManabackupError
from ...host.secret_sources import SecretCommand, secret_text
from ...host.zone import machine_zone
from ...text.jsontext import JSON
from ..account.last_backup import LastBackup, last_backup
from ..account.settings import Settings, resolve_whatever
from ..account.state import StateFolder
from . import computer, holdings
from .checks import Check, Level, guarded, unknown
from .servers import Servers, SignedInAccount, way


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    settings: Settings
    environ: Mapping[str, str]
    zone: tzinfo
    trouble: ManabackupError | None = None
    """What was wrong with the settings, where the ones given are only the usual ones."""
    token: Callable[[], str | None] = lambda: None
    """An access token that is at hand without asking anybody."""
    offline: bool = False
    thorough: bool = False
    """The mirror and the last archive are read to their ends."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found."""

    checks: tuple[Check, ...]

    @property
    def worst(self) -> Level:
        """Of all checks."""
        levels = {check.level for check in self.checks}
        return next(level for level in (Level.BROKEN, Level.ATTENTION, Level.UNKNOWN, Level.WELL) if level in levels)

    def to_json(self) -> dict[str, JSON]:
        """The object that ``doctor --json`` prints (``formats/schemas/doctor.schema.json``)."""
        return {"worst": self.worst.value, "checks": [check.to_json() for check in self.checks]}


def doctor(
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    offline: bool = False,
    thorough: bool = False,
) -> Examined:
    """:func:`examine` this computer, with options by their names without dashes, such as ``{"state-dir": "/backups"}``.

    ``environ`` is the process' own unless given. An access token is taken from a file or the environment.
    """
    around = os.environ if environ is None else environ
    settings, trouble = resolve_whatever(flags or {}, around)
    return examine(
        Patient(settings, around, machine_zone(), trouble, lambda: token_at_hand(settings), offline, thorough)
    )


def token_at_hand(settings: Settings) -> str | None:
    """The access token that a file or the environment gives: a command, which might ask somebody, is not run.

    Raises what reading it raises.
    """
    source = settings.secrets.find("token")
    if source is None or isinstance(source, SecretCommand):
        return None
    return secret_text(source, "access token")


def examine(patient: Patient) -> Examined:
    """Look at everything that a backup needs. Nothing is raised: what cannot be looked at is a finding."""
    return Examined(tuple(_examine(patient)))


def _examine(patient: Patient) -> Iterator[Check]:
    account, environ = patient.settings.account, patient.environ
    yield from guarded("program", computer.program)
    yield from guarded("locale", lambda: computer.language(environ))
    yield from guarded("terminal", lambda: computer.terminal(environ))
    yield from guarded("settings", lambda: computer.settings(patient.settings, patient.trouble))
    state = StateFolder(patient.settings.state_dir)
    last = _last(state, account.profile)
    yield from guarded("state", lambda: computer.state_folder(state.root))
    folders = [state.root, *([last.archive.parent] if last is not None and last.archive is not None else [])]
    yield from guarded("disk", lambda: computer.disks(folders))
    yield from guarded("keyring", computer.keyring)
    yield from guarded("proxy", lambda: way(environ))
    servers = Servers(account, reachable=not patient.offline)
    if patient.offline:
        yield unknown("servers", "not asked (--offline)")
    else:
        yield from guarded("servers", servers.answer)
        yield from guarded("clock", servers.time)
    whose = SignedInAccount(account, state, patient.token)
    yield from guarded("session", lambda: whose.examine(servers))
    yield from guarded("mirror", lambda: _mirror(patient, state, whose.user_id))
    yield from guarded("archive", lambda: holdings.archive(last, thorough=patient.thorough))
    yield from guarded("schedule", lambda: holdings.schedules(state, patient.zone))


def _mirror(patient: Patient, state: StateFolder, user_id: str | None) -> Iterator[Check]:
    path = None if user_id is None else state.mirror_path(patient.settings.account.sync_url, user_id)
    return holdings.mirror(path, thorough=patient.thorough)


def _last(state: StateFolder, profile: str) -> LastBackup | None:
    """What cannot be read is nothing: it is told of where the folder itself is looked at."""
    try:
        return last_backup(state, profile)
    except (ManabackupError, OSError):
        return None
