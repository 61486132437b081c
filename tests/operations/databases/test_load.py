"""``profile load``: what an archive holds stands in a database afterwards, exactly, or nothing is changed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import (
    ConflictError,
    DamagedArchiveError,
    ManabackupError,
    NotFoundError,
    SourceError,
    UsageError,
)
from manabackup.operations.databases import LoadAction, StorePlaces
from manabackup.sources.loading import load_profile
from tests.support import postgres
from tests.support.loads import (
    FILL,
    ORDERS,
    PEOPLE,
    SHOP,
    asked,
    contents,
    described,
    export,
    hostile,
    lines,
    load,
    profile_of,
    run_sql,
)
from tests.support.models import Crowd, Model

Places = Callable[[str], StorePlaces]


@pytest.fixture
def shop(places: Places, tmp_path: Path) -> Path:
    """Anna's archive."""
    run_sql(places("source"), PEOPLE, ORDERS, *FILL)
    export(places("source"), tmp_path / "anna.mana", profile_of())
    return tmp_path / "anna.mana"


# --- out and in again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vivim", "rebuild", "rebuild-deployed"])
def test_what_was_loaded_is_exported_as_it_was(
    name: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    crowd = Crowd(Model.of(name), load_profile(name), seed=1)
    profile = crowd.profile
    first = next(iter(profile.stores))
    if kind == "sqlite":
        source = StorePlaces({first: tmp_path / "source.sqlite"})
        crowd.fill_sqlite(source.files[first])
    else:
        source = StorePlaces(dsn=request.getfixturevalue("empty"))
        crowd.fill_postgresql(source.dsn or "")
    for number, person in enumerate(crowd.people):
        who = str(person[profile.subject.key])
        before, after, small = (tmp_path / f"{number}-{which}.mana" for which in ("before", "after", "small"))
        export(source, before, profile, who)
        if kind == "sqlite":
            check_copy(before, after, profile, who, StorePlaces({first: tmp_path / f"{number}.sqlite"}))
            continue
        with postgres.database(request.getfixturevalue("server")) as dsn:
            check_copy(before, after, profile, who, StorePlaces(dsn=dsn))
        # Into SQLite as well, where it keeps PostgreSQL's texts.
        places = StorePlaces({first: tmp_path / f"{number}.sqlite"})
        assert load(before, profile, places, create=True).written
        export(places, small, profile, who)
        assert parsed(small) == {table: [kept(row) for row in rows] for table, rows in parsed(before).items()}


def parsed(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table; what is a document is parsed, whether the database has a type for such or not."""
    return {
        table: [{name: documented(value) for name, value in json.loads(line).items()} for line in rows]
        for table, rows in lines(path).items()
    }


def documented(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"base64"}:  # bytes where no column's type says that they are
        return value["base64"]
    return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def kept(row: dict[str, Any]) -> dict[str, Any]:
    """As SQLite has a row of PostgreSQL's: it knows no truth, and numbers for it."""
    return {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}


def check_copy(before: Path, after: Path, profile: Any, who: str, places: StorePlaces) -> None:
    made = load(before, profile, places, create=True)
    total = sum(map(len, lines(before).values()))
    assert made.written == total == made.plan.count(LoadAction.INSERT)
    export(places, after, profile, who)
    assert lines(after) == lines(before)
    again = load(before, profile, places)
    assert (again.written, again.plan.count(LoadAction.UNCHANGED)) == (0, total)


def test_into_a_database_that_is_there_beside_what_others_have(shop: Path, places: Places) -> None:
    target = places("target")
    run_sql(target, PEOPLE, ORDERS, "INSERT INTO people VALUES (2, 'Bea', NULL, 'swordfish')")
    dry = load(shop, profile_of(), target, dry_run=True)
    assert (dry.written, dry.plan.planned) == (0, 3)
    assert asked(target, "SELECT count(*) FROM people") == [(1,)]
    done = load(shop, profile_of(), target)
    assert done.written == 3
    assert asked(target, "SELECT * FROM people ORDER BY id") == [(1, "Anna", 1, None), (2, "Bea", None, "swordfish")]
    assert asked(target, "SELECT count(*) FROM orders WHERE person = 1") == [(2,)]


def test_rows_that_differ_stop_it_or_stay_or_are_overwritten(shop: Path, places: Places) -> None:
    target = places("target")
    run_sql(
        target,
        PEOPLE,
        ORDERS,
        "INSERT INTO people VALUES (1, 'Anna', 1, 'kept')",
        "INSERT INTO orders VALUES (10, 1, 99, 'changed')",
    )
    before = contents(target, ["people", "orders"])
    with pytest.raises(ConflictError, match="holds 1 of these rows differently"):
        load(shop, profile_of(), target)
    assert contents(target, ["people", "orders"]) == before
    shown = load(shop, profile_of(), target, dry_run=True).plan.tables["main.orders"]
    assert shown == {LoadAction.CONFLICT: 1, LoadAction.INSERT: 1}
    kept = load(shop, profile_of(), target, on_conflict="skip")
    assert (kept.written, kept.plan.count(LoadAction.SKIPPED), kept.plan.count(LoadAction.UNCHANGED)) == (1, 1, 1)
    assert asked(target, "SELECT note FROM orders ORDER BY id") == [("changed",), (None,)]
    taken = load(shop, profile_of(), target, on_conflict="overwrite")
    assert (taken.written, taken.plan.count(LoadAction.OVERWRITE)) == (1, 1)
    assert asked(target, "SELECT note FROM orders ORDER BY id") == [("one",), (None,)]
    assert asked(target, "SELECT password FROM people") == [("kept",)], "what the archive does not hold is not touched"


def test_two_stores_are_filled_each_in_its_own_database(tmp_path: Path) -> None:
    crowd = Crowd(Model.of("vivim"), load_profile("vivim"), seed=4)
    who = crowd.people[0]["id"]
    crowd.fill_sqlite(tmp_path / "all.sqlite")
    export(StorePlaces({"master": tmp_path / "all.sqlite"}), tmp_path / "a.mana", crowd.profile, who)
    places = StorePlaces({"master": tmp_path / "master.sqlite", "user": tmp_path / "user.sqlite"})
    done = load(tmp_path / "a.mana", crowd.profile, places, create=True)
    assert "user.memories, userId: no foreign key, since not all that it leads to is there" in done.plan.otherwise
    export(places, tmp_path / "b.mana", crowd.profile, who)
    assert lines(tmp_path / "b.mana") == lines(tmp_path / "a.mana")
    assert load(tmp_path / "a.mana", crowd.profile, places).written == 0


OTHERS = described(
    "clubs",
    """
[tables."main.clubs"]
class = "cross"
owner = { column = "owner", is = "user" }
columns = "*"
[tables."main.members"]
class = "cross"
owner = { column = "person", is = "user" }
columns = "*"
others = { through = "club", to = "main.clubs", columns = ["id", "club", "person"] }
""",
)
CLUBS = (
    "CREATE TABLE people (id int PRIMARY KEY, name text)",
    "CREATE TABLE clubs (id int PRIMARY KEY, owner int REFERENCES people)",
    "CREATE TABLE members (id int PRIMARY KEY, club int REFERENCES clubs, person int REFERENCES people, note text)",
)


def test_rows_of_others_come_as_far_as_they_fit_and_change_nothing(places: Places, tmp_path: Path) -> None:
    profile = profile_of(OTHERS)
    run_sql(
        places("source"),
        *CLUBS,
        "INSERT INTO people VALUES (1, 'Anna'), (2, 'Bea'), (3, 'Cleo')",
        "INSERT INTO clubs VALUES (7, 1)",
        "INSERT INTO members VALUES (10, 7, 1, 'own'), (20, 7, 2, 'hers'), (30, 7, 3, 'hers')",
    )
    export(places("source"), tmp_path / "a.mana", profile)
    there = places("there")
    run_sql(
        there,
        *CLUBS,
        "INSERT INTO people VALUES (2, 'Bea')",
        "INSERT INTO clubs VALUES (8, 2)",
        "INSERT INTO members VALUES (20, 8, 2, 'kept')",
    )
    done = load(tmp_path / "a.mana", profile, there, on_conflict="overwrite")
    # Bea's row is another one there, and of Cleo there is nobody.
    assert (done.written, done.plan.count(LoadAction.SKIPPED)) == (3, 2)
    assert asked(there, "SELECT * FROM members ORDER BY id") == [(10, 7, 1, "own"), (20, 8, 2, "kept")]
    run_sql(there, "INSERT INTO people VALUES (3, 'Cleo')", "UPDATE members SET club = 7 WHERE id = 20")
    done = load(tmp_path / "a.mana", profile, there)
    assert (done.written, done.plan.count(LoadAction.SKIPPED)) == (1, 0)
    assert asked(there, "SELECT * FROM members ORDER BY id")[1:] == [(20, 7, 2, "kept"), (30, 7, 3, None)]
    new = places("new")
    made = load(tmp_path / "a.mana", profile, new, create=True)
    assert made.written == 5
    assert "main.members, person: no foreign key, since not all that it leads to is there" in made.plan.otherwise
    export(new, tmp_path / "b.mana", profile)
    assert lines(tmp_path / "b.mana") == lines(tmp_path / "a.mana")
    strict = places("strict")
    run_sql(strict, *(text.replace("note text", "note text NOT NULL") for text in CLUBS))
    run_sql(strict, "INSERT INTO people VALUES (2, 'Bea'), (3, 'Cleo')")
    assert load(tmp_path / "a.mana", profile, strict).plan.count(LoadAction.SKIPPED) == 2


# --- what is refused, and leaves everything as it was -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "orders", "told"),
    [
        ("", ORDERS.replace("REFERENCES people", ""), "no table main.people"),
        (PEOPLE, ORDERS.replace(", note text", ""), "main.orders: the database has no column note"),
        (PEOPLE.replace("password text", "password text NOT NULL"), ORDERS, "archive has no password, which must"),
        (
            PEOPLE,
            ORDERS.replace("note text", "note text CHECK (note <> 'one')"),
            "the database refuses rows",
        ),
    ],
)
def test_a_database_of_another_shape_is_refused_by_name(
    shop: Path, places: Places, people: str, orders: str, told: str
) -> None:
    target = places("target")
    run_sql(target, *(statement for statement in (people, orders) if statement))
    with pytest.raises(SourceError) as raised:
        load(shop, profile_of(), target)
    assert told in raised.value.message
    assert asked(target, "SELECT count(*) FROM orders") == [(0,)]


def test_a_trigger_that_changes_rows_is_found_out(shop: Path, places: Places, kind: str) -> None:
    target = places("target")
    run_sql(target, PEOPLE, ORDERS)
    if kind == "sqlite":
        run_sql(
            target,
            "CREATE TRIGGER t AFTER INSERT ON orders BEGIN UPDATE orders SET note = 'mine' WHERE id = NEW.id; END",
        )
    else:
        run_sql(
            target,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'mine'; RETURN NEW; END $$",
            "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()",
        )
    with pytest.raises(SourceError, match=r"main\.orders: the database did not keep"):
        load(shop, profile_of(), target)
    assert asked(target, "SELECT count(*) FROM people") == [(0,)]


def test_rows_that_lead_to_what_is_not_there_are_refused_before_anything_is_written(
    places: Places, tmp_path: Path
) -> None:
    country = ORDERS.replace("note text", "note text REFERENCES countries")
    countries = "CREATE TABLE countries (name text PRIMARY KEY)"
    run_sql(places("source"), PEOPLE, countries, country, "INSERT INTO countries VALUES ('one'), ('hers')", *FILL)
    export(places("source"), tmp_path / "a.mana", profile_of())
    target = places("target")
    run_sql(target, PEOPLE, countries, country)
    with pytest.raises(SourceError, match=r"main\.orders, note: 1 rows refer to what neither"):
        load(tmp_path / "a.mana", profile_of(), target)
    shown = load(tmp_path / "a.mana", profile_of(), target, dry_run=True).plan
    assert shown.unheld == {"main.orders": {"note": 1}}
    assert shown.dangling == {"main.orders": {"note": 1}}
    run_sql(target, "INSERT INTO countries VALUES ('one')")
    assert load(tmp_path / "a.mana", profile_of(), target).written == 3
    # Where the tables are made, this reference is not, and that is told.
    made = load(tmp_path / "a.mana", profile_of(), places("new"), create=True)
    assert "main.orders, note: no foreign key, since not all that it leads to is there" in made.plan.otherwise


def test_an_archive_of_anything_else_is_refused(shop: Path, places: Places, tmp_path: Path) -> None:
    other = profile_of(SHOP.replace('name = "shop"', 'name = "other"'))
    with pytest.raises(UsageError, match="made by the profile shop"):
        load(shop, other, places("target"), create=True)
    with pytest.raises(NotFoundError):
        load(tmp_path / "none.mana", profile_of(), places("target"))


@pytest.mark.parametrize("entry", ["data/shop.orders.jsonl", "data/shop.people.jsonl", "account/schema.json"])
def test_a_damaged_archive_is_refused_before_anything_is_written(shop: Path, places: Places, entry: str) -> None:
    target = places("target")
    run_sql(target, PEOPLE, ORDERS)
    content = bytearray(shop.read_bytes())
    with zipfile.ZipFile(shop) as archive:
        info = archive.getinfo(entry)
    content[info.header_offset + 30 + len(entry) + info.compress_size // 2] ^= 0x20
    shop.write_bytes(content)
    with pytest.raises(DamagedArchiveError):
        load(shop, profile_of(), target)
    assert asked(target, "SELECT count(*) FROM people") == [(0,)]


Altered = Callable[[Any], object]


def altered(path: Path, change: Altered) -> Path:
    """The archive with another description, as a stranger would make it; its sums are left out."""
    result = path.with_name("altered.mana")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(result, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "SHA256SUMS":
                continue
            if entry == "account/schema.json":
                schema = json.loads(content)
                change(schema["tables"])
                content = json.dumps(schema).encode()
            if entry == "manifest.json":
                manifest = json.loads(content)
                manifest.pop("dataSha256", None)
                content = json.dumps(manifest).encode()
            new.writestr(entry, content)
    return result


@pytest.mark.parametrize(
    "change",
    [
        lambda tables: tables["shop.orders"].update(key=["nothing"]),
        lambda tables: tables["shop.orders"].update(key=["note"]),
        lambda tables: tables["shop.orders"]["columns"].pop(),
        lambda tables: tables["shop.orders"]["columns"].append(tables["shop.orders"]["columns"][0]),
        lambda tables: tables["shop.orders"].update(columns="x"),
        lambda tables: tables["shop.orders"].update(references=[{"columns": ["id"], "table": "people", "key": []}]),
        lambda tables: tables.pop("shop.orders"),
        lambda tables: tables["shop.orders"].update(table="pg_catalog.pg_authid"),
    ],
)
def test_a_description_that_contradicts_the_rows_is_refused(shop: Path, places: Places, change: Altered) -> None:
    path = altered(shop, change)
    with pytest.raises(ManabackupError) as raised:
        load(path, profile_of(), places("target"), create=True)
    assert type(raised.value) in (DamagedArchiveError, UsageError)


@pytest.mark.parametrize(
    "type_name",
    [
        "text); DROP TABLE people; --",
        "text DEFAULT current_user",
        "text PRIMARY KEY",
        "int GENERATED ALWAYS AS (1)",
        '"',
    ],
)
def test_types_of_a_stranger_are_never_sql(shop: Path, places: Places, type_name: str) -> None:
    target = places("target")
    run_sql(target, PEOPLE, "INSERT INTO people VALUES (1, 'Anna', 1, 'kept')")

    def change(tables: Any) -> None:
        for column in tables["shop.orders"]["columns"]:
            if column["name"] == "note":
                column.update(type=type_name, base=type_name)

    done = load(altered(shop, change), profile_of(), target, create=True)
    assert any(line.startswith("main.orders, column note: ") for line in done.plan.otherwise)
    assert asked(target, "SELECT name, password FROM people") == [("Anna", "kept")]
    assert asked(target, "SELECT note FROM orders ORDER BY id") == [("one",), (None,)]


@pytest.mark.parametrize(
    "who", ["' OR '1'='1", 'x"; DROP TABLE pairs; --', "%s%(a)s", "\u2028🔑ü", "a\\b\tc\nd\re\\N", "\\."]
)
def test_names_and_values_are_never_sql(places: Places, tmp_path: Path, who: str) -> None:
    names = ('us"ers', "i d%s", "It's; DROP TABLE x--", "o'wner", "va'l%(a)s")
    users, key, things, owner, value = ('"' + name.replace('"', '""') + '"' for name in names)
    literal = "'" + who.replace("'", "''") + "'"
    source = places("source")
    run_sql(
        source,
        f'CREATE TABLE {users} ({key} text PRIMARY KEY, id int, "deletedAt" text, "__x" text, "column:y" text)',
        f"CREATE TABLE {things} ({owner} text REFERENCES {users}, {value} text)",
        f"INSERT INTO {users} VALUES ({literal}, 7, 'gone', {literal}, 'y')",
        f"INSERT INTO {things} VALUES ({literal}, 'a'), ({literal}, {literal})",
    )
    profile = profile_of(hostile('key = ["va\'l%(a)s"]'))
    export(source, tmp_path / "a.mana", profile, who)
    assert load(tmp_path / "a.mana", profile, places("target"), create=True).written == 3
    tables = ['us""ers', names[2]]
    assert contents(places("target"), tables) == contents(source, tables)
    assert load(tmp_path / "a.mana", profile, places("target")).written == 0
