"""What databases say of themselves, and what a profile and they do not agree about."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from manabackup.errors import NotFoundError, ServerError, SourceError, UsageError
from manabackup.sources.agreement import Disagreement, compare
from manabackup.sources.catalog import Catalog, ForeignKey
from manabackup.sources.loading import load_profile, parse_profile
from manabackup.sources.postgresql import PostgresqlDatabase
from manabackup.sources.queries import RowQuery
from manabackup.sources.sqlite import SqliteDatabase, Text
from tests.support.models import Model
from tests.support.toml import as_toml

SHOP: dict[str, Any] = {
    "profile": 1,
    "name": "shop",
    "title": "Shop",
    "stores": {"main": {"kind": "postgresql"}},
    "subject": {"table": "main.users", "key": "id"},
    "tables": {
        "main.users": {"class": "user", "owner": {"column": "id", "is": "user"}, "columns": ["id", "name"]},
        "main.orders": {"class": "user", "owner": {"column": "user_id", "is": "user"}, "columns": ["id", "user_id"]},
        "main.lines": {
            "class": "user",
            "owner": {"through": "order_id", "to": "main.orders"},
            "columns": ["id", "order_id"],
            "references": {"article_id": "main.articles"},
            "omit": {"article_id": "internal"},
        },
        "main.articles": {"class": "catalogue"},
    },
}
SCRIPT = """
CREATE TABLE users (id text PRIMARY KEY, name text);
CREATE TABLE articles (id text PRIMARY KEY);
CREATE TABLE orders (id text PRIMARY KEY, user_id text NOT NULL REFERENCES users (id));
CREATE TABLE lines (
    id text PRIMARY KEY, order_id text NOT NULL REFERENCES orders (id), article_id text REFERENCES articles (id)
);
"""
Make = Callable[[str], Catalog]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """The catalog of a new database that a script made."""

    def sqlite_catalog(script: str) -> Catalog:
        path = tmp_path / "x.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        with closing(SqliteDatabase(path)) as database:
            return database.catalog()

    def postgresql_catalog(script: str) -> Catalog:
        dsn = request.getfixturevalue("empty")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(script.encode())
        with closing(PostgresqlDatabase(dsn, "public")) as database:
            return database.catalog()

    return sqlite_catalog if request.param == "sqlite" else postgresql_catalog


def findings(catalog: Catalog, change: Callable[[dict[str, Any]], object] = lambda _: None) -> list[str]:
    values = copy.deepcopy(SHOP)
    change(values["tables"])
    return [str(finding) for finding in compare(parse_profile(as_toml(values).encode(), "x"), {"main": catalog})]


def test_where_both_say_the_same_nothing_is_found(make: Make) -> None:
    assert findings(make(SCRIPT)) == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("CREATE TABLE wishes (id text PRIMARY KEY);", ["unknownTable: main.wishes"]),
        ("ALTER TABLE orders ADD COLUMN note text;", ["unknownColumn: main.orders, column note"]),
        ("ALTER TABLE users DROP COLUMN name;", ["missingColumn: main.users, column name"]),
        ("DROP TABLE lines;", ["missingTable: main.lines"]),
        ("CREATE VIEW all_users AS SELECT * FROM users;", ["notRead: main.all_users (no table)"]),
    ],
)
def test_what_was_changed_since_is_told_by_name(make: Make, more: str, found: list[str]) -> None:
    assert findings(make(SCRIPT + more)) == found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "user_id text NOT NULL REFERENCES users (id)",
            "user_id text NOT NULL REFERENCES articles (id)",
            ["contradictedOwner: main.orders, column user_id (a foreign key leads to articles: id)"],
        ),
        (
            "article_id text REFERENCES articles (id)",
            "article_id text REFERENCES users (id)",
            ["contradictedReference: main.lines, column article_id (a foreign key leads to users: id)"],
        ),
        ("user_id text NOT NULL", "user_id text", ["mayBeNobodys: main.orders, column user_id"]),
        (
            "order_id text NOT NULL REFERENCES orders (id), article_id text REFERENCES articles (id)",
            "order_id text NOT NULL, article_id text",
            [],
        ),
    ],
)
def test_foreign_keys_are_held_against_ownership(make: Make, old: str, new: str, found: list[str]) -> None:
    assert old in SCRIPT
    assert findings(make(SCRIPT.replace(old, new))) == found


def test_a_parent_is_reached_by_a_key_of_it(make: Make) -> None:
    def by_user(tables: dict[str, Any]) -> None:
        tables["main.lines"]["owner"]["key"] = "user_id"

    assert findings(make(SCRIPT.replace(" REFERENCES orders (id)", "")), by_user) == [
        "parentNotUnique: main.lines, column order_id (main.orders: user_id)"
    ]


def test_a_table_without_a_key_needs_one(make: Make) -> None:
    script = SCRIPT.replace("lines (\n    id text PRIMARY KEY", "lines (\n    id text")
    catalog = make(script)
    assert findings(catalog) == ["noKey: main.lines"]

    def with_key(tables: dict[str, Any]) -> None:
        tables["main.lines"]["key"] = ["id"]

    assert findings(catalog, with_key) == []


def test_a_column_that_looks_secret_is_not_taken_along_by_a_star(make: Make) -> None:
    def star(tables: dict[str, Any]) -> None:
        tables["main.users"]["columns"] = "*"

    catalog = make(SCRIPT + "ALTER TABLE users ADD COLUMN password_hash text;")
    assert findings(catalog, star) == ["secretColumn: main.users, column password_hash"]

    def allowed(tables: dict[str, Any]) -> None:
        star(tables)
        tables["main.users"]["omit"] = {"password_hash": "secret"}

    assert findings(catalog, allowed) == []


def test_keys_and_references_of_many_columns_are_read(make: Make) -> None:
    catalog = make(
        'CREATE TABLE "A ""b""" (x int, "Y%s" int, z int UNIQUE, PRIMARY KEY ("Y%s", x));'
        'CREATE TABLE c (p int, q int, FOREIGN KEY (p, q) REFERENCES "A ""b""" ("Y%s", x));'
        "CREATE UNIQUE INDEX part ON c (p) WHERE q = 1;"
    )
    table = catalog.tables['A "b"']
    assert table.key == ("Y%s", "x")
    assert table.unique == {frozenset({"Y%s", "x"}), frozenset({"z"})}
    assert catalog.tables["c"].references == (ForeignKey(("p", "q"), 'A "b"', ("Y%s", "x")),)
    assert catalog.tables["c"].unique == frozenset()


