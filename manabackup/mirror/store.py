"""Writing the mirror: answers of the server and the cursors that they move, one transaction each."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from ..errors import ManabackupError, MirrorError, OutputError, UsageError
from ..model.rawchange import RawChange, UnreadableChange
from ..text.printable import printable
from . import losses
from .ledger import Holding, Ledger, Root
from .losses import Loss, LossKind, NotedLoss, decoded, encoded
from .ordering import held_events, merge
from .reading import Snapshot
from .repair import FileState, made_sound
from .salvage import MirrorOwner
from .schema import VERSION, open_file, storage_errors
from .witness import Witness, forget

_DAMAGED = LossKind.MIRROR_DAMAGED
_SEARCHED = "searchedAt"


@dataclass(frozen=True, slots=True)
class Batch:
    """One answer's changes of one collection."""

    changes: Sequence[RawChange]
    """In the order of the answer."""
    after: bytes | None = None
    """Key of the event that the same reading saw last before these; None at its beginning."""
    from_start: bool = False
    """The reading began at the server's first event."""
    cursor: int | None = None
    """Everything of this collection up to here is held with this batch; microseconds since 1970."""
    unreadable: Sequence[UnreadableChange] = ()
    """Changes among these that are too large: losses, unless they are held."""

    @property
    def keys(self) -> list[bytes]:
        """The keys of all events."""
        return [change.key for change in self.changes] + [change.key for change in self.unreadable]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an answer."""

    new: int
    held: int
    """Different events of the answer that were held before."""


class Mirror:
    """The mirror of one user on one sync server. Safe to share between threads, of one process.

    A file that is not as it was left is replaced by what is sound of it: :attr:`repair` tells, and :attr:`damage` names
    what the next pull will read again. A file of an earlier version is brought up to date. Both need that nobody else
    uses the file. Not ``guarded``, neither is done, and nothing is left beside the file for the next run: that is for
    mirrors that nobody opens again, and for looking at one that may be in use.

    Opening raises :class:`NotFoundError` (without ``create``), :class:`MirrorError` for a file of a newer version, one
    of somebody else, and one that is damaged beyond reading (with ``create`` only where nobody knows that it was a
    mirror). Every use may raise :class:`OutputError`, :class:`LockedError`, and :class:`MirrorError` for damage that
    comes to light. What was stored before is whole whenever the process ends.
    """

    def __init__(self, path: Path, *, sync_url: str, user_id: str, create: bool = True, guarded: bool = True) -> None:
        if "\0" in str(path):
            raise OutputError(f"not a file name: {printable(str(path))}")
        if any("\ud800" <= char <= "\udfff" for char in user_id):
            raise UsageError(f"not a user id: {printable(user_id[:64])}")
        self.path = path
        self.sync_url = sync_url.rstrip("/")
        self.user_id = user_id
        self._lock = threading.Lock()
        self._run = 0
        self._comparing = self._has_compared = False
        self._guarded = guarded
        with storage_errors(path):
            state = made_sound(path, MirrorOwner(self.sync_url, user_id), create=create) if guarded else FileState()
        self.repair = state.repair
        """What was just done to the file; None nearly always."""
        self.is_unfinished = state.is_unfinished
        """The last run that wrote was cut off: not all that it had read need be here."""
        self._has_witness = guarded and state == FileState()
        self._connection = open_file(path, create=create)
        try:
            self.client_id = self._introduce(self.sync_url, user_id)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Makes everything durable and lets go of the file."""
        with self._lock, storage_errors(self.path):
            # Without a witness the next run takes a closer look, and that is all.
            with suppress(sqlite3.Error, OSError, ManabackupError):
                self._leave_witness()
            self._connection.close()

    def _leave_witness(self) -> None:
        if not self._guarded or self._has_witness or self.is_unfinished:
            return
        (is_busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            Witness.of(self.path, VERSION, Root.read(self._connection).generation).write(self.path)

    def snapshot(self) -> Snapshot:
        """A reader of the present state."""
        return Snapshot(self.path)

    # --- what the mirror knows of itself ---

    @property
    def key_fingerprint(self) -> str | None:
        """The pinned fingerprint of the account's master key; :data:`UNKNOWN_KEY` for one that was damaged."""
        return self._meta("keyFingerprint")

    def pin_key(self, fingerprint: str) -> None:
        """Remembers the master key's fingerprint, over an older one."""
        self._set_meta("keyFingerprint", fingerprint)

    def forget_key(self) -> None:
        """The account has no key, and that is right."""
        with self._writing() as ledger:
            ledger.remove("meta", "key = ?", "keyFingerprint")

    def recall(self, what: str) -> str | None:
        """What :meth:`remember` was told last."""
        return self._meta(f"remembered:{what}")

    def remember(self, what: str, text: str) -> None:
        """Keeps what the servers said of the account, for work without them: nothing secret, nothing large."""
        if self.recall(what) != text:
            self._set_meta(f"remembered:{what}", text)

    @property
    def searched_at(self) -> str | None:
        """When the server was last searched for unknown collections, RFC 3339 by its clock; None before the first."""
        return self.recall(_SEARCHED)

    def note_search(self, at: str) -> None:
        """Records that the server was searched, at an instant of its clock (RFC 3339)."""
        self.remember(_SEARCHED, at)

    @property
    def pulled_at(self) -> int | None:
        """When the last whole pull began, by the server's clock; microseconds since 1970."""
        text = self._meta("pulledAt")
        return None if text is None else int(text)

    @property
    def discovered_apps(self) -> list[str]:
        """Every app that was ever read, by name."""
        with self._reading() as ledger:
            return [decoded(app) for app in sorted(app for app, _ in ledger.rows("app"))]

    def collections(self, app: str) -> list[str]:
        """The app's collections that a pull has seen, by name."""
        with self._reading() as ledger:
            rows = ledger.rows("collection", "app = ? ORDER BY name", encoded(app))
        return [decoded(Holding(*row).name) for row in rows]

    def app_cursor(self, app: str) -> int | None:
        """Everything of the app up to here is held, in whatever collection; microseconds since 1970."""
        with self._reading() as ledger:
            row = ledger.get("app", encoded(app))
        return None if row is None else row[1]

    def cursor(self, app: str, collection: str) -> int | None:
        """Everything of the collection up to here is held, as its own pages tell or those of the app."""
        held = self._holding(app, collection)
        cursors = (None if held is None else held.cursor, self.app_cursor(app))
        return max((cursor for cursor in cursors if cursor is not None), default=None)

    def changes(self, app: str, collection: str) -> int:
        """How many changes of the collection are held."""
        held = self._holding(app, collection)
        return 0 if held is None else held.changes

    @property
    def damage(self) -> list[Loss]:
        """What was lost when the mirror was damaged, and was not read again yet."""
        with self._reading() as ledger:
            return losses.read(ledger.rows("loss", "kind = ?", _DAMAGED))

    @property
    def is_in_doubt(self) -> bool:
        """Damage was such that nobody can tell what is missing: only a pull that compares heals it."""
        return any(not loss.app for loss in self.damage)

    # --- a pull ---

    def begin_pull(self, *, compare: bool) -> None:
        """Begins a run of pulling; with ``compare``, one that reads everything and is compared with what is held."""
        with self._writing() as ledger:
            self._run += 1
            ledger.put("meta", ("run", str(self._run)))
            self._comparing = compare
            self._connection.execute("DROP TABLE IF EXISTS temp.seen")
            if compare:
                self._connection.execute(
                    "CREATE TEMP TABLE seen (collection INTEGER, key BLOB, PRIMARY KEY (collection, key)) WITHOUT ROWID"
                )

    def store(self, app: str, batches: Mapping[str, Batch], *, cursor: int | None = None) -> Stored:
        """Stores one answer, whole or not at all: collection name → changes.

        ``cursor``: everything of the app up to here is held then. Cursors never go back.
        """
        new = held = 0
        with self._writing() as ledger:
            for name, batch in batches.items():
                collection = ledger.holding(encoded(app), encoded(name))
                if collection is None:
                    collection = Holding(ledger.next_id("collection"), encoded(app), encoded(name))
                merged = merge(
                    self._connection,
                    collection,
                    batch.changes,
                    after=batch.after,
                    from_start=batch.from_start,
                )
                new += merged.new
                held += merged.held
                for event in merged.changed:
                    losses.add(ledger, self._run, NotedLoss(LossKind.EVENT_CHANGED, app, name, event=event))
                self._note_unreadable(ledger, collection, batch.unreadable)
                if batch.cursor is not None:
                    collection.cursor = max(batch.cursor, collection.cursor or batch.cursor)
                ledger.keep(collection)
                if self._comparing:
                    self._connection.executemany(
                        "INSERT OR IGNORE INTO temp.seen VALUES (?, ?)",
                        [(collection.id, key) for key in batch.keys],
                    )
            if cursor is not None:
                _move_cursors(ledger, {app: cursor})
        return Stored(new, held)

    def move_cursors(self, cursors: Mapping[str, int]) -> None:
        """By app: everything up to there is held already. Cursors never go back."""
        with self._writing() as ledger:
            _move_cursors(ledger, cursors)

    def add_loss(self, kind: LossKind, app: str, collection: str | None, *, since: int | None, until: int) -> None:
        """Remembers a stretch of time that could not be read."""
        with self._writing() as ledger:
            losses.add(ledger, self._run, NotedLoss(kind, app, collection, since, until))

    def searched(self, app: str, since: int) -> None:
        """Forgets that an app could not be searched, or not be read as a whole: now it was, from ``since`` to its end.

        What was found unreadable in this run stays, and what could not be read of single collections.
        """
        self._forget(
            "app = ? AND collection IS NULL AND since >= ? AND (kind = ? OR (kind = ? AND run < ?))",
            (encoded(app), since, LossKind.UNSEARCHED, LossKind.UNREADABLE_PAGE, self._run),
        )

    def read_through(self, app: str, collection: str, since: int) -> None:
        """Forgets that stretches of a collection could not be read: now it was, from ``since`` to its end.

        What was found unreadable in this run stays.
        """
        self._forget(
            "app = ? AND collection = ? AND since >= ? AND kind = ? AND run < ?",
            (encoded(app), encoded(collection), since, LossKind.UNREADABLE_PAGE, self._run),
        )

    def _forget(self, which: str, values: tuple[str | bytes | int, ...]) -> None:
        with self._reading() as ledger:
            if not ledger.rows("loss", which, *values):
                return  # nearly always, and then nothing is to be written
        with self._writing() as ledger:
            ledger.remove("loss", which, *values)

    def end_pull(self, pulled_at: int) -> None:
        """Ends a run that read all it was to read, and makes it durable.

        What was lost of the mirror and could be had again is healed then. After a run that compared, findings that it
        did not make again are cured and go, held events that it did not see are noted as gone — save where it could not
        read everything —, and no cursor is ahead of the server's clock.
        """
        with self._writing() as ledger:
            ledger.put("meta", ("pulledAt", str(pulled_at)))
            if self._comparing:
                for app, cursor in ledger.rows("app"):
                    ledger.put("app", (app, min(cursor, pulled_at)))
                for held in (Holding(*row) for row in ledger.rows("collection")):
                    if held.cursor is not None:
                        held.cursor = min(held.cursor, pulled_at)
                        ledger.keep(held)
                self._note_gone(ledger)
                self._comparing = False
            # The cursors of what was damaged were forgotten: it has been read from its beginning.
            ledger.remove("loss", "kind = ? AND run < ? AND app <> x''", _DAMAGED, self._run)
        with self._lock, storage_errors(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.is_unfinished = False

    def end_search(self) -> None:
        """After :meth:`end_pull`: whatever collections there may be besides were looked for, and read.

        After a run that compared, nobody need doubt any more what the mirror lost.
        """
        if self._has_compared and self.is_in_doubt:
            with self._writing() as ledger:
                ledger.remove("loss", "kind = ? AND run < ? AND app = x''", _DAMAGED, self._run)

    def _note_unreadable(self, ledger: Ledger, collection: Holding, unreadable: Sequence[UnreadableChange]) -> None:
        if not unreadable:
            return
        held = held_events(self._connection, collection.id, [change.key for change in unreadable])
        for change in unreadable:
            if change.key not in held:
                kind, of = LossKind.UNREADABLE_CHANGE, (decoded(collection.app), decoded(collection.name))
                losses.add(ledger, self._run, NotedLoss(kind, *of, event=change.key, record=change.id))

    def _note_gone(self, ledger: Ledger) -> None:
        partly_read = {
            (app, collection)
            for _, _, _, app, collection, *_ in ledger.rows(
                "loss", "run = ? AND kind IN (?, ?)", self._run, LossKind.UNREADABLE_PAGE, LossKind.UNREADABLE_TIE
            )
        }
        for held in (Holding(*row) for row in ledger.rows("collection")):
            of = (held.app, held.name)
            if of in partly_read or (held.app, None) in partly_read:
                for number, _, *rest in ledger.rows(
                    "loss", "app = ? AND collection = ? AND kind = ?", *of, LossKind.EVENT_GONE
                ):
                    ledger.put("loss", (number, self._run, *rest))
                continue
            gone = self._connection.execute(
                "SELECT key FROM event WHERE collection = ? AND key NOT IN"
                " (SELECT key FROM temp.seen WHERE collection = ?)",
                (held.id, held.id),
            ).fetchall()
            first = ledger.next_id("loss")
            ledger.add(
                "loss",
                [
                    (number, self._run, LossKind.EVENT_GONE.value, *of, None, None, key, None)
                    for number, (key,) in enumerate(gone, first)
                ],
            )
        # What is neither there nor here cannot be found again.
        ledger.remove(
            "loss", "run < ? AND kind <> ? AND (kind <> ? OR app <> x'')", self._run, LossKind.EVENT_LOST, _DAMAGED
        )
        self._has_compared = True
        self._connection.execute("DROP TABLE temp.seen")

    # --- below ---

    def _holding(self, app: str, collection: str) -> Holding | None:
        with self._reading() as ledger:
            return ledger.holding(encoded(app), encoded(collection))

    def _introduce(self, sync_url: str, user_id: str) -> str:
        """The mirror's random client id. The server hides from a client what the same client has pushed."""
        with self._writing() as ledger:
            known: dict[str, str] = dict(ledger.rows("meta"))
            if "userId" not in known:
                new = {"syncUrl": sync_url, "userId": user_id, "clientId": str(uuid4())}
                for row in new.items():
                    ledger.put("meta", row)
                known |= new
            if (known["syncUrl"], known["userId"]) != (sync_url, user_id):
                raise MirrorError("the mirror belongs to another account or server", hint="give another --state-dir")
            self._run = int(known["run"])
        return str(known["clientId"])

    def _meta(self, key: str) -> str | None:
        with self._reading() as ledger:
            row = ledger.get("meta", key)
        return None if row is None else row[1]

    def _set_meta(self, key: str, value: str) -> None:
        with self._writing() as ledger:
            ledger.put("meta", (key, value))

    @contextmanager
    def _reading(self) -> Iterator[Ledger]:
        with self._lock, storage_errors(self.path):
            yield Ledger(self._connection)

    @contextmanager
    def _writing(self) -> Iterator[Ledger]:
        """One transaction: all of the block, or nothing."""
        with self._lock, storage_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                ledger = Ledger(self._connection)
                yield ledger
                if ledger.close() and self._has_witness:
                    forget(self.path)
                    self._has_witness = False
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _move_cursors(ledger: Ledger, cursors: Mapping[str, int]) -> None:
    for app, cursor in cursors.items():
        held = ledger.get("app", encoded(app))
        ledger.put("app", (encoded(app), cursor if held is None else max(cursor, held[1])))
