"""Rekey: what was ciphertext at its source comes under another key, and nothing tells any more whose it was."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import (
    DamagedArchiveError,
    OutputError,
    UsageError,
    WrongKeyError,
    WrongPassphraseError,
)
from manabackup.model import registry
from manabackup.model.spaces import SpaceNumbers
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.archives.verify import verify
from manabackup.operations.rekey import RekeyResult, rekey
from manabackup.rows.identity import RowIds
from manabackup.text import jsontext
from tests.support.archives import (
    ANNA,
    PERSONAL,
    TEAM,
    USER,
    entries,
    lines,
    manifest,
    meta_of,
    opened,
    ours,
    rows,
    tables_of,
    web,
)

VECTORS = Path(__file__).parents[3] / "fixtures" / "vectors"
KEY_A = bytes(range(32))
KEY_B = bytes(range(255, 223, -1))
BOB = "bob-user-id-0123456789abcdefghij"
PASSPHRASE = "Überraschung für Oma 🔑"
TABLES = registry.load().by_name


def rekeyed(source: Path, target: Path, key: bytes = KEY_B, *, passphrase: str = "", **options: Any) -> RekeyResult:
    with open_archive(source, lambda: passphrase) as archive:
        return rekey(archive, target, FieldCipher(key), **options)


def sealed_value(value: Any, key: bytes = KEY_A) -> str:
    return FieldCipher(key).encrypt(jsontext.dumps(value))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.mana"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A bit of everything."""
    task = {
        "id": "t-1",
        "title": "Steuer",
        "order": 3,
        "spaceId": PERSONAL,
        "authorId": USER,
        "visibility": "unlisted",
        "visibilityChangedAt": "2026-04-20T08:20:00.000Z",
        "visibilityChangedBy": USER,
        "unlistedToken": "tok_Zx81aQ",
        "description": None,
        "subtasks": [],
        "metadata": {"z": 1, "a": [1.5, "ü"]},
    }
    shared = {"id": "t-2", "title": "", "spaceId": TEAM, "authorId": "somebody-else", "visibility": "public"}
    at = {"at": "2026-04-20T08:15:30.123Z", "actor": 0, "origin": "user"}
    by_agent = {"at": "2026-04-21T09:00:00.000Z", "actor": 1, "origin": "agent"}
    scenes = [
        {"id": f"seed-home-{space}", "name": space[:3], "spaceId": space} for space in sorted([PERSONAL, TEAM, "none"])
    ]
    return ours(
        tmp_path / "source.mana",
        {
            "tasks": [task, shared],
            "userSettings": [{"id": "settings-global", "theme": "dark", "userId": USER}],
            "workbenchScenes": scenes,
            "spaceMembers": [{"id": "m-1", "userId": USER, "role": "owner", "spaceId": TEAM, "authorId": USER}],
            "notes": [],
        },
        meta={
            "tasks": [
                meta_of(task, **at, space=0, fields={"title": by_agent, "spaceId": at, "unlistedToken": at}),
                meta_of(shared, **by_agent, space=1),
            ],
            "userSettings": [meta_of({"id": "settings-global"}, **at)],
            "workbenchScenes": [meta_of(scene, space={PERSONAL: 0, TEAM: 1}.get(scene["spaceId"])) for scene in scenes],
            "spaceMembers": [meta_of({"id": "m-1"}, space=1)],
        },
        account={"data.json": b'{"email":"anna@example.org"}'},
        additions={"filter": {"spaces": [PERSONAL, "personal"]}, "somebodysKey": USER},
    )


def test_every_private_field_is_under_the_new_key_and_says_the_same(source: Path, out: Path) -> None:
    result = rekeyed(source, out, user_id=BOB)
    assert (result.status, result.losses, result.encrypted_fields) == ("complete", {}, 7)
    for table in ("tasks", "workbenchScenes", "userSettings", "spaceMembers"):
        before = sorted(rows(source, table).values(), key=lambda row: str(row.get("name")))
        after = sorted(rows(out, table).values(), key=lambda row: _text(row.get("name")))
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            for name, value in old.items():
                if name in TABLES[table].encrypted and value is not None:
                    assert jsontext.parse(opened(new[name], KEY_B)) == value
                elif name in new and name not in ("id", "visibility"):
                    assert new[name] == value
    assert rows(out, "tasks")["t-1"]["description"] is None


