"""Ciphertexts beside a change: the text is the same when it is whole again, byte for byte."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manabackup.crypto.fields import FieldCipher
from manabackup.errors import FieldDecryptionError
from manabackup.model.detached import WHOLE, DetachedChange
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
CIPHER = FieldCipher(bytes(32))


@given(change=values)
@example({"a": A, "b": {"c": B}, "d": [A]})
@example({"a": A, "b": "enc:1:0:28"})
@example({'x:"enc:1:0:28': A})
def test_what_was_taken_out_comes_back(change: Any) -> None:
    text = jsontext.dumps(change)
    detached = DetachedChange.of(text, least=0)
    assert detached.whole() == text
    assert DetachedChange.read(detached.stored) == detached
    assert jsontext.dumps(jsontext.parse(detached.text)) == detached.text  # what is left is canonical JSON, too
    assert b"\n" not in detached.text
    if not detached.ciphertexts:
        assert detached.stored == detached.text == text


@given(fields=st.dictionaries(st.text(max_size=3), proper, min_size=1, max_size=4))
def test_each_value_finds_its_ciphertext(fields: dict[str, str]) -> None:
    change = DetachedChange.of(jsontext.dumps({"data": fields, "list": [A]}), least=0)
    found = jsontext.parse(change.text)
    assert change.encrypted_members == len(fields)
    for name, value in fields.items():
        assert change.spelled(found["data"][name]) == value
    assert found["list"] == [A]
    assert len(change.ciphertexts) == sum(
        len(base64.b64decode(value[6:].replace(".", ""))) for value in fields.values()
    )


@given(texts=st.dictionaries(st.text(max_size=3), values.map(jsontext.dumps), min_size=1, max_size=4))
def test_each_value_opens_wherever_its_ciphertext_is(texts: dict[str, bytes]) -> None:
    fields = {name: CIPHER.encrypt(text) for name, text in texts.items()}
    change = DetachedChange.of(jsontext.dumps({"data": fields}), least=0)
    found = jsontext.parse(change.text)["data"]
    assert change.ciphertexts
    for name, text in texts.items():
        assert change.open(found[name], CIPHER) == WHOLE.open(fields[name], CIPHER) == (text, False)
        with pytest.raises(FieldDecryptionError, match="key"):
            change.open(found[name], FieldCipher(bytes([1] * 32)))


@pytest.mark.parametrize("odd", ["enc:1:0:28", "enc:1:Zm9v.Zm9v", "enc:1:nothing at all"])
def test_all_of_a_change_or_nothing(odd: str) -> None:
    text = jsontext.dumps({"data": {"a": A, "b": odd, "c": B}})
    assert DetachedChange.of(text, least=0) == (text, b"")


def test_a_detached_change_is_a_quarter_smaller() -> None:
    text = jsontext.dumps({"a": encrypted(bytes(12), bytes(30_000))})
    assert len(DetachedChange.of(text, least=0).stored) < len(text) * 0.76
