"""JSON as Go's ``encoding/json`` reads and writes it, to the letter of its error texts.

The sync server is a Go program: what it accepts, what it says when it does not, and how values change on their way are
those of that package. Nothing here recurses, since Go reads 10,000 levels.

A parsed value is ``None``, ``bool``, ``str`` (bytes that are not UTF-8 and lone surrogate escapes stand in it as lone
surrogates), :class:`Literal` for a number, ``list``, or :class:`Members` for an object, which keeps order and
duplicates: Go's structs see both.

Sources: the package's documentation; the server's recorded answers in ``fixtures/transcripts`` (14, 16, 25).
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined] # documented by its use in JSONDecoder.parse_string
from typing import Any, TypeAlias

import orjson

from ..text import jsontext
from ..text.jsontext import JSON

Node: TypeAlias = Any
"""``None | bool | str | Literal | list[Node] | Members``."""

MAX_DEPTH = 10_000
REPLACEMENT = "\ufffd"


class Literal(str):
    """A number as it was written."""

    __slots__ = ()


class Members(list[tuple[str, Node]]):
    """An object's members in order, duplicates included."""

    __slots__ = ()


class GoJSONError(Exception):
    """What Go's decoder would return as an error; the message is its text."""


class EndOfInput(Exception):  # noqa: N818 - an end is no error until somebody says what was expected
    """The input ends before its first value does. ``begun`` says whether there was more than blanks."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("the input ends early")
        self.begun = begun


# --- reading ----------------------------------------------------------------------------------------------------------

_BLANKS = re.compile(rb"[ \t\n\r]*")
_PLAIN = re.compile(rb'"([^"\\\x00-\x1f]*+)"')
_ESCAPED = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_LITERALS = {b"t": (b"true", True), b"f": (b"false", False), b"n": (b"null", None)}


def parse(data: bytes) -> Node:
    """The first value in ``data``; what follows it is not looked at, as Go's ``Decoder`` does not.

    Raises :class:`GoJSONError` for a syntax error and :class:`EndOfInput` when the value is not complete.
    """
    blanks = _BLANKS.match
    stack: list[Any] = []
    keys: list[str] = []
    value: Node
    at = _after(blanks, data, 0)
    if at == len(data):
        raise EndOfInput(begun=False)
    while True:
        first = data[at : at + 1]
        if first == b'"':
            value, at = _string(data, at)
        elif first in (b"{", b"["):
            if len(stack) >= MAX_DEPTH:
                raise _invalid(data, at, "exceeded max depth")
            at = _after(blanks, data, at + 1)
            if first == b"[":
                if data[at : at + 1] != b"]":
                    stack.append([])
                    continue
                value = []
            else:
                if data[at : at + 1] != b"}":
                    stack.append(Members())
                    key, at = _key(blanks, data, at)
                    keys.append(key)
                    continue
                value = Members()
            at += 1
        elif first in _LITERALS:
            value, at = _literal(data, at, *_LITERALS[first])
        else:
            value, at = _number(data, at)
        while True:
            if not stack:
                return value
            at = _after(blanks, data, at)
            container = stack[-1]
            mark = data[at : at + 1]
            if type(container) is list:
                container.append(value)
                closing, context = b"]", "after array element"
            else:
                container.append((keys[-1], value))
                closing, context = b"}", "after object key:value pair"
            if mark == b",":
                at = _after(blanks, data, at + 1)
                if closing == b"}":
                    keys[-1], at = _key(blanks, data, at)
                break
            if mark != closing:
                raise _invalid(data, at, context)
            if closing == b"}":
                keys.pop()
            value = stack.pop()
            at += 1


def _after(blanks: Any, data: bytes, at: int) -> int:
    end: int = blanks(data, at).end()
    return end


def _key(blanks: Any, data: bytes, at: int) -> tuple[str, int]:
    if data[at : at + 1] != b'"':
        raise _invalid(data, at, "looking for beginning of object key string")
    key, at = _string(data, at)
    at = _after(blanks, data, at)
    if data[at : at + 1] != b":":
        raise _invalid(data, at, "after object key")
    return key, _after(blanks, data, at + 1)


def _string(data: bytes, at: int) -> tuple[str, int]:
    if match := _PLAIN.match(data, at):
        return match.group(1).decode("utf-8", "surrogateescape"), match.end()
    if match := _ESCAPED.match(data, at):
        text, _ = scanstring(match.group(1).decode("utf-8", "surrogateescape") + '"', 0, True)
        return text, match.end()
    raise _string_error(data, at)


def _string_error(data: bytes, at: int) -> Exception:
    at += 1
    while at < len(data) and data[at] >= 0x20:
        if data[at] != 0x5C:
            at += 1
            continue
        escape = data[at + 1 : at + 2]
        if escape == b"u":
            for digit in range(at + 2, at + 6):
                if data[digit : digit + 1] not in tuple(b"%c" % byte for byte in b"0123456789abcdefABCDEF"):
                    return _invalid(data, digit, "in \\u hexadecimal character escape")
            at += 6
        elif escape and escape in b'"\\/bfnrt':
            at += 2
        else:
            return _invalid(data, at + 1, "in string escape code")
    return _invalid(data, at, "in string literal")


def _literal(data: bytes, at: int, word: bytes, value: bool | None) -> tuple[bool | None, int]:
    for offset in range(1, len(word)):
        if data[at + offset : at + offset + 1] != word[offset : offset + 1]:
            raise _invalid(data, at + offset, f"in literal {word.decode()} (expecting '{chr(word[offset])}')")
    return value, at + len(word)


def _number(data: bytes, at: int) -> tuple[Literal, int]:
    match = _NUMBER.match(data, at)
    if match is None:
        if data[at : at + 1] == b"-":
            raise _invalid(data, at + 1, "in numeric literal")
        raise _invalid(data, at, "looking for beginning of value")
    text, end = match.group(), match.end()
    following = data[end : end + 1]
    if following == b"." and b"." not in text and b"e" not in text.lower():
        raise _invalid(data, end + 1, "after decimal point in numeric literal")
    if following in (b"e", b"E") and b"e" not in text.lower():
        end += 1
        if data[end : end + 1] in (b"+", b"-"):
            end += 1
        raise _invalid(data, end, "in exponent of numeric literal")
    return Literal(text.decode("ascii")), end


def _invalid(data: bytes, at: int, context: str) -> Exception:
    if at >= len(data):
        return EndOfInput(begun=True)
    return GoJSONError(f"invalid character {_quoted_byte(data[at])} {context}")


def _quoted_byte(byte: int) -> str:
    if byte == 0x27:
        return "'\\''"
    if byte == 0x22:
        return "'\"'"
    return f"'{quote(chr(byte))[1:-1]}'"


_SHORT = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}


def quote(text: str) -> str:
    """Go's ``strconv.Quote``, which is what ``%q`` writes."""
    out = []
    for character in text:
        point = ord(character)
        if point in _SHORT:
            out.append(_SHORT[point])
        elif character.isprintable():
            out.append(character)
        elif point < 0x80:
            out.append(f"\\x{point:02x}")
        else:
            out.append(f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}")
    return '"' + "".join(out) + '"'


