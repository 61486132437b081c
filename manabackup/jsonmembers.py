"""The members of a JSON object, each by its own text.

Whoever encrypts a value again must keep its text: to read and write it would sort its keys and spell its numbers anew.
"""

from __future__ import annotations

import re

import orjson

from . import jsontext
from .errors import JSONTextError

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)
_QUOTE, _COMMA, _OPEN, _CLOSE = b'"', b",", (b"{", b"["), (b"}", b"]")


def members(line: bytes) -> dict[str, bytes]:
    """Name → text of the value, in the order of the object; of duplicate keys the last wins.

    Raises :class:`JSONTextError` when ``line`` is not exactly one JSON object.
    """
    try:
        value = orjson.loads(line)
        # What the fast writer gives back unchanged it also gives back member by member.
        if type(value) is dict and orjson.dumps(value) == line:
            return {name: orjson.dumps(member) for name, member in value.items()}
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass  # beyond the fast parser: deep, or lone surrogates
    if type(jsontext.parse(line)) is not dict:
        raise JSONTextError("not an object")
    return _split(line)


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
