"""Which changes are well-formed enough to be applied (rule 9)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ...text.jsontext import JSON, Number

MalformedReason: TypeAlias = Literal[
    "notAnObject",
    "badTable",
    "badId",
    "badOp",
    "badFields",
    "badData",
    "badDeletedAt",
    "badEventId",
    "badOrigin",
    "badSchemaVersion",
    "badActor",
]
"""What is wrong with a change that is set aside: a stable word that names the member at fault."""

_OPERATIONS = frozenset(("insert", "update", "delete"))


def accept(change: JSON) -> MalformedReason | None:
    """Why ``change`` is to be set aside, or ``None`` when it is to be applied.

    The web app's own test, in which a member that is there counts as present even when it is null. Two exceptions keep
    what the web app drops whole: ``actor: null`` and ``deletedAt: null`` are read as absent. And ``data`` must be an
    object; the web app also makes a row of an array.
    """
    if type(change) is not dict:
        return "notAnObject"
    table, record_id, operation = change.get("table"), change.get("id"), change.get("op")
    if type(table) is not str or not table:
        return "badTable"
    if type(record_id) is not str or not record_id:
        return "badId"
    if type(operation) is not str or operation not in _OPERATIONS:
        return "badOp"
    if "fields" in change and not _are_fields(change["fields"]):
        return "badFields"
    if "data" in change and type(change["data"]) is not dict:
        return "badData"
    if type(change.get("deletedAt", "")) not in (str, type(None)):
        return "badDeletedAt"
    if type(change.get("eventId", "")) is not str:
        return "badEventId"
    if type(change.get("origin", "")) is not str:
        return "badOrigin"
    if type(change.get("schemaVersion", 1)) not in (int, float, Number):
        return "badSchemaVersion"
    if type(change.get("actor")) not in (dict, type(None)):
        return "badActor"
    return None


def _are_fields(fields: JSON) -> bool:
    if type(fields) is not dict:
        return False
    for field in fields.values():
        if type(field) is not dict or "value" not in field or type(field.get("at", "")) is not str:
            return False
    return True
