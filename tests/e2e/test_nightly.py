"""Backups that are made by themselves, and what is done with them afterwards: whole commands."""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path

import pytest

from manabackup.text import jsontext
from tests.support.homes import PASSPHRASE, Computer
from tests.support.schemas import check


@pytest.fixture
def backups(stocked: Computer) -> Path:
    folder = stocked.home / "back ups"
    folder.mkdir()
    return folder


def secret_file(computer: Computer) -> Path:
    path = computer.home / "recovery code"
    path.write_text(computer.environ.pop("MANABACKUP_RECOVERY_CODE"))
    path.chmod(0o600)
    return path


def test_a_schedule_is_installed_runs_and_goes_again(stocked: Computer, backups: Path) -> None:
    code = secret_file(stocked)
    passphrase = stocked.environ["MANABACKUP_PASSPHRASE"]
    options = ["--at", "3:17", "--with", "none", "--keep-last", "1", "--yes", "--no-notification"]
    output = os.path.relpath(backups / "mana-{date}.mana")
    command = ["export", "--offline", "--seal", "-o", output, "--recovery-code-file", os.path.relpath(code)]
    done = stocked("--json", "schedule", "install", *options, "--", *command)
    assert done.code == 0, done.err
    check("schedule-install", done.record)
    assert "let something start this every hour" in done.err
    folder = stocked.state / "schedules" / "backup"
    kept = {path.name: path for path in folder.iterdir()}
    assert set(kept) == {"passphrase", "schedule.json"}
    assert kept["passphrase"].read_text() == passphrase
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept.values())
    schedule = kept["schedule.json"].read_text()
    kind, place = jsontext.parse(schedule)["secrets"]["recovery-code"]
    assert (kind, Path(place).is_absolute(), Path(place).resolve()) == ("file", True, code.resolve())
    assert '"MANABACKUP_CREDITS_URL":' in schedule, "a timer has none of this shell's settings"
    assert passphrase not in schedule + done.out
    assert code.read_text() not in schedule + done.out
    # Without this shell's variables, as a timer starts it.
    for name in ("MANABACKUP_PASSPHRASE", "MANABACKUP_STATE_DIR", "MANABACKUP_AUTH_URL", "MANABACKUP_SYNC_URL"):
        stocked.environ.pop(name, None)
    state = ["--state-dir", str(stocked.state)]
    assert stocked(*state, "schedule", "run", "--if-due").out == "", "its hour has not come"
    names = []
    for _ in range(2):
        done = stocked(*state, "--json", "schedule", "run", "backup")
        assert done.code == 0, done.err
        check("schedule-run", done.record)
        names.append(Path(done.record["archive"]).name)
    assert done.record["removed"] == 1
    assert re.fullmatch(r"mana-\d{4}-\d\d-\d\d-2\.mana", names[1])
    assert [path.name for path in backups.iterdir()] == [names[1]]
    done = stocked(*state, "--json", "schedule", "status")
    assert done.code == 0, done.out
    check("schedule-status", done.record)
    shown = stocked(*state, "schedule", "status").out
    assert "every day at 03:17, by none" in shown
    assert ", verified" in shown
    assert "schedule `backup` runs next at" in stocked(*state, "doctor", "--offline").out
    check("schedule-remove", stocked(*state, "--json", "schedule", "remove").record)
    assert not folder.exists()
    assert stocked(*state, "schedule", "remove").code == 10
    assert len(list(backups.iterdir())) == 1


def test_a_run_that_fails_ends_as_its_command_did_and_is_told(stocked: Computer, backups: Path) -> None:
    code = secret_file(stocked)
    told = stocked.home / "told"
    tell = stocked.home / "tell"
    tell.write_text(f"#!/bin/sh\ncat > {shlex.quote(str(told))}\n")
    tell.chmod(0o700)
    options = ["--with", "none", "--yes", "--on-failure", shlex.quote(str(tell)), "--no-notification"]
    command = ["manabackup", "export", "--offline", "-o", f"{backups}/{{date}}.mana", "--recovery-code-file", str(code)]
    assert stocked("schedule", "install", *options, "--", *command).code == 0
    code.unlink()
    done = stocked("schedule", "run")
    assert done.code == 10
    hint = "hint: `manabackup help errors/not-found` explains it"
    assert done.err.splitlines() == [f"error: export: {code} does not exist", hint]
    assert "FAILED at export" in done.out
    assert told.read_text() == f"the backup `backup` failed at export, exit code 10: {code} does not exist\n"
    assert list(backups.iterdir()) == []
    assert stocked("schedule", "status").code == 4
    looked = stocked("doctor", "--offline")
    assert (looked.code, f"{code} does not exist, which holds the recovery-code" in " ".join(looked.out.split())) == (
        4,
        True,
    )
    code.write_text("0" * 64)
    assert "its last run failed" in " ".join(stocked("doctor", "--offline").out.split())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["export", "-o", "x.mana"], 2, "the second run would find the first one's archive in its place"),
        (["export", "-o", "-"], 2, "nobody reads the standard output"),
        (["export"], 2, "missing option '-o'"),
        (["export", "--from-database", "--all-users", "all"], 2, "what reads databases cannot be scheduled here"),
        (["export", "-o", "{date}.mana", "--nonsense"], 2, "no such option '--nonsense'"),
        (["export", "-o", "nowhere/{date}.mana"], 10, "nowhere does not exist"),
        (["restore", "x.mana"], 2, "restore cannot be scheduled"),
    ],
)
def test_what_could_not_run_every_night_is_not_installed(
    stocked: Computer, words: list[str], code: int, told: str
) -> None:
    done = stocked("schedule", "install", "--with", "none", "--yes", "--", *words)
    assert done.code == code
    assert told in done.err
    assert not (stocked.state / "schedules").exists()


