"""The life of one row: what its owner sees, and the changes that clients push while it lives.

A :class:`Row` is the generator's own model of what the user sees. It is kept beside the changes, by the plainest means
(a dictionary and a word for its state), and never computed from them: so it can tell whether another reading of the
changes is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..crypto.fields import IV_BYTES, encrypt_with_iv
from ..model.registry import Table
from ..text import jsontext
from ..text.jsontext import JSON
from . import phrases
from .draft import Draft, Shape, timestamp

Change = dict[str, JSON]

MILLISECOND: Final = 1_000
SECOND: Final = 1_000_000
FUTURE: Final = "2036-02-29T12:00:00.000Z"
"""What a device with a broken clock writes."""


@dataclass(frozen=True, slots=True, repr=False)
class Writer:
    """Somebody, or some service, who pushes changes."""

    user_id: str
    """As whom the changes are stored."""
    clients: tuple[str, ...]
    """Client ids: one for each device."""
    actor: Mapping[str, JSON]
    seal: AESGCM | None = None
    """The writer's own master key; a service has none and writes plaintext."""
    origin: str | None = None
    """Browsers send none."""
    own: bool = True
    """Whether the account that is generated can open what this writer encrypts."""


@dataclass(slots=True, repr=False)
class Row:
    """One record, as the owner of the account should see it after the changes made so far."""

    table: Table
    collection: str
    id: str
    author: Writer
    shape: Shape
    envelope: str | None
    """The space id that clients put beside ``data`` or ``fields``."""
    values: dict[str, JSON] = field(default_factory=dict)
    """Without ``id``. What another member encrypted stands as that ciphertext."""
    state: Literal["live", "deleted", "gone"] = "live"
    """``gone``: removed without a trace, by a delete without a time."""
    private: set[str] = field(default_factory=set)
    """Fields beyond the registry's that a newer app encrypts."""
    foreign: set[str] = field(default_factory=set)
    """Fields that are another member's ciphertext now."""
    plain: set[str] = field(default_factory=set)
    """Registered fields that hold plaintext on the server now."""
    edited: dict[str, int] = field(default_factory=dict)
    """Field → microseconds of its last timed edit."""
    last: int = 0
    """Microseconds of the last local write."""
    older: bool = False
    """Written by the older engine for tags and links."""


