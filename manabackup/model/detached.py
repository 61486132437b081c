"""A change with its ciphertexts beside it, as bytes: a quarter smaller, and its text a tenth of what it was.

Most of a change is ciphertext in base64, which says nothing to those who store, sort and parse changes. So it stands
behind the text, after a line break, decoded, and the text only says where: ``"enc:1:<begin>:<size>"`` in place of
``"enc:1:<IV>.<ciphertext>"``. What is found there is the IV and, behind it, the ciphertext with its tag.

Only values of an object's members are taken out, in the spelling that every writer uses, and either all of a change or
none: such a change, and a short one, keeps its own text, which has no line break. So :func:`attach` always gives the
text back, byte for byte.
"""

from __future__ import annotations

import re

import pybase64

from ..crypto.fields import IV_BYTES, PREFIX, TAG_BYTES

LEAST = 1024
"""Bytes of a text; in a shorter one there is less to gain than it costs."""
_BEGIN = b':"' + PREFIX.encode()
"""Begins such a member's value, and nothing else: in a string the quotation mark would be escaped."""
_IV_CHARS = IV_BYTES * 4 // 3
_FEWEST_BYTES = IV_BYTES + TAG_BYTES
_REFERENCE = re.compile(_BEGIN + b'([0-9]+):([0-9]+)"')


def detach(text: bytes, *, least: int = LEAST) -> bytes:
    """A change by its canonical text, on one line. One of fewer than ``least`` bytes stays as it is."""
    short, ciphertexts = separated(text, least=least)
    return short + b"\n" + ciphertexts if ciphertexts else text


def separated(text: bytes, *, least: int = LEAST) -> tuple[bytes, bytes]:
    """The :func:`parts` of what :func:`detach` gives."""
    find = text.find
    found = find(_BEGIN) if len(text) >= least else -1
    if found < 0:
        return text, b""
    pieces: list[bytes] = []
    ciphertexts: list[bytes] = []
    copied = size = 0
    while found >= 0:
        begin = found + len(_BEGIN)
        point = begin + _IV_CHARS
        end = find(b'"', begin)
        # The IV fills its characters, so that what is behind the point follows on it in base64 as well.
        value = text[begin:point] + text[point + 1 : end]
        try:
            ciphertext = pybase64.b64decode(value)
        except ValueError:
            return text, b""
        count = len(ciphertext)
        # What would be written in another way than it is, or could be taken for a reference, stays.
        if count < _FEWEST_BYTES or text[point : point + 1] != b"." or pybase64.b64encode(ciphertext) != value:
            return text, b""
        pieces += (text[copied:begin], b"%d:%d" % (size, count))
        ciphertexts.append(ciphertext)
        size += count
        copied = end
        found = find(_BEGIN, end)
    pieces.append(text[copied:])
    return b"".join(pieces), b"".join(ciphertexts)


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
    """How many members of a text have the form of an encrypted value: all refer, where the change has ciphertexts."""
    return text.count(_BEGIN)


def referred(reference: str, ciphertexts: bytes) -> tuple[bytes, bytes]:
    """IV, and ciphertext with its tag, of a value that stands for them, its prefix included."""
    place, _, size = reference.rpartition(":")
    begin = int(place[len(PREFIX) :])
    middle = begin + IV_BYTES
    return ciphertexts[begin:middle], ciphertexts[middle : begin + int(size)]


def _encoded(ciphertext: bytes) -> bytes:
    joined = pybase64.b64encode(ciphertext)
    return joined[:_IV_CHARS] + b"." + joined[_IV_CHARS:]
