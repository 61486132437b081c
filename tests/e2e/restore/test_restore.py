"""``restore`` as a process of its own: what is planned is shown, what is sent was planned, and death is survived."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.model import registry
from manabackup.rows.identity import CHANGED_BY, TOKEN
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.homes import Computer, Newcomer, Owner, Rows, assert_refused
from tests.support.line import Line
from tests.support.reference_client import Client
from tests.support.schemas import check

from .restores import JSON, KEY, OTHER_KEY, export_of, held, newcomer_at, restored

ADDED = {"createdAt", "updatedAt", "visibility", "spaceId", "authorId", "userId", TOKEN, CHANGED_BY}
"""What a restore adds, or leaves behind on purpose."""
REGISTRY = registry.load()


@pytest.fixture(scope="module")
def archive(pulled: Computer) -> Path:
    """What the owner exported."""
    return pulled.archive


def core(rows: Rows) -> dict[tuple[str, str], JSON]:
    """Rows without what a restore adds, null being absent."""
    return {
        (table, record): {
            name: value for name, value in values.items() if value is not None and name not in ADDED - own(table)
        }
        for table, found in rows.items()
        for record, values in found.items()
    }


def own(table: str) -> frozenset[str]:
    return REGISTRY.own_user_ids.get(table, frozenset())


def personal(owner: Owner) -> dict[tuple[str, str], JSON]:
    """The owner's rows that are not of a shared space, as far as anybody can read them."""
    shared = set(owner.account.shared_spaces)
    rows = {
        table: {record: values for record, values in found.items() if values.get("spaceId") not in shared}
        for table, found in owner.truth.rows.items()
    }
    return core(rows)


# --- a whole account --------------------------------------------------------------------------------------------------


def test_an_account_is_restored_into_another_and_is_there_again(
    owner: Owner, archive: Path, there: Computer, other: Newcomer, box: Sandbox
) -> None:
    record = restored(there, archive, "--space", "personal", code=3)
    assert record["verified"] is True
    assert record["failed"] == 0
    assert record["reasons"] == {"unknownTable": record["skipped"]}
    rows = held(there)
    moved = {("kontextDoc", identifier) for identifier in rows["kontextDoc"]}
    found = {key: values for key, values in core(rows).items() if key not in moved}
    wanted = {key: values for key, values in personal(owner).items() if key[0] != "kontextDoc"}
    foreign = {(table, identifier) for table, identifier, _ in owner.truth.foreign}
    assert found.keys() == {(t, seed(t, r, owner, rows)) for t, r in wanted}
    for (table, identifier), values in wanted.items():
        if (table, identifier) not in foreign:
            assert found[table, seed(table, identifier, owner, rows)] == values, (table, identifier)
    home = next(space.id for space, _ in box.accounts.spaces.of_user(other.id))
    for table, of_table in rows.items():
        for values in of_table.values():
            if REGISTRY.by_name[table].scope == "space":
                assert (values["spaceId"], values["authorId"]) == (home, other.id)
            else:
                assert values["userId"] == other.id
                assert not values.keys() & {"spaceId", "authorId"}


def seed(table: str, identifier: str, owner: Owner, rows: Rows) -> str:
    """The id that holds a space holds the new one."""
    if identifier != f"seed-home-{owner.account.personal_space}":
        return identifier
    return next(found for found in rows[table] if found.startswith("seed-home-"))


def test_restoring_once_more_changes_nothing(archive: Path, there: Computer, box: Sandbox) -> None:
    first = restored(there, archive, "--space", "personal", code=3)
    assert first["planned"] == first["inserted"] + first["updated"] > 200
    count = box.log.count()
    again = restored(there, archive, "--space", "personal", code=3)
    assert (again["planned"], again["unchanged"]) == (0, first["planned"])
    assert box.log.count() == count


def test_restoring_into_the_same_account_touches_nothing_that_is_as_it_was(
    owner: Owner, archive: Path, here: Computer, box: Sandbox
) -> None:
    record = restored(here, archive, "--dry-run", "--space", "personal", code=3)
    assert record["reasons"].keys() <= {"unknownTable", "aiNotReplaced"}
    # Only what some client shows otherwise, because its insert has no time.
    assert record["replaced"] == record["planned"] < record["unchanged"]


