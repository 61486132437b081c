"""``profile split``: a database that all people share, as one SQLite file for each, and what is left.

Everything is read out of one snapshot and written into a new folder, which appears when it was proved that it holds
just what the database does.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...errors import OutputError, SourceError, UsageError
from ...host.output_folder import AtomicFolder
from ...sources.catalog import CatalogTable, Column, ForeignKey
from ...sources.cells import SqliteCell, sqlite_cell
from ...sources.creation import create_tables
from ...sources.database import Database
from ...sources.owners import Owners, named
from ...sources.postgresql import PostgresqlDatabase
from ...sources.profile import Profile, ProfiledTable, StoreKind, table_of
from ...sources.queries import RowQuery
from ...sources.sqlite import SqliteDialect
from ...sources.target import LoadColumn, LoadTable
from ...sources.values import converter
from ...sources.whose import as_text
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable
from ..progress import Step, Watch, teller
from .check import questions_about
from .stores import StorePlaces, Stores, one_number, open_stores, refuse

USERS, NOBODYS, LEDGER = "users", "nobodys.sqlite", "split.json"
_LONGEST = 180
_quoted = SqliteDialect().quoted
_SUM = 2**128


@dataclass(slots=True)
class SplitTable:
    """What became of a table's rows."""

    rows: int = 0
    """In the database."""
    users: int = 0
    """In people's files, one of several people in each of theirs."""
    shared: int = 0
    """Of these, how often a row stands in one more file than its first."""
    rest: int = 0
    """Left: in a file of the store, or of nobody who is there."""
    nobodys: int = 0
    """Of the rest, rows that lead to nobody at all; the others are of people who are not there."""

    def to_json(self) -> dict[str, JSON]:
        """As the ledger has it."""
        return {
            "rows": self.rows,
            "users": self.users,
            "shared": self.shared,
            "rest": self.rest,
            "nobodys": self.nobodys,
        }


@dataclass(frozen=True, slots=True)
class Split:
    """What came of it."""

    folder: Path
    users: int
    tables: Mapping[str, SplitTable]
    dangling: int
    """References in people's files that lead to a row that is not in them."""
    previous: Path | None = None

    def to_json(self) -> dict[str, JSON]:
        """The object that ``profile split --json`` prints."""
        return {
            "folder": str(self.folder),
            "users": self.users,
            "tables": {name: table.to_json() for name, table in self.tables.items()},
            "dangling": self.dangling,
            **({"previous": str(self.previous)} if self.previous is not None else {}),
        }


def split_database(
    profile: Profile, places: StorePlaces, target: Path, *, force: bool = False, progress: Watch | None = None
) -> Split:
    """Writes a folder: ``users/`` with a file for each person, a file for each other store, and ``nobodys.sqlite``.

    Every row and every column is taken, secrets too. Raises :class:`~manabackup.errors.SourceError` where the database
    is not as the profile says, or a value does not go into SQLite; :class:`~manabackup.errors.UsageError` for a profile
    without stores of single people; and what :class:`AtomicFolder` raises.
    """
    own = [store for store in profile.stores.values() if store.per_subject]
    if not own:
        raise UsageError(f"the profile {profile.name} has no store of which each person has one")
    with open_stores(profile, places) as stores:
        for store in own:
            if stores.has_its_own(store.name):
                raise UsageError(f"the store {store.name} has a database of its own: there is nothing to split")
        refuse(stores.findings())
        output = AtomicFolder(target, force=force)
        with output as folder:
            work = _Work(stores, folder, progress)
            work.run()
            result = Split(target, len(work.people), work.tables, work.dangling)
            ledger = result.to_json() | {"folder": None, "profile": profile.name, "files": dict(work.people)}
            folder.write(jsontext.dumps_indented({key: ledger[key] for key in ledger if key != "folder"}), LEDGER)
    return Split(result.folder, result.users, result.tables, result.dangling, output.set_aside)


@dataclass(slots=True)
class _Sum:
    """A number of rows, and the sum of their digests: the same for the same rows in whatever order."""

    rows: int = 0
    digests: int = 0

    def add(self, values: Sequence[Any], times: int = 1) -> None:
        content = repr(tuple(values)).encode("utf-8", "surrogatepass")
        self.rows += times
        self.digests = (self.digests + times * int.from_bytes(hashlib.blake2b(content, digest_size=16).digest())) % _SUM


