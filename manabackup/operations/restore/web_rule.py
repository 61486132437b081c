"""What a web client shows of a record: the web app's own rule, which depends on the client's clock.

The rule of :mod:`manabackup.model.projection` says what was meant; this one says what somebody will see. They differ
where an insert carries no time (a client stamps it with the moment of the replay, and then ignores every update that is
older), and in the oddities that the projection notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...model.projection import accept
from ...model.projection.change import is_data
from ...model.projection.paths import NestedObjects, is_too_long
from ...model.projection.record import is_deleted
from ...text.jsontext import JSON

LATEST_CLOCK = "9999-12-31T23:59:59.999Z"
"""A replay that is later than every time that anything carries."""


@dataclass(slots=True, eq=False)
class ClientRow:
    """A record in the local database of a web client."""

    values: dict[str, JSON] = field(default_factory=dict)
    """Without ``id`` and the app's own bookkeeping."""
    stamps: dict[str, str] = field(default_factory=dict)
    """Field → the time that a later change of it is compared with."""
    nested: NestedObjects = field(default_factory=NestedObjects)

    @property
    def deleted(self) -> bool:
        """Whether it lies in the bin."""
        return is_deleted(self.values)

    @property
    def latest_time(self) -> str:
        """The largest of the stamps; ``""`` when there is none."""
        return max(self.stamps.values(), default="")


def replay(changes: Iterable[JSON], clock: str) -> ClientRow | None:
    """The row that a fresh client makes of all changes of one record, in the server's order; None where it has none.

    ``clock`` is the time of the replay as clients write it.
    """
    row: ClientRow | None = None
    for change in changes:
        if _is_accepted(change):
            row = _applied(row, change, clock)
    return row


def _is_accepted(change: JSON) -> bool:
    """As :func:`accept`, but clients drop a change whose actor is null, and take arrays for data."""
    if type(change) is not dict:
        return False
    if any(name in change and change[name] is None for name in ("actor", "deletedAt")):
        return False
    reason = accept(change)
    return reason is None or (reason == "badData" and type(change["data"]) is list)


def _applied(row: ClientRow | None, change: dict[str, JSON], clock: str) -> ClientRow | None:
    deleted_at = change.get("deletedAt")
    if deleted_at or change["op"] == "delete":
        return _deleted(row, deleted_at)
    if change["op"] == "insert":
        return _inserted(row, change, clock)
    if "fields" in change:
        return _updated(row, change, clock)
    return row


def _deleted(row: ClientRow | None, deleted_at: str | None) -> ClientRow | None:
    if row is None or not deleted_at:
        return None
    held = row.stamps.get("deletedAt")
    if held is None:
        value = row.values.get("deletedAt")
        held = value if type(value) is str else ""
    if deleted_at >= held:
        row.values["deletedAt"] = row.stamps["deletedAt"] = deleted_at
    return row


def _inserted(row: ClientRow | None, change: dict[str, JSON], clock: str) -> ClientRow:
    payload = change.get("data", change)  # without data the envelope itself becomes the row
    if type(payload) is list:
        payload = {str(index): value for index, value in enumerate(payload)}
    time = payload.get("updatedAt")
    if time is None:
        time = payload.get("createdAt")
    if time is None:
        time = clock
    is_new = row is None
    row = row or ClientRow()
    for name, value in payload.items():
        if not is_data(name):
            continue
        held = "" if is_new else row.stamps.get(name, "")
        if type(time) is str:
            if is_new or time >= held:
                row.values[name] = value
                row.stamps[name] = time
        elif not held:
            # A number beats no time, and no time beats a number: the field is stuck with it.
            row.values[name] = value
            row.stamps[name] = LATEST_CLOCK
    return row


def _updated(row: ClientRow | None, change: dict[str, JSON], clock: str) -> ClientRow | None:
    is_new = row is None
    row = row or ClientRow()
    renamed = False
    for name in sorted(change["fields"]):
        value = change["fields"][name]["value"]
        time = change["fields"][name].get("at", clock if is_new else "")
        if name == "id":
            renamed = renamed or value != change["id"]
        if not is_data(name) or time < row.stamps.get(name, ""):
            continue
        if is_new or "." not in name:
            row.values[name] = value
        elif is_too_long(name) or not row.nested.write(row.values, name, value):
            continue
        row.stamps[name] = time
    return None if renamed else row
