"""The one place that parses and writes JSON.

Two paths with one result. The fast one is ``orjson``. What it refuses or would change — lone surrogates, numbers that
are no 64-bit integers, nesting beyond 1,024 — goes the exact way: an iterative parser and writer that keep every
number's text and know no recursion limit.

Values are ``None``, ``bool``, ``int``, ``str`` (possibly with lone surrogates), ``list``, ``dict`` and :class:`Number`
for every number that is no 64-bit integer. A ``float`` has no text and never comes out of :func:`parse`;
:func:`parse_canonical` gives those whose text is the canonical one.

The text that :func:`dumps` writes is canonical (``formats/mana-v2.md``, "Text"): UTF-8 without blanks, keys sorted by
code point, escapes only where JSON demands them, numbers as ECMAScript's ``JSON.stringify`` writes them unless that
would change their value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from json.decoder import scanstring  # type: ignore[attr-defined] # documented by its use in JSONDecoder.parse_string
from typing import Any, TypeAlias

import orjson

from ..errors import JSONTextError
from ..limits import DEFAULT_LIMITS

JSON: TypeAlias = Any
"""``None | bool | int | str | Number | list[JSON] | dict[str, JSON]``; ``mypy`` has no useful recursive form of it."""


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


def parse(text: bytes | str, *, nesting: int = DEFAULT_LIMITS.nesting) -> JSON:
    """The value of one JSON text; of duplicate keys the last wins.

    Raises :class:`JSONTextError` when ``text`` is not exactly one JSON value, is not UTF-8, or nests deeper than
    ``nesting``.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_exactly(text, nesting)
    if _has_minus_zero(text) or _floats(value):
        return _parse_exactly(text, nesting)
    return value


def parse_inexact(text: bytes) -> JSON:
    """As :func:`parse`, and faster: numbers may be ``float``. For what is looked at, and not written again."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_exactly(text, DEFAULT_LIMITS.nesting)


def parse_to_rewrite(text: bytes, *, nesting: int = DEFAULT_LIMITS.nesting) -> JSON:
    """As :func:`parse`, for a large text whose parts are to be written again by :func:`dumps`.

    A number may be a ``float`` where it is sure that its canonical text is the one that was read.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_exactly(text, nesting)
    if not _has_minus_zero(text) and not _floats(value):
        return value
    return value if _is_safe(value, text) else _parse_exactly(text, nesting)


def rewritten_objects(
    text: bytes, begin: int, end: int, first_key: bytes, *, nesting: int = DEFAULT_LIMITS.nesting
) -> Iterator[tuple[JSON, bytes]]:
    """The objects that an array in ``text`` lists between ``begin`` and ``end``: value and canonical text, one by one.

    Only one value exists at a time, which takes a fraction of the time and memory of all of them: nothing of it has
    left the processor's cache when it is written again. It works for a writer who begins every object with
    ``first_key`` (its text, quotes and colon included) and puts nothing between them but commas. Values as
    :func:`parse_to_rewrite` gives them.

    Raises :class:`JSONTextError` where that is not what stands there; it may be JSON all the same. Objects that were
    given before are what they are then only if the rest proves to be a part of the same array.
    """
    # In valid JSON this cannot be part of a string, which would have to end in it; where it stands deeper inside an
    # object, neither half of that is valid. So if all parts are, these are the array's members.
    between = b"},{" + first_key
    minus_zero = _has_minus_zero(text)
    find = text.find
    while begin < end:
        found = find(between, begin, end)
        following = end if found < 0 else found + 1
        member = text[begin:following]
        if not member.startswith(b"{" + first_key):
            raise JSONTextError("not an object that begins as expected", offset=begin)
        try:
            value = orjson.loads(member)
        except orjson.JSONDecodeError:
            value = _parse_exactly(member, nesting)
        else:
            if (minus_zero and _has_minus_zero(member)) or (_floats(value) and not _is_safe(value, member)):
                value = _parse_exactly(member, nesting)
        yield value, dumps(value)
        begin = following + 1