def _text(value: Any) -> str:
    return str(jsontext.parse(opened(value, KEY_B))) if isinstance(value, str) else str(value)


def test_the_manifest_names_the_target_and_nobody_else(source: Path, out: Path) -> None:
    rekeyed(source, out, user_id=BOB)
    found = manifest(out)
    assert found["userId"] == "-"
    assert found["fieldsPlaintext"] is False
    assert (found["rekeyedFor"], found["keyFingerprint"]) == (BOB, FieldCipher(KEY_B).fingerprint)
    assert found["filter"] == {"spaces": ["#0", "personal"]}
    assert found["exportedAt"] == manifest(source)["exportedAt"]
    rekeyed(source, out, force=True)
    assert "rekeyedFor" not in manifest(out)


def test_R5_identity_stays_behind(source: Path, out: Path) -> None:
    rekeyed(source, out)
    content = entries(out)
    assert not any(name.startswith("account/") for name in content)
    members = content.pop("data/spaceMembers.jsonl")
    for trace in (USER, PERSONAL, TEAM, "somebody-else", "Anna", "agent-7", "m-1-mission", "tok_Zx81aQ", "example.org"):
        for name, text in content.items():
            assert trace.encode() not in text, (trace, name)
    # The member of a space is data; whose row it is and where it stood are not.
    assert json.loads(members) == {"id": "m-1", "role": "owner", "userId": USER}


def test_rows_that_others_could_see_are_seen_within_the_space_only(source: Path, out: Path) -> None:
    rekeyed(source, out)
    after = rows(out, "tasks")
    assert [after[identifier]["visibility"] for identifier in ("t-1", "t-2")] == ["space", "space"]
    assert after["t-1"]["visibilityChangedAt"] == "2026-04-20T08:20:00.000Z"
    assert not {"unlistedToken", "visibilityChangedBy"} & after["t-1"].keys()


def test_visibility_and_its_token_are_kept_when_asked_for(source: Path, out: Path) -> None:
    rekeyed(source, out, keep_visibility=True)
    after = rows(out, "tasks")
    assert [after[identifier]["visibility"] for identifier in ("t-1", "t-2")] == ["unlisted", "public"]
    assert after["t-1"]["unlistedToken"] == "tok_Zx81aQ"
    assert "visibilityChangedBy" not in after["t-1"]


def test_who_wrote_what_when_is_left_by_kind_of_actor_and_number_of_space(source: Path, out: Path) -> None:
    rekeyed(source, out)
    actors, spaces = lines(out, "meta/actors.jsonl"), lines(out, "meta/spaces.jsonl")
    first, second = lines(out, "meta/tasks.jsonl")
    assert [spaces[first["space"]], spaces[second["space"]]] == [{"type": "personal"}, {"type": "team"}]
    assert spaces[2] == {"type": "personal"}  # the sentinel's id said so
    assert (first["at"], actors[first["actor"]]) == ("2026-04-20T08:15:30.123Z", {"kind": "user"})
    assert list(first["fields"]) == ["title"]
    assert actors[first["fields"]["title"]["actor"]] == actors[second["actor"]] == {"kind": "ai"}
    assert [line["id"] for line in lines(out, "meta/workbenchScenes.jsonl")] == [*rows(out, "workbenchScenes")]


def test_an_actor_of_a_kind_that_nobody_knows_keeps_nothing(tmp_path: Path, out: Path) -> None:
    row = {"id": "n"}
    source = ours(
        tmp_path / "a.mana", {"notes": [row]}, meta={"notes": [meta_of(row, actor=0)]}, actors=[{"kind": "Anna"}]
    )
    rekeyed(source, out)
    (line,) = lines(out, "meta/notes.jsonl")
    assert lines(out, "meta/actors.jsonl")[line["actor"]] == {}


def test_an_id_that_holds_a_space_becomes_one_of_its_own_and_says_what_it_stood_for(source: Path, out: Path) -> None:
    rekeyed(source, out)
    scenes = rows(out, "workbenchScenes")
    assert all(str(UUID(identifier)) == identifier for identifier in scenes)
    assert list(scenes) == sorted(scenes)
    metas = lines(out, "meta/workbenchScenes.jsonl")
    assert {(_text(scenes[line["id"]]["name"]), line["space"], line["wellKnownId"]) for line in metas} == {
        (PERSONAL[:3], 0, "seed-home-<spaceId>"),
        (TEAM[:3], 1, "seed-home-<spaceId>"),
        ("non", 3, "seed-home-<spaceId>"),  # 2 is the sentinel's
    }
    assert len(lines(out, "meta/spaces.jsonl")) == 4
    first = list(scenes)
    rekeyed(source, out, force=True)
    assert list(rows(out, "workbenchScenes")) == first, "an archive that is made later means the same rows"


