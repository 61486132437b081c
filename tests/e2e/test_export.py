"""``export``: what the account's owner sees is what stands in the archive."""

from __future__ import annotations

import os
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from manabackup.model import registry
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Truth
from manabackup.text import jsontext
from tests.support import schemas
from tests.support.homes import Computer, Newcomer, Owner, Rows, assert_refused, entry, filled, manifest_of, rows_of
from tests.support.line import Line

REGISTRY = registry.load()


# --- the whole account ------------------------------------------------------------------------------------------------


def test_the_whole_account_is_in_the_archive(pulled: Computer, owner: Owner) -> None:
    rows = rows_of(pulled.archive)
    assert filled(rows) == owner.live
    assert rows.keys() == {*(table.name for table in REGISTRY.tables), "news.savedArticles"}
    assert stat.S_IMODE(pulled.archive.stat().st_mode) == 0o600


def test_a_sealed_archive_holds_the_same_and_shows_nothing_of_it(
    stocked: Computer, pulled: Computer, owner: Owner
) -> None:
    done = stocked.export("--seal", "--offline")
    assert (done.code, done.record["sealed"]) == (0, True)
    opened = stocked.home / "opened.mana"
    assert stocked("unseal", str(stocked.archive), "-o", str(opened)).code == 0
    assert rows_of(opened) == rows_of(pulled.archive)
    assert done.record["dataSha256"] == manifest_of(pulled.archive)["dataSha256"]
    with zipfile.ZipFile(stocked.archive) as archive:
        assert archive.namelist() == ["manifest.json", "data.sealed", "README.md"]
    assert {"dataSha256", "completeness"}.isdisjoint(manifest_of(stocked.archive))


def test_a_private_seal_tells_neither_whose_it_is_nor_what_it_holds(stocked: Computer, owner: Owner) -> None:
    assert stocked.export("--seal", "--private", "--offline", "--app", "notes").code == 0
    outer = manifest_of(stocked.archive)
    assert (outer["userId"], outer["rowCounts"], outer["scope"]) == ("-", {}, {"type": "full"})
    assert outer["exportedAt"].endswith("T00:00:00.000Z")
    assert owner.account.user_id.encode() not in stocked.archive.read_bytes()
    assert_refused(stocked.export("--private", "--offline", "--force"), 2, "--private goes with --seal")


def test_the_checksums_inside_are_those_of_sha256sum(pulled: Computer, tmp_path: Path) -> None:
    with zipfile.ZipFile(pulled.archive) as archive:
        archive.extractall(tmp_path)
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=tmp_path, check=False)
    assert checked.returncode == 0


def test_the_account_services_own_answer_is_taken_along(pulled: Computer, owner: Owner) -> None:
    data = jsontext.parse(entry(pulled.archive, "account/data.json"))
    assert owner.account.email in jsontext.dumps(data).decode()


def test_the_web_apps_settings_are_taken_along(newcomer: Newcomer, theirs: Computer, box: Sandbox) -> None:
    box.accounts.set_settings(newcomer.id, globalSettings={"locale": "gsw"}, appOverrides={"todo": {"theme": {}}})
    assert theirs.export().code == 0
    told = jsontext.parse(entry(theirs.archive, "account/settings.json"))
    assert told == {"success": True, **box.accounts.settings(newcomer.id)}
    assert (told["globalSettings"], told["appOverrides"]) == ({"locale": "gsw"}, {"todo": {"theme": {}}})


def test_what_is_told_as_json_is_what_was_written(stocked: Computer) -> None:
    done = stocked.export("--offline")
    schemas.check("export", done.record)
    manifest = manifest_of(stocked.archive)
    assert done.record["archive"] == str(stocked.archive)
    assert done.record["bytes"] == stocked.archive.stat().st_size
    assert done.record["rows"] == sum(manifest["rowCounts"].values())
    assert done.record["tables"] == len(manifest["rowCounts"])
    assert done.record["dataSha256"] == manifest["dataSha256"]
    assert done.record["status"] == manifest["completeness"]["status"] == "complete"
    assert done.record["completeness"]["changes"] == manifest["completeness"]["changes"]


