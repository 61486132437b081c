"""``rekey`` and ``diff``, as whole commands, between two accounts of one embedded server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import UUID

import pytest

from manabackup.model import registry
from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.support.archives import PERSONAL, entries, opened, ours
from tests.support.homes import PASSPHRASE, PASSWORD, Computer, Newcomer, Owner, assert_refused, manifest_of, rows_of
from tests.support.patience import PATIENCE
from tests.support.schemas import check

KEY = bytes(range(32))
"""The newcomer's."""
OTHER = "noch eine Überraschung"


@pytest.fixture(scope="module")
def exported(pulled: Computer) -> Path:
    """The owner's account as an archive."""
    return pulled.archive


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The newcomer's key."""
    path = tmp_path_factory.mktemp("key") / "bob.key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return str(path)


@pytest.fixture(scope="module")
def given(exported: Path, key_file: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, under the newcomer's key: for which no server is asked."""
    computer = Computer(tmp_path_factory.mktemp("offline"), "http://127.0.0.1:9")
    done = computer("rekey", str(exported), "-o", str(out(computer)), "--to-key-file", key_file, "--json")
    assert (done.code, done.record["rekeyedFor"]) == (3, None), done.err
    return out(computer)


@pytest.fixture
def target(newcomer: Newcomer, stocked: Computer) -> Iterator[Computer]:
    """The owner's computer, with what it takes to write for the newcomer."""
    stocked.environ["MANABACKUP_TO_TOKEN"] = newcomer.box.accounts.issue_token(newcomer.id)
    stocked.environ["MANABACKUP_TO_RECOVERY_CODE"] = newcomer.recovery_code
    return stocked  # type: ignore[return-value]


def out(computer: Computer, name: str = "out.mana") -> Path:
    return computer.home / name


# --- rekey ------------------------------------------------------------------------------------------------------------


def test_R5_an_account_goes_to_another_one_and_says_nothing_of_whose_it_was(
    owner: Owner, newcomer: Newcomer, exported: Path, target: Computer
) -> None:
    done = target("rekey", str(exported), "-o", str(out(target)), "--json")
    assert done.code == 3, done.err  # other members' ciphertext stays behind
    check("rekey", done.record)
    assert (done.record["rekeyedFor"], done.record["status"]) == (newcomer.id, "partial")
    assert list(done.record["losses"]) == ["ciphertextLeftOut"]
    content = entries(out(target))
    account = owner.account
    members = content.pop("data/spaceMembers.jsonl")
    for trace in (account.user_id, account.personal_space, *account.shared_spaces, account.name, account.email, "tok_"):
        assert trace.encode() not in b"".join(content.values()), trace
    assert account.personal_space.encode() not in members
    before, after = rows_of(exported), rows_of(out(target))
    assert {table: len(rows) for table, rows in before.items()} == {table: len(rows) for table, rows in after.items()}
    moved = {name for name in before if before[name].keys() != after[name].keys()}
    assert moved <= {"workbenchScenes"}
    private = 0
    for name, table in registry.load().by_name.items():
        for identifier, row in after[name].items():
            for field in table.encrypted & row.keys():
                if row[field] is not None:
                    private += 1
                    value = jsontext.parse(opened(row[field], KEY))
                    assert identifier not in before[name] or value == before[name][identifier][field]
    assert private > 300


def test_the_new_archive_is_verified_with_and_without_its_key(given: Path, here: Computer, key_file: str) -> None:
    without = here("verify", str(given), "--json").record
    assert (without["ok"], without["opened"], without["encryptedFields"] > 300) == (True, False, True)
    assert "all open with the key" in here("verify", str(given), "--key-file", key_file).out
    assert_refused(here("verify", str(given), env={"MANABACKUP_KEY": "00" * 32}), 12, "another key")


def test_an_archive_sealed_in_and_out_leaves_no_file_but_the_new_one(exported: Path, target: Computer) -> None:
    sealed = out(target, "sealed.mana")
    assert target("seal", str(exported), "-o", str(sealed)).code == 0
    done = target(
        "rekey", str(sealed), "-o", str(out(target)), "--seal", "--private", env={"MANABACKUP_TO_PASSPHRASE": OTHER}
    )
    assert done.code == 3, done.err
    assert manifest_of(out(target))["rowCounts"] == {}
    assert_refused(target("verify", str(out(target))), 12, "wrong passphrase")
    assert target("verify", str(out(target)), env={"MANABACKUP_PASSPHRASE": OTHER}).code == 0
    left = {path.name for path in target.files() if target.state not in path.parents}
    assert left == {"sealed.mana", "out.mana"}


def test_without_a_passphrase_for_the_new_archive_nothing_is_sealed(exported: Path, target: Computer) -> None:
    done = target("rekey", str(exported), "-o", str(out(target)), "--seal")
    assert (done.code, done.out, out(target).exists()) == (2, "", False)
    assert "--to-passphrase-file" in done.err


def test_a_new_passphrase_is_asked_for_twice_and_the_second_archives_once(
    given: Path, here: Computer, key_file: str
) -> None:
    for name in ("MANABACKUP_PASSPHRASE", "MANABACKUP_RECOVERY_CODE"):
        del here.environ[name]
    keys = ("--key-file", key_file)
    done = here.at_terminal(
        "rekey", str(given), "-o", str(out(here)), "--seal", *keys, "--to-key-file", key_file, typed=[OTHER, OTHER]
    )
    assert done.code == 0, done.err
    assert done.err.count("passphrase of the new archive") == 2
    done = here.at_terminal("diff", str(given), str(out(here)), *keys, typed=[OTHER])
    assert (done.code, "passphrase of the second archive: " in done.err) == (0, True), done.err


def test_without_a_target_it_is_the_account_that_is_signed_in(
    owner: Owner, exported: Path, stocked: Computer, key_file: str
) -> None:
    done = stocked("rekey", str(exported), "-o", str(out(stocked)), "--json")
    assert (done.code, done.record["rekeyedFor"]) == (3, owner.account.user_id)
    assert "the account that is signed in" in done.err
    # Encrypted, it opens with the same account's key again.
    again = stocked("rekey", str(out(stocked)), "-o", str(out(stocked, "b.mana")), "--to-key-file", key_file)
    assert (again.code, again.out.split(", ")[0].endswith("partial")) == (0, True), again.err


def test_an_encrypted_archive_does_not_open_with_another_accounts_key(given: Path, here: Computer) -> None:
    done = here("rekey", str(given), "-o", str(out(here)))
    assert_refused(done, 12, "another key")
    assert not out(here).exists()


def test_a_target_without_a_vault_is_refused(box: Sandbox, exported: Path, stocked: Computer) -> None:
    nobody = Newcomer(box, "without-a-vault", vault=False)
    done = stocked(
        "rekey",
        str(exported),
        "-o",
        str(out(stocked)),
        env={"MANABACKUP_TO_TOKEN": box.accounts.issue_token(nobody.id)},
    )
    assert_refused(done, 2, "no key yet")


def test_S7_a_vault_that_the_server_opened_meanwhile_is_refused(
    box: Sandbox, exported: Path, stocked: Computer
) -> None:
    """Somebody who can answer for the account service could name a key of his own."""
    somebody = Newcomer(box, "with-a-replaced-key")
    box.accounts.set_vault(somebody.id, "standard", bytes(32))
    env = {
        "MANABACKUP_TO_TOKEN": box.accounts.issue_token(somebody.id),
        "MANABACKUP_TO_RECOVERY_CODE": somebody.recovery_code,
    }
    done = stocked("rekey", str(exported), "-o", str(out(stocked)), env=env)
    assert done.code == 12
    assert "--accept-new-key" in done.err
    assert not out(stocked).exists()
    done = stocked("rekey", str(exported), "-o", str(out(stocked)), "--accept-new-key", env=env)
    assert done.code == 3
    assert "known to the server" in done.err


def test_S7_another_key_than_this_computer_knows_is_refused(box: Sandbox, exported: Path, tmp_path: Path) -> None:
    somebody = Newcomer(box, "with-a-rotated-key")
    theirs = somebody.at(Computer(tmp_path, box.url))
    assert theirs.export().code == 0
    box.accounts.set_vault(somebody.id, "standard", bytes(32))
    theirs.environ.pop("MANABACKUP_RECOVERY_CODE")
    done = theirs("rekey", str(exported), "-o", str(out(theirs)))
    assert done.code == 12
    assert "another one than before" in done.err


def test_an_existing_output_is_told_before_any_secret_is_asked_for(exported: Path, stocked: Computer) -> None:
    out(stocked).write_bytes(b"precious")
    done = stocked("rekey", str(exported), "-o", str(out(stocked)), *to_a_profile_without_a_session(stocked))
    assert_refused(done, 17, "exists")
    assert out(stocked).read_bytes() == b"precious"


def test_the_target_must_be_signed_in(exported: Path, stocked: Computer) -> None:
    done = stocked("rekey", str(exported), "-o", str(out(stocked)), *to_a_profile_without_a_session(stocked))
    assert_refused(done, 13, "not signed in as the target account")
    done = stocked("rekey", str(exported), "-o", str(out(stocked)), "--to-profile", "nobody")
    assert_refused(done, 2, "has no profile nobody")


def to_a_profile_without_a_session(computer: Computer) -> list[str]:
    config = computer.home / "config.toml"
    config.write_text('[profiles.somebody]\nemail = "somebody@example.org"\n')
    return ["--config", str(config), "--to-profile", "somebody"]


def test_private_goes_with_seal(exported: Path, stocked: Computer) -> None:
    assert_refused(stocked("rekey", str(exported), "-o", "x", "--private"), 2, "--seal")


# --- diff -------------------------------------------------------------------------------------------------------------


def test_an_archive_equals_the_account_that_it_is_of(exported: Path, stocked: Computer) -> None:
    done = stocked("diff", str(exported), "--live", "--json")
    assert done.code == 0, done.err
    check("diff", done.record)
    assert (done.record["equal"], done.record["b"], done.record["rows"][0]) == (True, None, done.record["rows"][1])


def test_what_happened_since_is_told_by_table_id_and_field(newcomer: Newcomer, theirs: Computer) -> None:
    newcomer.write({"id": "a", "data": {"title": newcomer.sealed("alt\x1b[31m"), "content": newcomer.sealed("x")}})
    newcomer.write({"id": "b", "data": {"title": newcomer.sealed("weg")}})
    assert theirs.export("--app", "notes").code == 0
    at = "2026-04-01T00:00:00.000Z"
    renamed = {"title": {"value": newcomer.sealed("neu"), "at": at}}
    since: list[tuple[str, dict[str, Any]]] = [
        ("notes", {"id": "a", "op": "update", "fields": renamed}),
        ("notes", {"id": "b", "op": "delete", "deletedAt": at}),
        ("notes", {"id": "c", "data": {"title": newcomer.sealed("dazu")}}),
        ("todo", {"id": "t", "table": "tasks", "data": {"title": newcomer.sealed("y")}}),
    ]
    for number, (app, change) in enumerate(since):
        newcomer.write(change, app, created_at_us=time_ns() // 1_000 + number)
    done = theirs("diff", str(theirs.archive), "--live")
    assert done.code == 4, done.err
    assert done.out.splitlines()[:4] == ["notes: 1 added, 1 removed, 1 changed", "  + c", "  - b", "  ~ a: title"]
    assert "tasks" not in done.out  # the archive is of one app
    assert "neu" not in done.out
    shown = theirs("diff", str(theirs.archive), "--live", "--values")
    assert r'      title: "alt\u001b[31m" → "neu"' in shown.out.splitlines()
    assert theirs("diff", str(theirs.archive), "--live", "--offline", "--ignore-fields", "x, title").code == 4
    assert not [path for path in theirs.files() if "live" in path.name]


def test_two_archives_differ_by_what_the_rules_change(
    exported: Path, given: Path, here: Computer, key_file: str
) -> None:
    done = here("diff", str(exported), str(given), "--b-key-file", key_file, "--json")
    assert done.code == 4
    check("diff", done.record)
    fields: set[str] = set()
    for name, table in done.record["tables"].items():
        if name != "workbenchScenes":
            assert (table["added"], table["removed"]) == (0, 0)
        for row in table["cases"]["changed"]:
            foreign = [field for field in row["fields"] if field in registry.load().by_name[name].encrypted]
            fields |= set(row["fields"]) - set(foreign)
    assert fields <= {"visibility", "visibilityChangedBy", "unlistedToken"}
    assert done.record["comparedWithoutKey"][1] == 0
    without = here("diff", str(exported), str(given))
    assert without.code == 4
    assert "compared without key" in without.err


def test_sealed_archives_open_with_one_passphrase_or_two(exported: Path, here: Computer) -> None:
    one, two, other = (out(here, name) for name in ("one.mana", "two.mana", "other.mana"))
    for path, passphrase in ((one, PASSPHRASE), (two, PASSPHRASE), (other, OTHER)):
        env = {"MANABACKUP_PASSPHRASE": passphrase}
        assert here("seal", str(exported), "-o", str(path), env=env).code == 0
    assert here("diff", str(one), str(two)).code == 0
    assert_refused(here("diff", str(one), str(other)), 12, "wrong passphrase")
    secret = here.home / "secret"
    secret.write_text(OTHER + "\n")
    secret.chmod(0o600)
    assert here("diff", str(one), str(other), "--b-passphrase-file", str(secret)).code == 0
    assert here("diff", str(exported), str(other), env={"MANABACKUP_B_PASSPHRASE": OTHER}).code == 0


def test_what_makes_no_sense_is_refused(exported: Path, given: Path, here: Computer) -> None:
    archive = str(exported)
    assert_refused(here("diff", archive), 2, "--live")
    assert_refused(here("diff", archive, archive, "--live"), 2, "--live")
    assert_refused(here("diff", archive, archive, "--offline"), 2, "--live")
    assert_refused(here("diff", archive, archive, "--table", "nots"), 2, "neither has the table nots")
    assert_refused(here("diff", archive, str(here.home / "none.mana")), 10, "none.mana")
    wrong = here("diff", archive, str(given), env={"MANABACKUP_B_KEY": "00" * 32})
    assert_refused(wrong, 12, "another key")


# --- the disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["rekey", "diff"])
def test_a_disk_that_is_full_is_told_and_nothing_is_left(command: str, exported: Path, stocked: Computer) -> None:
    if shutil.which("bash") is None:
        pytest.skip("needs bash for ulimit")
    what: list[Any] = (
        ["rekey", str(exported), "-o", str(out(stocked))] if command == "rekey" else ["diff", str(exported)]
    )
    what += ["--live", "--offline"] if command == "diff" else []
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 16; exec "$@"', "bash", *stocked.program, *what],
        capture_output=True,
        text=True,
        env=stocked.environ,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 17, done.stderr
    assert done.stderr.splitlines()[-2 if "hint" in done.stderr else -1].startswith("error: ")
    assert not out(stocked).exists()
    assert not [path for path in stocked.files() if path.name.endswith(".part") or "live" in path.name]


def test_the_scene_of_the_personal_space_becomes_the_targets_own(
    newcomer: Newcomer, stocked: Computer, tmp_path: Path
) -> None:
    """So the web app's import puts it over the one that is there. A token does not tell which space is the target's."""
    archive = ours(tmp_path / "a.mana", {"workbenchScenes": [{"id": f"seed-home-{PERSONAL}", "name": "Home"}]})
    stocked.environ["MANABACKUP_TO_RECOVERY_CODE"] = newcomer.recovery_code
    signed_in = stocked("--profile", "new", "login", "--email", newcomer.email, env={"MANABACKUP_PASSWORD": PASSWORD})
    assert signed_in.code == 0, signed_in.err
    done = stocked("rekey", str(archive), "-o", str(out(stocked)), "--to-profile", "new", "--json")
    assert done.code == 0, done.err
    home = next(space.id for space, _ in newcomer.box.accounts.spaces.of_user(newcomer.id))
    assert list(rows_of(out(stocked))["workbenchScenes"]) == [f"seed-home-{home}"]
    stocked.environ["MANABACKUP_TO_TOKEN"] = newcomer.box.accounts.issue_token(newcomer.id)
    done = stocked("rekey", str(archive), "-o", str(out(stocked)), "--force", "--json")
    assert done.code == 0, done.err
    (identifier,) = rows_of(out(stocked))["workbenchScenes"]
    assert str(UUID(identifier)) == identifier
