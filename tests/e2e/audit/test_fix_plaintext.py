"""``audit --fix-plaintext`` as a process of its own: what it encrypts, and what it leaves alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.model.projection import fold
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.homes import Computer, Newcomer, assert_refused, entry, move_in, rows_of
from tests.support.line import Line, Spoiled
from tests.support.patience import PATIENCE

from ..conftest import PLAN
from .audits import JSON, KEY, OTHER_KEY, REGISTRY, THEN, audited, found, note


@pytest.fixture(scope="module")
def own_box(line: Line) -> Iterator[Sandbox]:
    """Servers whose accounts may be changed."""
    with Sandbox(middleware=[line]) as running:
        yield running


def times_of(path: Path) -> dict[tuple[str, str], dict[str, JSON]]:
    """(table, row) → field → when it was last written, as an archive tells it."""
    found = {}
    for table, rows in rows_of(path).items():
        for line in entry(path, f"meta/{table}.jsonl").splitlines() if rows else ():
            meta = jsontext.parse(line)
            names = rows[meta["id"]].keys() | meta["fields"].keys()
            found[table, meta["id"]] = {name: meta["fields"].get(name, meta)["at"] for name in names}
    return found


def test_a_whole_account_is_mended_and_says_the_same_afterwards(own_box: Sandbox, tmp_path: Path) -> None:
    owner = move_in(own_box, PLAN)
    computer = owner.sign_in(Computer(tmp_path, own_box.url))
    before = audited(computer)
    shared = found(before, "plaintextShared")
    assert found(before)["plaintextField"]
    assert computer.export().code == 0
    rows, times = rows_of(computer.archive), times_of(computer.archive)
    record = audited(computer, "--fix-plaintext", "--yes")
    fix = record["fix"]
    assert (fix["verified"], fix["failed"], fix["notFixed"]) == (True, 0, [])
    assert fix["planned"] == fix["updated"] == len({place[:2] for place in found(before)["plaintextField"]})
    assert fix["target"]["userId"] == owner.account.user_id
    assert "plaintextField" not in found(record)
    assert found(record, "plaintextShared") == shared
    assert set(found(record)) == set(found(before)) - {"plaintextField"}
    again = computer.home / "out" / "again.mana"
    assert computer.export(output=again).code == 0
    for table, of_table in rows_of(again).items():
        assert of_table.keys() == rows[table].keys()
        for identifier, values in of_table.items():
            for name in values.keys() | rows[table][identifier].keys():
                assert values.get(name) == rows[table][identifier].get(name), (table, identifier, name)
    assert times_of(again) == times
    count = own_box.log.count()
    assert audited(computer, "--fix-plaintext", "--yes")["fix"] is None
    assert own_box.log.count() == count
    assert not list((computer.state / "restores").iterdir())


def test_R4_nothing_is_sent_before_somebody_said_yes(
    at_home: Computer, newcomer: Newcomer, home: str, box: Sandbox
) -> None:
    note(newcomer, "n", home, title="x")
    count = box.log.count()
    dry = at_home("audit", "--fix-plaintext", "--dry-run")
    assert dry.code == 4
    assert f"target: account {newcomer.id}" in dry.out
    assert FieldCipher(KEY).fingerprint in dry.out
    assert "nothing was sent" in dry.out
    unattended = at_home("audit", "--fix-plaintext")
    assert unattended.code == 2
    assert "--yes" in unattended.err
    refused = at_home.at_terminal("audit", "--fix-plaintext", typed=["no"])
    assert (refused.code, box.log.count()) == (2, count)
    assert f"encrypt 1 row of account {newcomer.id}" in refused.err
    assert FieldCipher(KEY).fingerprint in refused.err
    assert not list((at_home.state / "restores").iterdir())
    agreed = at_home.at_terminal("audit", "--fix-plaintext", typed=["yes"])
    assert agreed.code == 0, agreed.err
    assert "encrypted: 1 row, 0 refused; verified" in agreed.out


def test_a_run_that_is_killed_goes_on_where_it_stopped(
    at_home: Computer, newcomer: Newcomer, home: str, box: Sandbox, line: Line
) -> None:
    for number in range(30):
        times = {"createdAt": THEN} if number % 2 else {}
        data = {"spaceId": home, "title": f"t{number}", **times}
        newcomer.write({"id": f"n{number:02}", "data": data, "spaceId": home})
    kills = 0
    for stored in (0, 1, 7, 40, None):
        process = at_home.start("audit", "--fix-plaintext", "--yes")

        def fault(pushed: Any, process: Any = process, stored: int | None = stored) -> Spoiled:
            process.send_signal(signal.SIGKILL)
            return Spoiled(stored, None)

        line.push_fault = fault
        process.communicate(timeout=PATIENCE)
        kills += process.returncode == -signal.SIGKILL
        line.push_fault = lambda pushed: None
        if kills == 1:
            refused = at_home("audit", "--fix-plaintext", "--yes", "--replace-ai")
            assert_refused(refused, 1, "not finished")
    assert kills >= 4
    record = audited(at_home, "--fix-plaintext", "--yes", code=0)
    assert record["fix"] is None or record["fix"]["verified"] is True
    cipher = FieldCipher(KEY)
    for number in range(30):
        changes = [
            change
            for row in box.log.pull("notes", "notes", Asked(newcomer.id, frozenset(), "?", -1, 10**6))
            if (change := jsontext.parse(row.wire()))["id"] == f"n{number:02}"
        ]
        wanted = "insert update" if number % 2 else "insert insert"
        assert " ".join(change["op"] for change in changes) == wanted
        assert cipher.decrypt(fold(REGISTRY.by_name["notes"], changes).values["title"]) == f'"t{number}"'.encode()


def test_a_row_that_the_server_refuses_is_reported_and_the_others_go_on(
    at_home: Computer, newcomer: Newcomer, home: str, line: Line
) -> None:
    note(newcomer, "bad", home, title="x")
    note(newcomer, "good", home, title="x")

    def fault(pushed: Any) -> Spoiled | None:
        return Spoiled(0, 400, "no") if any(change["id"] == "bad" for change in pushed.changes) else None

    line.push_fault = fault
    record = audited(at_home, "--fix-plaintext", "--yes")
    assert (record["fix"]["updated"], record["fix"]["failed"]) == (1, 1)
    assert [case["id"] for case in record["fix"]["notFixed"]] == ["bad"]
    assert found(record) == {"plaintextField": [("notes", "bad", "title")]}


def test_a_key_that_is_not_the_accounts_encrypts_nothing(
    at_home: Computer, newcomer: Newcomer, home: str, box: Sandbox, tmp_path: Path
) -> None:
    note(newcomer, "open", home, title="x")
    note(newcomer, "sealed", home, title=newcomer.sealed("x"))
    key = tmp_path / "key"
    key.write_bytes(OTHER_KEY)
    key.chmod(0o600)
    count = box.log.count()
    arguments = ("audit", "--fix-plaintext", "--yes", "--key-file", str(key))
    assert_refused(at_home(*arguments), 12, "nothing shows")
    assert box.log.count() == count
    key.write_bytes(KEY)
    assert at_home(*arguments, "--accept-new-key").code == 0
    assert box.log.count() > count


def test_S7_nothing_is_encrypted_under_a_key_that_the_server_gives_out_in_place_of_the_owners(
    newcomer: Newcomer, box: Sandbox, tmp_path: Path
) -> None:
    note(newcomer, "n", title="x")
    box.accounts.set_vault(newcomer.id, "standard", OTHER_KEY)
    fresh = newcomer.sign_in(Computer(tmp_path, box.url))  # knows no key from before
    count = box.log.count()
    done = fresh("audit", "--fix-plaintext", "--yes")
    assert (done.code, box.log.count()) == (12, count)
    assert "--accept-new-key" in done.err


def test_two_runs_do_not_share_a_state_folder(at_home: Computer, newcomer: Newcomer, line: Line) -> None:
    note(newcomer, "n", title="x")
    with line.holding("/sync/notes") as hold:
        first = at_home.start("audit", "--fix-plaintext", "--yes")
        hold.wait()
        second = at_home("audit")
        hold.release()
    assert second.code == 11, second.err
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
