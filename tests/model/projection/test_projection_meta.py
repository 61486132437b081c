"""Who wrote what when: the lines of ``meta/`` (rule 10), and what the web app's own archives say of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.errors import ManabackupError
from manabackup.model.projection import (
    UNKNOWN,
    MetaLineError,
    Numbering,
    Record,
    Stamp,
    check_meta,
    fold,
    from_field_meta,
    meta_line,
    read_meta,
)
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON

from .changes import SETTINGS, TASKS, WATCHER, XENIA, T, delete, folded, insert, update
from .test_projection_properties import streams


class Numbers:
    """Line numbers as a writer gives them: equal content, equal number."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def __call__(self, value: Any) -> int:
        if value not in self.lines:
            self.lines.append(value)
        return self.lines.index(value)


def line_of(record: Record, table: Any = TASKS, **options: Any) -> tuple[Any, list[Any]]:
    actors = Numbers()
    return meta_line(record, table, Numbering(actors, Numbers()), **options), actors.lines


def test_rule_10_fields_written_together_need_no_entry_of_their_own() -> None:
    record = folded(insert({"title": "A", "order": 1, "spaceId": "s1"}, at=T[1], actor=XENIA, origin="user"))
    line, actors = line_of(record)
    assert line == {"id": "a", "space": 0, "at": T[1], "actor": 0, "origin": "user", "fields": {}, "sealed": []}
    assert actors == [XENIA]


def test_rule_10_fields_that_differ_state_their_whole_triple() -> None:
    record = folded(
        insert({"title": "A", "order": 1, "meta": {"k": 1}, "spaceId": "s1"}, at=T[1], actor=XENIA, origin="user"),
        update(T[2], {"actor": WATCHER, "origin": "agent"}, title="B", meta__k=2),
        update(T[3], {"actor": XENIA, "origin": "user"}, order=2),
    )
    line, actors = line_of(record)
    assert line["fields"] == {
        "title": {"at": T[2], "actor": 1, "origin": "agent"},
        "meta.k": {"at": T[2], "actor": 1, "origin": "agent"},
        "order": {"at": T[3], "actor": 0, "origin": "user"},
    }
    assert (line["at"], line["actor"], line["origin"], actors) == (T[1], 0, "user", [XENIA, WATCHER])


def test_rule_10_of_equally_many_the_field_first_by_name_gives_the_common_triple() -> None:
    changes = [update(T[1], b=1), update(T[2], a=1), update(T[3], c=1)]
    assert line_of(folded(*changes))[0]["at"] == T[2]
    assert line_of(folded(*changes, update(T[3], d=1)))[0]["at"] == T[3]
    by_code_point = folded(update(T[1], **{"\uffff": 1}), update(T[2], **{"\U0001f600": 1}))
    assert line_of(by_code_point)[0]["at"] == T[1]


def test_rule_10_what_is_not_known_is_null() -> None:
    line, _ = line_of(folded(insert({"title": "A"})))
    assert line == {"id": "a", "space": None, "at": None, "actor": None, "origin": None, "fields": {}, "sealed": []}
    assert line_of(Record("a", values={"title": "A"}))[0] == line
    filled, _ = line_of(folded(insert({"a": 1, "b": 1}, at=T[1], spaceId="s1", origin="user")))
    assert (filled["space"], filled["at"]) == (0, T[1])
    assert filled["fields"] == {"spaceId": {"at": None, "actor": None, "origin": None}}


def test_rule_10_only_space_scoped_tables_name_a_space() -> None:
    change = insert({"a": 1, "spaceId": "s1"})
    assert "space" not in line_of(fold(SETTINGS, [change]), SETTINGS)[0]
    assert "space" not in line_of(fold(None, [change]), None)[0]


def test_rule_10_a_tombstone_has_its_line_too() -> None:
    line, _ = line_of(folded(insert({"a": 1}, at=T[1]), delete(T[3])))
    assert line["fields"] == {"deletedAt": {"at": T[3], "actor": None, "origin": None}}


def test_rule_10_sealed_fields_are_listed_by_name() -> None:
    line, _ = line_of(folded(insert({"a": 1})), also_encrypted=["z", "b"])
    assert line["sealed"] == ["b", "z"]


def test_actors_are_numbered_in_the_order_of_field_names_however_the_changes_were_written() -> None:
    by_name = {"a": update(T[1], {"actor": XENIA}, a=1), "b": update(T[2], {"actor": WATCHER}, b=1)}
    for order in ("ab", "ba"):
        assert line_of(folded(*(by_name[name] for name in order)))[1] == [XENIA, WATCHER]


def test_an_actor_is_numbered_once_for_all_fields_written_together() -> None:
    asked: list[Any] = []

    def number(actor: Any) -> int:
        asked.append(actor)
        return 0

    record = folded(insert(dict.fromkeys("abcdefgh"), at=T[1], actor=XENIA))
    meta_line(record, TASKS, Numbering(number, Numbers()))
    assert asked == [XENIA]


