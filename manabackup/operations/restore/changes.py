"""From a decision to the changes that carry it out, in the shape of a push.

Every insert carries a time that clients take: an ISO string, not later than now, in the first of ``updatedAt`` and
``createdAt`` that is not null. Every update is later than all that the row has seen. No update names a key with a dot,
which a client would take for a path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isinf

from ...model.projection.change import is_dated
from ...text import jsontext
from ...text.jsontext import JSON, Number
from ...text.timestamps import app_time
from .archived import ArchivedRow
from .decision import Reason

ACTOR: dict[str, JSON] = {"kind": "system", "principalId": "system:migration", "displayName": "manabackup"}
ORIGIN = "migration"
LARGEST_REQUEST = 10_485_760 - 4_096
"""Bytes of the changes in one request: what the server reads of a body, less what stands around them."""
_DEEPEST = 9_980
"""Levels of nesting of a change; the server's parser ends at 10,000 of the whole body."""

Change = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row stands on the server."""

    collection: str
    id: str
    space: str | None
    """The space of a row in a space-scoped table: its members see what carries it."""


def insert(
    place: RowPlace, values: Mapping[str, JSON], row: ArchivedRow, now: str, *, history: bool = True
) -> list[Change]:
    """A row where nothing exists, and then, where the archive knows of later writes, an update with their times.

    Without ``history`` every field has the time of the row: for rows that would be too large twice.
    """
    data, put_back = _dated(values, row, now)
    time = data["updatedAt"] if data.get("updatedAt") is not None else data["createdAt"]
    later: Change = {}
    for name in values if history else ():
        at = row.time(name)
        if "." not in name and name not in row.columns and is_time(at) and at > time:
            later[name] = {"value": data[name], "at": min(at, now)}
    later |= {name: {"value": value, "at": now} for name, value in put_back.items()}
    first = change(place, "insert", data=data)
    return [first, change(place, "update", fields=later)] if later else [first]


def update(place: RowPlace, values: Mapping[str, JSON], at: str) -> list[Change]:
    """Every field of a row, and that it is not deleted, unless it says otherwise."""
    return [change(place, "update", fields=_fields(values, at))]


def replace(
    place: RowPlace, values: Mapping[str, JSON], row: ArchivedRow, now: str, *, delete: bool = True
) -> list[Change]:
    """A row in the place of all that was there: delete, insert, update. They belong into one request."""
    data, put_back = _dated({name: value for name, value in values.items() if value is not None}, row, now)
    changes = [
        change(place, "insert", data=data),
        change(place, "update", fields=_fields({**data, **put_back}, now)),
    ]
    return [change(place, "delete"), *changes] if delete else changes


def later_than(now: str, latest: str) -> str:
    """The smallest time in milliseconds that is not before ``now``, and after the ``latest`` stamp of a sound row."""
    at = now
    while at <= latest:
        at = app_time(datetime.fromisoformat(at) + timedelta(milliseconds=1))
    return at


def _dated(values: Mapping[str, JSON], row: ArchivedRow, now: str) -> tuple[Change, Change]:
    """The data of an insert, and the fields that an update has to put back because their place was needed."""
    data = dict(values)
    updated, created = data.get("updatedAt"), data.get("createdAt")
    own = updated if updated is not None else created
    if own is None:
        data["createdAt"] = _earliest(row, now)
        return data, {}
    if is_dated(data) and own <= now:
        return data, {}
    data["updatedAt"] = _earliest(row, now)
    if updated is None and type(created) is not str:
        return data, {}
    return data, {"updatedAt": updated}


def _earliest(row: ArchivedRow, now: str) -> str:
    return min([now, *filter(is_time, (row.common_time, *row.times.values()))])


def is_time(text: str) -> bool:
    """Whether a web client takes a text for a time."""
    return is_dated({"updatedAt": text})


def _fields(values: Mapping[str, JSON], at: str) -> Change:
    fields: Change = {"deletedAt": {"value": None, "at": at}}
    fields |= {name: {"value": value, "at": at} for name, value in values.items() if "." not in name}
    return fields


def change(place: RowPlace, operation: str, **content: JSON) -> Change:
    """One change, under this tool's name."""
    whole: Change = {"table": place.collection, "id": place.id, "op": operation, **content}
    if place.space is not None:
        whole["spaceId"] = place.space
    return {**whole, "actor": ACTOR, "origin": ORIGIN}


# --- what the server would refuse, or change ------------------------------------------------------------------------

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LONE = re.compile(rb"(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}")


def refusal(texts: list[bytes], record_id: str) -> Reason | None:
    """Why the server would refuse the changes with these texts, as far as can be known before."""
    if not record_id or re.search("[\ud800-\udfff]", record_id):
        return Reason.BAD_ID
    if sum(map(len, texts)) > LARGEST_REQUEST:
        return Reason.TOO_LARGE
    for text in texts:
        if b"\\u0000" in text and _NUL.search(text):
            return Reason.NUL
        if text.count(b"[") + text.count(b"{") > _DEEPEST or _may_overflow(text):
            problem = _walk(jsontext.parse(text))
            if problem is not None:
                return problem
    return None


def as_stored(line: bytes) -> bytes:
    """A JSON text as the server keeps it: halves of surrogate pairs become U+FFFD."""
    return _LONE.sub(rb"\1\\ufffd", line) if b"\\ud" in line else line


_LONG_NUMBER = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}")


def _may_overflow(text: bytes) -> bool:
    return _LONG_NUMBER.search(text) is not None


def _walk(value: JSON) -> Reason | None:
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, (Number, int)) and not isinstance(item, bool) and _overflows(item):
            return Reason.NUMBER
        if isinstance(item, (dict, list)):
            if depth > _DEEPEST:
                return Reason.NESTING
            pending += [(member, depth + 1) for member in (item.values() if isinstance(item, dict) else item)]
    return None


def _overflows(number: Number | int) -> bool:
    try:
        return isinf(float(number.text if isinstance(number, Number) else number))
    except OverflowError:
        return True
