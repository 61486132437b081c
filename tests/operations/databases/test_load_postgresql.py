"""``profile load`` into PostgreSQL: its types, rights, triggers and sequences."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from manabackup.archive.reader import open_archive
from manabackup.errors import ConflictError, SourceError
from manabackup.operations.databases import LoadOrder, StorePlaces, load_rows
from tests.support import postgres
from tests.support.loads import FILL, ONE, ORDERS, PEOPLE, asked, export, lines, load, profile_of, run_sql

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
