"""``profile load`` into files of SQLite: their values, and what is there already."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from manabackup.errors import ConflictError, SourceError
from manabackup.operations.databases import StorePlaces
from tests.support import postgres
from tests.support.loads import FILL, ONE, ORDERS, PEOPLE, contents, export, load, profile_of, run_sql


def test_every_value_of_sqlite_comes_back_exactly(tmp_path: Path) -> None:
    profile = profile_of(ONE)
    source, target = (StorePlaces({"main": tmp_path / f"{name}.sqlite"}) for name in ("source", "target"))
    table = 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c REAL, d, e, f, g TEXT, h NUMERIC, i REAL, j TEXT, k "a b")'
    run_sql(
        source,
        table,
        "INSERT INTO t VALUES (1, 9007199254740993, -0.0, 1e999, x'00ff', 1.0, 'a' || char(0), 1e-7, 2.5, 3, "
        "'Infinity', -9223372036854775808)",
    )
    export(source, tmp_path / "a.mana", profile)
    run_sql(target, table)
    assert load(tmp_path / "a.mana", profile, target).written == 1
    assert contents(target, ["t"]) == contents(source, ["t"])
    new = StorePlaces({"main": tmp_path / "new.sqlite"})
    assert load(tmp_path / "a.mana", profile, new, create=True).written == 1
    assert contents(new, ["t"]) == contents(source, ["t"])


def test_a_file_that_is_there_is_not_made_and_one_for_nothing_is_gone(tmp_path: Path) -> None:
    source = StorePlaces({"main": tmp_path / "source.sqlite"})
    run_sql(source, PEOPLE, ORDERS, *FILL)
    export(source, tmp_path / "a.mana", profile_of())
    new = StorePlaces({"main": tmp_path / "new.sqlite"})
    with pytest.raises(SourceError, match="--create"):
        load_hint(tmp_path / "a.mana", new)
    load(tmp_path / "a.mana", profile_of(), new, create=True, dry_run=True)
    assert not (tmp_path / "new.sqlite").exists()
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough" * 100)
    with pytest.raises(SourceError, match="is no SQLite database"):
        load(tmp_path / "a.mana", profile_of(), StorePlaces({"main": tmp_path / "text.sqlite"}), create=True)


def load_hint(path: Path, places: StorePlaces) -> None:
    try:
        load(path, profile_of(), places)
    except SourceError as error:
        raise SourceError(f"{error.message} {error.hint}") from None


def test_nan_does_not_go_into_sqlite(server: str, tmp_path: Path) -> None:
    script = "CREATE TABLE t (id int PRIMARY KEY, v float8); INSERT INTO t VALUES (1, 'NaN')"
    with postgres.database(server, script) as dsn:
        export(StorePlaces(dsn=dsn), tmp_path / "a.mana", profile_of(ONE))
    with pytest.raises(SourceError, match=r"main\.t, column v: .*NaN"):
        load(tmp_path / "a.mana", profile_of(ONE), StorePlaces({"main": tmp_path / "n.sqlite"}), create=True)
    assert not (tmp_path / "n.sqlite").exists()


def test_texts_are_compared_byte_by_byte(tmp_path: Path) -> None:
    """A column that takes A and a for equal holds another text all the same."""
    source, target = (StorePlaces({"main": tmp_path / f"{name}.sqlite"}) for name in ("source", "target"))
    table = "CREATE TABLE t (id int PRIMARY KEY, v TEXT COLLATE NOCASE)"
    run_sql(source, table, "INSERT INTO t VALUES (1, 'A')")
    run_sql(target, table, "INSERT INTO t VALUES (1, 'a')")
    export(source, tmp_path / "a.mana", profile_of(ONE))
    with pytest.raises(ConflictError):
        load(tmp_path / "a.mana", profile_of(ONE), target)
    with closing(sqlite3.connect(target.files["main"])) as connection:
        assert connection.execute("SELECT v FROM t").fetchall() == [("a",)]