def test_a_rekeyed_archive_is_restored_by_somebody_who_cannot_read_it(
    owner: Owner, archive: Path, there: Computer, other: Newcomer, box: Sandbox, tmp_path: Path
) -> None:
    rekeyed = tmp_path / "rekeyed.mana"
    (tmp_path / "key").write_text(OTHER_KEY.hex())
    done = there("rekey", str(archive), "-o", str(rekeyed), "--to-key-file", str(tmp_path / "key"))
    assert done.code == 3, done.err  # what others own cannot be put under another key
    (tmp_path / "support").mkdir()
    support = Computer(tmp_path / "support", box.url)
    support.environ["MANABACKUP_TO_TOKEN"] = box.accounts.issue_token(other.id)
    home = next(space.id for space, _ in box.accounts.spaces.of_user(other.id))
    record = restored(support, rekeyed, "--space", "personal", "--personal-space", home, code=3)
    assert record["comparedWithoutKey"] is True
    rows = {key: values for key, values in core(held(there)).items() if key[0] not in ("kontextDoc", "workbenchScenes")}
    wanted = {key: values for key, values in personal(owner).items() if key in rows}
    assert len(wanted) > 200
    foreign = {(table, identifier) for table, identifier, _ in owner.truth.foreign}
    assert {key: rows[key] for key in wanted.keys() - foreign} == {key: wanted[key] for key in wanted.keys() - foreign}


def test_every_client_of_the_target_shows_what_was_restored(
    archive: Path, there: Computer, other: Newcomer, box: Sandbox
) -> None:
    restored(there, archive, "--space", "personal", code=3)
    rows = held(there)
    for table in ("tasks", "notes", "contacts", "userContext", "kontextDoc"):
        stored = REGISTRY.by_name[table]
        changes = [
            jsontext.parse(row.wire())
            for row in box.log.pull(stored.app, stored.collection, Asked(other.id, frozenset(), "?", -1, 10**6))
        ]
        for clock in ("2026-11-30T00:00:00.000Z", "2027-02-28T00:00:00.000Z"):
            client = Client()
            client.apply(table, changes, clock)
            assert client.shown(table).keys() == rows[table].keys()
            for identifier, shown in client.shown(table).items():
                assert shown.keys() - {"deletedAt"} == rows[table][identifier].keys() - {"deletedAt"}


def test_an_accounts_own_fresh_archive_changes_nothing_in_it_unless_rows_are_to_be_repaired(
    pulled: Computer, archive: Path
) -> None:
    plan = restored(pulled, archive, "--dry-run", code=3)  # tables that nobody knows
    assert (plan["leftOut"], plan["reasons"]) == (0, {"unknownTable": 2})
    check("restore", plan)
    assert (plan["planned"], plan["repaired"]) == (0, 0)
    assert plan["repairable"] == len(plan["repairableCases"]) > 0
    named = pulled("restore", str(archive), "--dry-run", "-v")
    case = next(case for case in plan["repairableCases"] if case["fields"])
    assert f"in need of repair: {plan['repairable']} rows" in named.out
    assert f"  {case['table']} {case['id']}: other values: {' '.join(case['fields'])}" in named.out
    repairs = restored(pulled, archive, "--dry-run", "--repair", "--replace-ai", code=3)  # those of shared spaces
    assert repairs["planned"] == repairs["repaired"] == plan["repairable"] - repairs["reasons"]["otherSpace"]
    assert sum(kinds.get("repair", 0) for kinds in repairs["tables"].values()) == repairs["repaired"]
    assert not any("update" in kinds for kinds in repairs["tables"].values())  # they are equal
    check("restore", repairs)


# --- what is shown, and what is asked ---------------------------------------------------------------------------------


def test_R1_a_dry_run_shows_the_plan_and_sends_nothing(
    archive: Path, there: Computer, other: Newcomer, box: Sandbox
) -> None:
    count = box.log.count()
    done = there("restore", str(archive), "--dry-run")
    assert done.code == 3, done.err  # rows of a shared space would not be restored
    assert f"account {other.id}" in done.out
    assert "--map-space" in done.out
    header = next(line for line in done.out.splitlines() if line.startswith("table"))
    assert header.split() == ["table", "insert", "update", "unchanged", "skipped", "conflict"]
    assert box.log.count() == count
    assert not list((there.state / "restores").iterdir())


