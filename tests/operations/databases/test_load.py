"""``profile load``: what an archive holds stands in a database afterwards, exactly, or nothing is changed."""

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
from tests.support.loads import SHOP, asked, contents, export, lines, load, profile_of, run_sql
from tests.support.models import Crowd, Model

Places = Callable[[str], StorePlaces]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def places(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Any:
    """Makes databases by name, empty ones; the same one for the same name."""
    made: dict[str, StorePlaces] = {}
    open_databases = []

    def of(name: str) -> StorePlaces:
        if name not in made:
            if kind == "sqlite":
                made[name] = StorePlaces({"main": tmp_path / f"{name}.sqlite"})
            else:
                database = postgres.database(request.getfixturevalue("server"))
                made[name] = StorePlaces(dsn=database.__enter__())
                open_databases.append(database)
        return made[name]

    yield of
    for database in open_databases:
        database.__exit__(None, None, None)


PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, friend int REFERENCES people, password text)"
ORDERS = (
    "CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, price numeric(10,2), note text)"
)
FILL = (
    "INSERT INTO people VALUES (1, 'Anna', 1, 'hunter2'), (2, 'Bea', 1, 'swordfish')",
    "INSERT INTO orders VALUES (10, 1, 1.50, 'one'), (11, 1, 2.25, NULL), (20, 2, 3, 'hers')",
)


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
        assert {table: len(rows) for table, rows in lines(small).items()} == {
            table: len(rows) for table, rows in lines(before).items()
        }


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


OTHERS = """
profile = 1
name = "clubs"
title = "Clubs"
[stores.main]
kind = "postgresql"
[subject]
table = "main.people"
key = "id"
[tables."main.people"]
class = "user"
owner = { column = "id", is = "user" }
columns = "*"
[tables."main.clubs"]
class = "cross"
owner = { column = "owner", is = "user" }
columns = "*"
[tables."main.members"]
class = "cross"
owner = { column = "person", is = "user" }
columns = "*"
others = { through = "club", to = "main.clubs", columns = ["id", "club", "person"] }
"""
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


HOSTILE = """
profile = 1
name = "odd"
title = "Odd"
[stores.main]
kind = "postgresql"
[subject]
table = 'main.us"ers'
key = "i d%s"
[tables.'main.us"ers']
class = "user"
owner = { column = "i d%s", is = "user" }
columns = "*"
[tables."main.It's; DROP TABLE x--"]
class = "user"
owner = { column = "o'wner", is = "user" }
columns = "*"
key = ["va'l%(a)s"]
"""


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
    profile = profile_of(HOSTILE)
    export(source, tmp_path / "a.mana", profile, who)
    assert load(tmp_path / "a.mana", profile, places("target"), create=True).written == 3
    tables = ['us""ers', names[2]]
    assert contents(places("target"), tables) == contents(source, tables)
    assert load(tmp_path / "a.mana", profile, places("target")).written == 0


# --- PostgreSQL's own -------------------------------------------------------------------------------------------------

