"""``profile export``: exactly one person's rows, beside what is found by walking over all rows without SQL."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from manabackup.archive.reader import open_archive
from manabackup.errors import NotFoundError, SourceError
from manabackup.operations.databases import DatabaseExport, StorePlaces, export_rows
from manabackup.sources.loading import load_profile
from manabackup.sources.profile import Profile, table_of
from tests.support.loads import hostile
from tests.support.models import Crowd, Model
from tests.support.schemas import check
from tests.support.taken_out import by_id, expected, rows_of

Place = Callable[[Crowd], StorePlaces]


@pytest.mark.parametrize("name", ["vivim", "rebuild", "rebuild-deployed"])
def test_an_archive_holds_all_that_is_somebodys_and_nothing_else(
    name: str, kind: str, place: Place, tmp_path: Path
) -> None:
    crowd = Crowd(Model.of(name), load_profile(name), seed=11)
    profile, places = crowd.profile, place(crowd)
    subject = profile.subject.key
    in_somebodys: dict[str, set[int]] = {table.name: set() for table in profile.read_tables()}
    for number, person in enumerate(crowd.people):
        path = tmp_path / f"{number}.mana"
        result = export_rows(profile, places, str(person[subject]), path)
        assert result.status == "complete"
        there = rows_of(path)
        assert there.keys() == {f"{name}.{table_of(table.name)}" for table in profile.read_tables()}
        for table in profile.read_tables():
            rows = crowd.rows[table_of(table.name)]
            own = [row for row in rows if person[subject] in crowd.owners(table_of(table.name), row)]
            wanted = [expected(crowd, table, row, kind) for row in own]
            others = [row for row in rows if crowd.may_see(table_of(table.name), row, person)]
            if table.others is not None and table.others.columns:
                wanted += [expected(crowd, table, row, kind, table.others.columns) for row in others]
            assert there[f"{name}.{table_of(table.name)}"] == by_id(wanted), table.name
            found = result.tables[table.name]
            assert (found.own, found.reduced + found.left_out) == (len(own), len(others))
            in_somebodys[table.name] |= {id(row) for row in own}
        # No text of anybody else's is in any entry, but in columns that the profile grants.
        with zipfile.ZipFile(path) as archive:
            whole = b"".join(archive.read(entry) for entry in archive.namelist() if not entry.startswith("data/"))
        assert all(f"[{other[subject]}]".encode() not in whole for other in crowd.people)
    # All archives, what is nobody's, and what belongs to people who are not there: the whole database.
    for table in profile.read_tables():
        rest = [row for row in crowd.rows[table_of(table.name)] if id(row) not in in_somebodys[table.name]]
        assert all(not crowd.owners(table_of(table.name), row) for row in rest)


def test_the_split_stores_give_what_the_one_database_gives(tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=4)
    anna = crowd.people[0]
    one, two = tmp_path / "one.mana", tmp_path / "two.mana"
    crowd.fill_sqlite(tmp_path / "all.sqlite")
    crowd.fill_sqlite(tmp_path / "master.sqlite", "master")
    crowd.fill_sqlite(tmp_path / "anna.sqlite", "user")
    with closing(sqlite3.connect(tmp_path / "anna.sqlite")) as connection:
        connection.execute('DELETE FROM user_context_settings WHERE "userId" <> ?', [anna["id"]])
        connection.commit()
    export_rows(crowd.profile, StorePlaces({"master": tmp_path / "all.sqlite"}), anna["id"], one)
    stores = StorePlaces({"master": tmp_path / "master.sqlite", "user": tmp_path / "anna.sqlite"})
    export_rows(crowd.profile, stores, anna["email"], two)
    assert rows_of(one) == rows_of(two)


def test_the_same_database_gives_the_same_archive(kind: str, place: Place, tmp_path: Path) -> None:
    crowd = Crowd(Model.of("rebuild"), load_profile("rebuild"), seed=8)
    places = place(crowd)
    one, two = (
        export_rows(crowd.profile, places, crowd.people[0]["id"], tmp_path / f"{name}.mana") for name in ("one", "two")
    )
    assert one.data_sha256 == two.data_sha256
    assert one.fingerprint == two.fingerprint


def test_whose_row_is_gone_still_gets_the_others(kind: str, place: Place, tmp_path: Path) -> None:
    crowd = Crowd(Model.of("rebuild-deployed"), load_profile("rebuild-deployed"), seed=8)
    gone = crowd.people.pop()
    places = place(crowd)
    result = export_rows(crowd.profile, places, gone["id"], tmp_path / "gone.mana")
    assert not result.user_found
    assert result.tables["main.goals"].own
    assert result.tables["main.users"].own == 0
    with pytest.raises(NotFoundError, match="nobody of that name"):
        export_rows(crowd.profile, places, "00000000-0000-4000-8000-000000000000", tmp_path / "none.mana")
    assert not (tmp_path / "none.mana").exists()


# --- a small model of hostile things ----------------------------------------------------------------------------------

HOSTILE = hostile("""
[tables."main.pairs"]
class = "user"
owner = { column = "who", is = "user" }
columns = "*"
key = ["a", "b"]
""")
IDS = ["' OR '1'='1", 'x"; DROP TABLE pairs; --', "%s%(a)s", "\u2028🔑ü", "enc:1:AAAA"]


@pytest.fixture
def odd(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> StorePlaces:
    quoted = {
        name: '"' + name.replace('"', '""') + '"' for name in ('us"ers', "i d%s", "It's; DROP TABLE x--", "o'wner")
    }
    users, key, things, owner = quoted.values()
    script = [
        f'CREATE TABLE {users} ({key} text PRIMARY KEY, id int, "deletedAt" text, "__x" text, "column:y" text)',
        f'CREATE TABLE {things} (id int PRIMARY KEY, {owner} text, "va\'l" text)',
        "CREATE TABLE pairs (a text, b int, who text)",
    ]
    rows: list[tuple[str, tuple[Any, ...]]] = [
        (f"INSERT INTO {users} VALUES (?, 7, 'gone', 'u', 'y')", (who,)) for who in IDS
    ]
    rows += [
        (f"INSERT INTO {things} VALUES (?, ?, ?)", (number * 10 + extra, who, f"of {number}"))
        for number, who in enumerate(IDS)
        for extra in range(2)
    ]
    rows += [("INSERT INTO pairs VALUES (?, ?, ?)", ("x,y", number, who)) for number, who in enumerate(IDS)]
    if kind == "sqlite":
        with closing(sqlite3.connect(tmp_path / "odd.sqlite")) as connection:
            for text in script:
                connection.execute(text)
            for text, values in rows:
                connection.execute(text, values)
            connection.commit()
        return StorePlaces({"main": tmp_path / "odd.sqlite"})
    dsn = request.getfixturevalue("empty")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for text in script:
            connection.execute(text.encode())
        for text, values in rows:
            connection.execute(text.replace("%", "%%").replace("?", "%s").encode(), values)
    return StorePlaces(dsn=dsn)


@pytest.fixture
def odd_profile(tmp_path: Path) -> Profile:
    (tmp_path / "odd.toml").write_text(HOSTILE)
    return load_profile(str(tmp_path / "odd.toml"))


@pytest.mark.parametrize("number", range(len(IDS)))
def test_names_and_values_are_never_sql(odd: StorePlaces, odd_profile: Profile, tmp_path: Path, number: int) -> None:
    export_rows(odd_profile, odd, IDS[number], tmp_path / "odd.mana")
    there = rows_of(tmp_path / "odd.mana")
    users, things, pairs = there["odd.us%22ers"], there["odd.It%27s%3B%20DROP%20TABLE%20x--"], there["odd.pairs"]
    assert users == [
        {
            "id": json.dumps([IDS[number]], ensure_ascii=False),
            "column:__x": "u",
            "column:column:y": "y",
            "column:deletedAt": "gone",
            "column:id": 7,
            "i d%s": IDS[number],
        }
    ]
    ids = [str(number * 10 + extra) for extra in range(2)]
    assert things == [{"id": id_, "o'wner": IDS[number], "va'l": f"of {number}"} for id_ in sorted(ids)]
    assert [row["id"] for row in pairs] == [f'["x,y",{number}]']


def test_two_rows_of_one_key_end_it(odd: StorePlaces, odd_profile: Profile, kind: str, tmp_path: Path) -> None:
    text = "INSERT INTO pairs SELECT * FROM pairs"
    if odd.dsn is None:
        with closing(sqlite3.connect(odd.files["main"])) as connection:
            connection.execute(text)
            connection.commit()
    else:
        with psycopg.connect(odd.dsn, autocommit=True) as connection:
            connection.execute(text.encode())
    with pytest.raises(SourceError, match=r"main\.pairs: two rows are alike in a, b"):
        export_rows(odd_profile, odd, IDS[0], tmp_path / "odd.mana")
    assert not (tmp_path / "odd.mana").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("CREATE TABLE more (x int)", "unknownTable: main.more"),
        ("ALTER TABLE pairs ADD COLUMN token text", "secretColumn: main.pairs, column token"),
        ("DROP TABLE pairs", "missingTable: main.pairs"),
    ],
)
def test_what_nobody_decided_about_ends_it_by_name(
    odd: StorePlaces, odd_profile: Profile, tmp_path: Path, change: str, told: str
) -> None:
    if odd.dsn is None:
        with closing(sqlite3.connect(odd.files["main"])) as connection:
            connection.execute(change)
            connection.commit()
    else:
        with psycopg.connect(odd.dsn, autocommit=True) as connection:
            connection.execute(change.encode())
    with pytest.raises(SourceError) as raised:
        export_rows(odd_profile, odd, IDS[0], tmp_path / "odd.mana")
    assert told in raised.value.message
    assert not (tmp_path / "odd.mana").exists()


# --- what else happens in a database ----------------------------------------------------------------------------------


def test_a_snapshot_does_not_move_while_others_write(
    kind: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two tables somebody deletes everything; the archive is what it was when the reading began."""
    from manabackup.operations.databases.reading import TableReader

    crowd = Crowd(Model.of("rebuild"), load_profile("rebuild"), seed=2)
    places = place(crowd)
    before = export_rows(crowd.profile, places, crowd.people[0]["id"], tmp_path / "before.mana")
    if places.dsn is None:
        with closing(sqlite3.connect(places.files["main"])) as connection:
            connection.execute("PRAGMA journal_mode = wal")
    read = TableReader.read
    deleted: list[bool] = []

    def delete_all() -> None:
        if deleted:
            return
        deleted.append(True)
        if places.dsn is None:
            with closing(sqlite3.connect(places.files["main"])) as connection:
                for name in crowd.model.tables:
                    connection.execute(f'DELETE FROM "{name}"')
                connection.commit()
        else:
            with psycopg.connect(places.dsn, autocommit=True) as connection:
                for name in reversed(crowd.model.order):
                    connection.execute(f'DELETE FROM "{name}"'.encode())

    def reading(self: TableReader, *arguments: Any) -> Any:
        delete_all()
        return read(self, *arguments)

    monkeypatch.setattr(TableReader, "read", reading)
    after = export_rows(crowd.profile, places, crowd.people[0]["id"], tmp_path / "after.mana")
    assert deleted
    assert after.data_sha256 == before.data_sha256
    assert after.rows == before.rows > 20
    with pytest.raises(NotFoundError):
        export_rows(crowd.profile, places, crowd.people[0]["id"], tmp_path / "gone.mana")


