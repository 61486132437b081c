"""The changes in an answer of the sync server, one by one, while it comes.

An answer is one JSON object with a list of changes among its members, in any order. Its text is looked at just as far
as it takes to see where a change ends — strings and brackets —, so that nothing but that change need be in memory;
whether it is JSON, whoever parses it will see. What is larger than allowed is passed over, whatever its size, and what
the rest of it tells of its name is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from ..errors import JSONTextError
from ..limits import KIB, Limits
from ..model.rawchange import UnreadableChange, event_key
from ..text import jsontext

_LIST = "serverChanges"
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
_NAME_BYTES = 64 * KIB
"""Of a member's name or of another member's value, what is kept; no server sends more."""


class AnswerText:
    """An answer on its way.

    ``on_large`` is called once for each change that is larger than ``large`` bytes, before more of it is taken.
    """

    def __init__(self, pieces: Iterable[bytes], limits: Limits, *, large: int, on_large: Callable[[], object]) -> None:
        self._text = _Text(pieces)
        self._limits = limits
        self._large = large
        self._on_large = on_large
        self.rest = b""
        """Afterwards: the answer with an empty list in place of the changes, and without what else is large in it."""

    def changes(self) -> Iterator[bytes | UnreadableChange]:
        """The text of each change, or what is known of one that is too large.

        Raises :class:`JSONTextError` when the answer is no object with one list of changes.
        """
        text = self._text
        members: list[bytes] = []
        found = False
        for name, raw_name in text.members():
            if name == _LIST and text.mark() == b"[":
                if found:
                    raise JSONTextError("two lists of changes in one answer")
                found = True
                for _ in text.items():
                    yield self._change()
                members.append(raw_name + b":[]")
                continue
            value = _Kept(_NAME_BYTES)
            text.value(value)
            if name is not None and not value.is_over:
                members.append(raw_name + b":" + value.text())
        if text.mark():
            raise JSONTextError("more text behind the answer")
        self.rest = b"{%b}" % b",".join(members)

    def _change(self) -> bytes | UnreadableChange:
        whole = _Kept(self._limits.change_bytes, large=self._large, on_large=self._on_large, ends=True)
        try:
            self._text.value(whole)
        except _OverError:
            pass
        else:
            change = whole.text()
            if jsontext.values_at_most(change, self._limits.answer_values) <= self._limits.answer_values:
                return change
            del change
        beginning = whole.text()[:_NAME_BYTES]
        self._text.put_back(whole)
        return self._passed_over(beginning)

    def _passed_over(self, beginning: bytes) -> UnreadableChange:
        """Takes the change that comes for its names alone."""
        found: dict[str, str] = {}
        if self._text.mark() != b"{":
            self._text.value(_Kept(0))
        else:
            for name, _ in self._text.members():
                value = _Kept(_NAME_BYTES if name in ("eventId", "id", "table") else 0)
                self._text.value(value)
                told = None if value.is_over else jsontext.parse(value.text())
                if name is not None and isinstance(told, str):
                    found[name] = told
        event = found.get("eventId")
        key = b"\1" + sha256(beginning).digest() if event is None else event_key({"eventId": event})
        return UnreadableChange(key, found.get("id"), found.get("table", ""))


class _OverError(Exception):
    """There is more of a change than allowed."""


class _Kept:
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
        """Takes some more text. Raises :class:`_OverError`, with all that came before still there."""
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
                raise _OverError
            self._parts.clear()

    def text(self) -> bytes:
        """The text so far."""
        self._parts = [b"".join(self._parts)]
        return self._parts[0]

    def forget(self) -> None:
        """Lets go of the text."""
        self._parts.clear()


class _Text:
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
            name = _Kept(_NAME_BYTES)
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

    def value(self, kept: _Kept) -> None:
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

    def put_back(self, kept: _Kept) -> None:
        """What was taken last comes once more, and is kept here alone."""
        self._buffer = kept.text() + self._buffer[self._at :]
        self._at = 0
        kept.forget()

    def _nested(self, kept: _Kept) -> None:
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

    def _string_rest(self, kept: _Kept) -> None:
        """Takes a string behind its quotation mark, or from anywhere inside it between two characters."""
        while True:
            match = _STRING_REST.match(self._buffer, self._at)
            assert match is not None
            self._take(match.end(), kept)
            if match.lastindex:
                return
            self._require_more()

    def _literal(self, kept: _Kept) -> None:
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

    def _take(self, end: int, kept: _Kept) -> None:
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