class Pen:
    """Writes the changes of rows. ``draft`` gives the time and all chance; ``row_bytes`` as in ``Plan``."""

    def __init__(self, draft: Draft, *, row_bytes: int | None = None) -> None:
        self._draft = draft
        self._row_bytes = row_bytes

    # --- what a row goes through

    def insert(self, row: Row, scope: Mapping[str, JSON], *, sealed: bool) -> Change:
        """The row's first change. ``scope``: the scope columns; ``sealed``: whether private fields are encrypted."""
        d = self._draft
        at = timestamp(self._moment(row))
        values = row.shape.make(d)
        if self._row_bytes is not None:
            self._pad(row.table, values, self._row_bytes)
        if row.private:
            values.update({name: d.prose.sentence() for name in sorted(row.private)})
        if row.older:
            values.update({"createdAt": at, "updatedAt": at, "deletedAt": None})
        elif row.shape.times == "number":
            values["createdAt"] = row.last // MILLISECOND
        elif row.shape.times != "none":
            values["createdAt"] = at
            if row.shape.times == "both":
                values["updatedAt"] = at
        values.update(scope)
        data: Change = {"id": row.id}
        for name, value in values.items():
            data[name] = self._write(row, row.author, name, value, sealed=sealed)
        return self._change(row, row.author, {"op": "insert", "data": data})

    def bootstrap(self, row: Row, writer: Writer) -> Change:
        """What a service wrote at registration: the values as they are."""
        return self._change(row, writer, {"op": "insert", "data": {"id": row.id, **row.values}})

    def edit(self, row: Row, writer: Writer, *, actor: Mapping[str, JSON] | None = None) -> Change | None:
        """One save: one to three fields, a nested plain object by the paths that changed. None: nothing to change."""
        new = self._changed(row)
        if not new:
            return None
        at = timestamp(self._moment(row))
        fields: Change = {}
        for name, value in new.items():
            old = row.values.get(name)
            if isinstance(old, dict) and isinstance(value, dict) and old and not self._is_private(row, name):
                row.values[name] = merged(old, value)
                fields.update({path: {"value": leaf, "at": at} for path, leaf in differences(name, old, value)})
            else:
                fields[name] = {"value": self._write(row, writer, name, value, sealed=True), "at": at}
                row.edited[name] = row.last
        return self._change(row, writer, {"op": "update", "fields": fields}, actor)

    def delete(self, row: Row, writer: Writer) -> Change:
        """Into the bin. The fields that browsers send along are of no use, and the server drops them."""
        at = timestamp(self._moment(row))
        row.values["deletedAt"] = at
        row.state = "deleted"
        fields = {"deletedAt": {"value": at, "at": at}}
        return self._change(row, writer, {"op": "delete", "deletedAt": at, "fields": fields})

    def undelete(self, row: Row, writer: Writer) -> Change:
        """Out of the bin."""
        at = timestamp(self._moment(row))
        row.values["deletedAt"] = None
        row.state = "live"
        return self._change(row, writer, {"op": "update", "fields": {"deletedAt": {"value": None, "at": at}}})

    # --- what also occurs

    def remove(self, row: Row, writer: Writer) -> Change:
        """A delete without a time."""
        self._moment(row)
        row.values.clear()
        row.edited.clear()
        row.foreign.clear()
        row.plain.clear()
        row.state = "gone"
        return self._change(row, writer, {"op": "delete"})

    def reconcile(self, row: Row, space: str) -> Change:
        """The empty update that the app pushes when it has learned the real id of the personal space."""
        change = self._change(row, row.author, {"op": "update", "fields": {}})
        row.envelope = space
        return change

    def late(self, row: Row, writer: Writer) -> Change | None:
        """An edit made offline before a newer one, and pushed after it: it changes nothing."""
        if not row.edited:
            return None
        self._moment(row)
        name = self._draft.pick(sorted(row.edited))
        at = timestamp(row.edited[name] - self._draft.integer(1, 600_000) * MILLISECOND)
        value = row.shape.make(self._draft)[name]
        if value is not None and self._is_private(row, name):
            value = self._seal(writer, value)
        return self._change(row, writer, {"op": "update", "fields": {name: {"value": value, "at": at}}})

    def older_edit(self, row: Row, writer: Writer) -> Change | None:
        """A save by the older engine: its times come under another name, and the server loses them."""
        new = {name: value for name, value in self._changed(row).items() if not isinstance(value, dict)}
        if not new:
            return None
        at = timestamp(self._moment(row))
        fields = {
            name: {"value": self._write(row, writer, name, value, sealed=False), "updatedAt": at}
            for name, value in new.items()
        }
        return self._change(row, writer, {"op": "update", "fields": fields})

    def leaked(self, row: Row, writer: Writer) -> Change:
        """Names of the app's own bookkeeping, pushed as if they were fields after an import over existing rows."""
        at = timestamp(self._moment(row))
        value = {"value": at, "at": at}
        names = ("__fieldMeta.title.at", "__fieldMeta", "_updatedAtIndex", "__lastActor.kind")
        return self._change(row, writer, {"op": "update", "fields": dict.fromkeys(names, value)})

    def renamed(self, row: Row, writer: Writer) -> Change:
        """An update of ``id``, which is no data."""
        at = timestamp(self._moment(row))
        fields = {"id": {"value": self._draft.id(), "at": at}}
        return self._change(row, writer, {"op": "update", "fields": fields})

    def imported_again(self, row: Row, writer: Writer) -> Change:
        """The whole row once more, from a backup, onto its tombstone: it stays deleted."""
        self._moment(row)
        data: Change = {"id": row.id}
        for name, value in row.values.items():
            if name != "deletedAt":
                data[name] = self._write(row, writer, name, value, sealed=name not in row.plain)
        return self._change(row, writer, {"op": "insert", "data": data})

    def from_the_future(self, row: Row, writer: Writer) -> Change | None:
        """The last edit of a device whose clock is years ahead."""
        new = {name: value for name, value in self._changed(row).items() if not isinstance(value, dict)}
        if not new:
            return None
        self._moment(row)
        fields = {
            name: {"value": self._write(row, writer, name, value, sealed=True), "at": FUTURE}
            for name, value in new.items()
        }
        return self._change(row, writer, {"op": "update", "fields": fields})

    # --- the small print

    def _moment(self, row: Row) -> int:
        """When the user did it: up to two seconds before it reached the server, and after what they did before."""
        written = self._draft.now - int(self._draft.rng.random() * 2 * SECOND)
        row.last = max(written, row.last + MILLISECOND) // MILLISECOND * MILLISECOND
        return row.last

    def _change(self, row: Row, writer: Writer, what: Change, actor: Mapping[str, JSON] | None = None) -> Change:
        change: Change = {"table": row.collection, "id": row.id, **what}
        if row.envelope is not None:
            change["spaceId"] = row.envelope
        change["actor"] = actor or writer.actor
        if writer.origin is not None:
            change["origin"] = writer.origin
        return change

    def _is_private(self, row: Row, name: str) -> bool:
        return name in row.table.encrypted or name in row.private

    def _write(self, row: Row, writer: Writer, name: str, value: JSON, *, sealed: bool) -> JSON:
        """Notes in ``row`` what its owner sees from now on, and gives what goes on the wire."""
        row.foreign.discard(name)
        row.plain.discard(name)
        private = value is not None and self._is_private(row, name)
        if not private or not sealed or writer.seal is None:
            row.values[name] = value = whole(value)
            if private and name in row.table.encrypted:
                row.plain.add(name)
            return value
        ciphertext = self._seal(writer, value)
        row.values[name] = value if writer.own else ciphertext
        if not writer.own:
            row.foreign.add(name)
        return ciphertext

    def _seal(self, writer: Writer, value: JSON) -> JSON:
        if writer.seal is None:
            return whole(value)
        return encrypt_with_iv(writer.seal, self._draft.rng.randbytes(IV_BYTES), browser_text(value))

    def _changed(self, row: Row) -> dict[str, JSON]:
        """New values for the fields that one save changes."""
        groups = row.shape.edits or tuple((name,) for name in self._editable(row))
        if not groups:
            return {}
        for _ in range(3):
            fresh = row.shape.make(self._draft)
            group = self._draft.pick(groups)
            new = {name: fresh[name] for name in group if name in fresh and fresh[name] != row.values.get(name)}
            if new:
                if self._row_bytes is not None:
                    self._keep_length(row, new)
                return new
        return {}

    def _editable(self, row: Row) -> Iterator[str]:
        kept = {"createdAt", "updatedAt", "deletedAt", "spaceId", "authorId", "userId", "visibility"}
        for name in row.values:
            if name not in kept and name not in row.table.references and name not in row.private:
                yield name

    def _pad(self, table: Table, values: dict[str, JSON], size: int) -> None:
        """Fills two or three private fields with prose, so that the row has about ``size`` bytes."""
        names = [name for name in sorted(table.encrypted) if isinstance(values.get(name), (str, type(None)))]
        names = names[: 2 + (self._draft.rng.random() < 0.5)]
        rest = size - sum(20 + len(name) for name in values) - 150
        for name in names:
            values[name] = self._draft.prose.filling(max(1, rest // len(names)))

    def _keep_length(self, row: Row, new: dict[str, JSON]) -> None:
        for name, value in new.items():
            old = row.values.get(name)
            if name in row.table.encrypted and isinstance(value, str) and isinstance(old, str):
                new[name] = self._draft.prose.filling(len(old))


def differences(name: str, old: Mapping[str, JSON], new: Mapping[str, JSON]) -> Iterator[tuple[str, JSON]]:
    """Key paths and values by which ``new`` differs from ``old``, as Dexie reports changes inside plain objects."""
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            yield from differences(f"{name}.{key}", before, value)
        elif before != value or key not in old:
            yield f"{name}.{key}", value


def merged(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> dict[str, JSON]:
    """``old`` with those differences, leaving both as they are: changes already given away share their parts."""
    found = dict(old)
    for key, value in new.items():
        before = found.get(key)
        found[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def browser_text(value: JSON) -> bytes:
    """``JSON.stringify``: members in the order in which they were set, which canonical text does not keep."""
    if isinstance(value, dict):
        return b"{%s}" % b",".join(jsontext.dumps(key) + b":" + browser_text(member) for key, member in value.items())
    if isinstance(value, list):
        return b"[%s]" % b",".join(map(browser_text, value))
    return jsontext.dumps(value)


def whole(value: JSON) -> JSON:
    """Text as the server keeps it in clear: half an emoji becomes U+FFFD, as in every decoder (WHATWG Encoding)."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def person(user_id: str, name: str) -> dict[str, JSON]:
    """The actor of somebody at a browser."""
    return {"kind": "user", "principalId": user_id, "displayName": name}


def assistant(draft: Draft) -> dict[str, JSON]:
    """The actor of an agent that works on a mission."""
    return {
        "kind": "ai",
        "principalId": draft.ref("agents") or "legacy:ai-default",
        "displayName": "Mana",
        "missionId": draft.linked("aiMissions"),
        "iterationId": draft.id(),
        "rationale": draft.text(phrases.RATIONALES),
    }