def test_where_the_targets_personal_space_is_known_its_own_row_is_meant(source: Path, out: Path) -> None:
    home = "the-targets-own-space"
    rekeyed(source, out, home=home)
    scenes = rows(out, "workbenchScenes")
    assert _text(scenes[f"seed-home-{home}"]["name"]) == PERSONAL[:3]
    assert len(scenes) == 3
    assert sum(identifier.startswith("seed-home-") for identifier in scenes) == 1
    by_id = {line["id"]: line for line in lines(out, "meta/workbenchScenes.jsonl")}
    assert "wellKnownId" not in by_id[f"seed-home-{home}"]


def test_an_id_out_of_a_rekeyed_archive_stays_unless_the_target_is_known_now(
    source: Path, out: Path, tmp_path: Path
) -> None:
    rekeyed(source, out)
    again, home = tmp_path / "again.mana", tmp_path / "home.mana"
    rekeyed(out, again, KEY_A, opener=FieldCipher(KEY_B))
    assert list(rows(again, "workbenchScenes")) == list(rows(out, "workbenchScenes"))
    assert lines(again, "meta/workbenchScenes.jsonl") == lines(out, "meta/workbenchScenes.jsonl")
    rekeyed(out, home, KEY_A, opener=FieldCipher(KEY_B), home="h")
    assert "seed-home-h" in rows(home, "workbenchScenes")


def test_a_row_that_is_called_as_another_one_is_to_be_called_is_refused(tmp_path: Path, out: Path) -> None:
    scene = {"id": f"seed-home-{TEAM}"}
    rekeyed(ours(tmp_path / "a.mana", {"workbenchScenes": [scene]}), out)
    (taken,) = rows(out, "workbenchScenes")
    source = ours(tmp_path / "b.mana", {"workbenchScenes": [{"id": name} for name in sorted([scene["id"], taken])]})
    with pytest.raises(DamagedArchiveError, match="one id"):
        rekeyed(source, tmp_path / "c.mana")
    assert not (tmp_path / "c.mana").exists()


def test_an_id_of_an_earlier_version_with_the_number_of_a_space_is_one_of_its_own(tmp_path: Path, out: Path) -> None:
    source = ours(
        tmp_path / "a.mana",
        {"workbenchScenes": [{"id": "seed-home-#0"}, {"id": "seed-home-#1"}]},
        spaces=[{"type": "personal"}, {}],
    )
    rekeyed(source, out, home="h")
    scenes = list(rows(out, "workbenchScenes"))
    assert "seed-home-h" in scenes
    assert not any("#" in identifier for identifier in scenes)
    assert lines(out, "meta/spaces.jsonl") == [{"type": "personal"}, {}]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([None, "x", "#0", "#1", "#2", "#00", PERSONAL, "_personal:x"]), max_size=4),
    st.sets(st.sampled_from(["x", "y", "#0", "#1", "#2", "#00", "#9999999999", PERSONAL, "_personal:x", "home", ""])),
    st.sampled_from([None, "home", "x"]),
)
def test_no_two_ids_become_one(known: list[str | None], named: set[str], home: str | None) -> None:
    """However spaces are called, and whatever an earlier rekey left behind."""
    spaces = SpaceNumbers({"type": "personal", **({"id": space} if space is not None else {})} for space in known)
    ids = RowIds(registry.load(), spaces, home)
    before = [f"seed-home-{space}" for space in sorted(named)]
    after = [ids.rewritten("workbenchScenes", identifier).id for identifier in before]
    assert len(set(after)) == len(before)
    assert after == [ids.rewritten("workbenchScenes", identifier).id for identifier in before]
    assert [ids.rewritten("notes", identifier).id for identifier in before] == before


# --- what does not open -----------------------------------------------------------------------------------------------


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