def test_hidden_rows_and_columns_are_an_error_and_never_an_archive(empty: str, role: str, tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=2)
    crowd.fill_postgresql(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        connection.execute("ALTER TABLE memories ENABLE ROW LEVEL SECURITY")
    places = StorePlaces(dsn=psycopg.conninfo.make_conninfo(empty, user=role))
    anna, target = crowd.people[0]["id"], tmp_path / "x.mana"
    with pytest.raises(SourceError, match="row-level security"):
        export_rows(crowd.profile, places, anna, target)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("ALTER TABLE memories DISABLE ROW LEVEL SECURITY")
        connection.execute(f"REVOKE SELECT ON messages FROM {role}".encode())
        connection.execute(f'GRANT SELECT (id, "conversationId") ON messages TO {role}'.encode())
    with pytest.raises(SourceError, match=r"unreadableColumn: user\.messages, column role"):
        export_rows(crowd.profile, places, anna, target)
    assert not target.exists()
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(f"GRANT SELECT ON messages TO {role}".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
    result = export_rows(crowd.profile, places, anna, target)
    assert result.tables["user.memories"].own


def test_derived_columns_come_when_they_are_asked_for(tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=2)
    crowd.fill_sqlite(tmp_path / "all.sqlite")
    places = StorePlaces({"master": tmp_path / "all.sqlite"})
    for derived in (False, True):
        export_rows(crowd.profile, places, crowd.people[0]["id"], tmp_path / "x.mana", derived=derived, force=True)
        rows = rows_of(tmp_path / "x.mana")["vivim.memories"]
        assert {"embedding" in row for row in rows} == {derived}


def test_an_archive_says_by_what_it_was_made_and_what_is_not_in_it(place: Place, kind: str, tmp_path: Path) -> None:
    crowd = Crowd(Model.of("rebuild"), load_profile("rebuild"), seed=2)
    result: DatabaseExport = export_rows(crowd.profile, place(crowd), crowd.people[0]["email"], tmp_path / "x.mana")
    with open_archive(tmp_path / "x.mana") as archive:
        database: Any = archive.manifest.raw["database"]
        schema = json.loads(b"".join(archive.reader.chunks("account/schema.json")))
    check("database-manifest", database)
    check("database-schema", schema)
    assert database["profile"]["name"] == "rebuild"
    assert database["fingerprint"] == result.fingerprint
    assert database["stores"]["main"]["kind"] == kind
    sessions = schema["tables"]["rebuild.sessions"]
    assert sessions["omitted"] == {"token": "secret"}
    assert {"columns": ["user_id"], "table": "users", "key": ["id"]} in sessions["references"]
    assert schema["notRead"]["main.oauth_states"]["class"] == "never"