def test_people_are_told_that_a_plain_archive_can_be_read_by_anybody(stocked: Computer) -> None:
    done = stocked("export", "--offline", "-o", str(stocked.home / "a.mana"))
    assert done.out.startswith(f"{stocked.home / 'a.mana'}: complete, ")
    assert "not encrypted: who holds it can read it" in done.err
    done = stocked("export", "--offline", "--seal", "-o", str(stocked.home / "b.mana"))
    assert "who holds it can read it" not in done.err


def test_exporting_changes_nothing_on_the_servers(here: Computer, owner: Owner, box: Sandbox, line: Line) -> None:
    before, seen = box.log.count(), len(line.asked)
    assert here.export().code == 0
    assert box.log.count() == before
    asked = line.asked[seen:]
    posts = {target for method, target in asked if method != "GET"}
    assert {method for method, _ in asked} == {"GET", "POST"}
    assert all(target.startswith("/sync/") for target in posts)
    vault = {target for _, target in asked if "vault" in target}
    assert vault <= {"/api/v1/me/encryption-vault/key", "/api/v1/me/encryption-vault/status"}


def test_two_exports_of_one_state_are_the_same_file_under_source_date_epoch(stocked: Computer) -> None:
    env = {"SOURCE_DATE_EPOCH": "1767225600"}
    other = stocked.home / "out" / "other.mana"
    assert stocked.export(env=env).code == 0
    assert stocked.export(env=env, output=other).code == 0
    assert stocked.archive.read_bytes() == other.read_bytes()
    assert manifest_of(other)["exportedAt"] == "2026-01-01T00:00:00.000Z"


def test_the_date_of_a_build_is_written_told_and_no_measure_of_the_future(stocked: Computer) -> None:
    plain = stocked.export("--offline", "--app", "notes", "--app", "todo")
    other = stocked.home / "out" / "other.mana"
    for epoch, date in (("315532800", "1980-01-01"), ("0", "1970-01-01"), ("32472144000", "2999-01-01")):
        done = stocked.export(
            "--offline", "--app", "notes", "--app", "todo", "--force", env={"SOURCE_DATE_EPOCH": epoch}, output=other
        )
        assert (done.code, done.record["completeness"]) == (plain.code, plain.record["completeness"])
        assert f"warning: the archive will say that it was made on {date}: SOURCE_DATE_EPOCH is set\n" in done.err
        assert manifest_of(other)["exportedAt"] == f"{date}T00:00:00.000Z"


def test_the_date_of_a_build_that_is_empty_is_not_set_and_one_that_is_none_is_told(stocked: Computer) -> None:
    done = stocked.export("--offline", "--app", "notes", env={"SOURCE_DATE_EPOCH": ""})
    assert (done.code, "SOURCE_DATE_EPOCH" in done.err) == (0, False)
    for wrong in ("soon", "-1", "1.5", "1_000", " 1", "9" * 20, "９"):
        done = stocked.export("--offline", "--force", env={"SOURCE_DATE_EPOCH": wrong})
        assert (done.code, done.out) == (2, "")
        assert done.err == "error: SOURCE_DATE_EPOCH is not a number of seconds\n"


def test_two_sealed_exports_share_no_salt_and_confirm_no_guess(stocked: Computer) -> None:
    env, other = {"SOURCE_DATE_EPOCH": "1767225600"}, stocked.home / "out" / "other.mana"
    for output in (stocked.archive, other):
        assert stocked.export("--seal", "--offline", "--app", "notes", env=env, output=output).code == 0
    one, two = (manifest_of(path)["passphrase"] for path in (stocked.archive, other))
    for key in ("kdfSaltBase64", "ivBase64", "plaintextSha256"):
        assert one[key] != two[key]


# --- parts of it ------------------------------------------------------------------------------------------------------


def _apps(rows: Rows, *apps: str) -> Rows:
    return {table: found for table, found in rows.items() if REGISTRY.by_name[table].app in apps}


