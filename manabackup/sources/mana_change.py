"""A row of Mana's table of changes, as the sync server would tell it, and what it does not tell beside it.

The text that comes of a row is that of the wire (``fixtures/transcripts``), so that mirror, fold and archive take it as
they take the server's answers. Numbers are the database's: the server makes doubles of them and loses digits. Members
that the wire does not have are ``storedAt``, when the transaction began that wrote the row, ``author``, where that is
not the account's owner, and ``withoutTime``, the names of an update's values that the server tells nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ..errors import JSONTextError, SourceError
from ..model.rawchange import RawChange, UnreadableChange, text_digest
from ..text import jsontext
from ..text.jsontext import JSON, Fragment
from .copied import value_of

COLUMNS = (
    "id",
    "app_id",
    "table_name",
    "record_id",
    "user_id",
    "op",
    "data",
    "field_meta",
    "created_at",
    "schema_version",
    "actor",
    "origin",
    "space_id",
)
"""What is read of ``sync_changes``, in this order, each as text."""
PASSING = (
    "user_id",
    "space_id",
    "app_id",
    "table_name",
    "created_at",
    "id",
    "record_id",
    "op",
    "data",
    "field_meta",
    "schema_version",
    "actor",
    "origin",
)
"""The same with that first which says whose a row is, and where among theirs: the rest need not be looked at then."""
_FROM_PASSING = tuple(PASSING.index(name) for name in COLUMNS)
FIELD_TIMES_OF_OLD = "field_timestamps"
"""What ``field_meta`` was called before 2026-04-26. Nothing renames it in a database that is older."""
_KEY_BYTES = 16
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?\+00")
"""As the server writes a ``timestamptz`` under ``DateStyle`` ISO in UTC: such texts order as the times do."""
ODD_TIME = "a row of sync_changes has a time that is none of these millennia"
_LARGEST = 64 << 20
"""Bytes of a change, as for an answer of the server."""


class ChangeRow(NamedTuple):
    """A row, each value as the database writes it; None is NULL."""

    id: bytes
    app: bytes
    collection: bytes
    record: bytes
    author: bytes
    op: bytes
    data: bytes | None
    field_times: bytes | None
    created_at: bytes
    schema_version: bytes
    actor: bytes | None
    origin: bytes | None
    space: bytes | None

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> ChangeRow:
        """A row by the values of :data:`COLUMNS`."""
        return cls(*values)  # type: ignore[arg-type]  # columns that are NOT NULL

    @classmethod
    def of_copied(cls, line: bytes) -> ChangeRow:
        """A row by its line of COPY's text, with the line's end, of the columns :data:`PASSING`."""
        cells = line[:-1].split(b"\t")
        return cls.of([value_of(cells[place]) for place in _FROM_PASSING])

    @property
    def place(self) -> str:
        """Sorts as the server orders changes: by app and collection, and in these by time.

        Raises :class:`SourceError` for a time whose text would sort otherwise, or is none.
        """
        at = self.created_at.decode("ascii", "replace")
        if _TIME.fullmatch(at) is None:
            raise SourceError(ODD_TIME)
        return _place(self.app, self.collection, at)


def copied_place(app: bytes, collection: bytes) -> str:
    """The first part of :attr:`ChangeRow.place` of cells as the database copies them; a time follows."""
    return _place(value_of(app) or b"", value_of(collection) or b"", "")


def _place(app: bytes, collection: bytes, at: str) -> str:
    return f"{name_of(app)}\0{name_of(collection)}\0{at}"


def change_of(row: ChangeRow, owner: str) -> RawChange | UnreadableChange:
    """The change that a row is, for the account of ``owner``.

    Unreadable is one beyond the limits of any reader, in bytes or in depth.
    """
    key = bytes.fromhex(row.id.decode("ascii").replace("-", ""))
    if len(key) != _KEY_BYTES:
        raise ValueError("not a UUID")
    record, collection = name_of(row.record), name_of(row.collection)
    try:
        text = jsontext.dumps_to_keep(_wire(row, record, collection, owner))
    except (JSONTextError, UnicodeDecodeError):
        return UnreadableChange(key, record, collection)
    if len(text) > _LARGEST:
        return UnreadableChange(key, record, collection)
    return RawChange(key, record, text, text_digest(text), collection)


def name_of(value: bytes) -> str:
    """A name out of a row; of a database that takes any bytes for text it may have some that are none."""
    return value.decode("utf-8", "replace")


def _wire(row: ChangeRow, record: str, collection: str, owner: str) -> dict[str, JSON]:
    for named in (row.record, row.collection):
        _text(named)  # raises where the name would be another one
    op = _text(row.op)
    change: dict[str, JSON] = {
        "eventId": row.id.decode("ascii"),
        "schemaVersion": max(int(row.schema_version), 1),
        "table": collection,
        "id": record,
        "op": op,
        "storedAt": _rfc3339(row.created_at),
    }
    data: JSON = None if row.data is None else jsontext.parse_to_rewrite(row.data)
    if op == "insert":
        if data is not None and data != {}:
            change["data"] = data
    elif op == "update":
        times = {} if row.field_times is None else jsontext.parse_inexact(row.field_times)
        fields, untold = _fields(data, times)
        if fields:
            change["fields"] = fields
        if untold:
            change["withoutTime"] = untold
    elif isinstance(data, dict) and isinstance(at := data.get("deletedAt"), str) and at:
        change["deletedAt"] = at
    if row.actor is not None:
        change["actor"] = _actor(row.actor)
    for name, value in (("origin", row.origin), ("spaceId", row.space)):
        if value:
            change[name] = _text(value)
    author = _text(row.author)
    if author != owner:
        change["author"] = author
    return change


def _fields(data: JSON, times: JSON) -> tuple[dict[str, JSON], list[JSON]]:
    """An update's fields: those that have a time, as on the wire; and the names of the others.

    Server jobs may write the whole row beside the times of what they changed. What has none is no edit, then: it would
    undo what came between.
    """
    if not isinstance(data, dict) or not isinstance(times, dict):
        return {}, sorted(data) if isinstance(data, dict) else []
    fields = {name: {"value": value, "at": times[name]} for name, value in data.items() if name in times}
    return fields, sorted(data.keys() - fields.keys())


@lru_cache(maxsize=1_024)
def _actor(text: bytes) -> Fragment:
    """An actor's canonical text: there are few, and they write much."""
    return Fragment(jsontext.dumps_to_keep(jsontext.parse_to_rewrite(text)))


def _text(value: bytes) -> str:
    return value.decode("utf-8")


def _rfc3339(created_at: bytes) -> str:
    """``2026-04-14 08:00:04.25+00`` as RFC 3339."""
    return created_at.decode("ascii").replace(" ", "T", 1).removesuffix("+00") + "Z"
