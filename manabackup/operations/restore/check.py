"""Whether the account shows what was planned, by our fold and by the web app's rule, and what others did meanwhile.

An edit that came after our write belongs there, and is no failure. One that our write came over, in the moment between
the last look and the server's answer, is named, so that nothing is lost without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from ...crypto.fields import FieldCipher
from ...model.projection import fold
from ...model.registry import Table
from ...rows.equality import equal_values
from ...text import jsontext
from ...text.jsontext import JSON
from .decision import Means, TargetRow
from .edits import Edits
from .outbox import Item, Outbox
from .target import RestoreTarget
from .web_rule import LATEST_CLOCK

MOST_CASES = 1_000


class EditOutcome(StrEnum):
    """What became of an edit that others made meanwhile."""

    KEPT = "kept"
    OVERWRITTEN = "overwritten"


@dataclass(slots=True)
class Verification:
    """What came of reading the account again."""

    rows: int = 0
    """Rows that were compared."""
    differing: int = 0
    cases: list[dict[str, JSON]] = field(default_factory=list)
    """Table and id of the first rows that are not as planned, and by which rule."""
    edited: Counter[EditOutcome] = field(default_factory=Counter)
    """What became of others' edits → rows that are as planned otherwise."""
    edits: dict[EditOutcome, list[dict[str, JSON]]] = field(default_factory=dict)
    """Table and id of the first of these rows."""

    @property
    def ok(self) -> bool:
        """Every row that was written is as planned, and nothing was overwritten but what the plan saw."""
        return not self.differing and not self.edited[EditOutcome.OVERWRITTEN]

    def note_edit(self, table: str, record: str, outcome: EditOutcome) -> None:
        """One row that others edited."""
        self.edited[outcome] += 1
        cases = self.edits.setdefault(outcome, [])
        if len(cases) < MOST_CASES:
            cases.append({"table": table, "id": record})


def verify(outbox: Outbox, target: RestoreTarget, now: str, cipher: FieldCipher | None) -> Verification:
    """Holds the account against all items that the server took. ``now`` is the time of the replay.

    What it took in part is not as planned for certain, and is told of elsewhere; but it may have undone an edit, too.
    """
    check = _Check(now, cipher)
    for item, table, row in _held(outbox.written(), target):
        check.compare(item, row, table)
    for item, table, row in _held(outbox.half_written(), target):
        check.look_for_edits(item, row, table)
    return check.found


def _held(items: Iterable[Item], target: RestoreTarget) -> Iterator[tuple[Item, Table, TargetRow | None]]:
    """Items by table and record, and what the account holds of their rows."""
    for name, of_table in groupby(items, key=lambda item: item.table):
        table = target.registry.by_name[name]
        records = target.records(table)
        upcoming = next(records, None)
        for item in of_table:
            while upcoming is not None and upcoming[0] < item.record:
                upcoming = next(records, None)
            lines = upcoming[1] if upcoming is not None and upcoming[0] == item.record else []
            yield item, table, target.row(table, lines) if lines else None


class _Check:
    """What comes of comparing rows."""

    def __init__(self, now: str, cipher: FieldCipher | None) -> None:
        self._now = now
        self._cipher = cipher
        self.found = Verification()

    def compare(self, item: Item, row: TargetRow | None, table: Table) -> None:
        """One item, and what the account holds of its row."""
        found = self.found
        found.rows += 1
        edits = self.look_for_edits(item, row, table)
        if edits is None:
            return
        rule = None if edits.removed else _differs(item, row, table, self._now, edits.names)
        if rule is not None:
            found.differing += 1
            if len(found.cases) < MOST_CASES:
                found.cases.append({"table": table.name, "id": item.record, "rule": rule})
        elif edits.since:
            found.note_edit(table.name, item.record, EditOutcome.KEPT)

    def look_for_edits(self, item: Item, row: TargetRow | None, table: Table) -> Edits | None:
        """What others did to a row; None where something of it is undone, which is noted."""
        edits = Edits.of(row.changes if row is not None else (), {*item.earlier}, item.changes)
        if row is not None and edits.are_undone(table, row.changes, self._now, self._cipher):
            self.found.note_edit(table.name, item.record, EditOutcome.OVERWRITTEN)
            return None
        return edits


def _differs(item: Item, row: TargetRow | None, table: Table, now: str, edited: Collection[str]) -> str | None:
    """By which rule a row is not as planned: ``fold``, or ``webApp``; None when all is well.

    ``edited`` are fields that others wrote, which need not be.
    """
    planned = fold(table, [jsontext.parse(change) for change in item.changes])
    values = dict(planned.values)
    if planned.space_filled:
        del values["spaceId"]  # it stands in the envelope alone
    heads = {name.partition(".")[0] for name in edited}
    if row is None or not (row.record.state == planned.state or "deletedAt" in heads):
        return "fold"
    if _unequal(item, values, row.record.values, row, heads):
        return "fold"
    # Of an update of some fields alone: what fresh clients make of the others is not its business.
    whole = item.means not in (Means.FIELDS, Means.UNTIMED_FIELDS)
    for clock in (now, LATEST_CLOCK):
        view = row.view(clock)
        if view is None or _unequal(item, values, view.values, row, heads if whole else heads | {"deletedAt"}):
            return "webApp"
        if whole and "deletedAt" not in heads and view.deleted != (planned.state == "tombstone"):
            return "webApp"
    return None


def _unequal(
    item: Item, planned: Mapping[str, JSON], held: Mapping[str, JSON], row: TargetRow, but: Collection[str]
) -> bool:
    return any(
        not equal_values(planned.get(name), held.get(name))
        for name in _names(item, planned, held, row)
        if name not in but
    )


def _names(item: Item, planned: Mapping[str, JSON], held: Mapping[str, JSON], row: TargetRow) -> Iterator[str]:
    """What is compared: of an update not what it leaves as it is, which may be all other fields."""
    yield from planned
    if item.means in (Means.FIELDS, Means.UNTIMED_FIELDS):
        return
    for name in held.keys() - planned.keys():
        if item.means != Means.UPDATE or not ("." in name or name in row.columns):
            yield name
