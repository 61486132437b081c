"""``profile check``: what it tells of a database, and where its connection string comes from."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from manabackup.sources.loading import load_profile
from tests.support.models import Crowd, Model
from tests.support.processes import CommandLine
from tests.support.schemas import check


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(Model.of("vivim"), load_profile("vivim"), seed=3)


@pytest.fixture
def run(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def filled(empty: str, crowd: Crowd) -> str:
    crowd.fill_postgresql(empty)
    return empty


def test_it_counts_what_somebody_would_get(run: CommandLine, filled: str, crowd: Crowd, tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(filled + "\n")
    (tmp_path / "dsn").chmod(0o600)
    anna = crowd.people[0]
    done = run(
        "profile", "check", "vivim", "--dsn-file", str(tmp_path / "dsn"), "--user", anna["did"], "--plans", "--json"
    )
    assert done.code == 0, done.err
    check("profile-check", done.record)
    assert isinstance(done.record, dict)
    assert done.record["user"] == {"found": True}
    for name, table in done.record["tables"].items():
        rows = crowd.rows[name.partition(".")[2]]
        assert table["own"] == sum(anna["id"] in crowd.owners(name.partition(".")[2], row) for row in rows)
        assert table["plan"]
    assert anna["id"] not in done.out
    words = run("profile", "check", "vivim", "--user", anna["id"], env={"MANABACKUP_DSN": filled})
    assert "0 errors, " in words.out
    assert "master.circle_members" in words.out


def test_a_table_and_a_column_that_nobody_named_end_with_4(run: CommandLine, filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(b'CREATE TABLE "new%s" (id int); ALTER TABLE memories ADD COLUMN mood text')
    done = run("profile", "check", "vivim", env={"MANABACKUP_DSN": filled})
    assert done.code == 4
    assert "error unknownTable: master.new%s\n" in done.out
    assert "error unknownColumn: user.memories, column mood\n" in done.out


def test_the_file_of_somebody_else_is_refused(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    crowd.fill_sqlite(tmp_path / "master.sqlite", "master")
    crowd.fill_sqlite(tmp_path / "all.sqlite", "user")
    stores = ("--store", f"master={tmp_path / 'master.sqlite'}", "--store", f"user={tmp_path / 'all.sqlite'}")
    anna, bert = crowd.people[:2]
    many = run("profile", "check", "vivim", *stores, "--user", anna["id"])
    assert "holds more than one person's rows" in many.err
    with closing(sqlite3.connect(tmp_path / "all.sqlite")) as connection:
        connection.execute('DELETE FROM user_context_settings WHERE "userId" <> ?', [bert["id"]])
        connection.commit()
    others = run("profile", "check", "vivim", *stores, "--user", anna["id"])
    assert (others.code, "is somebody else's" in others.err) == (1, True)
    assert run("profile", "check", "vivim", *stores, "--user", bert["id"]).code == 0
    with closing(sqlite3.connect(tmp_path / "all.sqlite")) as connection:
        connection.execute("DELETE FROM user_context_settings")
        connection.commit()
    assert "does not say whose it is" in run("profile", "check", "vivim", *stores, "--user", bert["id"]).err


def test_the_connection_string_comes_from_a_command_or_a_service(run: CommandLine, filled: str, tmp_path: Path) -> None:
    (tmp_path / "say.py").write_text(f"print({filled!r})")
    command = f"{sys.executable} {tmp_path / 'say.py'}"
    assert run("profile", "check", "vivim", "--dsn-command", command).code == 0
    parts = "".join(f"{key}={value}\n" for key, value in psycopg.conninfo.conninfo_to_dict(filled).items())
    (tmp_path / "services").write_text(f"[shop]\n{parts}")
    services = {"PGSERVICEFILE": str(tmp_path / "services")}
    assert run("profile", "check", "vivim", "--service", "shop", env=services).code == 0
    both = run("profile", "check", "vivim", "--service", "shop", env={"MANABACKUP_DSN": filled})
    assert (both.code, "are both given" in both.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("vivm",), 10, "there is no profile vivm"),
        (("vivim",), 2, "where is the store master?"),
        (("vivim", "--store", "mastr=x"), 2, "has no store mastr"),
        (("vivim", "--store", "x"), 2, "is not NAME=FILE"),
        (("rebuild", "--store", "main=none.sqlite"), 10, "none.sqlite does not exist"),
        (("rebuild", "--dsn", "postgresql://anna:geheim@host/x"), 2, "no such option"),
        (("vivim", "--plans"), 2, "--plans shows"),
        (("vivim", "--service", "a b"), 2, "the name of a service"),
    ],
)
def test_what_is_wrong_is_one_clear_line(run: CommandLine, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = run("profile", "check", *arguments)
    assert (done.code, told in done.err) == (code, True), done.err
    assert "geheim" not in done.err


def test_a_server_that_cannot_be_reached_ends_with_14(run: CommandLine, tmp_path: Path) -> None:
    done = run("profile", "check", "vivim", env={"MANABACKUP_DSN": f"host={tmp_path} password=geheim user=x"})
    assert done.code == 14
    assert "geheim" not in done.err


def test_without_the_driver_one_line_says_what_to_install(run: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError")
    cold = CommandLine(tmp_path, cold=True)
    done = cold("profile", "check", "vivim", env={"MANABACKUP_DSN": "host=x", "PYTHONPATH": str(tmp_path)})
    assert done.code == 2
    assert "install manabackup with the extra [postgres]" in done.err


def test_somebody_who_is_not_known(run: CommandLine, filled: str, crowd: Crowd) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(b"ALTER TABLE users DROP CONSTRAINT users_handle_key; UPDATE users SET handle = 'same'")
    done = run("profile", "check", "vivim", "--user", "same", env={"MANABACKUP_DSN": filled})
    assert (done.code, "may be several people" in done.err) == (2, True)
    gone = run("profile", "check", "vivim", "--user", "nobody", env={"MANABACKUP_DSN": filled})
    assert "their own row is gone" in gone.out