def test_a_forgotten_dash_is_told(stocked: Computer) -> None:
    done = stocked("schedule", "install", "export", "--seal", "-o", "x-{date}.mana")
    assert (done.code, "behind --" in done.err) == (2, True)


def test_it_is_shown_first_and_installed_after_a_yes(stocked: Computer, backups: Path) -> None:
    command = ["schedule", "install", "--with", "none", "--", "export", "--seal", "-o", f"{backups}/{{date}}.mana"]
    done = stocked(*command)
    assert (done.code, "nobody is there to confirm it" in done.err) == (2, True)
    done = stocked.at_terminal(*command, typed=["no"])
    assert done.code == 2
    assert done.out.startswith("export --output ")
    assert not (stocked.state / "schedules" / "backup" / "schedule.json").exists()
    assert stocked.at_terminal(*command, typed=["yes"]).code == 0
    assert (stocked.state / "schedules" / "backup" / "schedule.json").exists()


def test_old_archives_go_after_a_yes(stocked: Computer, backups: Path) -> None:
    names = ["a.mana", "b.mana", "c.mana"]
    for number, name in enumerate(names):
        epoch = {"SOURCE_DATE_EPOCH": str(1_790_000_000 + number * 86_400)}
        assert stocked("export", "--offline", "-q", "-o", str(backups / name), env=epoch).code == 0
    (backups / "letter.mana").write_text("Dear Anna")
    done = stocked("prune", str(backups), "--keep-daily", "1")
    assert done.code == 2
    assert "hint: --yes removes what is marked so, --dry-run only shows it" in done.err
    assert re.search(r"^  remove  a\.mana ", done.out, re.MULTILINE)
    assert re.search(r"^  leave   letter\.mana .*no archive", done.out, re.MULTILINE)
    (backups / "letter.mana").write_text("")
    assert stocked("prune", str(backups), "--keep-daily", "1", "--dry-run").code == 15
    (backups / "letter.mana").unlink()
    done = stocked("prune", str(backups / "a.mana"), "--keep-daily", "1")
    assert (done.code, "is a file" in done.err) == (2, True)
    assert stocked("prune", str(backups), "--keep-daily", "1", "--dry-run", "--yes").code == 0
    assert stocked.at_terminal("prune", str(backups), "--keep-daily", "1", typed=["no"]).code == 2
    assert len(list(backups.iterdir())) == 3
    done = stocked.at_terminal("prune", str(backups), "--keep-daily", "2", typed=["yes"])
    assert (done.code, done.out.splitlines()[-1].startswith("removed: 1 archive, ")) == (0, True)
    done = stocked("--json", "prune", str(backups), "--keep-last", "1", "--yes")
    check("prune", done.record)
    assert done.record["removed"] == [str(backups / "b.mana")]
    assert [path.name for path in backups.iterdir()] == ["c.mana"]
    assert stocked("prune", str(backups), "--keep-daily", "some").code == 2
    assert stocked("prune", str(backups)).code == 2


def test_rows_are_found_and_printed_one_by_one(stocked: Computer) -> None:
    assert stocked.export("--offline", "--seal").code == 0
    done = stocked("--json", "find", str(stocked.archive), "a")
    assert done.code == 0, done.err
    hits = [line for line in done.out.splitlines() if line]
    assert f"found: {len(hits):,} row" in done.err
    hit = jsontext.parse(hits[0].encode())
    check("find", hit)
    row = stocked("cat", str(stocked.archive), hit["table"], "--id", hit["id"], "--pretty")
    assert row.out.startswith(f'{{\n  "id": "{hit["id"]}",\n')
    line = stocked("cat", str(stocked.archive), hit["table"], "--id", hit["id"]).out
    assert jsontext.parse(line.encode()) == jsontext.parse(row.out.encode())
    assert stocked("cat", str(stocked.archive), hit["table"], "--id", "nobody").code == 10
    assert PASSPHRASE not in done.out + done.err


def test_info_is_short_and_tells_the_rest_on_demand(stocked: Computer) -> None:
    assert stocked.export("--offline").code == 0
    short = stocked("info", str(stocked.archive), env={"LC_ALL": "C.UTF-8"}).out
    whole = stocked("info", "--all", str(stocked.archive), env={"LC_ALL": "de_DE.UTF-8"}).out
    tables = stocked("--json", "info", str(stocked.archive)).record["rowCounts"]
    assert re.search(r"^ +tasks +\d+  Tasks$", short, re.MULTILINE)
    assert re.search(r"^ +tasks +\d+  Aufgaben$", whole, re.MULTILINE)
    assert all(re.search(rf"^ +{re.escape(name)}  ", whole, re.MULTILINE) for name in tables)
    assert "that serve these (--all shows them)" in short
    assert not re.search(r"^ +\w+ +0  ", short, re.MULTILINE)
    hidden = re.search(r"^and ([\d,]+) rows? in", short, re.MULTILINE)
    assert hidden is not None
    groups = short.split(":\n", 1)[1]
    counts = re.findall(r"^ +[\w.]+ +([\d,]+)(?:  |$)", groups, re.MULTILINE)
    shown = sum(int(count.replace(",", "")) for count in counts)
    assert shown + int(hidden[1].replace(",", "")) == sum(tables.values())