ONE = """
profile = 1
name = "v"
title = "Values"
[stores.main]
kind = "postgresql"
[subject]
table = "main.t"
key = "id"
[tables."main.t"]
class = "user"
owner = { column = "id", is = "user" }
columns = "*"
"""
TYPES = """
CREATE TYPE mood AS ENUM ('so so', 'good,"x"');
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE DOMAIN smaller AS small;
CREATE DOMAIN names AS text[];
CREATE TYPE pair AS (a int, b text);
"""
VALUES = [
    ("bigint", "9223372036854775807"),
    ("numeric", "'1.50'"),
    ("numeric", "'NaN'"),
    ("numeric(40,20)", "'12345678901234567890.5'"),
    ("real", "0.1"),
    ("real", "'-0'"),
    ("double precision", "'-0'"),
    ("double precision", "'NaN'"),
    ("double precision", "'-Infinity'"),
    ("double precision", "1e-7"),
    ("double precision", "1e22"),
    ("boolean", "true"),
    ("boolean", "NULL"),
    ("text", "E'a\\nü \"🔑\" \\\\N \\t'"),
    ("text", "''"),
    ("character(5)", "'a'"),
    ("character varying(3)", "'abc'"),
    ("timestamptz", "'2026-07-01 12:00:00.1+02'"),
    ("timestamptz", "'infinity'"),
    ("timestamptz", "'0044-03-15 12:00 BC'"),
    ("timestamptz(0)", "'2026-07-01 12:00:00+02'"),
    ("timestamp", "'12026-01-01'"),
    ("date", "'-infinity'"),
    ("interval", "'1 year 2 days 03:04:05.6'"),
    ("interval", "'-1 year -2 days +03:04:05.6'"),
    ("bytea", "'\\x00ff'"),
    ("bytea", "''"),
    ("jsonb", """'{"b": 1.50, "a": [null, 9007199254740993, 1e400], "c": {"base64": "AA=="}}'"""),
    ("jsonb", "'null'"),
    ("jsonb", """'"text"'"""),
    ("json", """'{"b":1, "a":2,\n"b":3}'"""),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
    ("text[]", """ARRAY['a', 'b,"\\\\c', NULL, 'NULL', '{}', '']"""),
    ("int[]", "'{{1,2},{3,4}}'"),
    ("int[]", "'{}'"),
    ("int[]", "'[0:1]={5,6}'"),
    ("text[]", "'[0:1]={a,b}'"),
    ("bytea[]", "ARRAY['\\x00'::bytea]"),
    ("float8[]", "ARRAY['NaN'::float8, 0.5, '-0']"),
    ("boolean[]", "ARRAY[true, NULL, false]"),
    ("jsonb[]", """ARRAY['[1,2]'::jsonb, '{"a":"x"}', NULL, 'null']"""),
    ("json[]", """ARRAY['[1,  2]'::json]"""),
    ("box[]", "ARRAY['((1,1),(0,0))'::box, '((3,3),(2,2))']"),
    ("timestamptz[]", "ARRAY['infinity'::timestamptz, '2026-01-01 00:00Z']"),
    ("int4range", "'[1,5)'"),
    ("tstzrange", "'[2026-01-01 00:00Z,)'"),
    ("int4multirange", "'{[1,5),[7,9)}'"),
    ("inet", "'10.0.0.1/8'"),
    ("money", "'12.34'"),
    ("bit(3)", "B'101'"),
    ("bit varying", "B'1'"),
    ("xml", "'<a/>'"),
    ("tsvector", "'a:1 b:2'"),
    ("point", "'(1,2)'"),
    ("mood", "'good,\"x\"'"),
    ("mood[]", "ARRAY['so so', 'good,\"x\"']::mood[]"),
    ("small", "7"),
    ("smaller", "7"),
    ("small[]", "ARRAY[7]::small[]"),
    ("names", "ARRAY['a', 'b']"),
    ("pair", "ROW(1, 'x,\"y')"),
    ("pair[]", "ARRAY[ROW(1, 'x,\"y')::pair]"),
]


def test_every_value_of_postgresql_comes_back_exactly(server: str, tmp_path: Path) -> None:
    columns = ", ".join(f"c{number:02} {type_name}" for number, (type_name, _) in enumerate(VALUES))
    table = f"CREATE TABLE t (id int PRIMARY KEY, {columns})"
    row = f"INSERT INTO t VALUES (1, {', '.join(value for _, value in VALUES)})"
    profile = profile_of(ONE)
    with postgres.database(server, TYPES + table) as one, postgres.database(server, TYPES + table) as two:
        source, target = StorePlaces(dsn=one), StorePlaces(dsn=two)
        run_sql(source, row)
        run_sql(target, f"ALTER ROLE CURRENT_USER IN DATABASE {target_name(two)} SET datestyle = 'SQL, DMY'")
        export(source, tmp_path / "a.mana", profile)
        assert load(tmp_path / "a.mana", profile, target).written == 1
        texts = ", ".join(f"c{number:02}::text" for number in range(len(VALUES)))
        before, after = (asked(in_iso(dsn), f"SELECT {texts} FROM t") for dsn in (one, two))
        differing = [
            VALUES[place] for place, pair in enumerate(zip(before[0], after[0], strict=True)) if len(set(pair)) > 1
        ]
        assert differing == [VALUES[27]], "numbers in jsonb are equal, and lose zeros at their end"
        export(target, tmp_path / "b.mana", profile)
        assert lines(tmp_path / "b.mana") == lines(tmp_path / "a.mana")
        assert load(tmp_path / "a.mana", profile, target).written == 0
    with postgres.database(server) as empty:
        made = load(tmp_path / "a.mana", profile, StorePlaces(dsn=empty), create=True)
        assert "main.t, column c54: text in place of public.mood" in made.plan.otherwise
        export(StorePlaces(dsn=empty), tmp_path / "c.mana", profile)
        assert lines(tmp_path / "c.mana") == lines(tmp_path / "a.mana")


def in_iso(dsn: str) -> StorePlaces:
    return StorePlaces(dsn=psycopg.conninfo.make_conninfo(dsn, options="-c datestyle=ISO"))


def target_name(dsn: str) -> str:
    return '"' + str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]) + '"'


@pytest.mark.parametrize(
    ("made", "value", "told"),
    [
        ("int", "'x'", "main.t, column v: a value that does not go in there: no integer"),
        ("varchar(2)", "'abc'", "the database refuses rows (string data right truncation)"),
        ("numeric(3,1)", "'1.25'", "main.t: the database did not keep 1 row as they were written"),
        ("date", "'2026-02-30'", "main.t, column v: a value that does not go in there: no date"),
    ],
)
def test_a_value_that_would_become_another_is_refused(
    server: str, tmp_path: Path, made: str, value: str, told: str
) -> None:
    profile = profile_of(ONE)
    with (
        postgres.database(
            server, f"CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, {value})"
        ) as one,
        postgres.database(server, f"CREATE TABLE t (id int PRIMARY KEY, v {made})") as two,
    ):
        export(StorePlaces(dsn=one), tmp_path / "a.mana", profile)
        with pytest.raises(SourceError) as raised:
            load(tmp_path / "a.mana", profile, StorePlaces(dsn=two))
        assert told in raised.value.message
        assert asked(StorePlaces(dsn=two), "SELECT count(*) FROM t") == [(0,)]


