"""The plan: the archive's rows beside the target's, table by table, in the order of their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...archive.reader import Archive
from ...errors import UsageError
from ...model.choosing import apps_of, chosen_tables
from ...model.registry import Registry, Table
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Tell
from .archive_rows import ONE_PER_SPACE, ArchiveRows, RowToRestore
from .decision import Reason, RowAction, TargetRow, skipped
from .files import RestoredFiles
from .identity import ArchiveSpaces, RowDestination
from .job import PlannedRow
from .outbox import Item, Outbox
from .plan import RestorePlan
from .target import RestoreTarget
from .writing import Work, Writer, item_of

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Tables:
    """Which tables of an archive are restored. Empty collections mean all."""

    apps: Collection[str] = ()
    names: Collection[str] = ()

    def chosen(self, archive: Archive, registry: Registry) -> list[str]:
        """The tables in the archive's order, those that the registry does not know too.

        Raises :class:`UsageError` for what the archive does not have.
        """
        chosen = chosen_tables(apps_of(archive.tables, registry), self.apps, self.names)
        if not chosen:
            raise UsageError("the archive has no tables")
        return chosen


@dataclass(frozen=True, slots=True)
class Planner:
    """Puts everything that is to be sent into an outbox."""

    archive: Archive
    registry: Registry
    rows: ArchiveRows
    spaces: ArchiveSpaces
    target: RestoreTarget
    writer: Writer
    include_deleted: bool
    decided: RestorePlan
    files: RestoredFiles | None = None
    """Is told which of its files rows need that are written."""

    def plan(self, tables: Sequence[str], outbox: Outbox, tell: Tell) -> None:
        """Decides on every row of some tables; ``tell`` is told of the tables done."""
        for done, name in enumerate(tables, 1):
            table = self.registry.by_name.get(name)
            if table is None:
                self._leave(name)
            else:
                self._table(table, outbox)
            tell(done, len(tables))
        unconfirmed = self.decided.unconfirmed_spaces
        self.decided.unconfirmed_spaces = {space: rows for space, rows in unconfirmed.items() if rows}

    def _table(self, table: Table, outbox: Outbox) -> None:
        unreadable = self.target.is_unreadable(table)
        items: list[Item] = []
        for incoming, target in self._side_by_side(table):
            for one in incoming:
                work = self._work(table, one, target, unreadable=unreadable)
                self.decided.add(table.name, one.archive_id, work, app=table.app, space=self._label(table, one))
                for name, value in one.left_out.items() if work.decision.kind is not RowAction.SKIPPED else ():
                    if target is None or target.record.values.get(name) != value:  # else nothing is missing there
                        self.decided.leave_out(table.name, one.archive_id, name)
                for name in one.withheld if work.decision.kind is not RowAction.SKIPPED else ():
                    self.decided.withhold(table.name, one.archive_id, name)
                if work.changes:
                    items.append(item_of(table.app, table.name, one.row.id, work))
                    if self.files is not None:
                        self.files.use(table.name, one.row.id, one.moved)
                    self._count_unconfirmed(one)
            if len(items) >= _BATCH:
                outbox.add(items)
                items = []
        outbox.add(items)

    def again(self, table: Table, stale: Mapping[str, Item]) -> Iterator[tuple[Item, PlannedRow]]:
        """What is to become of rows (by their ids in the target when they were planned), as far as it is known now."""
        unreadable = self.target.is_unreadable(table)
        by_space = {_space(item): item for item in stale.values()} if table.name == ONE_PER_SPACE else {}
        for incoming, target in self._side_by_side(table):
            one = incoming[0]
            if by_space:
                item = by_space.get(one.destination.space) if isinstance(one.destination, RowDestination) else None
            else:
                item = stale.get(one.row.id)
            if item is not None:
                work = self._work(table, one, target, unreadable=unreadable)
                yield item, PlannedRow(one.archive_id, work, target, one.row.id, self._label(table, one))

    def _work(self, table: Table, one: RowToRestore, target: TargetRow | None, *, unreadable: bool) -> Work:
        if unreadable:
            return Work(skipped(Reason.TARGET_UNREADABLE))
        if one.row.is_deleted and not self.include_deleted:
            return Work(skipped(Reason.DELETED))
        return self.writer.work(one.row, target, table, one.destination)

    def _count_unconfirmed(self, one: RowToRestore) -> None:
        unconfirmed = self.decided.unconfirmed_spaces
        if isinstance(one.destination, RowDestination) and one.destination.space in unconfirmed:
            unconfirmed[one.destination.space] += 1

    def _label(self, table: Table, one: RowToRestore) -> str | None:
        return self.spaces.label(one.space) if table.scope == "space" else None

    def _side_by_side(self, table: Table) -> Iterator[tuple[list[RowToRestore], TargetRow | None]]:
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
        counts = self.decided.tables.setdefault(name, Counter())
        for identifier in self.rows.of_unknown_table(name):
            counts[RowAction.SKIPPED.value] += 1
            self.decided.refuse(name, identifier, Reason.UNKNOWN_TABLE, None)


def _space(item: Item) -> JSON:
    """The space that an item's changes are for."""
    return jsontext.parse(item.changes[-1]).get("spaceId")
