"""Laws of the fold over random streams, and its equality with a slow, literal reading of the rules."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.model.projection import Record, accept, fold
from manabackup.text import jsontext
from tests.support.shares import examples

from .changes import SETTINGS, TASKS, WATCHER, XENIA, T, insert, update_of
from .reference import malformed, reference_fold

# Few names, times and values, so that they meet.
NAMES = [
    "a",
    "b",
    "a.x",
    "a.y",
    "a.x.z",
    "b.x",
    "deletedAt",
    "spaceId",
    "createdAt",
    "updatedAt",
    "id",
    "__m",
    "__m.a",
    "_updatedAtIndex",
]
names = st.sampled_from(NAMES)
times = st.sampled_from([*T[1:5], "", "2026-05-02", "zzz"])
scalars = st.sampled_from([None, False, True, 0, 1, "", "x", T[2]])
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("xyz"), v, max_size=2), max_leaves=4
)
datas = st.dictionaries(names, values | times, max_size=4)
fields = st.dictionaries(
    names,
    st.builds(
        lambda value, time: {"value": value, **time},
        values,
        st.dictionaries(st.sampled_from(["at", "updatedAt"]), times, max_size=2),
    ),
    max_size=4,
)
envelopes = st.fixed_dictionaries(
    {},
    optional={
        "actor": st.sampled_from([None, XENIA, WATCHER]),
        "origin": st.sampled_from(["user", "agent"]),
        "spaceId": st.sampled_from([None, "", "s1", "s2"]),
    },
)
operations = (
    st.builds(lambda data: {"op": "insert", "data": data}, datas)
    | st.builds(lambda of: {"op": "update", "fields": of}, fields)
    | st.builds(lambda time: {"op": "delete", "deletedAt": time}, times)
    | st.sampled_from(
        [{"op": "delete"}, {"op": "insert"}, {"op": "update"}, {"op": "insert", "deletedAt": T[3], "data": {"a": 1}}]
    )
)
changes = st.builds(lambda op, envelope: {"table": "tasks", "id": "r", **op, **envelope}, operations, envelopes)
junk: st.SearchStrategy[Any] = st.sampled_from(
    [None, [], "", 5, True, {}, {"a": None}, {"a": {"at": "x"}}, {"a": {"value": 1, "at": 5}}]
)
broken = st.builds(
    lambda change, name, value: {**change, name: value},
    changes,
    st.sampled_from(["table", "op", "fields", "data", "deletedAt", "eventId", "origin", "schemaVersion", "actor"]),
    junk,
)
streams = st.lists(changes | changes | changes | broken, min_size=1, max_size=12)


def seen(record: Record) -> str:
    """Everything that a record says, as text: values compare by type too."""
    return json.dumps(
        [
            record.id,
            record.state,
            record.values,
            record.stamps,
            record.space,
            record.space_filled,
            record.oddities,
            record.malformed,
            record.undated_insert,
        ],
        sort_keys=True,
    )


@settings(max_examples=examples(1_500), deadline=None)
@given(streams, st.booleans())
def test_equals_a_slow_and_literal_reading_of_the_rules(stream: list[Any], space_scoped: bool) -> None:
    record = fold(TASKS if space_scoped else SETTINGS, stream)
    expected = reference_fold(stream, space_scoped)
    ours = {"state": record.state, "values": record.values, "stamps": record.stamps}
    assert json.dumps(ours, sort_keys=True) == json.dumps(expected, sort_keys=True)


@settings(deadline=None)
@given(st.lists(changes | broken | junk, max_size=6))
def test_sets_aside_exactly_what_a_literal_reading_of_the_acceptance_test_refuses(stream: list[Any]) -> None:
    assert [accept(change) is not None for change in stream] == [malformed(change) for change in stream]


@settings(deadline=None)
@given(streams)
def test_the_same_changes_give_the_same_record_and_stay_as_they_were(stream: list[Any]) -> None:
    before = jsontext.dumps(stream)
    first = seen(fold(TASKS, stream))
    assert jsontext.dumps(stream) == before
    assert seen(fold(TASKS, iter(stream))) == first
    assert seen(fold(TASKS, jsontext.parse(before))) == first


@settings(deadline=None)
@given(st.data())
def test_timed_updates_of_plain_names_give_the_same_row_in_any_order(data: st.DataObject) -> None:
    moments = data.draw(st.lists(st.sampled_from(T), unique=True, min_size=2, max_size=5))
    updates = [
        update_of(data.draw(st.dictionaries(st.sampled_from(["a", "b", "deletedAt"]), values, max_size=3)), at)
        for at in moments
    ]
    records = [fold(TASKS, order) for order in itertools.islice(itertools.permutations(updates), 24)]
    assert len({json.dumps([record.state, record.values, record.stamps], sort_keys=True) for record in records}) == 1


@settings(deadline=None)
@given(streams)
def test_a_push_that_was_retried_at_once_changes_nothing(stream: list[Any]) -> None:
    once, twice = fold(TASKS, stream), fold(TASKS, [change for change in stream for _ in range(2)])
    assert (once.state, jsontext.dumps(once.values), once.stamps) == (
        twice.state,
        jsontext.dumps(twice.values),
        twice.stamps,
    )


@settings(deadline=None)
@given(streams)
def test_what_has_no_row_has_no_values_and_dropped_names_never_appear(stream: list[Any]) -> None:
    record = fold(TASKS, stream)
    assert record.state != "absent" or (record.values, record.stamps) == ({}, {})
    heads = {name.split(".")[0] for name in [*record.values, *record.stamps]}
    assert not {head for head in heads if head in ("id", "_updatedAtIndex") or head.startswith("__")}


@settings(deadline=None)
@given(streams)
def test_a_malformed_change_never_matters_to_the_row(stream: list[Any]) -> None:
    stream = [insert({"a": 1}), *stream]
    whole, clean = fold(TASKS, stream), fold(TASKS, [change for change in stream if accept(change) is None])
    whole.malformed.clear()
    clean.id = whole.id
    assert seen(whole) == seen(clean)