@settings(deadline=None)
@given(streams, st.sampled_from([TASKS, SETTINGS, None]))
def test_rule_10_a_line_read_again_says_what_the_record_says(stream: list[Any], table: Any) -> None:
    record = fold(table, stream)
    line, actors = line_of(record, table, also_encrypted=["x"])
    meta = read_meta(jsontext.parse(jsontext.dumps(line)), actors)
    for name in record.values.keys() | record.stamps.keys():
        assert meta.stamp(name) == record.stamps.get(name, UNKNOWN)
    assert (meta.id, meta.also_encrypted, meta.last_modified) == (record.id, ("x",), record.latest_time)
    stamps = meta.stamps(record.values)
    assert stamps.keys() <= record.values.keys() | record.stamps.keys()
    assert all(stamp == record.stamps.get(name, UNKNOWN) for name, stamp in stamps.items())
    # ... and names no field that the common triple already describes.
    assert meta.common not in meta.fields.values()


GOOD: dict[str, Any] = {"id": "a", "at": None, "actor": None, "origin": None, "fields": {}, "sealed": []}
STAMP = {"at": T[1], "actor": 0, "origin": "user"}


def test_a_line_may_hold_more_than_this_version_knows() -> None:
    meta = read_meta({**GOOD, "space": 2, "later": 1, "fields": {"a": {**STAMP, "via": 1}}}, [XENIA])
    assert (meta.space, meta.stamp("a"), meta.stamp("b")) == (2, Stamp(T[1], XENIA, "user"), UNKNOWN)


@pytest.mark.parametrize(
    "line",
    [
        None,
        [],
        {},
        {**GOOD, "id": 5},
        {**GOOD, "space": "s1"},
        {**GOOD, "space": -1},
        {**GOOD, "space": True},
        {**GOOD, "at": 5},
        {**GOOD, "actor": "user"},
        {**GOOD, "actor": 1},
        {**GOOD, "actor": -1},
        {**GOOD, "actor": False},
        {**GOOD, "origin": {}},
        {**GOOD, "fields": None},
        {**GOOD, "fields": {"a": None}},
        {**GOOD, "fields": {"a": {"at": T[1]}}},
        {**GOOD, "fields": {"a": {**STAMP, "actor": 7}}},
        {**GOOD, "sealed": None},
        {**GOOD, "sealed": [5]},
        *({name: GOOD[name] for name in GOOD if name != missing} for missing in GOOD),
    ],
)
def test_a_line_that_is_not_as_the_format_says_is_refused_without_quoting_it(line: Any) -> None:
    with pytest.raises(MetaLineError) as refused:
        read_meta(line, [XENIA])
    assert isinstance(refused.value, ManabackupError)
    assert "user" not in str(refused.value)


def test_rows_of_the_web_app_give_up_their_internal_keys() -> None:
    row = {
        "id": "a",
        "title": "A",
        "_updatedAtIndex": T[3],
        "__lastActor": XENIA,
        "__fieldTimestamps": {"title": T[1]},
        "__fieldMeta": {"title": {"at": T[1], "actor": XENIA, "origin": "user"}, "meta.k": {"at": T[2]}},
    }
    before = json.dumps(row)
    clean, stamps = from_field_meta(row)
    assert clean == {"id": "a", "title": "A"}
    assert stamps == {"title": Stamp(T[1], XENIA, "user"), "meta.k": Stamp(T[2], None, None)}
    assert json.dumps(row) == before


@pytest.mark.parametrize(
    "junk",
    [
        None,
        "text",
        [],
        {"title": None},
        {"title": T[1]},
        {"title": {"at": 5, "actor": "me", "origin": None}},
        {"__fieldMeta.title.at": {"at": T[1]}, "id": {"at": T[1]}, "_updatedAtIndex": {"at": T[1]}},
    ],
)
def test_junk_in_field_meta_counts_as_unknown(junk: Any) -> None:
    assert from_field_meta({"id": "a", "title": "A", "__fieldMeta": junk}) == ({"id": "a", "title": "A"}, {})


def test_a_row_of_the_web_app_gives_the_same_line_as_its_changes() -> None:
    record = folded(insert({"title": "A", "spaceId": "s1"}, at=T[1], actor=XENIA, origin="user"))
    entry = {"at": T[1], "actor": XENIA, "origin": "user"}
    row = {"id": "a", **record.values, "__fieldMeta": dict.fromkeys(record.values, entry)}
    clean, stamps = from_field_meta(row)
    again = Record(str(clean.pop("id")), values=clean, stamps=stamps, space="s1")
    assert line_of(again) == line_of(record)


_SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=3)
_MEMBERS: st.SearchStrategy[JSON] = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("a") | _SCALARS,
        "space": _SCALARS,
        "at": _SCALARS,
        "actor": _SCALARS,
        "origin": _SCALARS,
        "fields": st.just({}) | _SCALARS | st.just({"x": {}}),
        "sealed": st.just([]) | _SCALARS | st.just([1]),
        "omitted": st.just([]) | _SCALARS,
    },
)


@given(_MEMBERS | _SCALARS)
def test_a_line_passes_the_check_when_it_can_be_read(line: JSON) -> None:
    def refusal(read: Callable[[JSON, list[dict[str, JSON]]], object]) -> str | None:
        try:
            read(line, [{}, {}])
        except MetaLineError as error:
            return str(error)
        return None

    assert refusal(check_meta) == refusal(read_meta)