# --- the text of a value ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        rb'"\ud83d"',
        rb'"\u0000\u2028<>&"',
        b"12345678901234567890.10",
        b"1e400",
        b"-0",
        b'{"b": 1.0, "a" : [ 1E5 ,\t2 ]}',
        b'{"a":1,"a":2}',
        b"[" * 3_000 + b"]" * 3_000,
        b'"\xf0\x9f\x94\x91 \xc3\xbc"',
        b'""',
        b"0",
        b"false",
    ],
)
def test_a_value_keeps_its_writers_own_text(tmp_path: Path, out: Path, text: bytes) -> None:
    source = ours(tmp_path / "a.mana", {"notes": [b'{"id":"n","color":1,"content":' + text + b',"title":"t"}']})
    rekeyed(source, out)
    row = rows(out, "notes")["n"]
    assert opened(row["content"], KEY_B) == text
    assert opened(row["title"], KEY_B) == b'"t"'
    again = tmp_path / "again.mana"
    rekeyed(out, again, KEY_A, opener=FieldCipher(KEY_B))
    assert opened(rows(again, "notes")["n"]["content"], KEY_A) == text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["content", "title", "color", "x"]), _VALUES), max_size=4))
def test_whatever_a_row_holds_it_says_the_same_afterwards(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("rekey")
    before = {f"n-{number}": {"id": f"n-{number}", **row} for number, row in enumerate(values)}
    source = web(folder / "a.mana", {"notes": list(before.values())})
    out = folder / "b.mana"
    result = rekeyed(source, out)
    with open_archive(source) as archive:
        expected = {row.id: row.values() for row in archive.rows("notes")}
    foreign = sum(
        isinstance(value, str) and value.startswith("enc:1:") for row in before.values() for value in row.values()
    )
    assert result.losses.get("ciphertextLeftOut", 0) == foreign == 0
    found = rows(out, "notes")
    for row in found.values():
        for name in TABLES["notes"].encrypted & row.keys():
            if row[name] is not None:
                row[name] = jsontext.parse(opened(row[name], KEY_B))
    assert found == {identifier: _without_nothing(row) for identifier, row in expected.items()}


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("__")}


def test_no_iv_is_used_twice_and_all_else_is_the_same_each_time(source: Path, tmp_path: Path) -> None:
    found: list[list[str]] = []
    without: list[bytes] = []
    for name in ("one.mana", "other.mana"):
        rekeyed(source, tmp_path / name)
        content = b"".join(
            text for entry, text in entries(tmp_path / name).items() if entry.startswith(("data", "meta"))
        )
        found.append([part[:16].decode() for part in content.split(b"enc:1:")[1:]])
        without.append(b"".join(part.partition(b'"')[2] for part in content.split(b"enc:1:")))
    assert len(found[0]) == 7
    assert len({*found[0], *found[1]}) == 14
    assert without[0] == without[1]


# --- archives of every kind -------------------------------------------------------------------------------------------


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


# --- trust ------------------------------------------------------------------------------------------------------------


def test_verify_knows_the_result_with_and_without_the_key(source: Path, out: Path) -> None:
    rekeyed(source, out)
    report = verify(out)
    assert (report.ok, report.encrypted_fields, report.opened) == (True, 7, False)
    report = verify(out, cipher=FieldCipher(KEY_B))
    assert (report.ok, report.encrypted_fields, report.opened) == (True, 7, True)
    with pytest.raises(WrongKeyError):
        verify(out, cipher=FieldCipher(KEY_A))
    assert any("key was not needed" in note for note in verify(source, cipher=FieldCipher(KEY_A)).notes)


def test_verify_names_a_private_field_in_clear_and_one_that_does_not_open(tmp_path: Path) -> None:
    good = sealed_value("x", KEY_B)
    content: list[dict[str, Any]] = [
        {"id": "1", "title": good, "content": "in clear"},
        {"id": "2", "title": sealed_value("x", KEY_A), "color": "red"},
        {"id": "3", "title": "enc:1:no.ciphertext", "mood": 7, "content": None},
    ]
    path = ours(
        tmp_path / "a.mana",
        {"notes": content},
        meta={"notes": [meta_of(content[2], sealed=["mood"])]},
        fields_plaintext=False,
        additions={"keyFingerprint": FieldCipher(KEY_B).fingerprint},
    )

    def found(cipher: FieldCipher | None) -> set[tuple[str, str | None]]:
        return {(problem.code, problem.where) for problem in verify(path, cipher=cipher).problems}

    without = {
        ("notEncrypted", "data/notes.jsonl:1"),
        ("notEncrypted", "data/notes.jsonl:3"),
        ("notOpened", "data/notes.jsonl:3"),
    }
    assert found(None) == without
    assert found(FieldCipher(KEY_B)) == {*without, ("notOpened", "data/notes.jsonl:2")}
    assert all("in clear" not in str(problem.to_json()["where"]) for problem in verify(path).problems)


