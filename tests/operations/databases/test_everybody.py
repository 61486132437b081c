"""``profile export --all-users``: what each gets alone, out of one snapshot, and every row is somewhere."""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.errors import LockedError, OutputError, SourceError, UsageError
from manabackup.operations.databases import Everybody, StorePlaces, export_everybody, export_rows
from manabackup.operations.ledger import Ledger
from manabackup.sources.loading import load_profile
from manabackup.sources.profile import Profile, table_of
from tests.support.loads import described, profile_of, run_sql
from tests.support.models import Crowd, Model
from tests.support.schemas import check
from tests.support.taken_out import all_expected, rows_of

Place = Callable[[Crowd], StorePlaces]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Puts a crowd into one database."""

    def of(crowd: Crowd) -> StorePlaces:
        if request.param == "sqlite":
            crowd.fill_sqlite(tmp_path / "all.sqlite")
            return StorePlaces({next(iter(crowd.profile.stores)): tmp_path / "all.sqlite"})
        dsn = request.getfixturevalue("empty")
        crowd.fill_postgresql(dsn)
        return StorePlaces(dsn=dsn)

    return of


def ledger_of(folder: Path) -> list[Any]:
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()][1:]
    return [line for line in lines if line["state"] != "begun"]


@pytest.mark.parametrize("name", ["vivim", "rebuild", "rebuild-deployed"])
def test_everybody_gets_what_they_get_alone_and_every_row_is_somewhere(name: str, place: Place, tmp_path: Path) -> None:
    crowd = Crowd(Model.of(name), load_profile(name), seed=5, people=6)
    gone = crowd.people.pop() if name == "rebuild-deployed" else None
    places = place(crowd)
    folder = tmp_path / "everybody"
    result = export_everybody(crowd.profile, places, folder)
    check("profile-export-all", result.to_json())
    assert json.loads((folder / "summary.json").read_text()) == result.to_json()
    key = crowd.profile.subject.key
    people = [person[key] for person in [*crowd.people, *([gone] if gone else [])]]
    entries = {entry["user"]: entry for entry in ledger_of(folder)}
    assert sorted(entries) == sorted(people)
    for who in people:
        alone = export_rows(crowd.profile, places, who, tmp_path / "alone.mana", force=True)
        entry = entries[who]
        assert (entry["state"], entry["exitCode"]) == ("written", 0)
        assert (entry["rows"], entry["dataSha256"]) == (alone.rows, alone.data_sha256)
    crowd.people = [*crowd.people, *([gone] if gone else [])]  # whose row is gone has the others
    # Row by row: somebody's, nobody's, or of people who are not there; and what is not read is counted.
    for table, rows in ((table, crowd.rows[table_of(table.name)]) for table in crowd.profile.read_tables()):
        totals = result.tables[table.name]
        assert totals.rows == len(rows) == totals.owned + totals.nobodys + totals.others
        assert totals.owned == sum(bool(crowd.owners(table_of(table.name), row)) for row in rows)
    for table in crowd.profile.tables.values():
        if not table.is_read:
            assert result.not_read[table.name] == len(crowd.rows[table_of(table.name)])


_SIGNED = re.compile(r" of \[([^\]]*)\]")


@pytest.mark.parametrize("name", ["vivim", "rebuild", "rebuild-deployed"])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=2)
def test_nobody_gets_a_row_or_a_text_of_another_and_all_of_their_own(name: str, seed: int) -> None:
    crowd = Crowd(Model.of(name), load_profile(name), seed=seed, people=12)
    key = crowd.profile.subject.key
    store = next(iter(crowd.profile.stores))
    rows = {table.name: crowd.rows[table_of(table.name)] for table in crowd.profile.read_tables()}
    owners = {called: [crowd.owners(table_of(called), row) for row in those] for called, those in rows.items()}
    with tempfile.TemporaryDirectory() as folder:
        crowd.fill_sqlite(Path(folder, "all.sqlite"))
        result = export_everybody(crowd.profile, StorePlaces({store: Path(folder, "all.sqlite")}), Path(folder, "all"))
        files = {entry.user: Path(folder, "all", entry.file) for entry in result.people}
        assert files.keys() == {person[key] for person in crowd.people}
        for person in crowd.people:
            there = rows_of(files[person[key]])
            assert there == all_expected(crowd, person, "sqlite")
            for table in crowd.profile.read_tables():
                granted = set(table.others.columns) if table.others is not None else set()
                texts = [
                    text
                    for row in there[f"{name}.{table_of(table.name)}"]
                    for column, text in row.items()
                    if column not in granted and isinstance(text, str)
                ]
                for signed in (mark[1] for text in texts for mark in _SIGNED.finditer(text)):
                    assert person[key] in signed.split(" and "), table.name
    # What is in nobody's archive is nobody's; with what is not read it is the whole database.
    for called, totals in result.tables.items():
        assert totals.owned == sum(map(bool, owners[called]))
    counted = {table_of(called): totals.rows for called, totals in result.tables.items()}
    counted |= {table_of(called): number or 0 for called, number in result.not_read.items()}
    assert counted == {table: len(those) for table, those in crowd.rows.items()}


@pytest.fixture
def simple(tmp_path: Path) -> tuple[Profile, StorePlaces]:
    """Three people with two rows each, the second one's alike; and a key that no file can be called by."""
    profile = profile_of(
        described(
            "s",
            """
[tables."main.things"]
class = "user"
owner = { column = "who", is = "user" }
columns = "*"
key = ["n"]
""",
        )
    )
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        connection.execute("CREATE TABLE people (id TEXT PRIMARY KEY NOT NULL)")
        connection.execute("CREATE TABLE things (n INTEGER, who TEXT)")
        for who in ("anna", "~ben", "Carla"):
            connection.execute("INSERT INTO people VALUES (?)", [who])
            connection.executemany("INSERT INTO things VALUES (?, ?)", [(1, who), (1 if who == "~ben" else 2, who)])
        connection.commit()
    return profile, StorePlaces({"main": tmp_path / "s.sqlite"})