CIRCLE = """
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, friend int NOT NULL, password text);
CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, price numeric, note text);
"""


def test_tables_that_refer_to_each_other_need_no_deferring(server: str, tmp_path: Path) -> None:
    circle = CIRCLE + "ALTER TABLE people ADD FOREIGN KEY (friend) REFERENCES orders"
    with postgres.database(server, CIRCLE) as one, postgres.database(server, circle) as two:
        run_sql(
            StorePlaces(dsn=one),
            "INSERT INTO people VALUES (1, 'Anna', 10, NULL)",
            "INSERT INTO orders VALUES (10, 1, 1, 'x')",
        )
        export(StorePlaces(dsn=one), tmp_path / "a.mana", profile_of())
        assert load(tmp_path / "a.mana", profile_of(), StorePlaces(dsn=two)).written == 2


def test_what_counts_keys_goes_on_behind_those_that_were_loaded(server: str, tmp_path: Path) -> None:
    people = "CREATE TABLE people (id int PRIMARY KEY, name text, friend int, password text);"
    counted = """
    CREATE TABLE people (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text, friend serial, password text);
    CREATE SEQUENCE other;
    CREATE TABLE orders (id int PRIMARY KEY DEFAULT nextval('other'), person int,
        price numeric GENERATED ALWAYS AS (person * 2) STORED, note text);
    SELECT setval('people_friend_seq', 1000);
    """
    orders = "CREATE TABLE orders (id int PRIMARY KEY, person int, price numeric, note text);"
    with postgres.database(server, people + orders) as one, postgres.database(server, counted) as two:
        source, target = StorePlaces(dsn=one), StorePlaces(dsn=two)
        run_sql(source, "INSERT INTO people VALUES (1, 'Anna', 7, NULL)", "INSERT INTO orders VALUES (500, 1, 2, 'x')")
        export(source, tmp_path / "a.mana", profile_of())
        assert load(tmp_path / "a.mana", profile_of(), target).written == 2
        run_sql(target, "INSERT INTO people (name) VALUES ('next')", "INSERT INTO orders (person) VALUES (1)")
        assert asked(target, "SELECT id, friend FROM people ORDER BY id") == [(1, 7), (2, 1001)]
        assert asked(target, "SELECT id, price FROM orders ORDER BY id") == [(500, 2), (501, 2)]


def test_a_role_that_may_not_and_rows_that_are_hidden_end_it_in_one_line(
    empty: str, role: str, server: str, tmp_path: Path
) -> None:
    shape = f"{PEOPLE}; {ORDERS};"
    with postgres.database(server, shape + ";".join(FILL)) as one:
        export(StorePlaces(dsn=one), tmp_path / "a.mana", profile_of())
    run_sql(StorePlaces(dsn=empty), shape)
    places = StorePlaces(dsn=psycopg.conninfo.make_conninfo(empty, user=role))
    run_sql(StorePlaces(dsn=empty), f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    with pytest.raises(SourceError, match="permission denied"):
        load(tmp_path / "a.mana", profile_of(), places)
    run_sql(
        StorePlaces(dsn=empty),
        f"GRANT INSERT ON ALL TABLES IN SCHEMA public TO {role}",
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON orders USING (false) WITH CHECK (true)",
    )
    with pytest.raises(SourceError, match="row-level security"):
        load(tmp_path / "a.mana", profile_of(), places)
    run_sql(StorePlaces(dsn=empty), "ALTER TABLE orders DISABLE ROW LEVEL SECURITY")
    assert load(tmp_path / "a.mana", profile_of(), places).written == 3


def test_who_writes_since_the_plan_stops_it(server: str, tmp_path: Path) -> None:
    from manabackup.archive.reader import open_archive
    from manabackup.operations.databases import LoadOrder, load_rows

    shape = f"{PEOPLE}; {ORDERS};"
    with postgres.database(server, shape + ";".join(FILL)) as one, postgres.database(server, shape) as two:
        export(StorePlaces(dsn=one), tmp_path / "a.mana", profile_of())
        places = StorePlaces(dsn=two)
        with open_archive(tmp_path / "a.mana") as archive, pytest.raises(ConflictError, match="since the plan"):
            load_rows(
                archive,
                profile_of(),
                places,
                LoadOrder(),
                confirm=lambda plan: run_sql(places, "INSERT INTO people VALUES (1, 'Somebody', NULL, NULL)"),
            )
        assert asked(places, "SELECT name FROM people") == [("Somebody",)]


# --- SQLite's own -----------------------------------------------------------------------------------------------------


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
