"""The databases of a run: which store of a profile lies where, and whose rows are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import NotFoundError, SourceError, UsageError
from ...sources.agreement import Disagreement, compare
from ...sources.catalog import Catalog
from ...sources.database import Database
from ...sources.postgresql import PostgresqlDatabase
from ...sources.profile import USER, OnUnknown, Profile, Store, StoreKind, store_of, table_of
from ...sources.queries import RowQuery, count_all, everybody, find_subject, proof_of
from ...sources.sqlite import SqliteDatabase
from ...sources.whose import People, as_text
from ...text.printable import printable
from ...text.suggestions import did_you_mean


@dataclass(frozen=True, slots=True)
class StorePlaces:
    """Where the stores of a profile lie: SQLite files by store, and a connection string for the store that is left."""

    files: Mapping[str, Path] = field(default_factory=dict)
    dsn: str | None = field(default=None, repr=False)

    def of(self, profile: Profile) -> dict[str, Path | str | None]:
        """Store → its file, or its connection string, or None for one within another. Raises :class:`UsageError`."""
        for name in self.files:
            if name not in profile.stores:
                raise UsageError(f"the profile has no store {printable(name)}", hint=did_you_mean(name, profile.stores))
        found: dict[str, Path | str | None] = dict(self.files)
        left = [store for store in profile.stores.values() if store.name not in self.files and store.within is None]
        if self.dsn is not None and not left:
            raise UsageError("a connection string is given, and every store has a file")
        for store in left:
            if self.dsn is None or len(left) > 1:
                raise UsageError(f"where is the store {store.name}?", hint=_how(store))
            found[store.name] = self.dsn
        for name in profile.stores:
            found.setdefault(name, None)
        return found


def _how(store: Store) -> str:
    if store.kind is StoreKind.SQLITE:
        return f"--store {store.name}=FILE"
    return "--dsn-file FILE, --dsn-command CMD, MANABACKUP_DSN, or --service NAME"


@dataclass(frozen=True, slots=True)
class Whose:
    """Somebody whose rows are asked for."""

    identities: Mapping[str, Any]
    found: bool
    """Whether their row in the subject's table is there."""

    @property
    def user(self) -> str:
        """Their key, as text."""
        return as_text(self.identities[USER])


