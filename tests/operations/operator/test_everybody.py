"""Everybody's account in one pass: each archive is what one user's export gives, and a cut-off run goes on."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import SourceError, UsageError, WrongKeyError
from manabackup.host.spooling import spool_files
from manabackup.limits import MIB
from manabackup.operations.account.state import StateFolder
from manabackup.operations.ledger import LEDGER
from manabackup.operations.operator import DatabasePlaces, HowWritten, Opening, export_everybody, export_user
from manabackup.operations.operator.all_users import file_names
from manabackup.operations.operator.gathering import Gathered, pack, unpack
from manabackup.sources.mana_accounts import accounts_of
from manabackup.sources.mana_change import COLUMNS, PASSING, ChangeRow
from tests.support import mana_database
from tests.support.processes import CommandLine
from tests.support.schemas import check

from .conftest import Town
from .test_database import ANNA, BERT, notes, put
from .test_database import mana as mana
from .test_one_user import entries


def ledger(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / LEDGER).read_text().splitlines()]


def test_each_archive_is_what_one_users_export_gives(town: Town, state: StateFolder, tmp_path: Path) -> None:
    opening = Opening(mana_database.KEK)
    done = export_everybody(DatabasePlaces(town.dsn), tmp_path / "all", HowWritten(opening))
    assert done.failed == []
    users = {entry.user: entry for entry in done.entries}
    assert {town.anna.user_id, town.bert.user_id, town.carla} < users.keys()
    for user, entry in users.items():
        alone = tmp_path / f"alone-{user}.mana"
        result = export_user(DatabasePlaces(town.dsn), user, alone, state, opening=opening).result
        assert entries(alone) == entries(tmp_path / "all" / f"{user}.mana")
        assert (entry.data_sha256, entry.status) == (result.data_sha256, result.status)
    assert users[town.bert.user_id].opened
    assert not users[town.anna.user_id].opened
    again = export_everybody(DatabasePlaces(town.dsn), tmp_path / "all", HowWritten(opening))
    assert (again.entries, len(again.kept)) == ([], len(users))
    assert again.losses == done.losses != {}, "what is missing in archives that are kept is said each time"


def test_rows_go_to_their_author_and_to_members_of_their_space(mana: str, tmp_path: Path) -> None:
    put(mana, "annas")
    put(mana, "berts", user=BERT, space="s-bert")
    put(mana, "shared", user=BERT, space="s-team")
    put(mana, "strangers", user="u-gone", space="s-gone")
    done = export_everybody(DatabasePlaces(mana), tmp_path)
    assert set(notes(tmp_path / f"{ANNA}.mana")) == {"annas", "shared"}
    assert set(notes(tmp_path / f"{BERT}.mana")) == {"berts", "shared"}
    assert (done.changes, done.unclaimed) == (4, 1)


def test_test_accounts_are_left_out_and_counted(mana: str, tmp_path: Path) -> None:
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(b"UPDATE auth.users SET kind = 'persona' WHERE id = 'u-bert'")
    done = export_everybody(DatabasePlaces(mana), tmp_path / "a")
    assert ([entry.user for entry in done.entries], done.left_out) == ([ANNA], {"persona": 1})
    both = export_everybody(DatabasePlaces(mana), tmp_path / "b", kinds=("human", "persona"))
    assert [entry.user for entry in both.entries] == [ANNA, BERT]


def test_one_users_failure_is_not_the_others(mana: str, tmp_path: Path) -> None:
    put(mana, "n-1")
    (tmp_path / f"{ANNA}.mana").write_text("somebody's file")
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(
            b"INSERT INTO auth.encryption_vaults (user_id, wrapped_mk, wrap_iv) VALUES ('u-bert', 'AAAA', 'AAAA')"
        )
    done = export_everybody(DatabasePlaces(mana), tmp_path, HowWritten(Opening(mana_database.KEK)))
    assert {entry.user: "damaged" in (entry.error or "") for entry in done.failed} == {ANNA: False, BERT: True}
    for _ in range(2):
        assert (tmp_path / f"{ANNA}.mana").read_text() == "somebody's file"
        assert [entry.user for entry in export_everybody(DatabasePlaces(mana), tmp_path).failed] == [ANNA]
    (tmp_path / f"{ANNA}.mana").unlink()
    again = export_everybody(DatabasePlaces(mana), tmp_path)
    assert ([entry.user for entry in again.entries], again.failed) == ([ANNA], [])


def test_a_row_that_makes_no_sense_is_its_owners_failure(mana: str, tmp_path: Path) -> None:
    put(mana, "annas")
    put(mana, "berts", user=BERT, space="s-bert", created_at="infinity")
    done = export_everybody(DatabasePlaces(mana), tmp_path)
    assert [(entry.user, "millennia" in (entry.error or "")) for entry in done.failed] == [(BERT, True)]
    assert set(notes(tmp_path / f"{ANNA}.mana")) == {"annas"}


def test_a_kek_that_opens_nothing_is_told_at_once(town: Town, tmp_path: Path) -> None:
    with pytest.raises(WrongKeyError, match="wrong key"):
        export_everybody(DatabasePlaces(town.dsn), tmp_path, HowWritten(Opening(bytes(32))))
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_cut_off_goes_on(mana: str, tmp_path: Path) -> None:
    put(mana, "n-1")
    export_everybody(DatabasePlaces(mana), tmp_path)
    before = (tmp_path / f"{ANNA}.mana").stat().st_mtime_ns
    lines = (tmp_path / LEDGER).read_bytes().splitlines(keepends=True)
    # Killed while it wrote the second user's line: their archive is there, and nothing says so.
    (tmp_path / LEDGER).write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    again = export_everybody(DatabasePlaces(mana), tmp_path)
    assert ([entry.user for entry in again.entries], len(again.kept), again.failed) == ([BERT], 1, [])
    assert (tmp_path / f"{ANNA}.mana").stat().st_mtime_ns == before
    (tmp_path / f"{ANNA}.mana").unlink()  # what the ledger says and is not there is written again
    assert [entry.user for entry in export_everybody(DatabasePlaces(mana), tmp_path).entries] == [ANNA]


def test_a_folder_of_another_database_is_refused(mana: str, town: Town, tmp_path: Path) -> None:
    export_everybody(DatabasePlaces(mana), tmp_path)
    with pytest.raises(UsageError, match="archives of another source"):
        export_everybody(DatabasePlaces(town.dsn), tmp_path)


def test_the_command_sums_up_and_its_exit_code_tells_of_failures(mana: str, tmp_path: Path) -> None:
    put(mana, "n-1")
    line = CommandLine(tmp_path)
    line.environ["MANABACKUP_SYNC_DSN"] = mana
    folder = str(tmp_path / "all")
    done = line("export", "--from-database", "--all-users", folder, "--json")
    assert done.code == 0, done.err
    check("export-all-users", done.record)
    assert (done.record["done"], done.record["failed"], done.record["changes"]) == (2, {}, 1)
    assert line("verify", f"{folder}/{ANNA}.mana").code == 0
    again = line("export", "--from-database", "--all-users", folder)
    assert (again.code, "2 archives of an earlier run" in again.out) == (0, True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / f"{BERT}.mana").write_text("somebody's file")
    failed = line("export", "--from-database", "--all-users", str(tmp_path / "other"))
    assert (failed.code, f"{BERT}: " in failed.err) == (3, True)
    assert line("export", "--from-database", "--all-users", folder, "--user", ANNA).code == 2


@given(st.lists(st.text(max_size=5), unique=True, max_size=8))
def test_no_two_users_have_one_file(users: list[str]) -> None:
    names = file_names(users)
    assert len({name.lower() for name in names.values()}) == len(users)
    assert all("/" not in name and not name.startswith(".") for name in names.values())


@given(st.lists(st.none() | st.binary(max_size=9), min_size=13, max_size=13))
def test_rows_are_carried_as_they_are(values: list[bytes | None]) -> None:
    row = ChangeRow.of(values)
    assert unpack(pack(row)) == row


def user_of(name: str) -> dict[str, bytes | None]:
    """A row of ``users``."""
    return {
        "id": name.encode(), "name": b"", "email": b"", "kind": b"human", "created_at": None, "deleted_at": None,
    }  # fmt: skip


def copied(row: ChangeRow) -> bytes:
    """A row as COPY writes it (documentation of PostgreSQL, "COPY", "Text Format"), of the columns PASSING."""
    marks = {0x5C: b"\\\\", 8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r"}
    cells = [
        rb"\N" if value is None else b"".join(marks.get(byte, bytes([byte])) for byte in value)
        for value in (row[COLUMNS.index(name)] for name in PASSING)
    ]
    return b"\t".join(cells) + b"\n"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ANNA, BERT, "u-gone", "\\N", "u\t1"]),
            st.none() | st.sampled_from(["s-team", "s-gone", "\\"]),
            st.sampled_from(["todo", "a\\b", "a\nb"]),
            st.sampled_from(["tasks", "\t"]),
            st.sampled_from(["2026-04-20 08:15:30+00", "2026-04-20 08:15:30.5+00", "0044-03-15 12:00:00+00"]),
            st.none() | st.binary(max_size=9),
        ),
        max_size=6,
    )
)
def test_rows_that_are_copied_are_gathered_as_rows_that_were_read(
    tmp_path_factory: pytest.TempPathFactory, read_rows: list[tuple[str, str | None, str, str, str, bytes | None]]
) -> None:
    rows = []
    for number, (user, space, app, table, at, data) in enumerate(read_rows):
        usual: dict[str, bytes | None] = dict.fromkeys(COLUMNS, b"x")
        usual |= {
            "id": str(number).encode(), "user_id": user.encode(), "space_id": space.encode() if space else None,
            "app_id": app.encode(), "table_name": table.encode(), "created_at": at.encode(), "data": data,
        }  # fmt: skip
        rows.append(ChangeRow.of([*usual.values()]))
    accounts = accounts_of(
        [user_of(user) for user in (ANNA, BERT, "u\t1")],
        [{"id": space.encode(), "name": b"", "metadata": None} for space in ("s-team", "\\")],
        [{"organization_id": space.encode(), "user_id": ANNA.encode(), "role": b"owner", "created_at": None}
         for space in ("s-team", "\\")],
        [],
    )  # fmt: skip
    make_file = spool_files(tmp_path_factory.mktemp("spool") / "x")
    read, passed = Gathered(accounts, make_file), Gathered(accounts, make_file)
    read.add(rows, lambda *_: None)
    passed.add_copied([[copied(row) for row in rows]], lambda *_: None)
    assert read.counts == passed.counts
    assert [(account.user.id, list(found)) for account, found in read.by_account()] == [
        (account.user.id, list(found)) for account, found in passed.by_account()
    ]


def test_memory_does_not_grow_with_what_a_user_has(tmp_path: Path) -> None:
    usual: dict[str, bytes | None] = dict.fromkeys(COLUMNS, b"x" * 1_000)
    usual |= {"user_id": b"u", "space_id": None, "created_at": b"2026-04-20 08:15:30+00"}
    line = copied(ChangeRow.of([*usual.values()]))
    gathered = Gathered(accounts_of([user_of("u")], [], [], []), spool_files(tmp_path / "x"))
    tracemalloc.start()
    try:
        gathered.add_copied(([bytes(bytearray(line)) for _ in range(20)] for _ in range(400)), lambda *_: None)
        ((_, rows),) = ((account, sum(1 for _ in rows)) for account, rows in gathered.by_account())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == 8_000
    assert peak < 60 * MIB, f"{peak / MIB:.0f} MiB for {8_000 * len(line) / MIB:.0f}"


@pytest.mark.parametrize("at", [b"infinity", b"-infinity", b"0044-03-15 12:00:00+00 BC", b"12026-04-20 08:15:30+00"])
def test_times_that_do_not_sort_as_texts_are_refused(at: bytes, tmp_path: Path) -> None:
    row = ChangeRow.of([at if name == "created_at" else b"u" for name in COLUMNS])
    for add in ("add", "add_copied"):
        gathered = Gathered(accounts_of([user_of("u")], [], [], []), spool_files(tmp_path / "x"))
        getattr(gathered, add)([row if add == "add" else [copied(row)]], lambda *_: None)
        _, rows = next(gathered.by_account())
        with pytest.raises(SourceError, match="none of these millennia"):
            next(rows)


def test_ids_that_hold_sql_or_paths_are_ids(mana: str, state: StateFolder, tmp_path: Path) -> None:
    who = "../o'x\"; DROP TABLE auth.users; --%s {} \\"
    with psycopg.connect(mana, autocommit=True) as connection:
        connection.execute(b"INSERT INTO auth.users (id, name, email) VALUES (%s, '', 'x@example.org')", (who,))
        connection.execute(
            b"INSERT INTO auth.members (id, organization_id, user_id, role) VALUES ('m9', 's-team', %s, 'member')",
            (who,),
        )
    put(mana, "own", user=who, space=who)
    put(mana, "shared", user=BERT, space="s-team")
    export_user(DatabasePlaces(mana), who, tmp_path / "one.mana", state)
    assert set(notes(tmp_path / "one.mana")) == {"own", "shared"}
    done = export_everybody(DatabasePlaces(mana), tmp_path / "all")
    (name,) = (entry.file for entry in done.entries if entry.user == who)
    assert entries(tmp_path / "all" / str(name)) == entries(tmp_path / "one.mana")
    assert {path.parent for path in tmp_path.rglob("*.mana")} == {tmp_path, tmp_path / "all"}
