"""A change with its ciphertexts beside it, as bytes: a quarter smaller, and its text a tenth of what it was.

Most of a change is ciphertext in base64, which says nothing to those who store, sort and parse changes. So it stands
behind the text, after a line break, decoded, and the text only says where: ``"enc:1:<begin>:<size>"`` in place of
``"enc:1:<IV>.<ciphertext>"``. What is found there is the IV and, behind it, the ciphertext with its tag.

Only values of an object's members are taken out, in the spelling that every writer uses, and either all of a change or
none: then a change keeps its own text, which has no line break. So :func:`attach` always gives the text back, byte for
byte.
"""

from __future__ import annotations

import re

import pybase64

from .crypto.fields import IV_BYTES, TAG_BYTES

_BEGIN = b':"enc:1:'
"""Begins such a member's value, and nothing else: in a string the quotation mark would be escaped."""
_IV_CHARS = IV_BYTES * 4 // 3
_POINT = ord(".")
_FEWEST_CHARS = _IV_CHARS + 1 + -(-TAG_BYTES // 3) * 4
_REFERENCE = re.compile(_BEGIN + b'([0-9]+):([0-9]+)"')


def detach(text: bytes) -> bytes:
    """A change by its canonical text, on one line."""
    found = text.find(_BEGIN)
    if found < 0:
        return text
    pieces: list[bytes] = []
    ciphertexts: list[bytes] = []
    copied = size = 0
    while found >= 0:
        begin = found + len(_BEGIN)
        end = text.find(b'"', begin)
        ciphertext = _decoded(text[begin:end])
        if ciphertext is None:
            return text
        pieces += (text[copied:begin], b"%d:%d" % (size, len(ciphertext)))
        ciphertexts.append(ciphertext)
        size += len(ciphertext)
        copied = end
        found = text.find(_BEGIN, end)
    return b"".join([*pieces, text[copied:], b"\n", *ciphertexts])


def attach(change: bytes) -> bytes:
    """The text that :func:`detach` was given."""
    text, ciphertexts = parts(change)
    if not ciphertexts:
        return text

    def value(reference: re.Match[bytes]) -> bytes:
        begin, size = map(int, reference.groups())
        return b'%b%b"' % (_BEGIN, _encoded(ciphertexts[begin : begin + size]))

    return _REFERENCE.sub(value, text)


def parts(change: bytes) -> tuple[bytes, bytes]:
    """The text, and the ciphertexts; without any, all of the change is text."""
    text, _, ciphertexts = change.partition(b"\n")
    return text, ciphertexts


def references(text: bytes) -> int:
    """How many ciphertexts the text of a change with ciphertexts refers to."""
    return text.count(_BEGIN)


def referred(reference: str, ciphertexts: bytes) -> bytes:
    """IV and ciphertext of a value that stands for one, ``enc:1:`` included."""
    _, _, place = reference.rpartition("enc:1:")
    begin, _, size = place.partition(":")
    start = int(begin)
    return ciphertexts[start : start + int(size)]


def encrypted_value(ciphertext: bytes) -> str:
    """IV and ciphertext as the encrypted value that they came from."""
    return "enc:1:" + _encoded(ciphertext).decode()


def _decoded(value: bytes) -> bytes | None:
    """IV and ciphertext; None where the same bytes would be written in another way."""
    # The IV fills its characters, so that what is behind the point follows on it in base64 as well.
    if len(value) < _FEWEST_CHARS or value[_IV_CHARS] != _POINT:
        return None
    joined = value[:_IV_CHARS] + value[_IV_CHARS + 1 :]
    try:
        ciphertext = pybase64.b64decode(joined, validate=True)
    except ValueError:
        return None
    return ciphertext if pybase64.b64encode(ciphertext) == joined else None


def _encoded(ciphertext: bytes) -> bytes:
    joined = pybase64.b64encode(ciphertext)
    return joined[:_IV_CHARS] + b"." + joined[_IV_CHARS:]
