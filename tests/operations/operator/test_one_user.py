"""One user's account out of Mana's databases."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import WrongKeyError
from manabackup.operations.account.state import StateFolder
from manabackup.operations.archives.unlock import unlock_archive
from manabackup.operations.operator import DatabasePlaces, Opening, export_user
from manabackup.sandbox import Sandbox
from manabackup.sandbox.population import Account
from tests.support import mana_database, s3
from tests.support.processes import CommandLine
from tests.support.schemas import check

from .conftest import Town

ENTRIES = ("data/", "meta/")


def entries(path: Path) -> dict[str, bytes]:
    """Rows, meta lines and problems of an archive."""
    with open_archive(path) as archive:
        names = archive.reader.container.entries
        return {name: b"".join(archive.reader.chunks(name)) for name in names if name.startswith(ENTRIES)}


def over_http(town: Town, who: Account, home: Path) -> Path:
    """The account as its owner exports it."""
    home.mkdir()
    line = CommandLine(home)
    with Sandbox(folder=town.folder) as box:
        line.at(box.url)
        line.environ |= {"MANABACKUP_PASSWORD": who.password, "MANABACKUP_RECOVERY_CODE": who.recovery_code or ""}
        assert line("login", "--email", who.email).code == 0
        done = line("export", "-o", str(home / "a.mana"), "--json")
    assert done.code in (0, 3), done.err
    return home / "a.mana"


def test_a_standard_account_is_the_same_over_http_and_from_the_database(
    town: Town, state: StateFolder, tmp_path: Path
) -> None:
    done = export_user(
        DatabasePlaces(town.dsn), town.bert.email, tmp_path / "b.mana", state, opening=Opening(mana_database.KEK)
    )
    assert (done.result.status, done.opened) == ("complete", True)
    theirs, ours = entries(over_http(town, town.bert, tmp_path / "http")), entries(tmp_path / "b.mana")
    assert without_problems(ours) == without_problems(theirs)


def test_a_zero_knowledge_account_stays_sealed_and_is_complete(town: Town, state: StateFolder, tmp_path: Path) -> None:
    done = export_user(DatabasePlaces(town.dsn), town.anna.user_id, tmp_path / "a.mana", state)
    with open_archive(tmp_path / "a.mana") as archive:
        manifest = archive.manifest
        assert (manifest.fields_plaintext, manifest.key_fingerprint) == (False, None)
        assert FieldCipher(town.anna.master_key).fingerprint not in str(manifest.raw)
    assert done.result.completeness["notices"]["leftSealed"] > 100
    assert "undecryptable" not in done.result.completeness["losses"]


def test_the_command_reads_secrets_from_their_sources(town: Town, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    done = line("export", "--from-database", "--user", town.bert.email, "-o", str(tmp_path / "b.mana"))
    assert (done.code, "--sync-dsn-file" in done.err) == (2, True)
    line.environ |= {"MANABACKUP_SYNC_DSN": town.dsn, "MANABACKUP_KEK": base64.b64encode(bytes(32)).decode()}
    wrong = line("export", "--from-database", "--user", town.bert.email, "-o", str(tmp_path / "b.mana"))
    assert (wrong.code, "wrong key" in wrong.err) == (12, True)
    line.environ["MANABACKUP_KEK"] = base64.b64encode(mana_database.KEK).decode()
    done = line("export", "--from-database", "--user", town.bert.email, "-o", str(tmp_path / "b.mana"), "--json")
    assert done.code == 0, done.err
    check("export", done.record)
    assert (done.record["openedWithKek"], done.record["vault"]) == (True, "standard")
    assert line("verify", str(tmp_path / "b.mana")).code == 0
    assert line("export", "--from-database", "--user", "nobody", "-o", str(tmp_path / "c.mana")).code == 10
    assert line("export", "--user", "nobody", "-o", str(tmp_path / "c.mana")).code == 2
    assert line("export", "--json").code == 2


def test_an_archive_in_a_bucket_can_be_locked(town: Town, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    with s3.moto() as port:
        line.environ |= s3.KEYS | {
            "MANABACKUP_SYNC_DSN": town.dsn,
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        }
        locked = s3.new_bucket(port, locked=True)
        words = ["export", "--from-database", "--retain", "30d"]
        done = line(*words, "--user", town.bert.user_id, "-o", f"s3://{locked}/b.mana")
        assert done.code in (0, 3), done.err
        assert s3.headers(port, f"/{locked}/b.mana")["x-amz-object-lock-mode"] == "COMPLIANCE"
    for where in (
        ["--user", town.bert.user_id, "-o", str(tmp_path / "b.mana")],
        ["--all-users", str(tmp_path / "all")],
    ):
        refused = line(*words, *where)
        assert (refused.code, "no other place can promise it" in refused.err) == (2, True)


def test_a_sealed_account_is_no_damage_for_verify(town: Town, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    line.environ["MANABACKUP_SYNC_DSN"] = town.dsn
    assert line("export", "--from-database", "--user", town.anna.user_id, "-o", str(tmp_path / "a.mana")).code in (0, 3)
    described = line("info", str(tmp_path / "a.mana"), "--json")
    check("info", described.record)
    assert (described.record["source"]["vault"], described.record["fieldsAsStored"]) == ("zero-knowledge", True)
    assert "taken out of" in line("info", str(tmp_path / "a.mana")).out
    done = line("verify", str(tmp_path / "a.mana"), "--json")
    assert done.code == 0, done.out + done.err


def test_its_owner_opens_it_without_a_server_and_has_what_an_export_gives(town: Town, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    closed, mine = str(tmp_path / "closed.mana"), str(tmp_path / "mine.mana")
    line.environ["MANABACKUP_SYNC_DSN"] = town.dsn
    assert line("export", "--from-database", "--user", town.anna.user_id, "-o", closed).code in (0, 3)
    del line.environ["MANABACKUP_SYNC_DSN"]
    line.environ["MANABACKUP_RECOVERY_CODE"] = "0" * 64
    wrong = line("unlock", closed, "-o", mine)
    assert (wrong.code, "wrong recovery code" in wrong.err) == (12, True)
    line.environ["MANABACKUP_RECOVERY_CODE"] = town.anna.recovery_code or ""
    done = line("unlock", closed, "-o", mine, "--json")
    assert done.code in (0, 3), done.err
    check("unlock", done.record)
    (tmp_path / "new-key").write_bytes(bytes(range(1, 33)))
    for source, target in ((closed, "of-closed.mana"), (mine, "of-mine.mana")):
        rekeyed = line("rekey", source, "--to-key-file", str(tmp_path / "new-key"), "-o", str(tmp_path / target))
        assert rekeyed.code in (0, 3), rekeyed.err
    same = line(
        "diff",
        *(str(tmp_path / name) for name in ("of-closed.mana", "of-mine.mana")),
        "--key-file",
        str(tmp_path / "new-key"),
    )
    assert same.code == 0, same.out
    theirs, ours = entries(over_http(town, town.anna, tmp_path / "http")), entries(Path(mine))
    assert without_problems(ours) == without_problems(theirs)
    assert line("verify", mine).code == 0
    assert line("unlock", mine, "-o", str(tmp_path / "again.mana")).code == 2


def test_another_accounts_key_opens_nothing_and_is_told(town: Town, state: StateFolder, tmp_path: Path) -> None:
    export_user(DatabasePlaces(town.dsn), town.anna.user_id, tmp_path / "a.mana", state)
    with open_archive(tmp_path / "a.mana") as archive, pytest.raises(WrongKeyError):
        unlock_archive(archive, tmp_path / "b.mana", FieldCipher(town.bert.master_key))
    assert not (tmp_path / "b.mana").exists()


def without_problems(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: text for name, text in found.items() if name != "meta/problems.jsonl"}
