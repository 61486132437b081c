"""``audit`` as a process of its own: what is found, what it ends with, and what --fix-plaintext does about it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.formats.sarif import check_sarif
from tests.support.homes import Computer, Newcomer, Owner, assert_refused, on_a_screen, rows_of
from tests.support.line import Line

from .audits import KEY, OTHER_KEY, THEN, audited, found, note, update

# --- what is found ----------------------------------------------------------------------------------------------------


def test_an_account_with_oddities_is_told_what_is_wrong_with_it(owner: Owner, stocked: Computer) -> None:
    record = audited(stocked)
    assert record["vault"] == {"mode": "zero-knowledge", "recoveryCode": True}
    named = found(record, "plaintextField", "plaintextShared", "foreignCiphertext", "unknownCollection")
    present = [owner.truth.rows, owner.truth.tombstones]
    clear = {place for place in owner.truth.plaintext if any(place[1] in rows.get(place[0], {}) for rows in present)}
    assert {*named["plaintextField"], *named["plaintextShared"]} == clear
    assert owner.truth.foreign <= {*named["foreignCiphertext"]}
    assert named["unknownCollection"] == [("news.savedArticles",)]
    assert "nonceReused" not in found(record)
    assert "ciphertextRepeated" not in found(record)
    assert record["fix"] is None


def test_people_see_the_gravest_first_what_it_means_and_what_to_do(stocked: Computer) -> None:
    done = stocked("audit")
    assert done.code == 4
    lines = done.out.splitlines()
    assert lines[0].startswith("error: plaintextField: ")
    heads = [line.split(":")[0] for line in lines if not line.startswith(" ")]
    assert heads[:-1] == sorted(heads[:-1], key=["error", "warning", "note"].index)
    assert "  What to do: `manabackup audit --fix-plaintext`" in done.out
    assert lines[-1].startswith("audited ")
    more = stocked("audit", "-v")
    assert len(more.out.splitlines()) > len(lines)


def test_a_sound_account_ends_with_0_and_with_strict_mere_notes_end_with_4(
    at_home: Computer, newcomer: Newcomer, home: str
) -> None:
    note(newcomer, "n", home, title=newcomer.sealed("x"))
    record = audited(at_home, "--strict", code=0)
    assert (record["clean"], record["errors"], record["warnings"], record["notes"]) == (True, 0, 0, 0)
    note(newcomer, "m", home, title="x")
    assert audited(at_home, "--fix-plaintext", "--yes", code=0)["notes"] == 1  # the log keeps what stood in clear
    audited(at_home, code=0)
    audited(at_home, "--strict", code=4)


def test_S5_a_collection_that_nobody_knows_is_found_exported_and_reported(
    at_home: Computer, newcomer: Newcomer
) -> None:
    newcomer.write(
        {"table": "novelties", "id": "x", "data": {"a": 1, "secret": newcomer.sealed("geheim")}},
        "todo",
        created_at_us=None,
    )
    assert found(audited(at_home, code=0), "unknownCollection") == {"unknownCollection": [("todo.novelties",)]}
    done = at_home.export()
    assert done.record["completeness"]["notices"]["unknownCollection"] == 1
    assert rows_of(at_home.archive)["todo.novelties"] == {"x": {"a": 1, "secret": "geheim"}}


def test_S6_ciphertext_moved_replayed_or_replaced_by_plaintext_is_reported(
    at_home: Computer, newcomer: Newcomer, home: str
) -> None:
    a, b, c, d = (newcomer.sealed(text) for text in "abcd")
    note(newcomer, "moved-from", home, title=a)
    note(newcomer, "moved-to", home, title=a)
    note(newcomer, "replayed", home, title=b)
    update(newcomer, "replayed", "2026-01-03T00:00:00.000Z", title=c)
    update(newcomer, "replayed", "2026-01-04T00:00:00.000Z", title=b)
    note(newcomer, "replaced", home, title=d)
    update(newcomer, "replaced", "2026-01-03T00:00:00.000Z", title="untergeschoben")
    record = audited(at_home)
    assert {kind: sorted(places) for kind, places in found(record).items()} == {
        "plaintextField": [("notes", "replaced", "title")],
        "ciphertextRepeated": [("notes", "moved-from", "title"), ("notes", "moved-to", "title")],
        "ciphertextReplayed": [("notes", "replayed", "title")],
    }
    (clear,) = [finding for finding in record["findings"] if finding["id"] == "plaintextField"]
    assert clear["cases"][0]["reason"] == "replacedCiphertext"
    assert "untergeschoben" not in jsontext.dumps(record).decode()


def test_S7_another_key_than_before_stops_the_audit_until_it_is_accepted(
    at_home: Computer, newcomer: Newcomer, box: Sandbox, home: str
) -> None:
    note(newcomer, "n", home, title=newcomer.sealed("x"))
    audited(at_home, code=0)
    code = box.accounts.set_vault(newcomer.id, "zero-knowledge", OTHER_KEY)
    at_home.environ["MANABACKUP_RECOVERY_CODE"] = str(code)
    assert_refused(at_home("audit"), 12, "another one than before")
    record = audited(at_home, "--accept-new-key")
    assert ("notes", "n", "title") in found(record)["undecryptable"]


def test_S10_times_years_ahead_are_reported_and_the_fold_takes_them_as_every_client_does(
    at_home: Computer, newcomer: Newcomer, home: str
) -> None:
    note(newcomer, "n", home, color="rot")
    update(newcomer, "n", "2031-01-01T00:00:00Z", color="blau")
    update(newcomer, "n", "2026-05-01T00:00:00+02:00", color="gruen")
    assert found(audited(at_home)) == {"futureTime": [("notes", "n")]}
    assert at_home.export().code == 0
    assert rows_of(at_home.archive)["notes"]["n"]["color"] == "blau"


def test_S12_a_history_that_was_rewritten_is_reported_and_what_was_held_stays(
    at_home: Computer, newcomer: Newcomer, box: Sandbox, home: str
) -> None:
    gone = note(newcomer, "gone", home, title=newcomer.sealed("weg"))
    changed = note(newcomer, "changed", home, color="rot")
    audited(at_home, code=0)
    box.log.forget(gone)
    box.log.forget(changed)
    forged = {"table": "notes", "id": "changed", "op": "insert", "data": {"createdAt": THEN, "color": "gefälscht"}}
    box.log.append(newcomer.id, "laptop", "notes", forged, event_id=changed)
    record = audited(at_home, "--full")
    events = {
        finding["id"]: [case["event"] for case in finding["cases"]]
        for finding in record["findings"]
        if finding["id"].startswith("event")
    }
    assert events == {"eventChanged": [changed], "eventGone": [gone]}
    assert at_home.export("--offline").code == 0
    notes = rows_of(at_home.archive)["notes"]
    assert (notes["gone"]["title"], notes["changed"]["color"]) == ("weg", "rot")


@pytest.mark.parametrize(
    ("vault", "kinds"),
    [("standard", {"standardVault", "noRecoveryCode"}), (None, {"noVault"})],
)
def test_a_vault_that_the_server_opens_and_one_that_does_not_exist_are_reported(
    box: Sandbox, tmp_path: Path, vault: Any, kinds: set[str]
) -> None:
    somebody = Newcomer(box, uuid4().hex, vault=False, bootstrap=False)
    if vault is not None:
        box.accounts.set_vault(somebody.id, vault, KEY)
    computer = somebody.sign_in(Computer(tmp_path, box.url))
    assert set(found(audited(computer))) == kinds
    assert set(found(audited(computer, "--no-key"))) == kinds
    if vault is None:
        done = computer("audit", "--fix-plaintext", "--yes")
        assert_refused(done, 2, "no key")


# --- keys and places --------------------------------------------------------------------------------------------------


def test_a_wrong_recovery_code_is_12_and_no_code_at_all_is_2(stocked: Computer) -> None:
    code = stocked.environ.pop("MANABACKUP_RECOVERY_CODE")
    assert_refused(stocked("audit"), 2, "no recovery code")
    wrong = code.translate(str.maketrans("0123456789ABCDEF", "123456789ABCDEF0"))
    assert_refused(stocked("audit", env={"MANABACKUP_RECOVERY_CODE": wrong}), 12, "wrong recovery code")


def test_without_the_key_everything_is_found_that_needs_none(stocked: Computer) -> None:
    whole = audited(stocked)
    stocked.environ.pop("MANABACKUP_RECOVERY_CODE")
    record = audited(stocked, "--no-key")
    assert record["keyFingerprint"] is None
    assert found(record, "plaintextField") == found(whole, "plaintextField")
    assert "notOpened" in found(record, "notOpened")
    assert "foreignCiphertext" not in found(record, "foreignCiphertext")


def test_without_the_servers_the_mirror_tells_the_same(stocked: Computer, line: Line) -> None:
    whole = audited(stocked)
    line.requests.clear()
    record = audited(stocked, "--offline")
    assert line.requests == []
    assert record["pulledAt"] is not None
    assert record["findings"] == whole["findings"]
    assert record["vault"]["mode"] == "zero-knowledge"
    stocked.environ.pop("MANABACKUP_RECOVERY_CODE")
    assert found(audited(stocked, "--offline", "--no-key"), "plaintextField") == found(whole, "plaintextField")


def test_with_a_token_alone_it_is_said_that_spaces_are_not_known_and_nothing_of_them_is_changed(
    owner: Owner, box: Sandbox, tmp_path: Path
) -> None:
    computer = owner.at(Computer(tmp_path, box.url))
    computer.environ["MANABACKUP_TOKEN"] = box.accounts.issue_token(owner.account.user_id)
    record = audited(computer)
    assert "spaceTypesUnknown" in found(record, "spaceTypesUnknown")
    unknown = found(record)["plaintextUnknownSpace"]
    own = audited(computer, "--personal-space", owner.account.personal_space)
    assert len(found(own)["plaintextField"]) > len(found(record).get("plaintextField", []))
    plan = audited(computer, "--fix-plaintext", "--dry-run")["fix"]
    assert plan["reasons"]["unknownSpace"] == len({place[:2] for place in unknown})
    assert plan["planned"] < len({place[:2] for place in found(own)["plaintextField"]})


def test_rows_of_a_space_that_the_account_is_no_member_of_are_found_where_a_login_tells(
    newcomer: Newcomer, box: Sandbox, tmp_path: Path
) -> None:
    stranded = {"spaceId": "Nonexistent", "authorId": newcomer.id, "title": newcomer.sealed("x")}
    newcomer.write({"id": "n", "data": stranded, "spaceId": "Nonexistent"})
    computer = newcomer.at(Computer(tmp_path, box.url))
    assert "strandedRow" not in found(audited(computer, code=0))
    token = computer.environ.pop("MANABACKUP_TOKEN")
    newcomer.sign_in(computer)
    assert [place[:2] for place in found(audited(computer))["strandedRow"]] == [("notes", "n")]
    assert [place[:2] for place in found(audited(computer, "--offline"))["strandedRow"]] == [("notes", "n")]
    # What a token pulls may be of a space that was joined since.
    assert computer("pull", env={"MANABACKUP_TOKEN": token}).code == 0
    assert "strandedRow" not in found(audited(computer, "--offline", code=0))


def test_quietly_each_error_and_warning_is_a_line(stocked: Computer) -> None:
    record = audited(stocked, "--offline", "--no-key")
    done = stocked("audit", "--offline", "--no-key", "--quiet")
    assert (done.code, done.err) == (4, "")
    *lines, last = done.out.splitlines()
    graver = [finding for finding in record["findings"] if finding["severity"] != "note"]
    assert [line.split(": ")[:2] for line in lines] == [[one["severity"], one["id"]] for one in graver]
    assert last.startswith("audited ")


def test_an_audit_of_nothing_that_was_pulled_is_10(here: Computer) -> None:
    assert_refused(here("audit", "--offline"), 10, "no mirror")


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_sarif_is_written_whole_for_its_owner_alone(stocked: Computer, tmp_path: Path) -> None:
    path = tmp_path / "audit.sarif"
    record = audited(stocked, "--sarif", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log = jsontext.parse(path.read_bytes())
    check_sarif(log)
    (run,) = log["runs"]
    results = run["results"]
    assert len(results) == sum(max(len(finding["cases"]), 1) for finding in record["findings"])
    assert {result["level"] for result in results} == {finding["severity"] for finding in record["findings"]}
    finding = record["findings"][0]
    case = finding["cases"][0]
    first = next(result for result in results if result["ruleId"] == finding["id"])
    assert first["locations"][0]["logicalLocations"] == [
        {
            "name": case["field"],
            "fullyQualifiedName": f"account/{case['table']}/{case['id']}/{case['field']}",
            "kind": "property",
        }
    ]
    before = path.read_bytes()
    path.write_text("mine")
    assert_refused(stocked("audit", "--sarif", str(path)), 17, "exists already")
    audited(stocked, "--sarif", str(path), "--force")
    assert path.read_bytes() == before
    written = path.stat().st_ino
    audited(stocked, "--sarif", str(path))  # that of an earlier run
    assert (path.read_bytes() == before, path.stat().st_ino == written) == (True, False)
    assert_refused(stocked("audit", "--sarif", str(tmp_path / "no" / "folder")), 17, "does not exist")


def test_hostile_names_reach_no_terminal_raw(at_home: Computer, newcomer: Newcomer, home: str) -> None:
    note(newcomer, "\x1b]0;owned\x07", home, title="x")
    newcomer.write({"table": "odd\x1b[2Jname", "id": "x", "data": {}}, "todo")
    code, shown = on_a_screen(at_home, "audit", "-v")
    assert code == 4
    assert "\x1b" not in shown
    assert "\x07" not in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fix-plaintext", "--offline"], "servers"),
        (["--fix-plaintext", "--no-key"], "key"),
        (["--dry-run"], "--fix-plaintext"),
        (["--yes"], "--fix-plaintext"),
        (["--no-resume"], "--fix-plaintext"),
        (["--full", "--offline"], "--offline"),
        (["--force"], "--sarif"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(stocked: Computer, arguments: list[str], words: str) -> None:
    assert_refused(stocked("audit", *arguments), 2, words)