# --- values -----------------------------------------------------------------------------------------------------------

_LONE = re.compile("[\ud800-\udfff]")
_SMALL_INTEGER = re.compile(r"-?[0-9]{1,15}")


def valid_text(text: str) -> str:
    """``text`` as Go's decoder stores it: U+FFFD for each byte that is not UTF-8 and each lone surrogate."""
    return text if text.isascii() else _LONE.sub(REPLACEMENT, text)


def float64(text: str) -> JSON:
    """The number that ``text`` is after it went through a float64, fit for :func:`jsontext.dumps`.

    Raises ``OverflowError`` when no float64 holds it.
    """
    if _SMALL_INTEGER.fullmatch(text):
        return int(text)
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise OverflowError(text)
    written = jsontext.number_text(repr(number)) if number else "0"
    return int(written) if _SMALL_INTEGER.fullmatch(written) else jsontext.Number(written)


def interface(node: Node) -> JSON:
    """What decoding into Go's ``interface{}`` gives: objects are maps, the last duplicate wins, numbers are float64.

    Raises ``OverflowError`` with the text of a number that no float64 holds.
    """
    root: list[JSON] = [None]
    pending: list[tuple[Any, Any, Node]] = [(root, 0, node)]
    while pending:
        place, index, item = pending.pop()
        if isinstance(item, Literal):
            place[index] = float64(item)
        elif isinstance(item, str):
            place[index] = valid_text(item)
        elif isinstance(item, Members):
            place[index] = members = {valid_text(key): value for key, value in item}
            pending += [(members, key, members[key]) for key in reversed(members)]
        elif isinstance(item, list):
            place[index] = elements = list(item)
            pending += [(elements, number, elements[number]) for number in range(len(elements) - 1, -1, -1)]
        else:
            place[index] = item
    return root[0]


# --- writing ----------------------------------------------------------------------------------------------------------

_ESCAPES = {b"<": rb"\u003c", b">": rb"\u003e", b"&": rb"\u0026", "\u2028".encode(): rb"\u2028"}
_ESCAPES["\u2029".encode()] = rb"\u2029"
_NEEDS_ESCAPE = re.compile(rb"[<>&]|\xe2\x80[\xa8\xa9]")


def escape_html(text: bytes) -> bytes:
    """JSON text with the five characters escaped that Go escapes; they stand nowhere but inside strings."""
    return _NEEDS_ESCAPE.sub(lambda match: _ESCAPES[match.group()], text)


def marshal(value: JSON) -> bytes:
    """A map, list or scalar as Go's ``Encoder`` writes it: sorted keys, no blanks, HTML characters escaped."""
    return escape_html(jsontext.dumps(value))


def marshal_text(text: str) -> bytes:
    """One string, in which lone surrogates become U+FFFD."""
    return escape_html(orjson.dumps(valid_text(text)))
