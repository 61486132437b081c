"""The doctor: says something useful in every broken state, writes nothing, and asks nobody."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from manabackup.text import jsontext
from tests.support.homes import PASSPHRASE, Computer
from tests.support.line import Line, Reply
from tests.support.processes import MANABACKUP, CommandLine
from tests.support.schemas import check

ABSENT = "http://127.0.0.1:1"


def doctor(
    computer: CommandLine, *options: str, env: Mapping[str, str] = {}, code: int = 4
) -> dict[str, dict[str, Any]]:
    """What the doctor finds, by what; of several findings of one kind the last."""
    done = computer("--json", "doctor", *options, env=env)
    assert done.code == code, (done.out, done.err)
    assert done.err == ""
    check("doctor", done.record)
    found = done.record["checks"]
    assert all(each["advice"] for each in found if each["level"] in ("broken", "attention")), found
    return {each["id"]: each for each in found}


def levels(found: Mapping[str, Mapping[str, Any]], level: str) -> set[str]:
    return {name for name, each in found.items() if each["level"] == level}


def everything(home: Path) -> dict[str, tuple[int, int, bytes]]:
    """All files and folders, with their modes, times and contents."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in home.rglob("*")
    }


@pytest.fixture
def well(stocked: Computer) -> Computer:
    """A computer on which all is well."""
    done = stocked.export("--seal", "--offline")
    assert done.code == 0, done.err
    return stocked


def mirror(computer: Computer) -> Path:
    (path,) = (computer.state / "mirrors").glob("*.sqlite")
    return path


def session(computer: Computer) -> Path:
    return computer.state / "profiles" / "default" / "session.json"


def test_where_all_is_well_it_says_so_and_writes_nothing(well: Computer) -> None:
    before = everything(well.home)
    for options in ([], ["--thorough"]):
        found = doctor(well, *options, code=0)
        assert levels(found, "broken") == levels(found, "unknown") == set()
        assert levels(found, "attention") <= {"keyring", "pull"}, found
        assert "zero-knowledge" in found["vault"]["found"]
        assert "anna" in found["session"]["found"] or "@" in found["session"]["found"]
    assert everything(well.home) == before
    shown = well("doctor")
    assert (shown.code, shown.err) == (0, "")
    assert re.search(r"^clock         ok: as the server's$", shown.out, re.MULTILINE)
    assert max(map(len, shown.out.splitlines())) < 420


def test_on_a_new_computer_it_says_how_to_begin_and_makes_nothing(box: Any, tmp_path: Path) -> None:
    computer = Computer(tmp_path, box.url)
    found = doctor(computer)
    assert levels(found, "broken") == {"session"}
    assert "manabackup login" in found["session"]["advice"]
    assert not computer.state.exists()


def test_without_a_network_what_this_computer_holds_is_looked_at(well: Computer) -> None:
    found = doctor(well, env={"MANABACKUP_AUTH_URL": ABSENT})
    assert levels(found, "broken") == {"auth"}
    assert "is the network there" in found["auth"]["advice"]
    assert found["session"]["level"] == "unknown"
    assert found["mirror"]["level"] == found["archive"]["level"] == "well"
    assert levels(doctor(well, "--offline", code=0), "broken") == set()


def test_a_session_that_has_ended_is_told(well: Computer, line: Line) -> None:
    def ended(method: str, target: str) -> Reply | None:
        return (401, b"{}") if target == "/api/auth/token" else None

    with line.answering(ended):
        found = doctor(well)
    assert levels(found, "broken") == {"session"}
    assert found["session"]["found"] == "the session has ended"
    assert "manabackup login" in found["session"]["advice"]


@pytest.mark.parametrize("content", ['{"version":2}', "{", ""])
def test_a_session_file_of_a_newer_version_or_a_damaged_one_is_told(well: Computer, content: str) -> None:
    session(well).write_text(content)
    found = doctor(well)
    assert levels(found, "broken") == {"session"}
    assert "damaged, or from a newer version" in found["session"]["found"]


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_is_wrong_is_told(well: Computer, line: Line, minutes: int) -> None:
    there = datetime.now(UTC) - timedelta(minutes=minutes)

    def late(method: str, target: str) -> Reply | None:
        return (200, jsontext.dumps({"timestamp": f"{there:%Y-%m-%dT%H:%M:%SZ}"})) if target == "/health" else None

    with line.answering(late):
        found = doctor(well)
    assert levels(found, "broken") == {"clock"}
    words = "ahead of" if minutes > 0 else "behind"
    assert re.fullmatch(rf"(9|10) minutes {words} the server's", found["clock"]["found"])


