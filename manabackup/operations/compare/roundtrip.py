"""Roundtrip: whether an archive can be restored, tried out on this computer.

A fresh account on the embedded server, under a key that is made for it, gets the archive's rows by the same way as a
real one: ``rekey``, ``restore``, ``export``. Then both archives are compared. What the rules of restoring change on
purpose is counted by kind (:mod:`.roundtrip_rules`), and so is what stays behind; anything else is a difference. Only
with neither of the latter two has the archive come back whole.

No network is used but the loopback interface. What lies on the disk meanwhile is what a server would hold, with private
fields under a key that is in memory only; both archives in between are sealed and have no name while they are read.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...archive.places import Location
from ...archive.reader import Archive, open_archive
from ...archive.writer import Seal
from ...crypto.fields import FieldCipher
from ...errors import OutputError, UsageError
from ...host.spooling import spool_files
from ...host.temporary_folder import temporary_folder
from ...mirror import Mirror
from ...model import registry
from ...model.spaces import PERSONAL
from ...remote.connection import Connection, connect
from ...remote.session import sign_in
from ...remote.transport import Transport
from ...sandbox import Asked, Sandbox
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import one_line, printable
from ..account.account_data import export_source
from ..account.key import AccountKey, KeyOrigin, unlock
from ..export import Selection
from ..progress import Progress, Step, Watch
from ..pull.account import pull as pull_account
from ..rekey import check_opener, rekey
from ..restore.from_archive import RestoreOrder
from ..restore.restoring import restore
from ..restore.result import RestoreResult
from ..restore.target_account import TargetAccount, target_account
from .diff import Diff, Side, diff
from .live import live_archive
from .roundtrip_rules import LEFT_BEHIND, NewAccount, RoundtripRules

_EMAIL, _NAME = "roundtrip@example.org", "Roundtrip"
_BOOTSTRAPPED = (("profile", "userContext"), ("kontext", "kontextDoc"))
"""App and collection of what the account service writes for a new user and a new space."""
_MOST_SPACES = 200
"""Spaces of an archive that get one of their own in the account, which has a handful itself. The rest shares one."""
_ANSWER_ROWS = 10_000

STEPS = ("rekey", "restore", "verify", "export", "compare")
"""What ``progress`` is told of."""


class _Steps:
    """Tells of the steps of a roundtrip."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self._step = STEPS[0]

    def reach(self, step: str) -> None:
        self._step = step
        self.again()

    def again(self, _: object = None) -> None:
        """Also in the middle of a step, so that whoever watches can end it."""
        if self._watch is not None:
            self._watch(Progress(Step.ROUNDTRIP, STEPS.index(self._step), len(STEPS), self._step))

    def while_restoring(self, progress: Progress) -> None:
        if progress.step is Step.READ_AGAIN and self._step != "verify":
            self.reach("verify")
        else:
            self.again()


@dataclass(frozen=True, slots=True)
class RoundtripResult:
    """What came of one archive."""

    archive: Location
    diff: Diff
    """What differs and was not expected."""
    expected: dict[str, int]
    """What the rules change on purpose, kind → fields or rows (:data:`.roundtrip_rules.EXPECTED`)."""
    left_behind: dict[str, int]
    """What the archive has and the account has not, kind → fields or rows (:data:`.roundtrip_rules.LEFT_BEHIND`)."""
    left_behind_cases: list[dict[str, JSON]]
    """The first of it, by table, id, field and reason."""
    refused: int
    """Rows that the server did not take."""
    not_as_planned: int
    """Rows that the account did not show as planned when it was read again."""
    status: str | None = None
    """``complete`` or ``partial`` as the archive's writer knew it, None where the archive does not say."""

    @property
    def equal(self) -> bool:
        """Whether everything came back."""
        return self.diff.equal and not self.left_behind and not self.refused and not self.not_as_planned

    @property
    def rows(self) -> int:
        """How many the archive has."""
        return self.diff.rows[0]

    def to_json(self) -> dict[str, Any]:
        """One of the ``files`` that ``roundtrip --json`` prints (``formats/schemas/roundtrip.schema.json``)."""
        return {
            "archive": str(self.archive),
            "equal": self.equal,
            "rows": self.rows,
            "expected": self.expected,
            "leftBehind": self.left_behind,
            "leftBehindCases": self.left_behind_cases,
            "differences": {name: table.to_json() for name, table in self.diff.tables.items()},
            "refused": self.refused,
            "notAsPlanned": self.not_as_planned,
            "status": self.status,
        }


