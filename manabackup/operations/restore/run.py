"""One restore from beginning to end: planned, carried out, verified, each step able to go on where it stopped."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from ... import jsontext, registry
from ...archive.names import entry
from ...archive.reader import Archive
from ...crypto.fields import FieldCipher
from ...errors import ManabackupError, ServerError, UsageError, WrongKeyError
from ...mirror import Mirror
from ...output import writing_to
from ...printable import printable
from ...registry import Registry
from ...remote.account import organizations
from ...remote.connection import Connection
from ...remote.sync import PushClient, SyncClient
from ...timestamps import SECOND, parse_timestamp
from .. import pull as pulling
from ..export import PERSONAL
from ..pull.reading import Progress as PullProgress
from ..rows import is_ours
from ..spooling import spool_files
from .archive_rows import ArchiveRows, RowOptions
from .changes import timestamp
from .check import Verification, verify
from .identity import ArchiveSpaces, SpaceOptions, TargetSpaces
from .outbox import Outbox, Stage, State
from .plan import Kind, OnConflict, Rules
from .planning import Planner, Tables
from .push import CLOCK, Push
from .report import MOST_CASES, Report
from .result import Result
from .target import Target
from .writing import Writer

Progress = Callable[[int, int], None]
_MOST_APART = 86_400
"""Seconds between two clocks that are both right, somehow."""
_END = parse_timestamp("9999-12-31T23:59:59.999Z")
_OUTBOX, _PLANNED, _VERIFIED = "outbox.sqlite", "target.sqlite", "verified.sqlite"


class UnfinishedError(ManabackupError):
    """A restore into the same account was begun by another command and is not finished."""

    default_hint = "run that command again; or --no-resume, which gives up what it had still to send"


class ConflictError(ManabackupError):
    """Rows are in the way, and that was to stop everything. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. Empty sequences mean everything."""

    on_conflict: OnConflict = OnConflict.OVERWRITE
    apps: Sequence[str] = ()
    tables: Sequence[str] = ()
    ids: Sequence[str] = ()
    """Ids of rows in the archive."""
    spaces: Sequence[str] = ()
    """Of the archive: ids, ``#n``, or ``personal``, which includes the tables of the user."""
    map_space: Sequence[str] = ()
    """``OLD=NEW``."""
    shared_into_personal: bool = False
    shared_plaintext: bool = False
    private_into_shared: bool = False
    include_deleted: bool = False
    replace_ai: bool = False
    keep_visibility: bool = False
    in_clear: bool = False
    """Store private fields in clear where the target has no vault."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that is written for."""

    connection: Connection
    spaces: TargetSpaces
    cipher: FieldCipher | None = None
    """None where its key is not at hand, or there is none."""
    has_vault: bool = True


def target_spaces(connection: Connection, personal: str | None = None) -> TargetSpaces:
    """The spaces of an account, as far as it can be asked for them; ``personal`` is its personal one, if it was named.

    Raises :class:`ServerError`, :class:`SignInError`.
    """
    if connection.session is None:
        return TargetSpaces(connection.user_id, None, personal)
    spaces = organizations(connection.auth, connection.session)
    if personal is None:
        # There may be several that call themselves personal; the service marks the one that it made.
        candidates = sorted((space for space in spaces if space.type == PERSONAL), key=lambda space: space.tier is None)
        personal = candidates[0].id if candidates else None
    return TargetSpaces(connection.user_id, {space.id: space.type or PERSONAL for space in spaces}, personal)


