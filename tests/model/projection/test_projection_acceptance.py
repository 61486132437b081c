"""Rules 7 to 10 of the projection: what is never data, spaces, what is accepted, and soundness."""

from __future__ import annotations

import pytest

from manabackup.model.projection import UNKNOWN, Numbering, accept, fold, meta_line
from manabackup.text import jsontext
from manabackup.text.jsontext import Number

from .changes import NOW, SETTINGS, TASKS, XENIA, T, delete, folded, insert, oddities, update, update_of

# --- rule 7: what is never data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "__fieldMeta", "__lastActor", "__proto__", "_updatedAtIndex", "__", "__x.y"])
def test_rule_7_internal_names_are_dropped_from_inserts_and_updates(name: str) -> None:
    record = folded(insert({name: {"x": 1}, "title": "A"}, at=T[1]), update_of({name: "a", "title": "B"}, T[2]))
    assert record.values == {"title": "B", "createdAt": T[1]}
    assert record.stamps.keys() == record.values.keys()


@pytest.mark.parametrize("name", ["__fieldMeta.title.at", "_updatedAtIndex.x", "id.x", "__lastActor.kind"])
def test_rule_7_internal_names_are_dropped_as_the_head_of_a_path(name: str) -> None:
    record = folded(insert({"title": "A"}, at=T[1]), update_of({name: "garbage"}, T[2]))
    assert record.values == {"title": "A", "createdAt": T[1]}
    assert record.stamps.keys() == record.values.keys()
    assert oddities(record) == []


@pytest.mark.parametrize("name", ["identity", "_x", "a.__b", "a.id", "_updatedAtIndexes", "idx.y"])
def test_rule_7_names_that_only_look_alike_are_data(name: str) -> None:
    assert folded(update_of({name: 1}, T[1])).values != {}


def test_rule_7_a_rename_is_dropped_and_noted() -> None:
    record = folded(insert({"title": "A"}), update(T[1], id="renamed", title="x"))
    assert (record.id, record.values) == ("a", {"title": "x"})
    assert oddities(record) == [("rename", "id")]
    assert oddities(folded(insert({}), update(T[1], id="a"))) == []


# --- rule 8: spaces ---------------------------------------------------------------------------------------------------


def test_rule_8_a_missing_space_is_taken_from_the_first_change_that_carries_one() -> None:
    record = folded(insert({"a": 1}), update(T[1], {"spaceId": "s1"}, a=2), update(T[2], {"spaceId": "s2"}, a=3))
    assert (record.values, record.space, record.space_filled) == ({"a": 3, "spaceId": "s1"}, "s1", True)
    assert "spaceId" not in record.stamps
    assert folded(insert({"spaceId": None}, spaceId="s1")).values == {"spaceId": "s1"}


def test_rule_8_a_rows_own_space_stays() -> None:
    record = folded(insert({"spaceId": "own"}, spaceId="envelope"))
    assert (record.values, record.space, record.space_filled) == ({"spaceId": "own"}, "own", False)


@pytest.mark.parametrize("space", [None, "", 5, ["s"], {"a": 1}])
def test_rule_8_a_space_that_is_no_name_is_passed_over(space: object) -> None:
    record = folded(insert({}, spaceId=space), update(T[1], {"spaceId": "s1"}))
    assert record.space == "s1"


def test_rule_8_user_scoped_rows_and_unknown_collections_get_no_space() -> None:
    for table in (SETTINGS, None):
        assert fold(table, [insert({"a": 1}, spaceId="s1")]).values == {"a": 1}


def test_rule_8_a_row_that_is_gone_gets_no_space() -> None:
    assert folded(insert({}, spaceId="s1"), delete(None)).values == {}


