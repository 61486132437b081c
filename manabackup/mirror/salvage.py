"""What can still be had of a damaged mirror, or of one of an earlier version: written anew, into a file of its own.

Kept is what is certain: pages with their checksums, rows with theirs. Where something is missing, the cursors that
promise it are forgotten, so that the next pull reads the collection from its beginning; and a finding says so until
then (``LossKind.MIRROR_DAMAGED``), of one collection, or of the whole mirror where nobody can tell what is missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

import zstandard

from ..crypto import checksums
from ..crypto.checksums import ChecksumError
from ..text.timestamps import EPOCH
from . import losses
from .changes import changes_of, unpack
from .inspection import index_sums
from .ledger import COLUMNS, Holding, Ledger, LedgerRow, Root, row_sum
from .losses import LossKind, NotedLoss, decoded
from .ordering import held_events
from .pages import PAGE, NewPage, PageRow, checked_page, entries_of, events_sum, insert
from .schema import VERSION

UNKNOWN_KEY = "damaged"
"""What is remembered in place of a key's fingerprint that nobody can read any more: no key has it."""
_OLDER_PAGE = "position, changes, bytes, last, x'', x'', ids, body"
_EXPENDABLE = frozenset({"syncUrl", "userId", "clientId", "run", "pulledAt"})
"""What a mirror knows of itself and can do without."""
_SEARCHED = "remembered:searchedAt"
"""When unknown collections were last looked for: to be done again where one of them may be lost."""
_TROUBLE = (sqlite3.Error, UnicodeDecodeError, ChecksumError, zstandard.ZstdError)


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of a mirror."""

    is_older: bool = False
    """It was of an earlier version: its checksums are those of what it held when it was opened."""
    nothing_kept: bool = False
    client_id_is_new: bool = False
    key_is_unknown: bool = False
    """Nobody can tell any more which key was pinned, if one was."""
    remembered_is_lost: bool = False
    """What the servers said of the account may have to be asked for again."""


@dataclass(slots=True)
class _Table:
    """What of a small table is certain."""

    rows: list[LedgerRow]
    doubtful: list[LedgerRow]
    """Rows that are not as they were written."""
    is_complete: bool
    """No row is missing."""

    @property
    def is_sound(self) -> bool:
        return self.is_complete and not self.doubtful


@dataclass(slots=True)
class _Shelf:
    """A collection, and the pages of it that are as they were written, by position."""

    recorded: Holding
    is_certain: bool
    """The row is as it was written."""
    pages: dict[int, int]
    """Position → number of the page in the old file."""


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file out of which is taken what is certain."""

    connection: sqlite3.Connection
    """Within a transaction."""
    version: int
    """It is read as one of this version, as far as it can be."""
    rolled_back: bool
    """It is older than it was."""


@dataclass(frozen=True, slots=True)
class MirrorOwner:
    """Whose a mirror is: a user of a sync server."""

    sync_url: str
    user_id: str


def salvage(found: OldFile, new: sqlite3.Connection, owner: MirrorOwner) -> Salvage:
    """Writes what is certain of an old file into a new mirror, within a transaction of the caller's."""
    old, is_older = found.connection, found.version < VERSION
    root = _root(old)
    tables = {name: _table(old, name, root, is_older) for name in COLUMNS}
    shelves = _shelves(tables["collection"])
    strays = _fill(old, shelves, is_older)
    ledger = Ledger(new)
    kept = [_copied(old, new, ledger, shelf, is_older) for shelf in shelves]
    damaged = {
        (holding.app, holding.name)
        for shelf, holding in zip(shelves, kept, strict=True)
        if holding is not None and not (shelf.is_certain and replace(holding, id=shelf.recorded.id) == shelf.recorded)
    }
    meta = tables["meta"]
    in_doubt = (
        found.rolled_back
        or strays
        or None in kept
        or not (tables["collection"].is_complete and tables["loss"].is_sound and meta.is_complete)
        or any(row[0] not in _EXPENDABLE for row in meta.doubtful)
    )
    cursors: dict[bytes, int] = dict(tables["app"].rows)
    for holding in filter(None, kept):
        of = (holding.app, holding.name)
        own = [one for one in (holding.cursor, cursors.get(holding.app)) if one is not None]
        holding.cursor = None if in_doubt or of in damaged else max(own, default=None)
        ledger.keep(holding)
    if in_doubt or not tables["app"].is_sound:
        meta.rows = [row for row in meta.rows if row[0] != _SEARCHED]
        cursors = {holding.app: EPOCH for holding in kept if holding is not None} | cursors
    begun_anew = {app for app, _ in damaged}
    for app, cursor in cursors.items():
        ledger.put("app", (app, EPOCH if in_doubt or app in begun_anew else cursor))
    result = _copy_meta(ledger, meta, owner, is_older)
    _copy_losses(new, ledger, tables["loss"], damaged, in_doubt)
    ledger.close()
    return replace(result, nothing_kept=not meta.rows and not any(kept))


