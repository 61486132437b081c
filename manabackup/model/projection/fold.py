"""The fold: all changes of one record, in the server's order, become one row. Rules by number: the package's text."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from ...text import jsontext
from ...text.jsontext import JSON
from ..registry import Table
from .acceptance import MalformedReason, accept
from .change import data_of, field_time, insert_time, is_data, is_dated
from .paths import NestedObjects, is_too_long
from .point_in_time import PointInTime
from .record import Oddity, Record, RecordState, Stamp, is_deleted


def fold(table: Table | None, changes: Iterable[JSON], *, as_of: str | None = None) -> Record:
    """The record that ``changes`` amount to.

    ``changes`` are all changes of *one* record id, parsed by :mod:`manabackup.text.jsontext`, in the server's order,
    each event once. Malformed ones are welcome; they are set aside in :attr:`Record.malformed`. ``table`` is ``None``
    for a collection that the registry does not know.

    ``as_of`` folds to a point in time, an RFC 3339 instant: a change counts when its own time is not later.

    Raises :class:`ValueError` when ``changes`` holds no record id at all.
    """
    row = _Row()
    until = PointInTime(as_of) if as_of is not None else None
    record_id: JSON = None
    malformed: list[MalformedReason] = []
    for change in changes:
        reason = accept(change)
        if reason is not None:
            malformed.append(reason)
            if type(record_id) is not str and type(change) is dict:
                record_id = change.get("id")
            continue
        record_id = change["id"]
        if until is not None:
            change = until.cut(change, row.oddities)
            if change is None:
                continue
        row.apply(change)
    if type(record_id) is not str:
        raise ValueError("a fold needs at least one change with a record id")
    return row.finish(record_id, table, malformed)


class _Row:
    """A row while it is being folded."""

    __slots__ = (
        "deleted_unseen",
        "insert_digests",
        "nested",
        "oddities",
        "present",
        "sole_stamp",
        "space",
        "stamps",
        "undated_insert",
        "untimed_deletes",
        "untimed_insert",
        "values",
    )

    def __init__(self) -> None:
        self.oddities: list[Oddity] = []
        self.space: str | None = None
        self.untimed_deletes = 0
        self._forget()

    def _forget(self) -> None:
        """The state of a record not seen yet, and of one removed by a delete without a time."""
        self.present = False
        self.values: dict[str, JSON] = {}
        self.stamps: dict[str, Stamp] = {}
        self.sole_stamp: Stamp | None = None
        self.nested: NestedObjects | None = None
        self.deleted_unseen = False
        """The tombstone came before any row, so that web clients have forgotten it."""
        self.undated_insert = False
        self.untimed_insert: dict[str, JSON] | None = None
        """The first untimed insert's data; its digest is taken only when there is a second to compare."""
        self.insert_digests: set[bytes] = set()

    def apply(self, change: dict[str, JSON]) -> None:
        """One accepted change."""
        actor = change.get("actor")
        if actor is None and "actor" in change:
            self.oddities.append(Oddity("nullActor"))
        if self.space is None:
            space = change.get("spaceId")
            if type(space) is str and space:
                self.space = space
        deleted_at = change.get("deletedAt")
        if deleted_at is None and "deletedAt" in change:
            self.oddities.append(Oddity("nullDeletedAt"))
        operation = change["op"]
        if deleted_at:  # whatever the operation is called
            self._bury(Stamp(deleted_at, actor, change.get("origin")))
        elif operation == "delete":
            self.untimed_deletes += 1
            self._forget()
        elif operation == "insert":
            self._insert(change.get("data", {}), actor, change.get("origin"))
        elif "fields" in change:
            self._update(change["id"], change["fields"], actor, change.get("origin"))
        if "withoutTime" in change:  # in a database beside the update, and told to no client
            self.oddities += [Oddity("valueWithoutTime", name) for name in change["withoutTime"]]

    def _bury(self, stamp: Stamp) -> None:
        """Rule 6: a delete with a time."""
        self.sole_stamp = None
        held = self.stamps.get("deletedAt")
        if held is None or stamp.at >= held.at:
            self.values["deletedAt"] = stamp.at
            self.stamps["deletedAt"] = stamp
        if not self.present:
            self.present = self.deleted_unseen = True

    def _insert(self, data: dict[str, JSON], actor: dict[str, JSON] | None, origin: str | None) -> None:
        """Rules 2 and 3."""
        time = insert_time(data)
        if not is_dated(data):
            self.undated_insert = True
        if not time and self._is_retry(data):
            self.oddities.append(Oddity("retriedInsert"))
            return
        stamp = Stamp(time, actor, origin)
        if not self.present:
            self.present = True
            self.values = data_of(data)
            self.stamps = dict.fromkeys(self.values, stamp)
            self.sole_stamp = stamp if self.values else None
            return
        self.sole_stamp = None
        values, stamps = self.values, self.stamps
        was_deleted = is_deleted(values)
        for name, value in data.items():
            if not is_data(name):
                continue
            held = stamps.get(name)
            if held is None:
                values[name] = value
                stamps[name] = stamp
            elif not time:
                values[name] = value
            elif time >= held.at:
                values[name] = value
                stamps[name] = stamp
        if was_deleted and is_deleted(values):
            self.oddities.append(Oddity("deleteBeforeInsert" if self.deleted_unseen else "insertOnTombstone"))
        self.deleted_unseen = False

    def _is_retry(self, data: dict[str, JSON]) -> bool:
        """Whether an earlier untimed insert carried the same data. A timed one cannot: its data hold the time."""
        if self.untimed_insert is None:
            self.untimed_insert = data
            return False
        if not self.insert_digests:
            self.insert_digests.add(_digest(self.untimed_insert))
        digest = _digest(data)
        if digest in self.insert_digests:
            return True
        self.insert_digests.add(digest)
        return False

    def _update(
        self, record_id: str, fields: dict[str, JSON], actor: dict[str, JSON] | None, origin: str | None
    ) -> None:
        """Rules 4, 5 and 7."""
        was_present, self.present = self.present, True
        self.sole_stamp = None
        values, stamps = self.values, self.stamps
        stamp: Stamp | None = None
        for name in sorted(fields):  # an object comes before the paths into it, however the change was written
            field = fields[name]
            if not is_data(name):
                if name == "id" and field["value"] != record_id:
                    self.oddities.append(Oddity("rename", name))
                continue
            time = field_time(field)
            held = stamps.get(name)
            if not time:
                self.oddities.append(Oddity("untimedUpdate", name))
            elif held is not None and time < held.at:
                continue
            if "." not in name:
                values[name] = field["value"]
            elif not self._write_path(name, field["value"], was_present):
                continue
            if time or held is None:
                if stamp is None or stamp.at != time:
                    stamp = Stamp(time, actor, origin)
                stamps[name] = stamp
        if self.deleted_unseen:
            if is_deleted(values):
                self.oddities.append(Oddity("deleteBeforeInsert"))
            self.deleted_unseen = False

    def _write_path(self, path: str, value: JSON, was_present: bool) -> bool:
        """Rule 5. ``False`` when the write is dropped."""
        if not was_present:
            self.oddities.append(Oddity("dottedUpdateOnAbsentRow", path))
        if path in self.values:
            self.oddities.append(Oddity("dottedBesideLiteral", path))
        if is_too_long(path):
            self.oddities.append(Oddity("pathTooLong", path))
            return False
        if self.nested is None:
            self.nested = NestedObjects()
        if not self.nested.write(self.values, path, value):
            self.oddities.append(Oddity("pathThroughNonObject", path))
            return False
        return True

    def finish(self, record_id: str, table: Table | None, malformed: list[MalformedReason]) -> Record:
        """The record, with what can be said only at the end of the stream."""
        values = self.values
        state: RecordState = "absent" if not self.present else "tombstone" if is_deleted(values) else "live"
        if state != "live" and self.untimed_deletes:
            self.oddities += [Oddity("untimedDelete")] * self.untimed_deletes
        own_space = values.get("spaceId")
        filled = (
            own_space is None
            and self.space is not None
            and self.present
            and table is not None
            and table.scope == "space"
        )
        if filled:
            values["spaceId"] = self.space
        return Record(
            record_id,
            state,
            values,
            self.stamps,
            own_space if type(own_space) is str and own_space else self.space,
            filled,
            self.oddities,
            malformed,
            self.undated_insert,
            None if filled else self.sole_stamp,
        )


def _digest(data: dict[str, JSON]) -> bytes:
    # Not ``==`` on the data: they nest deeper than Python can compare, and a digest needs no copy.
    return sha256(jsontext.dumps(data)).digest()