def test_R4_nothing_is_sent_before_somebody_said_yes(
    archive: Path, there: Computer, other: Newcomer, box: Sandbox
) -> None:
    count = box.log.count()
    done = there("restore", str(archive))
    assert done.code == 2
    assert "--yes" in done.err
    asked = there.at_terminal("restore", str(archive), "--space", "personal", typed=["no"])
    assert (asked.code, box.log.count()) == (2, count)
    assert "write" in asked.err
    assert f"into account {other.id}" in asked.err
    assert FieldCipher(other.key).fingerprint in asked.err
    agreed = there.at_terminal("restore", str(archive), "--space", "personal", "--table", "notes", typed=["yes"])
    assert agreed.code == 0, agreed.err
    assert box.log.count() > count


def test_the_record_has_the_keys_that_scripts_rely_on(archive: Path, there: Computer) -> None:
    check("restore", restored(there, archive, "--dry-run", code=3))
    record = restored(there, archive, "--table", "notes", "--space", "personal")
    check("restore", record)
    counts = ("planned", "inserted", "updated", "unchanged", "skipped", "failed")
    assert all(type(record[name]) is int for name in counts)
    assert type(record["verified"]) is bool


def test_rows_that_nobody_asked_to_leave_out_end_with_3(archive: Path, there: Computer) -> None:
    record = restored(there, archive, code=3)
    assert record["reasons"]["otherSpace"] > 0
    assert record["verified"] is True
    assert {"table", "id", "reason"} == record["notRestored"][0].keys()
    quiet = there("restore", str(archive), "--yes", "-q")
    assert quiet.code == 3
    assert re.search(r"^warning: skipped: [\d,]+ rows: belong to a shared space", quiet.err, re.MULTILINE), quiet.err


def test_conflicts_stop_before_anything_is_sent_where_that_was_asked_for(
    archive: Path, there: Computer, box: Sandbox
) -> None:
    count = box.log.count()
    assert_refused(there("restore", str(archive), "--on-conflict", "fail", "-q"), 1, "nothing was sent")
    assert box.log.count() == count


def test_an_archive_under_another_key_is_refused(archive: Path, there: Computer, tmp_path: Path) -> None:
    rekeyed = tmp_path / "rekeyed.mana"
    (tmp_path / "key").write_text(KEY.hex())
    assert there("rekey", str(archive), "-o", str(rekeyed), "--to-key-file", str(tmp_path / "key")).code == 3
    assert_refused(there("restore", str(rekeyed), "--yes"), 12, "another key")


def test_an_archive_under_another_key_than_this_computer_remembers_is_refused_though_no_key_is_at_hand(
    archive: Path, there: Computer, tmp_path: Path
) -> None:
    rekeyed = tmp_path / "rekeyed.mana"
    (tmp_path / "key").write_text(KEY.hex())
    assert there("rekey", str(archive), "-o", str(rekeyed), "--to-key-file", str(tmp_path / "key")).code == 3
    assert there("export", "-o", str(tmp_path / "known.mana")).code == 0
    del there.environ["MANABACKUP_RECOVERY_CODE"]
    assert_refused(there("restore", str(rekeyed), "--yes"), 12, "another key")


def test_an_account_without_a_key_gets_nothing_in_clear(archive: Path, box: Sandbox, tmp_path: Path) -> None:
    target = Newcomer(box, uuid4().hex, vault=False)
    computer = Computer(tmp_path, box.url)
    computer.environ["MANABACKUP_TOKEN"] = box.accounts.issue_token(target.id)
    done = computer("restore", str(archive), "--yes")
    assert done.code == 2
    assert "in clear" in done.err


def test_selected_rows_alone_are_restored(archive: Path, there: Computer, owner: Owner) -> None:
    shared = set(owner.account.shared_spaces)
    identifier = next(
        record for record, values in owner.truth.rows["notes"].items() if values.get("spaceId") not in shared
    )
    record = restored(there, archive, "--table", "notes", "--id", identifier)
    assert (record["planned"], list(record["tables"])) == (1, ["notes"])
    assert list(held(there)["notes"]) == [identifier]


def test_without_a_session_rows_go_to_the_stand_in_of_the_personal_space_with_a_warning(
    archive: Path, other: Newcomer, box: Sandbox, tmp_path: Path
) -> None:
    computer = other.at(Computer(tmp_path, box.url))
    done = computer("restore", str(archive), "--yes", "--table", "notes", "--space", "personal")
    assert done.code == 0, done.err
    assert "personal space is not known" in done.err
    assert {values["spaceId"] for values in held(computer)["notes"].values()} == {f"_personal:{other.id}"}