def test_apps_choose_tables(stocked: Computer, owner: Owner) -> None:
    assert stocked.export("--offline", "--app", "notes", "--app", "todo").code == 0
    rows = rows_of(stocked.archive)
    assert rows.keys() == {table.name for table in REGISTRY.tables if table.app in ("notes", "todo")}
    assert filled(rows) == _apps(owner.truth.rows, "notes", "todo") != {}
    assert manifest_of(stocked.archive)["scope"] == {"type": "filtered", "appIds": ["notes", "todo"]}


def test_tables_are_chosen_by_name(stocked: Computer, owner: Owner) -> None:
    assert stocked.export("--offline", "--table", "tasks", "--table", "news.savedArticles").code == 0
    assert rows_of(stocked.archive) == {name: owner.live[name] for name in ("tasks", "news.savedArticles")}
    manifest = manifest_of(stocked.archive)
    assert manifest["filter"] == {"tables": ["tasks", "news.savedArticles"]}
    assert manifest["scope"]["type"] == "filtered"


def test_spaces_choose_rows_and_each_row_lies_in_one(stocked: Computer, owner: Owner) -> None:
    (team,) = owner.account.shared_spaces
    shared: Rows = {}
    for table, rows in owner.live.items():
        for record, values in rows.items():
            if values.get("spaceId") == team:
                shared.setdefault(table, {})[record] = values
    assert stocked.export("--offline", "--space", team).code == 0
    assert filled(rows_of(stocked.archive)) == shared != {}
    assert stocked.export("--offline", "--space", "personal", "--force").code == 0
    personal = filled(rows_of(stocked.archive))
    assert {table: personal.get(table, {}) | shared.get(table, {}) for table in owner.live} == owner.live
    assert all(shared.get(table, {}).keys().isdisjoint(rows) for table, rows in personal.items())
    assert manifest_of(stocked.archive)["filter"] == {"spaces": ["personal"]}


def test_a_space_that_no_row_lies_in_is_noted(stocked: Computer, owner: Owner) -> None:
    (team,) = owner.account.shared_spaces
    done = stocked.export("--offline", "--space", team, "--space", "personal", "--table", "userSettings")
    assert (done.code, done.record["completeness"]["notices"]["spaceWithoutRows"]) == (0, 1)
    cases = manifest_of(stocked.archive)["completeness"]["notices"]["spaceWithoutRows"]["cases"]
    assert cases == [{"table": "account", "reason": team}]


def test_a_space_that_nobody_knows_of_is_a_mistake(stocked: Computer, owner: Owner) -> None:
    (team,) = owner.account.shared_spaces
    done = stocked.export("--offline", "--space", "personal", "--space", f"{team[:-1]}_")
    assert_refused(done, 2, "the account has no space")
    assert f"hint: did you mean {team}?" in done.err
    done = stocked.export("--offline", "--space", "elsewhere")
    assert_refused(done, 2, "the account has no space elsewhere")
    assert team in done.err
    assert not stocked.archive.exists()


def test_the_bin_comes_along_when_asked_for(stocked: Computer, owner: Owner) -> None:
    assert stocked.export("--offline", "--include-deleted").code == 0
    rows = rows_of(stocked.archive)
    expected = {
        table: owner.live.get(table, {}) | owner.truth.tombstones.get(table, {})
        for table in owner.live.keys() | owner.truth.tombstones.keys()
    }
    assert owner.truth.tombstones
    assert filled(rows) == expected
    assert manifest_of(stocked.archive)["filter"] == {"deleted": True}