# --- rule 9: acceptance -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "notAnObject"),
        ("text", "notAnObject"),
        ([insert({})], "notAnObject"),
        ({**insert({}), "table": ""}, "badTable"),
        ({**insert({}), "table": 5}, "badTable"),
        ({"id": "a", "op": "insert"}, "badTable"),
        ({**insert({}), "id": ""}, "badId"),
        ({**insert({}), "id": None}, "badId"),
        ({**insert({}), "id": 7}, "badId"),
        ({"table": "tasks", "op": "insert"}, "badId"),
        ({**insert({}), "op": "upsert"}, "badOp"),
        ({**insert({}), "op": ["insert"]}, "badOp"),
        ({"table": "tasks", "id": "a"}, "badOp"),
        ({**update(T[1]), "fields": None}, "badFields"),
        ({**update(T[1]), "fields": []}, "badFields"),
        ({**update(T[1]), "fields": {"a": None}}, "badFields"),
        ({**update(T[1]), "fields": {"a": {"at": T[1]}}}, "badFields"),
        ({**update(T[1]), "fields": {"a": {"value": 1, "at": None}}}, "badFields"),
        ({**update(T[1]), "fields": {"a": {"value": 1, "at": 5}}}, "badFields"),
        ({**update(T[1]), "fields": {"ok": {"value": 1, "at": T[1]}, "a": ["value"]}}, "badFields"),
        ({**insert({}), "fields": {"a": {}}}, "badFields"),
        (insert(None), "badData"),
        (insert([1]), "badData"),
        (insert("text"), "badData"),
        ({**delete(T[1]), "deletedAt": 5}, "badDeletedAt"),
        ({**delete(T[1]), "deletedAt": False}, "badDeletedAt"),
        (insert({}, eventId=None), "badEventId"),
        (insert({}, eventId=5), "badEventId"),
        (insert({}, origin=None), "badOrigin"),
        (insert({}, origin={}), "badOrigin"),
        (insert({}, schemaVersion=None), "badSchemaVersion"),
        (insert({}, schemaVersion="1"), "badSchemaVersion"),
        (insert({}, schemaVersion=True), "badSchemaVersion"),
        (insert({}, actor="user"), "badActor"),
        (insert({}, actor=["user"]), "badActor"),
        (insert({}, actor=False), "badActor"),
    ],
)
def test_rule_9_a_malformed_change_is_set_aside_and_never_fatal(change: object, reason: str) -> None:
    assert accept(change) == reason
    record = folded(insert({"title": "A"}), change, update(T[1], title="B"))
    assert (record.values, record.malformed) == ({"title": "B"}, [reason])


@pytest.mark.parametrize(
    "change",
    [
        {"table": "tasks", "id": "a", "op": "insert"},
        insert({}, eventId="e", origin="user", schemaVersion=1, actor=XENIA, spaceId=None, unknown=[1]),
        insert({}, schemaVersion=Number("1.5")),
        {**update(T[1]), "fields": {"a": {"value": None, "at": "", "actor": 5, "updatedAt": 7}}},
        delete(None),
    ],
)
def test_rule_9_what_the_web_app_accepts_is_accepted(change: object) -> None:
    assert accept(change) is None


def test_rule_9_a_null_actor_is_read_as_absent_and_noted() -> None:
    record = folded(insert({"title": "A"}, actor=None))
    assert record.stamps == {"title": UNKNOWN}
    assert oddities(record) == [("nullActor", None)]


def test_rule_9_a_null_time_of_deletion_is_read_as_absent_and_noted() -> None:
    assert folded(insert({"title": "A"}, deletedAt=None)).state == "live"
    record = folded(insert({"title": "A"}), {**delete(None), "deletedAt": None})
    assert record.state == "absent"
    assert oddities(record) == [("nullDeletedAt", None), ("untimedDelete", None)]


def test_rule_9_a_record_of_malformed_changes_alone_is_absent_with_its_reasons() -> None:
    record = folded(insert([]), insert(None))
    assert (record.id, record.state, record.malformed) == ("a", "absent", ["badData", "badData"])


def test_rule_9_a_malformed_change_leaves_no_space_behind() -> None:
    assert folded(insert([], spaceId="s1"), insert({"a": 1})).values == {"a": 1}


# --- rule 10: soundness and the rest of what a record tells (its meta line: test_projection_meta) ---------------------


