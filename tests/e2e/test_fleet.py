"""``fleet`` as a command: what it says of an archive is what the command alone says, and no secret is left anywhere."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from manabackup.archive.writer import Seal
from manabackup.text import jsontext
from tests.support.archives import ours
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine
from tests.support.schemas import check
from tests.support.webdav import PASSWORD, webdav

PASSPHRASE = "Überraschung für Oma 🔑"
SIZE = int(os.environ.get("MANABACKUP_FLEET_SMALL", "60"))
LARGE = int(os.environ.get("MANABACKUP_FLEET_LARGE", "2"))
"""Small and large archives of the fleet that is killed; 2,000 and 20 say the most."""


def notes(path: Path, count: int = 3, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return ours(path, {"notes": [{"id": f"n{number:07}", "title": "Liebes"} for number in range(count)]}, **options)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A computer whose working folder is the test's."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path)


@pytest.fixture
def variety(tmp_path: Path) -> Path:
    """Archives that end in many ways."""
    folder = tmp_path / "backups"
    notes(folder / "plain.mana")
    notes(folder / "anna" / "sealed.mana", seal=Seal(PASSPHRASE))
    notes(folder / "bert" / "other.mana", seal=Seal("another one, and not known"))
    whole = notes(folder / "cut.mana", 200).read_bytes()
    (folder / "cut.mana").write_bytes(whole[:-80])
    (folder / "none.mana").write_text("Liebes Tagebuch")
    (folder / "empty.mana").touch()
    (folder / "no archive.txt").touch()
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE + "\n", "utf-8")
    secret.chmod(0o600)
    return folder


def items(ledger: Path) -> dict[str, tuple[Any, ...]]:
    """Last part of the name → exit code, error, rows, sum."""
    with sqlite3.connect(ledger) as connection:
        rows = connection.execute("SELECT name, exit_code, error, rows, data_sha256 FROM items").fetchall()
    connection.close()
    return {Path(os.fsdecode(name)).name: tuple(rest) for name, *rest in rows}


@pytest.mark.parametrize("command", ["verify", "roundtrip", "convert", "rekey", "report"])
def test_a_fleet_says_of_each_archive_what_the_command_alone_says(
    here: CommandLine, variety: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "key").write_bytes(bytes(range(32)))
    options = {"convert": ["--to", "csv"], "rekey": ["--to-key-file", "key"]}.get(command, [])
    output = command in ("convert", "rekey", "report")
    alone = {}
    for number, path in enumerate(sorted(variety.rglob("*.mana"))):
        out = ["-o", f"alone-{number}"] if output else []
        done = here(command, str(path), *out, *options, "--passphrase-file", "secret", "--json")
        record = jsontext.parse(done.out.splitlines()[-1]) if done.out else {}
        if "files" in record and isinstance(record["files"], list):
            (record,) = record["files"]
        rows = record.get("rows")
        alone[path.name] = (done.code, rows if type(rows) is int else None, record.get("dataSha256"))
    out = ["-o", "together/{folder}/{stem}"] if output else []
    done = here("fleet", command, "backups", "--ledger", "l", *out, *options, "--passphrase-file", "secret", "--json")
    found = {name: (code, rows, digest) for name, (code, _, rows, digest) in items(tmp_path / "l").items()}
    assert {name: told[0] for name, told in found.items()} == {name: told[0] for name, told in alone.items()}
    for name, (code, rows, digest) in alone.items():
        if code == 0 and rows is not None:
            assert found[name][:2] == (code, rows), name
            assert command == "rekey" or found[name][2] == digest, name
    assert done.code == max(told[0] for told in alone.values())
    assert done.record["items"] == len(alone)
    assert sum(done.record["exitCodes"].values()) == len(alone)
    if output:
        assert (tmp_path / "together" / "anna" / "sealed").exists()


def test_the_worst_is_named_and_everything_is_counted(here: CommandLine, variety: Path) -> None:
    done = here("fleet", "verify", "backups", "--ledger", "l", "--passphrase-file", "secret")
    assert done.code == 15
    assert "6 items; 2 good" in done.out
    assert "error: 4 of 6 items did not pass" in done.err
    status = here("fleet", "status", "l")
    assert status.code == 4
    assert status.out == done.out
    assert here("fleet", "status", "l", "--json").record["exitCode"] == 15
    shutil.rmtree(variety / "bert")
    for name in ("cut", "none", "empty"):
        (variety / f"{name}.mana").unlink()
    done = here("fleet", "verify", "backups", "--ledger", "l", "--passphrase-file", "secret")
    assert (done.code, done.err) == (0, "")
    assert "4 gone" in done.out
    assert "gone since the run before: 4 items\n" in done.out
    assert f"{variety}/cut.mana: was " in done.out
    told = here("fleet", "status", "l", "--json", "--html", "l.html").record
    check("fleet", told)
    gone = [Path(item["name"]).name for item in told["goneItems"]]
    assert (told["goneNow"], gone) == (4, ["other.mana", "cut.mana", "empty.mana", "none.mana"])
    assert "Gone since the run before" in Path("l.html").read_text("utf-8")
    good = variety / "plain.mana"
    good.write_bytes(good.read_bytes()[:-1])
    done = here("fleet", "verify", "backups", "backups/none.mana", "--ledger", "l", "--passphrase-file", "secret")
    assert "plain.mana: was good, now is " in done.out
    assert f"{variety / 'none.mana'}: no such file (10)" in done.out


def test_a_status_as_tables_for_programs_and_as_a_page(here: CommandLine, variety: Path, tmp_path: Path) -> None:
    words = ("fleet", "verify", "backups", "--ledger", "l", "--passphrase-file", "secret", "--json")
    check("fleet", here(*words).record)
    whole = (variety / "cut.mana").read_bytes()
    (variety / "cut.mana").write_bytes((variety / "plain.mana").read_bytes())
    notes(variety / "=1+1.mana")
    found = here(*words).record
    check("fleet", found)
    assert (found["changed"], found["new"]) == (1, 1)
    assert [Path(item["name"]).name for item in found["changes"]] == ["cut.mana"]
    outputs = ("--csv", "a.csv", "--parquet", "a.parquet", "--junit", "a.xml", "--html", "a.html")
    done = here("fleet", "status", "l", *outputs, "--json")
    assert (done.code, done.record) == (4, found)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert Path(rows[0]["name"]).name == "cut.mana"
    assert (rows[0]["exitCode"], rows[0]["exitCodeBefore"], rows[0]["changed"]) == ("0", "15", "true")
    parquet = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["name"] for row in parquet] == [row["name"] for row in rows]
    assert [row["exitCode"] for row in parquet] == [int(row["exitCode"]) for row in rows]
    suite = ET.parse(tmp_path / "a.xml").getroot()
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "7",
        "failures": "2",
        "errors": "1",
    }
    assert {failure.get("type") for failure in suite.iter("failure")} == {"damaged-archive"}
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "cut.mana" in page
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe)|https?:", page)
    told = here("fleet", "status", "l", *outputs)
    assert told.code == 4  # those of an earlier run are replaced
    assert "cut.mana: was damaged, or no archive, now good\n" in told.out
    (tmp_path / "a.csv").write_bytes(whole)
    assert here("fleet", "status", "l", "--csv", "a.csv").code == 17
    assert (tmp_path / "a.csv").read_bytes() == whole


def test_each_archive_may_have_a_passphrase_of_its_own(here: CommandLine, variety: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "other").write_text("another one, and not known")
    (tmp_path / "secrets" / "sealed").write_text(PASSPHRASE, "utf-8")
    for name in ("other", "sealed"):
        (tmp_path / "secrets" / name).chmod(0o600)
    here("fleet", "verify", "backups", "--ledger", "l", "--passphrase-file", "secrets/{stem}")
    assert {name: code for name, (code, *_) in items(tmp_path / "l").items() if code == 0}.keys() == {
        "other.mana",
        "sealed.mana",
        "plain.mana",
    }
    here("fleet", "verify", "backups", "--ledger", "m", "--passphrase-command", "cat secrets/{stem}")
    assert items(tmp_path / "l") == items(tmp_path / "m")


def test_a_command_for_all_is_run_once(here: CommandLine, variety: Path, tmp_path: Path) -> None:
    script = "echo run >> runs; cat secret"
    here("fleet", "verify", "backups", "--ledger", "l", "--passphrase-command", f"sh -c '{script}'")
    assert (tmp_path / "runs").read_text() == "run\n"
    assert items(tmp_path / "l")["sealed.mana"][0] == 0


def test_L5_no_secret_and_no_row_stands_in_the_ledger_or_in_any_argument(
    here: CommandLine, variety: Path, tmp_path: Path
) -> None:
    here("fleet", "verify", "backups", "--ledger", "l", env={"MANABACKUP_PASSPHRASE": PASSPHRASE})
    assert items(tmp_path / "l")["sealed.mana"][0] == 0
    content = (tmp_path / "l").read_bytes()
    for word in (PASSPHRASE.encode(), b"Liebes"):
        assert word not in content
    assert oct((tmp_path / "l").stat().st_mode)[-3:] == "600"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are texts")
def test_names_that_are_no_text_are_names(here: CommandLine, tmp_path: Path) -> None:
    notes(tmp_path / "backups" / os.fsdecode(b"b\xff.mana"))
    notes(tmp_path / "backups" / "-rf ü.mana")
    done = here("fleet", "report", "backups", "--ledger", "l", "-o", "out/{stem}.html", "--json")
    assert done.code == 0, done.err
    assert {os.fsencode(path.name) for path in (tmp_path / "out").iterdir()} == {b"b\xff.html", "-rf ü.html".encode()}
    assert len(items(tmp_path / "l")) == 2


def test_what_is_named_and_not_there_is_counted_and_what_names_nothing_is_an_error(
    here: CommandLine, tmp_path: Path
) -> None:
    notes(tmp_path / "a.mana")
    (tmp_path / "list").write_text("# those of Monday\na.mana\ngone.mana\n")
    done = here("fleet", "verify", "--list", "list", "--ledger", "l", "--json")
    assert done.code == 10
    assert done.record["exitCodes"] == {"0": 1, "10": 1}
    for wrong, code in (
        (["nothing/*.mana"], 10),
        ([], 2),
        (["gopher://example.org/*.mana"], 2),
        (["--list", "none"], 10),
    ):
        assert here("fleet", "verify", *wrong, "--ledger", "m").code == code
    assert here("fleet", "status", "none").code == 10
    assert here("fleet", "convert", "a.mana", "--ledger", "c", "-o", "x", "--to", "nonsense").code == 2
    assert here("fleet", "report", "a.mana", "--ledger", "d", "-o", "-").code == 2
    assert not (tmp_path / "d").exists()


def test_archives_in_a_far_folder_are_items_and_so_are_those_that_are_written_there(
    here: CommandLine, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    (served / "new").mkdir(parents=True)
    for number in range(3):
        notes(served / f"a{number}.mana", number + 1)
    (served / "a3.mana").write_bytes(b"Liebes Tagebuch")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    here.environ["MANABACKUP_DAV_PASSWORD"] = PASSWORD
    with webdav(served) as port:
        folder = f"dav://anna@127.0.0.1:{port}/"
        done = here("fleet", "verify", folder, "--ledger", "l", "--json")
        assert done.record["exitCodes"] == {"0": 3, "15": 1}, done.err
        before = items(tmp_path / "l")
        assert {name: row[2] for name, row in before.items() if row[0] == 0} == {f"a{n}.mana": n + 1 for n in range(3)}
        notes(served / "a1.mana", 7)
        assert here("fleet", "verify", f"{folder}a*.mana", "--ledger", "l", "--json").record["tried"] == 1
        assert items(tmp_path / "l")["a1.mana"][2] == 7
        rekey = ["fleet", "rekey", f"{folder}a[012].mana", "--ledger", "r", "--to-key-file", "key"]
        done = here(*rekey, "-o", f"{folder}new/{{name}}", "--json")
        assert (done.code, done.record["exitCodes"]) == (0, {"0": 3}), done.err
        assert sorted(path.name for path in (served / "new").glob("*.mana")) == ["a0.mana", "a1.mana", "a2.mana"]
        taken = here(*rekey[:-3], "other", "--to-key-file", "key", "-o", f"{folder}new/{{name}}", "--json")
        assert taken.record["exitCodes"] == {"17": 3}, "nothing that lies there is replaced unasked"
    here.environ["MANABACKUP_DAV_PASSWORD"] = "another one"
    with webdav(served) as port:
        folder = f"dav://anna@127.0.0.1:{port}/"
        assert here("fleet", "verify", folder, "--ledger", "m").code == 13
        done = here("fleet", "verify", f"{folder}a0.mana", "--ledger", "m", "--json")
        assert done.record["exitCodes"] == {"13": 1}, "what is named is an item, whatever its place says"


def children(process: int) -> list[int]:
    path = Path("/proc") / str(process) / "task" / str(process) / "children"
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def wait_for(condition: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def done_of(ledger: Path) -> int:
    try:
        with sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM items WHERE done IS NOT NULL").fetchone()[0])
    except sqlite3.Error:
        return 0


def state_of(ledger: Path, state: str) -> int:
    try:
        connection = sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM items WHERE state = ?", (state,)).fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_workers_killed_a_fleet_killed_and_a_poison_archive(here: CommandLine, tmp_path: Path) -> None:
    """The item that kills whoever opens it is bad, and everything else is done once, over three runs."""
    for number in range(SIZE):
        notes(tmp_path / "backups" / f"{number:05}.mana")
    for number in range(LARGE):
        notes(tmp_path / "backups" / f"large-{number:05}.mana", 30_000)
    notes(tmp_path / "backups" / "poison.mana", seal=Seal(PASSPHRASE))
    (tmp_path / "poison.sh").write_text("kill -9 $PPID\n")
    words = ["verify", "backups", "--ledger", "l", "--workers", "2", "--passphrase-command", "sh {stem}.sh", "--quiet"]
    ledger = tmp_path / "l"

    first = here.start("fleet", *words)
    wait_for(lambda: done_of(ledger) >= 5)
    for worker in children(first.pid):
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: done_of(ledger) >= 15 or first.poll() is not None)
    first.kill()  # and the fleet itself
    first.communicate()
    second = here.start("fleet", *words)
    wait_for(lambda: done_of(ledger) >= 25 or second.poll() is not None)
    second.send_signal(signal.SIGTERM)
    _, said = second.communicate(timeout=PATIENCE)
    assert second.returncode in (130, 1), said
    known = done_of(ledger)
    done = here("fleet", *words, "--json")
    found = done.record
    assert done.code == 1
    assert found["states"] == {"waiting": 0, "running": 0, "done": SIZE + LARGE, "failed": 0, "bad": 1}
    assert found["exitCodes"] == {"0": SIZE + LARGE, "1": 1}
    assert found["tried"] <= SIZE + LARGE + 1 - known + 1
    (bad,) = found["failing"]
    assert bad["name"].endswith("poison.mana")
    assert "SIGKILL" in bad["message"]
    again = here("fleet", *words, "--json").record
    assert (again["tried"], again["states"]) == (0, found["states"])


def test_L4_an_interrupt_tells_what_is_left(here: CommandLine, tmp_path: Path) -> None:
    for number in range(4):
        notes(tmp_path / "backups" / f"{number}.mana", seal=Seal(PASSPHRASE))
    words = ["backups", "--ledger", "l", "--passphrase-command", "sleep {stem}000"]
    fleet = here.start("fleet", "verify", *words)
    wait_for(lambda: (tmp_path / "l").exists() and state_of(tmp_path / "l", "running"))
    fleet.send_signal(signal.SIGTERM)
    _, said = fleet.communicate(timeout=PATIENCE)
    assert fleet.returncode == 130
    assert "of 4 items are left; the same command goes on" in said
    assert not state_of(tmp_path / "l", "running")


def test_progress_is_one_line_of_a_terminal(here: CommandLine, tmp_path: Path) -> None:
    for number in range(12):
        notes(tmp_path / "backups" / f"{number:05}.mana")
    (tmp_path / "backups" / "none.mana").write_text("nothing")
    done = here.at_terminal("fleet", "verify", "backups", "--ledger", "l", env={"COLUMNS": "80"})
    assert done.code == 15
    shown = [line for line in done.err.replace("\n", "\r").split("\r") if "/13" in line]
    assert shown
    assert all(len(line) <= 80 for line in shown)
