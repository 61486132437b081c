"""The ten rules of the projection, one section each (numbers as in ``manabackup.model.projection``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.model import registry
from manabackup.model.projection import UNKNOWN, Numbering, Stamp, accept, fold, meta_line
from manabackup.text import jsontext
from manabackup.text.jsontext import Number

from .changes import NOW, SETTINGS, TASKS, WATCHER, XENIA, T, delete, folded, insert, oddities, update, update_of

# --- rule 1: order ----------------------------------------------------------------------------------------------------


def test_rule_1_equal_times_go_to_the_later_word_in_the_stream() -> None:
    assert folded(update(T[1], title="a"), update(T[1], title="b")).values == {"title": "b"}
    assert folded(update(T[1], title="b"), update(T[1], title="a")).values == {"title": "a"}


def test_rule_1_the_stream_under_a_tables_own_name_follows_that_of_its_registered_collection() -> None:
    table = registry.load().by_collection["todo", "todoProjects"]
    assert table.collections == ("projects", "todoProjects")
    under_collection = {**insert({"name": "first"}), "table": "projects"}
    under_own_name = {**insert({"name": "second"}), "table": "todoProjects"}
    assert fold(table, [under_collection, under_own_name]).values == {"name": "second"}


def test_a_fold_needs_a_record_id() -> None:
    with pytest.raises(ValueError, match="record id"):
        folded()


# --- rule 2: timed inserts --------------------------------------------------------------------------------------------


def test_rule_2_a_timed_insert_wins_field_by_field() -> None:
    record = folded(
        update(T[5], title="newer"),
        update(T[1], order=1),
        insert({"title": "older", "order": 2, "note": "n"}, at=T[3]),
    )
    assert record.values == {"title": "newer", "order": 2, "note": "n", "createdAt": T[3]}
    assert {name: stamp.at for name, stamp in record.stamps.items()} == {
        "title": T[5],
        "order": T[3],
        "note": T[3],
        "createdAt": T[3],
    }


def test_rule_2_a_tie_goes_to_the_insert() -> None:
    assert folded(update(T[3], title="held"), insert({"title": "incoming"}, at=T[3])).values["title"] == "incoming"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"createdAt": T[1]}, T[1]),
        ({"createdAt": T[1], "updatedAt": T[2]}, T[2]),
        ({"createdAt": T[1], "updatedAt": None}, T[1]),
        ({"createdAt": T[1], "updatedAt": ""}, T[1]),
        ({"createdAt": T[1], "updatedAt": 1_777_000_000_000}, T[1]),
        ({"createdAt": 1_777_000_000_000}, ""),  # wetterLocations
        ({"createdAt": ["2026"], "updatedAt": {"a": 1}}, ""),
        ({"createdAt": True, "updatedAt": Number("1.5")}, ""),
        ({"createdAt": "yesterday"}, "yesterday"),
        ({}, ""),
    ],
)
def test_rule_2_the_time_of_an_insert_is_its_first_string_of_updated_at_and_created_at(
    times: dict[str, object], expected: str
) -> None:
    record = folded(insert({"title": "x", **times}, actor=XENIA, origin="user"))
    assert record.stamps == dict.fromkeys(record.values, Stamp(expected, XENIA, "user"))
    assert record.values == {"title": "x", **times}


# --- rule 3: untimed inserts ------------------------------------------------------------------------------------------


def test_rule_3_edits_after_an_untimed_insert_are_not_lost() -> None:
    record = folded(insert({"title": "old", "isCompleted": False}), update(T[1], title="new", isCompleted=True))
    assert record.values == {"title": "new", "isCompleted": True}


def test_rule_3_an_untimed_insert_overwrites_what_it_carries_and_leaves_the_stamps() -> None:
    record = folded(
        update(T[5], {"actor": XENIA}, title="typed", order=1),
        insert({"title": "again", "note": "n"}, actor=WATCHER, origin="agent"),
    )
    assert record.values == {"title": "again", "order": 1, "note": "n"}
    assert record.stamps["title"] == Stamp(T[5], XENIA, None)
    assert record.stamps["note"] == Stamp("", WATCHER, "agent")
    assert folded(
        update(T[5], title="typed"), insert({"title": "again"}), update(T[4], title="stale"), update(T[6], title="end")
    ).values == {"title": "end"}


def test_rule_3_a_stamped_update_older_than_the_kept_stamp_loses_after_an_untimed_insert() -> None:
    record = folded(update(T[5], title="typed"), insert({"title": "again"}), update(T[4], title="stale"))
    assert record.values == {"title": "again"}


def test_rule_3_a_retried_push_of_an_untimed_insert_is_ignored() -> None:
    first = insert({"title": "old", "n": {"a": [1, Number("1.5")]}})
    retried = insert({"n": {"a": [1, Number("1.5")]}, "title": "old"}, eventId="another", origin="user")
    record = folded(first, update(None, title="new"), retried, retried)
    assert record.values["title"] == "new"
    assert oddities(record) == [("untimedUpdate", "title"), ("retriedInsert", None), ("retriedInsert", None)]


def test_rule_3_a_retry_is_known_from_any_earlier_insert_not_only_the_last() -> None:
    record = folded(insert({"title": "1"}), insert({"title": "2"}), insert({"title": "3"}), insert({"title": "1"}))
    assert record.values == {"title": "3"}
    assert oddities(record) == [("retriedInsert", None)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"n": 1}, {"n": True}),
        ({"n": 0}, {"n": False}),
        ({"n": None}, {}),
        ({"n": "1"}, {"n": 1}),
        ({"n": []}, {"n": {}}),
    ],
)
def test_rule_3_values_that_python_calls_equal_are_not_the_same_data(first: object, second: object) -> None:
    assert oddities(folded(insert(first), insert(second))) == []


def test_rule_3_data_that_is_absent_equals_empty_data() -> None:
    bare = {"table": "tasks", "id": "a", "op": "insert"}
    record = folded(bare, insert({}))
    assert (record.state, record.values, oddities(record)) == ("live", {}, [("retriedInsert", None)])


def test_rule_3_the_same_insert_after_a_delete_without_a_time_makes_the_row_anew() -> None:
    record = folded(insert({"title": "x"}), delete(None), insert({"title": "x"}))
    assert (record.state, record.values, oddities(record)) == ("live", {"title": "x"}, [])


# --- rule 4: update fields --------------------------------------------------------------------------------------------


def test_rule_4_a_timed_field_wins_when_it_is_not_older() -> None:
    record = folded(
        insert({"title": "A", "order": 1}, at=T[1]),
        update(T[5], title="B", order=7),
        update_of({"title": "OLD"}, T[4]),
        update_of({"order": 9}, T[6]),
    )
    assert record.values == {"title": "B", "order": 9, "createdAt": T[1]}
    assert (record.stamps["title"].at, record.stamps["order"].at) == (T[5], T[6])


def test_S10_by_rule_4_times_are_compared_as_strings_like_every_client_does() -> None:
    # An instant later, a string earlier.
    record = folded(update("2026-05-02T12:00:00+00:00", title="a"), update("2026-05-02T09:00:00-09:00", title="b"))
    assert record.values == {"title": "a"}


@pytest.mark.parametrize("untimed", [{}, {"at": ""}, {"updatedAt": 5}, {"at": "", "updatedAt": ""}])
def test_rule_4_an_untimed_field_is_applied_in_stream_order_and_the_stamp_stays(untimed: dict[str, object]) -> None:
    change = {"table": "tasks", "id": "a", "op": "update", "fields": {"title": {"value": "untimed", **untimed}}}
    record = folded(update(T[5], {"actor": XENIA}, title="typed"), change, update(T[4], title="stale"))
    assert record.values == {"title": "untimed"}
    assert record.stamps == {"title": Stamp(T[5], XENIA, None)}
    assert oddities(record) == [("untimedUpdate", "title")]


def test_rule_4_a_new_untimed_field_has_a_stamp_without_a_time() -> None:
    record = folded(insert({}, at=T[1]), update(None, {"actor": WATCHER, "origin": "agent"}, brandNew=1))
    assert record.stamps["brandNew"] == Stamp("", WATCHER, "agent")


@pytest.mark.parametrize("field", [{"updatedAt": T[6]}, {"at": "", "updatedAt": T[6]}, {"at": T[6], "updatedAt": T[1]}])
def test_rule_4_older_clients_updated_at_is_read_in_place_of_at(field: dict[str, str]) -> None:
    change = {"table": "tasks", "id": "a", "op": "update", "fields": {"title": {"value": "tag", **field}}}
    record = folded(update(T[5], title="before"), change)
    assert record.values == {"title": "tag"}
    assert record.stamps["title"].at == T[6]
    assert oddities(record) == []


def test_rule_4_an_update_of_an_absent_row_builds_a_row_from_its_fields() -> None:
    record = folded(update(T[1], title="partial"))
    assert (record.state, record.values) == ("live", {"title": "partial"})


def test_rule_4_an_update_without_fields_is_ignored_and_one_with_no_field_makes_a_row() -> None:
    assert folded({"table": "tasks", "id": "a", "op": "update", "data": {"title": "lost"}}).state == "absent"
    assert folded(update(T[1])).state == "live"


def test_rule_4_a_removed_field_travels_as_null() -> None:
    assert folded(insert({"title": "A"}, at=T[1]), update(T[2], title=None)).values == {
        "title": None,
        "createdAt": T[1],
    }


# --- rule 5: paths ----------------------------------------------------------------------------------------------------


def test_rule_5_a_dotted_name_is_a_path_and_its_stamp_stands_under_the_whole_name() -> None:
    record = folded(insert({"meta": {"k": 1, "l": 2}}, at=T[1]), update(T[2], meta__k=9))
    assert record.values["meta"] == {"k": 9, "l": 2}
    assert (record.stamps["meta"].at, record.stamps["meta.k"].at) == (T[1], T[2])


def test_rule_5_a_dotted_name_is_compared_with_its_own_stamp_only() -> None:
    record = folded(update(T[9], meta={"k": 1}), update(T[2], meta__k=2), update(T[1], meta__k=3))
    assert record.values == {"meta": {"k": 2}}


@pytest.mark.parametrize("parent", [{}, {"meta": None}, {"meta": {}}, {"meta": {"deep": None}}])
def test_rule_5_parents_that_are_absent_or_null_become_objects(parent: dict[str, object]) -> None:
    assert folded(insert(parent), update(T[1], meta__deep__k=1)).values == {"meta": {"deep": {"k": 1}}}


@pytest.mark.parametrize("parent", ["enc:1:xyz.abc", 0, False, "", [], [{"k": 1}], Number("1.5")])
def test_rule_5_a_path_through_anything_else_is_dropped_and_noted(parent: object) -> None:
    record = folded(insert({"meta": {"deep": parent}, "list": parent}), update(T[1], meta__deep__k=1, list__k=1))
    assert record.values == {"meta": {"deep": parent}, "list": parent}
    assert "meta.deep.k" not in record.stamps
    assert oddities(record) == [("pathThroughNonObject", "list.k"), ("pathThroughNonObject", "meta.deep.k")]


def test_rule_5_a_refused_path_leaves_nothing_half_made() -> None:
    record = folded(insert({"a": {"list": [1]}}), update(T[1], a__list__b__c=1))
    assert record.values == {"a": {"list": [1]}}


def test_rule_5_arrays_and_objects_given_by_name_are_replaced_whole() -> None:
    record = folded(insert({"meta": {"a": 1, "b": 2}, "list": [1, 2]}), update(T[1], meta={"a": 9}, list=[]))
    assert record.values == {"meta": {"a": 9}, "list": []}


def test_rule_5_a_key_with_a_dot_in_an_inserts_data_is_just_a_key() -> None:
    record = folded(insert({"meta.k": 1, "meta": {"k": 2}}, at=T[1]))
    assert record.values == {"meta.k": 1, "meta": {"k": 2}, "createdAt": T[1]}
    beside = folded(insert({"meta.k": 1}, at=T[1]), update(T[2], meta__k=3))
    assert beside.values == {"meta.k": 1, "meta": {"k": 3}, "createdAt": T[1]}
    assert oddities(beside) == [("dottedBesideLiteral", "meta.k")]


def test_rule_5_a_dotted_name_on_an_absent_row_is_a_path_too_and_noted() -> None:
    record = folded(update(T[1], meta__k=1))
    assert record.values == {"meta": {"k": 1}}
    assert oddities(record) == [("dottedUpdateOnAbsentRow", "meta.k")]


def test_rule_5_an_object_and_a_path_into_it_in_one_update_are_written_in_that_order() -> None:
    for names in (["meta", "meta.k", "meta.k.x"], ["meta.k.x", "meta.k", "meta"]):
        values = {"meta": {"a": 1}, "meta.k": {"b": 2}, "meta.k.x": 3}
        record = folded(insert({}), update_of({name: values[name] for name in names}, T[1]))
        assert record.values == {"meta": {"a": 1, "k": {"b": 2, "x": 3}}}


def test_rule_5_empty_names_in_a_path_are_names() -> None:
    record = folded(insert({"": {"x": 1}}), update_of({".": 2, "a..b": 3}, T[1]))
    assert record.values == {"": {"x": 1, "": 2}, "a": {"": {"b": 3}}}


def test_rule_5_a_path_of_absurd_length_is_dropped_and_noted() -> None:
    path = ".".join("a" * 2_000)
    record = folded(insert({}), update_of({path: 1}, T[1]))
    assert (record.values, oddities(record)) == ({}, [("pathTooLong", path)])


def test_rule_5_writing_inside_an_object_leaves_the_callers_changes_as_they_were() -> None:
    shared = {"k": {"x": 1}, "other": {"y": 1}}
    changes = [
        insert({"meta": shared, "again": shared}),
        update(T[1], meta__k__x=2),
        update(T[2], meta__k__z=3),
        update(T[3], meta=shared),
        update(T[4], meta__k__x=4),
        update(T[5], again__k=shared),
        update(T[6], again__k__other__y=5),
    ]
    before = [jsontext.dumps(change) for change in changes]
    record = folded(*changes)
    assert [jsontext.dumps(change) for change in changes] == before
    assert record.values == {
        "meta": {"k": {"x": 4}, "other": {"y": 1}},
        "again": {"k": {"k": {"x": 1}, "other": {"y": 5}}, "other": {"y": 1}},
    }


def test_rule_5_an_object_made_where_a_replaced_one_was_is_still_the_callers() -> None:
    given: list[dict[str, int]] = []

    def stream() -> Iterator[object]:
        for _ in range(200):  # a freed object's memory soon serves for the next
            yield update(T[1], meta__k=2)
            yield update(T[1], meta=None)
            given.append({"k": 1})
            yield update(T[1], meta=given[-1])
            yield update(T[1], meta__k=3)
            yield update(T[1], meta=None)

    fold(TASKS, stream())
    assert given == [{"k": 1}] * 200


# --- rule 6: deletes --------------------------------------------------------------------------------------------------


def test_rule_6_a_delete_with_a_time_is_a_tombstone_that_keeps_the_fields() -> None:
    record = folded(insert({"title": "A"}, at=T[1]), delete(T[3], actor=XENIA))
    assert (record.state, record.values) == ("tombstone", {"title": "A", "createdAt": T[1], "deletedAt": T[3]})
    assert record.stamps["deletedAt"] == Stamp(T[3], XENIA, None)


def test_rule_6_the_later_of_two_deletes_counts() -> None:
    record = folded(insert({}), delete(T[5]), delete(T[4]), delete(T[5], actor=XENIA))
    assert record.stamps["deletedAt"] == Stamp(T[5], XENIA, None)


def test_rule_6_a_delete_is_kept_for_an_id_not_seen_yet() -> None:
    assert folded(delete(T[3])).state == "tombstone"
    record = folded(delete(T[3]), insert({"title": "A"}, at=T[1]))
    assert (record.state, record.values["title"]) == ("tombstone", "A")
    assert oddities(record) == [("deleteBeforeInsert", None)]


def test_rule_6_a_delete_before_anything_is_noted_only_when_something_follows_and_it_still_holds() -> None:
    assert oddities(folded(delete(T[3]))) == []
    assert oddities(folded(delete(T[3]), update(T[4], title="x"))) == [("deleteBeforeInsert", None)]
    assert oddities(folded(delete(T[3]), update(T[4], deletedAt=None))) == []
    assert oddities(folded(delete(T[3]), insert({"title": "x"}), insert({"title": "y"}))) == [
        ("deleteBeforeInsert", None),
        ("insertOnTombstone", None),
    ]


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_rule_6_a_time_of_deletion_makes_a_delete_of_any_operation(operation: str) -> None:
    change = {"table": "tasks", "id": "a", "op": operation, "deletedAt": T[3], "data": {"b": 1}, "fields": {}}
    assert folded(insert({"a": 1}), change).values == {"a": 1, "deletedAt": T[3]}


def test_rule_6_deleted_at_null_in_a_later_update_revives() -> None:
    deleted = [insert({"title": "A"}, at=T[1]), delete(T[3])]
    assert folded(*deleted, update(T[4], deletedAt=None)).state == "live"
    assert folded(*deleted, update(T[2], deletedAt=None)).state == "tombstone"
    assert folded(*deleted, update(T[4], deletedAt=None), delete(T[3])).state == "live"
    assert folded(*deleted, update(T[4], deletedAt=None), delete(T[5])).state == "tombstone"


def test_rule_6_an_update_can_delete_by_value() -> None:
    assert folded(insert({}), update(T[1], deletedAt=T[1])).state == "tombstone"


@pytest.mark.parametrize("time", [None, ""])
def test_rule_6_a_delete_without_a_time_removes_the_row_and_all_memory_of_it(time: str | None) -> None:
    removed = folded(insert({"title": "A"}, at=T[9]), delete(T[9]), delete(time))
    assert (removed.state, removed.values, removed.stamps) == ("absent", {}, {})
    anew = folded(insert({"title": "A", "b": 1}, at=T[9]), delete(T[9]), delete(time), update(T[1], title="B"))
    assert (anew.state, anew.values) == ("live", {"title": "B"})


def test_rule_6_a_delete_without_a_time_is_noted_unless_the_row_lives_again_at_the_end() -> None:
    assert oddities(folded(insert({}), delete(None), delete(None))) == [("untimedDelete", None)] * 2
    assert oddities(folded(insert({}), delete(None), insert({}, at=T[1]))) == []
    assert oddities(folded(insert({}), delete(None), delete(T[1]))) == [("untimedDelete", None)]


def test_rule_6_an_insert_on_a_tombstone_fills_fields_and_leaves_it_deleted() -> None:
    deleted = [insert({"title": "A", "order": 1}, at=T[1]), delete(T[3])]
    timed = folded(*deleted, insert({"title": "back"}, at=T[4]))
    assert (timed.state, timed.values["title"], timed.values["order"]) == ("tombstone", "back", 1)
    untimed = folded(*deleted, insert({"title": "back"}))
    assert (untimed.state, untimed.values["title"]) == ("tombstone", "back")
    assert oddities(timed) == oddities(untimed) == [("insertOnTombstone", None)]


def test_rule_6_an_insert_that_carries_deleted_at_speaks_for_itself_as_in_the_web_app() -> None:
    deleted = [insert({"title": "A"}, at=T[1]), delete(T[3])]
    assert folded(*deleted, insert({"deletedAt": None}, at=T[4])).state == "live"
    assert folded(*deleted, insert({"deletedAt": None}, at=T[2])).state == "tombstone"
    assert folded(*deleted, insert({"deletedAt": None})).state == "live"
    assert oddities(folded(*deleted, insert({"deletedAt": None}, at=T[4]))) == []


@pytest.mark.parametrize("falsy", [None, False, 0, "", Number("-0"), Number("1e-400")])
def test_rule_6_a_falsy_deleted_at_is_a_live_row(falsy: object) -> None:
    assert folded(insert({"deletedAt": falsy})).state == "live"


@pytest.mark.parametrize("truthy", [T[1], "0", True, 1, [], {}, Number("1.5"), Number("1" * 400)])
def test_rule_6_a_truthy_deleted_at_is_a_tombstone_whatever_its_type(truthy: object) -> None:
    assert folded(insert({"deletedAt": truthy})).state == "tombstone"


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