@pytest.mark.parametrize("name", ["vivim", "rebuild", "rebuild-deployed"])
def test_the_shipped_profiles_fit_the_databases_of_their_documents(empty: str, name: str) -> None:
    profile = load_profile(name)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(Model.of(name).script("postgresql").encode())
    with closing(PostgresqlDatabase(empty, "public")) as database:
        catalog = database.catalog()
    assert len(catalog.tables) == len(profile.tables)
    found = compare(profile, dict.fromkeys(profile.stores, catalog))
    assert {finding.kind for finding in found} <= {"mayBeNobodys"}


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_references_are_seen_by_a_role_that_may_only_read(empty: str, role: str) -> None:
    """information_schema would show none."""
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(SCRIPT.encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        connection.execute(f"REVOKE SELECT ON users FROM {role}".encode())
        connection.execute(f"GRANT SELECT (id) ON users TO {role}".encode())
    reader = psycopg.conninfo.make_conninfo(empty, user=role)
    with closing(PostgresqlDatabase(reader, "public")) as database:
        catalog = database.catalog()
    assert catalog.tables["orders"].references == (ForeignKey(("user_id",), "users", ("id",)),)
    assert findings(catalog) == ["unreadableColumn: main.users, column name"]


def test_domains_are_known_by_what_lies_beneath(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(b"CREATE DOMAIN cents AS bigint; CREATE DOMAIN price AS cents CHECK (VALUE > 0)")
        connection.execute("CREATE TABLE t (a price, b varchar(20), c numeric(5,2)[])")
    with closing(PostgresqlDatabase(empty, "public")) as database:
        columns = database.catalog().tables["t"].columns
    assert {name: (column.type, column.base) for name, column in columns.items()} == {
        "a": ("public.price", "bigint"),
        "b": ("character varying(20)", "character varying"),
        "c": ("numeric(5,2)[]", "numeric[]"),
    }


def test_row_level_security_that_hides_rows_is_an_error(empty: str, role: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int)")
        connection.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        connection.execute(f"GRANT SELECT ON t TO {role}".encode())
    hidden = psycopg.conninfo.make_conninfo(empty, user=role)
    with (
        closing(PostgresqlDatabase(hidden, "public")) as database,
        pytest.raises(SourceError, match="row-level security"),
    ):
        list(database.rows(RowQuery("SELECT id::text FROM public.t"), []))


def test_a_server_that_is_not_there_and_a_string_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot be reached") as raised:
        PostgresqlDatabase(f"host={tmp_path} user=x password=geheim", "public")
    assert "geheim" not in raised.value.message
    with pytest.raises(UsageError):
        PostgresqlDatabase("nonsense", "public")


# --- SQLite -----------------------------------------------------------------------------------------------------------


def test_files_that_are_no_databases_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        SqliteDatabase(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    text = tmp_path / "text.sqlite"
    text.write_text("this is a text " * 100)
    with pytest.raises(SourceError, match="no SQLite database"):
        SqliteDatabase(text)
    with pytest.raises(NotFoundError, match="is no file"):
        SqliteDatabase(tmp_path)


def test_the_write_ahead_log_is_read_and_the_file_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE t (v)")
        writer.execute("INSERT INTO t VALUES ('Grüße'), (x'00ff'), (1), (0.5), (NULL), (CAST(x'ff' AS TEXT))")
        writer.commit()
        before = path.read_bytes()
        with closing(SqliteDatabase(path)) as database:
            writer.execute("DELETE FROM t")
            writer.commit()
            values = [value for (value,) in database.rows(RowQuery("SELECT v FROM t"), [])]
        assert path.read_bytes() == before
    assert values == [Text("Grüße".encode()), b"\x00\xff", 1, 0.5, None, Text(b"\xff")]
    assert [type(value) for value in values] == [Text, bytes, int, float, type(None), Text]


def test_what_is_virtual_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE t (a); CREATE VIRTUAL TABLE f USING fts5 (a); CREATE VIEW v AS SELECT 1;"
        )
    with closing(SqliteDatabase(path)) as database:
        catalog = database.catalog()
    assert (list(catalog.tables), catalog.views) == (["t"], ("f", "v"))


def test_a_finding_tells_what_it_is() -> None:
    assert Disagreement("noKey", "main.t").to_json() == {"kind": "noKey", "severity": "error", "table": "main.t"}