def test_verify_does_not_list_the_problems_of_a_million_rows(tmp_path: Path) -> None:
    content = [{"id": f"{number:05}", "title": "clear"} for number in range(1_300)]
    problems = verify(ours(tmp_path / "a.mana", {"notes": content}, fields_plaintext=False)).problems
    assert len(problems) == 1_001
    assert problems[-1].message == "and 300 more fields"


@pytest.mark.parametrize("where", ["data", "meta"])
def test_an_archive_that_claims_to_be_sorted_and_is_not_is_refused(tmp_path: Path, out: Path, where: str) -> None:
    content = [{"id": "b"}, {"id": "a"}]
    ordered = sorted(content, key=lambda row: row["id"])
    path = ours(
        tmp_path / "a.mana",
        {"notes": content if where == "data" else ordered},
        meta={"notes": [meta_of(row) for row in (ordered if where == "data" else content)]},
    )
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out)
    assert (caught.value.code, caught.value.where) == ("order", f"{where}/notes.jsonl:2")
    assert not out.exists()


def test_a_meta_line_that_is_none_is_refused_by_place(tmp_path: Path, out: Path) -> None:
    path = ours(tmp_path / "a.mana", {"notes": [{"id": "a"}]}, meta={"notes": [meta_of({"id": "a"}, actor=99)]})
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out)
    assert caught.value.where == "meta/notes.jsonl:1"


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b'{"id":"b",}', "data/notes.jsonl:2"),
        (b'{"id":"b","text":"\xff"}', "data/notes.jsonl:2"),
        (b'{"id":"b"}{"id":"b"}', "data/notes.jsonl:2"),
        (b'{"id":"b","x":"\t"}', "data/notes.jsonl:2"),
        (b'{"id":"b","id":7}', "data/notes.jsonl:2"),
        (b'{"id":"b","\\u0069d":7}', "data/notes.jsonl:2"),
        (b'{"id":"b","\\u0069d":"bb"}', "data/notes.jsonl"),  # nobody else minds
        (b'["id"]', "data/notes.jsonl:2"),
    ],
)
def test_a_row_that_is_none_is_refused_by_place(
    tmp_path: Path, out: Path, line: bytes, where: str, processes: int
) -> None:
    path = ours(tmp_path / "a.mana", {"notes": [b'{"id":"a"}', line, b'{"id":"c"}']})
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out, processes=processes)
    assert (caught.value.code, caught.value.where) == ("line", where)
    assert not out.exists()


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("faulty", [1, 3])
def test_of_two_faults_the_first_is_named_whoever_reads_the_rows(
    tmp_path: Path, out: Path, processes: int, faulty: int
) -> None:
    """Each row is a piece of its own; meta lines are looked at while pieces are cut."""
    text = b'","text":[' + b'"x",' * 100_000 + b'"x"]'
    content = [b'{"id":"%d%b%b}' % (number, text, b"," if number == faulty else b"") for number in range(1, 5)]
    sound: dict[str, Any] = {"id": "3", "at": None, "actor": None, "origin": None, "fields": {}, "sealed": []}
    path = ours(tmp_path / "a.mana", {"notes": content}, meta={"notes": [sound, {"id": 7}]})
    with pytest.raises(DamagedArchiveError) as caught:
        rekeyed(path, out, processes=processes)
    assert (caught.value.code, caught.value.where) == ("line", f"data/notes.jsonl:{faulty}")


def test_an_id_is_told_from_one_that_is_inside_a_row(tmp_path: Path, out: Path) -> None:
    content: list[dict[str, Any]] = [{"id": "a", "list": [{"id": "z"}]}, {"id": "b", "text": '"id":'}, {"id": "c \\"}]
    content += [{"id": "é"}, {"id": "\ud83d"}]
    rekeyed(ours(tmp_path / "a.mana", {"notes": content}), out)
    assert list(rows(out, "notes").values()) == content


def test_a_damaged_source_leaves_the_old_output_whole(source: Path, out: Path) -> None:
    rekeyed(source, out)
    before = out.read_bytes()
    content = bytearray(source.read_bytes())
    place = content.index(b"data/tasks.jsonl") + 60
    content[place] ^= 0xFF
    source.write_bytes(content)
    with pytest.raises(DamagedArchiveError):
        rekeyed(source, out, force=True)
    assert out.read_bytes() == before
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.mana", "source.mana"]