def roundtrip(
    archive: Archive,
    *,
    opener: FieldCipher | None = None,
    accepted: Collection[str] = (),
    progress: Watch | None = None,
) -> RoundtripResult:
    """Restores an open archive into an account that is made for it, exports that, and compares.

    ``opener`` opens what is encrypted in the archive. What stays behind for one of the reasons ``accepted``
    (:data:`.roundtrip_rules.LEFT_BEHIND`) counts as expected. ``progress`` is told of :attr:`Step.ROUNDTRIP`, with the
    next of :data:`STEPS`. Folders for temporary files must have room for several times the archive's rows.

    Raises :class:`DamagedArchiveError`, :class:`WrongKeyError` and :class:`UsageError` as ``rekey`` does, and
    :class:`OutputError`.
    """
    unknown = sorted({*accepted} - LEFT_BEHIND.keys())
    if unknown:
        kinds = ", ".join(sorted(LEFT_BEHIND))
        raise UsageError(f"nothing stays behind for this reason: {one_line(str(unknown[0]), 120)}", hint=kinds)
    steps = _Steps(progress)
    check_opener(archive, opener)
    key = secrets.token_bytes(32)
    with _scratch() as folder, Sandbox(folder=folder / "server") as box, _owner(box, key) as connection:
        steps.reach("rekey")
        with _rekeyed(archive, folder, FieldCipher(key), opener, steps) as encrypted:
            steps.reach("restore")
            order = _order(box, connection, encrypted)
            there_before = _bootstrapped(box, connection.user_id)
            target = target_account(connection, AccountKey(FieldCipher(key), KeyOrigin.GIVEN))
            done = _restore(encrypted, target, order, folder, steps)
        steps.reach("export")
        with (
            Mirror(
                folder / "mirror.sqlite",
                sync_url=connection.sync.base_url,
                user_id=connection.user_id,
                guarded=False,
            ) as mirror,
            _exported(mirror, connection, key, folder, steps) as copy,
        ):
            steps.reach("compare")
            spaces = {space.id for space, _ in box.accounts.spaces.of_user(connection.user_id)}
            account = NewAccount(connection.user_id, spaces, there_before)
            rules = RoundtripRules(registry.load(), account, done.plan, accepted)
            one = Side(archive, opener)
            make_file = spool_files(folder / "sorted")
            found = diff(one, Side(copy), make_file=make_file, with_identity=True, expected=rules, progress=steps.again)
            rules.settle(found)
    failed = done.verification.differing if done.verification is not None else 0
    return RoundtripResult(
        archive.path,
        found,
        expected=dict(sorted(rules.counts.items())),
        left_behind=dict(sorted(rules.left.items())),
        left_behind_cases=rules.left_cases,
        refused=done.failed,
        not_as_planned=failed,
        status=archive.manifest.status,
    )


@contextmanager
def _scratch() -> Iterator[Path]:
    with temporary_folder("manabackup-roundtrip-") as folder:
        try:
            yield folder
        except sqlite3.Error as error:  # of the embedded server's own databases
            place = printable(str(folder.parent))
            raise OutputError(f"cannot write {place}: {error}", hint="TMPDIR names another folder") from error


@contextmanager
def _owner(box: Sandbox, key: bytes) -> Iterator[Connection]:
    """The new account, signed in as anybody would."""
    password = secrets.token_urlsafe(16)
    user = box.accounts.create_user(_EMAIL, password, _NAME)
    box.accounts.set_vault(user.id, "zero-knowledge", key)
    with Transport(box.auth_url) as transport:
        session = sign_in(transport, _EMAIL, password)
    with connect(session, auth_url=box.auth_url, sync_url=box.sync_url) as connection:
        yield connection


@contextmanager
def _rekeyed(
    archive: Archive, folder: Path, cipher: FieldCipher, opener: FieldCipher | None, steps: _Steps
) -> Iterator[Archive]:
    passphrase = secrets.token_urlsafe(32)
    path = folder / "rekeyed"
    rekey(archive, path, cipher, opener=opener, seal=Seal(passphrase), progress=steps.again)
    with open_archive(path, lambda: passphrase) as encrypted:
        path.unlink()
        yield encrypted


def _order(box: Sandbox, connection: Connection, archive: Archive) -> RestoreOrder:
    """Everything goes into the account, what was deleted too, and each shared space into a personal one of its own."""
    mapped: list[str] = []
    for number, line in enumerate(archive.meta("spaces")):
        if line.get("type") != PERSONAL and len(mapped) < _MOST_SPACES:
            space = box.accounts.create_space(connection.user_id, f"#{number}", PERSONAL)
            mapped.append(f"#{number}={space}")
    box.forget_memberships()
    return RestoreOrder(map_space=tuple(mapped), shared_into_personal=True, include_deleted=True)


def _bootstrapped(box: Sandbox, user_id: str) -> set[tuple[str, str]]:
    """(table, id) of the rows that the account begins with."""
    by_collection = registry.load().by_collection
    return {
        (by_collection[app, collection].name, jsontext.parse(row.wire())["id"])
        for app, collection in _BOOTSTRAPPED
        for row in box.log.pull(app, collection, Asked(user_id, [], "", 0, _ANSWER_ROWS))
    }


def _restore(
    archive: Archive, target: TargetAccount, order: RestoreOrder, folder: Path, steps: _Steps
) -> RestoreResult:
    return restore(
        archive, target, folder / "restore", confirm=lambda plan: True, order=order, progress=steps.while_restoring
    )


@contextmanager
def _exported(mirror: Mirror, connection: Connection, key: bytes, folder: Path, steps: _Steps) -> Iterator[Archive]:
    pull_account(mirror, connection, progress=steps.again)
    unlocked = unlock(mirror, connection, master_key=key)
    with (
        export_source(mirror, unlocked, connection) as source,
        live_archive(source, Selection(include_deleted=True), folder, progress=steps.again) as copy,
    ):
        yield copy
