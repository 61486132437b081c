"""``profile split``: everybody's rows in files of their own and the rest, all of it what the shared database holds."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import OutputError, SourceError, UsageError
from manabackup.operations.databases import StorePlaces, split_database
from manabackup.sources.loading import load_profile
from manabackup.sources.profile import store_of, table_of
from tests.support.loads import SMALL, SMALL_SHAPE, asked, export, lines, profile_of, run_sql
from tests.support.models import Crowd, Model
from tests.support.processes import CommandLine
from tests.support.schemas import check

Place = Callable[[Crowd], StorePlaces]


def ids_in(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [identifier for (identifier,) in connection.execute(f'SELECT id FROM "{table}"')]


@pytest.mark.parametrize("seed", [1, 5, 9])
def test_every_row_stands_where_it_belongs_and_nowhere_else(seed: int, place: Place, tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=seed, people=4)
    gone = crowd.people[-1]
    places = place(crowd)
    if seed == 9:  # somebody's own row is gone, and nothing else of theirs, as where there are no foreign keys
        crowd = Crowd(without_references(), load_profile("vivim"), seed=seed, people=4)
        gone = crowd.people.pop()
        crowd.rows["users"] = list(crowd.people)
        if places.dsn is None:
            places.files["master"].unlink()
        else:
            run_sql(places, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        places = place(crowd)
    result = split_database(crowd.profile, places, tmp_path / "split")
    ledger = json.loads((tmp_path / "split" / "split.json").read_text())
    assert ledger["files"].keys() == {person["id"] for person in crowd.people}
    assert (gone["id"] in ledger["files"]) == (seed != 9)
    for name in crowd.profile.tables:
        table, rows = table_of(name), crowd.rows[table_of(name)]
        found = result.tables[name]
        assert found.rows == len(rows) == asked(places, f'SELECT count(*) FROM "{table}"')[0][0]
        if store_of(name) == "master":
            assert Counter(ids_in(tmp_path / "split" / "master.sqlite", table)) == Counter(row["id"] for row in rows)
            assert (found.users, found.rest) == (0, len(rows))
            continue
        owners = {row["id"]: crowd.owners(table, row) for row in rows}
        for person in crowd.people:
            wanted = sorted(identifier for identifier, whose in owners.items() if person["id"] in whose)
            assert sorted(ids_in(tmp_path / "split" / ledger["files"][person["id"]], table)) == wanted, name
        nobodys = sorted(identifier for identifier, whose in owners.items() if not whose)
        assert sorted(ids_in(tmp_path / "split" / "nobodys.sqlite", table)) == nobodys
        assert found.users == sum(map(len, owners.values()))
        assert found.users - found.shared + found.rest == found.rows


def without_references() -> Model:
    tables = Model.of("vivim").tables
    return Model({name: {**table, "references": []} for name, table in tables.items()})


def test_the_split_stores_are_exported_as_the_shared_one_was(tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=3)
    crowd.fill_sqlite(tmp_path / "all.sqlite")
    shared = StorePlaces({"master": tmp_path / "all.sqlite"})
    split_database(crowd.profile, shared, tmp_path / "split")
    files = json.loads((tmp_path / "split" / "split.json").read_text())["files"]
    for person in crowd.people:
        export(shared, tmp_path / "before.mana", crowd.profile, person["id"], derived=True)
        user = tmp_path / "split" / files[person["id"]]
        places = StorePlaces({"master": tmp_path / "split" / "master.sqlite", "user": user})
        export(places, tmp_path / "after.mana", crowd.profile, person["id"], derived=True)
        assert lines(tmp_path / "after.mana") == lines(tmp_path / "before.mana")
    with pytest.raises(UsageError, match="there is nothing to split"):
        split_database(crowd.profile, places, tmp_path / "again")


def small(kind: str, request: pytest.FixtureRequest, tmp_path: Path, *more: str) -> StorePlaces:
    places = (
        StorePlaces({"main": tmp_path / "small.sqlite"})
        if kind == "sqlite"
        else StorePlaces(dsn=request.getfixturevalue("empty"))
    )
    run_sql(places, *SMALL_SHAPE, *more)
    return places


ODD = ["../../etc", ".", "a/b", "' OR 1=1 --", "x" * 300, "ü🔑", "CON"]


def test_rows_of_several_people_and_odd_names(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    people = [f"INSERT INTO people VALUES ('{who.replace(chr(39), chr(39) * 2)}', {n})" for n, who in enumerate(ODD)]
    places = small(
        kind,
        request,
        tmp_path,
        *people,
        "INSERT INTO things VALUES (1, 10, '.', 0, 'hunter2'), (2, 20, NULL, NULL, 'x'), (3, 30, 'gone', 6, 'y')",
        "INSERT INTO parts VALUES (100, 10), (200, 20), (300, NULL)",
        "INSERT INTO seen VALUES ('a'), ('a')",
    )
    result = split_database(profile_of(SMALL), places, tmp_path / "split")
    tables: Any = {name: table.to_json() for name, table in result.tables.items()}
    assert tables["own.things"] == {"rows": 3, "users": 3, "shared": 1, "rest": 1, "nobodys": 1}
    assert tables["own.parts"] == {"rows": 3, "users": 2, "shared": 1, "rest": 2, "nobodys": 2}
    assert tables["own.seen"] == {"rows": 2, "users": 0, "shared": 0, "rest": 2, "nobodys": 0}
    files = json.loads((tmp_path / "split" / "split.json").read_text())["files"]
    assert files.keys() == set(ODD)
    inside = {path.relative_to(tmp_path / "split").as_posix() for path in (tmp_path / "split").rglob("*.sqlite")}
    assert inside == {*files.values(), "main.sqlite", "nobodys.sqlite"}
    for who in (ODD[0], "."):
        with closing(sqlite3.connect(tmp_path / "split" / files[who])) as connection:
            assert connection.execute("SELECT * FROM things").fetchall() == [(1, 10, ".", 0, "hunter2")]
            assert connection.execute("SELECT * FROM parts").fetchall() == [(100, 10)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "split").rglob("*"))


def test_what_cannot_be_kept_leaves_no_folder(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    places = small(kind, request, tmp_path, "INSERT INTO people VALUES ('a', 1)")
    if kind == "sqlite":
        run_sql(places, "INSERT INTO things VALUES (1, 2, 'a', 3, CAST(x'ff' AS TEXT))")
        told = "not UTF-8"
    else:
        run_sql(places, "ALTER TABLE things ADD more float8", "INSERT INTO things VALUES (1, 2, 'a', 3, 'x', 'NaN')")
        told = "NaN"
    with pytest.raises(SourceError, match=f"own.things, column .*{told}"):
        split_database(profile_of(SMALL), places, tmp_path / "split")
    assert not list(tmp_path.glob("*split*"))
    run_sql(places, "DELETE FROM things", "CREATE TABLE unknown (x text)")
    with pytest.raises(SourceError, match="unknownTable"):
        split_database(profile_of(SMALL), places, tmp_path / "split")
    with pytest.raises(UsageError, match="has no store of which each person has one"):
        split_database(load_profile("rebuild"), places, tmp_path / "split")


def test_minus_zero_that_sqlite_would_make_another_of_is_found_out(empty: str, tmp_path: Path) -> None:
    places = StorePlaces(dsn=empty)
    run_sql(places, *SMALL_SHAPE, "ALTER TABLE things ADD more float8", "INSERT INTO people VALUES ('a', 1)")
    run_sql(places, "INSERT INTO things VALUES (1, 2, 'a', 3, 'x', '-0')")
    with pytest.raises(SourceError, match=r"own\.things: what was written is not what the database holds"):
        split_database(profile_of(SMALL), places, tmp_path / "split")
    assert not list(tmp_path.glob("*split*"))


def test_the_command_tells_the_counts_and_takes_nobodys_place(tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=3)
    crowd.fill_sqlite(tmp_path / "all.sqlite")
    run = CommandLine(tmp_path)
    arguments = ["profile", "split", "vivim", "--store", f"master={tmp_path / 'all.sqlite'}", "-o", str(tmp_path / "s")]
    done = run(*arguments, "--json")
    assert done.code == 0, done.err
    check("profile-split", done.record)
    assert run(*arguments).code == 17
    words = run(*arguments, "--force")
    assert "3 files of people; proved to be equal" in words.out
    assert "secrets, and everybody's rows" in words.err
    with pytest.raises(OutputError):
        split_database(crowd.profile, StorePlaces({"master": tmp_path / "all.sqlite"}), tmp_path / "s")
