"""Whether the account shows what was planned, by our fold and by the web app's rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from ... import jsontext
from ...jsontext import JSON
from ...projection import fold
from ...registry import Table
from ..equality import equal_values
from .outbox import Item, Outbox
from .plan import Means, TargetRow
from .target import Target
from .web_rule import LATEST_CLOCK

MOST_CASES = 1_000


@dataclass(slots=True)
class Verification:
    """What came of reading the account again."""

    rows: int = 0
    """Rows that were compared."""
    differing: int = 0
    cases: list[dict[str, JSON]] = field(default_factory=list)
    """Table and id of the first rows that are not as planned, and by which rule."""

    @property
    def ok(self) -> bool:
        """Every row that was written is as planned."""
        return not self.differing


def verify(outbox: Outbox, target: Target, now: str) -> Verification:
    """Holds the account against all items that the server took. ``now`` is the time of the replay."""
    found = Verification()
    for name, items in groupby(outbox.written(), key=lambda item: item.table):
        table = target.registry.by_name[name]
        records = target.records(table)
        upcoming = next(records, None)
        for item in items:
            while upcoming is not None and upcoming[0] < item.record:
                upcoming = next(records, None)
            lines = upcoming[1] if upcoming is not None and upcoming[0] == item.record else []
            found.rows += 1
            rule = _differs(item, target.row(table, lines) if lines else None, table, now)
            if rule is not None:
                found.differing += 1
                if len(found.cases) < MOST_CASES:
                    found.cases.append({"table": name, "id": item.record, "rule": rule})
    return found


def _differs(item: Item, row: TargetRow | None, table: Table, now: str) -> str | None:
    """By which rule a row is not as planned: ``fold``, or ``webApp``; None when all is well."""
    planned = fold(table, [jsontext.parse(change) for change in item.changes])
    values = dict(planned.values)
    if planned.space_filled:
        del values["spaceId"]  # it stands in the envelope alone
    if row is None or row.record.state != planned.state or _unequal(item, values, row.record.values, row):
        return "fold"
    for clock in (now, LATEST_CLOCK):
        view = row.view(clock)
        if view is None or view.deleted != (planned.state == "tombstone") or _unequal(item, values, view.values, row):
            return "webApp"
    return None


def _unequal(item: Item, planned: Mapping[str, JSON], held: Mapping[str, JSON], row: TargetRow) -> bool:
    return any(not equal_values(planned.get(name), held.get(name)) for name in _names(item, planned, held, row))


def _names(item: Item, planned: Mapping[str, JSON], held: Mapping[str, JSON], row: TargetRow) -> Iterator[str]:
    """What is compared: of an update not what it leaves as it is, which may be all other fields."""
    yield from planned
    if item.means in (Means.FIELDS, Means.UNTIMED_FIELDS):
        return
    for name in held.keys() - planned.keys():
        if item.means != Means.UPDATE or not ("." in name or name in row.columns):
            yield name