@dataclass(slots=True)
class _Copy:
    """One table of the database, and how its rows get into SQLite."""

    name: str
    table: LoadTable
    columns: tuple[Column, ...]
    make: list[Callable[[Any], Any]]
    database: Database
    owners: Owners

    def rows(self, question: RowQuery, before: int = 0) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
        """What stands before a row's columns, and these as SQLite takes them. Raises :class:`SourceError`."""
        for row in self.database.rows(question, []):
            values: list[Any] = []
            for make, cell in zip(self.make, row[before:], strict=True):
                try:
                    values.append(None if cell is None else make(cell))
                except ValueError as error:
                    column = printable(self.columns[len(values)].name)
                    told = "a text that is not UTF-8" if isinstance(error, UnicodeError) else str(error)
                    raise SourceError(
                        f"{self.name}, column {column}: a value that does not go in there: {told}"
                    ) from None
            yield row[:before], values


@dataclass(slots=True)
class _Work:
    stores: Stores
    folder: AtomicFolder
    progress: Watch | None
    people: dict[str, str] = field(default_factory=dict)
    """Key → the file."""
    tables: dict[str, SplitTable] = field(default_factory=dict)
    dangling: int = 0
    _wanted: dict[str, _Sum] = field(default_factory=dict)
    """Table → what must be in all files together."""
    _found: dict[str, _Sum] = field(default_factory=dict)
    """Table → what was read back."""

    def run(self) -> None:
        """Everything, one database after another."""
        profile = self.stores.profile
        hosts = [name for name in profile.stores if self.stores.has_its_own(name)]
        own = {
            host: [
                copy
                for store in profile.stores.values()
                if store.per_subject and store.within == host
                for copy in self._copies(store.name)
            ]
            for host in hosts
        }
        rest = {
            host: [
                copy
                for store in profile.stores.values()
                if not store.per_subject and host in (store.name, store.within)
                for copy in self._copies(store.name)
            ]
            for host in hosts
        }
        subject_host = next(host for host in hosts if self._is_in(profile.subject.table, host))
        if any(own[host] for host in hosts if host != subject_host):
            raise UsageError("people's stores stand in another database than the people")
        copies = own[subject_host]
        tell = teller(self.progress, Step.CONVERT)
        total = len(copies) + sum(map(len, rest.values())) + 1
        self._make_people(subject_host, copies)
        with self._file(NOBODYS, copies) as nobodys:
            for number, copy in enumerate(copies):
                self._divide(copy, nobodys)
                tell(number + 1, total)
        for host in hosts:
            with self._file(f"{host}.sqlite", rest[host]) as connection:
                for copy in rest[host]:
                    self._take_all(copy, connection)
        self._read_back(copies, [(f"{host}.sqlite", rest[host]) for host in hosts])
        tell(total, total)
        for name, wanted in self._wanted.items():
            if self._found.get(name, _Sum()) != wanted:
                raise SourceError(
                    f"{name}: what was written is not what the database holds",
                    hint="a column's type in SQLite makes another value of one of them",
                )

    def _is_in(self, table: str, host: str) -> bool:
        store = self.stores.profile.stores[table.partition(".")[0]]
        return host in (store.name, store.within)

    # --- one table

    def _divide(self, copy: _Copy, nobodys: sqlite3.Connection) -> None:
        rule = self.stores.profile.tables[copy.name]
        if not rule.is_read:
            self._take_all(copy, nobodys)
            return
        found = self.tables[copy.name] = SplitTable()
        wanted = self._wanted[copy.name] = _Sum()
        for _, values in copy.rows(copy.owners.everything(copy.table.table, copy.columns)):
            wanted.add(values)
        found.rows = wanted.rows
        for (number,), values in copy.rows(copy.owners.shared(rule, copy.columns), 1):
            wanted.add(values, int(number) - 1)
            found.shared += int(number) - 1
        pairs = copy.rows(copy.owners.owned(rule, copy.columns), 1)
        for who, rows in groupby(pairs, key=lambda pair: as_text(pair[0][0])):
            with self._opened(self.people[who]) as connection:
                found.users += _insert(connection, copy, (values for _, values in rows))
        found.rest = _insert(nobodys, copy, (values for _, values in copy.rows(copy.owners.rest(rule, copy.columns))))
        found.nobodys = one_number(copy.database, questions_about(self.stores, rule).count_nobodys(), None)
        if found.users + found.rest != wanted.rows:
            raise SourceError(f"{copy.name}: {found.users:,} and {found.rest:,} rows are not {wanted.rows:,}")

    def _take_all(self, copy: _Copy, connection: sqlite3.Connection) -> None:
        found = self.tables[copy.name] = SplitTable()
        wanted = self._wanted[copy.name] = _Sum()

        def rows() -> Iterator[list[Any]]:
            for _, values in copy.rows(copy.owners.everything(copy.table.table, copy.columns)):
                wanted.add(values)
                yield values

        found.rows = found.rest = _insert(connection, copy, rows())

    def _copies(self, store: str) -> list[_Copy]:
        profile, catalog = self.stores.profile, self.stores.catalogs[store]
        database = self.stores.database(store)
        owners = Owners(profile, catalog, database.dialect)
        kind = StoreKind.POSTGRESQL if isinstance(database, PostgresqlDatabase) else StoreKind.SQLITE
        return [
            _copy(table, catalog.tables[table_of(table.name)], kind, database, owners)
            for table in named(catalog, profile.tables, store)
        ]

    # --- files

    def _make_people(self, host: str, copies: Sequence[_Copy]) -> None:
        profile = self.stores.profile
        database = self.stores.database(host)
        owners = Owners(profile, self.stores.catalogs[host], database.dialect)
        for (who,) in list(database.rows(owners.people(), [])):
            key = as_text(who)
            self.people[key] = f"{USERS}/{_file_name(key)}"
            with self._file(self.people[key], copies):
                pass

    @contextmanager
    def _file(self, name: str, copies: Sequence[_Copy]) -> Iterator[sqlite3.Connection]:
        """A new file with all tables."""
        with self.folder.file(*name.split("/")):
            pass
        references = {copy.table.name: _within(copy, copies) for copy in copies}
        with self._opened(name) as connection:
            for statement in create_tables(
                [copy.table for copy in copies], references, StoreKind.SQLITE, _quoted, _quoted
            ):
                connection.execute(statement)
            yield connection

    @contextmanager
    def _opened(self, name: str) -> Iterator[sqlite3.Connection]:
        path = self.folder.place(*name.split("/"))
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                # Nobody sees the folder before all of it is flushed.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA journal_mode = MEMORY")
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            kind = getattr(error, "sqlite_errorname", "") or "constraint"
            raise SourceError(f"{name}: rows do not fit together ({kind})") from None
        except sqlite3.Error as error:
            kind = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise OutputError(f"{name} cannot be written: {kind}") from None

    def _read_back(self, copies: Sequence[_Copy], rest: Sequence[tuple[str, Sequence[_Copy]]]) -> None:
        files = [(name, copies) for name in (*self.people.values(), NOBODYS)]
        for name, inside in [*files, *rest]:
            with self._opened(name) as connection:
                for copy in inside:
                    columns = ", ".join(_quoted(column.name) for column in copy.columns)
                    found = self._found.setdefault(copy.name, _Sum())
                    for row in connection.execute(f"SELECT {columns} FROM {_quoted(copy.table.table)}"):
                        found.add(row)
                if name.startswith(f"{USERS}/"):
                    ((number,),) = connection.execute("SELECT count(*) FROM pragma_foreign_key_check")
                    self.dangling += number


