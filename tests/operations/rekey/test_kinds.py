"""Archives of every kind are rekeyed: sealed, of the web app, encrypted already."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import UsageError, WrongKeyError, WrongPassphraseError
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.archives.verify import verify
from tests.support.archives import ANNA, TEAM, USER, entries, lines, manifest, opened, rows, web

from .rekeyed import BOB, KEY_A, KEY_B, PASSPHRASE, TABLES, VECTORS, rekeyed


def test_a_rekeyed_archive_is_rekeyed_with_its_own_key(source: Path, out: Path, tmp_path: Path) -> None:
    rekeyed(source, out)
    third = tmp_path / "third.mana"
    rekeyed(out, third, bytes(32), opener=FieldCipher(KEY_B))
    direct = tmp_path / "direct.mana"
    rekeyed(source, direct, bytes(32))
    for table in ("tasks", "workbenchScenes", "userSettings", "spaceMembers"):
        assert _plain(rows(third, table), bytes(32)) == _plain(rows(direct, table), bytes(32))
        assert lines(third, f"meta/{table}.jsonl") == lines(direct, f"meta/{table}.jsonl")
    assert lines(third, "meta/spaces.jsonl") == lines(direct, "meta/spaces.jsonl")
    assert manifest(third)["filter"] == {"spaces": ["#0", "personal"]}


def _plain(found: dict[str, dict[str, Any]], key: bytes) -> dict[str, dict[str, Any]]:
    return {
        identifier: {
            name: opened(value, key) if isinstance(value, str) and value.startswith("enc:1:") else value
            for name, value in row.items()
        }
        for identifier, row in found.items()
    }


def test_an_encrypted_archive_does_not_open_with_another_key_or_none(source: Path, out: Path, tmp_path: Path) -> None:
    rekeyed(source, out)
    with pytest.raises(WrongKeyError, match=FieldCipher(KEY_B).fingerprint):
        rekeyed(out, tmp_path / "x.mana", opener=FieldCipher(KEY_A))
    with pytest.raises(UsageError, match="key was not given"):
        rekeyed(out, tmp_path / "x.mana")
    assert not (tmp_path / "x.mana").exists()


def test_sealed_in_and_sealed_out(source: Path, tmp_path: Path) -> None:
    sealed, out = tmp_path / "sealed.mana", tmp_path / "out.mana"
    seal(source, sealed, lambda: PASSPHRASE)
    result = rekeyed(sealed, out, passphrase=PASSPHRASE, seal=Seal("another one", private=True), user_id=BOB)
    assert result.written.sealed
    assert BOB not in json.dumps(manifest(out))
    with pytest.raises(WrongPassphraseError):
        rekeyed(out, tmp_path / "x.mana", passphrase=PASSPHRASE, opener=FieldCipher(KEY_B))
    plain = tmp_path / "plain.mana"
    unseal(out, plain, lambda: "another one")
    assert (manifest(plain)["rekeyedFor"], manifest(plain)["userId"]) == (BOB, "-")
    assert verify(plain, cipher=FieldCipher(KEY_B)).ok


def test_the_web_apps_importer_finds_in_it_what_it_makes_of_the_plain_one(tmp_path: Path) -> None:
    """The importer drops three columns, leaves ``enc:1:`` strings alone, and stamps the rows for its own account."""
    vector = json.loads((VECTORS / "import" / "04-all-tables-sealed.json").read_text())
    assert base64.b64decode(vector["key_b64"]) == KEY_B
    out = tmp_path / "b.mana"
    result = rekeyed(VECTORS / vector["archive"], out, KEY_B, passphrase=vector["passphrase"], user_id=vector["user"])
    assert (result.losses, result.written.rows) == ({}, vector["expected"]["result"]["totalApplied"])
    stamped = {"spaceId", "authorId", "userId"}
    for table, expected in vector["expected"]["rows_decrypted"].items():
        imported = _plain(rows(out, table), KEY_B)
        for row in expected:
            found = {name: value for name, value in imported[row["id"]].items() if name not in stamped}
            for name in TABLES[table].encrypted & found.keys():
                if found[name] is not None:
                    assert isinstance(found[name], bytes), (table, name)
                    found[name] = json.loads(found[name])
            row = {name: value for name, value in row.items() if name not in stamped}
            assert found | {"visibility": "space"} == row | {"visibility": "space"}, table


def test_an_export_of_a_locked_vault_is_rekeyed_with_its_key(tmp_path: Path) -> None:
    locked = VECTORS / "archives" / "vault-locked.mana"
    with zipfile.ZipFile(locked) as container:
        state = [json.loads(line) for line in container.read("data/notes.jsonl").splitlines()]
    out = tmp_path / "b.mana"
    result = rekeyed(locked, out)
    assert (result.losses, result.encrypted_fields) == ({"ciphertextLeftOut": 6}, 0)
    result = rekeyed(locked, out, opener=FieldCipher(KEY_A), force=True)
    assert result.losses == {}
    for row in state:
        assert opened(rows(out, "notes")[row["id"]]["title"], KEY_B) == opened(row["title"], KEY_A)


def test_rows_of_a_web_archive_keep_times_and_space(tmp_path: Path, out: Path) -> None:
    stamp = {"at": "2026-04-20T08:15:30.123Z", "actor": ANNA, "origin": "user"}
    content: list[dict[str, Any]] = [
        {"title": "b", "id": "2", "spaceId": TEAM, "__fieldMeta": {"title": stamp, "spaceId": stamp}},
        {"title": "a", "id": "1", "spaceId": f"_personal:{USER}", "_updatedAtIndex": "x"},
        {"title": "c", "id": "3"},
    ]
    rekeyed(web(tmp_path / "a.mana", {"notes": content}), out)
    assert list(rows(out, "notes")) == ["1", "2", "3"]
    first, second, *rest = lines(out, "meta/notes.jsonl")
    spaces = lines(out, "meta/spaces.jsonl")
    assert (spaces[first["space"]], spaces[second["space"]]) == ({"type": "personal"}, {})
    assert (second["at"], rest) == ("2026-04-20T08:15:30.123Z", [])
    assert USER.encode() not in b"".join(entries(out).values())
