"""From a converted database to the rows that it was made of, with what somebody has written into it meanwhile."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import DamagedArchiveError, JSONTextError, NotFoundError
from ..host.database import storage_error
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.printable import printable
from .columns import Columns
from .sqlite import APPLICATION_ID, VERSION, digest
from .sqlite_views import quoted

_MAGIC: Final = b"SQLite format 3\0"
_UNTOLD: Final[dict[str, JSON]] = {"actor": None, "at": None, "fields": {}, "origin": None, "sealed": [], "space": None}
"""The meta line of a row that somebody has added: nothing is known of who wrote what when."""


def is_database(path: Path) -> bool:
    """Whether a file is a database of SQLite."""
    try:
        if not path.is_file():  # a pipe is not waited for
            return False
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


@dataclass(slots=True)
class WrittenInto:
    """What somebody has written into the database, table by table."""

    added: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def to_json(self) -> dict[str, dict[str, int]]:
        """Table → how many rows, for each of the three."""
        return {name: dict(sorted(getattr(self, name).items())) for name in ("added", "changed", "removed")}


class ConvertedDatabase:
    """A converted database, open for reading. Its rows are read once: :attr:`written` is known then."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._known: dict[str, Columns] = {}
        self.written = WrittenInto()
        self.manifest: dict[str, JSON] = {
            key: jsontext.parse(value) for key, value in connection.execute("SELECT key, value FROM _archive")
        }
        self.tables: list[str] = [name for (name,) in connection.execute("SELECT name FROM _tables ORDER BY number")]
        """The archive's tables, in its order."""
        self.left_out: dict[str, dict[str, int]] = {}
        """Kind → table → how many, as the conversion told."""
        for kind, table, count in connection.execute("SELECT kind, table_name, count FROM _left_out ORDER BY 1, 2"):
            self.left_out.setdefault(kind, {})[table] = count
        self.not_whole: list[str] = [
            name for (name,) in connection.execute("SELECT name FROM _tables WHERE NOT whole ORDER BY number")
        ]
        """Tables of which the conversion left something out."""
        self._there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    @property
    def entries(self) -> Iterator[tuple[str, bytes]]:
        """(name, content) of what the archive held besides tables."""
        yield from self._db.execute("SELECT name, content FROM _entries ORDER BY name")

    @property
    def size(self) -> int:
        """Bytes of the database."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (size,) = self._db.execute("PRAGMA page_size").fetchone()
        return int(pages * size)

    def rows(self, name: str) -> Iterator[tuple[str, bytes, bytes | None]]:
        """(id, canonical text, meta line) of a table's rows, ids ascending. Raises :class:`DamagedArchiveError`."""
        known: int = self._db.execute("SELECT count(*) FROM _meta WHERE table_name = ?", (name,)).fetchone()[0]
        met = 0
        for cells, mark, line, text in self._joined(name):
            try:
                written = self._columns(name).line(cells)
                jsontext.parse(written)
            except (ValueError, JSONTextError) as error:
                where = f"{name}: {printable(str(cells[0]))}"
                raise DamagedArchiveError("what stands in a row is no row", code="line", where=where) from error
            meta: bytes | None = None if line is None else line.encode()
            if mark is None:
                self.written.added[name] += 1
                meta = jsontext.dumps({**_UNTOLD, "id": cells[0]})
            else:
                met += 1
                if mark != digest(written):
                    self.written.changed[name] += 1
                elif text is not None:
                    written = text
            yield cells[0], written, meta
        if known > met:
            self.written.removed[name] += known - met

    def _joined(self, name: str) -> Iterator[tuple[list[JSON], bytes | None, str | None, bytes | None]]:
        """A row's cells, and what is kept of it beside: its digest, its meta line, its text."""
        if name not in self._there:
            return
        columns = ", ".join(f"t.{quoted(field)}" for field, _ in self._columns(name).fields)
        found = self._db.execute(
            f"SELECT t.id, {columns}, t._nulls, t._more, m.digest, m.line, x.line FROM {quoted(name)} AS t"
            " LEFT JOIN _meta AS m ON m.table_name = ?1 AND m.id = t.id"
            " LEFT JOIN _texts AS x ON x.table_name = ?1 AND x.id = t.id ORDER BY t.id COLLATE BINARY",
            (name,),
        )
        for *cells, mark, line, text in found:
            yield cells, mark, line, text

    def _columns(self, name: str) -> Columns:
        if name not in self._known:
            fields = self._db.execute("SELECT name, kind FROM _columns WHERE table_name = ? ORDER BY number", (name,))
            self._known[name] = Columns(tuple(fields))
        return self._known[name]


@contextmanager
def opened(path: Path) -> Iterator[ConvertedDatabase]:
    """A converted database. Raises :class:`DamagedArchiveError` for any other, :class:`NotFoundError`."""
    if not path.exists():
        raise NotFoundError(f"{printable(str(path))} does not exist")
    damaged = DamagedArchiveError(f"{printable(str(path))} is no database that convert made, or is damaged")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            ours = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if ours != [APPLICATION_ID, VERSION]:
                raise damaged
            yield ConvertedDatabase(connection)
    except sqlite3.Error as error:
        raise storage_error(error, path, "the database", damaged) from error
    except JSONTextError as error:
        raise damaged from error
