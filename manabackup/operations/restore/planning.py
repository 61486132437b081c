"""The plan: the archive's rows beside the target's, table by table, in the order of their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ...archive import names
from ...archive.reader import Archive
from ...registry import Registry, Table
from .archive_rows import ArchiveRows, Incoming
from .identity import ArchiveSpaces
from .outbox import Item, Outbox
from .plan import Kind, Means, Reason, TargetRow, skipped
from .report import Report
from .target import Target
from .writing import Work, Writer

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Tables:
    """Which tables of an archive are restored. Empty collections mean all."""

    apps: Collection[str] = ()
    names: Collection[str] = ()

    def chosen(self, archive: Archive, registry: Registry) -> list[str]:
        """The tables in the archive's order, those that the registry does not know too."""
        return [
            name
            for name in archive.tables
            if (not self.names or name in self.names) and (not self.apps or _app(name, registry) in self.apps)
        ]


def _app(name: str, registry: Registry) -> str:
    table = registry.by_name.get(name)
    return table.app if table is not None else name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Planner:
    """Puts everything that is to be sent into an outbox."""

    archive: Archive
    registry: Registry
    rows: ArchiveRows
    spaces: ArchiveSpaces
    target: Target
    writer: Writer
    include_deleted: bool
    report: Report

    def plan(self, tables: Iterable[str], outbox: Outbox, progress: Callable[[int, int], None] | None = None) -> None:
        """``progress`` is told (bytes of the archive read, bytes in all)."""
        chosen = list(tables)
        sizes = {name: self.archive.container.entries[names.entry("data", name)].size for name in chosen}
        done, total = 0, sum(sizes.values())
        for name in chosen:
            table = self.registry.by_name.get(name)
            if table is None:
                self._leave(name)
            else:
                self._table(table, outbox)
            done += sizes[name]
            if progress is not None:
                progress(done, total)

    def _table(self, table: Table, outbox: Outbox) -> None:
        unreadable = self.target.is_unreadable(table)
        items: list[Item] = []
        for incoming, target in self._side_by_side(table):
            for one in incoming:
                if unreadable:
                    work = Work(skipped(Reason.TARGET_UNREADABLE))
                elif one.row.is_deleted and not self.include_deleted:
                    work = Work(skipped(Reason.DELETED))
                else:
                    work = self.writer.work(one.row, target, table, one.destination)
                space = self.spaces.label(one.space) if table.scope == "space" else None
                self.report.add(table.name, one.archive_id, work, app=table.app, space=space)
                for name in one.left_out if work.decision.kind is not Kind.SKIPPED else ():
                    self.report.leave_out(table.name, one.archive_id, name)
                for name in one.withheld if work.decision.kind is not Kind.SKIPPED else ():
                    self.report.withhold(table.name, one.archive_id, name)
                if work.changes:
                    items.append(_item(table, one, work))
            if len(items) >= _BATCH:
                outbox.add(items)
                items = []
        outbox.add(items)

    def _side_by_side(self, table: Table) -> Iterator[tuple[list[Incoming], TargetRow | None]]:
        """Each row of the archive with all that the target holds of it."""
        records = self.target.records(table)
        upcoming = next(records, None)
        for incoming in self.rows.table(table):
            identifier = incoming[0].row.id
            while upcoming is not None and upcoming[0] < identifier:
                upcoming = next(records, None)
            held = upcoming is not None and upcoming[0] == identifier
            yield incoming, self.target.row(table, upcoming[1]) if held and upcoming is not None else None

    def _leave(self, name: str) -> None:
        """A table that this version knows nothing of: not whose its rows are, nor whether a web client bears them."""
        counts = self.report.tables.setdefault(name, Counter())
        for row in self.archive.rows(name):
            counts[Kind.SKIPPED.value] += 1
            self.report.refuse(name, row.id, Reason.UNKNOWN_TABLE, None)


def _item(table: Table, incoming: Incoming, work: Work) -> Item:
    means = work.decision.means
    assert isinstance(means, Means)
    return Item(
        0, table.app, table.name, incoming.row.id, means.value, work.decision.kind.value, work.changes, work.earlier
    )
