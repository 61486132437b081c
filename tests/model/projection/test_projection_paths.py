"""Rule 5 of the projection: paths into what a field holds (numbers as in ``manabackup.model.projection``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.model.projection import fold
from manabackup.text import jsontext
from manabackup.text.jsontext import Number

from .changes import TASKS, T, folded, insert, oddities, update, update_of


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
