"""Rekey: what was ciphertext at its source comes under another key, and nothing tells any more whose it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError
from manabackup.model import registry
from manabackup.model.spaces import SpaceNumbers
from manabackup.rows.identity import RowIds
from manabackup.text import jsontext
from tests.support.archives import PERSONAL, TEAM, USER, entries, lines, manifest, meta_of, opened, ours, rows

from .rekeyed import BOB, KEY_A, KEY_B, TABLES, rekeyed


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
