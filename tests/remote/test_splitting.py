"""An answer is taken apart while it comes: the same changes as when it is parsed as a whole, in little memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import JSONTextError
from manabackup.limits import KIB, MIB, Limits
from manabackup.model.rawchange import UnreadableChange, event_key
from manabackup.remote.splitting import AnswerText
from manabackup.text import jsontext

EVENT = "6b1d188b-9f23-457f-80bf-8fa184d9a026"
UNTIL = b'"conflicts":[],"syncedUntil":"2026-03-01T00:00:00Z"'


def split(
    body: bytes, step: int = 65_536, *, large: int = MIB, **limits: int
) -> tuple[list[bytes | UnreadableChange], bytes, int]:
    """Changes, the rest of the answer, and how many changes were said to be large."""
    said: list[None] = []
    pieces = (body[at : at + step] for at in range(0, len(body), step))
    answer = AnswerText(pieces, Limits(**limits), large=large, on_large=lambda: said.append(None))
    changes = list(answer.changes())
    return changes, answer.rest, len(said)


texts = st.text() | st.sampled_from(['"', "\\", '\\"', "},{", "]}", '{"', "\u2028", "<&>", "\ud800", "\x00\x1f"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
styles: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"ensure_ascii": st.just(True), "indent": st.sampled_from([None, 0, 3])}
)


@given(changes=st.lists(values, max_size=5), others=st.dictionaries(texts, values, max_size=3), data=st.data())
def test_what_comes_in_pieces_is_what_a_parser_makes_of_the_whole(
    changes: list[Any], others: dict[str, Any], data: st.DataObject
) -> None:
    members = {**others, "serverChanges": changes}
    names = data.draw(st.permutations(list(members)))
    body = json.dumps({name: members[name] for name in names}, **data.draw(styles)).encode()
    found, rest, _ = split(body, data.draw(st.integers(1, 50)))
    assert [jsontext.parse(text) for text in found if isinstance(text, bytes)] == jsontext.parse(json.dumps(changes))
    assert jsontext.parse(rest) == {**jsontext.parse(json.dumps(others)), "serverChanges": []}


@given(change=st.dictionaries(texts, values, min_size=1, max_size=4), most=st.integers(1, 40), step=st.integers(1, 60))
def test_a_change_too_large_is_passed_over_by_name_and_its_neighbours_are_not(
    change: dict[str, Any], most: int, step: int
) -> None:
    large = {**change, "padding": "x" * 40, "id": "r\ud800", "table": "tasks", "eventId": EVENT}
    body = b'{"serverChanges":[7,%b,[8]],%b}' % (json.dumps(large).encode(), UNTIL)
    found, rest, _ = split(body, step, change_bytes=most)
    if most < 3:
        found[2:] = [b"[8]"]
    assert found == [b"7", UnreadableChange(event_key({"eventId": EVENT}), "r\ud800", "tasks"), b"[8]"]
    assert rest == b'{"serverChanges":[],%b}' % UNTIL


@given(body=st.binary(max_size=60) | st.from_regex(rb'\A[{}\[\]",:\\a0 ]{0,30}\Z'), step=st.integers(1, 9))
def test_noise_is_refused_or_taken_apart_and_never_anything_else(body: bytes, step: int) -> None:
    for text in (body, b'{"serverChanges":[' + body, b'{"serverChanges":[' + body + b"]}"):
        try:
            found, rest, _ = split(text, step)
            list(map(jsontext.parse, (part for part in found if isinstance(part, bytes))))
            jsontext.parse(rest)
        except JSONTextError:
            continue
        assert isinstance(jsontext.parse(text), dict)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"7",
        b'{"serverChanges":[1,2',
        b'{"serverChanges":[1,2]',
        b'{"serverChanges":[1,]}',
        b'{"serverChanges":[1 2]}',
        b'{"serverChanges":[1],}',
        b'{"serverChanges":[1]} more',
        b'{"serverChanges":[{"a":"b]}',
        b'{"serverChanges":["\\',
        b'{"serverChanges":[1],"serverChanges":[2]}',
        b'{"serverChanges" [1]}',
        b"{7:8}",
    ],
)
@pytest.mark.parametrize("step", [1, 100])
def test_an_answer_that_is_none_is_said_to_be_none(body: bytes, step: int) -> None:
    with pytest.raises(JSONTextError):
        split(body, step)


@pytest.mark.parametrize("body", [b"{}", b'{"serverChanges":{}}', b'{"serverChanges":null,"a":1}'])
def test_an_answer_without_a_list_of_changes_is_left_for_others_to_judge(body: bytes) -> None:
    assert split(body) == ([], body, 0)


def test_a_large_change_is_said_to_be_large_once_while_it_comes() -> None:
    body = b'{"serverChanges":["%b","%b","%b"]}' % (b"a" * 99, b"b" * 1_000, b"c" * 5_000)
    assert split(body, 10, large=500)[2] == 2


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (b'{"id":7,"table":null,"data":"%b"}', (None, "")),
        (b'{"data":"%b","id":"late"}', ("late", "")),
        (b'{"id":"one","data":{"id":"not this one","deep":"%b"},"id":"two"}', ("two", "")),
        (b'["%b"]', (None, "")),
        (b'"%b"', (None, "")),
        (b'{"id":"%b"}', (None, "")),
        (b'{"%b":1,"id":"x"}', ("x", "")),
    ],
)
def test_what_a_change_too_large_tells_of_its_name_is_known_wherever_it_stands(
    change: bytes, name: tuple[str | None, str]
) -> None:
    text = change % (b"x\\u003c" * 40_000)
    (found,), _, _ = split(b'{"serverChanges":[%b]}' % text, 1_000, change_bytes=100_000)
    assert isinstance(found, UnreadableChange)
    assert (found.id, found.collection) == name
    assert found.key == b"\1" + sha256(text[: 64 * KIB]).digest()


def test_many_small_values_are_too_much_as_well() -> None:
    text = b'{"id":"r","data":[0' + b",[]" * 5_000 + b"]}"
    (found, after), _, _ = split(b'{"serverChanges":[%b,1]}' % text, answer_values=5_000)
    assert isinstance(found, UnreadableChange)
    assert (found.id, after) == ("r", b"1")


def pieces_of_a_row(size: int) -> Iterator[bytes]:
    """A page with one row of so many bytes, and a small one."""
    yield b'{"serverChanges":[{"eventId":"%b","table":"tasks","id":"r","data":{"text":"' % EVENT.encode()
    piece = b"\\u003c" * 10_000
    for _ in range(size // len(piece)):
        yield piece
    yield b'"}},{"id":"small"}],' + UNTIL + b"}"


def test_S1_a_row_of_any_size_is_passed_over_in_little_memory() -> None:
    limits = Limits(change_bytes=4 * MIB)
    tracemalloc.start()
    answer = AnswerText(pieces_of_a_row(64 * MIB), limits, large=MIB, on_large=lambda: None)
    first, second = answer.changes()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first == UnreadableChange(event_key({"eventId": EVENT}), "r", "tasks")
    assert second == b'{"id":"small"}'
    assert peak < 20 * MIB
