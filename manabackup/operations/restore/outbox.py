"""The outbox: the plan of a restore and how far it was carried out, durable before the first byte is sent.

Every item is one row of the target with all changes that it takes, as exact bytes. A request is made of some of these
bytes and the outbox's own client id, and of nothing else: the same items give the same request on every day. What is
*in flight* may have reached the server or not; only the server can tell.

What is not as it was written (:mod:`.outbox_file`) is never sent, and ends the restore.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self
from uuid import uuid4

from ...crypto.checksums import ChecksumError
from ...errors import ManabackupError, OutputError
from ...host.database import storage_error
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable
from .outbox_file import COLUMNS, Entries, Row, checked, open_outbox

_AT_ONCE = 500
_SELECT = f"SELECT {COLUMNS} FROM item"  # noqa: S608 - a constant


class State(IntEnum):
    """What became of an item."""

    PLANNED = 0
    IN_FLIGHT = 1
    DONE = 2
    FAILED = 3
    STALE = 4
    """Somebody touched the row after it was planned: not to be sent before it is planned anew."""


class Stage(IntEnum):
    """How far a restore is."""

    PLANNING = 0
    """Nothing was sent; what was planned is worth nothing."""
    PUSHING = 1
    VERIFYING = 2


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One row that is written."""

    id: int
    """Its place in the outbox: by table, and by record within."""
    app: str
    table: str
    record: str
    means: str
    kind: str
    changes: Sequence[bytes]
    """Canonical JSON, in the order in which they belong."""
    earlier: Sequence[str]
    """The events of the row that were on the server when it was planned."""
    sent: int = 0
    """How many of the changes are known to be on the server."""

    @property
    def missing(self) -> Sequence[bytes]:
        """The changes that are still to be sent."""
        return self.changes[self.sent :]

    @property
    def bytes(self) -> int:
        """The size of the missing changes, with a comma for each."""
        return sum(len(change) + 1 for change in self.missing)


