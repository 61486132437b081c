"""Rule 6 of the projection: deletes (numbers as in ``manabackup.model.projection``)."""

from __future__ import annotations

import pytest

from manabackup.model.projection import Stamp
from manabackup.text.jsontext import Number

from .changes import XENIA, T, delete, folded, insert, oddities, update


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
