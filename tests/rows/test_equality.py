"""When values count as equal: as the server would keep them, and inside ciphertext by what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.rows.equality import changed_fields, equal_values
from manabackup.text import jsontext

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def equal(one: str, other: str, *, exact: bool = False) -> bool:
    a, b = jsontext.parse(one), jsontext.parse(other)
    assert equal_values(a, b, exact=exact) == equal_values(b, a, exact=exact)
    return equal_values(a, b, exact=exact)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1", "1e0"),
        ("100", "1E2"),
        ("-0", "0"),
        ("1e400", "10e399"),
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('{"a":null}', "{}"),
        ('{"a":{"b":null}}', '{"a":{}}'),
        ('"\\u00fc"', '"ü"'),
        ('"\\ud83d"', '"\\uD83D"'),
    ],
)
def test_equal_to_everybody(one: str, other: str) -> None:
    assert equal(one, other)
    assert equal(one, other, exact=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9007199254740993", "9007199254740992"),
        ("0.1", "0.1000000000000000055"),
        ("12345678901234567890123", "12345678901234567890124"),
        ("1e-400", "0"),
    ],
)
def test_equal_to_a_server_that_keeps_floats_and_to_nobody_else(one: str, other: str) -> None:
    assert equal(one, other)
    assert not equal(one, other, exact=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("0", "null"),
        ("1", '"1"'),
        ("1", "2"),
        ("1e400", "1e401"),
        ("1e9999999999999999999", "2e9999999999999999999"),
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,null]"),
        ("[]", "{}"),
        ('""', "null"),
        ('{"a":1}', '{"a":1,"b":2}'),
        ('"a"', '"A"'),
        ('"\\ud83d"', '"\\ufffd"'),
        ('"ü"', '"u\u0308"'),
    ],
)
def test_different_to_everybody(one: str, other: str) -> None:
    assert not equal(one, other)
    assert not equal(one, other, exact=True)


def test_values_that_nest_deeper_than_the_interpreter_are_compared() -> None:
    deep = "[" * 15_000 + "{}" + "]" * 15_000
    assert equal(deep, deep, exact=True)
    assert not equal(deep, deep.replace("{}", "1"))


@given(_VALUES, _VALUES)
def test_only_values_without_nulls_and_doubles_tell_it_from_json(one: Any, other: Any) -> None:
    """Where no member is null, equality is that of Python's own values, but that true is not 1."""

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: told(member) for name, member in value.items() if member is not None}
        if isinstance(value, list):
            return [told(member) for member in value]
        return float(value) if type(value) is int else [value] if isinstance(value, bool) else value

    a, b = jsontext.parse(json.dumps(one)), jsontext.parse(json.dumps(other))
    assert equal_values(a, a)
    assert equal_values(a, a, exact=True)
    assert equal_values(a, b) == (told(one) == told(other))


def test_the_fields_that_differ_are_named_in_order() -> None:
    one: dict[str, Any] = {"id": "x", "b": 1, "a": 9007199254740993, "gone": None, "z": 1, "i": 1}
    other: dict[str, Any] = {"id": "x", "b": 2, "a": 9007199254740992, "new": 1, "nothing": None, "z": 2, "i": 2}
    assert changed_fields(one, other, ignored={"i"}) == ["b", "new", "z"]
    assert changed_fields(one, other, exact={"a"}, ignored={"i", "z"}) == ["a", "b", "new"]
