"""Making a schedule: what was asked for as a whole, shown before anything is done, and done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ...errors import NotFoundError, OutputError, UsageError
from ...host.secret_sources import SecretFile
from ..account.state import StateFolder
from ..places import is_address, located
from .managers import MANAGERS, Installation, Manager, Systemd, carry_out, manager_called
from .spec import Schedule, SecretKind, SecretPlace, check_name, check_output
from .store import ScheduleStore

COMMANDS = ("export", "pull")
"""What can be scheduled."""


@dataclass(frozen=True, slots=True)
class Order:
    """A schedule that somebody wants."""

    schedule: Schedule
    """Without a manager; of its secrets those that lie in files or come from commands."""
    held: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Secrets that stand nowhere yet: somebody typed them, or they come from the environment."""
    manager: str | None = None
    """None for the first one that is there."""


@dataclass(frozen=True, slots=True)
class PlannedInstallation:
    """What installing a schedule will do."""

    order: Order
    schedule: Schedule
    manager: Manager
    installation: Installation
    encrypts: bool
    """Whether systemd encrypts the secrets."""
    notes: Sequence[str]

    def shown(self) -> list[str]:
        """All that is written and run, for somebody who is to say yes."""
        lines = [f"{' '.join(self.schedule.words)}, {self.schedule.when}", *self.installation.shown()]
        for name, place in self.schedule.secrets.items():
            if place.kind is SecretKind.CREDENTIAL:
                kept = "encrypted by systemd for this user and computer" if self.encrypts else "readable for you alone"
                lines.append(f"--- {place.place}: the {name}, {kept}")
        return lines


def plan(order: Order, state: StateFolder) -> PlannedInstallation:
    """What it takes; nothing is done yet. Raises :class:`UsageError`, :class:`NotFoundError`."""
    wanted = order.schedule
    store = ScheduleStore(state, check_name(wanted.name))
    if wanted.command not in COMMANDS:
        raise UsageError(f"{wanted.command} is not scheduled", hint=f"what is: {', '.join(COMMANDS)}")
    check_output(wanted.words, wanted.output)
    if wanted.output is not None and is_address(wanted.output):
        located(wanted.output)  # or it can be none
    elif wanted.output is not None and not Path(wanted.output).parent.is_dir():
        raise NotFoundError(f"{Path(wanted.output).parent} does not exist", hint="make the folder first")
    if wanted.keep and wanted.output is None:
        raise UsageError("there is nothing to remove old ones of: --keep-… goes with export")
    manager = manager_called(order.manager)
    encrypts = isinstance(manager, Systemd) and manager.encrypts()
    secrets = dict(wanted.secrets)
    for name in order.held:
        secrets[name] = SecretPlace(SecretKind.CREDENTIAL, str(store.folder / name))
    if encrypts:
        for name, place in secrets.items():
            if place.kind is not SecretKind.COMMAND:
                secrets[name] = SecretPlace(SecretKind.CREDENTIAL, str(store.folder / f"{name}.cred"))
    schedule = replace(
        wanted, secrets=secrets, manager=manager.name, installed_at=datetime.now(UTC).isoformat(timespec="seconds")
    )
    encrypted = {name: place.place for name, place in secrets.items() if place.place.endswith(".cred") and encrypts}
    command = (*schedule.program, "--state-dir", schedule.state_dir, "schedule", "run", schedule.name)
    installation = manager.plan(schedule, command, log=store.folder / "log", encrypted=encrypted)
    return PlannedInstallation(
        order, schedule, manager, installation, encrypts, [*installation.notes, *_notes(schedule)]
    )


def install(planned: PlannedInstallation, state: StateFolder, *, held: Mapping[str, bytes] | None = None) -> Schedule:
    """Do it; a schedule of the same name is replaced. ``held`` are the order's secrets, where it only named them.

    Raises :class:`OutputError`, :class:`ManabackupError`.
    """
    schedule, order = planned.schedule, planned.order
    store = ScheduleStore(state, schedule.name)
    try:
        before = store.load()
    except (NotFoundError, OutputError):
        before = None
    if before is not None and before.manager != schedule.manager and before.manager in MANAGERS:
        MANAGERS[before.manager].remove(before.name)
    for name, place in schedule.secrets.items():
        if place.kind is SecretKind.CREDENTIAL:
            content = (order.held if held is None else held).get(name)
            if content is None:
                content = SecretFile(Path(order.schedule.secrets[name].place)).read()
            if planned.encrypts and isinstance(planned.manager, Systemd):
                content = planned.manager.encrypt(name, content)
            store.keep_secret(Path(place.place).name, content)
    store.save(schedule)
    carry_out(planned.installation)
    return schedule


def remove(state: StateFolder, name: str) -> Schedule | None:
    """Take a schedule away, with the secrets that were its own; its archives stay. None where it could not be read.

    Raises :class:`NotFoundError` where there is none, :class:`ManabackupError`.
    """
    store = ScheduleStore(state, check_name(name))
    schedule: Schedule | None = None
    managers: Sequence[Manager]
    try:
        schedule = store.load()
        managers = [MANAGERS[schedule.manager]] if schedule.manager in MANAGERS else []
    except OutputError:
        managers = [manager for manager in MANAGERS.values() if manager.is_there()]
    for manager in managers:
        manager.remove(name)
    store.forget()
    return schedule


def _notes(schedule: Schedule) -> list[str]:
    notes = []
    if schedule.command == "export" and "--seal" not in schedule.words:
        notes.append("the archives are not encrypted: who holds them can read them (--seal)")
    if schedule.command == "export" and not schedule.secrets.keys() & {"recovery-code", "key"}:
        notes.append("an account with a zero-knowledge vault needs --recovery-code-file or --key-file too")
    return notes
