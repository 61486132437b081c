"""The one place that parses and writes JSON.

Two paths with one result. The fast one is ``orjson``. What it refuses or would change — lone surrogates, numbers that
are no 64-bit integers, nesting beyond 1,024 — goes the exact way (:mod:`.jsonexact`): an iterative parser and writer
that keep every number's text and know no recursion limit.

Values are ``None``, ``bool``, ``int``, ``str`` (possibly with lone surrogates), ``list``, ``dict`` and :class:`Number`
for every number that is no 64-bit integer. A ``float`` has no text and never comes out of :func:`parse`;
:func:`parse_canonical` gives those whose text is the canonical one. A ``Fragment`` is JSON text among values, which is
written as it is; none comes out of a parser.

The text that :func:`dumps` writes is canonical (``formats/mana-v2.md``, "Text"): UTF-8 without blanks, keys sorted by
code point, escapes only where JSON demands them, numbers as ECMAScript's ``JSON.stringify`` writes them unless that
would change their value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
from orjson import Fragment as Fragment

from ..errors import JSONTextError
from ..limits import DEFAULT_LIMITS
from . import jsonexact
from .jsonexact import JSON as JSON
from .jsonexact import Number as Number
from .jsonexact import number_text as number_text


def parse(text: bytes | str, *, nesting: int = DEFAULT_LIMITS.nesting) -> JSON:
    """The value of one JSON text; of duplicate keys the last wins.

    Raises :class:`JSONTextError` when ``text`` is not exactly one JSON value, is not UTF-8, or nests deeper than
    ``nesting``.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return jsonexact.parse(text, nesting)
    if _has_minus_zero(text) or _floats(value):
        return jsonexact.parse(text, nesting)
    return value


def parse_inexact(text: bytes) -> JSON:
    """As :func:`parse`, and faster: numbers may be ``float``. For what is looked at, and not written again."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return jsonexact.parse(text, DEFAULT_LIMITS.nesting)


def parse_to_rewrite(text: bytes, *, nesting: int = DEFAULT_LIMITS.nesting) -> JSON:
    """As :func:`parse`, for a large text whose parts are to be written again by :func:`dumps`.

    A number may be a ``float`` where it is sure that its canonical text is the one that was read.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return jsonexact.parse(text, nesting)
    if not _has_minus_zero(text) and not _floats(value):
        return value
    return value if _is_safe(value, text) else jsonexact.parse(text, nesting)


def rewritten_decimal(text: bytes, *, nesting: int = DEFAULT_LIMITS.nesting) -> bytes:
    """The canonical text of a JSON text whose numbers have no exponents and are not ``-0``: PostgreSQL's of ``jsonb``.

    As ``dumps(parse(text))``, and faster: that no digit is lost is seen in the text's shape.
    """
    try:
        value = orjson.loads(text)
        shape = text.translate(_DIGITS_ALIKE)
        if _NO_INT not in shape and (_FRACTION not in shape or (_are_doubles(text) and _whole_numbers_are_int(value))):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        pass
    return dumps(jsonexact.parse(text, nesting))


def parse_line(text: bytes) -> tuple[JSON, bool]:
    """As :func:`parse`, for a text by itself that was written as :func:`dumps` does, but for the order of its keys.

    The fast parser is believed where writing its result again gives the same text, which the second member says: a
    number may then be a ``float``, whose text is the one that stands there.
    """
    try:
        value = orjson.loads(text)
        if orjson.dumps(value) == text:
            return value, True
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # deep, or half a surrogate pair, or a number that is no double
    return parse_to_rewrite(text), False


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
            value = jsonexact.parse(member, nesting)
        else:
            if (minus_zero and _has_minus_zero(member)) or (_floats(value) and not _is_safe(value, member)):
                value = jsonexact.parse(member, nesting)
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
    return jsonexact.parse(line, DEFAULT_LIMITS.nesting)


