"""``profile export`` as a command, and every other command on what it wrote."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from manabackup.archive.reader import open_archive
from manabackup.errors import UsageError
from manabackup.operations.compare.live import scope_of
from manabackup.sources.loading import load_profile
from tests.support.models import Crowd, Model
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine, Finished
from tests.support.schemas import check

ROUNDS = int(os.environ.get("MANABACKUP_KILL_ROUNDS", "2"))
PASSPHRASE = "a passphrase that nobody guesses"


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd(Model.of("vivim"), load_profile("vivim"), seed=3)


@pytest.fixture
def run(tmp_path: Path, crowd: Crowd) -> CommandLine:
    crowd.fill_sqlite(tmp_path / "all.sqlite")
    line = CommandLine(tmp_path)
    line.environ |= {"MANABACKUP_PASSPHRASE": PASSPHRASE}
    return line


def export(run: CommandLine, crowd: Crowd, path: Path, *more: str, who: int = 0) -> Finished:
    store = f"master={path.parent / 'all.sqlite'}"
    return run(
        "profile", "export", "vivim", "--store", store, "--user", crowd.people[who]["id"], "-o", str(path), *more
    )


def test_it_tells_what_it_wrote_and_what_it_left_out(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    done = export(run, crowd, tmp_path / "a.mana", "--json")
    assert done.code == 0, done.err
    check("profile-export", done.record)
    again = export(run, crowd, tmp_path / "a.mana")
    assert (again.code, "exists" in again.err) == (17, True)
    words = export(run, crowd, tmp_path / "a.mana", "--force")
    assert "complete, " in words.out
    assert "rows that are nobody's, left out" in words.out
    assert "the archive is not encrypted" in words.err


def test_the_other_commands_work_on_it(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    one, other, sealed, opened = (str(tmp_path / f"{name}.mana") for name in ("a", "b", "sealed", "opened"))
    assert export(run, crowd, Path(one)).code == 0
    assert export(run, crowd, Path(other), who=1).code == 0
    assert run("verify", one).code == 0
    assert "vivim.memories" in run("info", one).out
    assert run("cat", one, "vivim.users").out.startswith('{"id":')
    assert run("diff", one, one).code == 0
    assert run("diff", one, other).code == 4
    assert run("seal", one, "-o", sealed).code == 0
    assert run("verify", sealed).code == 0
    assert run("unseal", sealed, "-o", opened).code == 0
    assert run("diff", one, opened).code == 0
    assert run("view", one, "-o", str(tmp_path / "a.html")).code == 0
    for format_name in ("sqlite", "csv", "json", "parquet"):
        done = run("convert", one, "--to", format_name, "-o", str(tmp_path / f"out-{format_name}"))
        assert done.code == 0, done.err
    with closing(sqlite3.connect(tmp_path / "out-sqlite")) as connection:
        ((number,),) = connection.execute('SELECT count(*) FROM "vivim.memories"')
    anna = crowd.people[0]["id"]
    assert number == sum(anna in crowd.owners("memories", row) for row in crowd.rows["memories"])
    assert run("convert", str(tmp_path / "out-sqlite"), "--to", "mana", "-o", str(tmp_path / "back.mana")).code == 0
    assert run("diff", one, str(tmp_path / "back.mana")).code == 0


@pytest.mark.parametrize("command", [("restore",), ("rekey", "-o", "x.mana"), ("roundtrip",)])
def test_what_puts_rows_into_mana_refuses_it(
    run: CommandLine, crowd: Crowd, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert export(run, crowd, tmp_path / "a.mana").code == 0
    done = run(command[0], str(tmp_path / "a.mana"), *command[1:], env={"MANABACKUP_TOKEN": "x"})
    assert "the archive holds rows of another database, by the profile vivim" in done.err + done.out
    assert done.code not in (0, 4)


def test_it_is_not_compared_with_an_account(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    assert export(run, crowd, tmp_path / "a.mana").code == 0
    with open_archive(tmp_path / "a.mana") as archive, pytest.raises(UsageError, match="rows of another database"):
        scope_of(archive.manifest)


def test_everybodys_archives(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    words = ("profile", "export", "vivim", "--store", f"master={tmp_path / 'all.sqlite'}", "--all-users")
    done = run(*words, str(tmp_path / "all"), "--json")
    assert done.code == 0, done.err
    check("profile-export-all", done.record)
    assert done.record["people"]["written"] == len(crowd.people)
    archives = [str(path) for path in (tmp_path / "all").glob("*.mana")]
    assert run("verify", *archives).code == 0
    again = run(*words, str(tmp_path / "all"))
    assert (again.code, "already" in again.err) == (17, True)
    sealed = run(*words, str(tmp_path / "all"), "--force", "--seal", "--private")
    assert sealed.code == 0, sealed.err
    assert "rows that are nobody's" in sealed.out
    assert run("verify", *archives).code == 0
    assert all(crowd.people[0]["id"].encode() not in Path(path).read_bytes() for path in archives)


@pytest.mark.parametrize("more", [("--all-users", "x", "--user", "a"), ("--user", "a"), ("-o", "a.mana"), ()])
def test_it_is_for_one_or_for_everybody(run: CommandLine, tmp_path: Path, more: tuple[str, ...]) -> None:
    assert run("profile", "export", "vivim", "--store", f"master={tmp_path / 'all.sqlite'}", *more).code == 2


def test_a_sealed_archive_tells_nothing_outside(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    done = export(run, crowd, tmp_path / "s.mana", "--seal", "--private")
    assert done.code == 0, done.err
    content = (tmp_path / "s.mana").read_bytes()
    assert b"vivim" not in content
    assert crowd.people[0]["id"].encode() not in content
    assert run("info", str(tmp_path / "s.mana")).code == 0


def test_an_interrupted_or_refused_export_leaves_nothing(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "all.sqlite")) as connection:
        connection.execute("CREATE TABLE payments (id)")
        connection.commit()
    done = export(run, crowd, tmp_path / "a.mana")
    assert done.code == 1
    assert "unknownTable: master.payments" in done.err
    assert "manabackup profile check" in done.err
    assert not list(tmp_path.glob("*.mana*"))


def test_the_database_itself_is_never_replaced(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    before = (tmp_path / "all.sqlite").read_bytes()
    (tmp_path / "link.mana").symlink_to(tmp_path / "all.sqlite")
    for name in ("all.sqlite", "link.mana"):
        done = export(run, crowd, tmp_path / name, "--force")
        assert done.code == 2, done.err
    assert (tmp_path / "all.sqlite").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_while_it_waits_for_the_server_it_leaves_what_was_there(
    run: CommandLine, crowd: Crowd, tmp_path: Path, empty: str, number: signal.Signals
) -> None:
    crowd.fill_postgresql(empty)
    target = tmp_path / "a.mana"
    words = ("profile", "export", "vivim", "--user", crowd.people[0]["id"], "-o", str(target), "--force")
    environ = {"MANABACKUP_DSN": empty}
    assert run(*words, env=environ).code == 0
    before = target.read_bytes()
    with psycopg.connect(empty) as connection:
        connection.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        process = run.start(*words, env=environ)
        with psycopg.connect(empty, autocommit=True) as other:
            waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            while not other.execute(waiting).fetchall():
                assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.glob("*.mana*")] == ["a.mana"]


def test_killed_at_any_moment_it_leaves_the_old_archive_or_the_new_one(
    run: CommandLine, crowd: Crowd, tmp_path: Path
) -> None:
    target = tmp_path / "a.mana"
    assert export(run, crowd, target).code == 0
    before = target.read_bytes()
    store = f"master={tmp_path / 'all.sqlite'}"
    for _ in range(ROUNDS):
        process = run.start(
            *("profile", "export", "vivim", "--store", store, "--user", crowd.people[0]["id"], "-o", str(target)),
            "--force",
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.random() * 2)
        process.kill()
        process.communicate(timeout=PATIENCE)
        if target.read_bytes() != before:
            assert run("verify", str(target)).code == 0
    assert export(run, crowd, target, "--force").code == 0
    assert [path.name for path in tmp_path.glob("*.mana*")] == ["a.mana"]


def test_private_goes_with_seal(run: CommandLine, crowd: Crowd, tmp_path: Path) -> None:
    assert export(run, crowd, tmp_path / "a.mana", "--private").code == 2
