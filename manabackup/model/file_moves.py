"""Rows whose files have got new ids or keys: every reference to such a file, led to where the file is now.

What is a reference is decided by :mod:`.files`; this is the other direction. What stands after it in a row leads to the
images of what stood there before, and everything else stays as it is, to the character.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from ..text.jsontext import JSON
from .files import (
    IMAGE_BLOCKS,
    IMAGES,
    IN_TEXT,
    KEY_KINDS,
    MEDIA_ADDRESS,
    MEDIA_ID,
    PICTURE_SOURCE,
    Leads,
    file_fields,
    reference,
)
from .tables import FileField

_NO_IDS = ("fk-images", "emoji", "legacy", "unknown")
"""Kinds of fields in which an id by itself is none of a file's."""
_LONGEST_ORIGIN = 500
_NOT_IN_ADDRESSES = re.compile(r"""[\s"'<>()\\]""")


@dataclass(frozen=True, slots=True)
class FileMoves:
    """Where files are now that rows refer to."""

    ids: Mapping[str, str]
    """Id that rows hold, in lower case → id that the file has now, which may be the same one."""
    address: str
    """Of the service that has the files now, as rows hold it: without ``/api/v1``."""
    image_rows: frozenset[str] = frozenset()
    """Those of :attr:`ids` that are also ids of rows of ``images``: a field that may name either names the row."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Address of an object (``storage:`` or ``music:`` and its key) → what a field that holds keys is to say: another
    key, or the id of a file of the media service."""


class Moved(NamedTuple):
    """A row, led to where its files are now."""

    values: dict[str, JSON]
    """Its members that are others now."""
    ids: frozenset[str]
    """Those of :attr:`FileMoves.ids`, and of :attr:`FileMoves.keys`, that stood in it."""


def moved(table: str, values: Mapping[str, JSON], moves: FileMoves) -> Moved:
    """A row of a table with every reference to a moved file led to its new id or key.

    An address gets the new service's besides, and keeps what follows the id, such as the size of a picture.
    """
    used: set[str] = set()

    def addresses(text: str) -> str:
        return _addresses(text, moves, used)

    def spelled(text: str) -> str:
        return _spelled(text, moves, used)

    def one_id(text: str) -> str:
        return _id(table, text, moves, used)

    found: dict[str, JSON] = dict(values)
    for place in file_fields(table):
        if place.kind in _NO_IDS or (table == "websiteBlocks" and values.get("type") not in IMAGE_BLOCKS):
            continue
        head, _, rest = place.path.partition(".")
        name = head.removesuffix("[]")
        if found.get(name) is not None:
            change = spelled if place.kind == IN_TEXT else one_id
            if place.kind in KEY_KINDS and moves.keys:
                found[name] = _at(found[name], head, rest, partial(_key, place, moves, used))
            found[name] = _at(found[name], head, rest, change)
    found = {name: _everywhere(value, addresses) for name, value in found.items()}
    changed = {name: value for name, value in found.items() if value is not values[name]}
    return Moved(changed, frozenset(used))


def _id(table: str, text: str, moves: FileMoves, used: set[str]) -> str:
    """What a field says that may hold an id."""
    old = text.strip().lower()
    if not MEDIA_ID.fullmatch(old) or old not in moves.ids or (table != IMAGES and old in moves.image_rows):
        return text
    used.add(old)
    return text if moves.ids[old] == old else moves.ids[old]


def _key(place: FileField, moves: FileMoves, used: set[str], text: str) -> str:
    """The same of one that may hold a key, or an old address with a key in it."""
    found = reference(place, text)
    if found is None or found.leads not in (Leads.STORAGE, Leads.MUSIC):
        return text
    address = f"{found.leads.value}:{found.target}"
    if address not in moves.keys:
        return text
    used.add(address)
    return moves.keys[address]


def _spelled(text: str, moves: FileMoves, used: set[str]) -> str:
    """HTML with those sources of pictures led anew whose address stands there with characters spelled by number."""

    def led(match: re.Match[str]) -> str:
        whole, source = match[0], match[match.lastindex or 0]
        plain = html.unescape(source)
        if MEDIA_ADDRESS.search(source) is not None or MEDIA_ADDRESS.search(plain) is None:
            return whole
        address = _addresses(plain, moves, used)
        if address == plain:
            return whole
        start = match.start(match.lastindex or 0) - match.start()
        # Still spelled so that whoever looks for addresses does not lead it on.
        spelled = html.escape(address).replace("/media/", "&#47;media/")
        return whole[:start] + spelled + whole[start + len(source) :]

    return PICTURE_SOURCE.sub(led, text) if "&" in text else text


def _addresses(text: str, moves: FileMoves, used: set[str]) -> str:
    if "/media/" not in text:
        return text
    pieces: list[str] = []
    end = 0
    for match in MEDIA_ADDRESS.finditer(text):
        old = match[1].lower()
        new = moves.ids.get(old)
        if new is None:
            continue
        used.add(old)
        if new != old:
            start = _origin(text, end, match.start())
            address = moves.address if start < match.start() else ""
            pieces += [text[end:start], address, text[match.start() : match.start(1)], new]
            end = match.end(1)
    return "".join([*pieces, text[end:]]) if pieces else text


def _origin(text: str, first: int, end: int) -> int:
    """Where the address begins whose path goes on at ``end``; ``end`` where it has no host."""
    window = text[max(first, end - _LONGEST_ORIGIN) : end]
    lowered = window.lower()
    start = max(lowered.rfind("https://"), lowered.rfind("http://"))
    if start < 0 or len(lowered) != len(window) or _NOT_IN_ADDRESSES.search(window, start):
        return end
    return end - len(window) + start


def _everywhere(value: JSON, change: Callable[[str], str]) -> JSON:
    """A value with all texts in it changed; the same object where none is another one now. Rows may nest deeply."""
    root = [value]
    waiting: list[tuple[Any, Any]] = [(root, 0)]
    differs = False
    while waiting:
        box, key = waiting.pop()
        here = box[key]
        if isinstance(here, str):
            box[key] = change(here)
            differs = differs or box[key] is not here
        elif isinstance(here, dict):
            box[key] = copied = dict(here)
            waiting += [(copied, name) for name in copied]
        elif isinstance(here, list):
            box[key] = items = list(here)
            waiting += [(items, index) for index in range(len(items))]
    return root[0] if differs else value


def _at(value: JSON, head: str, rest: str, change: Callable[[str], str]) -> JSON:
    """The value of a member with the texts changed that stand at a path which begins with the member's name."""
    if head.endswith("[]"):
        if not isinstance(value, list):
            return value
        items = [_at(item, "", rest, change) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if not rest:
        return change(value) if isinstance(value, str) else value
    following, _, after = rest.partition(".")
    name = following.removesuffix("[]")
    if not isinstance(value, dict) or value.get(name) is None:
        return value
    member = _at(value[name], following, after, change)
    return value if member is value[name] else {**value, name: member}
