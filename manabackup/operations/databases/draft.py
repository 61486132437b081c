"""``profile draft``: a first profile out of the catalogs of databases."""

from __future__ import annotations

import re
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...archive.destination import Destination, opened, writing
from ...errors import UsageError
from ...sources.catalog import Catalog
from ...sources.database import Database
from ...sources.decisions import undecided
from ...sources.drafting import DraftStore, draft
from ...sources.postgresql import PostgresqlDatabase
from ...sources.profile import StoreKind
from ...sources.sqlite import SqliteDatabase
from ...text.jsontext import JSON
from ...text.printable import printable
from .stores import StorePlaces

MAIN = "main"
"""The store that a connection string is for."""
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Drafted:
    """What came of it."""

    profile: Path
    tables: int
    decisions: int
    """Marks that a person must take away."""

    def to_json(self) -> dict[str, JSON]:
        """The object that ``profile draft --json`` prints."""
        return {"profile": str(self.profile), "tables": self.tables, "decisions": self.decisions}


def draft_profile(
    places: StorePlaces, target: Destination, *, name: str, schema: str = "public", force: bool = False
) -> Drafted:
    """Writes a profile in which everything that only a person can decide is marked; no row is read.

    Raises :class:`~manabackup.errors.SourceError`, :class:`~manabackup.errors.ServerError`,
    :class:`~manabackup.errors.UsageError`, and what the destination raises.
    """
    for each in (name, *places.files):
        if _NAME.fullmatch(each) is None:
            raise UsageError(f"{printable(each)} is not made of small letters, digits and dashes, 63 at most")
    if places.dsn is None and not places.files:
        raise UsageError("where is the database?", hint="--dsn-file FILE, --dsn-command CMD, MANABACKUP_DSN, --store")
    if places.dsn is not None and MAIN in places.files:
        raise UsageError(f"the store {MAIN} is given twice", hint="call the file's store otherwise")
    with ExitStack() as open_databases:
        stores = []
        for store, path in places.files.items():
            stores.append(DraftStore(store, StoreKind.SQLITE, _catalog(SqliteDatabase(path), open_databases)))
        if places.dsn is not None:
            catalog = _catalog(PostgresqlDatabase(places.dsn, schema), open_databases)
            stores.insert(0, DraftStore(MAIN, StoreKind.POSTGRESQL, catalog, schema))
    if not any(store.catalog.tables for store in stores):
        raise UsageError("there is no table to draft from", hint="--schema, where the tables are in another one")
    text = draft(name, stores)
    with writing(target), opened(target, force=force) as file:
        file.write(text.encode())
    return Drafted(
        profile=Path(str(target)),
        tables=sum(len(store.catalog.tables) for store in stores),
        decisions=sum(1 for _ in undecided(tomllib.loads(text))),
    )


def _catalog(database: Database, open_databases: ExitStack) -> Catalog:
    open_databases.callback(database.close)
    return database.catalog()
