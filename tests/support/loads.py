"""Small models of databases, loading archives into them, and what stands in them then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from manabackup.archive.reader import open_archive
from manabackup.operations.databases import (
    LoadConflict,
    Loaded,
    LoadOrder,
    StorePlaces,
    export_rows,
    load_rows,
)
from manabackup.sources.loading import parse_profile
from manabackup.sources.profile import Profile


def described(name: str, more: str = "", *, table: str = "main.people", key: str = "id", title: str = "A model") -> str:
    """A profile with one store, whose subjects are the rows of one table; ``more`` goes on in that table."""
    return f"""
profile = 1
name = "{name}"
title = "{title}"
[stores.main]
kind = "postgresql"
[subject]
table = '{table}'
key = "{key}"
[tables.'{table}']
class = "user"
owner = {{ column = "{key}", is = "user" }}
columns = "*"
{more}"""


SHOP = described(
    "shop",
    """
omit = { password = "secret" }
[tables."main.orders"]
class = "user"
owner = { column = "person", is = "user" }
columns = "*"
[tables."main.countries"]
class = "catalogue"
""",
)
PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, friend int REFERENCES people, password text)"
ORDERS = (
    "CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, price numeric(10,2), note text)"
)
FILL = (
    "INSERT INTO people VALUES (1, 'Anna', 1, 'hunter2'), (2, 'Bea', 1, 'swordfish')",
    "INSERT INTO orders VALUES (10, 1, 1.50, 'one'), (11, 1, 2.25, NULL), (20, 2, 3, 'hers')",
)

ONE = described("v", table="main.t")
"""Of one table, of whatever columns."""


def hostile(more: str) -> str:
    """A profile of tables and columns that are called as if they were SQL; ``more`` goes on in the second table."""
    return described(
        "odd",
        f"""
[tables."main.It's; DROP TABLE x--"]
class = "user"
owner = {{ column = "o'wner", is = "user" }}
columns = "*"
{more}""",
        table='main.us"ers',
        key="i d%s",
    )


SMALL = """
profile = 1
name = "small"
title = "Small"
[stores.main]
kind = "postgresql"
[stores.own]
kind = "sqlite"
per = "subject"
within = "main"
holds = { table = "things", column = "who" }
[subject]
table = "main.people"
key = "id"
identities = { other = "other" }
[tables."main.people"]
class = "user"
owner = { column = "id", is = "user" }
columns = "*"
[tables."own.things"]
class = "user"
owner = { any = [{ column = "who", is = "user" }, { column = "also", is = "other" }] }
columns = "*"
omit = { "va'l" = "secret" }
[tables."own.parts"]
class = "user"
owner = { through = "thing", to = "own.things", key = "number" }
columns = "*"
[tables."own.seen"]
class = "system"
why = "nobody's"
"""
SMALL_SHAPE = (
    "CREATE TABLE people (id text PRIMARY KEY, other int)",
    'CREATE TABLE things (id int PRIMARY KEY, number int UNIQUE, who text, also int, "va\'l" text)',
    "CREATE TABLE parts (id int PRIMARY KEY, thing int REFERENCES things (number))",
    "CREATE TABLE seen (x text)",
)


def profile_of(text: str = SHOP) -> Profile:
    """The profile that a text is."""
    return parse_profile(text.encode(), "shop.toml")


def run_sql(places: StorePlaces, *statements: str) -> None:
    """Statements without parameters, whatever the kind of database."""
    if places.dsn is None:
        (path,) = places.files.values()
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    else:
        with psycopg.connect(places.dsn) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def asked(places: StorePlaces, statement: str) -> list[tuple[Any, ...]]:
    """What a statement answers."""
    if places.dsn is None:
        (path,) = places.files.values()
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(places.dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


def contents(places: StorePlaces, tables: Iterable[str]) -> dict[str, list[str]]:
    """Every row of some tables, as texts."""
    return {name: sorted(map(repr, asked(places, f'SELECT * FROM "{name}"'))) for name in tables}


def export(places: StorePlaces, path: Path, profile: Profile, who: str = "1", *, derived: bool = False) -> None:
    """Somebody's archive."""
    export_rows(profile, places, who, path, derived=derived, force=True)


def load(
    path: Path,
    profile: Profile,
    places: StorePlaces,
    *,
    create: bool = False,
    on_conflict: str = "fail",
    dry_run: bool = False,
) -> Loaded:
    """An archive into a database; nobody objects to the plan."""
    order = LoadOrder(create=create, on_conflict=LoadConflict(on_conflict), dry_run=dry_run)
    with open_archive(path) as archive:
        return load_rows(archive, profile, places, order, confirm=lambda plan: None)


def lines(path: Path) -> dict[str, list[bytes]]:
    """The rows of an archive."""
    with open_archive(path) as archive:
        return {table: [row.line for row in archive.rows(table)] for table in archive.tables}