# --- reading what is there --------------------------------------------------------------------------------------------


def _read(connection: sqlite3.Connection, statement: str, *values: checksums.Value) -> tuple[list[LedgerRow], bool]:
    """Rows as far as they can be read, and whether that is to the end."""
    rows: list[LedgerRow] = []
    try:
        rows.extend(connection.execute(statement, values))
    except _TROUBLE:
        return rows, False
    return rows, True


def _root(old: sqlite3.Connection) -> Root | None:
    try:
        return Root.read(old)
    except _TROUBLE:
        return None


def _table(old: sqlite3.Connection, name: str, root: Root | None, is_older: bool) -> _Table:
    if is_older:
        columns = COLUMNS[name].replace("pages, changes, bytes, total", "0, 0, 0, x''").replace("record", "NULL")
        rows, is_complete = _read(old, f"SELECT {columns} FROM {name}")  # noqa: S608 - constants
        return _Table(rows, [], is_complete)
    summed, is_complete = _read(old, f"SELECT {COLUMNS[name]}, sum FROM {name}")  # noqa: S608 - constants
    rows = [row[:-1] for row in summed if row_sum(name, row[:-1]) == row[-1]]
    doubtful = [row[:-1] for row in summed if row_sum(name, row[:-1]) != row[-1]]
    if root is None or not is_complete:
        return _Table(rows, doubtful, is_complete=False)
    total: bytes = getattr(root, name)
    if doubtful and _total([row_sum(name, row[:-1]) for row in summed]) == total:  # it was the checksum that suffered
        return _Table([*rows, *doubtful], [], is_complete=True)
    stated = [row[-1] for row in summed]
    return _Table(rows, doubtful, all(isinstance(one, bytes) for one in stated) and _total(stated) == total)


def _total(sums: Iterable[bytes]) -> bytes:
    return checksums.added(checksums.NOTHING, *sums)


def _shelves(table: _Table) -> list[_Shelf]:
    shelves = [_Shelf(Holding(*row), True, {}) for row in table.rows]
    for number, app, name, *_ in table.doubtful:
        # A name that a page's checksum goes with is the right one; without such a page nobody knows what was here.
        named = isinstance(app, bytes) and isinstance(name, bytes)
        holding = Holding(number if isinstance(number, int) else -1, app if named else b"", name if named else b"")
        shelves.append(_Shelf(holding, False, {}))
    return shelves


def _fill(old: sqlite3.Connection, shelves: Sequence[_Shelf], is_older: bool) -> bool:
    """Finds the pages of each collection; whether there is one that may be of any."""
    by_id = {shelf.recorded.id: shelf for shelf in shelves}
    strays = False
    for number in _numbers(old, shelves):
        rows, could_be_read = _read(
            old,
            f"SELECT collection, {_OLDER_PAGE if is_older else PAGE} FROM page WHERE id = ?",  # noqa: S608 - constants
            number,
        )
        if not rows:
            strays |= is_older and not could_be_read
            continue
        claimed, *columns = rows[0]
        first = [by_id[claimed]] if claimed in by_id else []
        row = PageRow(*columns)
        home = next((shelf for shelf in [*first, *([] if is_older else shelves)] if _fits(shelf, row, is_older)), None)
        if home is not None:
            home.pages.setdefault(row.position, number)
        elif is_older:
            strays |= not first
            for shelf in first:
                shelf.is_certain = False
    return strays


def _fits(shelf: _Shelf, row: PageRow, is_older: bool) -> bool:
    try:
        if is_older:
            return _older_page(row) is not None
        checked_page(shelf.recorded, row)
    except _TROUBLE:
        return False
    return True


def _numbers(old: sqlite3.Connection, shelves: Sequence[_Shelf]) -> list[int]:
    """The numbers of all pages, as each way to them tells: they are counted from 1, and none is ever free."""
    found: set[int] = set(range(1, sum(shelf.recorded.pages for shelf in shelves if shelf.is_certain) + 1))
    for statement in ("SELECT id FROM page NOT INDEXED", "SELECT id FROM page ORDER BY collection, position"):
        found.update(number for (number,) in _read(old, statement)[0] if isinstance(number, int))
    return sorted(found)


