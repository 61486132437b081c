"""Ciphertexts beside a change: the text is the same when it is whole again, byte for byte."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manabackup.crypto.fields import encrypted_value
from manabackup.model.detached import attach, detach, parts, references, referred
from manabackup.text import jsontext


def encrypted(iv: bytes, sealed: bytes) -> str:
    return f"enc:1:{base64.b64encode(iv).decode()}.{base64.b64encode(sealed).decode()}"


proper = st.builds(encrypted, st.binary(min_size=12, max_size=12), st.binary(min_size=16, max_size=60))
improper = st.one_of(
    st.builds(encrypted, st.binary(max_size=20), st.binary(max_size=20)),
    st.sampled_from(
        [
            "enc:1:0:28",
            "enc:1:",
            "enc:1:AAAAAAAAAAAAAAAA.",
            "enc:1:AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAB==",  # the last character has bits that nobody reads
            "enc:1:AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA",
            "enc:1:AAAAAAAAAAAAAAA=.AAAAAAAAAAAAAAAAAAAAAA==",
            "enc:1:AAAAAAAAAAAAAA==.AAAAAAAAAAAAAAAAAAAAAA==",
            "enc:1:AAAAAAAAAAAAAAAA.AAAA AAAAAAAAAAAAAAAAAA==",
            "enc:1:AAAAAAAAAAAAAAAA.AAAAAAAA====AAAAAAAAAAAAAAAA",
            "enc:1:AAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA==",
            "enc:1:AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA==é",
            'x:"enc:1:0:28',
            '\\":"enc:1:0:28"',
            "a\nb",
        ]
    ),
)
strings = st.one_of(st.text(max_size=5), proper, improper, st.builds("{}{}".format, st.text(max_size=3), proper))
values: Any = st.recursive(
    st.one_of(strings, st.integers(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(strings, inner, max_size=4)),
    max_leaves=8,
)
A = encrypted(b"a" * 12, b"b" * 16)
B = encrypted(b"c" * 12, b"d" * 17)


@given(change=values)
@example({"a": A, "b": {"c": B}, "d": [A]})
@example({"a": A, "b": "enc:1:0:28"})
@example({'x:"enc:1:0:28': A})
def test_what_was_taken_out_comes_back(change: Any) -> None:
    text = jsontext.dumps(change)
    detached = detach(text, least=0)
    assert attach(detached) == text
    short, ciphertexts = parts(detached)
    assert jsontext.dumps(jsontext.parse(short)) == short  # what is left is canonical JSON, too
    assert b"\n" not in short
    if not ciphertexts:
        assert short == text


@given(fields=st.dictionaries(st.text(max_size=3), proper, min_size=1, max_size=4))
def test_each_value_finds_its_ciphertext(fields: dict[str, str]) -> None:
    short, ciphertexts = parts(detach(jsontext.dumps({"data": fields, "list": [A]}), least=0))
    found = jsontext.parse(short)
    assert references(short) == len(fields)
    for name, value in fields.items():
        iv, sealed = referred(found["data"][name], ciphertexts)
        assert encrypted_value(iv, sealed) == value
        assert iv == base64.b64decode(value[6:22])
        assert sealed == base64.b64decode(value[23:])
    assert found["list"] == [A]
    assert len(ciphertexts) == sum(len(b"".join(referred(value, ciphertexts))) for value in found["data"].values())


@pytest.mark.parametrize("odd", ["enc:1:0:28", "enc:1:Zm9v.Zm9v", "enc:1:nothing at all"])
def test_all_of_a_change_or_nothing(odd: str) -> None:
    text = jsontext.dumps({"data": {"a": A, "b": odd, "c": B}})
    assert detach(text, least=0) == text


def test_a_detached_change_is_a_quarter_smaller() -> None:
    text = jsontext.dumps({"a": encrypted(bytes(12), bytes(30_000))})
    assert len(detach(text, least=0)) < len(text) * 0.76
