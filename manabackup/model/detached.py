"""A change with its ciphertexts beside it, as bytes: a quarter smaller, and its text a tenth of what it was.

Most of a change is ciphertext in base64, which says nothing to those who store, sort and parse changes. So it stands
beside the text, decoded, and the text only says where: ``"enc:1:<begin>:<size>"`` in place of
``"enc:1:<IV>.<ciphertext>"``. What is found there is the IV and, behind it, the ciphertext with its tag.

Only values of an object's members are taken out, in the spelling that every writer uses, and either all of a change or
none: such a change, and a short one, keeps its own text. So :meth:`DetachedChange.whole` always gives the text back,
byte for byte.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pybase64

from ..crypto.fields import IV_BYTES, PREFIX, TAG_BYTES, FieldCipher, encrypted_value

LEAST = 1024
"""Bytes of a text; in a shorter one there is less to gain than it costs."""
_BEGIN = b':"' + PREFIX.encode()
"""Begins such a member's value, and nothing else: in a string the quotation mark would be escaped."""
_IV_CHARS = IV_BYTES * 4 // 3
_FEWEST_BYTES = IV_BYTES + TAG_BYTES
_REFERENCE = re.compile(_BEGIN + b'([0-9]+):([0-9]+)"')


class DetachedChange(NamedTuple):
    """A change, its ciphertexts taken out of its text where there are ``ciphertexts``."""

    text: bytes
    """Canonical JSON, on one line. With ``ciphertexts``, all its members that begin like encrypted values refer there.
    """
    ciphertexts: bytes = b""

    @classmethod
    def of(cls, text: bytes, *, least: int = LEAST) -> DetachedChange:
        """A change by its canonical text. One of fewer than ``least`` bytes stays as it is."""
        find = text.find
        found = find(_BEGIN) if len(text) >= least else -1
        if found < 0:
            return cls(text)
        pieces: list[bytes] = []
        ciphertexts: list[bytes] = []
        copied = size = 0
        while found >= 0:
            begin = found + len(_BEGIN)
            end = find(b'"', begin)
            ciphertext = _decoded(text[begin:end])
            if ciphertext is None:
                return cls(text)
            pieces += (text[copied:begin], b"%d:%d" % (size, len(ciphertext)))
            ciphertexts.append(ciphertext)
            size += len(ciphertext)
            copied = end
            found = find(_BEGIN, end)
        pieces.append(text[copied:])
        return cls(b"".join(pieces), b"".join(ciphertexts))

    @classmethod
    def read(cls, stored: bytes) -> DetachedChange:
        """The change of which :attr:`stored` was given."""
        text, _, ciphertexts = stored.partition(b"\n")
        return cls(text, ciphertexts)

    @property
    def stored(self) -> bytes:
        """All of it, for those who carry it on unread: see :func:`stored`."""
        return stored(self.text, self.ciphertexts)

    def whole(self) -> bytes:
        """The text that the change was made of."""
        ciphertexts = self.ciphertexts
        if not ciphertexts:
            return self.text

        def value(reference: re.Match[bytes]) -> bytes:
            begin, size = map(int, reference.groups())
            return b'%b%b"' % (_BEGIN, _encoded(ciphertexts[begin : begin + size]))

        return _REFERENCE.sub(value, self.text)

    @property
    def encrypted_members(self) -> int:
        """How many members of the change begin like encrypted values, however deep they stand."""
        return self.text.count(_BEGIN)

    def open(self, value: str, cipher: FieldCipher) -> tuple[bytes, bool]:
        """:meth:`FieldCipher.open` for a value as it stands in the text, and which begins like an encrypted one.

        Raises :class:`FieldDecryptionError`.
        """
        return cipher.open_parts(*self._referred(value)) if self.ciphertexts else cipher.open(value)

    def spelled(self, value: str) -> str:
        """Such a value as it stood in the whole text."""
        return encrypted_value(*self._referred(value)) if self.ciphertexts else value

    def _referred(self, reference: str) -> tuple[bytes, bytes]:
        """IV, and ciphertext with its tag."""
        place, _, size = reference.rpartition(":")
        begin = int(place[len(PREFIX) :])
        middle = begin + IV_BYTES
        return self.ciphertexts[begin:middle], self.ciphertexts[middle : begin + int(size)]


WHOLE = DetachedChange(b"")
"""For values that stand as they came, whichever change they are of."""


def stored(text: bytes, ciphertexts: bytes) -> bytes:
    """A change in one piece: the text, and where there are ciphertexts a line break, which no text has, and these."""
    return b"%b\n%b" % (text, ciphertexts) if ciphertexts else text


def _decoded(value: bytes) -> bytes | None:
    """IV and ciphertext out of a value, less its prefix; None where it would be written in another way than it is."""
    # The IV fills its characters, so that what is behind the point follows on it in base64 as well.
    joined = value[:_IV_CHARS] + value[_IV_CHARS + 1 :]
    try:
        ciphertext = pybase64.b64decode(joined)
    except ValueError:
        return None
    # Too few bytes could also be a reference.
    if len(ciphertext) < _FEWEST_BYTES or value[_IV_CHARS : _IV_CHARS + 1] != b".":
        return None
    return ciphertext if pybase64.b64encode(ciphertext) == joined else None


def _encoded(ciphertext: bytes) -> bytes:
    joined = pybase64.b64encode(ciphertext)
    return joined[:_IV_CHARS] + b"." + joined[_IV_CHARS:]