class Restore:
    """One restore of an open archive into an account. Use as a context manager; ``folder`` is its own.

    What was only planned is forgotten at the end; what was begun to be sent stays until it is done.

    Everything raises :class:`DamagedArchiveError`, :class:`OutputError`, :class:`LockedError`.
    """

    def __init__(self, archive: Archive, account: Account, order: Order, folder: Path) -> None:
        self._archive = archive
        self._account = account
        self._order = order
        self._folder = folder
        self._registry: Registry = registry.load()
        with writing_to(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_file = spool_files(folder / _OUTBOX)
        self._outbox = Outbox(folder / _OUTBOX)
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._closed:
            return
        if self._outbox.stage in (None, Stage.PLANNING):
            self.forget()
        else:
            self._outbox.close()

    # --- what was begun before

    def resumed(self) -> Report | None:
        """The plan of the same command that did not come to its end; None when there is none.

        Raises :class:`UnfinishedError` when it was another command.
        """
        if self._outbox.stage in (None, Stage.PLANNING):
            return None
        if self._outbox.recall("command") != self._command():
            name = self._outbox.recall("archive")
            raise UnfinishedError(f"a restore of {printable(str(name))} into this account is not finished")
        return Report.of_json(self._outbox.recall("report"))

    def abandon(self) -> None:
        """Gives up what another command had still to send. What may be half done is finished first.

        Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        if self._outbox.stage is Stage.PUSHING:
            self._push().finish_begun()
        self._begin_anew()

    # --- the steps

    def plan(self, *, pulling_progress: PullProgress | None = None, progress: Progress | None = None) -> Report:
        """Reads the target, decides on every row, and fills the outbox. Nothing is sent.

        Raises :class:`UsageError` for what cannot be done, :class:`WrongKeyError` for an archive under another key,
        :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        self._check_key()
        spaces = self._archive_spaces()
        chosen = Tables(self._order.apps, self._order.tables).chosen(self._archive, self._registry)
        if not chosen:
            raise UsageError("the archive has none of these tables")
        self._begin_anew()
        self._outbox.reach(Stage.PLANNING)
        report = Report()
        with self._mirror(_PLANNED) as mirror:
            filled = [name for name in chosen if self._archive.container.entries[entry("data", name)].size]
            pulled = self._pull(mirror, filled, pulling_progress)
            _check_clock(pulled.started_at)
            now = _milliseconds(pulled.started_at)
            with mirror.snapshot() as snapshot:
                target = Target(snapshot, self._registry, self._make_file)
                options = RowOptions(
                    frozenset(self._order.ids),
                    self._chosen_spaces(spaces),
                    self._order.keep_visibility,
                    self._order.in_clear and not self._account.has_vault,
                )
                rows = ArchiveRows(
                    self._archive,
                    self._registry,
                    self._account.cipher,
                    spaces,
                    options,
                    self._make_file,
                    homes=target.homes(),
                )
                rules = Rules(now, self._order.on_conflict, self._order.replace_ai)
                writer = Writer(self._account.spaces, rules, private_into_shared=self._order.private_into_shared)
                planner = Planner(
                    self._archive,
                    self._registry,
                    rows,
                    spaces,
                    target,
                    writer,
                    self._order.include_deleted,
                    report,
                )
                planner.plan(chosen, self._outbox, progress)
        self._remove(_PLANNED)
        for key, value in (
            ("report", report.to_json()),
            ("command", self._command()),
            ("archive", self._archive.path.name),
            (CLOCK, pulled.started_at),
        ):
            self._outbox.remember(key, value)
        return report

    def push(self, progress: Progress | None = None) -> None:
        """Sends what was planned, or what is left of it.

        Raises :class:`ConflictError` when rows are in the way that were to stop it, :class:`ServerError`,
        :class:`SignInError`, :class:`SubscriptionError`; the same command goes on from there.
        """
        conflicts = Report.of_json(self._outbox.recall("report")).count(Kind.CONFLICT)
        if conflicts:
            raise ConflictError(f"{conflicts:,} rows differ from those of the target; nothing was sent")
        if self._outbox.stage is Stage.VERIFYING:
            return
        self._outbox.reach(Stage.PUSHING)
        self._push(progress).run()
        self._outbox.reach(Stage.VERIFYING)

    def verify(self, pulling_progress: PullProgress | None = None) -> Verification:
        """Reads the account once more, as a device that it has never seen, and compares.

        Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`.
        """
        self._remove(_VERIFIED)
        with self._mirror(_VERIFIED) as mirror:
            pulled = self._pull(mirror, self._outbox.tables(), pulling_progress)
            with mirror.snapshot() as snapshot:
                target = Target(snapshot, self._registry, self._make_file)
                return verify(self._outbox, target, _milliseconds(pulled.started_at))

    def result(self, verification: Verification | None) -> Result:
        """What the outbox says of the end; ``verification`` is None when nothing was sent."""
        counts = self._outbox.counts()
        done = {kind: count for (kind, state), count in counts.items() if state is State.DONE}
        inserted = done.pop(Kind.INSERT.value, 0)
        return Result(
            Report.of_json(self._outbox.recall("report")),
            inserted=inserted,
            updated=sum(done.values()),
            failed=sum(count for (_, state), count in counts.items() if state is State.FAILED),
            failures=self._outbox.failures(MOST_CASES),
            verification=verification,
        )

    def forget(self) -> None:
        """The restore is done: nothing of it is kept."""
        self._closed = True
        self._outbox.close()
        with writing_to(self._folder):
            shutil.rmtree(self._folder)

    # --- below

    def _check_key(self) -> None:
        manifest, cipher = self._archive.manifest, self._account.cipher
        if manifest.fields_plaintext:
            if cipher is None and self._account.has_vault:
                raise UsageError("the target's key is needed to encrypt the archive's private fields")
            if cipher is None and not self._order.in_clear:
                raise UsageError(
                    "the target account has no key: its private fields would lie on the server in clear",
                    hint="sign in to the web app with it once, which makes a key",
                )
            return
        if not self._account.has_vault:
            raise WrongKeyError("the archive is encrypted, and the target account has no key")
        stated = manifest.key_fingerprint
        if cipher is not None and stated is not None and stated != cipher.fingerprint:
            raise WrongKeyError(
                f"the archive is encrypted under another key ({stated}) than the target's ({cipher.fingerprint})",
                hint="`manabackup rekey` puts it under the target's key",
            )

    def _archive_spaces(self) -> ArchiveSpaces:
        archive, manifest = self._archive, self._archive.manifest
        found = () if is_ours(archive) else self._spaces_in_rows()
        spaces = ArchiveSpaces.of(archive.meta("spaces"), found, self._account.spaces)
        scope, stated = manifest.raw["scope"], manifest.raw.get("filter")
        narrowed = isinstance(stated, dict) and bool(stated.get("spaces"))
        spaces.settle(
            SpaceOptions(self._order.map_space, self._order.shared_into_personal, self._order.shared_plaintext),
            holds_everything=isinstance(scope, dict) and scope.get("type") == "full" and not narrowed,
            fields_plaintext=manifest.fields_plaintext,
        )
        return spaces

    def _spaces_in_rows(self) -> Iterator[str]:
        for name in self._archive.tables:
            table = self._registry.by_name.get(name)
            for row in self._archive.rows(name) if table is not None and table.scope == "space" else ():
                space = row.values().get("spaceId")
                if type(space) is str and space:
                    yield space

    def _chosen_spaces(self, spaces: ArchiveSpaces) -> set[int] | None:
        if not self._order.spaces:
            return None
        chosen: set[int] = set()
        for name in self._order.spaces:
            chosen.update(spaces.named(name))
            if name == PERSONAL:
                chosen.add(-1)
        return chosen

    def _command(self) -> str:
        """What tells whether a command is the same: archive, account, and all that was asked for."""
        manifest = self._archive.manifest
        content = manifest.data_sha256 or jsontext.dumps(manifest.raw).decode("utf-8", "surrogatepass")
        cipher = self._account.cipher
        asked: Mapping[str, Any] = {
            **{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self._order).items()},
            "onConflict": self._order.on_conflict.value,
            "on_conflict": None,
            "content": content,
            "home": self._account.spaces.home,
            "key": cipher.fingerprint if cipher is not None else None,
        }
        return hashlib.sha256(jsontext.dumps(asked)).hexdigest()

    def _begin_anew(self) -> None:
        self._outbox.close()
        for name in (_OUTBOX, _PLANNED, _VERIFIED):
            self._remove(name)
        self._outbox = Outbox(self._folder / _OUTBOX)

    def _remove(self, name: str) -> None:
        with writing_to(self._folder):
            for suffix in ("", "-wal", "-shm"):
                (self._folder / f"{name}{suffix}").unlink(missing_ok=True)

    def _mirror(self, name: str) -> Mirror:
        connection = self._account.connection
        return Mirror(self._folder / name, sync_url=connection.sync.base_url, user_id=connection.user_id)

    def _pull(self, mirror: Mirror, names: Sequence[str], progress: PullProgress | None) -> pulling.PullResult:
        """Everything that the server holds of the apps of some tables."""
        apps = {table.app for table in self._registry.tables if table.name in names}
        wanted = tuple(table for table in self._registry.tables if table.app in apps) or self._registry.tables[:1]
        connection = self._account.connection
        client = SyncClient(connection.sync, connection.tokens, mirror.client_id)
        return pulling.run(mirror, client, replace(self._registry, tables=wanted), progress=progress)

    def _push(self, progress: Progress | None = None) -> Push:
        connection = self._account.connection
        return Push(
            self._outbox,
            PushClient(connection.sync, connection.tokens, self._outbox.client_id),
            SyncClient(connection.sync, connection.tokens, str(uuid4())),
            progress=progress,
        )


def _check_clock(text: str) -> None:
    """What is restored is stamped with the server's time: one that is years ahead would win over every later edit."""
    if abs(parse_timestamp(text) / SECOND - time.time()) > _MOST_APART:
        raise ServerError(
            f"the sync server's clock says {text}, and this computer's something else by more than a day",
            hint="set the clock that is wrong; what is restored would be stamped with a time that never was",
        )


def _milliseconds(text: str) -> str:
    """A time of the server as clients write it, rounded up."""
    micros = min(parse_timestamp(text), _END)
    return timestamp(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=-(-micros // 1_000)))