def _copy(table: ProfiledTable, there: CatalogTable, kind: StoreKind, database: Database, owners: Owners) -> _Copy:
    columns = tuple(there.columns.values())
    told = tuple(LoadColumn(each.name, each.name, each.type, each.nullable, each.base) for each in columns)
    load = LoadTable(
        name=table.name,
        table=there.name,
        archived=there.name,
        columns=told,
        key=there.key,
        granted=frozenset(),
        references=there.references,
        source=kind,
    )
    make = [_maker(column, kind) for column in columns]
    return _Copy(table.name, load, columns, make, database, owners)


def _maker(column: Column, kind: StoreKind) -> Callable[[Any], Any]:
    """From a value out of the database to SQLite's: as it goes through an archive."""
    if kind is StoreKind.SQLITE:
        return _as_it_is
    value = converter(column, kind)
    cell: SqliteCell = sqlite_cell(column.base, kind, numeric=False)
    return lambda found: cell(found if value is None else value(found))


def _as_it_is(value: Any) -> Any:
    """SQLite's own, texts decoded."""
    return str(value, "utf-8") if type(value) is not bytes and isinstance(value, bytes) else value


def _insert(connection: sqlite3.Connection, copy: _Copy, rows: Iterator[list[Any]]) -> int:
    columns = ", ".join(_quoted(column.name) for column in copy.columns)
    marks = ", ".join("?" * len(copy.columns))
    sql = f"INSERT INTO {_quoted(copy.table.table)} ({columns}) VALUES ({marks})"
    return connection.executemany(sql, rows).rowcount if copy.columns else 0


def _within(copy: _Copy, copies: Sequence[_Copy]) -> list[ForeignKey]:
    """The foreign keys that stay in the same file."""
    tables = {each.table.table for each in copies}
    return [reference for reference in copy.table.references if reference.table in tables]


def _file_name(key: str) -> str:
    """A file for a person: their key, so that it can be told again; of a long one the digest."""
    text = quote(key, safe="")
    if len(text) > _LONGEST:
        text = f"sha256-{hashlib.sha256(key.encode()).hexdigest()}"
    return f"{text.replace('.', '%2E', 1) if text.startswith('.') else text}.sqlite"