def parse_canonical(line: bytes) -> JSON:
    """As :func:`parse`, for text that :func:`dumps` wrote.

    The fast parser is believed when writing its result again gives the same text; numbers may then be ``float``, of
    which just that is known.
    """
    try:
        value = orjson.loads(line)
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == line:
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # beyond the fast parser: deep, or lone surrogates, or a number that is no double
    return _parse_exactly(line, DEFAULT_LIMITS.nesting)


def dumps(value: JSON) -> bytes:
    """The canonical text of ``value``. :class:`orjson.Fragment` members are spliced in as they are."""
    try:
        return orjson.dumps(value, default=_number_fragment, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        return _dumps_exactly(value)


def values_at_most(text: bytes, enough: int) -> int:
    """No less than the number of values in a JSON text, counted only where there may be more than ``enough``."""
    if len(text) <= 2 * enough:  # a value has a character at least, and one that ends it
        return 0
    return 1 + sum(map(text.count, (b",", b"[", b"{")))


def value_text(plaintext: bytes) -> tuple[bytes, bool]:
    """The text of one JSON value as another writer wrote it, fit to be spliced into a line.

    The text is kept as it is, but for a byte order mark and blanks at both ends, line breaks between tokens, and bytes
    that are not UTF-8, which become U+FFFD as they do in every browser (WHATWG Encoding, "UTF-8 decode"). The second
    member says whether such bytes were found.

    Raises :class:`JSONTextError` when it is not exactly one JSON value, or nests as deep as the line may.
    """
    try:
        orjson.loads(plaintext)
    except orjson.JSONDecodeError:
        text = plaintext.decode("utf-8-sig", "replace")
        replaced = not _is_utf8(plaintext)
        _parse_exactly(text, DEFAULT_LIMITS.nesting - 1)  # the row around it is one more level
        plaintext = text.encode()
    else:
        replaced = False
    # A valid text holds line breaks between tokens only; in strings they are escaped.
    return plaintext.strip(b" \t\r\n").replace(b"\n", b"").replace(b"\r", b""), replaced


def nests_within(text: bytes, nesting: int = DEFAULT_LIMITS.nesting) -> bool:
    """Whether a JSON text nests no deeper than :func:`parse` takes; it costs nothing for any usual one."""
    if len(text) <= 2 * nesting or text.count(b"[") + text.count(b"{") <= nesting:
        return True
    try:
        _parse_exactly(text, nesting)
    except JSONTextError:
        return False
    return True


def number_text(text: str) -> str:
    """A number's canonical text: ECMAScript's, or ``text`` itself where that is not the same decimal number.

    Source: ECMA-262, Number::toString; ``-0``, what overflows and what has more digits than a double keeps its text.
    """
    number = float(text)
    if number in (float("inf"), float("-inf")) or (number == 0 and text.startswith("-")):
        return text
    written = _ecmascript(number)
    try:
        return written if Decimal(written) == Decimal(text) else text
    except InvalidOperation:  # an exponent beyond what Decimal holds: certainly not a double
        return text


# --- the fast path's conscience ---------------------------------------------------------------------------------------

# What must stand before it is looked for behind it: a pattern that begins with a literal is found ten times as fast.
_MINUS_ZERO = re.compile(rb"-0(?<![^:,\[\s]-0)(?![0-9])")


def _has_minus_zero(text: bytes | str) -> bool:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return b"-0" in raw and _MINUS_ZERO.search(raw) is not None


def _floats(value: JSON) -> list[float]:
    floats: list[float] = []
    containers: list[Any] = [[value]]
    for container in containers:  # grows meanwhile
        for member in container.values() if type(container) is dict else container:
            kind = type(member)
            if kind is dict or kind is list:
                containers.append(member)
            elif kind is float:
                floats.append(member)
    return floats


def _is_plain(number: float) -> bool:
    """Whether every writer gives the number the same text: its shortest digits, a point among them, no exponent."""
    return 1e-4 <= abs(number) < 1e16 and not number.is_integer()


def _is_safe(value: JSON, text: bytes) -> bool:
    return all(map(_is_plain, _floats(value))) and _writes_again(value, text)


def _writes_again(value: JSON, text: bytes) -> bool:
    try:
        return orjson.dumps(value) == text.strip(b" \t\r\n")
    except orjson.JSONEncodeError:  # nested too deep for the fast writer
        return False


def _number_fragment(value: object) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- the exact path ---------------------------------------------------------------------------------------------------

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_LONGEST_INTEGER = 20


def _parse_exactly(source: bytes | str, nesting: int) -> JSON:
    """RFC 8259 without recursion. ``stack`` holds the open containers, ``keys`` the pending key of each open object."""
    if isinstance(source, bytes):
        try:
            text = source.decode()
        except UnicodeDecodeError as error:
            raise JSONTextError("not UTF-8", offset=error.start) from None
    else:
        text = source
    blanks = _BLANKS.match
    stack: list[Any] = []
    keys: list[str] = []
    value: JSON
    at = _skip(blanks, text, 0)
    while True:
        # a value begins at ``at``
        first = text[at : at + 1]
        if first == '"':
            value, at = _string(text, at)
        elif first in ("{", "["):
            if len(stack) >= nesting:
                raise JSONTextError(f"nests deeper than {nesting:,} levels", offset=at)
            at = _skip(blanks, text, at + 1)
            if first == "[":
                if text[at : at + 1] != "]":
                    stack.append([])
                    continue
                value = []
                at += 1
            else:
                if text[at : at + 1] != "}":
                    stack.append({})
                    key, at = _key(blanks, text, at)
                    keys.append(key)
                    continue
                value = {}
                at += 1
        elif first in _LITERALS:
            literal, value = _LITERALS[first]
            if not text.startswith(literal, at):
                raise JSONTextError("not a JSON value", offset=at)
            at += len(literal)
        else:
            value, at = _number(text, at)
        # a value has ended: put it where it belongs, and close what it closes
        while True:
            at = _skip(blanks, text, at)
            if not stack:
                if at != len(text):
                    raise JSONTextError("more text behind the JSON value", offset=at)
                return value
            container = stack[-1]
            mark = text[at : at + 1]
            if type(container) is list:
                container.append(value)
                closing = "]"
            else:
                container[keys[-1]] = value
                closing = "}"
            if mark == ",":
                at = _skip(blanks, text, at + 1)
                if closing == "}":
                    keys[-1], at = _key(blanks, text, at)
                break
            if mark != closing:
                raise JSONTextError(f"expected ',' or '{closing}'", offset=at)
            if closing == "}":
                keys.pop()
            value = stack.pop()
            at += 1


def _skip(blanks: Any, text: str, at: int) -> int:
    end: int = blanks(text, at).end()
    return end


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        value, end = scanstring(text, at + 1, True)
    except ValueError as error:
        raise JSONTextError("malformed string", offset=getattr(error, "pos", at)) from None
    return value, end


def _key(blanks: Any, text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise JSONTextError("expected a key", offset=at)
    key, at = _string(text, at)
    at = _skip(blanks, text, at)
    if text[at : at + 1] != ":":
        raise JSONTextError("expected ':'", offset=at)
    return key, _skip(blanks, text, at + 1)


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


_LONE = re.compile("[\ud800-\udfff]")


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


def _dumps_exactly(value: JSON) -> bytes:
    """:func:`dumps` without recursion: ``pending`` holds what is still to be written, the next on top."""
    out: list[bytes] = []
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if type(item) is _Text:
            out.append(item)
        elif isinstance(item, dict):
            out.append(b"{")
            pending.append(_Text(b"}"))
            for index, key in enumerate(sorted(item, reverse=True)):
                pending += (item[key], _Text(_string_text(key) + b":"))
                if index < len(item) - 1:
                    pending.append(_Text(b","))
        elif isinstance(item, list):
            out.append(b"[")
            pending.append(_Text(b"]"))
            for index in range(len(item) - 1, -1, -1):
                pending.append(item[index])
                if index:
                    pending.append(_Text(b","))
        elif isinstance(item, str):
            out.append(_string_text(item))
        elif isinstance(item, Number):
            out.append(item.text.encode())
        elif isinstance(item, int) and not isinstance(item, bool):
            out.append(b"%d" % item)
        else:
            out.append(orjson.dumps(item))
    return b"".join(out)


class _Text(bytes):
    """Finished text among values still to be written."""
