"""``profile load`` as a command."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from manabackup.operations.databases import StorePlaces
from tests.support import postgres
from tests.support.loads import SHOP, asked, contents
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine
from tests.support.schemas import check

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, password text);
CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, note text);
INSERT INTO people VALUES (1, 'Anna', 'hunter2'), (2, 'Bea', 'swordfish');
INSERT INTO orders VALUES (10, 1, 'one'), (20, 2, 'hers');
"""


@pytest.fixture
def run(tmp_path: Path) -> CommandLine:
    (tmp_path / "shop.toml").write_text(SHOP)
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.executescript(SCHEMA)
    line = CommandLine(tmp_path)
    line.environ |= {"MANABACKUP_PASSPHRASE": "a passphrase that nobody guesses"}
    return line


def export(run: CommandLine, *more: str) -> str:
    profile, store = str(run.home / "shop.toml"), f"main={run.home / 'shop.sqlite'}"
    path = str(run.home / "anna.mana")
    done = run("profile", "export", profile, "--store", store, "--user", "1", "-o", path, *more)
    assert done.code == 0, done.err
    return path


def load_arguments(run: CommandLine, path: str, *more: str) -> list[str]:
    return ["profile", "load", str(run.home / "shop.toml"), path, "--store", f"main={run.home / 'new.sqlite'}", *more]


def test_the_plan_is_shown_and_nothing_written_without_a_yes(run: CommandLine) -> None:
    path = export(run)
    dry = run(*load_arguments(run, path, "--create", "--dry-run"))
    assert dry.code == 0, dry.err
    assert "nothing was written (--dry-run)" in dry.out
    assert "main.orders       1" in dry.out
    refused = run(*load_arguments(run, path, "--create"))
    assert refused.code == 2
    assert "nobody is there to confirm the database" in refused.err
    assert not (run.home / "new.sqlite").exists()


def test_it_tells_what_it_wrote(run: CommandLine) -> None:
    path = export(run, "--seal")
    done = run(*load_arguments(run, path, "--create", "--yes", "--json"))
    assert done.code == 0, done.err
    check("profile-load", done.record)
    assert done.record["written"] == 2
    again = run(*load_arguments(run, path, "--yes"))
    assert (again.code, again.out) == (
        0,
        "0 inserted, 0 overwritten, 2 unchanged, 0 skipped, and compared\n",
    )
    wrong = run(*load_arguments(run, path, "--yes"), env={"MANABACKUP_PASSPHRASE": "another"})
    assert wrong.code == 12


def test_what_is_kept_of_the_database_is_in_the_exit_code(run: CommandLine) -> None:
    path = export(run)
    assert run(*load_arguments(run, path, "--create", "--yes")).code == 0
    with closing(sqlite3.connect(run.home / "new.sqlite")) as connection:
        connection.execute("UPDATE orders SET note = 'changed'")
        connection.commit()
    stopped = run(*load_arguments(run, path, "--yes"))
    assert stopped.code == 1
    assert "the database holds 1 of these rows differently; nothing was written" in stopped.err
    kept = run(*load_arguments(run, path, "--yes", "--on-conflict", "skip", "--json"))
    assert (kept.code, kept.record["rows"]["skipped"]) == (3, 1)


def test_archives_of_mana_and_other_files_are_refused(run: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "no.mana").write_bytes(b"nothing")
    assert run(*load_arguments(run, str(tmp_path / "no.mana"), "--create")).code == 15
    assert run(*load_arguments(run, str(tmp_path / "none.mana"), "--create")).code == 10
    ours = Path(__file__).parents[3] / "fixtures" / "released"
    archive = next(ours.rglob("plain.mana"))
    done = run(*load_arguments(run, str(archive), "--create", "--yes"))
    assert done.code == 2, done.err
    assert "the archive holds no rows of another database" in done.err


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_load_that_is_killed_in_the_middle_leaves_postgresql_as_it_was(run: CommandLine, server: str) -> None:
    path = export(run)
    waiting = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.note IS NOT NULL THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW; END $$;
    CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wait();
    """
    with postgres.database(server, SCHEMA + "DELETE FROM orders; DELETE FROM people;" + waiting) as dsn:
        places = StorePlaces(dsn=dsn)
        arguments = ["profile", "load", str(run.home / "shop.toml"), path, "--yes"]
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        waiters = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = {here}"
        ours = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'manabackup' AND datid = {here}"
        with psycopg.connect(dsn) as holder:
            holder.execute("SELECT pg_advisory_xact_lock(7)")
            process = run.start(*arguments, env={"MANABACKUP_DSN": dsn})
            try:
                wait_until(lambda: asked(places, waiters) == [(1,)])
            finally:
                process.kill()
                process.communicate()
        wait_until(lambda: asked(places, ours) == [(0,)])
        assert contents(places, ["people", "orders"]) == {"people": [], "orders": []}
        done = run(*arguments, env={"MANABACKUP_DSN": dsn})
        assert done.code == 0, done.err
        assert asked(places, "SELECT count(*) FROM orders") == [(1,)]
