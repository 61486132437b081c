"""Diff: added, removed and changed rows, by table and id, whoever wrote the archives and however they are encrypted."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError, UsageError
from manabackup.operations.archives.reseal import seal
from manabackup.operations.compare.diff import Diff, Side, diff
from manabackup.operations.compare.live import scope_of
from manabackup.operations.rekey import rekey
from manabackup.text import jsontext
from tests.support.archives import PERSONAL, TEAM, USER, meta_of, ours, web

KEY = bytes(range(32))
PASSPHRASE = "Überraschung für Oma 🔑"


def compare(one: Path, other: Path, *, keys: tuple[bytes | None, bytes | None] = (None, None), **options: Any) -> Diff:
    with ExitStack() as stack:
        sides = [
            Side(stack.enter_context(open_archive(path, lambda: PASSPHRASE)), FieldCipher(key) if key else None)
            for path, key in zip((one, other), keys, strict=True)
        ]
        return diff(*sides, make_file=tempfile.TemporaryFile, **options)


def found(result: Diff) -> dict[str, dict[str, Any]]:
    """Table → what was found, without the counts, which must agree."""
    shown = {}
    for name, table in result.to_json()["tables"].items():
        cases = table["cases"]
        assert [table[kind] for kind in ("added", "removed", "changed")] == [len(cases[kind]) for kind in cases]
        shown[name] = {
            "+": cases["added"],
            "-": cases["removed"],
            "~": {row["id"]: row["fields"] for row in cases["changed"]},
        }
    return shown


def notes(path: Path, *content: Mapping[str, Any] | bytes, **options: Any) -> Path:
    return ours(path, {"notes": content}, **options)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return tmp_path / "one.mana"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "other.mana"


def test_rows_are_told_by_table_and_id_with_the_names_of_the_fields(one: Path, other: Path) -> None:
    same = {"id": "same", "title": "x"}
    ours(one, {"notes": [{"id": "a", "n": 1, "m": [1], "k": 0}, same], "tasks": [{"id": "gone"}], "tags": []})
    ours(other, {"notes": [{"id": "a", "n": 2, "m": [1], "j": 0}, {"id": "b"}, same], "events": [{"id": "new"}]})
    result = compare(one, other)
    assert not result.equal
    assert found(result) == {
        "notes": {"+": ["b"], "-": [], "~": {"a": ["j", "k", "n"]}},
        "tasks": {"+": [], "-": ["gone"], "~": {}},
        "events": {"+": ["new"], "-": [], "~": {}},
    }
    assert result.rows == (3, 4)
    assert '"x"' not in json.dumps(result.to_json())


def test_values_are_told_only_when_asked_for(one: Path, other: Path) -> None:
    notes(one, {"id": "a", "title": "geheim", "n": 1})
    notes(other, {"id": "a", "title": "anders", "m": [2]})
    assert "geheim" not in jsontext.dumps(compare(one, other).to_json()).decode()
    (row,) = compare(one, other, with_values=True).tables["notes"].changed_rows
    assert row.to_json()["values"] == {"m": [None, [2]], "n": [1, None], "title": ["geheim", "anders"]}


def test_an_archive_equals_itself_sealed(one: Path, other: Path) -> None:
    notes(one, {"id": "a", "title": "x"}, {"id": "b"})
    seal(one, other, lambda: PASSPHRASE)
    result = compare(one, other)
    assert (result.equal, result.to_json()["tables"], result.rows) == (True, {}, (2, 2))


def test_identity_does_not_count_unless_asked_for(one: Path, other: Path) -> None:
    notes(one, {"id": "a", "spaceId": PERSONAL, "authorId": USER, "userId": USER})
    notes(other, {"id": "a", "spaceId": TEAM, "authorId": "other"})
    assert compare(one, other).equal
    assert found(compare(one, other, with_identity=True))["notes"]["~"] == {"a": ["authorId", "spaceId", "userId"]}


def test_the_member_of_a_space_is_data(one: Path, other: Path) -> None:
    ours(one, {"spaceMembers": [{"id": "m", "userId": "a", "spaceId": "x"}]})
    ours(other, {"spaceMembers": [{"id": "m", "userId": "b", "spaceId": "y"}]})
    assert found(compare(one, other))["spaceMembers"]["~"] == {"m": ["userId"]}


def test_equal_values_in_other_words_are_equal(one: Path, other: Path) -> None:
    notes(one, b'{"id":"a","n":1.0,"o":{"x":1,"y":null},"s":"\\u00fc","gone":null}')
    notes(other, b'{"id":"a","n":1,"o":{"x":1e0},"s":"\xc3\xbc"}')
    assert compare(one, other).equal


def test_numbers_count_as_the_server_keeps_them_but_for_what_was_ciphertext(one: Path, other: Path) -> None:
    """``content`` is a private field, ``color`` is not, ``mood`` was ciphertext without being registered."""
    ids = ["color", "content", "mood", "mood-2"]
    for path, number in ((one, 9007199254740993), (other, 9007199254740992)):
        rows = [{"id": name, name.partition("-")[0]: number} for name in ids]
        notes(path, *rows, meta={"notes": [meta_of(rows[2], sealed=["mood"])]})
    assert found(compare(one, other))["notes"]["~"] == {"content": ["content"], "mood": ["mood"]}


def test_fields_that_are_ignored_do_not_count(one: Path, other: Path) -> None:
    notes(one, {"id": "a", "n": 1}, {"id": "b", "n": 1, "m": 1})
    notes(other, {"id": "a", "n": 2}, {"id": "b", "n": 2, "m": 2})
    assert found(compare(one, other, ignored_fields=["n"]))["notes"]["~"] == {"b": ["m"]}
    assert compare(one, other, ignored_fields=["n", "m"]).equal


def test_only_the_tables_that_were_named_are_compared(one: Path, other: Path) -> None:
    ours(one, {"notes": [{"id": "a"}], "tasks": [{"id": "a"}]})
    ours(other, {"notes": [], "tasks": []})
    assert list(compare(one, other, tables=["tasks"]).tables) == ["tasks"]
    with pytest.raises(UsageError, match="neither has the table nots") as caught:
        compare(one, other, tables=["nots"])
    assert caught.value.hint == "did you mean notes?"


def test_an_archive_of_the_web_app_in_any_order_is_compared_with_ours(one: Path, other: Path) -> None:
    stamp = {"at": "2026-04-20T08:15:30.123Z", "actor": None, "origin": "user"}
    content = [{"id": f"{number % 7}-{number}", "title": "t", "n": number} for number in range(50)]
    internal = {"__fieldMeta": {"title": stamp}, "_updatedAtIndex": "x", "__lastActor": 1}
    web(one, {"notes": [{**row, **internal} for row in content]})
    notes(other, *sorted(content, key=lambda row: str(row["id"])))
    assert compare(one, other).equal
    assert compare(other, one).equal


def test_a_rekeyed_archive_equals_its_source_but_for_what_the_rules_change(one: Path, other: Path) -> None:
    foreign = FieldCipher(bytes(32)).encrypt(b'"x"')
    rows: list[dict[str, Any]] = [
        {"id": "a", "title": "Liebes Tagebuch", "spaceId": PERSONAL, "visibility": "space"},
        {"id": "b", "title": foreign, "visibility": "unlisted", "unlistedToken": "tok"},
        {"id": "c", "color": "red", "mood": 1},
    ]
    notes(one, *rows, meta={"notes": [meta_of(rows[2], sealed=["mood"])]})
    with open_archive(one) as archive:
        rekey(archive, other, FieldCipher(KEY))
    with_key = compare(one, other, keys=(None, KEY))
    assert found(with_key)["notes"]["~"] == {"b": ["title", "unlistedToken", "visibility"]}
    assert with_key.unopened == (1, 0)
    without = compare(other, one)
    assert found(without)["notes"]["~"] == {
        "a": ["title"],
        "b": ["title", "unlistedToken", "visibility"],
        "c": ["mood"],
    }
    assert without.unopened == (2, 1)
    assert without.to_json()["comparedWithoutKey"] == [2, 1]


def test_the_same_ciphertext_is_equal_without_a_key(one: Path, other: Path) -> None:
    value = FieldCipher(KEY).encrypt(b'"x"')
    notes(one, {"id": "a", "title": value, "n": 1.5}, fields_plaintext=False)
    notes(other, b'{"id":"a","n":1.50,"title":"' + value.encode() + b'"}', fields_plaintext=False)
    assert compare(one, other).equal


def test_values_are_compared_under_keys_of_their_own(one: Path, other: Path) -> None:
    keys = (KEY, bytes(32))
    for path, key, second in zip((one, other), keys, ("1.0", "2"), strict=True):
        cipher = FieldCipher(key)
        rows = [
            {"id": name, "title": cipher.encrypt(text.encode())}
            for name, text in (("a", '{"x":1,"y":null}'), ("b", second))
        ]
        notes(path, *rows, fields_plaintext=False)
    result = compare(one, other, keys=keys, with_values=True)
    assert found(result)["notes"]["~"] == {"b": ["title"]}
    assert result.tables["notes"].changed_rows[0].values == {"title": (1, 2)}


def test_all_rows_are_counted_and_the_first_thousand_are_named(one: Path, other: Path) -> None:
    notes(one, *({"id": f"{number:05}", "n": 1} for number in range(2_500)))
    notes(other, *({"id": f"{number:05}", "n": 2} for number in range(1_250, 5_000)))
    table = compare(one, other).to_json()["tables"]["notes"]
    assert [table[kind] for kind in ("added", "removed", "changed")] == [2_500, 1_250, 1_250]
    assert [len(cases) for cases in table["cases"].values()] == [1_000, 1_000, 1_000]
    assert table["cases"]["changed"][0] == {"id": "01250", "fields": ["n"]}


def test_large_values_are_not_all_kept(one: Path, other: Path) -> None:
    for path, letter in ((one, "a"), (other, "b")):
        notes(path, *({"id": f"{number:05}", "title": letter * 100_000} for number in range(100)))
    rows = compare(one, other, with_values=True).tables["notes"].changed_rows
    with_values = [row for row in rows if row.values is not None]
    assert len(rows) == 100
    assert 50 < len(with_values) < 100


def test_an_archive_that_claims_to_be_sorted_and_is_not_is_refused(one: Path, other: Path) -> None:
    notes(one, {"id": "b"}, {"id": "a"})
    notes(other, {"id": "b"})
    with pytest.raises(DamagedArchiveError) as caught:
        compare(other, one)
    assert (caught.value.code, caught.value.where) == ("order", "data/notes.jsonl:2")


_ROWS = st.dictionaries(
    st.text("ab\U0001f511\ue000\ud83d", max_size=3),
    st.dictionaries(st.sampled_from(["title", "color", "n"]), st.none() | st.integers(0, 2) | st.just("x"), max_size=3),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(_ROWS, _ROWS, st.booleans(), st.booleans())
def test_whatever_two_archives_hold_it_finds_what_a_look_at_all_rows_finds(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, dict[str, Any]],
    after: dict[str, dict[str, Any]],
    encrypted: bool,
    foreign: bool,
) -> None:
    folder = tmp_path_factory.mktemp("diff")
    paths = []
    for name, content in (("one", before), ("other", after)):
        rows = [{"id": identifier, **row} for identifier, row in content.items()]
        path = folder / name
        if foreign and name == "other":
            web(path, {"notes": rows})
        else:
            notes(path, *sorted(rows, key=lambda row: str(row["id"])))
        paths.append(path)
    if encrypted:
        with open_archive(paths[0]) as archive:
            rekey(archive, folder / "rekeyed", FieldCipher(KEY))
        paths[0] = folder / "rekeyed"
    result = found(compare(paths[0], paths[1], keys=(KEY, None))).get("notes", {"+": [], "-": [], "~": {}})
    assert result["+"] == sorted(after.keys() - before.keys())
    assert result["-"] == sorted(before.keys() - after.keys())
    assert result["~"] == {
        identifier: changed
        for identifier in sorted(before.keys() & after.keys())
        if (
            changed := [
                name for name in ("color", "n", "title") if before[identifier].get(name) != after[identifier].get(name)
            ]
        )
    }


def test_an_account_is_asked_for_what_an_archive_is_about(one: Path) -> None:
    stated = {"tables": ["notes"], "spaces": [PERSONAL, "#3"], "asOf": "2026-01-01T00:00:00Z", "deleted": True}
    notes(one, additions={"filter": stated})
    with open_archive(one) as archive:
        archive.manifest.raw["scope"] = {"type": "filtered", "appIds": ["notes", 7]}
        scope = scope_of(archive.manifest)
    assert (scope.selection.apps, scope.selection.tables, scope.selection.spaces) == (
        ("notes",),
        ("notes",),
        (PERSONAL,),
    )
    assert (scope.selection.include_deleted, scope.as_of, scope.nameless_spaces) == (True, stated["asOf"], True)
    with open_archive(notes(one.with_name("full.mana"))) as archive:
        scope = scope_of(archive.manifest)
    assert scope.selection.filter() == {}
    assert (scope.as_of, scope.nameless_spaces) == (None, False)
