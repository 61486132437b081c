"""The exact text of JSON: what the fast parser would change or refuse survives."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.errors import JSONTextError
from manabackup.text import jsonexact, jsontext
from manabackup.text.jsontext import JSON, Number, dumps, parse, parse_canonical, value_text

texts = st.text(st.characters(exclude_categories=()))  # lone surrogates included
numbers = (
    st.integers(-(2**63), 2**64 - 1)
    | st.integers(-(10**40), 10**40).map(lambda number: parse(str(number)))
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: Number(jsontext.number_text(repr(number))))
)
values = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("1.0", "1"),
        ("1E2", "100"),
        ("0.0", "0"),
        ("1e20", "100000000000000000000"),
        ("1000000000000000000000", "1e+21"),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("123456.789e3", "123456789"),
        ("5e-324", "5e-324"),
        ("-1.50", "-1.5"),
    ],
)
def test_a_number_is_written_as_json_stringify_writes_it(written: str, canonical: str) -> None:
    assert dumps(parse(written)) == canonical.encode()


@pytest.mark.parametrize(
    "written",
    [
        *("-0", "-0.0", "1e400", "-1e999", "1e-400", "9007199254740993", "12345678901234567168.5"),
        *("0.1000000000000000055", "1" * 5_000, "1e-99999999999999999999999", "18446744073709551617"),
    ],
)
def test_a_number_that_a_double_would_change_keeps_its_text(written: str) -> None:
    assert dumps(parse(f'[{{"n": {written}}}]')) == f'[{{"n":{written}}}]'.encode()
    assert dumps(parse_canonical(f'{{"n":{written}}}'.encode())) == f'{{"n":{written}}}'.encode()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_keeps_its_value(number: float) -> None:
    text = jsontext.number_text(repr(number))
    assert float(text) == number
    assert math.copysign(1, float(text)) == math.copysign(1, number)


@pytest.mark.skipif(shutil.which("node") is None, reason="compares with a JavaScript engine where there is one")
@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=100))
def test_numbers_read_as_a_javascript_engine_writes_them(numbers: list[float]) -> None:
    sources = [repr(number) for number in numbers if number != 0]
    script = f"console.log(JSON.stringify([{','.join(sources)}].map(String)))"
    written = subprocess.run(["node", "-e", script], capture_output=True, check=True, text=True).stdout
    assert [jsontext.number_text(source) for source in sources] == json.loads(written)


@given(values)
def test_what_is_written_is_read_again(value: object) -> None:
    text = dumps(value)
    assert dumps(parse(text)) == text
    assert dumps(parse_canonical(text)) == text
    text.decode()


@given(values)
def test_who_only_looks_sees_the_same_but_for_the_kind_of_numbers(value: object) -> None:
    assert _floats(jsontext.parse_inexact(dumps(value))) == _floats(parse(dumps(value)))


def _floats(value: object) -> object:
    """A value with all its numbers as ``float``."""
    if isinstance(value, list):
        return [_floats(member) for member in value]
    if isinstance(value, dict):
        return {name: _floats(member) for name, member in value.items()}
    if isinstance(value, Number):
        return float(value.text)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


@given(values)
def test_a_text_for_people_holds_the_same(value: object) -> None:
    text = jsontext.dumps_indented(value)
    assert text.endswith(b"\n")
    assert dumps(parse(text)) == dumps(value)


def test_a_text_for_people_has_a_line_for_each_member_in_the_order_given() -> None:
    assert jsontext.dumps_indented({"b": [1], "a": {}}) == b'{\n  "b": [\n    1\n  ],\n  "a": {}\n}\n'


@given(values)
def test_the_exact_path_and_the_fast_one_agree(value: object) -> None:
    text = dumps(value)
    assert jsonexact.dumps(jsonexact.parse(text, 100)) == text


@given(st.text(alphabet='{}[]",:-0123456789.eEtrufalsn\\ud8"\n ', max_size=30))
def test_accepts_what_the_standard_parser_accepts_and_nothing_else(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=lambda name: pytest.fail if name else None)
        valid = "NaN" not in text and "Infinity" not in text
    except ValueError:
        valid = False
    if valid:
        assert json.loads(dumps(parse(text)), parse_int=float) == json.loads(json.dumps(expected), parse_int=float)
    else:
        with pytest.raises(JSONTextError):
            parse(text)


def test_ten_thousand_levels_survive_and_a_million_are_refused() -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * 10_000 + b"0" + closing * 10_000
        assert dumps(parse(deep)) == deep
        with pytest.raises(JSONTextError, match="nests deeper"):
            parse(opening * 1_000_000)


def test_lone_surrogates_survive_in_keys_and_values_and_are_escaped_in_lower_case() -> None:
    assert dumps(parse(rb'{"\uD83D":"a\uDFFFb\ud83d\ude00"}')) == '{"\\ud83d":"a\\udfffb😀"}'.encode()


def test_escapes_only_what_json_demands() -> None:
    text = '"\x7f\u2028\u2029 \\u0000\\u001f\\b\\f\\n\\r\\t\\"\\\\/é"'
    assert dumps(parse(text)) == text.encode()


def test_keys_are_sorted_by_code_point_at_every_level() -> None:
    assert dumps(parse('{"\U0001f600":1,"\uffff":{"b":1,"a":2}}')) == '{"\uffff":{"a":2,"b":1},"😀":1}'.encode()


def test_of_duplicate_keys_the_last_wins() -> None:
    assert dumps(parse(b'{"a":1.5,"a":2}')) == dumps(parse(b'{"a":1,"a":2}')) == b'{"a":2}'


@pytest.mark.parametrize(
    "text", [b"NaN", b"[1,]", b"01", b'"a\nb"', b"", b" ", b"1 2", b'{"a"}', b"\xff", b"[-]", b"1e"]
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(JSONTextError):
        parse(text)


@pytest.mark.parametrize(
    ("plaintext", "text", "repaired"),
    [
        (b' {"b": 1,\n "a": 1.0}\r\n', b'{"b": 1, "a": 1.0}', False),
        (b"\xef\xbb\xbf1", b"1", False),
        (b'"\xff"', '"\ufffd"'.encode(), True),
        (rb'"\ud83d"', rb'"\ud83d"', False),
        ('"\ufffd\\ud83d"'.encode(), '"\ufffd\\ud83d"'.encode(), False),
    ],
)
def test_a_decrypted_value_keeps_its_own_text_on_one_line(plaintext: bytes, text: bytes, repaired: bool) -> None:
    assert value_text(plaintext) == (text, repaired)


_number_texts = st.sampled_from(["-0", "-0.0", "1.0", "1.50", "1e3", "1E-5", "0.00001", "1e16", "1" * 30, "0.1"]) | (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
)


@given(st.lists(st.tuples(texts, _number_texts), max_size=5), st.sampled_from([", ", ","]))
def test_what_is_parsed_to_be_written_again_is_written_as_ever(members: list[tuple[str, str]], separator: str) -> None:
    parts = [f"{json.dumps({key: [key]})[:-1]}{separator}{json.dumps(key + '#')}:{number}}}" for key, number in members]
    text = f"[{separator.join(parts)}]\n".encode()
    assert dumps(jsontext.parse_to_rewrite(text)) == dumps(parse(text))
    line = text.strip()
    read, as_written = jsontext.parse_line(line)
    assert jsontext.dumps_in_order(read) == line if as_written else dumps(read) == dumps(parse(line))


_KEY = b'"k":'


_members = st.tuples(values, st.dictionaries(texts, values | st.sampled_from([{"k": 1}, [{}, {"k": [{}]}]])))


@given(st.lists(_members, max_size=5))
def test_objects_are_rewritten_one_by_one_as_they_are_all_together(members: list[tuple[JSON, dict[str, JSON]]]) -> None:
    parts = [b'{"k":%s,%s' % (dumps(first), dumps({**rest, "": 0})[1:]) for first, rest in members]
    text = b"[%s]" % b",".join(parts)
    try:
        rewritten = [written for _, written in jsontext.rewritten_objects(text, 1, len(text) - 1, _KEY)]
    except JSONTextError:
        assert any(b'},{"k":' in part for part in parts)
    else:
        assert rewritten == [dumps(value) for value in parse(text)]


@given(st.lists(_number_texts, max_size=5))
def test_objects_with_numbers_of_all_kinds_are_rewritten_as_ever(numbers: list[str]) -> None:
    text = f"[{','.join(f'{{{_KEY.decode()}{number}}}' for number in numbers)}]".encode()
    rewritten = [written for _, written in jsontext.rewritten_objects(text, 1, len(text) - 1, _KEY)]
    assert rewritten == [dumps(value) for value in parse(text)]


@pytest.mark.parametrize("nested", [300, 2_000])
def test_deep_objects_are_rewritten(nested: int) -> None:
    text = b'{"k":' + b"[" * nested + b"-0" + b"]" * nested + b"}"
    assert [written for _, written in jsontext.rewritten_objects(text, 0, len(text), _KEY)] == [text]


@pytest.mark.parametrize(
    "text",
    [
        b'{"k":1}{"k":2}',
        b'{"k":1},',
        b',{"k":1}',
        b'{"k":1}, {"k":2}',
        b'{"j":1}',
        b'{"k":1},{"j":1}',
        b'{"k":[{"k":1},{"k":2}]}',
        b'{"k":"\xff"}',
        b'{"k":1',
        b"7",
        b'{"k":}',
    ],
)
def test_what_is_no_list_of_such_objects_is_refused(text: bytes) -> None:
    with pytest.raises(JSONTextError):
        list(jsontext.rewritten_objects(text, 0, len(text), _KEY))


@pytest.mark.parametrize("nested", [300, 2_000])
def test_deep_texts_with_fractions_are_parsed_to_be_written_again(nested: int) -> None:
    text = b"[" * nested + b"1.5" + b"]" * nested
    assert dumps(jsontext.parse_to_rewrite(text)) == text


def test_what_is_kept_keeps_no_more_room_than_its_text() -> None:
    values = [{"title": "x" * 40, "number": number} for number in range(200)]
    jsontext.dumps_to_keep(values[0])
    tracemalloc.start()
    try:
        texts = [jsontext.dumps_to_keep(value) for value in values]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert texts == [jsontext.dumps(value) for value in values]
    assert taken < 2 * sum(map(sys.getsizeof, texts)) + sys.getsizeof(texts)


_decimals = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}{fraction}",
    st.sampled_from(["", "-"]),
    st.integers(1, 10**24).map(str) | st.integers(1, 10**8).map(str) | st.just("0"),
    st.just("") | st.text("0123456789", min_size=1, max_size=20).map(lambda digits: f".{digits}"),
).filter(lambda number: number.strip("-0.") != "")
_decimal_texts = st.recursive(
    _decimals | st.sampled_from(["true", "null", "0", "0.000"]) | (st.text() | _decimals).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]")
        | st.dictionaries(st.text().map(json.dumps), inner, max_size=4).map(
            lambda members: f"{{{', '.join(f'{name}: {value}' for name, value in members.items())}}}"
        )
    ),
)


@given(_decimal_texts)
def test_decimal_texts_are_rewritten_as_ever(text: str) -> None:
    assert jsontext.rewritten_decimal(text.encode()) == jsontext.dumps(jsontext.parse(text))


@pytest.mark.parametrize("text", ["", "[1,]", "{1: 2}", "1 2", "nul"])
def test_what_is_no_json_is_not_rewritten(text: str) -> None:
    with pytest.raises(JSONTextError):
        jsontext.rewritten_decimal(text.encode())