class Stores:
    """The open databases of a profile's stores."""

    def __init__(self, profile: Profile, databases: Mapping[str, Database]) -> None:
        self.profile = profile
        self._databases = databases
        self._catalogs: dict[int, Catalog] = {}

    def database(self, store: str) -> Database:
        """The one in which a store's tables stand."""
        return self._databases[store]

    def has_its_own(self, store: str) -> bool:
        """Whether a store does not stand within another."""
        within = self.profile.stores[store].within
        return within is None or self._databases[store] is not self._databases[within]

    @cached_property
    def catalogs(self) -> Mapping[str, Catalog]:
        """Store → catalog; stores of one database share one."""
        found: dict[str, Catalog] = {}
        for store, database in self._databases.items():
            if id(database) not in self._catalogs:
                self._catalogs[id(database)] = database.catalog()
            found[store] = self._catalogs[id(database)]
        return found

    def size(self) -> int:
        """Bytes of all rows of the largest database, as :meth:`Database.size` counts them."""
        return max(database.size() for database in self._databases.values())

    def findings(self) -> list[Disagreement]:
        """What profile and databases do not agree about."""
        return compare(self.profile, self.catalogs)

    def whose(self, called: str) -> Whose:
        """Whom a key, or a value of another column of ``lookup``, names.

        Raises :class:`NotFoundError`, and :class:`UsageError` where it may be several people.
        """
        subject = self.profile.subject
        database = self._databases[store_of(subject.table)]
        names = list(subject.identities)
        columns = [subject.identities[name] for name in names]
        question = find_subject(table_of(subject.table), (subject.key, *subject.lookup), columns, database.dialect)
        rows = list(database.rows(question, [called] * len(question.identities)))
        if len(rows) > 1:
            raise UsageError(f"{printable(called)} may be several people", hint=f"give their {subject.key}")
        if rows:
            return Whose(dict(zip(names, map(_parameter, rows[0]), strict=True)), found=True)
        if subject.row_optional:
            return Whose({USER: called}, found=False)
        raise NotFoundError(f"{printable(subject.table)} knows nobody who is called {printable(called)}")

    def people(self) -> People:
        """Everybody who has a row in the subject's table.

        Raises :class:`UsageError` where a store holds one person's rows alone.
        """
        for store in self.profile.stores.values():
            if store.per_subject and self.has_its_own(store.name):
                raise UsageError(f"the store {store.name} is one person's", hint="export them one by one")
        subject = self.profile.subject
        database = self._databases[store_of(subject.table)]
        names = list(subject.identities)
        question = everybody(table_of(subject.table), list(subject.identities.values()), database.dialect)
        keys: dict[str, dict[str, str]] = {name: {} for name in names}
        for row in database.rows(question, []):
            texts = [None if value is None else as_text(value) for value in row]
            key = texts[names.index(USER)]
            for name, text in zip(names, texts, strict=True):
                if key is not None and "\0" in key:
                    raise SourceError(f"{printable(subject.table)}: a key with a NUL in it", hint="export one by one")
                if text is not None and key is not None and keys[name].setdefault(text, key) != key:
                    raise SourceError(f"{printable(subject.table)}: two people have one {printable(name)}")
        return People(keys, subject.row_optional)

    def count(self, table: str) -> int | None:
        """The rows of a table of a store; None where this role may read nothing of it, or it is not there."""
        store = store_of(table)
        there = self.catalogs[store].tables.get(table_of(table))
        if there is None or not any(column.readable for column in there.columns.values()):
            return None
        database = self._databases[store]
        return one_number(database, count_all(table_of(table), database.dialect), None)

    def check_proofs(self, whose: Whose) -> None:
        """Raises :class:`SourceError` for a file of somebody else's, or one that does not say whose it is."""
        for store in self.profile.stores.values():
            if store.proof is None or not self.has_its_own(store.name):
                continue
            table, column = store.proof
            rule = self.profile.tables[f"{store.name}.{table}"]
            database = self._databases[store.name]
            answers = {as_text(value) for (value,) in database.rows(proof_of(table, column, database.dialect), [])}
            if len(answers) != 1:
                what = "does not say whose it is" if not answers else "holds more than one person's rows"
                raise SourceError(f"the file of the store {store.name} {what}", hint=f"{table}.{column} should")
            expected = {as_text(value) for value in whose.identities.values()}
            assert rule.owner is not None
            if not answers <= expected:
                raise SourceError(f"the file of the store {store.name} is somebody else's")


def refuse(findings: Sequence[Disagreement]) -> None:
    """Raises :class:`SourceError` where one of them is an error, with the first of them by name."""
    errors = [finding for finding in findings if finding.severity is OnUnknown.ERROR]
    if errors:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise SourceError(
            f"the database is not as the profile says: {errors[0]}{more}", hint="`manabackup profile check`"
        )


@contextmanager
def open_stores(profile: Profile, places: StorePlaces) -> Iterator[Stores]:
    """Opens every database once: those of one person first, so that what they refer to is there when it is read."""
    found = places.of(profile)
    order = sorted(profile.stores.values(), key=lambda store: not store.per_subject)
    with ExitStack() as opened:
        databases: dict[str, Database] = {}
        for store in order:
            place = found[store.name]
            if place is not None:
                database: Database = (
                    SqliteDatabase(place) if isinstance(place, Path) else PostgresqlDatabase(place, store.schema)
                )
                opened.callback(database.close)
                databases[store.name] = database
        for store in order:
            if found[store.name] is None:
                assert store.within is not None
                databases[store.name] = databases[store.within]
        yield Stores(profile, {name: databases[name] for name in profile.stores})


def one_number(database: Database, question: RowQuery, whose: Whose | None) -> int:
    """The answer to a question that counts."""
    values = question.values(whose.identities if whose is not None else {})
    ((found,),) = database.rows(question, values)
    return int(found)


def _parameter(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
