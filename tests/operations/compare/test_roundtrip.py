"""Roundtrip: what comes back from an embedded account, what is expected to be different, and what is not."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError, UsageError, WrongKeyError
from manabackup.model import registry
from manabackup.operations.compare.diff import MOST_CASES, Diff, FieldChange, FieldState, Side, diff
from manabackup.operations.compare.roundtrip import STEPS, RoundtripResult, roundtrip
from manabackup.operations.compare.roundtrip_rules import EXPECTED, LEFT_BEHIND, NewAccount, RoundtripRules
from manabackup.operations.progress import Progress
from manabackup.operations.rekey import rekey
from manabackup.operations.restore.plan import RestorePlan
from manabackup.text.jsontext import JSON, Number
from tests.support.archives import LIKE_CIPHERTEXT, PERSONAL, TEAM, USER, Row, meta_of, ours, web

PASSPHRASE = "Grüße an die Überraschung 🔑"
KEY = bytes(range(32))
CIPHER = FieldCipher(KEY)
# A constant, so that the tests that are named by it have the same names in every process.
FOREIGN = "enc:1:Dkv1iU9uG62DPXuW.qfZYzJ/Hcmrm15TFaLlXW5K9029+s2g="
CREATED = "2026-01-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def tried(path: Path, opener: FieldCipher | None = None, passphrase: str = PASSPHRASE) -> RoundtripResult:
    with open_archive(path, lambda: passphrase) as archive:
        return roundtrip(archive, opener=opener)


def nested(levels: int) -> JSON:
    value: JSON = []
    for _ in range(levels):
        value = [value]
    return value


# --- whole archives ---------------------------------------------------------------------------------------------------


def everything(tmp_path: Path) -> tuple[Path, int]:
    """An archive with all that restoring changes and leaves behind, and the number of its rows."""
    tables: dict[str, list[Row]] = {
        "tasks": [
            {"id": "deleted", "title": "weg", "createdAt": CREATED, "deletedAt": "2026-02-01T00:00:00.000Z"},
            {"id": "dotted", "a.b": 1, "a": {"c": 2}, "createdAt": CREATED},
            {"id": "empty"},
            {"id": "exact-where-encrypted", "title": Number("1e400"), "createdAt": CREATED},
            {"id": "foreign", "title": FOREIGN, "description": "lesbar", "createdAt": CREATED},
            {"id": "future", "title": "z", "createdAt": "2999-01-01T00:00:00.000Z"},
            {"id": "huge", "order": Number("1e400")},
            {"id": "mine", "createdAt": CREATED, "spaceId": PERSONAL, "authorId": USER, "visibility": "private"},
            {"id": "nul", "order": "a\0b", "title": "\0 is no trouble here"},
            {"id": "rounded", "order": Number("9007199254740993"), "createdAt": CREATED},
            {"id": "surrogate", "order": "x\ud83dy", "title": "\ud83d", "createdAt": CREATED},
            {"id": "unlisted", "visibility": "unlisted", "unlistedToken": "t", "createdAt": CREATED, "spaceId": TEAM},
        ],
        "notes": [{"id": "deep", "x": nested(9_990)}],
        "kontextDoc": [
            {"id": "doc-1", "content": "mein", "spaceId": PERSONAL, "updatedAt": "2026-01-02T00:00:00.000Z"},
            {"id": "doc-2", "content": "unser", "spaceId": TEAM, "createdAt": CREATED},
            {"id": "doc-3", "content": "älter", "spaceId": PERSONAL, "updatedAt": CREATED},
        ],
        "workbenchScenes": [
            {"id": f"seed-home-{space}", "name": name, "spaceId": space, "createdAt": CREATED}
            for space, name in ((PERSONAL, "Home"), (TEAM, "Büro"))
        ],
        "userSettings": [{"id": "settings-global", "theme": "dark", "createdAt": CREATED, "userId": USER}],
        "mystery.things": [{"id": "q", "v": 1}],
        "links": [{"id": "l", "shortCode": "abc", "password": "sesam", "createdAt": CREATED}],
    }
    times = {"doc-1": "2026-01-02T00:00:00.000Z", "doc-3": CREATED}
    meta = {"kontextDoc": [meta_of(row, at=times.get(row["id"], CREATED), space=0) for row in tables["kontextDoc"]]}
    meta["kontextDoc"][1]["space"] = 1
    return ours(tmp_path / "all.mana", tables, meta=meta), sum(map(len, tables.values()))


LEFT = {"ciphertextLeftOut": 1, "nesting": 1, "nul": 1, "number": 1, "superseded": 1, "unknownTable": 1}


def test_what_the_rules_change_is_counted_by_kind_and_so_is_what_stays_behind(tmp_path: Path) -> None:
    path, rows = everything(tmp_path)
    result = tried(path)
    assert result.to_json()["differences"] == {}
    assert (result.equal, result.refused, result.not_as_planned, result.rows) == (False, 0, 0, rows)
    assert result.expected.keys() <= EXPECTED.keys()
    counts = dict(result.expected)
    # 15 rows of spaces have a new space and author, one of the user's own a new user; a token and a password are gone.
    assert counts.pop("identity") == 2 * 15 + 1 + 2
    assert counts == {"addedTimes": 1, "bootstrapped": 1, "numbers": 1, "rowIds": 4, "surrogates": 1, "visibility": 14}
    assert result.left_behind == LEFT
    assert {tuple(case.values()) for case in result.left_behind_cases} == {
        ("tasks", "foreign", "title", "ciphertextLeftOut"),
        ("notes", "deep", "nesting"),
        ("tasks", "nul", "nul"),
        ("tasks", "huge", "number"),
        ("kontextDoc", "doc-3", "superseded"),
        ("mystery.things", "q", "unknownTable"),
    }


def test_what_stays_behind_is_expected_when_somebody_says_so_by_its_kind(tmp_path: Path) -> None:
    path, _ = everything(tmp_path)
    most = LEFT.keys() - {"nul"}
    with open_archive(path) as archive:
        result = roundtrip(archive, accepted=most)
    assert (result.equal, result.left_behind) == (False, {"nul": 1})
    assert {kind: result.expected[kind] for kind in most} == dict.fromkeys(most, 1)
    with open_archive(path) as archive:
        result = roundtrip(archive, accepted=LEFT.keys())
    assert (result.equal, result.left_behind, result.left_behind_cases) == (True, {}, [])


def test_other_members_fields_in_rows_that_have_another_id_stay_behind_like_all_others(tmp_path: Path) -> None:
    scene = {"id": f"seed-home-{TEAM}", "name": FOREIGN, "order": 1, "spaceId": TEAM, "createdAt": CREATED}
    result = tried(ours(tmp_path / "a.mana", {"workbenchScenes": [scene]}))
    assert result.diff.equal
    assert result.expected["rowIds"] == 1
    assert result.left_behind_cases == [
        {"table": "workbenchScenes", "id": scene["id"], "field": "name", "reason": "ciphertextLeftOut"}
    ]


@given(texts=st.lists(st.one_of(LIKE_CIPHERTEXT, st.text(max_size=40)), min_size=1, max_size=12))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_as_that_text(texts: list[str], tmp_path: Path) -> None:
    """Encrypted at its source: in registered fields, and in fields that only a newer app encrypts."""
    notes = [{"id": f"n{n:03}", "title": text, "mood": text, "createdAt": CREATED} for n, text in enumerate(texts)]
    meta = [meta_of(note, sealed=["mood"]) for note in notes]
    path = ours(tmp_path / "a.mana", {"notes": notes}, meta={"notes": meta}, additions={"ciphertextMarked": True})
    result = tried(path)
    assert result.equal, result.to_json()
    assert result.expected.keys() == {"identity", "visibility", "bootstrapped"}


def test_what_does_not_come_back_is_a_difference(tmp_path: Path) -> None:
    # No client takes a field of the app's own bookkeeping for data.
    archive = ours(tmp_path / "odd.mana", {"notes": [{"id": "n", "__odd": 1, "title": "x"}, {"id": "o"}]})
    result = tried(archive)
    assert not result.equal
    (row,) = result.diff.tables["notes"].changed_rows
    assert (row.id, row.fields) == ("n", ["__odd"])
    assert result.diff.tables.keys() == {"notes"}


@pytest.mark.parametrize("private", [False, True])
def test_a_sealed_archive_is_tried_like_a_plain_one(private: bool, tmp_path: Path, temporary: Path) -> None:
    seal = Seal(PASSPHRASE, private=private)
    archive = ours(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "geheim", "createdAt": CREATED}]}, seal=seal)
    assert tried(archive).equal
    assert list(temporary.iterdir()) == []


def test_an_archive_for_another_account_is_tried_with_its_key(tmp_path: Path) -> None:
    plain, encrypted = tmp_path / "a.mana", tmp_path / "b.mana"
    rows = [{"id": "n", "title": "geheim", "content": "x", "createdAt": CREATED, "spaceId": TEAM}]
    scenes = [{"id": f"seed-home-{TEAM}", "name": "Home", "createdAt": CREATED, "spaceId": TEAM}]
    with open_archive(ours(plain, {"notes": rows, "workbenchScenes": scenes})) as archive:
        rekey(archive, encrypted, CIPHER)
    result = tried(encrypted, CIPHER)
    assert result.equal, result.to_json()
    assert (result.left_behind, result.status) == ({}, None)
    with pytest.raises(WrongKeyError):
        tried(encrypted, FieldCipher(bytes(32)))
    with pytest.raises(UsageError):
        tried(encrypted)


def test_archives_of_the_web_app_come_back_whole(tmp_path: Path) -> None:
    tables: dict[str, Sequence[Row]] = {
        "tasks": [
            {"title": "b", "id": "b", "spaceId": TEAM, "createdAt": CREATED, "__fieldMeta": {}, "_updatedAtIndex": "x"},
            {"id": "a", "title": "a", "spaceId": PERSONAL, "authorId": USER},
        ],
        "kontextDoc": [{"id": "d", "content": "unser", "spaceId": TEAM, "createdAt": CREATED}],
    }
    result = tried(web(tmp_path / "w.mana", tables))
    assert result.equal, result.to_json()
    assert result.rows == 3


def test_L6_meanwhile_nothing_private_lies_on_the_disk_in_clear(tmp_path: Path, temporary: Path) -> None:
    rows = [
        {"id": f"n{number:04}", "title": "streng geheim", "content": "x", "color": "sichtbar"} for number in range(500)
    ]
    archive = ours(tmp_path / "a.mana", {"notes": rows}, seal=Seal(PASSPHRASE))
    seen: dict[str, bytes] = {}

    def look(progress: Progress) -> None:
        files = [path for path in temporary.rglob("*") if path.is_file()]
        assert all(path.stat().st_mode & 0o077 == 0 for path in temporary.iterdir())
        seen[progress.note] = b"".join(path.read_bytes() for path in files)

    with open_archive(archive, lambda: PASSPHRASE) as opened:
        assert roundtrip(opened, progress=look).equal
    assert all(b"streng geheim" not in content for content in seen.values())
    assert b"sichtbar" in seen["verify"], "where a server would have it"


def test_an_empty_archive_comes_back_whole(tmp_path: Path) -> None:
    result = tried(ours(tmp_path / "none.mana", {"tasks": [], "notes": []}))
    assert (result.equal, result.rows) == (True, 0)
    assert result.expected.keys() == {"bootstrapped"}


def test_damage_is_found_and_nothing_is_left_behind(tmp_path: Path, temporary: Path) -> None:
    path = ours(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "x" * 2_000}]})
    content = bytearray(path.read_bytes())
    where = content.index(b"data/notes.jsonl") + 30
    content[where] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedArchiveError):
        tried(path)
    assert list(temporary.iterdir()) == []


def test_the_steps_are_told_in_their_order(tmp_path: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    with open_archive(ours(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "x"}]})) as archive:
        roundtrip(archive, progress=lambda now: told.append((now.done, now.total, now.note)))
    assert list(dict.fromkeys(told)) == [(number, len(STEPS), step) for number, step in enumerate(STEPS)]


# --- the rules, by themselves: each exception is as narrow as it says -------------------------------------------------

ME, HOME = "new-user-id", "new-space"


def judged(
    tmp_path: Path, table: str, before: Sequence[Row], after: Sequence[Row], report: RestorePlan | None = None
) -> tuple[Diff, Mapping[str, int]]:
    """What two archives differ in under the rules, and what was expected or left behind."""
    rules = RoundtripRules(
        registry.load(), NewAccount(ME, {HOME}, {("userContext", "singleton")}), report or RestorePlan()
    )
    one, other = ours(tmp_path / "1.mana", {table: before}), ours(tmp_path / "2.mana", {table: after})
    with open_archive(one) as first, open_archive(other) as second:
        found = diff(Side(first), Side(second), with_identity=True, expected=rules)
    rules.settle(found)
    assert rules.counts.keys() <= EXPECTED.keys()
    assert rules.left.keys() <= LEFT_BEHIND.keys()
    assert len(rules.left_cases) == rules.left.total()
    return found, rules.counts + rules.left


@pytest.mark.parametrize(
    ("table", "name", "before", "after", "kind"),
    [
        ("notes", "spaceId", PERSONAL, HOME, "identity"),
        ("notes", "spaceId", PERSONAL, TEAM, None),
        ("notes", "spaceId", PERSONAL, None, None),
        ("notes", "authorId", USER, ME, "identity"),
        ("notes", "authorId", USER, USER + "x", None),
        ("notes", "userId", USER, None, "identity"),
        ("notes", "userId", None, ME, None),
        ("userSettings", "userId", USER, ME, "identity"),
        ("userSettings", "userId", USER, None, None),
        ("userSettings", "spaceId", None, HOME, None),
        ("spaceMembers", "userId", USER, ME, None),
        ("notes", "visibilityChangedBy", USER, None, "identity"),
        ("notes", "unlistedToken", "t", None, "identity"),
        ("notes", "unlistedToken", "t", "u", None),
        ("links", "password", "p", None, "identity"),
        ("links", "password", "p", "q", None),
        ("notes", "password", "p", None, None),
        ("aiMissions", "grant", {"wrapped": "k"}, None, "identity"),
        ("notes", "visibility", "public", "space", "visibility"),
        ("notes", "visibility", None, "space", "visibility"),
        ("notes", "visibility", "private", "space", None),
        ("notes", "visibility", "space", "private", None),
        ("notes", "createdAt", None, CREATED, "addedTimes"),
        ("notes", "updatedAt", None, CREATED, "addedTimes"),
        ("notes", "updatedAt", CREATED, "2026-01-02T00:00:00.000Z", None),
        ("notes", "updatedAt", CREATED, None, None),
        ("notes", "editedAt", None, CREATED, None),
        ("notes", "title", FOREIGN, None, "ciphertextLeftOut"),
        ("notes", "title", "text", None, None),
        ("notes", "title", "enc:1: it begins", None, None),
        ("notes", "title", FOREIGN, "text", None),
        ("notes", "n", Number("9007199254740993"), Number("9007199254740992"), "numbers"),
        ("notes", "title", Number("9007199254740993"), Number("9007199254740992"), None),
        ("notes", "n", 1, 2, None),
        ("notes", "n", "a\ud83d", "a\ufffd", "surrogates"),
        ("notes", "n", {"\udc00": ["\ud83d"]}, {"\ufffd": ["\ufffd"]}, "surrogates"),
        ("notes", "n", "a", "\ufffd", None),
        ("notes", "title", "a\ud83d", "a\ufffd", None),
        ("notes", "n", None, 1, None),
        ("notes", "n", 1, None, None),
    ],
)
def test_a_field_may_change_as_the_rules_say_and_not_otherwise(
    table: str, name: str, before: JSON, after: JSON, kind: str | None, tmp_path: Path
) -> None:
    rows = [{"id": "a", **({} if value is None else {name: value})} for value in (before, after)]
    found, counts = judged(tmp_path, table, rows[:1], rows[1:])
    assert dict(counts) == ({} if kind is None else {kind: 1})
    assert found.equal == (kind is not None)
    if kind is None:
        assert [row.fields for row in found.tables[table].changed_rows] == [[name]]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"id": "a", "n": "\0"}, "nul"),
        ({"id": "a", "n": {"\0": 1}}, "nul"),
        ({"id": "a", "title": "\0"}, None),
        ({"id": "a", "n": "\\u0000"}, None),
        ({"id": "a", "n": Number("-1e309")}, "number"),
        ({"id": "a", "title": Number("-1e309")}, None),
        ({"id": "a", "n": nested(9_990)}, "nesting"),
        ({"id": ""}, "badId"),
        ({"id": "a\ud83d"}, "badId"),
        ({"id": "a"}, None),
    ],
)
def test_a_row_may_be_missing_when_the_server_refuses_it_and_not_otherwise(
    row: Row, kind: str | None, tmp_path: Path
) -> None:
    found, counts = judged(tmp_path, "notes", [row], [])
    assert dict(counts) == ({} if kind is None else {kind: 1})
    assert found.equal == (kind is not None)
    if kind is None:
        assert found.tables["notes"].removed_ids == [row["id"]]


def test_that_a_row_was_too_large_is_believed_of_the_restore_alone(tmp_path: Path) -> None:
    report = RestorePlan(cases=[{"table": "notes", "id": "a", "reason": "tooLarge"}])
    found, counts = judged(tmp_path, "notes", [{"id": "a"}, {"id": "b"}], [], report)
    assert counts == {"tooLarge": 1}
    assert found.tables["notes"].removed_ids == ["b"]


def test_a_row_that_nobody_wrote_is_a_difference(tmp_path: Path) -> None:
    found, counts = judged(tmp_path, "notes", [], [{"id": "a"}])
    assert (found.equal, counts) == (False, {})
    found, counts = judged(tmp_path, "userContext", [], [{"id": "other"}, {"id": "singleton"}])
    assert counts == {"bootstrapped": 1}
    assert found.tables["userContext"].added_ids == ["other"]


def test_rows_with_another_id_are_the_same_only_with_the_same_content(tmp_path: Path) -> None:
    after = [{"id": "x", "content": "eins", "spaceId": HOME}, {"id": "y", "content": "zwei!"}]
    found, counts = judged(
        tmp_path, "kontextDoc", [{"id": "a", "content": "eins"}, {"id": "b", "content": "zwei"}], after
    )
    assert counts == {"rowIds": 1, "identity": 1}
    table = found.tables["kontextDoc"]
    assert (table.removed_ids, table.added_ids) == (["b"], ["y"])
    assert (table.removed, table.added) == (1, 1)


def test_of_superseded_rows_no_more_are_missing_than_the_restore_left(tmp_path: Path) -> None:
    report = RestorePlan(cases=[{"table": "kontextDoc", "id": "?", "reason": "superseded"}])
    before = [{"id": name, "content": name} for name in ("a", "b", "c")]
    found, counts = judged(tmp_path, "kontextDoc", before, [{"id": "x", "content": "c"}], report)
    assert counts == {"rowIds": 1, "superseded": 1}
    assert found.tables["kontextDoc"].removed == 1


def test_text_that_was_opened_is_no_ciphertext_that_stays_behind(tmp_path: Path) -> None:
    rules = RoundtripRules(registry.load(), NewAccount(ME, {HOME}, {}), RestorePlan())
    assert not rules.takes_field("notes", "a", FieldChange("title", FOREIGN, None, FieldState.PRIVATE))
    assert not rules.takes_field("notes", "a", FieldChange("title", FOREIGN, None, FieldState.CLEAR))
    assert rules.takes_field("notes", "a", FieldChange("title", FOREIGN, None, FieldState.CLOSED))
    assert rules.left == {"ciphertextLeftOut": 1}


def test_what_stays_behind_is_counted_and_only_the_first_of_it_is_named() -> None:
    rules = RoundtripRules(registry.load(), NewAccount(ME, {HOME}, {}), RestorePlan())
    for number in range(MOST_CASES + 5):
        assert rules.takes_removed("mystery.things", str(number), {}, ())
    assert rules.left == {"unknownTable": MOST_CASES + 5}
    assert len(rules.left_cases) == MOST_CASES


def test_every_kind_has_a_meaning() -> None:
    meanings = [*EXPECTED.values(), *LEFT_BEHIND.values()]
    assert all(meanings)
    assert len(set(meanings)) == len({*EXPECTED, *LEFT_BEHIND}) == len(meanings)