def _older_page(row: PageRow) -> NewPage | None:
    """A page without a checksum, if its parts go together."""
    position, count, size, last, _, _, ids, body = row
    if not (isinstance(position, int) and isinstance(ids, bytes) and isinstance(body, bytes)):
        return None
    changes = changes_of(unpack(ids, body))
    stated = sum(len(change.text) + 1 for change in changes)
    if not changes or (len(changes), stated, changes[-1].key) != (count, size, last):
        return None
    return NewPage(count, size, last, entries_of(changes), ids, body)


# --- writing it anew --------------------------------------------------------------------------------------------------


def _copied(
    old: sqlite3.Connection, new: sqlite3.Connection, ledger: Ledger, shelf: _Shelf, is_older: bool
) -> Holding | None:
    """What the new file holds of a collection; None where nobody can tell whether there is such a collection."""
    recorded = shelf.recorded
    if not shelf.is_certain and not shelf.pages and not is_older:
        return None
    held = Holding(ledger.next_id("collection"), recorded.app, recorded.name, recorded.cursor)
    ledger.keep(held)
    sums: dict[int, bytes] = {}
    for position, page in _copies(old, shelf, is_older):
        if not held_events(new, held.id, [key for key, _ in page.entries]):
            insert(new, held, position, page)
            sums[shelf.pages[position]] = events_sum(page.entries)
    if is_older:
        # Nothing was recorded but the index, which every page is in.
        shelf.recorded = replace(held, id=recorded.id)
        with suppress(*_TROUBLE):
            shelf.is_certain &= index_sums(old, recorded.id) == sums
            return held
        shelf.is_certain = False
    return held


def _copies(old: sqlite3.Connection, shelf: _Shelf, is_older: bool) -> Iterator[tuple[int, NewPage]]:
    for position, number in sorted(shelf.pages.items()):
        columns = old.execute(
            f"SELECT {_OLDER_PAGE if is_older else PAGE} FROM page WHERE id = ?",  # noqa: S608 - constants
            (number,),
        ).fetchone()
        row = PageRow(*columns)
        if is_older:
            older = _older_page(row)
            if older is not None:
                yield position, older
            continue
        with suppress(zstandard.ZstdError):
            entries = entries_of(changes_of(unpack(row.ids, row.body)))
            page = NewPage(row.changes, row.size, row.last, entries, row.ids, row.body)
            if events_sum(entries) == row.events:
                yield position, page


def _copy_meta(ledger: Ledger, meta: _Table, owner: MirrorOwner, is_older: bool) -> Salvage:
    known: dict[str, str] = dict(meta.rows)
    key_is_unknown = "keyFingerprint" not in known and (
        not meta.is_complete or any(row[0] not in _EXPENDABLE and not _is_remembered(row) for row in meta.doubtful)
    )
    if key_is_unknown:
        known["keyFingerprint"] = UNKNOWN_KEY
    client_id = known.get("clientId")
    forced = {"syncUrl": known.get("syncUrl", owner.sync_url), "userId": known.get("userId", owner.user_id)}
    forced |= {"clientId": client_id or str(uuid4()), "run": known.get("run", "0")}
    for row in {**known, **forced}.items():
        ledger.put("meta", row)
    return Salvage(
        is_older=is_older,
        client_id_is_new=client_id is None,
        key_is_unknown=key_is_unknown,
        remembered_is_lost=not meta.is_complete or any(_is_remembered(row) for row in meta.doubtful),
    )


def _is_remembered(row: LedgerRow) -> bool:
    return isinstance(row[0], str) and row[0].startswith("remembered:")


def _copy_losses(
    new: sqlite3.Connection, ledger: Ledger, table: _Table, damaged: set[tuple[bytes, bytes]], in_doubt: bool
) -> None:
    run = int((ledger.get("meta", "run") or ("run", "0"))[1])
    rows = []
    for number, its_run, kind, app, name, since, until, event, record in table.rows:
        if kind == LossKind.EVENT_GONE and (in_doubt or (app, name) in damaged) and not _is_held(new, app, name, event):
            kind = LossKind.EVENT_LOST.value
        rows.append((number, its_run, kind, app, name, since, until, event, record))
    ledger.add("loss", rows)
    for app, name in sorted(damaged):
        losses.add(ledger, run, NotedLoss(LossKind.MIRROR_DAMAGED, decoded(app), decoded(name)))
    if in_doubt:
        losses.add(ledger, run, NotedLoss(LossKind.MIRROR_DAMAGED, "", None))


def _is_held(new: sqlite3.Connection, app: bytes, name: bytes, event: bytes) -> bool:
    return (
        new.execute(
            "SELECT 1 FROM event JOIN collection ON collection.id = event.collection"
            " WHERE app = ? AND name = ? AND key = ?",
            (app, name, event),
        ).fetchone()
        is not None
    )
