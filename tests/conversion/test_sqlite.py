"""``sqlite``: read by SQLite itself and by Datasette, and made into the archive again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manabackup
from manabackup import Seal
from manabackup.conversion.columns import columns_of
from manabackup.conversion.options import ConvertOptions
from manabackup.conversion.sqlite_views import create_table
from manabackup.errors import DamagedArchiveError
from manabackup.model import modules
from manabackup.operations.archives.from_database import from_database
from manabackup.operations.archives.readable import Converted, convert_to
from manabackup.operations.archives.verify import verify
from manabackup.rows.archived import row_line

from .archives import PASSPHRASE, Rows, Tables, rows_of, write_archive

EVERYTHING = ConvertOptions(include_secrets=True)


def convert(source: Path, target: Path, options: ConvertOptions = EVERYTHING) -> Converted:
    return convert_to(source, "sqlite", target, lambda: PASSPHRASE, options=options)


@pytest.fixture(scope="module")
def database(life: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "life.sqlite"
    convert(life, path)
    return path


@pytest.fixture
def db(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def query(path: Path, sql: str, *parameters: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, parameters).fetchall()


def made_again(source: Path, target: Path) -> Any:
    result = from_database(source, target)
    assert verify(target).ok
    return result


# --- what is there ----------------------------------------------------------------------------------------------------


def test_every_row_is_there_with_every_value(life: Path, db: sqlite3.Connection) -> None:
    seen = 0
    for table, rows in rows_of(life).items():
        if not rows:
            continue
        kinds = dict(columns_of(modules.load().table(table)).fields)
        for found in db.execute(f'SELECT * FROM "{table}"'):
            expected = rows.pop(found["id"])
            more = json.loads(found["_more"] or "{}")
            for name, value in expected.items():
                if name in more:
                    assert more[name] == value
                elif value is None:
                    assert found[name] is None
                else:
                    got = json.loads(found[name]) if kinds.get(name) == "json" else found[name]
                    assert got == value, (table, name)
            seen += 1
        assert not rows, table
    assert seen > 600


def test_the_database_is_sound_and_no_reference_dangles(db: sqlite3.Connection) -> None:
    assert [tuple(row) for row in db.execute("PRAGMA integrity_check")] == [("ok",)]
    assert not db.execute("PRAGMA foreign_key_check").fetchall()
    declared = sum(
        len(db.execute(f'PRAGMA foreign_key_list("{name}")').fetchall())
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    )
    assert declared > 10


def test_a_reference_that_dangles_is_counted_and_not_declared(tmp_path: Path) -> None:
    tables: Tables = {
        "todoProjects": [{"id": "p", "name": "Garden"}],
        "tasks": [{"id": "a", "title": "Weed", "projectId": "p"}, {"id": "b", "title": "Rest", "projectId": "gone"}],
        "calendars": [{"id": "c", "name": "Mine"}],
        "events": [{"id": "e", "title": "Fair", "calendarId": "c"}],
    }
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "a.sqlite")
    assert result.left_out.to_json() == {"dangling": {"tasks": 1}}
    assert not query(tmp_path / "a.sqlite", "PRAGMA foreign_key_list(tasks)")
    ((_, _, table, field, *_),) = query(tmp_path / "a.sqlite", "PRAGMA foreign_key_list(events)")
    assert (table, field) == ("calendars", "calendarId")


def test_every_view_and_index_answers(db: sqlite3.Connection) -> None:
    views = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")]
    for name in views:
        db.execute(f'SELECT * FROM "{name}"').fetchall()
    assert {"events_timed", "invoices_money", "invoices_lines", "tasks_read", "_tags"} <= set(views)


def test_views_join_what_people_expect_joined(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t1", "name": "garden"}, {"id": "t2", "name": "home"}],
        "noteTags": [{"id": "x", "noteId": "n", "tagId": "t1"}],
        "notes": [{"id": "n", "title": "Beds", "content": "Peas and beans"}],
        "contacts": [{"id": "c", "firstName": "Ada", "tagIds": ["t2", "t1"], "tags": ["old"]}],
        "calendars": [{"id": "k", "name": "Mine", "timezone": "Europe/Berlin"}],
        "timeBlocks": [{"id": "b", "startDate": "2026-05-01T09:00:00", "allDay": False}],
        "events": [{"id": "e", "title": "Fair", "calendarId": "k", "timeBlockId": "b"}],
        "transactions": [
            {"id": "m", "amount": 12.5, "type": "expense"},
            {"id": "o", "amount": 3, "type": "income"},
        ],
        "invoices": [
            {
                "id": "i",
                "currency": "CHF",
                "totals": {"gross": 11905},
                "lines": [{"title": "Work", "quantity": 1.5, "unitPrice": 5000}],
            }
        ],
    }
    path = tmp_path / "a.sqlite"
    convert(write_archive(tmp_path / "a.mana", tables), path)
    assert query(path, "SELECT tag_names FROM notes_read") == [("garden",)]
    assert query(path, "SELECT tag_names FROM contacts_read") == [("garden, home, old",)]
    assert query(path, 'SELECT title, "block_startDate", calendar_name FROM events_timed') == [
        ("Fair", "2026-05-01T09:00:00", "Mine")
    ]
    assert query(path, "SELECT amount, amount_currency FROM transactions_money ORDER BY id") == [
        (-12.5, "EUR"),
        (3, "EUR"),
    ]
    assert query(path, "SELECT totals_gross, totals_gross_currency FROM invoices_money") == [(119.05, "CHF")]
    assert query(path, "SELECT line, title, unit_price FROM invoices_lines") == [(1, "Work", 50.0)]
    assert query(path, "SELECT id FROM notes WHERE rowid IN (SELECT rowid FROM notes_fts('beans'))") == [("n",)]
    assert query(path, "SELECT created, modified FROM _meta WHERE id = 'n'") == [
        ("2026-01-01T10:00:00.000Z", "2026-02-01T10:00:00.000Z")
    ]
    assert query(path, "SELECT label_de FROM _labels WHERE table_name = 'transactions' AND value = 'expense'") == [
        ("Ausgabe",)
    ]


def test_nested_texts_are_found(tmp_path: Path) -> None:
    tables: Tables = {"slides": [{"id": "s", "content": {"title": "Whales", "body": "sing"}}]}
    path = tmp_path / "a.sqlite"
    convert(write_archive(tmp_path / "a.mana", tables), path)
    found = "SELECT id FROM slides WHERE rowid IN (SELECT rowid FROM slides_fts(?))"
    assert query(path, found, "whales") == query(path, found, "sing") == [("s",)]
    assert query(path, found, "body") == []


def test_datasette_opens_it_as_it_is(database: Path, life: Path) -> None:
    from datasette.app import Datasette

    async def look() -> tuple[list[str], Any, Any]:
        service = Datasette([str(database)], settings={"num_sql_threads": 0})
        await service.invoke_startup()
        tables = (await service.client.get("/life.json")).json()["tables"]
        page = (await service.client.get("/life/notes.json?_shape=objects&_size=max")).json()
        search = await service.client.get("/life/notes?_search=a")
        return [table["name"] for table in tables if not table["hidden"]], page["rows"], search.status_code

    names, notes, status = asyncio.run(look())
    rows = rows_of(life)
    assert {name for name, held in rows.items() if held} <= set(names)
    assert {row["id"] for row in notes} == set(rows["notes"])
    assert status == 200


# --- what is kept out -------------------------------------------------------------------------------------------------


def test_secrets_are_left_out_and_said(tmp_path: Path) -> None:
    tables: Tables = {
        "links": [{"id": "l", "title": "Mine", "password": "hunter2", "unlistedToken": "tok_abcdef"}],
        "tasks": [{"id": "a", "unlistedToken": "tok_123456"}, {"id": "b", "unlistedToken": None}],
    }
    source, path = write_archive(tmp_path / "a.mana", tables), tmp_path / "a.sqlite"
    result = convert(source, path, ConvertOptions())
    assert result.left_out.to_json() == {"secret": {"links": 2, "tasks": 1}}
    content = path.read_bytes()
    assert b"hunter2" not in content
    assert b"tok_" not in content
    again = made_again(path, tmp_path / "b.mana")
    assert (again.same, again.not_whole) == (False, ["links", "tasks"])
    assert rows_of(tmp_path / "b.mana")["links"] == {"l": {"id": "l", "title": "Mine"}}


def test_only_what_was_asked_for_is_there(life: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "a.sqlite", ConvertOptions(apps=["notes"], include_secrets=True))
    names = {name for (name,) in query(tmp_path / "a.sqlite", "SELECT name FROM _tables")}
    assert names == {"notes", "noteTags"}


def test_of_a_sealed_archive_nothing_but_the_output_is_on_the_disk(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "Beds"}]}, seal=Seal(PASSPHRASE))
    convert(source, tmp_path / "a.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mana", "a.sqlite"]
    assert stat.S_IMODE((tmp_path / "a.sqlite").stat().st_mode) == 0o600


def test_converting_twice_gives_the_same_bytes(life: Path, database: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "again.sqlite")
    assert (tmp_path / "again.sqlite").read_bytes() == database.read_bytes()


# --- and back ---------------------------------------------------------------------------------------------------------


def test_the_way_back_gives_the_same_content(life: Path, database: Path, tmp_path: Path) -> None:
    again = made_again(database, tmp_path / "again.mana")
    assert again.same
    assert not again.written
    with manabackup.open_archive(life) as before, manabackup.open_archive(tmp_path / "again.mana") as after:
        assert after.manifest.data_sha256 == before.manifest.data_sha256
        for name in ("tasks", "notes", "actors", "spaces"):
            assert list(after.meta(name)) == list(before.meta(name))
        assert after.account == before.account


def test_what_somebody_wrote_is_told_and_kept(tmp_path: Path) -> None:
    tables: Tables = {"notes": [{"id": name, "title": name.upper(), "isPinned": False} for name in "abcd"]}
    source, path = write_archive(tmp_path / "a.mana", tables), tmp_path / "a.sqlite"
    convert(source, path)
    query(path, "UPDATE notes SET title = 'new', \"isPinned\" = 1 WHERE id = 'a'")
    query(path, "DELETE FROM notes WHERE id = 'b'")
    query(path, "INSERT INTO notes (id, title, content) VALUES ('e', 'E', 'mine')")
    query(path, "CREATE TABLE other (x)")
    again = made_again(path, tmp_path / "b.mana")
    assert not again.same
    assert again.written.to_json() == {"added": {"notes": 1}, "changed": {"notes": 1}, "removed": {"notes": 1}}
    rows = rows_of(tmp_path / "b.mana")["notes"]
    assert set(rows) == set("acde")
    assert rows["a"] == {"id": "a", "title": "new", "isPinned": True}
    assert rows["c"] == {"id": "c", "title": "C", "isPinned": False}
    assert rows["e"] == {"id": "e", "title": "E", "content": "mine"}


def test_any_other_file_is_no_such_database(tmp_path: Path) -> None:
    query(tmp_path / "other.sqlite", "CREATE TABLE notes (id)")
    (tmp_path / "cut.sqlite").write_bytes(b"SQLite format 3\0" + bytes(50))
    for name in ("other.sqlite", "cut.sqlite"):
        with pytest.raises(DamagedArchiveError):
            from_database(tmp_path / name, tmp_path / "out.mana")
    assert not (tmp_path / "out.mana").exists()


def test_a_row_that_is_none_is_named(tmp_path: Path) -> None:
    source, path = write_archive(tmp_path / "a.mana", {"tasks": [{"id": "a", "subtasks": []}]}), tmp_path / "a.sqlite"
    convert(source, path)
    query(path, "UPDATE tasks SET subtasks = '[' WHERE id = 'a'")
    with pytest.raises(DamagedArchiveError, match="no row") as caught:
        from_database(path, tmp_path / "out.mana")
    assert caught.value.where == "tasks: a"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda members: st.lists(members, max_size=3) | st.dictionaries(st.text(max_size=3), members, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["title", "isCompleted", "order", "subtasks", "spaceId", "x", "_more"]), _JSON))
def test_rows_go_into_columns_and_come_back(values: dict[str, Any]) -> None:
    from manabackup.text import jsontext

    columns = columns_of(modules.load().table("tasks"))
    for text in (row_line({**values, "id": "a"}), json.dumps({"id": "a", **values}, separators=(",", ":")).encode()):
        row, as_written = jsontext.parse_line(text)
        cells, line = columns.cells(row)
        assert columns.cells(row, text if as_written else None) == (cells, line)
        with sqlite3.connect(":memory:") as db:
            db.execute(create_table("tasks", columns))
            db.execute(f"INSERT INTO tasks VALUES ({','.join(['?'] * len(cells))})", [_text(cell) for cell in cells])
            assert line == columns.line(db.execute("SELECT * FROM tasks").fetchone())
        assert jsontext.parse(line) == jsontext.parse(row_line(row))


def _text(cell: Any) -> Any:
    return cell.decode() if isinstance(cell, bytes) else cell


def test_hostile_rows_survive_the_way_there_and_back(tmp_path: Path) -> None:
    rows: Rows = [
        {"id": "'; DROP TABLE notes; --", "title": "a\0b", "content": "\u202egnp.exe"},
        {"id": "b", "title": "x" * 1_000_000, "content": {"not": "a text"}},
        {"id": "c", "title": 5, "isPinned": "yes", "Title": "case"},
        {"id": "d", "deep": json.loads("[" * 600 + "]" * 600)},
        {"id": "e", "order": 2**64, "n": 1e300},
    ]
    source, path = write_archive(tmp_path / "a.mana", {"notes": rows}), tmp_path / "a.sqlite"
    convert(source, path)
    assert made_again(path, tmp_path / "b.mana").same
    assert query(path, "SELECT count(*) FROM notes") == [(5,)]


def test_a_row_that_was_made_at_no_time_that_is_text_is_there_all_the_same(tmp_path: Path) -> None:
    rows: Tables = {"notes": [{"id": "a", "title": "x\0y", "createdAt": "\ud83d"}]}
    source = write_archive(tmp_path / "a.mana", rows)
    convert(source, tmp_path / "a.sqlite")
    assert query(tmp_path / "a.sqlite", "SELECT title, typeof(title), _more FROM notes") == [
        ("x\0y", "text", '{"createdAt":"\\ud83d"}')
    ]
    assert query(tmp_path / "a.sqlite", "SELECT created, typeof(line) FROM _meta") == [("?", "text")]
    assert from_database(tmp_path / "a.sqlite", tmp_path / "b.mana").same
