"""The push decoder where no recording reaches: every way to be no JSON, and agreement with other parsers on what is."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import JSONTextError
from manabackup.sandbox.changeset import decode
from manabackup.sandbox.gojson import EndOfInput, GoJSONError, float64, interface, marshal, parse, quote
from manabackup.sandbox.gotime import parse as parse_time
from manabackup.sandbox.gotime import text_of_ns
from manabackup.sandbox.postgres import StorageError, jsonb_of_text
from manabackup.text import jsontext

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("}", "invalid character '}' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[01]", "invalid character '1' after array element"),
        ("[-x]", "invalid character 'x' in numeric literal"),
        ("[1.]", "invalid character ']' after decimal point in numeric literal"),
        ("[1e]", "invalid character ']' in exponent of numeric literal"),
        ("[1e+]", "invalid character ']' in exponent of numeric literal"),
        ("[trux]", "invalid character 'x' in literal true (expecting 'e')"),
        ("[nul]", "invalid character ']' in literal null (expecting 'l')"),
        ("[NaN]", "invalid character 'N' looking for beginning of value"),
        ('["\t"]', "invalid character '\\t' in string literal"),
        ('["\x00"]', "invalid character '\\x00' in string literal"),
        ('["\\x"]', "invalid character 'x' in string escape code"),
        ('["\\u12G4"]', "invalid character 'G' in \\u hexadecimal character escape"),
        ("[" * 10_001, "invalid character '[' exceeded max depth"),
        ("\x7f", "invalid character '\\x7f' looking for beginning of value"),
        ("ÿ".encode("latin-1").decode("latin-1"), "invalid character 'Ã' looking for beginning of value"),
    ],
)
def test_a_syntax_error_is_told_in_gos_words(text: str, words: str) -> None:
    with pytest.raises(GoJSONError) as refused:
        parse(text.encode())
    assert str(refused.value) == words


@pytest.mark.parametrize(
    "text", ["[", '{"a"', '{"a":', "[1,", '"abc', '"a\\', '"\\u12', "tru", "-", "1.", "[1e", "1e+"]
)
def test_a_text_that_ends_early_is_an_unexpected_end(text: str) -> None:
    with pytest.raises(EndOfInput) as end:
        parse(text.encode())
    assert end.value.begun


def test_blanks_alone_are_an_end_before_the_beginning() -> None:
    with pytest.raises(EndOfInput) as end:
        parse(b" \n\t")
    assert not end.value.begun


@given(VALUES)
def test_what_python_writes_is_read_as_python_reads_it(value: Any) -> None:
    read = interface(parse(json.dumps(value).encode()))
    assert plain(read) == json.loads(json.dumps(value), parse_int=float, parse_float=float)


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    once = interface(parse(json.dumps(value).encode()))
    assert interface(parse(marshal(once))) == once
    assert not set(b"<>&") & set(marshal(once))


@given(st.binary(max_size=40) | st.text(alphabet='[]{}:,"\\u0123eE.+-truefalsn \n', max_size=30).map(str.encode))
def test_what_go_refuses_is_no_json(text: bytes) -> None:
    try:
        parse(text)
    except (GoJSONError, EndOfInput):
        with pytest.raises(JSONTextError):
            jsontext.parse(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_float64_and_nothing_else(number: float) -> None:
    written = marshal([float64(repr(number))])[1:-1].decode()
    assert math.isclose(float(written), number, rel_tol=0, abs_tol=0)
    assert float64(written) == float64(repr(number))


def test_bytes_that_are_not_utf8_become_one_replacement_each() -> None:
    assert interface(parse(b'["\xff\xe2\x82\xed\xa0\x80","\\ud83d","\\ud83d\\ude00"]')) == [
        "\ufffd" * 6,
        "\ufffd",
        "😀",
    ]


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        (b"5", "number", "value of type sync.Changeset"),
        (b'{"changes":[5]}', "number", "struct field Changeset.changes of type sync.Change"),
        (b'{"since":5,"clientId":6}', "number", "struct field Changeset.since of type string"),
        (b'{"schemaVersion":-1e2}', "number -1e2", "struct field Changeset.schemaVersion of type int"),
        (
            b'{"schemaVersion":9223372036854775808}',
            "number 9223372036854775808",
            "struct field Changeset.schemaVersion of type int",
        ),
        (b'{"changes":[{"fields":{"a":5}}]}', "number", "struct field Change.changes.fields of type sync.FieldChange"),
        (
            b'{"changes":[{"fields":{"a":{"value":1e999}}}]}',
            "number 1e999",
            "struct field FieldChange.changes.fields.value of type float64",
        ),
        (b'{"changes":[{"data":true}]}', "bool", "struct field Change.changes.data of type map[string]interface {}"),
    ],
)
def test_a_wrong_type_is_told_with_the_structs_and_the_fields_name(body: bytes, kind: str, place: str) -> None:
    with pytest.raises(GoJSONError) as refused:
        decode(body)
    assert str(refused.value) == f"json: cannot unmarshal {kind} into Go {place}"


def test_a_syntax_error_at_the_end_comes_before_a_type_error_at_the_start() -> None:
    with pytest.raises(GoJSONError, match="unexpected EOF"):
        decode(b'{"since":5,"changes":[')


def test_an_actor_is_kept_as_jsonb_keeps_it() -> None:
    text = b'{"bb":1.50e1,"a":"<\xc3\xa4\xe2\x80\xa8>","\xc3\xa4":-0.0,"c":1e3,"a":[{},[],null]}'
    assert jsonb_of_text(text) == '{"a":[{},[],null],"c":1000,"bb":15.0,"ä":0.0}'.encode()
    assert jsonb_of_text('"<\u2028&>"'.encode()) == rb'"\u003c\u2028\u0026\u003e"'


@pytest.mark.parametrize("text", [b'"\\u0000"', b'{"\\u0000":1}', b'"\\ud800"', b'"\xff"', b"1e131072", b"1e-16384"])
def test_what_jsonb_cannot_hold_is_refused(text: bytes) -> None:
    with pytest.raises(StorageError):
        jsonb_of_text(text)


def test_jsonb_holds_131072_digits_before_the_point_and_16383_behind_it() -> None:
    assert len(jsonb_of_text(b"1e131071")) == 131_072
    assert len(jsonb_of_text(b"1e-16383")) == 16_385


@given(st.text())
def test_a_quoted_text_holds_no_control_characters(text: str) -> None:
    assert quote(text).isprintable()


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("1970-01-01T01:00:00.000000001+01:00", 1),
        ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ("1970-01-01T1:00:00,5Z", 3_600_500_000_000),
        ("0000-02-29T00:00:00Z", -62_162_121_600_000_000_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000_000),
        ("1970-01-01T00:00:00-24:60", 90_000_000_000_000),
    ],
)
def test_a_time_that_go_parses_is_parsed(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01t00:00:00z",
        "1970-01-01 00:00:00Z",
        "1970-02-29T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00+25:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00Z\n",
        "１970-01-01T00:00:00Z",
    ],
)
def test_a_time_that_go_does_not_parse_is_none(text: str) -> None:
    assert parse_time(text) is None


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_written_time_is_read_back_and_ends_in_no_zero(nanoseconds: int) -> None:
    text = text_of_ns(nanoseconds)
    assert parse_time(text) == nanoseconds
    assert "." not in text or text[-2] != "0"


def plain(value: Any) -> Any:
    if isinstance(value, jsontext.Number):
        return float(value.text)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()}
