"""Databases that hang, break off, are locked, damaged or changed meanwhile."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from manabackup.errors import ServerError, SourceError
from manabackup.sources.postgresql import PostgresqlDatabase
from manabackup.sources.queries import RowQuery
from manabackup.sources.sqlite import SqliteDatabase


@pytest.fixture
def filled(empty: str) -> str:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        connection.execute("INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 50000) n")
    return empty


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port where somebody takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_who_takes_a_connection_and_says_nothing_is_not_waited_for(deaf: int) -> None:
    with pytest.raises(ServerError, match="cannot be reached"):
        PostgresqlDatabase(f"host=127.0.0.1 port={deaf} user=x dbname=x connect_timeout=2", "public")


@pytest.mark.parametrize("begun", [0, 200_000])
def test_a_server_that_falls_silent_is_not_waited_for(empty: str, begun: int) -> None:
    question = RowQuery(
        f"SELECT CASE WHEN n > {begun} THEN pg_catalog.pg_sleep(3600)::text ELSE repeat('x', 20) END "
        "FROM pg_catalog.generate_series(1, 200001) n"
    )
    database = PostgresqlDatabase(empty, "public", patience=1.0)
    with closing(database), pytest.raises(ServerError, match="has said nothing for 1 seconds"):
        list(database.rows(question, []))
    _terminate(empty)


def test_a_connection_that_breaks_in_the_middle_is_an_error(filled: str) -> None:
    with closing(PostgresqlDatabase(filled, "public")) as database:
        blocks = database.blocks(RowQuery("SELECT a.v, b.v FROM public.t a, public.t b LIMIT 500000"), [])
        next(blocks)
        _terminate(filled)
        with pytest.raises(ServerError, match="broke"):
            list(blocks)


def _terminate(dsn: str) -> None:
    """Ends what we do in a database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'manabackup' AND datname = current_database()"
        )


@pytest.mark.parametrize(
    "change", ["ALTER TABLE t ADD COLUMN w int", "TRUNCATE t", "DROP TABLE t", "CREATE INDEX ON t (v)"]
)
def test_definitions_wait_until_all_is_read(filled: str, change: str) -> None:
    with closing(PostgresqlDatabase(filled, "public")) as database, psycopg.connect(filled) as connection:
        connection.execute("SET lock_timeout = 1")
        if change.startswith("CREATE"):  # what changes no definition need not wait
            connection.execute(change.encode())
        else:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(change.encode())
        connection.rollback()
        assert list(database.catalog().tables) == ["t"]
        assert len(list(database.rows(RowQuery("SELECT id FROM public.t"), []))) == 50_000


def test_a_table_that_somebody_changes_is_not_waited_for_for_ever(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceError, match="a table is locked by somebody who changes it"):
            PostgresqlDatabase(filled, "public", patience=1.0)


def test_what_others_write_meanwhile_is_not_seen(filled: str) -> None:
    with closing(PostgresqlDatabase(filled, "public")) as database:
        with psycopg.connect(filled, autocommit=True) as connection:
            connection.execute("DELETE FROM t WHERE id % 2 = 0")
            connection.execute("INSERT INTO t VALUES (-1, 'new')")
            connection.execute("UPDATE t SET v = 'changed'")
            connection.execute("CREATE TABLE later (id int)")
        rows = list(database.rows(RowQuery("SELECT id, v FROM public.t"), []))
        assert {value for _, value in rows} == {"x" * 100}
        assert len(rows) == 50_000
        assert list(database.catalog().tables) == ["t"]


# --- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        connection.executemany("INSERT INTO t (v) VALUES (?)", [("x" * 100,)] * 5_000)
        connection.commit()
    return path


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_that_was_cut_off_is_damaged(file: Path, part: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(SourceError, match="damaged"), closing(SqliteDatabase(file)) as database:
        list(database.rows(RowQuery("SELECT id, v FROM t"), []))


def test_a_file_that_another_program_keeps_for_itself_is_not_waited_for_for_ever(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="locked by another program"):
            SqliteDatabase(file, patience=0.1)
