"""What a fold gives: one record, who wrote what when, and what is odd about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, NamedTuple, TypeAlias

from ...text.jsontext import JSON, Number
from .acceptance import MalformedReason

RecordState: TypeAlias = Literal["live", "tombstone", "absent"]

OddityKind: TypeAlias = Literal[
    "untimedUpdate",
    "retriedInsert",
    "insertOnTombstone",
    "untimedDelete",
    "deleteBeforeInsert",
    "rename",
    "nullActor",
    "nullDeletedAt",
    "dottedUpdateOnAbsentRow",
    "dottedBesideLiteral",
    "pathThroughNonObject",
    "pathTooLong",
    "valueWithoutTime",
    "undatedCounted",
    "undatedDeleteLeftOut",
]
"""Stable words for what clients may show differently (rule 9). The last two occur in a fold to a point in time only."""


class Stamp(NamedTuple):
    """Who wrote a field, when, and by which way."""

    at: str
    """As its writer gave it, compared as a string; ``""`` when unknown."""
    actor: dict[str, JSON] | None
    origin: str | None


_at = itemgetter(0)

UNKNOWN = Stamp("", None, None)
"""The stamp of a field of which nothing is known."""


class Oddity(NamedTuple):
    """One thing that clients may show differently, with the update field that it happened to where there is one."""

    kind: OddityKind
    field: str | None = None


@dataclass(slots=True, eq=False)
class Record:
    """One record after all its changes. Nested values are shared with the changes they came from: read, never modify.

    There is no ``==``: values nest deeper than Python can compare.
    """

    id: str
    state: RecordState = "live"
    values: dict[str, JSON] = field(default_factory=dict)
    """Field → value, without ``id``. Of a tombstone the last values and ``deletedAt``; empty when absent."""
    stamps: dict[str, Stamp] = field(default_factory=dict)
    """Field → stamp. Also holds the dotted names of updates inside plain objects, which are no keys of ``values``; a
    ``spaceId`` that the fold filled in has none."""
    space: str | None = None
    """The row's ``spaceId``, else the space of the first change that named one."""
    space_filled: bool = False
    """No change wrote the row's ``spaceId``: it was taken from a change's envelope (rule 8)."""
    oddities: list[Oddity] = field(default_factory=list)
    malformed: list[MalformedReason] = field(default_factory=list)
    """Why changes were set aside, one reason each."""
    undated_insert: bool = False
    """Since the last delete without a time there was an insert that a fresh web client stamps with its own clock."""
    sole_stamp: Stamp | None = None
    """The stamp of every field, where the row was written at once, as most rows are; what is set, is so."""

    @property
    def latest_time(self) -> str:
        """The largest time of any field, ``""`` when no time is known: the row's last modification."""
        if self.sole_stamp is not None:
            return self.sole_stamp.at
        return max(map(_at, self.stamps.values()), default="")

    def unsound(self, now: str) -> bool:
        """Whether a web client that replays the record may show something else, or ignore a later edit.

        It may when since the last delete without a time an insert had no usable time — an ISO string, not later than
        ``now``, in the first of ``updatedAt``, ``createdAt`` that is not null — or a stamp is later than ``now``.
        ``now`` is a time as the app writes it, ``2026-05-01T12:00:00.000Z``; compared as strings, as clients do.
        """
        # A dated insert's time is among the stamps unless a later one replaced it: the largest decides for both.
        return self.undated_insert or self.latest_time > now


def is_deleted(values: dict[str, JSON]) -> bool:
    """Whether the row is a tombstone: ``deletedAt`` is truthy as in JavaScript, whatever its type."""
    value = values.get("deletedAt")
    if type(value) is dict or type(value) is list:
        return True
    return float(value.text) != 0 if isinstance(value, Number) else bool(value)
