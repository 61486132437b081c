"""Values come out of databases exactly, and what cannot is a loss by name."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.operations.databases import StorePlaces, export_rows
from manabackup.sources.arrays import parse_array
from manabackup.sources.values import key_of_column, row_id
from tests.support import postgres
from tests.support.loads import ONE, profile_of


def line_of(places: StorePlaces, tmp_path: Path) -> tuple[bytes, Any]:
    """The one row's line, and what the archive says of losses."""
    export_rows(profile_of(ONE), places, "1", tmp_path / "v.mana", force=True)
    with open_archive(tmp_path / "v.mana") as archive:
        (row,) = archive.rows("v.t")
        assert archive.manifest.completeness is not None
        return row.line, archive.manifest.completeness["losses"]


POSTGRESQL = [
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("smallint", "-7", "-7"),
    ("numeric", "'1.50'", '"1.50"'),
    ("numeric", "'NaN'", '"NaN"'),
    ("numeric(40,20)", "'12345678901234567890.5'", '"12345678901234567890.50000000000000000000"'),
    ("real", "0.1", "0.1"),
    ("double precision", "'-0'", "-0"),
    ("double precision", "'NaN'", '"NaN"'),
    ("double precision", "'-Infinity'", '"-Infinity"'),
    ("double precision", "1e-7", "1e-7"),
    ("boolean", "true", "true"),
    ("boolean", "NULL", "null"),
    ("text", "E'a\\nü \"🔑\"'", '"a\\nü \\"🔑\\""'),
    ("timestamptz", "'2026-07-01 12:00:00.1+02'", '"2026-07-01 10:00:00.1+00"'),
    ("timestamptz", "'infinity'", '"infinity"'),
    ("timestamptz", "'0044-03-15 12:00 BC'", '"0044-03-15 12:00:00+00 BC"'),
    ("timestamp", "'12026-01-01'", '"12026-01-01 00:00:00"'),
    ("date", "'-infinity'", '"-infinity"'),
    ("interval", "'1 year 2 days 03:04:05.6'", '"P1Y2DT3H4M5.6S"'),
    ("bytea", "'\\x00ff'", '"AP8="'),
    ("jsonb", """'{"b": 1.50, "a": [null, 9007199254740993]}'""", '{"a":[null,9007199254740993],"b":1.5}'),
    ("json", """'{"b":1, "a":2,\n"b":3}'""", '"{\\"b\\":1, \\"a\\":2,\\n\\"b\\":3}"'),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    ("text[]", """ARRAY['a', 'b,"\\\\c', NULL, 'NULL', '{}', '']""", '["a","b,\\"\\\\\\\\c",null,"NULL","{}",""]'),
    ("int[]", "'{{1,2},{3,4}}'", "[[1,2],[3,4]]"),
    ("int[]", "'{}'", "[]"),
    ("int[]", "'[0:1]={5,6}'", '"[0:1]={5,6}"'),
    ("bytea[]", "ARRAY['\\x00'::bytea]", '["AA=="]'),
    ("float8[]", "ARRAY['NaN'::float8, 0.5]", '["NaN",0.5]'),
    ("int4range", "'[1,5)'", '"[1,5)"'),
    ("inet", "'10.0.0.1/8'", '"10.0.0.1/8"'),
    ("money", "'12.34'", '"$12.34"'),
    ("bit(3)", "B'101'", '"101"'),
    ("xml", "'<a/>'", '"<a/>"'),
]


