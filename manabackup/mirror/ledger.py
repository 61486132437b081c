"""The small tables of a mirror, and the checksums that bind them together.

Each row has a checksum. Those of a table add up to a total in the *root*, a single row that also counts the
transactions. A collection's row holds how many pages there are and the total of their checksums, a page's checksum
covers its content and its place; so nothing can be altered, lost, doubled, moved or older than the rest without being
noticed, and what a page costs does not depend on how many there are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from ..crypto import checksums
from ..crypto.checksums import ChecksumError, checksum

LedgerRow: TypeAlias = tuple[Any, ...]

COLUMNS = {
    "meta": "key, value",
    "app": "name, cursor",
    "collection": "id, app, name, cursor, pages, changes, bytes, total",
    "loss": "id, run, kind, app, collection, since, until, event, record",
}
"""The columns of each small table, but for the checksum; the first one is the key."""
_ROOT = "generation, meta, app, collection, loss"


@dataclass(slots=True)
class Holding:
    """The row of a collection: what is held of it."""

    id: int
    app: bytes
    name: bytes
    cursor: int | None = None
    pages: int = 0
    changes: int = 0
    size: int = 0
    """Bytes of the changes' texts."""
    total: bytes = checksums.NOTHING
    """The sum of the pages' checksums."""

    def add(self, changes: int, size: int, page: bytes) -> None:
        """One page more."""
        self.pages += 1
        self.changes += changes
        self.size += size
        self.total = checksums.added(self.total, page)

    def take(self, changes: int, size: int, page: bytes) -> None:
        """One page less."""
        self.pages -= 1
        self.changes -= changes
        self.size -= size
        self.total = checksums.taken(self.total, page)

    @property
    def row(self) -> LedgerRow:
        """As it is written."""
        one = self
        return one.id, one.app, one.name, one.cursor, one.pages, one.changes, one.size, one.total

    @property
    def place(self) -> str:
        """The collection for people."""
        return f"{self.app.decode('utf-8', 'replace')}/{self.name.decode('utf-8', 'replace')}"


def row_sum(table: str, row: LedgerRow) -> bytes:
    """The checksum of a row of a small table."""
    return checksum(b"mana " + table.encode(), *row)


@dataclass(frozen=True, slots=True)
class Root:
    """The root of all checksums."""

    generation: int = 0
    """Transactions that changed something."""
    meta: bytes = checksums.NOTHING
    app: bytes = checksums.NOTHING
    collection: bytes = checksums.NOTHING
    loss: bytes = checksums.NOTHING

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Self:
        """Raises :class:`ChecksumError` for one that is not as it was written."""
        rows = connection.execute(f"SELECT {_ROOT}, sum FROM root").fetchall()  # noqa: S608 - a constant
        if len(rows) != 1 or row_sum("root", rows[0][:-1]) != rows[0][-1]:
            raise ChecksumError("its root")
        return cls(*rows[0][:-1])


class Ledger:
    """Reads and changes rows of small tables, within one transaction of the caller's.

    Raises :class:`ChecksumError` for a row that is not as it was written.
    """

    def __init__(self, connection: sqlite3.Connection, root: Root | None = None) -> None:
        self._connection = connection
        root = root if root is not None else Root.read(connection)
        self._generation = root.generation
        self._totals = {table: getattr(root, table) for table in COLUMNS}
        self._is_changed = False
        self._read: dict[tuple[str, Any], LedgerRow] = {}
        """Rows by table and key, as they are now."""

    def rows(self, table: str, where: str = "1", *values: checksums.Value) -> list[LedgerRow]:
        """Rows of a table that fulfil a condition."""
        return list(self._checked(table, where, *values))

    def get(self, table: str, key: checksums.Value) -> LedgerRow | None:
        """The row of a key."""
        held = self._read.get((table, key))
        return held if held is not None else next(self._checked(table, f"{_key(table)} = ?", key), None)

    def put(self, table: str, row: LedgerRow) -> None:
        """Writes a row in the place of that of its key, if there is one."""
        held = self.get(table, row[0])
        if held == row:
            return
        if held is not None:
            self._totals[table] = checksums.taken(self._totals[table], row_sum(table, held))
        self.add(table, [row])

    def add(self, table: str, rows: Iterable[LedgerRow]) -> None:
        """Writes rows whose keys no other has."""
        summed = [(*row, row_sum(table, row)) for row in rows]
        marks = ", ".join("?" * (COLUMNS[table].count(",") + 2))
        self._connection.executemany(
            f"INSERT OR REPLACE INTO {table} ({COLUMNS[table]}, sum) VALUES ({marks})",  # noqa: S608 - constants
            summed,
        )
        self._totals[table] = checksums.added(self._totals[table], *(row[-1] for row in summed))
        self._read.update(((table, row[0]), row[:-1]) for row in summed)
        self._is_changed |= bool(summed)

    def remove(self, table: str, where: str, *values: checksums.Value) -> None:
        """Removes the rows that fulfil a condition."""
        gone = self.rows(table, where, *values)
        if gone:
            self._connection.execute(f"DELETE FROM {table} WHERE {where}", values)  # noqa: S608 - no value of others
            self._totals[table] = checksums.taken(self._totals[table], *(row_sum(table, row) for row in gone))
            for row in gone:
                self._read.pop((table, row[0]), None)
            self._is_changed = True

    def next_id(self, table: str) -> int:
        """A key that no row has."""
        (last,) = self._connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608
        return int(last) + 1

    def holding(self, app: bytes, name: bytes) -> Holding | None:
        """The row of a collection."""
        rows = self.rows("collection", "app = ? AND name = ?", app, name)
        return Holding(*rows[0]) if rows else None

    def keep(self, holding: Holding) -> None:
        """Writes the row of a collection."""
        self.put("collection", holding.row)

    def close(self) -> bool:
        """To be done at the end of a transaction: writes the root where something was changed, and tells whether."""
        if self._is_changed:
            root = (self._generation + 1, *self._totals.values())
            self._connection.execute(
                f"INSERT OR REPLACE INTO root (id, {_ROOT}, sum) VALUES (1, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
                (*root, row_sum("root", root)),
            )
        return self._is_changed

    def check(self) -> None:
        """Holds all small tables against the root."""
        for table, total in self._totals.items():
            found = checksums.added(checksums.NOTHING, *(row_sum(table, row) for row in self._checked(table, "1")))
            if found != total:
                raise ChecksumError(f"its table {table}")

    def _checked(self, table: str, where: str, *values: checksums.Value) -> Iterator[LedgerRow]:
        statement = f"SELECT {COLUMNS[table]}, sum FROM {table} WHERE {where}"  # noqa: S608 - no value of others
        for row in self._connection.execute(statement, values):
            if row_sum(table, row[:-1]) != row[-1]:
                raise ChecksumError(f"its table {table}")
            self._read[table, row[0]] = row[:-1]
            yield row[:-1]


def _key(table: str) -> str:
    return COLUMNS[table].partition(",")[0]