def test_one_that_fails_is_in_the_ledger_and_the_others_are_written(
    simple: tuple[Profile, StorePlaces], tmp_path: Path
) -> None:
    result = export_everybody(*simple, tmp_path / "all")
    assert [entry.user for entry in result.failed] == ["~ben"]
    assert result.exit_code == 3
    entries = {entry["user"]: entry for entry in ledger_of(tmp_path / "all")}
    assert entries["~ben"]["state"] == "failed"
    assert entries["~ben"]["exitCode"] == SourceError.exit_code
    assert "two rows are alike in n" in entries["~ben"]["error"]
    assert {entry["state"] for user, entry in entries.items() if user != "~ben"} == {"written"}
    assert entries["anna"]["file"] == "anna.mana"
    files = {path.name for path in (tmp_path / "all").iterdir()}
    assert files == {"ledger.jsonl", "summary.json", "anna.mana", entries["Carla"]["file"]}


class Dead(BaseException):
    """As if the process had been killed."""


def test_what_was_cut_off_is_gone_on_with(
    simple: tuple[Profile, StorePlaces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "all"
    add = Ledger.add

    def once(self: Ledger, entry: Any) -> None:
        add(self, entry)
        raise Dead

    monkeypatch.setattr(Ledger, "add", once)
    for _ in range(2):  # one more each time
        with pytest.raises(Dead):
            export_everybody(*simple, folder)
    monkeypatch.undo()
    assert [entry["user"] for entry in ledger_of(folder)] == ["Carla", "anna"]
    with (folder / "ledger.jsonl").open("ab") as file:
        file.write(b'{"user":"an')  # half a line
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.mana")}
    result: Everybody = export_everybody(*simple, folder)
    assert result.kept == len(before) == 2
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.mana")}.items() >= before.items()
    assert len(result.people) == 3
    assert sum(totals.rows for totals in result.tables.values()) == 9
    with pytest.raises(OutputError, match="holds everybody's archives already"):
        export_everybody(*simple, folder)
    assert export_everybody(*simple, folder, force=True).kept == 0


def test_a_folder_is_one_run_s_and_of_one_kind(simple: tuple[Profile, StorePlaces], tmp_path: Path) -> None:
    profile, places = simple
    folder = tmp_path / "all"
    with Ledger(folder, {}), pytest.raises(LockedError):
        export_everybody(profile, places, folder)
    with pytest.raises(UsageError, match="another source, or was begun with other options"):
        export_everybody(profile, places, folder)
    assert export_everybody(profile, places, folder, force=True).people


def test_a_file_that_is_nobodys_archive_stays(simple: tuple[Profile, StorePlaces], tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "anna.mana").write_text("somebody's file")
    assert {entry.user for entry in export_everybody(*simple, folder).failed} == {"anna", "~ben"}
    assert (folder / "anna.mana").read_text() == "somebody's file"
    assert {entry.user for entry in export_everybody(*simple, folder, force=True).failed} == {"~ben"}


DANGLING = described(
    "s",
    """
[tables."main.things"]
class = "user"
owner = { column = "who", is = "user" }
columns = "*"
references = { other = "main.things", kept = "main.things", kind = "main.kinds" }
[tables."main.kinds"]
class = "catalogue"
""",
)


def test_references_that_lead_nowhere_are_counted(places: Callable[[str], StorePlaces], tmp_path: Path) -> None:
    shared = places("shared")
    run_sql(
        shared,
        "CREATE TABLE people (id TEXT PRIMARY KEY NOT NULL)",
        "CREATE TABLE kinds (id TEXT PRIMARY KEY NOT NULL)",
        "CREATE TABLE things (id INTEGER PRIMARY KEY, who TEXT, other INTEGER, "
        "kept INTEGER REFERENCES things, kind TEXT)",
        "INSERT INTO people VALUES ('anna'), ('ben')",
        "INSERT INTO things VALUES (1, 'anna', 2, NULL, 'x'), (2, 'ben', 9, 1, NULL), (3, 'anna', NULL, 1, 'x'), "
        "(4, 'anna', 8, NULL, 'x'), (5, 'anna', 7, NULL, 'x')",
    )
    profile = profile_of(DANGLING)
    export_everybody(profile, shared, tmp_path / "all")
    for who, dangling in (("anna", {"other": 2}), ("ben", {"other": 1})):
        alone = export_rows(profile, shared, who, tmp_path / f"{who}.mana")
        assert alone.tables["main.things"].dangling == dangling
        check("profile-export", alone.to_json())
        for path in (tmp_path / f"{who}.mana", tmp_path / "all" / f"{who}.mana"):
            with open_archive(path) as archive:
                database: Any = archive.manifest.raw["database"]
            check("database-manifest", database)
            assert database["tables"]["main.things"]["dangling"] == dangling


def test_a_file_of_one_person_is_not_everybodys(tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=4)
    crowd.fill_sqlite(tmp_path / "master.sqlite", "master")
    crowd.fill_sqlite(tmp_path / "anna.sqlite", "user")
    stores = StorePlaces({"master": tmp_path / "master.sqlite", "user": tmp_path / "anna.sqlite"})
    with pytest.raises(UsageError, match="the store user is one person's"):
        export_everybody(crowd.profile, stores, tmp_path / "all")


def test_whose_rows_are_told_by_the_database_alone_are_not_told_apart_here(empty: str, tmp_path: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id numeric PRIMARY KEY)")
    with pytest.raises(SourceError, match="whose rows are cannot be told by id"):
        export_everybody(profile_of(described("s")), StorePlaces(dsn=empty), tmp_path / "all")