def test_postgresql_gives_its_own_text_whatever_the_session_is_set_to(empty: str, tmp_path: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        types = ", ".join(f"c{number:02} {type_name}" for number, (type_name, _, _) in enumerate(POSTGRESQL))
        connection.execute(f"CREATE TABLE t (id int PRIMARY KEY, {types})".encode())
        connection.execute(f"INSERT INTO t VALUES (1, {', '.join(value for _, value, _ in POSTGRESQL)})".encode())
        name = psycopg.conninfo.conninfo_to_dict(empty)["dbname"]
        for setting in (
            "timezone = 'Asia/Kolkata'",
            "datestyle = 'SQL, DMY'",
            "intervalstyle = 'postgres_verbose'",
            "bytea_output = 'escape'",
            "extra_float_digits = 0",
        ):
            connection.execute(f'ALTER DATABASE "{name}" SET {setting}'.encode())
    line, losses = line_of(StorePlaces(dsn=empty), tmp_path)
    wanted = ",".join(f'"c{number:02}":{text}' for number, (_, _, text) in enumerate(POSTGRESQL))
    assert line.decode() == f'{{"id":"1",{wanted}}}'
    assert losses == {}


def test_what_is_no_utf8_is_a_loss_with_its_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c, d, e, f, g TEXT)")
        connection.execute(
            "INSERT INTO t VALUES "
            "(1, 9007199254740993, -0.0, 1e999, x'00ff', CAST(x'41ff' AS TEXT), 'a' || char(0), 1e-7)"
        )
        connection.commit()
    line, losses = line_of(StorePlaces({"main": path}), tmp_path)
    assert line.decode() == (
        '{"id":"1","a":9007199254740993,"b":-0.0,"c":"Infinity","d":{"base64":"AP8="},"e":"A\ufffd","f":"a\\u0000",'
        '"g":"1.0e-07"}'
    )
    assert losses == {"notText": {"count": 1, "cases": [{"table": "v.t", "id": "1", "field": "e"}]}}


def test_bytes_of_a_database_without_an_encoding_are_a_loss_too(server: str, tmp_path: Path) -> None:
    with postgres.database(server, encoding="SQL_ASCII") as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text, c bytea)")
            connection.execute(b"INSERT INTO t VALUES (1, E'\\xff\\n', 'fine', '\\x00')")
        line, losses = line_of(StorePlaces(dsn=dsn), tmp_path)
    assert line.decode() == '{"id":"1","a":"\ufffd\\n","b":"fine","c":"AA=="}'
    assert losses == {"notText": {"count": 1, "cases": [{"table": "v.t", "id": "1", "field": "a"}]}}


def test_names_that_mean_something_to_the_format_are_marked() -> None:
    assert key_of_column("id", ["id"]) == "id"
    assert key_of_column("id", ["a", "id"]) == "column:id"
    assert key_of_column("deletedAt", ["id"]) == "column:deletedAt"
    assert key_of_column("__fieldMeta", ["id"]) == "column:__fieldMeta"
    assert key_of_column("column:x", ["id"]) == "column:column:x"
    assert key_of_column("userId", ["id"]) == "userId"


@given(
    st.lists(st.integers() | st.text() | st.none(), min_size=1, max_size=3),
    st.lists(st.integers() | st.text() | st.none(), min_size=1, max_size=3),
)
def test_rows_of_other_keys_have_other_ids(one: list[Any], other: list[Any]) -> None:
    key = ["a", "b", "c"]
    assert (row_id(one, key[: len(one)]) == row_id(other, key[: len(other)])) == (one == other)


elements = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def as_array(value: Any) -> str:
    """PostgreSQL's text of it: everything but NULL in quotes."""
    if isinstance(value, list):
        return "{" + ",".join(map(as_array, value)) + "}"
    return "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.recursive(st.lists(elements, max_size=4), lambda inner: st.lists(inner, min_size=1, max_size=3)))
def test_arrays_are_read_as_they_were(value: list[Any]) -> None:
    assert parse_array(as_array(value), str) == value


@given(st.text())
def test_any_text_is_an_array_or_itself(text: str) -> None:
    found = parse_array(text, str)
    assert found == text or isinstance(found, list)
    json.dumps(found)


@pytest.mark.parametrize("text", ["{", "{a}}", '{"a}', "{a}x", "{}{}", "[0:1]={1,2}"])
def test_what_is_no_usual_array_stays_as_it_is(text: str) -> None:
    assert parse_array(text, str) == text
