"""The members of a JSON object, each by its own text, and an object out of them.

Whoever encrypts a value again must keep its text: to read and write it would sort its keys and spell its numbers anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from ..errors import JSONTextError
from . import jsontext
from .jsontext import JSON, Fragment

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)
_QUOTE, _COMMA, _OPEN, _CLOSE = b'"', b",", (b"{", b"["), (b"}", b"]")


def writable_members(line: bytes) -> dict[str, JSON]:
    """As :func:`members`, each as what :func:`member_text` writes with the text that stands in ``line``.

    That is the parsed value where it has no other text, and a ``Fragment`` where it has.
    """
    value = _written_again(line)
    if value is not None:
        return value
    return {name: _writable(text) for name, text in members(line).items()}


def member_value(member: JSON) -> JSON:
    """The parsed value of one of :func:`writable_members`."""
    return jsontext.parse(orjson.dumps(member)) if type(member) is Fragment else member


def member_text(member: JSON) -> bytes:
    """The text of one of :func:`writable_members`."""
    return orjson.dumps(member)


def object_text(row: Mapping[str, JSON]) -> bytes:
    """The object that has these :func:`writable_members`, in this order."""
    try:
        return orjson.dumps(row)
    except orjson.JSONEncodeError:  # a lone surrogate in a name, or in a string that was put among them
        pairs = (jsontext.dumps(name) + b":" + jsontext.dumps(member) for name, member in row.items())
        return b"{%b}" % b",".join(pairs)


def members(line: bytes) -> dict[str, bytes]:
    """Name → text of the value, in the order of the object; of duplicate keys the last wins.

    Raises :class:`JSONTextError` when ``line`` is not exactly one JSON object.
    """
    value = _written_again(line)
    if value is not None:
        return {name: orjson.dumps(member) for name, member in value.items()}
    if type(jsontext.parse(line)) is not dict:
        raise JSONTextError("not an object")
    return _split(line)


def _written_again(line: bytes) -> dict[str, JSON] | None:
    """The object in ``line`` where the fast writer gives it back unchanged: then also member by member."""
    try:
        value = orjson.loads(line)
        return value if type(value) is dict and orjson.dumps(value) == line else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None  # beyond the fast parser: deep, or lone surrogates


def _writable(text: bytes) -> JSON:
    value = jsontext.parse(text)
    try:
        same = orjson.dumps(value) == text
    except orjson.JSONEncodeError:
        same = False
    return value if same else Fragment(text)


def _split(line: bytes) -> dict[str, bytes]:
    """:func:`members` of a text that is known to be an object."""
    texts: dict[str, bytes] = {}
    depth = start = 0
    key: str | None = None
    for token in _TOKEN.finditer(line):
        mark = token.group()[:1]
        if mark == _QUOTE:
            if depth == 1 and key is None:
                key = jsontext.parse(token.group())
                start = line.index(b":", token.end()) + 1
        elif mark in _OPEN:
            depth += 1
        else:
            if depth == 1 and key is not None:
                texts[key] = line[start : token.start()].strip(b" \t\r\n")
                key = None
            if mark in _CLOSE:
                depth -= 1
    return texts
