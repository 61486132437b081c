"""Some fields of a row encrypted where they stand: the smallest changes after which everybody shows what they showed.

A field with a time is written again under that same time. A tie goes to what comes later, so that every client takes
it; no edit is older, so that none is overwritten; and nothing says that the row was changed today. A field that clients
stamp with their own clock, because its insert bore no time, is later than any update to a client that signs in afresh:
only another insert without a time reaches it, of that field alone. What fresh clients show otherwise in the row's other
fields stays so; to repair it is another matter.

Where neither reaches every client, all of the row is written anew, with the times that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed

from ...model.projection import fold
from ...model.projection.change import is_dated
from ...model.registry import Table
from ...rows.equality import equal_values
from ...text.jsontext import JSON
from .changes import Change, RowPlace, change, is_time
from .decision import TargetRow
from .web_rule import LATEST_CLOCK


def encrypt_fields(
    held: TargetRow, encrypted: Mapping[str, str], table: Table, place: RowPlace, now: str
) -> list[Change] | None:
    """The changes that put ciphertext (field → value) into a row; None where no change of single fields does it.

    A client that keeps no old tombstones makes a row of whatever comes for one: that it is deleted is said again.
    """
    record, latest = held.record, held.view(LATEST_CLOCK)
    if latest is None:
        return None
    wanted: dict[str, JSON] = dict(encrypted)
    if record.state == "tombstone":
        wanted["deletedAt"] = record.values["deletedAt"]
    data: Change = {}
    fields: Change = {}
    for name, value in wanted.items():
        stamp = record.stamps[name].at if name in record.stamps else ""
        seen = latest.stamps.get(name, "")
        at = max(stamp, seen if seen != LATEST_CLOCK else "")
        if seen == LATEST_CLOCK:
            data[name] = value
        if at and (seen != LATEST_CLOCK or at > now):
            fields[name] = {"value": value, "at": at}
        elif seen != LATEST_CLOCK:
            return None
    changes = [change(place, "insert", data=data)] if data else []
    if fields:
        changes.append(change(place, "update", fields=fields))
    return changes if _does_nothing_else(held, changes, encrypted, table, now) else None


def replace_in_place(held: TargetRow, encrypted: Mapping[str, str], place: RowPlace, now: str) -> list[Change]:
    """The whole row in the place of all that was there, as it is but for its ciphertext, each field under its time."""
    record = held.record
    values = {name: value for name, value in record.values.items() if value is not None} | dict(encrypted)
    if record.space_filled:
        del values["spaceId"]
    times = {name: stamp.at for name, stamp in record.stamps.items()}
    data: Change = dict(values)
    put_back: Change = {}
    own: JSON = data.get("updatedAt", data.get("createdAt"))
    if not is_dated(data) or own > now:
        own = data["updatedAt"] = min([now, *filter(is_time, times.values())])
        put_back = {"updatedAt": {"value": values.get("updatedAt"), "at": max(own, times.get("updatedAt", ""))}}
    later = {
        name: {"value": values[name], "at": at}
        for name, at in times.items()
        if name in values and "." not in name and at > own
    }
    changes = [change(place, "delete"), change(place, "insert", data=data)]
    return [*changes, change(place, "update", fields={**later, **put_back})] if later or put_back else changes


def _does_nothing_else(
    held: TargetRow, changes: list[Change], encrypted: Mapping[str, str], table: Table, now: str
) -> bool:
    """Whether the changes put ciphertext everywhere, and leave everything else as it is."""
    stream = [*held.changes, *changes]
    after = changed(held, record=fold(table, stream), changes=stream, _views={})
    if after.record.state != held.record.state or not _alike(held.record.values, after.record.values, encrypted):
        return False
    for clock in (now, LATEST_CLOCK):
        one, other = held.view(clock), after.view(clock)
        if (
            one is None
            or other is None
            or one.deleted != other.deleted
            or not _alike(one.values, other.values, encrypted)
        ):
            return False
    return True


def _alike(before: Mapping[str, JSON], after: Mapping[str, JSON], encrypted: Mapping[str, str]) -> bool:
    return all(
        after.get(name) == encrypted[name] if name in encrypted else equal_values(before.get(name), after.get(name))
        for name in before.keys() | after.keys() | encrypted.keys()
    )
