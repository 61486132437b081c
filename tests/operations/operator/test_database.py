"""Mana's databases as they may be found: roles that see less, older columns, rows that HTTP cannot tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from manabackup.archive.reader import open_archive
from manabackup.errors import NotFoundError, SourceError
from manabackup.host.spooling import spool_files
from manabackup.operations.account.state import StateFolder
from manabackup.operations.export import Selection
from manabackup.operations.operator import DatabasePlaces, UserExport, export_user
from manabackup.operations.operator.reading import bring_up_to_date, open_mirror
from manabackup.sources.mana_accounts import TABLES
from manabackup.sources.mana_database import opened
from tests.support import mana_database, postgres

ANNA, BERT = "u-anna", "u-bert"


@pytest.fixture
def mana(server: str) -> Iterator[str]:
    """Mana's tables, with two users who share a space."""
    with postgres.database(server, mana_database.SCHEMA) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                b"INSERT INTO auth.users (id, name, email) VALUES"
                b" ('u-anna', 'Anna', 'anna@example.org'), ('u-bert', 'Bert', 'bert@example.org');"
                b"INSERT INTO auth.organizations (id, name, metadata) VALUES"
                b" ('s-anna', 'Anna', '{\"type\": \"personal\"}'), ('s-team', 'Team', '{\"type\": \"team\"}');"
                b"INSERT INTO auth.members (id, organization_id, user_id, role) VALUES"
                b" ('m1', 's-anna', 'u-anna', 'owner'), ('m2', 's-team', 'u-anna', 'member'),"
                b" ('m3', 's-team', 'u-bert', 'owner')"
            )
        yield dsn


def put(
    dsn: str, record: str, data: str = "{}", *, user: str = ANNA, space: str = "s-anna", op: str = "insert", **more: str
) -> None:
    """One change of a note."""
    values = {
        "app_id": "notes", "table_name": "notes", "record_id": record, "user_id": user, "op": op, "data": data,
        "client_id": "c", "space_id": space, **more,
    }  # fmt: skip
    columns = sql.SQL(", ").join(map(sql.Identifier, values))
    marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("INSERT INTO public.sync_changes ({}) VALUES ({})").format(columns, marks), [*values.values()]
        )


def notes(path: Path) -> dict[str, str]:
    """The notes of an archive by id, each as text."""
    with open_archive(path) as archive:
        return {row.id: row.line.decode() for row in archive.rows("notes")}


def as_role(dsn: str, role: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, user=role)


def grant(dsn: str, role: str, *, without: str = "") -> None:
    """The grants that docs/operators.md recommends."""
    tables = {f"auth.{table}": columns for table, columns in TABLES.items()}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA auth TO {role}; GRANT SELECT ON sync_changes TO {role}".encode())
        for table, columns in tables.items():
            granted = ", ".join(column for column in columns if column != without)
            connection.execute(f"GRANT SELECT ({granted}) ON {table} TO {role}".encode())


def test_a_role_that_row_level_security_applies_to_is_an_error_and_no_empty_account(
    mana: str, state: StateFolder, tmp_path: Path
) -> None:
    put(mana, "n-1")
    owned = "ALTER TABLE sync_changes OWNER TO {0}; ALTER TABLE auth.encryption_vaults OWNER TO {0}"
    for statement in ("", "GRANT pg_read_all_data TO {0}", owned):
        with postgres.role(mana) as role:
            grant(mana, role)
            with psycopg.connect(mana, autocommit=True) as connection:
                connection.execute(statement.format(role).encode() or b"SELECT 1")
            with pytest.raises(SourceError, match="row-level security"):
                export_user(DatabasePlaces(as_role(mana, role)), ANNA, tmp_path / "a.mana", state)
    assert not (tmp_path / "a.mana").exists()


def test_a_role_that_bypasses_it_needs_grants_on_the_named_columns_and_no_more(
    mana: str, state: StateFolder, tmp_path: Path
) -> None:
    put(mana, "n-1", '{"title": "a"}')
    with postgres.role(mana) as role:
        with psycopg.connect(mana, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {role} BYPASSRLS".encode())
        grant(mana, role, without="recovery_iv")
        with pytest.raises(SourceError, match="recovery_iv"):
            export_user(DatabasePlaces(as_role(mana, role)), ANNA, tmp_path / "a.mana", state)
        grant(mana, role)
        done = export_user(DatabasePlaces(as_role(mana, role)), ANNA, tmp_path / "a.mana", state)
    assert (done.result.status, done.result.rows, done.watermark.exact) == ("complete", 1, False)


def test_what_is_exported_is_the_users_and_their_spaces_others(mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "own")
    put(mana, "shared", user=BERT, space="s-team")
    put(mana, "berts", user=BERT, space="s-bert")
    put(mana, "intruder", user=BERT, space="_personal:u-anna")
    first = export_user(DatabasePlaces(mana), "ANNA@example.org", tmp_path / "a.mana", state)
    assert (set(notes(tmp_path / "a.mana")), first.new) == ({"own", "shared"}, 2)
    put(mana, "later", user=BERT, space="s-team")
    again = export_user(DatabasePlaces(mana), ANNA, tmp_path / "b.mana", state)
    assert (set(notes(tmp_path / "b.mana")), again.new) == ({"own", "shared", "later"}, 1)
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(b"DELETE FROM auth.members WHERE id = 'm2'")
    export_user(DatabasePlaces(mana), ANNA, tmp_path / "c.mana", state)
    assert set(notes(tmp_path / "c.mana")) == {"own"}  # the mirror does not keep what she may not see any more


def test_numbers_that_no_double_holds_keep_their_digits(mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "n-1", '{"a": 9007199254740993, "b": 1.50, "c": 1e400, "d": 0.1}')
    export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state)
    line = notes(tmp_path / "a.mana")["n-1"]
    assert f'"a":9007199254740993,"b":1.5,"c":1{"0" * 400},"d":0.1' in line