def test_rows_stand_as_they_stood_at_an_instant(newcomer: Newcomer, theirs: Computer) -> None:
    def day(number: int) -> str:
        return f"2026-01-{number:02}T12:00:00.000Z"

    title, better = newcomer.sealed("Entwurf"), newcomer.sealed("Reinschrift")
    newcomer.write({"id": "n1", "data": {"title": title, "createdAt": day(1)}})
    newcomer.write({"id": "n1", "op": "update", "fields": {"title": {"value": better, "at": day(3)}}})
    newcomer.write({"id": "n2", "data": {"title": title, "createdAt": day(4)}})
    newcomer.write({"id": "n1", "op": "delete", "deletedAt": day(6)})
    assert theirs("pull").code == 0

    def at(instant: str) -> dict[str, object]:
        done = theirs.export("--as-of", instant, "--key-file", str(key), "--offline", "--force", "--table", "notes")
        assert done.code == 0, done.err
        return {record: values["title"] for record, values in rows_of(theirs.archive)["notes"].items()}

    key = theirs.home / "key"
    key.write_bytes(newcomer.key)
    key.chmod(0o600)
    assert at(day(1)) == {"n1": "Entwurf"}
    assert at(day(2)) == {"n1": "Entwurf"}
    assert at(day(5)) == {"n1": "Reinschrift", "n2": "Entwurf"}
    assert at("2026-01-05T13:00:00+01:00") == {"n1": "Reinschrift", "n2": "Entwurf"}
    assert at(day(7)) == {"n2": "Entwurf"}
    assert at("2025-12-31T23:59:59Z") == {}
    assert manifest_of(theirs.archive)["filter"] == {"tables": ["notes"], "asOf": "2025-12-31T23:59:59Z"}


def test_an_app_that_no_registry_knows_is_read_when_it_is_named(newcomer: Newcomer, theirs: Computer) -> None:
    newcomer.write({"table": "sheep", "id": "s1", "data": {"name": newcomer.sealed("Dolly")}}, "farm")
    assert theirs.export().code == 0
    assert "farm.sheep" not in rows_of(theirs.archive)
    done = theirs.export("--extra-app", "farm", "--force")
    assert done.record["completeness"]["notices"]["unknownCollection"] == 1
    assert rows_of(theirs.archive)["farm.sheep"] == {"s1": {"name": "Dolly"}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--app", "note"], "did you mean notes"),
        (["--table", "taskz"], "did you mean tasks"),
        (["--as-of", "yesterday"], "2026-05-01T12:00:00Z"),
        (["--app", "todo", "--table", "notes"], "none of the tables"),
    ],
)
def test_a_selection_that_makes_no_sense_is_2_and_writes_nothing(
    stocked: Computer, arguments: list[str], words: str
) -> None:
    assert_refused(stocked.export("--offline", *arguments), 2, words)
    assert list(stocked.archive.parent.iterdir()) == []


# --- what is missing is said ------------------------------------------------------------------------------------------


def test_losses_end_with_3_and_stand_in_the_archive(newcomer: Newcomer, theirs: Computer) -> None:
    newcomer.write(
        {"id": "n1", "data": {"title": newcomer.sealed("x", key=bytes(32)), "content": newcomer.sealed("y")}}
    )
    newcomer.write({"id": "n2", "data": {"title": newcomer.sealed("x", key=bytes(32)), "content": "enc:1:typed"}})
    newcomer.write(
        {"id": "n3", "op": "update", "fields": {"title": {"value": newcomer.sealed("z"), "at": "2026-02-01"}}}
    )
    newcomer.write({"id": "n4", "op": "insert", "actor": 3, "data": {"title": newcomer.sealed("lost")}})
    done = theirs.export()
    assert done.code == 3
    assert done.record["status"] == "partial"
    assert done.record["completeness"]["losses"] == {"malformedChange": 1, "undecryptable": 2}
    assert "warning: undecryptable: 2" in done.err
    losses = manifest_of(theirs.archive)["completeness"]["losses"]
    assert {(case["id"], case["field"]) for case in losses["undecryptable"]["cases"]} == {
        ("n1", "title"),
        ("n2", "title"),
    }
    rows = rows_of(theirs.archive)["notes"]
    assert rows["n1"]["content"] == "y"
    assert rows["n2"]["content"] == "enc:1:typed"
    assert "noted: likeCiphertext: 1" in done.err
    assert rows["n1"]["title"].startswith("enc:1:")
    assert rows["n3"]["title"] == "z"
    assert len(entry(theirs.archive, "meta/problems.jsonl").splitlines()) >= 3


