"""The fold up to an instant: a change counts when its own time is not later; what has no time is noted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .changes import T, delete, folded, insert, oddities, update, update_of
from .test_projection_properties import seen, streams

HISTORY = [
    insert({"title": "1", "order": 1}, at=T[1]),
    update(T[3], title="3"),
    update(T[5], title="5", order=5),
    delete(T[7]),
    update(T[9], deletedAt=None),
]


@pytest.mark.parametrize(
    ("day", "state", "title"),
    [
        (0, "absent", None),
        (1, "live", "1"),
        (2, "live", "1"),
        (3, "live", "3"),
        (5, "live", "5"),
        (7, "tombstone", "5"),
        (9, "live", "5"),
    ],
)
def test_a_change_counts_from_its_own_time_on(day: int, state: str, title: str | None) -> None:
    record = folded(*HISTORY, as_of=T[day])
    assert (record.state, record.values.get("title"), record.oddities) == (state, title, [])


def test_update_fields_count_one_by_one() -> None:
    change = update(T[3], a=1)
    change["fields"]["b"] = {"value": 2, "at": T[5]}
    change["fields"]["meta.k"] = {"value": 3, "updatedAt": T[6]}
    assert folded(insert({}), change, as_of=T[4]).values == {"a": 1}
    assert folded(insert({}), change, as_of=T[6]).values == {"a": 1, "b": 2, "meta": {"k": 3}}


def test_an_update_that_is_all_later_leaves_no_row_no_space_and_no_note() -> None:
    later = update_of({"a": 1}, T[5], spaceId="s1", actor=None)
    record = folded(insert({"a": 0}, at=T[1]), later, as_of=T[4])
    assert (record.values, record.space, record.oddities) == ({"a": 0, "createdAt": T[1]}, None, [])
    assert folded(later, as_of=T[4]).state == "absent"


def test_untimed_inserts_and_fields_always_count_and_are_noted() -> None:
    record = folded(insert({"title": "x"}), update(None, title="y"), as_of=T[1])
    assert record.values == {"title": "y"}
    assert oddities(record) == [("undatedCounted", None), ("undatedCounted", "title"), ("untimedUpdate", "title")]


def test_an_untimed_delete_does_not_count_because_absence_must_not_be_invented() -> None:
    record = folded(insert({"title": "x"}, at=T[1]), delete(None), as_of=T[9])
    assert (record.state, oddities(record)) == ("live", [("undatedDeleteLeftOut", None)])


@pytest.mark.parametrize(
    ("at", "as_of", "counts"),
    [
        ("2026-05-01T14:00:00+02:00", "2026-05-01T12:00:00Z", True),
        ("2026-05-01T14:00:01+02:00", "2026-05-01T12:00:00Z", False),
        ("2026-05-01T12:00:00Z", "2026-05-01T12:00:00.000Z", True),
        ("2026-05-01T12:00:00.000000000Z", "2026-05-01T12:00:00z", True),
        ("2026-05-01T12:00:00.0001Z", "2026-05-01T12:00:00Z", False),
        ("2026-05-01t12:00:00.5Z", "2026-05-01T12:00:00.49Z", False),
        ("2026-04-30T23:59:59-12:00", "2026-05-01T12:00:00Z", True),
        # no RFC 3339 instants: as strings
        ("2026-05-01", "2026-05-01T12:00:00Z", True),
        ("2026-99-99T12:00:00Z", "2026-05-01T12:00:00Z", False),
        ("2026-05-01T12:00:00+99:00", "2026-05-01T12:00:00Z", True),
        ("2026-05-01T23:59:60Z", "2026-05-01T12:00:00Z", False),
        ("yesterday", "2026-05-01T12:00:00Z", False),
        ("2026-05-01T12:00:00Z" + "0" * 100, "2026-05-01T12:00:00Z", False),
        ("b", "c", True),
        ("2026-05-01T12:00:00Z", "c", True),
    ],
)
def test_times_are_instants_where_both_are_rfc_3339_and_strings_elsewhere(at: str, as_of: str, counts: bool) -> None:
    assert (folded(update(at, a=1), as_of=as_of).state == "live") is counts
    assert (folded(insert({"a": 1}, at=at), as_of=as_of).state == "live") is counts
    assert (folded(delete(at), as_of=as_of).state == "tombstone") is counts


def test_malformed_changes_are_set_aside_at_any_time() -> None:
    assert folded(insert([]), as_of=T[1]).malformed == ["badData"]


@settings(deadline=None)
@given(streams)
def test_up_to_the_end_of_time_everything_counts_but_untimed_deletes(stream: list[Any]) -> None:
    stream = [change for change in stream if not (change["op"] == "delete" and not change.get("deletedAt"))]
    stream.append(insert({}, id="r"))
    whole, until = folded(*stream), folded(*stream, as_of="~")
    until.oddities = [oddity for oddity in until.oddities if not oddity.kind.startswith("undated")]
    assert seen(until) == seen(whole)


@settings(deadline=None)
@given(streams, st.sampled_from(T[:8]))
def test_a_later_change_is_as_if_it_had_not_been_sent(stream: list[Any], day: str) -> None:
    before = [insert({"a": 1}, at=T[0], id="r"), *stream]
    later = [update_of({"a": 2, "a.x": 3}, T[20], id="r"), delete(T[21], id="r"), insert({"b": 1}, at=T[22], id="r")]
    assert seen(folded(*before, *later, as_of=day)) == seen(folded(*before, as_of=day))