class Outbox:
    """The outbox in a file of mode 0600. Use as a context manager, by one thread.

    Raises :class:`OutputError` when the disk does not take it, :class:`ManabackupError` for a file that is from a newer
    version, or damaged: also in the middle of it, when that comes to light.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            self._connection = open_outbox(path)
        if self.recall("clientId") is None:
            self.remember("clientId", str(uuid4()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._errors():
            self._connection.close()

    # --- the restore as a whole

    @property
    def stage(self) -> Stage | None:
        """How far the restore is; None for a new outbox."""
        stage = self.recall("stage")
        return None if stage is None else Stage(stage)

    def reach(self, stage: Stage) -> None:
        """The restore has come further; durable when this returns."""
        self.remember("stage", int(stage))

    @property
    def client_id(self) -> str:
        """The client id of every push of this restore; no reader may have it."""
        return str(self.recall("clientId"))

    def remember(self, key: str, value: JSON) -> None:
        """Keeps a JSON value."""
        with self._writing() as entries:
            entries.set_meta(key, jsontext.dumps(value).decode())

    def recall(self, key: str) -> JSON:
        """What was kept under a name; None when there is nothing."""
        with self._errors():
            text = Entries(self._connection).meta(key)
        return None if text is None else jsontext.parse(text)

    # --- planning

    def add(self, items: Iterable[Item]) -> None:
        """Appends items; their ids are given here."""
        with self._writing() as entries:
            entries.add(map(_columns, items), State.PLANNED)

    # --- pushing

    def next_planned(self) -> str | None:
        """The app of the first item that is still to be sent; None when there is none."""
        with self._errors():
            row = self._connection.execute(
                f"{_SELECT} WHERE state = ? ORDER BY id LIMIT 1", (State.PLANNED,)
            ).fetchone()
            if row is None:
                self._require(State.PLANNED, 0)
            return None if row is None else _decoded(checked(row)[1])

    def planned(self, app: str, *, items: int, changes: int, size: int) -> list[Item]:
        """The first items of an app that are still to be sent: one, or as many as the limits allow (size in bytes)."""
        taken: list[Item] = []
        count = total = 0
        with self._errors():
            rows = self._connection.execute(
                f"{_SELECT} WHERE state = ? AND app = ? ORDER BY id LIMIT ?", (State.PLANNED, _encoded(app), items)
            )
            for row in rows:
                item = _item(row)
                count += len(item.missing)
                total += item.bytes
                if taken and (count > changes or total > size):
                    break
                taken.append(item)
        return taken

    def send(self, items: Sequence[Item], since: str) -> None:
        """The items are about to be sent; the server will store them after ``since``, by its own clock."""
        with self._writing() as entries:
            entries.move(State.IN_FLIGHT, [(item.id, None) for item in items])
            entries.set_meta("since", jsontext.dumps(since).decode())

    def in_flight(self) -> list[Item]:
        """The items of a request whose answer was not heard."""
        with self._errors():
            rows = self._connection.execute(f"{_SELECT} WHERE state = ? ORDER BY id", (State.IN_FLIGHT,)).fetchall()
            self._require(State.IN_FLIGHT, len(rows))
            return [_item(row) for row in rows]

    def begun(self) -> list[Item]:
        """The items of which the server has some changes and not all."""
        with self._errors():
            rows = self._connection.execute(
                f"{_SELECT} WHERE state = ? AND sent > 0 ORDER BY id", (State.PLANNED,)
            ).fetchall()
            return [_item(row) for row in rows]

    def done(self, items: Sequence[Item]) -> None:
        """All changes of the items are on the server."""
        with self._writing() as entries:
            entries.move(State.DONE, [(item.id, None) for item in items])

    def back(self, items: Sequence[Item], sent: Sequence[int]) -> None:
        """The items are to be sent again, but for the first changes of each that are on the server."""
        with self._writing() as entries:
            entries.move(State.PLANNED, [(item.id, count) for item, count in zip(items, sent, strict=True)])

    def fail(self, item: Item, words: str) -> None:
        """The server does not take an item."""
        with self._writing() as entries:
            entries.move(State.FAILED, [(item.id, None)], words)

    # --- planning anew

    def unsent(self, table: str, records: Sequence[str] | None = None) -> list[Item]:
        """The items of a table, or of some of its rows, of which nothing is known to be sent."""
        where = f"{_SELECT} WHERE name = ? AND state IN (?, ?) AND sent = 0"
        of = (_encoded(table), State.PLANNED, State.IN_FLIGHT)
        with self._errors():
            if records is None:
                return [_item(row) for row in self._connection.execute(f"{where} ORDER BY id", of)]
            found: list[Item] = []
            for first in range(0, len(records), _AT_ONCE):
                some = [_encoded(record) for record in records[first : first + _AT_ONCE]]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(f"{where} AND record IN ({marks})", (*of, *some))
                found += [_item(row) for row in rows]
        return found

    def overtake(self, items: Sequence[Item]) -> None:
        """Somebody touched the rows of these items, of which nothing was sent."""
        if items:
            with self._writing() as entries:
                entries.move(State.STALE, [(item.id, 0) for item in items])

    def stale(self) -> list[Item]:
        """The items that are to be planned anew."""
        with self._errors():
            rows = self._connection.execute(f"{_SELECT} WHERE state = ? ORDER BY id", (State.STALE,)).fetchall()
            self._require(State.STALE, len(rows))
            return [_item(row) for row in rows]

    @property
    def has_stale(self) -> bool:
        """Whether there are any."""
        with self._errors():
            return Entries(self._connection).states[State.STALE] > 0

    def plan_anew(self, renewed: Sequence[Item], dropped: Sequence[Item], report: JSON) -> None:
        """Puts items in the place of stale ones with the same ids, drops others, and keeps the report of it all."""
        with self._writing() as entries:
            entries.renew([(item.id, *_columns(item)) for item in renewed], State.PLANNED)
            entries.remove([item.id for item in dropped])
            entries.set_meta("report", jsontext.dumps(report).decode())

    # --- on the way

    def settled_changes(self) -> tuple[int, int]:
        """Changes that are on the server or refused, and changes in all."""
        with self._errors():
            done, total = self._connection.execute(
                "SELECT coalesce(sum(iif(state IN (?, ?), changes, sent)), 0), coalesce(sum(changes), 0) FROM item",
                (State.DONE, State.FAILED),
            ).fetchone()
        return int(done), int(total)

    # --- afterwards

    def written(self) -> Iterator[Item]:
        """The items that the server took, by table and record."""
        count = 0
        for item in self._in(State.DONE):
            count += 1
            yield item
        with self._errors():
            self._require(State.DONE, count)

    def half_written(self) -> Iterator[Item]:
        """The items that the server did not take, but for some changes at their beginning; by table and record."""
        return (item for item in self._in(State.FAILED) if item.sent)

    def _in(self, state: State) -> Iterator[Item]:
        last = (b"", b"")
        while True:
            with self._errors():
                rows = self._connection.execute(
                    f"{_SELECT} WHERE state = ? AND (name, record) > (?, ?) ORDER BY name, record LIMIT 500",
                    (state, *last),
                ).fetchall()
                items = [_item(row) for row in rows]
            if not items:
                return
            last = (_encoded(items[-1].table), _encoded(items[-1].record))
            yield from items

    def tables(self, *states: State) -> list[str]:
        """The tables that have items, or items in some states, in the order of the plan."""
        wanted = states or tuple(State)
        marks = ",".join("?" * len(wanted))
        with self._errors():
            rows = self._connection.execute(
                f"SELECT name FROM item WHERE state IN ({marks}) GROUP BY name ORDER BY min(id)",  # noqa: S608 - marks only
                wanted,
            ).fetchall()
        return [_decoded(name) for (name,) in rows]

    def counts(self) -> dict[tuple[str, State], int]:
        """(kind, state) → items."""
        with self._errors():
            rows = self._connection.execute("SELECT kind, state, count(*) FROM item GROUP BY kind, state").fetchall()
        return {(kind, State(state)): count for kind, state, count in rows}

    def failures(self, most: int) -> list[tuple[str, str, str]]:
        """(table, record id, the server's words) of the first items that it did not take."""
        with self._errors():
            rows = self._connection.execute(
                "SELECT name, record, words FROM item WHERE state = ? ORDER BY id LIMIT ?", (State.FAILED, most)
            ).fetchall()
        return [(_decoded(name), _decoded(record), words) for name, record, words in rows]

    # --- below

    def _require(self, state: State, count: int) -> None:
        """So many items are in a state, as far as was read."""
        if Entries(self._connection).states[state] != count:
            raise ChecksumError(f"items that are {state.name.lower().replace('_', ' ')}")

    @contextmanager
    def _writing(self) -> Iterator[Entries]:
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                entries = Entries(self._connection)
                yield entries
                entries.keep_total()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        where = printable(str(self.path))
        try:
            yield
        except ChecksumError as error:
            raise self._damaged(error.what) from None
        except UnicodeDecodeError:  # of what SQLite complains of, in the words of a damaged file
            raise self._damaged(None) from None
        except sqlite3.Error as error:
            raise storage_error(error, self.path, "the outbox", self._damaged(None)) from None
        except OSError as error:
            raise OutputError(f"{where}: {error.strerror or 'cannot be written'}") from None

    def _damaged(self, what: str | None) -> ManabackupError:
        named = "" if what is None else f" ({what})"
        folder = printable(str(self.path.parent))
        return ManabackupError(
            f"the outbox {printable(str(self.path))} is damaged{named}; nothing of it is sent",
            hint=f"remove {folder} and run the command again: it plans anew from what the account holds then",
        )


def _columns(item: Item) -> Row:
    return (
        _encoded(item.app),
        _encoded(item.table),
        _encoded(item.record),
        item.means,
        item.kind,
        len(item.changes),
        item.bytes,
        b"\n".join(item.changes),
        jsontext.dumps(list(item.earlier)),
    )


def _item(row: Row) -> Item:
    identifier, app, table, record, means, kind, _, _, body, earlier, _, sent, *_ = checked(row)
    return Item(
        identifier,
        _decoded(app),
        _decoded(table),
        _decoded(record),
        means,
        kind,
        body.split(b"\n"),
        jsontext.parse(earlier),
        sent,
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoded(blob: bytes) -> str:
    return blob.decode("utf-8", "surrogatepass")
