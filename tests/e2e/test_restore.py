"""``restore`` as a process of its own: what is planned is shown, what is sent was planned, and death is survived."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.model import registry
from manabackup.rows.identity import CHANGED_BY, TOKEN
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.homes import Computer, Newcomer, Owner, Rows, assert_refused, fill, rows_of
from tests.support.line import Line, Spoiled
from tests.support.patience import PATIENCE
from tests.support.reference_client import Client
from tests.support.schemas import check

JSON = Any
PASSWORD = "Straße-nach-Süden-7"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
ROUNDS = int(os.environ.get("MANABACKUP_KILL_ROUNDS", "3"))
ADDED = {"createdAt", "updatedAt", "visibility", "spaceId", "authorId", "userId", TOKEN, CHANGED_BY}
"""What a restore adds, or leaves behind on purpose."""
REGISTRY = registry.load()


@pytest.fixture(autouse=True)
def fair_weather(line: Line) -> None:
    """Nothing goes wrong to begin with."""
    line.forget()


@pytest.fixture(scope="module")
def archive(pulled: Computer) -> Path:
    """What the owner exported."""
    return pulled.archive


@pytest.fixture
def other(box: Sandbox) -> Newcomer:
    """The account to restore into."""
    return Newcomer(box, uuid4().hex, OTHER_KEY)


@pytest.fixture
def there(other: Newcomer, box: Sandbox, tmp_path: Path) -> Computer:
    """A computer that is signed in as the other account."""
    computer = Computer(tmp_path, box.url)
    done = computer("login", "--email", f"{other.name}@example.org", env={"MANABACKUP_PASSWORD": PASSWORD})
    assert done.code == 0, done.err
    computer.environ["MANABACKUP_RECOVERY_CODE"] = other.recovery_code
    return computer


def restored(computer: Computer, archive: Path, *arguments: str, code: int = 0) -> JSON:
    """The record of a restore that nobody is asked about."""
    done = computer("restore", str(archive), "--yes", "--json", *arguments)
    assert done.code == code, done.err
    return done.record


def held(computer: Computer, name: str = "again") -> Rows:
    """The account as an export shows it."""
    path = computer.home / "out" / f"{name}.mana"
    assert computer.export(output=path).code == 0
    return rows_of(path)


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


def newcomer_at(box: Sandbox, key: bytes) -> Newcomer:
    return Newcomer(box, uuid4().hex, key)


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


def export_of(source: Newcomer, box: Sandbox, folder: Path) -> Path:
    """An archive of somebody's account, made on a computer of its own."""
    home = folder / f"home-{source.name}"
    home.mkdir()
    computer = Computer(home, box.url)
    done = computer("login", "--email", f"{source.name}@example.org", env={"MANABACKUP_PASSWORD": PASSWORD})
    assert done.code == 0, done.err
    computer.environ["MANABACKUP_RECOVERY_CODE"] = source.recovery_code
    exported = computer.export()
    assert exported.code == 0, exported.err
    return computer.archive


# --- death and other interruptions ------------------------------------------------------------------------------------

COUNT = 300


