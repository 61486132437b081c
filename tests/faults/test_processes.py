"""Whole commands as processes on a bad line: one line of words, the exit code, and the old state whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.sandbox import Asked, Sandbox
from tests.support.homes import Computer, Newcomer, assert_refused, rows_of
from tests.support.line import Line, Script

from .catalogue import FAULTS

PASSWORD = "Straße-nach-Süden-7"
REDIRECT = "307 to 'https://evil.invalid/sync'"


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def box(line: Line) -> Iterator[Sandbox]:
    with Sandbox(middleware=[line]) as running:
        yield running


@pytest.fixture(scope="module")
def somebody(box: Sandbox) -> Newcomer:
    """An account of two notes."""
    newcomer = Newcomer(box, uuid4().hex)
    for name in ("a", "b"):
        newcomer.write({"id": name, "data": {"title": newcomer.sealed(name), "createdAt": "2026-01-01T00:00:00Z"}})
    return newcomer


def signed_in(somebody: Newcomer, box: Sandbox, home: Path) -> Computer:
    computer = Computer(home, box.url)
    computer.environ |= {"MANABACKUP_RECOVERY_CODE": somebody.recovery_code, "MANABACKUP_PASSWORD": PASSWORD}
    computer.environ["MANABACKUP_EMAIL"] = f"{somebody.name}@example.org"
    assert computer("login").code == 0
    return computer


@pytest.fixture(scope="module")
def exported(somebody: Newcomer, box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer to copy the state of: signed in, pulled, and with an archive."""
    computer = signed_in(somebody, box, tmp_path_factory.mktemp("exported"))
    assert computer.export().code == 0
    return computer


@pytest.fixture
def here(exported: Computer, box: Sandbox, tmp_path: Path) -> Computer:
    computer = Computer(tmp_path, box.url).with_state_of(exported)
    computer.environ |= {name: text for name, text in exported.environ.items() if name.startswith("MANABACKUP_R")}
    computer.archive.parent.mkdir()
    computer.archive.write_bytes(exported.archive.read_bytes())
    return computer


@pytest.mark.parametrize(
    ("path", "name", "code"),
    [
        ("/sync/notes/pull", "402", 16),
        ("/sync/notes/pull", REDIRECT, 14),
        ("/sync/", "nested 100,000 deep", 14),
        ("/sync/", "403", 13),
        (".*/encryption-vault/key", "half of it", 14),
        ("/api/auth/token", "HTML", 14),
    ],
)
def test_S1_S8_S9_an_export_that_fails_leaves_the_old_archive_and_the_next_one_is_whole(
    here: Computer, line: Line, path: str, name: str, code: int
) -> None:
    before, session = here.archive.read_bytes(), (here.state / "profiles/default/session.json").read_bytes()
    with line.under(Script(FAULTS[name].act, path=path)):
        assert_refused(here.export("--force"), code)
    assert here.archive.read_bytes() == before
    assert [file.name for file in here.archive.parent.iterdir()] == [here.archive.name]
    assert (here.state / "profiles/default/session.json").read_bytes() == session
    assert here.export("--force").code == 0
    assert {record: row["title"] for record, row in rows_of(here.archive)["notes"].items()} == {"a": "a", "b": "b"}


@pytest.mark.parametrize("name", [REDIRECT, "HTML", "403"])
def test_S1_S8_S9_a_sign_in_that_fails_keeps_nothing_and_one_anew_keeps_the_old_session(
    here: Computer, exported: Computer, line: Line, name: str
) -> None:
    here.environ |= {key: exported.environ[key] for key in ("MANABACKUP_EMAIL", "MANABACKUP_PASSWORD")}
    path = here.state / "profiles/default/session.json"
    session = path.read_bytes()
    with line.under(Script(FAULTS[name].act, path="/api/auth/sign-in")):
        assert_refused(here("login", "--force"), 13 if name == "403" else 14)
    assert path.read_bytes() == session
    assert here("status").code == 0


def test_S8_a_sign_out_that_fails_is_told_and_the_session_is_forgotten(here: Computer, line: Line) -> None:
    with line.under(Script(FAULTS[REDIRECT].act, path="/api/auth/sign-out")):
        assert_refused(here("logout"), 14, "not told")
    assert_refused(here("pull"), 13)


@pytest.mark.parametrize("path", ["/health", ".*/encryption-vault/status"])
def test_S8_a_status_that_cannot_be_had_is_told_beside_what_is_known(here: Computer, line: Line, path: str) -> None:
    with line.under(Script(FAULTS[REDIRECT].act, path=path)):
        done = here("status", "--json")
    assert done.code == 14
    assert done.record["mirror"]["changes"] > 0
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(("method", "first", "name", "code"), [("GET", 2, REDIRECT, 14), ("POST", 1, "402", 16)])
def test_R2_S9_a_restore_that_fails_goes_on_when_the_command_is_given_again(
    here: Computer, line: Line, box: Sandbox, method: str, first: int, name: str, code: int
) -> None:
    other = Newcomer(box, uuid4().hex, bytes(32))
    command = [
        "restore",
        str(here.archive),
        "--table",
        "notes",
        "--yes",
        "--json",
        "--personal-space",
        "home",
        "--yes-space",
    ]
    here.environ |= {"MANABACKUP_TO_TOKEN": box.accounts.issue_token(other.id)}
    here.environ |= {"MANABACKUP_TO_RECOVERY_CODE": other.recovery_code}
    with line.under(Script(FAULTS[name].act, method=method, path="/sync/", first=first)):
        done = here(*command)
    assert (done.code, done.out) == (code, "")
    assert [text.startswith("error: ") for text in done.err.splitlines()].count(True) == 1
    assert here(*command).record["verified"] is True
    rows = box.log.pull("notes", "notes", Asked(other.id, [], "?", -1, 100))
    assert len(rows) == 2