@pytest.mark.parametrize(
    ("data", "unsound"),
    [
        ({"createdAt": T[1]}, False),
        ({"createdAt": T[1], "updatedAt": None}, False),
        ({"updatedAt": "2026-05-01"}, False),
        ({"updatedAt": "2026-05-01T12:00+02:00"}, False),
        ({"createdAt": NOW}, False),
        ({}, True),
        ({"createdAt": None, "updatedAt": None}, True),
        ({"createdAt": 1_777_000_000_000}, True),
        ({"createdAt": T[1], "updatedAt": 5}, True),  # the web app takes the number
        ({"createdAt": T[1], "updatedAt": ""}, True),
        ({"createdAt": "yesterday"}, True),
        ({"createdAt": "١٢٣٤-٠١-٠١"}, True),
        ({"createdAt": "2026-06-01T12:00:00.001Z"}, True),
        ({"createdAt": "2099-01-01T00:00:00.000Z"}, True),
    ],
)
def test_rule_10_a_row_is_unsound_after_an_insert_without_a_usable_time(data: dict[str, object], unsound: bool) -> None:
    assert folded(insert({"title": "x", **data})).unsound(NOW) is unsound


def test_rule_10_a_row_is_unsound_with_a_stamp_in_the_future() -> None:
    sound = insert({"title": "x"}, at=T[1])
    assert not folded(sound, update(T[2], title="y")).unsound(NOW)
    assert folded(sound, update("2099-01-01T00:00:00.000Z", title="y")).unsound(NOW)
    assert folded(sound, update("2099-01-01T00:00:00.000Z", meta__k="y")).unsound(NOW)
    assert folded(sound, delete("2099-01-01T00:00:00.000Z")).unsound(NOW)
    assert not folded(sound, update("2099-01-01T00:00:00.000Z", title="y")).unsound("2100-01-01T00:00:00.000Z")


def test_rule_10_a_later_timed_insert_does_not_make_an_untimed_one_sound_but_a_delete_without_a_time_does() -> None:
    timed = insert({"title": "x"}, at=T[1])
    assert folded(insert({"title": "x"}), timed).unsound(NOW)
    assert not folded(insert({"title": "x"}), delete(None), timed).unsound(NOW)
    assert folded(insert({"title": "x"}), delete(None), insert({"title": "x"})).unsound(NOW)
    assert not folded(update("2099-01-01T00:00:00.000Z", title="y"), delete(None), timed).unsound(NOW)


def test_rule_10_a_retried_insert_makes_a_row_unsound_like_the_first() -> None:
    assert folded(update(T[1], title="x"), insert({}), insert({})).unsound(NOW)


def test_rule_10_the_latest_time_is_the_largest_stamp() -> None:
    assert folded(insert({"a": 1}, at=T[1]), update(T[7], meta__k=1), update(T[3], a=2)).latest_time == T[7]
    assert folded(insert({"a": 1})).latest_time == ""


# --- what hostile and odd data must survive ---------------------------------------------------------------------------


def test_ten_thousand_levels_are_folded_written_and_compared() -> None:
    deep = jsontext.parse(b'{"a":' * 9_990 + b"[]" + b"}" * 9_990)
    other = jsontext.parse(b'{"a":' * 9_990 + b"[]" + b"}" * 9_990)
    record = folded(insert({"v": deep}), insert({"v": other}), update(T[1], v__a__b=1), update(T[2], id=deep))
    assert oddities(record) == [("retriedInsert", None), ("rename", "id")]
    assert jsontext.dumps(record.values).startswith(b'{"v":{"a":{"a":{')
    assert meta_line(record, TASKS, Numbering(lambda actor: 0, lambda space: 0))["id"] == "a"


def test_lone_surrogates_survive_in_keys_paths_and_values() -> None:
    change = jsontext.parse(rb'{"\ud83d":"\udfff"}')
    record = folded(insert(change), insert(change), update_of({"\ud83d.\udfff": 1, "m.\ud83d": "\udfff"}, T[1]))
    assert jsontext.dumps(record.values) == rb'{"m":{"\ud83d":"\udfff"},"\ud83d":"\udfff"}'
