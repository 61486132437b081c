"""A change as the sync server keeps it: rendered once when it is stored, spliced into answers as it is.

What is lost between push and pull is lost here: ``data`` of an update, ``fields`` of an insert, everything but
``deletedAt`` of a delete. Source: ``fixtures/transcripts`` 15; that a delete keeps the ``deletedAt`` of its data, and
that a null field harms an update alone, was measured later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ..text import jsontext
from ..text.jsontext import JSON
from .changeset import Change
from .gojson import escape_html, interface, marshal, marshal_text, parse, valid_text
from .postgres import check_int4, check_json, check_text, jsonb, jsonb_of_text

_SAFE_INTEGER = 2**53


class HandlerCrash(Exception):  # noqa: N818 - the server's own word for it would be a panic
    """The server's handler dies on this change, and the connection with it."""


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a change that an answer is put together from."""

    collection: str
    schema_version: int
    body: bytes
    """From ``"table"`` to the payload, without braces."""
    space_id: str | None
    tail: bytes
    """``actor`` and ``origin`` with leading commas, or empty."""

    @property
    def space(self) -> bytes:
        """``spaceId`` with a leading comma, or empty."""
        return b"" if self.space_id is None else b',"spaceId":' + marshal_text(self.space_id)


def record_of(change: Change, *, app: str = "", client_id: str = "") -> Record:
    """What is kept of a pushed change.

    ``app`` and ``client_id`` stand beside it in the row: of several values that the database refuses, the error names
    the one in the first column. Raises :class:`HandlerCrash` where the server would die, and ``StorageError`` where
    its database would refuse.
    """
    if change.op == "update" and None in change.fields.values():
        raise HandlerCrash("a field is null")
    fields = {name: (field.value, field.at) for name, field in change.fields.items() if field is not None}
    return _record(
        app,
        client_id,
        table=change.table,
        record_id=change.id,
        op=change.op,
        schema_version=change.schema_version,
        data=change.data,
        fields=fields,
        deleted_at=change.deleted_at,
        space_id=change.space_id,
        actor=lambda: jsonb(change.actor) if change.has_actor else None,
        origin=change.origin,
    )


def record_of_mapping(change: Mapping[str, Any], *, app: str = "", client_id: str = "") -> Record:
    """As :func:`record_of`, of a change in the shape of a push, given as values; for filling the log without HTTP."""
    fields = {
        valid_text(name): (_stored(field.get("value")), valid_text(field.get("at") or ""))
        for name, field in (change.get("fields") or {}).items()
    }
    return _record(
        app,
        client_id,
        table=valid_text(change["table"]),
        record_id=valid_text(change["id"]),
        op=change["op"],
        schema_version=change.get("schemaVersion", 1),
        data=_stored(change.get("data") or {}),
        fields=fields,
        deleted_at=valid_text(change.get("deletedAt") or ""),
        space_id=valid_text(change.get("spaceId") or ""),
        actor=lambda: jsonb_of_text(jsontext.dumps(change["actor"])) if "actor" in change else None,
        origin=valid_text(change.get("origin") or ""),
    )


def _record(
    app: str,
    client_id: str,
    *,
    table: str,
    record_id: str,
    op: str,
    schema_version: int,
    data: Mapping[str, JSON],
    fields: Mapping[str, tuple[JSON, str]],
    deleted_at: str,
    space_id: str,
    actor: Callable[[], bytes | None],
    origin: str,
) -> Record:
    if op == "delete" and deleted_at:
        data = {**data, "deletedAt": deleted_at}  # where the server keeps it
    # A number is refused by the driver; texts and JSON by the database, in the order of its columns.
    check_int4(schema_version)
    check_text(app, table, record_id)
    payload = b""
    if data:
        data_text = marshal(data)
        check_json(data_text)
        if op == "insert":
            payload = b',"data":' + data_text
    if fields:
        fields_text = escape_html(b"{" + b",".join(_field(name, *fields[name]) for name in sorted(fields)) + b"}")
        check_json(fields_text)
        if op == "update":
            payload = b',"fields":' + fields_text
    if op == "delete" and isinstance(at := data.get("deletedAt"), str) and at:
        payload = b',"deletedAt":' + marshal_text(at)
    check_text(client_id)
    actor_text = actor()
    check_text(origin, space_id)
    if not space_id:
        for found in (data.get("spaceId"), fields.get("spaceId", (None, ""))[0]):
            if isinstance(found, str) and found:
                space_id = found
                break
    tail = b""
    if actor_text is not None:
        tail = b',"actor":' + actor_text
    if origin:
        tail += b',"origin":' + marshal_text(origin)
    return Record(
        collection=table,
        schema_version=max(schema_version, 1),
        body=b'"table":%b,"id":%b,"op":"%b"%b' % (marshal_text(table), marshal_text(record_id), op.encode(), payload),
        space_id=space_id or None,
        tail=tail,
    )


def _field(name: str, value: JSON, at: str) -> bytes:
    return b'%b:{"value":%b,"at":%b}' % (orjson.dumps(name), jsontext.dumps(value), orjson.dumps(at))


def _stored(value: JSON) -> JSON:
    """``value`` as it would have come out of Go's decoder; the usual one comes out as it went in."""
    return value if _is_usual(value) else interface(parse(jsontext.dumps(value)))


def _is_usual(value: JSON) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is str:
            if valid_text(item) != item:
                return False
        elif kind is dict:
            pending += item.values()
            pending += item
        elif kind is list:
            pending += item
        elif kind is int:
            if not -_SAFE_INTEGER <= item <= _SAFE_INTEGER:
                return False
        elif item is not None and kind is not bool:
            return False
    return True