def test_notices_end_with_3_only_when_that_is_wanted(stocked: Computer) -> None:
    done = stocked.export("--offline", "--strict")
    assert (done.code, done.record["status"]) == (3, "complete")
    assert done.record["completeness"]["notices"]
    assert stocked.archive.exists()
    quiet = stocked("export", "--offline", "--strict", "-q", "--force", "-o", str(stocked.archive))
    assert (quiet.code, "warning: noted: " in quiet.err) == (3, True)
    assert stocked.export("--offline", "--strict", "--app", "habits", "--force").record["status"] == "complete"


def test_with_a_token_alone_fields_that_may_be_other_members_are_no_loss(
    owner: Owner, signed_in: Computer, box: Sandbox, tmp_path: Path
) -> None:
    computer = owner.at(Computer(tmp_path, box.url))
    token = {"MANABACKUP_TOKEN": box.accounts.issue_token(owner.account.user_id)}
    done = computer.export(env=token)
    assert (done.code, done.record["status"]) == (0, "complete")
    kept = _kept(owner.truth)
    notices = done.record["completeness"]["notices"]
    assert notices["spaceTypesUnknown"] == 1
    assert notices["foreignOrUndecryptable"] == len(kept)
    assert "foreignCiphertext" not in notices
    assert f"noted: foreignOrUndecryptable: {len(kept)} " in done.err
    assert "`manabackup login` tells" in done.err
    assert filled(rows_of(computer.archive)) == owner.live
    assert computer.export("--force", "--strict", env=token).code == 3


def test_with_a_token_and_a_key_that_opens_nothing_everything_is_lost(
    newcomer: Newcomer, theirs: Computer, tmp_path: Path
) -> None:
    """However little the changes tell of who wrote them."""
    for number in range(2):
        newcomer.write({"id": f"n{number}", "data": {"title": newcomer.sealed("x"), "spaceId": "s"}, "spaceId": "s"})
    (tmp_path / "key").write_text("11" * 32)
    done = theirs.export("--key-file", str(tmp_path / "key"))
    assert (done.code, done.record["completeness"]["losses"]) == (3, {"undecryptable": 2})


def test_what_a_login_told_of_spaces_is_remembered_for_tokens(owner: Owner, stocked: Computer, box: Sandbox) -> None:
    done = stocked.export(env={"MANABACKUP_TOKEN": box.accounts.issue_token(owner.account.user_id)})
    assert done.code == 0
    notices = done.record["completeness"]["notices"]
    assert (notices["foreignCiphertext"], notices["spaceTypesUnknown"]) == (len(_kept(owner.truth)), 1)
    assert "foreignOrUndecryptable" not in notices


def test_a_token_writes_nothing_into_the_account(owner: Owner, box: Sandbox, line: Line, tmp_path: Path) -> None:
    """The one call that tells a token of memberships would write rows that are missing."""
    computer = owner.at(Computer(tmp_path, box.url))
    line.requests.clear()
    assert computer.export(env={"MANABACKUP_TOKEN": box.accounts.issue_token(owner.account.user_id)}).code == 0
    pushed = [target for method, target in line.asked if method != "GET" and not target.startswith("/sync/")]
    assert pushed == []


def _kept(truth: Truth) -> set[tuple[str, str, str]]:
    """Foreign fields of rows that are there."""
    return {case for case in truth.foreign if case[1] in truth.rows.get(case[0], {})}


