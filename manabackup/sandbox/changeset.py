"""What a push says: the body of ``POST /sync/{app}`` decoded as the server's Go structs are.

Keys match in any case, duplicates merge, wrong types are reported with the struct's and the field's name, the first
one only, after the whole text proved to be JSON. Source: ``fixtures/transcripts`` 14, 15, 16.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..text.jsontext import JSON
from .gojson import EndOfInput, GoJSONError, Literal, Members, Node, interface, parse, valid_text

OPERATIONS: Final = ("insert", "update", "delete")


@dataclass(slots=True)
class FieldChange:
    """One field of an update."""

    value: JSON = None
    at: str = ""


@dataclass(slots=True)
class Change:
    """One change as pushed. ``fields`` holds ``None`` where the JSON says null."""

    table: str = ""
    id: str = ""
    op: str = ""
    schema_version: int = 0
    fields: dict[str, FieldChange | None] = field(default_factory=dict)
    data: dict[str, JSON] = field(default_factory=dict)
    deleted_at: str = ""
    space_id: str = ""
    actor: Node = None
    has_actor: bool = False
    origin: str = ""


@dataclass(slots=True)
class Changeset:
    """One push."""

    client_id: str = ""
    since: str = ""
    schema_version: int = 0
    changes: list[Change] = field(default_factory=list)


def decode(body: bytes, *, end: str | None = None) -> Changeset:
    """The changeset in ``body``.

    ``end`` is what the connection said when it stopped delivering before its time; it is the error if the value is not
    complete by then. Raises :class:`GoJSONError` with the decoder's words.
    """
    try:
        node = parse(body)
    except EndOfInput as incomplete:
        raise GoJSONError(end or ("unexpected EOF" if incomplete.begun else "EOF")) from None
    decoder = _Decoder()
    changeset = decoder.changeset(node)
    if decoder.error is not None:
        raise GoJSONError(decoder.error)
    return changeset


class _Decoder:
    """Keeps the first type error and goes on, as Go does."""

    def __init__(self) -> None:
        self.error: str | None = None

    def changeset(self, node: Node) -> Changeset:
        changeset = Changeset()
        if node is None:
            return changeset
        if not isinstance(node, Members):
            self._refuse(f"{_kind(node)} into Go value of type sync.Changeset")
            return changeset
        place = "Changeset."
        for key, value in node:
            match _folded(key):
                case "clientid":
                    changeset.client_id = self._text(value, changeset.client_id, place + "clientId")
                case "appid":
                    self._text(value, "", place + "appId")
                case "since":
                    changeset.since = self._text(value, changeset.since, place + "since")
                case "schemaversion":
                    changeset.schema_version = self._integer(value, changeset.schema_version, place + "schemaVersion")
                case "changes":
                    changeset.changes = self._changes(value, changeset.changes)
        return changeset

    def _changes(self, node: Node, held: list[Change]) -> list[Change]:
        if node is None:
            return []
        if isinstance(node, Members) or not isinstance(node, list):
            self._refuse(f"{_kind(node)} into Go struct field Changeset.changes of type []sync.Change")
            return held
        changes = []
        for index, item in enumerate(node):
            change = held[index] if index < len(held) else Change()
            changes.append(change)
            if isinstance(item, Members):
                self._change(item, change)
            elif item is not None:
                self._refuse(f"{_kind(item)} into Go struct field Changeset.changes of type sync.Change")
        return changes

    def _change(self, members: Members, change: Change) -> None:
        place = "Change.changes."
        for key, value in members:
            match _folded(key):
                case "eventid":
                    self._text(value, "", place + "eventId")
                case "schemaversion":
                    change.schema_version = self._integer(value, change.schema_version, place + "schemaVersion")
                case "table":
                    change.table = self._text(value, change.table, place + "table")
                case "id":
                    change.id = self._text(value, change.id, place + "id")
                case "op":
                    change.op = self._text(value, change.op, place + "op")
                case "fields":
                    self._fields(value, change)
                case "data":
                    self._data(value, change)
                case "deletedat":
                    change.deleted_at = self._text(value, change.deleted_at, place + "deletedAt", null="")
                case "spaceid":
                    change.space_id = self._text(value, change.space_id, place + "spaceId")
                case "actor":
                    change.actor, change.has_actor = value, True
                case "origin":
                    change.origin = self._text(value, change.origin, place + "origin")

    def _fields(self, node: Node, change: Change) -> None:
        if node is None:
            change.fields = {}
        elif isinstance(node, Members):
            for name, value in node:
                change.fields[valid_text(name)] = self._field(value)
        else:
            self._refuse(
                f"{_kind(node)} into Go struct field Change.changes.fields of type map[string]*sync.FieldChange"
            )

    def _field(self, node: Node) -> FieldChange | None:
        if node is None:
            return None
        change = FieldChange()
        if not isinstance(node, Members):
            self._refuse(f"{_kind(node)} into Go struct field Change.changes.fields of type sync.FieldChange")
            return change
        place = "FieldChange.changes.fields."
        for key, value in node:
            match _folded(key):
                case "value":
                    change.value = self._value(value, place + "value")
                case "at":
                    change.at = self._text(value, change.at, place + "at")
        return change

    def _data(self, node: Node, change: Change) -> None:
        place = "Change.changes.data"
        if node is None:
            change.data = {}
        elif isinstance(node, Members):
            change.data.update(self._value(node, place) or {})
        else:
            self._refuse(f"{_kind(node)} into Go struct field {place} of type map[string]interface {{}}")

    def _value(self, node: Node, place: str) -> JSON:
        try:
            return interface(node)
        except OverflowError as number:
            self._refuse(f"number {number} into Go struct field {place} of type float64")
            return None

    def _text(self, node: Node, held: str, place: str, *, null: str | None = None) -> str:
        if node is None:
            return held if null is None else null
        if isinstance(node, str) and not isinstance(node, Literal):
            return valid_text(node)
        self._refuse(f"{_kind(node)} into Go struct field {place} of type string")
        return held

    def _integer(self, node: Node, held: int, place: str) -> int:
        if node is None:
            return held
        if isinstance(node, Literal) and node.removeprefix("-").isdigit() and len(node) <= 20:
            number = int(node)
            if -(2**63) <= number < 2**63:
                return number
        kind = f"number {node}" if isinstance(node, Literal) else _kind(node)
        self._refuse(f"{kind} into Go struct field {place} of type int")
        return held

    def _refuse(self, what: str) -> None:
        if self.error is None:
            self.error = f"json: cannot unmarshal {what}"


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"),
    (Literal, "number"),
    (str, "string"),
    (Members, "object"),
    (list, "array"),
)


def _kind(node: Node) -> str:
    return next(name for kind, name in _KINDS if isinstance(node, kind))


def _folded(key: str) -> str:
    """Equal for keys that Go's case-insensitive match takes for one: the long s and the Kelvin sign fold to ASCII."""
    return key.replace("\u017f", "s").replace("\u212a", "k").lower()
