"""The members of an object by their own text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import JSONTextError
from manabackup.text.jsonmembers import member_text, member_value, members, object_text, writable_members

_TEXTS = st.text(st.characters(codec=None, exclude_categories=[]) | st.sampled_from('\\"{}[],: \ud83d'), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_each_member_is_given_as_it_was_written(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    def text(of: Any) -> str:
        return json.dumps(of, indent=indent, ensure_ascii=ascii_only)

    whole = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    try:
        line = whole.encode()
    except UnicodeEncodeError:  # a lone surrogate can stand as an escape only
        return
    found = members(line)
    assert list(found) == list(value)
    for name, member in found.items():
        assert json.loads(member) == value[name]
        assert member in line
        if indent is None:
            assert member == text(value[name]).encode()


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        (b'{"n": 1.50}', "n", b"1.50"),
        (b'{"n":-0}', "n", b"-0"),
        (b'{"n":1E5,"o":{"b":1, "a":2}}', "o", b'{"b":1, "a":2}'),
        (b'{"n":"\\u0041"}', "n", b'"\\u0041"'),
        (b'{"n":1,"n":[2 ]}', "n", b"[2 ]"),
        (b'{"\\ud83d":"x"}', "\ud83d", b'"x"'),
        (b'{"n":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "n", b"[" * 5_000 + b"]" * 5_000),
        (b'{"n":12345678901234567890123}', "n", b"12345678901234567890123"),
        (b' {"a":[{"n":1}],"n" :\t"}" } ', "n", b'"}"'),
    ],
)
def test_nothing_is_spelled_anew(line: bytes, name: str, text: bytes) -> None:
    assert members(line)[name] == text


@pytest.mark.parametrize("line", [b"", b"[]", b'"x"', b"1", b'{"a":1}{', b'{"a"}', b'{"a":1,}', b'{"a":\xff}'])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(JSONTextError):
        members(line)


def test_an_empty_object_has_no_members() -> None:
    assert members(b"{}") == members(b" { } ") == {}


@given(st.dictionaries(_TEXTS, _VALUES, max_size=5))
def test_writable_members_are_written_as_they_stood(value: dict[str, Any]) -> None:
    line = json.dumps(value, separators=(",", ":")).encode()
    found = writable_members(line)
    assert {name: member_text(member) for name, member in found.items()} == members(line)
    for name, member in found.items():
        if isinstance(value[name], str):
            assert member_value(member) == value[name]
    again = object_text(found)
    assert list(members(again).items()) == list(members(line).items())


def test_an_object_may_have_members_that_only_escapes_can_spell() -> None:
    assert object_text({"id": "\ud83d", "\ud83d": 1, "a": "x"}) == b'{"id":"\\ud83d","\\ud83d":1,"a":"x"}'
