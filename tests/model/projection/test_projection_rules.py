"""Rules 1 to 4 of the projection, one section each: order, inserts, updates (numbers as in
``manabackup.model.projection``)."""

from __future__ import annotations

import pytest

from manabackup.model import registry
from manabackup.model.projection import Stamp, fold
from manabackup.text.jsontext import Number

from .changes import WATCHER, XENIA, T, delete, folded, insert, oddities, update, update_of

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
