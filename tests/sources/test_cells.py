"""Values of archives become the databases' own again, and tables come in an order in which they can be filled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.sources.arrays import parse_array
from manabackup.sources.catalog import Column
from manabackup.sources.cells import postgresql_cell, same_in_sqlite, sqlite_cell
from manabackup.sources.order import in_order
from manabackup.sources.profile import StoreKind
from manabackup.sources.sqlite import Text
from manabackup.sources.values import converter
from manabackup.text import jsontext

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
POSTGRESQL, SQLITE = StoreKind.POSTGRESQL, StoreKind.SQLITE


@given(st.recursive(st.lists(st.none() | texts, max_size=4), lambda inner: st.lists(inner, min_size=1, max_size=3)))
def test_arrays_become_the_servers_text_again(value: list[Any]) -> None:
    assert parse_array(postgresql_cell("text[]", POSTGRESQL)(value), str) == value


values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("column:json"), inner, max_size=3),
)


@given(values)
def test_what_jsonb_holds_comes_back_and_null_is_told_from_nothing(value: Any) -> None:
    text = jsontext.dumps(value)
    convert = converter(Column("c", "jsonb", nullable=True, base="jsonb"), POSTGRESQL)
    assert convert is not None
    archived = convert(text.decode())
    assert archived is not None
    line = jsontext.dumps({"c": archived})
    assert postgresql_cell("jsonb", POSTGRESQL)(jsontext.parse(line)["c"]).encode() == text


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts | st.binary())
def test_values_of_sqlite_come_back(value: Any) -> None:
    column = Column("c", "", nullable=True)
    read = Text(value.encode()) if isinstance(value, str) else value
    convert = converter(column, SQLITE)
    assert convert is not None
    archived = convert(read)
    line = jsontext.dumps({"c": archived})
    again = jsontext.parse(line)["c"]
    if isinstance(value, float) and type(again) is int:
        again = float(again)  # as whoever reads rows of SQLite's does
    numeric = isinstance(value, float)
    assert same_in_sqlite(sqlite_cell("", SQLITE, numeric=numeric)(again), value)


@pytest.mark.parametrize(
    ("base", "value"),
    [("text", {"a": 1}), ("text", ["a"]), ("text", "a\0"), ("bytea", "no base64!"), ("bytea", 7), ("integer", {})],
)
def test_what_is_no_value_of_a_type_is_refused(base: str, value: Any) -> None:
    with pytest.raises(ValueError):
        postgresql_cell(base, POSTGRESQL)(value)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefghxy"), max_size=4)))
def test_what_is_led_to_comes_first(parents: dict[str, list[str]]) -> None:
    groups = in_order(parents)
    places = {name: number for number, group in enumerate(groups) for name in group}
    assert sorted(name for group in groups for name in group) == sorted(parents)
    for name, above in parents.items():
        assert all(places[each] <= places[name] for each in above if each in places)
    for group in groups:
        for name in group[1:]:  # in a group all lead to each other
            assert name in reached(group[0], parents)
            assert group[0] in reached(name, parents)


def reached(start: str, parents: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for each in parents.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found