def test_account_data_that_cannot_be_had_is_noted_and_nothing_else_fails(here: Computer, line: Line) -> None:
    def reply(method: str, target: str) -> tuple[int, bytes] | None:
        return (404, b'{"error":"no such user"}') if target == "/api/v1/me/data/export" else None

    with line.answering(reply):
        done = here.export()
    assert done.code == 0
    assert done.record["completeness"]["notices"]["accountDataMissing"] == 1
    with zipfile.ZipFile(here.archive) as archive:
        assert [name for name in archive.namelist() if name.startswith("account/")] == ["account/settings.json"]


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"404 Not Found"),
        (403, b'{"statusCode":403}'),
        (200, b'{"success":false}'),
        (200, b"[]"),
        (200, b"<html>"),
    ],
    ids=["no such call", "refused", "no settings", "no object", "no JSON"],
)
def test_settings_that_cannot_be_had_are_noted_and_nothing_else_fails(
    here: Computer, line: Line, answer: tuple[int, bytes]
) -> None:
    with line.answering(lambda method, target: answer if target == "/api/v1/settings" else None):
        done = here.export()
    assert done.code == 0
    assert done.record["completeness"]["notices"]["accountSettingsMissing"] == 1
    assert "accountDataMissing" not in done.record["completeness"]["notices"]
    with zipfile.ZipFile(here.archive) as archive:
        assert [name for name in archive.namelist() if name.startswith("account/")] == ["account/data.json"]


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["raw", "hex", "base64"])
def test_a_key_file_opens_everything_in_three_spellings(
    stocked: Computer, pulled: Computer, owner: Owner, spelling: str
) -> None:
    from base64 import b64encode

    key = owner.account.master_key
    file = stocked.home / "key"
    file.write_bytes({"raw": key, "hex": key.hex().encode() + b"\n", "base64": b64encode(key) + b"\n"}[spelling])
    file.chmod(0o600)
    del stocked.environ["MANABACKUP_RECOVERY_CODE"]
    done = stocked.export("--offline", "--key-file", str(file))
    assert (done.code, done.record["dataSha256"]) == (0, manifest_of(pulled.archive)["dataSha256"])


@pytest.mark.parametrize("code", ["00" * 32, "AB-CD", "not a code"])
def test_a_wrong_recovery_code_is_12_and_writes_nothing(stocked: Computer, code: str) -> None:
    done = stocked.export("--offline", env={"MANABACKUP_RECOVERY_CODE": code})
    assert_refused(done, 12, "recovery code")
    assert code not in done.err
    assert list(stocked.archive.parent.iterdir()) == []


def test_without_a_recovery_code_it_says_what_to_pass(stocked: Computer) -> None:
    assert_refused(stocked.export("--offline", env={"MANABACKUP_RECOVERY_CODE": ""}), 2, "--recovery-code-file")


def test_S7_another_key_than_before_stops_until_it_is_accepted(
    newcomer: Newcomer, theirs: Computer, box: Sandbox
) -> None:
    newcomer.write({"id": "n1", "data": {"title": newcomer.sealed("alt")}})
    assert theirs.export().code == 0
    first = theirs.archive.read_bytes()
    new_key = bytes(range(1, 33))
    code = str(box.accounts.set_vault(newcomer.id, "zero-knowledge", new_key))
    newcomer.write({"id": "n2", "data": {"title": newcomer.sealed("neu", key=new_key)}}, created_at_us=None)
    theirs.environ["MANABACKUP_RECOVERY_CODE"] = code
    assert_refused(theirs.export("--force"), 12, "--accept-new-key")
    assert theirs.archive.read_bytes() == first
    old = {"MANABACKUP_RECOVERY_CODE": newcomer.recovery_code}
    assert theirs.export("--force", "--offline", env=old).code == 0
    done = theirs.export("--force", "--accept-new-key")
    assert (done.code, done.record["completeness"]["losses"]) == (3, {"undecryptable": 1})
    rows = rows_of(theirs.archive)["notes"]
    assert rows["n2"]["title"] == "neu"
    assert rows["n1"]["title"].startswith("enc:1:")
    assert theirs.export("--force").code == 3