def test_the_order_of_one_transaction_is_that_of_the_table(mana: str, state: StateFolder, tmp_path: Path) -> None:
    for number in range(20):
        put(mana, "n-1", json.dumps({"title": str(number)}), created_at="2026-01-01T00:00:00Z")
    export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state)
    assert '"title":"19"' in notes(tmp_path / "a.mana")["n-1"]


def test_an_instant_is_exact_to_the_transaction(mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "n-1", '{"title": "old"}', created_at="2026-01-01T00:00:00.000001Z")
    put(mana, "n-1", '{"title": "new"}', created_at="2026-01-01T00:00:00.000003Z")
    done = export_user(
        DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state, selection=Selection(as_of="2026-01-01T00:00:00.000002Z")
    )
    assert '"title":"old"' in notes(tmp_path / "a.mana")["n-1"]
    assert "undatedCounted" not in done.result.completeness["notices"]


def test_an_older_database_calls_the_times_of_fields_otherwise(mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "n-1", '{"title": "a"}')
    put(mana, "n-1", '{"title": "b"}', op="update", field_meta='{"title": "2026-02-01T00:00:00Z"}')
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(b"ALTER TABLE sync_changes RENAME field_meta TO field_timestamps")
    export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state)
    assert '"title":"b"' in notes(tmp_path / "a.mana")["n-1"]
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(b"ALTER TABLE sync_changes DROP field_timestamps, DROP origin")
    with pytest.raises(SourceError, match=r"no column origin"):
        export_user(DatabasePlaces(mana), ANNA, tmp_path / "b.mana", state)


def test_values_of_an_update_that_have_no_time_are_no_edits(mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "n-1", '{"title": "a", "pinned": false}')
    put(mana, "n-1", '{"title": "b", "pinned": true}', op="update", field_meta='{"title": "2026-02-01T00:00:00Z"}')
    done = export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state)
    assert '"pinned":false,"spaceId":"s-anna","title":"b"' in notes(tmp_path / "a.mana")["n-1"]
    assert done.result.completeness["notices"]["valueWithoutTime"] == 1


def test_somebody_who_is_not_there_is_an_error(mana: str, state: StateFolder, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        export_user(DatabasePlaces(mana), "nobody", tmp_path / "a.mana", state)


def test_the_accounts_may_be_in_another_database(server: str, mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "n-1")
    with postgres.database(server, mana_database.SCHEMA) as log:
        put(log, "n-2")
        with psycopg.connect(log, autocommit=True) as connection:
            connection.execute(b"DROP SCHEMA auth CASCADE")
        done: UserExport = export_user(DatabasePlaces(log, mana), ANNA, tmp_path / "a.mana", state)
        with pytest.raises(SourceError, match=r"auth\.users"):
            export_user(DatabasePlaces(log, log), ANNA, tmp_path / "b.mana", state)
    assert (done.result.rows, set(notes(tmp_path / "a.mana"))) == (1, {"n-2"})


def test_a_mirror_is_the_same_on_any_number_of_processes(mana: str, tmp_path: Path) -> None:
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(
            b"INSERT INTO public.sync_changes (app_id, table_name, record_id, user_id, op, data, client_id, space_id)"
            b" SELECT 'notes', 'notes', n, CASE WHEN n % 7 = 0 THEN 'u-bert' ELSE 'u-anna' END, 'insert',"
            b" jsonb_build_object('text', repeat(E'a\\\\\\t\\n', n % 300)), 'c', CASE WHEN n % 7 = 0 THEN 's-team' END"
            b" FROM generate_series(1, 3000) n"
        )
    found = []
    for processes in (1, 2, 3):
        path = tmp_path / f"{processes}.db"
        with opened(mana, mana, kek=False) as (accounts, changes):
            account = accounts.account(ANNA)
            with open_mirror(path, changes.identity(), account) as mirror:
                files = spool_files(path)
                assert bring_up_to_date(mirror, changes, account, files, lambda *_: None, processes=processes) == 3_000
                with mirror.snapshot() as snapshot:
                    pages = list(snapshot.read("notes", "notes"))
        found.append([(page.ids, page.lines()) for page in pages])
    assert found[0] == found[1] == found[2]
