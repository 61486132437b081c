"""Secrets and capabilities of an account do not leave it: the table of them, and what rekey and restore make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.model import registry
from manabackup.operations.rekey import RekeyResult, rekey
from manabackup.rows.capabilities import OF_TABLE, capability_fields, held, within
from manabackup.rows.identity import TOKEN
from tests.support.archives import PERSONAL, entries, lines, manifest, meta_of, ours, rows

CIPHER = FieldCipher(bytes(range(32)))
AT = {"at": "2026-04-20T08:15:30.123Z", "actor": None, "origin": "user"}

SECRETS: dict[str, dict[str, Any]] = {
    "links": {"password": "a-secret-sesam"},
    "socialEvents": {"publicToken": "a-secret-link"},
    "eventInvitations": {"token": "a-secret-invitation"},
    "aiMissions": {"grant": {"wrappedKey": "a-secret-key"}, "grant.expiresAt": "a-secret-path"},
    "tasks": {"unlistedToken": "a-secret-token"},
    "new.things": {"password": "a-secret-of-a-newer-app", "unlistedToken": "a-secret-token"},
}


def rekeyed(path: Path, target: Path, **options: Any) -> RekeyResult:
    with open_archive(path) as archive:
        return rekey(archive, target, CIPHER, **options)


def archive(path: Path) -> Path:
    """A row of each table with a secret, and one without."""
    tables = {
        name: [{"id": "none", "visibility": "unlisted", **dict.fromkeys(fields)}, {"id": "one", "order": 1, **fields}]
        for name, fields in SECRETS.items()
    }
    meta = {
        name: [
            meta_of(row, **AT, fields={**dict.fromkeys(fields, AT), "grant.wrappedKey": AT, "order": AT}) for row in of
        ]
        for (name, of), fields in zip(tables.items(), SECRETS.values(), strict=True)
    }
    return ours(path, tables, meta=meta)


def test_the_table_names_tables_that_there_are_and_no_field_that_is_encrypted() -> None:
    known = registry.load().by_name
    assert OF_TABLE.keys() <= known.keys()
    for name, table in known.items():
        assert not capability_fields(name) & table.encrypted
        assert not capability_fields(name) & table.references.keys()


def test_any_table_may_have_a_token_and_an_unknown_one_all_the_others() -> None:
    assert capability_fields("notes") == {TOKEN}
    assert capability_fields("links") == {TOKEN, "password"}
    assert capability_fields("new.things", known=False) >= {TOKEN, "password", "grant"}


def test_paths_into_a_field_are_part_of_it() -> None:
    fields = frozenset({"grant"})
    assert within(["grant", "grant.a.b", "grants", "a.grant"], fields) == ["grant", "grant.a.b"]
    assert held({"grant": None, "grant.a": 1, "b": 2}, fields) == ["grant.a"]


@pytest.mark.parametrize("keep_visibility", [False, True])
def test_none_goes_into_an_archive_for_another_account_and_each_is_named(tmp_path: Path, keep_visibility: bool) -> None:
    out = tmp_path / "out.mana"
    result = rekeyed(archive(tmp_path / "a.mana"), out, keep_visibility=keep_visibility)
    cases = {(name, field) for name, fields in SECRETS.items() for field in fields}
    if keep_visibility:  # the token goes with what it is for, when that is asked for
        cases = {(name, field) for name, field in cases if field != TOKEN}
    assert (result.status, result.notices) == ("complete", {"capabilityLeftOut": len(cases)})
    found = manifest(out)["completeness"]["notices"]["capabilityLeftOut"]["cases"]
    assert {(case["table"], case["field"]) for case in found} == cases
    assert {case["id"] for case in found} == {"one"}
    assert {(line["table"], line["field"]) for line in lines(out, "meta/problems.jsonl")} == cases
    secret = [value for value in b"".join(entries(out).values()).split(b'"') if value.startswith(b"a-secret")]
    assert set(secret) == ({b"a-secret-token"} if keep_visibility else set())
    for name, fields in SECRETS.items():
        left = [field for field in fields if (name, field) in cases]
        assert not rows(out, name)["one"].keys() & set(left)
        none, one = lines(out, f"meta/{name}.jsonl")
        assert (none.get("omitted"), one.get("omitted")) == (None, sorted(left) or None)
        assert not set(one["fields"]) & {*left, *(["grant.wrappedKey"] if name in ("aiMissions", "new.things") else [])}
        assert "order" in one["fields"]


def test_what_the_source_says_of_a_secret_goes_nowhere_a_second_time(tmp_path: Path) -> None:
    first, second = tmp_path / "1.mana", tmp_path / "2.mana"
    rekeyed(archive(tmp_path / "a.mana"), first)
    assert rekeyed(first, second, opener=CIPHER).notices == {}
    assert lines(second, "meta/links.jsonl") == lines(first, "meta/links.jsonl")


def test_an_encrypted_secret_is_one_all_the_same(tmp_path: Path) -> None:
    row = {"id": "l", "password": "sesam", "spaceId": PERSONAL}
    path = ours(tmp_path / "a.mana", {"links": [row]}, meta={"links": [meta_of(row, sealed=["password"], space=0)]})
    out = tmp_path / "out.mana"
    assert rekeyed(path, out).notices == {"capabilityLeftOut": 1}
    assert rows(out, "links") == {"l": {"id": "l"}}
    assert lines(out, "meta/links.jsonl")[0]["sealed"] == []