def test_a_vault_that_is_gone_is_12_and_not_taken_for_an_account_without_one(
    newcomer: Newcomer, theirs: Computer, line: Line
) -> None:
    newcomer.write({"id": "n1", "data": {"title": newcomer.sealed("x")}})
    assert theirs.export().code == 0

    def reply(method: str, target: str) -> tuple[int, bytes] | None:
        if target.endswith("/encryption-vault/key"):
            return 404, b'{"error":"no vault","code":"VAULT_NOT_INITIALISED"}'
        return None

    with line.answering(reply):
        assert_refused(theirs.export("--force"), 12, "vault is gone")
        assert_refused(theirs.export("--force", "--accept-new-key"), 12, "vault is gone")
    assert rows_of(theirs.archive)["notes"]["n1"]["title"] == "x"
    # What the mirror remembers of the vault before is not given up for what cannot be the same.
    assert theirs.export("--force", "--offline").code == 0


def test_the_user_is_told_when_the_server_knows_the_key(newcomer: Newcomer, theirs: Computer, box: Sandbox) -> None:
    box.accounts.set_vault(newcomer.id, "standard", newcomer.key)
    newcomer.write({"id": "n1", "data": {"title": newcomer.sealed("x")}})
    done = theirs.export(env={"MANABACKUP_RECOVERY_CODE": ""})
    assert done.code == 0
    assert "known to the server" in done.err
    assert rows_of(theirs.archive)["notes"]["n1"]["title"] == "x"
    assert_refused(theirs.export("--offline", "--force", env={"MANABACKUP_RECOVERY_CODE": ""}), 2, "--key-file")


def test_an_account_without_a_vault_is_exported_as_it_is(box: Sandbox, tmp_path: Path) -> None:
    somebody = Newcomer(box, "no-vault", vault=False)
    somebody.write({"id": "n1", "data": {"title": "offen"}})
    computer = somebody.at(Computer(tmp_path, box.url))
    for arguments in ([], ["--offline", "--force"]):
        done = computer.export(*arguments)
        assert (done.code, done.record["completeness"]["losses"]) == (0, {})
        assert "no vault" in done.err
        assert rows_of(computer.archive)["notes"]["n1"]["title"] == "offen"


# --- where it is written ----------------------------------------------------------------------------------------------


def test_an_existing_file_is_replaced_only_by_force_and_found_before_anything_is_asked(
    stocked: Computer, line: Line
) -> None:
    stocked.archive.parent.mkdir()
    stocked.archive.write_text("precious")
    seen = len(line.asked)
    assert_refused(stocked.export(env={"MANABACKUP_RECOVERY_CODE": ""}), 17, "--force replaces it")
    assert (len(line.asked), stocked.archive.read_text()) == (seen, "precious")
    assert stocked.export("--offline", "--force").code == 0
    assert manifest_of(stocked.archive)["formatVersion"] == 2


def test_a_folder_that_does_not_exist_or_is_in_the_way_is_17(stocked: Computer) -> None:
    for output in (stocked.home / "no" / "such" / "a.mana", stocked.home):
        done = stocked("export", "--offline", "--force", "-o", str(output))
        assert_refused(done, 17)


def test_the_mirror_alone_will_do(stocked: Computer, pulled: Computer, owner: Owner, line: Line) -> None:
    seen = len(line.asked)
    done = stocked.export("--offline")
    assert (done.code, len(line.asked)) == (0, seen)
    assert rows_of(stocked.archive) == rows_of(pulled.archive)
    assert done.record["completeness"]["pulledAt"] is not None


def test_without_a_mirror_or_a_name_there_is_nothing_to_export_offline(here: Computer, tmp_path: Path) -> None:
    assert_refused(here.export("--offline"), 10, "manabackup pull")
    here.environ["MANABACKUP_STATE_DIR"] = str(tmp_path / "empty")
    assert_refused(here.export("--offline"), 13)
    assert list(here.archive.parent.iterdir()) == []


def test_a_symbolic_link_leads_to_the_file_that_is_replaced(stocked: Computer) -> None:
    stocked.archive.parent.mkdir()
    real = stocked.home / "real.mana"
    stocked.archive.symlink_to(real)
    assert stocked.export("--offline", "--app", "notes").code == 0
    assert stocked.archive.is_symlink()
    assert stat.S_ISREG(os.lstat(real).st_mode)
    assert "notes" in rows_of(real)
