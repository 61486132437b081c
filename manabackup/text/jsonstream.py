"""A JSON text taken apart while it comes, so that only the value that is wanted need be in memory.

It is looked at just as far as it takes to see where a value ends: strings and brackets. Whether that is JSON, whoever
parses it will see. A value that is larger than wanted is passed over, whatever its size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ..errors import JSONTextError
from ..limits import KIB
from . import jsontext

_BLANKS = re.compile(rb"[ \t\r\n]*")
_IN_STRING = rb'(?:[^"\\]++|\\.)*+'
_FLAT = rb'(?:[^"{}\[\]]++|"%b")' % _IN_STRING
_NESTED = rb"(?:%b|\{%b*+\}|\[%b*+\])" % (_FLAT, _FLAT, _FLAT)
_TOKEN = re.compile(
    rb'(?:%b|\{%b*+\}|\[%b*+\])*+(?:([{\[])|([}\]])|("%b))?' % (_NESTED, _NESTED, _NESTED, _IN_STRING), re.DOTALL
)
"""What neither opens nor closes more than it closes or opens, and then an opening bracket (1), a closing one (2), the
beginning of a string that goes on (3), or nothing: then there is no more text."""
_OPENING, _CLOSING, _STRING = 1, 2, 3
_STRING_REST = re.compile(_IN_STRING + rb'(")?', re.DOTALL)
_LITERAL = re.compile(rb"[^ \t\r\n,\]}]*")
NAME_BYTES = 64 * KIB
"""What is kept of a member's name; no server sends a longer one."""


class OverflowingValueError(Exception):
    """There is more of a value than is to be kept."""


class KeptText:
    """The text of one value, of at most ``most`` bytes; when there are more, nothing, or with ``ends`` an end."""

    def __init__(
        self, most: int, *, large: int | None = None, on_large: Callable[[], object] = lambda: None, ends: bool = False
    ) -> None:
        self._most = most
        self._large = large
        self._on_large = on_large
        self._ends = ends
        self._parts: list[bytes] = []
        self._size = 0
        self.is_over = not most

    def add(self, part: bytes) -> None:
        """Takes some more text. Raises :class:`OverflowingValueError`, with all that came before still there."""
        if self.is_over:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._large is not None and self._size > self._large:
            self._large = None
            self._on_large()
        if self._size > self._most:
            self.is_over = True
            if self._ends:
                raise OverflowingValueError
            self._parts.clear()

    def text(self) -> bytes:
        """The text so far."""
        self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def forget(self) -> None:
        """Lets go of the text."""
        self._parts.clear()


class IncomingText:
    """A JSON text that comes in pieces. Positions are between tokens."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._buffer = b""
        self._at = 0

    def mark(self) -> bytes:
        """The next byte that is not blank, which stays; empty at the end."""
        while True:
            match = _BLANKS.match(self._buffer, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._more():
                return b""

    def members(self) -> Iterator[tuple[str | None, bytes]]:
        """The names of an object's members, as values and as texts; the caller takes each one's value.

        A name that is too long is None.
        """
        self._expect(b"{")
        if self.mark() == b"}":
            self._expect(b"}")
            return
        while True:
            name = KeptText(NAME_BYTES)
            if self.mark() != b'"':
                raise JSONTextError("expected a key")
            self.value(name)
            self._expect(b":")
            yield (None, b"") if name.is_over else (jsontext.parse(name.text()), name.text())
            if self._expect(b",", b"}") == b"}":
                return

    def items(self) -> Iterator[None]:
        """Stops at each of an array's items; the caller takes it."""
        self._expect(b"[")
        if self.mark() == b"]":
            self._expect(b"]")
            return
        while True:
            yield
            if self._expect(b",", b"]") == b"]":
                return

    def value(self, kept: KeptText) -> None:
        """Takes a value."""
        mark = self.mark()
        if mark in (b"{", b"["):
            self._nested(kept)
        elif mark == b'"':
            self._at += 1
            kept.add(mark)
            self._string_rest(kept)
        else:
            self._literal(kept)

    def put_back(self, kept: KeptText) -> None:
        """What was taken last comes once more, and is kept here alone."""
        self._buffer = kept.text() + self._buffer[self._at :]
        self._at = 0
        kept.forget()

    def _nested(self, kept: KeptText) -> None:
        depth, at = 1, self._at + 1
        while True:
            token = _TOKEN.match(self._buffer, at)
            assert token is not None
            at = token.end()
            kind = token.lastindex
            if kind == _OPENING:
                depth += 1
            elif kind == _CLOSING:
                depth -= 1
            else:
                self._take(at, kept)
                if kind == _STRING:
                    self._string_rest(kept)
                else:
                    self._require_more()
                at = self._at
            if not depth:
                self._take(at, kept)
                return

    def _string_rest(self, kept: KeptText) -> None:
        """Takes a string behind its quotation mark, or from anywhere inside it between two characters."""
        while True:
            match = _STRING_REST.match(self._buffer, self._at)
            assert match is not None
            self._take(match.end(), kept)
            if match.lastindex:
                return
            self._require_more()

    def _literal(self, kept: KeptText) -> None:
        taken = 0
        while True:
            match = _LITERAL.match(self._buffer, self._at)
            assert match is not None
            taken += len(match[0])
            self._take(match.end(), kept)
            if self._at < len(self._buffer) or not self._more():
                break
        if not taken:
            raise JSONTextError("not a JSON value")

    def _take(self, end: int, kept: KeptText) -> None:
        begin, self._at = self._at, end
        if begin < end and not kept.is_over:
            kept.add(self._buffer[begin:end])

    def _expect(self, *marks: bytes) -> bytes:
        mark = self.mark()
        if mark not in marks:
            raise JSONTextError("expected " + " or ".join(f"'{one.decode()}'" for one in marks))
        self._at += 1
        return mark

    def _more(self) -> bool:
        """Adds the next piece to what is left; whether there is one."""
        for piece in self._pieces:
            if piece:
                self._buffer = self._buffer[self._at :] + piece
                self._at = 0
                return True
        return False

    def _require_more(self) -> None:
        if not self._more():
            raise JSONTextError("cut short")
