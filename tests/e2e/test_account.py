"""Who asks, over the whole of a run: sessions and tokens that end, are refused, or belong to somebody else."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.sandbox import Sandbox
from tests.support import schemas
from tests.support.homes import Computer, Newcomer, Owner, assert_refused, filled, rows_of
from tests.support.line import Line


def test_from_sign_in_to_sign_out(owner: Owner, box: Sandbox, tmp_path: Path) -> None:
    computer = owner.sign_in(Computer(tmp_path, box.url))
    assert computer.export().code == 0
    assert filled(rows_of(computer.archive)) == owner.live
    assert computer("logout").code == 0
    before = computer.archive.read_bytes()
    for arguments in (["pull"], ["export", "-o", str(computer.archive), "--force"], ["status"]):
        done = computer(*arguments)
        assert (done.code, "manabackup login" in done.err) == (13, True)
    assert computer.archive.read_bytes() == before


def test_a_session_that_ended_elsewhere_is_13_and_what_is_held_can_still_be_exported(
    owner: Owner, box: Sandbox, tmp_path: Path
) -> None:
    computer = owner.sign_in(Computer(tmp_path, box.url))
    assert computer.export().code == 0
    other = Computer(tmp_path / "other", box.url).with_state_of(computer)
    assert other("logout").code == 0
    assert_refused(computer.export("--force"), 13, "the session has ended")
    assert computer.export("--offline", "--force").code == 0


@pytest.mark.parametrize("way", ["file", "command", "variable"])
def test_a_token_stands_in_for_a_login(newcomer: Newcomer, theirs: Computer, way: str) -> None:
    newcomer.write({"id": "n1", "data": {"title": newcomer.sealed("x")}})
    token = theirs.environ.pop("MANABACKUP_TOKEN")
    file = theirs.home / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    given: dict[str, tuple[list[str], dict[str, str]]] = {
        "file": (["--token-file", str(file)], {}),
        "command": (["--token-command", f"cat {file}"], {}),
        "variable": ([], {"MANABACKUP_TOKEN": token}),
    }
    arguments, env = given[way]
    assert theirs.export(*arguments, env=env).code == 0
    assert rows_of(theirs.archive)["notes"]["n1"]["title"] == "x"
    assert not list(theirs.state.rglob("session.json"))


def test_a_token_that_the_owner_hands_over_lets_somebody_else_act(owner: Owner, box: Sandbox, tmp_path: Path) -> None:
    computer = owner.sign_in(Computer(tmp_path / "mine", box.url))
    done = computer("token", "--json")
    schemas.check("token", done.record)
    told = computer("token")
    assert (told.code, told.out.count(".")) == (0, 2)
    assert told.out.strip() not in told.err
    assert f"--personal-space {done.record['personalSpace']}" in " ".join(told.err.split())
    theirs = Computer(tmp_path / "theirs", box.url)
    assert theirs("pull", env={"MANABACKUP_TOKEN": told.out.strip()}).code == 0
    assert_refused(theirs("token"), 13, "not signed in")


def test_a_token_goes_before_a_session_and_mirrors_are_kept_apart(
    stocked: Computer, owner: Owner, newcomer: Newcomer, box: Sandbox
) -> None:
    newcomer.write({"id": "theirs", "data": {"title": newcomer.sealed("x")}})
    env = {
        "MANABACKUP_TOKEN": box.accounts.issue_token(newcomer.id),
        "MANABACKUP_RECOVERY_CODE": newcomer.recovery_code,
    }
    assert stocked.export(env=env).code == 0
    assert rows_of(stocked.archive)["notes"].keys() == {"theirs"}
    assert stocked.export("--offline", "--force").code == 0
    assert filled(rows_of(stocked.archive)) == owner.live
    assert len(list((stocked.state / "mirrors").glob("*.sqlite"))) == 2


def test_an_expired_token_is_13_and_leaves_nothing(newcomer: Newcomer, theirs: Computer, box: Sandbox) -> None:
    expired = box.accounts.issue_token(newcomer.id, lifetime=-10)
    for command in (["pull"], ["export", "-o", str(theirs.home / "a.mana")]):
        done = theirs(*command, env={"MANABACKUP_TOKEN": expired})
        assert_refused(done, 13, "has expired")
        assert expired not in done.err
    assert not (theirs.home / "a.mana").exists()


def test_a_command_is_asked_again_when_its_token_is_refused(newcomer: Newcomer, theirs: Computer, box: Sandbox) -> None:
    newcomer.write({"id": "n1", "data": {"title": newcomer.sealed("x")}})
    theirs.environ.pop("MANABACKUP_TOKEN")
    script = theirs.home / "token.sh"
    stale, fresh = (box.accounts.issue_token(newcomer.id, lifetime=lifetime) for lifetime in (-10, 900))
    script.write_text(
        f"if [ -e {theirs.home}/asked ]; then echo {fresh}; else touch {theirs.home}/asked; echo {stale}; fi"
    )
    assert theirs.export("--token-command", f"sh {script}").code == 0
    assert "n1" in rows_of(theirs.archive)["notes"]


def test_S9_a_token_that_is_refused_in_the_middle_is_renewed_by_the_session(
    here: Computer, owner: Owner, line: Line
) -> None:
    refused = {"/sync/notes", "/sync/todo", "/api/v1/me/data/export"}
    seen = len(line.asked)

    def reply(method: str, target: str) -> tuple[int, bytes] | None:
        if target in refused:
            refused.discard(target)
            return 401, b"unauthorized: token is expired"
        return None

    with line.answering(reply):
        assert here.export().code == 0
    assert not refused
    assert filled(rows_of(here.archive)) == owner.live
    asked = [target for _, target in line.asked[seen:] if target == "/api/auth/token"]
    assert 2 <= len(asked) <= 4


def test_S9_servers_that_cannot_check_tokens_for_a_moment_are_waited_for(
    newcomer: Newcomer, theirs: Computer, line: Line
) -> None:
    newcomer.write({"id": "n1", "data": {"title": newcomer.sealed("x")}})
    outage = ["unauthorized: fetch JWKS: connection refused"]

    def reply(method: str, target: str) -> tuple[int, bytes] | None:
        return (401, outage.pop().encode()) if target.startswith("/sync/") and outage else None

    with line.answering(reply):
        assert theirs.export().code == 0
    assert not outage
    assert "n1" in rows_of(theirs.archive)["notes"]


def test_S8_a_token_is_sent_to_the_two_servers_that_were_named_and_to_no_other(
    newcomer: Newcomer, theirs: Computer, box: Sandbox, line: Line
) -> None:
    elsewhere = Line()
    with Sandbox(middleware=[elsewhere]) as other:

        def reply(method: str, target: str) -> tuple[int, bytes, dict[str, str]] | None:
            return (307, b"", {"Location": other.url + target}) if target.startswith("/sync/") else None

        with line.answering(reply):
            assert_refused(theirs.export(), 14, "redirects to 127.0.0.1")
    assert elsewhere.requests == []


def test_a_sign_in_with_a_name_that_nobody_has_or_a_wrong_password_looks_the_same(
    owner: Owner, box: Sandbox, tmp_path: Path
) -> None:
    computer = Computer(tmp_path, box.url)
    said = set()
    for email, password in ((owner.account.email, "wrong-password"), (f"{uuid4().hex}@example.org", "wrong-password")):
        done = computer("login", "--email", email, env={"MANABACKUP_PASSWORD": password})
        assert_refused(done, 13)
        said.add(done.err)
    assert len(said) == 1