@pytest.fixture(scope="module")
def much(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of rows that a target will hold differently."""
    source = newcomer_at(box, KEY)
    fill(box, source.id, range(COUNT), "mine")
    return export_of(source, box, tmp_path_factory.mktemp("much"))


@pytest.fixture
def crowded(box: Sandbox, other: Newcomer, there: Computer) -> Computer:
    """The target's computer; half of what will be restored must replace something."""
    fill(box, other.id, range(COUNT), "theirs")
    return there


def operations(box: Sandbox, user: str) -> Counter[str]:
    """What was done to rows → rows."""
    done: dict[str, list[str]] = {}
    for row in box.log.pull("todo", "tasks", Asked(user, frozenset(), "?", -1, 10**6)):
        change = jsontext.parse(row.wire())
        done.setdefault(change["id"], []).append(change["op"])
    return Counter(" ".join(found) for found in done.values())


def assert_restored(box: Sandbox, other: Newcomer, computer: Computer) -> None:
    """Every row is replaced once, and shows what was planned."""
    assert operations(box, other.id) == {"insert delete insert update": COUNT}
    assert {values["priority"] for values in held(computer)["tasks"].values()} == {"mine"}


def killed_at_push(computer: Computer, line: Line, archive: Path, *, stored: int | None) -> bool:
    """Runs a restore that is killed while its first push is under way; whether it came to that."""
    process = computer.start("restore", str(archive), "--yes")

    def fault(pushed: Any) -> Spoiled:
        process.send_signal(signal.SIGKILL)
        return Spoiled(stored, None)

    line.push_fault = fault
    process.communicate(timeout=PATIENCE)
    line.push_fault = lambda pushed: None
    return process.returncode == -signal.SIGKILL


def test_L1_a_restore_that_is_killed_at_every_request_completes_in_the_end(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line
) -> None:
    kills = 0
    for stored in (0, 2, None, 1, 198, 100):
        if not killed_at_push(crowded, line, much, stored=stored):
            break
        kills += 1
    assert kills >= 5
    record = restored(crowded, much)
    assert (record["updated"], record["verified"]) == (COUNT, True)
    assert_restored(box, other, crowded)
    assert not list((crowded.state / "restores").iterdir())


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_L1_a_restore_that_is_killed_at_any_moment_completes_in_the_end(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line, round_: int
) -> None:
    chance = random.Random(f"kill {round_}")
    line.push_fault = lambda pushed: Spoiled(chance.choice([0, 1, 50, None]), None) if chance.random() < 0.2 else None
    for _ in range(3):
        process = crowded.start("restore", str(much), "--yes")
        timer = threading.Timer(chance.uniform(0.2, 2.5), process.kill)
        timer.start()
        process.communicate(timeout=PATIENCE)
        timer.cancel()
    line.push_fault = lambda pushed: None
    record = restored(crowded, much)
    assert record["verified"] is True
    assert_restored(box, other, crowded)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("outcome", ["setAside", "overwritten"])
def test_an_edit_that_the_plan_did_not_see_is_named_and_ends_with_3(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line, outcome: str, as_json: bool
) -> None:
    def edit(_: Any = None) -> None:
        line.push_fault = lambda pushed: None
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        change = {"table": "tasks", "id": "r0007", "op": "update", "fields": {"priority": {"value": "EDIT", "at": at}}}
        box.log.append(other.id, "phone", "todo", change)

    if outcome == "setAside":
        assert killed_at_push(crowded, line, much, stored=0)
        edit()
    else:
        line.push_fault = edit  # the rows were looked at by then
    done = crowded("restore", str(much), "--yes", *(["--json"] if as_json else []))
    assert done.code == 3, done.err
    if as_json:
        check("restore", done.record)
        assert done.record["edited"] == [{"table": "tasks", "id": "r0007", "outcome": outcome}]
        assert done.record["overwritten"] == (outcome == "overwritten")
    words = {"setAside": "edited after the plan, and left as it is", "overwritten": "an edit was overwritten"}
    assert f"warning: tasks r0007: {words[outcome]}" in done.err
    priority = held(crowded)["tasks"]["r0007"]["priority"]
    assert priority == ("EDIT" if outcome == "setAside" else "mine")
    if outcome == "setAside":
        assert restored(crowded, much)["updated"] == 1


def test_another_command_does_not_take_over_an_unfinished_restore(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line
) -> None:
    assert killed_at_push(crowded, line, much, stored=4)
    refused = crowded("restore", str(much), "--yes", "--table", "tasks")
    assert_refused(refused, 1, "not finished")
    assert "--no-resume" in refused.err
    record = restored(crowded, much, "--table", "tasks", "--no-resume")
    assert record["verified"] is True
    found = operations(box, other.id)
    assert found["insert delete insert update"] == COUNT


def test_a_dry_run_leaves_an_unfinished_restore_alone(crowded: Computer, much: Path, line: Line) -> None:
    assert killed_at_push(crowded, line, much, stored=4)
    assert crowded("restore", str(much), "--dry-run").code == 0
    assert restored(crowded, much)["updated"] == COUNT


def test_the_outbox_is_for_its_owner_alone(crowded: Computer, much: Path, line: Line) -> None:
    assert killed_at_push(crowded, line, much, stored=0)
    kept = [path for path in (crowded.state / "restores").rglob("*") if path.is_file()]
    assert kept
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_L3_two_restores_do_not_share_a_state_folder(crowded: Computer, much: Path, line: Line) -> None:
    with line.holding("/sync/todo") as hold:
        first = crowded.start("restore", str(much), "--yes")
        hold.wait()
        second = crowded("restore", str(much), "--yes")
        hold.release()
    assert second.code == 11, second.err
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0


def test_L4_an_interrupt_is_no_traceback_and_the_next_run_goes_on(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line
) -> None:
    process: subprocess.Popen[str]
    process = crowded.start("restore", str(much), "--yes")

    def fault(pushed: Any) -> Spoiled:
        process.send_signal(signal.SIGINT)
        return Spoiled(None, None)

    line.push_fault = fault
    _, err = process.communicate(timeout=PATIENCE)
    line.push_fault = lambda pushed: None
    assert process.returncode == 130
    assert "Traceback" not in err
    assert restored(crowded, much)["verified"] is True
    assert_restored(box, other, crowded)