def test_into_a_space_that_nothing_shows_to_be_the_accounts_nothing_is_sent_unasked(
    archive: Path, other: Newcomer, box: Sandbox, tmp_path: Path
) -> None:
    computer = other.at(Computer(tmp_path, box.url))
    whole = ["restore", str(archive), "--table", "notes", "--space", "personal", "--yes", "--json"]
    count = box.log.count()
    wrong = [*whole, "--personal-space", "Nonexistent"]
    done = computer(*wrong)
    assert (done.code, done.out) == (2, "")
    assert "error: nobody is there to confirm the space\nhint: --yes-space" in done.err
    assert "Nonexistent (" in done.err
    home = next(space.id for space, _ in box.accounts.spaces.of_user(other.id))
    assert home in done.err  # what the service wrote for the account at its beginning lies there
    assert box.log.count() == count
    planned = computer(*wrong, "--dry-run").record
    assert planned["unconfirmedSpaces"] == {"Nonexistent": planned["planned"]}
    assert planned["seenSpaces"] == [home]
    check("restore", planned)
    done = computer(*wrong, "--yes-space")
    assert done.code == 0, done.err
    # What a restore wrote there shows nothing; of the real one nobody is asked.
    assert "confirm the space" in computer(*wrong, "--app", "todo", "--table", "tasks").err
    record = computer(*whole, "--personal-space", home, "--dry-run").record
    assert (record["unconfirmedSpaces"], record["seenSpaces"]) == ({}, [])


def test_a_login_tells_whether_a_space_is_the_accounts_own(
    archive: Path, there: Computer, other: Newcomer, club: str, box: Sandbox
) -> None:
    home = next(space.id for space, _ in box.accounts.spaces.of_user(other.id))
    count = box.log.count()
    whole = ["restore", str(archive), "--table", "notes", "--yes"]
    done = there(*whole, "--personal-space", f"{home}x")
    assert_refused(done, 2, "the account is not a member of the space")
    assert f"hint: did you mean {home}?" in done.err
    assert_refused(there(*whole, "--personal-space", club), 2, f"the space {club} is shared")
    assert_refused(there(*whole, "--personal-space", "_personal:somebody"), 2, "of another account")
    assert_refused(there(*whole, "--map-space", "#0=_personal:somebody"), 2, "of another account")
    assert_refused(there(*whole, "--map-space", "#0=nowhere"), 2, "not a member")
    assert box.log.count() == count


# --- shared spaces ----------------------------------------------------------------------------------------------------


@pytest.fixture
def club(box: Sandbox, other: Newcomer) -> str:
    """A shared space of the target."""
    return box.accounts.create_space(other.id, "Verein", "club")


def test_R6_rows_go_into_a_shared_space_only_in_clear_and_only_when_that_is_said(
    owner: Owner, archive: Path, there: Computer, other: Newcomer, club: str, box: Sandbox, line: Line
) -> None:
    mapping = f"{owner.account.shared_spaces[0]}={club}"
    done = there("restore", str(archive), "--yes", "--map-space", mapping)
    assert done.code == 2
    assert "--shared-plaintext" in done.err
    box.forget_memberships()
    space = owner.account.shared_spaces[0]
    record = restored(
        there, archive, "--map-space", mapping, "--shared-plaintext", "--yes-private", "--space", space, code=3
    )
    assert record["planned"] > 0
    assert record["leftOut"] > 0  # other members' ciphertext
    for row in box.log.read_app("notes", Asked(other.id, frozenset(), "?", -1, 10**6)):
        assert b"enc:1:" not in row.wire()
    inserts = [change for change in line.sent if change["op"] == "insert"]
    assert {(change["spaceId"], change["data"]["spaceId"]) for change in inserts} == {(club, club)}


def test_private_rows_stay_out_of_a_shared_space(box: Sandbox, tmp_path: Path, there: Computer, club: str) -> None:
    source = newcomer_at(box, KEY)
    team = box.accounts.create_space(source.id, "Team", "team")
    for name, visibility in (("open", "space"), ("closed", "private")):
        scope = {"spaceId": team, "authorId": source.id, "visibility": visibility}
        source.write({"id": name, "data": {"title": name, **scope}, "spaceId": team})
    path = export_of(source, box, tmp_path)
    record = restored(there, path, "--space", team, "--map-space", f"{team}={club}", "--shared-plaintext", code=3)
    assert (record["tables"]["notes"], record["reasons"]["privateIntoShared"]) == ({"insert": 1, "skipped": 1}, 1)
