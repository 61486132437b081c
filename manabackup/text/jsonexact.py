"""JSON read and written exactly, without recursion: every number keeps its text, and depth costs memory alone.

The slow half of :mod:`.jsontext`, which is the door. Source: RFC 8259; numbers: ECMA-262, Number::toString.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from json.decoder import scanstring  # type: ignore[attr-defined] # documented by its use in JSONDecoder.parse_string
from typing import Any, TypeAlias

import orjson

from ..errors import JSONTextError

JSON: TypeAlias = Any
"""``None | bool | int | str | Number | list[JSON] | dict[str, JSON]``; ``mypy`` has no useful recursive form of it."""

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_LONGEST_INTEGER = 20
_LONE = re.compile("[\ud800-\udfff]")


class Number:
    """A JSON number by its text. Equal when the texts are equal."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Number({self.text!r})"


def parse(source: bytes | str, nesting: int) -> JSON:
    """The value of one JSON text; of duplicate keys the last wins.

    Raises :class:`JSONTextError` when it is not exactly one value, is not UTF-8, or nests deeper than ``nesting``.
    """
    text = source if isinstance(source, str) else _decoded(source)
    open_containers: list[Any] = []
    keys: list[str] = []
    """For each open object the one whose value comes."""
    at = _behind_blanks(text, 0)
    while True:
        if len(open_containers) >= nesting and text[at : at + 1] in ("{", "["):
            raise JSONTextError(f"nests deeper than {nesting:,} levels", offset=at)
        value, at, is_open = _begin(text, at, keys)
        if is_open:
            open_containers.append(value)
            continue
        value, at = _close(text, at, value, open_containers, keys)
        if not open_containers:
            if at != len(text):
                raise JSONTextError("more text behind the JSON value", offset=at)
            return value


def dumps(value: JSON) -> bytes:
    """The canonical text of a value: see :mod:`.jsontext`."""
    out: list[bytes] = []
    pending: list[Any] = [value]  # what is still to be written, the next on top
    while pending:
        item = pending.pop()
        if type(item) is _Text:
            out.append(item)
        elif isinstance(item, dict):
            out.append(b"{")
            pending.append(_Text(b"}"))
            for before, key in enumerate(sorted(item, reverse=True)):
                if before:
                    pending.append(_COMMA)
                pending += (item[key], _Text(_string_text(key) + b":"))
        elif isinstance(item, list):
            out.append(b"[")
            pending.append(_Text(b"]"))
            for before, member in enumerate(reversed(item)):
                if before:
                    pending.append(_COMMA)
                pending.append(member)
        else:
            out.append(_scalar_text(item))
    return b"".join(out)


class _Text(bytes):
    """Finished text among values still to be written."""


_COMMA = _Text(b",")


def number_text(text: str) -> str:
    """A number's canonical text: ECMAScript's, or ``text`` itself where that is not the same decimal number.

    ``-0``, what overflows and what has more digits than a double keeps its text.
    """
    number = float(text)
    if number in (float("inf"), float("-inf")) or (number == 0 and text.startswith("-")):
        return text
    written = _ecmascript(number)
    try:
        return written if Decimal(written) == Decimal(text) else text
    except InvalidOperation:  # an exponent beyond what Decimal holds: certainly not a double
        return text


def _decoded(source: bytes) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        raise JSONTextError("not UTF-8", offset=error.start) from None


def _begin(text: str, at: int, keys: list[str]) -> tuple[JSON, int, bool]:
    """What begins at ``at``: a value that has ended, or a container that is open, whose first value comes next.

    Gives it, the place behind, and whether it is open.
    """
    first = text[at : at + 1]
    if first == "[":
        at = _behind_blanks(text, at + 1)
        return ([], at + 1, False) if text[at : at + 1] == "]" else ([], at, True)
    if first == "{":
        at = _behind_blanks(text, at + 1)
        if text[at : at + 1] == "}":
            return {}, at + 1, False
        key, at = _key(text, at)
        keys.append(key)
        return {}, at, True
    value, at = _scalar(text, at, first)
    return value, at, False


def _close(text: str, at: int, value: JSON, open_containers: list[Any], keys: list[str]) -> tuple[JSON, int]:
    """Puts a value that has ended where it belongs, and closes what ends with it.

    Gives the last one that ended, and where the next one begins; without an open container that is the end.
    """
    at = _behind_blanks(text, at)
    while open_containers:
        container = open_containers[-1]
        mark = text[at : at + 1]
        if type(container) is list:
            container.append(value)
            closing = "]"
        else:
            container[keys[-1]] = value
            closing = "}"
        if mark == ",":
            at = _behind_blanks(text, at + 1)
            if closing == "}":
                keys[-1], at = _key(text, at)
            break
        if mark != closing:
            raise JSONTextError(f"expected ',' or '{closing}'", offset=at)
        if closing == "}":
            keys.pop()
        value = open_containers.pop()
        at = _behind_blanks(text, at + 1)
    return value, at


def _scalar(text: str, at: int, first: str) -> tuple[JSON, int]:
    if first == '"':
        return _string(text, at)
    if first in _LITERALS:
        literal, value = _LITERALS[first]
        if not text.startswith(literal, at):
            raise JSONTextError("not a JSON value", offset=at)
        return value, at + len(literal)
    return _number(text, at)


def _behind_blanks(text: str, at: int) -> int:
    if text[at : at + 1] > " ":  # nearly always: no blank is larger
        return at
    match = _BLANKS.match(text, at)
    assert match is not None
    return match.end()


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        value, end = scanstring(text, at + 1, True)
    except ValueError as error:
        raise JSONTextError("malformed string", offset=getattr(error, "pos", at)) from None
    return value, end


def _key(text: str, at: int) -> tuple[str, int]:
    """A key, and the place of its value."""
    if text[at : at + 1] != '"':
        raise JSONTextError("expected a key", offset=at)
    key, at = _string(text, at)
    at = _behind_blanks(text, at)
    if text[at : at + 1] != ":":
        raise JSONTextError("expected ':'", offset=at)
    return key, _behind_blanks(text, at + 1)


def _number(text: str, at: int) -> tuple[int | Number, int]:
    match = _NUMBER.match(text, at)
    if match is None:
        raise JSONTextError("not a JSON value", offset=at)
    canonical = number_text(match.group())
    if len(canonical) <= _LONGEST_INTEGER and canonical.lstrip("-").isdigit() and canonical != "-0":
        integer = int(canonical)
        if -(2**63) <= integer < 2**64:  # what orjson reads and writes as an integer
            return integer, match.end()
    return Number(canonical), match.end()


def _ecmascript(number: float) -> str:
    """A finite number as ``String(number)`` gives it (ECMA-262, Number::toString; ``repr`` has the same digits)."""
    sign = "-" if number < 0 else ""
    if number == 0:
        return "0"
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # digits before the decimal point, counted from the first of ``whole``
    point -= len(whole + fraction) - len((whole + fraction).lstrip("0"))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"{point - 1:+d}"
    return f"{sign}{digits[0]}{'.' if count > 1 else ''}{digits[1:]}e{power}"


def _scalar_text(value: JSON) -> bytes:
    if isinstance(value, str):
        return _string_text(value)
    if isinstance(value, Number):
        return value.text.encode()
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    return orjson.dumps(value)


def _string_text(value: str) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        parts: list[bytes] = []
        at = 0
        for match in _LONE.finditer(value):
            parts += (orjson.dumps(value[at : match.start()])[1:-1], rb"\u%04x" % ord(match.group()))
            at = match.end()
        return b'"' + b"".join(parts) + orjson.dumps(value[at:])[1:]