def test_a_server_that_fails_is_told(well: Computer, line: Line) -> None:
    def failing(method: str, target: str) -> Reply | None:
        return (503, b"down for the night") if target == "/health" else None

    with line.answering(failing):
        found = doctor(well)
    assert levels(found, "broken") == {"auth", "sync"}
    assert "503 down for the night" in found["sync"]["found"]


def test_a_damaged_mirror_is_told_and_left_as_it_is(well: Computer) -> None:
    path = mirror(well)
    content = bytearray(path.read_bytes())
    page = len(content) // 2 // 4096 * 4096
    content[page : page + 512] = os.urandom(512)
    path.write_bytes(content)
    before = everything(well.home)
    found = doctor(well, "--thorough")
    assert levels(found, "broken") == {"mirror"}
    assert "manabackup pull" in found["mirror"]["advice"]
    path.write_bytes(b"no database at all")
    assert levels(doctor(well), "broken") == {"mirror"}
    path.write_bytes(bytes(content))
    assert {name: each[2] for name, each in everything(well.home).items()} == {
        name: each[2] for name, each in before.items()
    }


def test_a_mirror_of_a_newer_version_is_told(well: Computer) -> None:
    with closing(sqlite3.connect(mirror(well))) as connection:
        connection.execute("PRAGMA user_version = 99")
    found = doctor(well)
    assert "newer version" in found["mirror"]["found"]


def test_what_a_killed_run_left_is_not_opened(well: Computer) -> None:
    path = mirror(well)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE more (x)")
        log = path.with_name(f"{path.name}-wal").read_bytes()
        database = path.read_bytes()
    path.write_bytes(database)
    path.with_name(f"{path.name}-wal").write_bytes(log)
    before = everything(well.home)
    found = doctor(well, code=0)
    assert "a run was cut off" in found["mirror"]["found"]
    assert everything(well.home) == before


def test_the_last_archive_is_looked_for_and_read(well: Computer) -> None:
    content = bytearray(well.archive.read_bytes())
    content[len(content) // 2] ^= 1
    well.archive.write_bytes(content)
    found = doctor(well)
    assert levels(found, "broken") == {"archive"}
    assert "do not rely on it" in found["archive"]["advice"]
    well.archive.unlink()
    found = doctor(well, code=0)
    assert "is gone" in found["archive"]["found"]
    doctor(well, "--strict")


def test_settings_that_make_no_sense_are_told_and_the_rest_is_looked_at(well: Computer) -> None:
    config = well.home / "config.toml"
    config.write_text("[profiles.default]\npassphrase = 'x'\n")
    found = doctor(well, env={"MANABACKUP_CONFIG": str(config)})
    assert found["settings"]["level"] == "broken"
    assert "a secret does not stand in this file" in found["settings"]["found"]
    assert found["program"]["level"] == "well"
    assert found["sync"]["level"] == found["archive"]["level"] == "well"


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"HTTPS_PROXY": "socks5://x"}, "proxy"),
        ({"https_proxy": "http://[::1"}, "proxy"),
        ({"SSL_CERT_FILE": "/nowhere"}, "certificates"),
        ({"SSL_CERT_FILE": "/etc/passwd"}, "certificates"),
        ({"SSL_CERT_FILE": "", "SSL_CERT_DIR": "/nowhere"}, "certificates"),
    ],
)
def test_a_wrong_way_to_the_servers_is_told(well: Computer, variables: Mapping[str, str], what: str) -> None:
    found = doctor(well, env=variables)
    assert levels(found, "broken") == {what}


@pytest.mark.parametrize("home", ["/dev/null", "", None])
def test_it_works_without_a_home(box: Any, tmp_path: Path, home: str | None) -> None:
    computer = CommandLine(tmp_path, MANABACKUP, cold=True).at(box.url)
    del computer.environ["MANABACKUP_STATE_DIR"], computer.environ["HOME"]
    if home is not None:
        computer.environ["HOME"] = home
    found = doctor(computer)
    assert "session" in levels(found, "broken")
    assert found["sync"]["level"] == "well"


def test_files_that_others_can_read_are_told(well: Computer) -> None:
    session(well).chmod(0o644)
    found = doctor(well, code=0)
    assert found["state"]["advice"] == f"`chmod 600 {session(well)}`"
    session(well).chmod(0o600)
    well.state.chmod(0o755)
    assert "chmod 700" in doctor(well, code=0)["state"]["advice"]


def test_it_asks_nobody_and_runs_no_command_of_a_secret(well: Computer, tmp_path: Path) -> None:
    session(well).unlink()
    done = well.at_terminal("doctor", "--token-command", f"touch {tmp_path}/ran", typed=[])
    assert done.code == 4
    assert "password" not in done.err
    assert not (tmp_path / "ran").exists()
    assert PASSPHRASE not in done.out + done.err