def dumps(value: JSON) -> bytes:
    """The canonical text of ``value``."""
    try:
        return orjson.dumps(value, default=_number_fragment, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        return jsonexact.dumps(value)


def dumps_to_keep(value: JSON) -> bytes:
    """:func:`dumps`, for texts of which many are in memory at once.

    What orjson writes keeps the room that it was written in, 4 KiB at least and ten times a text of 3 kB; here it does
    not (found with 3.13, and as of 3.12 in its tracker).
    """
    return bytes(memoryview(dumps(value)))


def dumps_in_order(value: JSON) -> bytes:
    """The text of ``value`` with all keys in the order that they have, where that can be; otherwise canonical text."""
    try:
        return orjson.dumps(value, default=_number_fragment)
    except (orjson.JSONEncodeError, RecursionError):
        return jsonexact.dumps(value)


def dumps_in_order_to_keep(value: JSON) -> bytes:
    """:func:`dumps_in_order`, as :func:`dumps_to_keep` is :func:`dumps`."""
    return bytes(memoryview(dumps_in_order(value)))


def dumps_indented(value: JSON) -> bytes:
    """A text for people, with its last line end: two spaces a level, keys in the order in which they stand.

    Somebody else's odd values, which the fast writer refuses, are written as :func:`dumps` does.
    """
    try:
        return orjson.dumps(value, default=_number_fragment, option=orjson.OPT_INDENT_2) + b"\n"
    except (orjson.JSONEncodeError, RecursionError):
        return dumps(value) + b"\n"


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
        jsonexact.parse(text, DEFAULT_LIMITS.nesting - 1)  # the row around it is one more level
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
        jsonexact.parse(text, nesting)
    except JSONTextError:
        return False
    return True


# --- the fast path's conscience ---------------------------------------------------------------------------------------

# What must stand before it is looked for behind it: a pattern that begins with a literal is found ten times as fast.
_MINUS_ZERO = re.compile(rb"-0(?<![^:,\[\s]-0)(?![0-9])")


# All digits are 0 in a text's shape: what is not in it is found without looking at each number.
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_DIGITS_AND_POINTS_ALIKE = bytes.maketrans(b"123456789.", b"0000000000")
_NO_INT = b"0" * 19
"""A number with so many digits may be beyond 64 bits, and then it is a double to orjson."""
_NO_DOUBLE = b"0" * 17
"""A number of up to fifteen digits, and a point, comes out of a double as it went in."""
_FRACTION = b"0.0"


def _are_doubles(text: bytes) -> bool:
    """Whether no number with a fraction loses anything as a double; what looks like one in a string counts, too."""
    shape = text.translate(_DIGITS_AND_POINTS_ALIKE)
    found = shape.find(_NO_DOUBLE)
    while found >= 0:
        rest = text[found : found + len(shape) - found - len(shape[found:].lstrip(b"0"))]
        if b"." in rest:
            try:
                number = repr(float(rest)).removesuffix(".0")
            except ValueError:  # none at all
                return False
            if number.encode() != rest.rstrip(b"0").removesuffix(b"."):
                return False
        found = shape.find(_NO_DOUBLE, found + len(rest))
    return True


def _whole_numbers_are_int(value: JSON) -> bool:
    """Puts an int in place of each float within ``value`` that is whole; false where one has no plain text."""
    containers: list[Any] = [[value]]
    if type(value) is float:
        return _is_plain(value)
    for container in containers:  # grows meanwhile
        for key, member in container.items() if type(container) is dict else enumerate(container):
            kind = type(member)
            if kind is dict or kind is list:
                containers.append(member)
            elif kind is float:
                if member.is_integer():
                    container[key] = int(member)
                elif not _is_plain(member):
                    return False
    return True


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


def _number_fragment(value: object) -> Fragment:
    if isinstance(value, Number):
        return Fragment(value.text)
    raise TypeError


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