def test_an_existing_output_stays_without_force(source: Path, out: Path) -> None:
    out.write_bytes(b"precious")
    with pytest.raises(OutputError):
        rekeyed(source, out)
    assert out.read_bytes() == b"precious"


# --- on all cores -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_who_does_which_part_makes_no_difference(tmp_path: Path) -> None:
    tasks: list[dict[str, Any]] = [
        {"id": f"t-{number:03}", "title": f"{number} " * 8_000, "order": number, "spaceId": PERSONAL}
        for number in range(200)
    ]
    tasks[60]["spaceId"] = tasks[150]["spaceId"] = "a space that only rows name"
    tasks[90]["note"] = sealed_value("left behind", bytes(32))
    metas = [
        meta_of(task, at="2026-04-20T08:15:30.123Z", actor=number % 2, space=0) for number, task in enumerate(tasks)
    ]
    for number in (60, 150):
        metas[number]["space"] = None
    source = ours(tmp_path / "source.mana", {"tasks": tasks, "notes": []}, meta={"tasks": metas})
    found = []
    for processes in (1, 2, 3):
        target = tmp_path / f"{processes}.mana"
        result = rekeyed(source, target, processes=processes)
        values = {
            row: {
                name: opened(value, KEY_B) if str(value).startswith("enc:1:") else value for name, value in of.items()
            }
            for row, of in rows(target, "tasks").items()
        }
        everything = {name: content for name, content in entries(target).items() if name.startswith("meta/")}
        found.append((values, everything, result.encrypted_fields, result.losses, manifest(target)["completeness"]))
    assert found[0] == found[1] == found[2]
    assert found[0][2] == 200
    assert found[0][3] == {"ciphertextLeftOut": 1}
    spaces = [line["space"] for line in lines(tmp_path / "1.mana", "meta/tasks.jsonl")]
    assert [number for number, space in enumerate(spaces) if space == 3] == [60, 150]
    ivs = [
        part[:16]
        for path in tmp_path.glob("[123].mana")
        for part in entries(path)["data/tasks.jsonl"].split(b"enc:1:")[1:]
    ]
    assert len(ivs) == len(set(ivs)) == 600


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_tables_follow_each_other_whoever_does_their_rows(tmp_path: Path, out: Path, processes: int) -> None:
    """Read ahead of those that are still on their way; empty ones, and one whose ids change, among them."""

    def many(table: str) -> list[dict[str, Any]]:
        return [{"id": f"{table}-{number:03}", "color": "x" * 9_000, "spaceId": PERSONAL} for number in range(100)]

    scenes = [{"id": f"seed-home-{PERSONAL}", "spaceId": PERSONAL}]
    tables = {
        "tasks": many("tasks"),
        "labels": [],
        "notes": many("notes"),
        "workbenchScenes": scenes,
        "dreams": many("dreams"),
        "moods": [],
    }
    source = ours(
        tmp_path / "source.mana", tables, meta={name: [meta_of(r) for r in of] for name, of in tables.items()}
    )
    rekeyed(source, out, processes=processes, home="home")
    expected = {name: [row["id"] for row in content] for name, content in tables.items()}
    expected["workbenchScenes"] = ["seed-home-home"]
    assert {name: list(of) for name, of in tables_of(out)} == expected
    assert manifest(out)["rowCounts"] == {name: len(ids) for name, ids in expected.items()}
    for name, ids in expected.items():
        assert [line["id"] for line in lines(out, f"meta/{name}.jsonl")] == ids


def test_an_archive_with_more_spaces_than_a_person_has_is_rekeyed_all_the_same(tmp_path: Path, out: Path) -> None:
    task = {"id": "t", "title": "Steuer", "spaceId": "s5"}
    spaces = [{"id": f"s{number}"} for number in range(1_001)]
    source = ours(tmp_path / "s.mana", {"tasks": [task]}, meta={"tasks": [meta_of(task, space=5)]}, spaces=spaces)
    assert rekeyed(source, out).encrypted_fields == 1
    assert opened(rows(out, "tasks")["t"]["title"], KEY_B) == b'"Steuer"'
    assert [line["space"] for line in lines(out, "meta/tasks.jsonl")] == [5]
