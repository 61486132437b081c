"""What no key at hand opens stays behind, and what may still tell of the account is noted."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from manabackup.crypto.fields import FieldCipher
from tests.support.archives import TEAM, USER, entries, lines, manifest, meta_of, opened, ours, rows

from .rekeyed import KEY_A, KEY_B, rekeyed, sealed_value


def test_ciphertext_that_nothing_opens_stays_behind_and_is_named(tmp_path: Path, out: Path) -> None:
    foreign = sealed_value("not ours", bytes(32))
    row = {"id": "n-1", "title": foreign, "content": "ours", "pinned": foreign, "color": "\\u0065nc:1:x"}
    stamp = {"at": "2026-04-20T08:15:30.123Z", "actor": None, "origin": None}
    source = ours(
        tmp_path / "a.mana",
        {"notes": [row]},
        meta={"notes": [meta_of(row, fields={"title": stamp, "title.x": stamp, "content": stamp})]},
        additions={"completeness": {"status": "complete", "rows": 1, "losses": {}, "notices": {}}},
    )
    result = rekeyed(source, out)
    assert (result.status, result.losses) == ("partial", {"ciphertextLeftOut": 2})
    assert foreign.encode() not in b"".join(entries(out).values())
    assert rows(out, "notes")["n-1"].keys() == {"id", "content", "color"}
    (line,) = lines(out, "meta/notes.jsonl")
    assert (line["omitted"], list(line["fields"])) == (["pinned", "title"], ["content"])
    completeness = manifest(out)["completeness"]
    cases = completeness["losses"]["ciphertextLeftOut"]["cases"]
    assert (completeness["status"], completeness["rows"]) == ("partial", 1)
    assert {(case["table"], case["id"], case["field"], case["reason"]) for case in cases} == {
        ("notes", "n-1", "title", "noKey"),
        ("notes", "n-1", "pinned", "noKey"),
    }
    assert [line["field"] for line in lines(out, "meta/problems.jsonl")] == ["pinned", "title"]


def test_ciphertext_in_another_spelling_is_ciphertext(tmp_path: Path, out: Path) -> None:
    value = sealed_value("not ours", bytes(32)).replace("enc", "\\u0065nc")
    source = ours(tmp_path / "a.mana", {"notes": [b'{"id":"n","x":"' + value.encode() + b'"}']})
    assert rekeyed(source, out).losses == {"ciphertextLeftOut": 1}
    assert rows(out, "notes") == {"n": {"id": "n"}}


def test_what_is_omitted_stays_known_when_the_archive_is_rekeyed_again(tmp_path: Path, out: Path) -> None:
    row = {"id": "n-1", "title": sealed_value("x", bytes(32))}
    source = ours(tmp_path / "a.mana", {"notes": [row]}, meta={"notes": [meta_of(row)]})
    rekeyed(source, out)
    again = rekeyed(out, tmp_path / "again.mana", KEY_A, opener=FieldCipher(KEY_B))
    assert again.losses == {}
    assert again.status == "partial"
    assert lines(tmp_path / "again.mana", "meta/notes.jsonl")[0]["omitted"] == ["title"]


def test_a_field_that_was_ciphertext_without_being_registered_is_encrypted_again(tmp_path: Path, out: Path) -> None:
    known, unknown = {"id": "n-1", "mood": "froh", "color": "red"}, {"id": "x-1", "secret": [1], "spaceId": TEAM}
    source = ours(
        tmp_path / "a.mana",
        {"notes": [known], "new.things": [unknown]},
        meta={"notes": [meta_of(known, sealed=["mood"])], "new.things": [meta_of(unknown, sealed=["secret"])]},
    )
    result = rekeyed(source, out)
    assert result.encrypted_fields == 2
    assert opened(rows(out, "notes")["n-1"]["mood"], KEY_B) == b'"froh"'
    assert opened(rows(out, "new.things")["x-1"]["secret"], KEY_B) == b"[1]"
    assert rows(out, "notes")["n-1"]["color"] == "red"
    assert lines(out, "meta/new.things.jsonl")[0]["space"] == 1


def test_what_still_names_the_account_inside_a_value_is_noted(tmp_path: Path, out: Path) -> None:
    row = {"id": f"for-{USER}", "x": {"deep": [USER]}, "content": f"of {USER}", "order": 1}
    source = ours(tmp_path / "a.mana", {"notes": [row], "spaceMembers": [{"id": "m", "userId": USER}]})
    result = rekeyed(source, out)
    assert result.notices == {"identityInData": 2}
    found = lines(out, "meta/problems.jsonl")
    assert {(line["kind"], line["field"]) for line in found} == {("identityInData", "id"), ("identityInData", "x")}


def test_problems_of_the_source_are_carried_without_the_id_of_a_space(tmp_path: Path, out: Path) -> None:
    case = {"table": "workbenchScenes", "id": f"seed-home-{TEAM}", "field": "name", "reason": "key"}
    about = {"table": "account", "reason": TEAM}
    source = ours(
        tmp_path / "a.mana",
        {"workbenchScenes": []},
        problems=[{"kind": "undecryptable", "severity": "loss", "count": 1, **case}],
        additions={
            "completeness": {
                "status": "partial",
                "changes": 9,
                "losses": {"undecryptable": {"count": 1, "cases": [case]}},
                "notices": {"spaceWithoutRows": {"count": 1, "cases": [about]}},
            }
        },
    )
    result = rekeyed(source, out)
    assert (result.status, result.losses) == ("partial", {})  # nothing new was lost
    (line,) = lines(out, "meta/problems.jsonl")
    assert str(UUID(line["id"])) == line["id"]
    completeness = manifest(out)["completeness"]
    assert completeness["losses"]["undecryptable"]["cases"][0]["id"] == line["id"]
    assert completeness["notices"]["spaceWithoutRows"]["cases"] == [{"table": "account"}]
    assert completeness["changes"] == 9
