"""What the target account holds, by table and record, from a mirror that was pulled for this restore alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from ...crypto.spools import SpoolFile
from ...host.sorting import LineSorter
from ...mirror import UNREADABLE, Snapshot
from ...model.projection import fold
from ...model.registry import Registry, Table
from ...rows.identity import columns
from ...text import jsontext
from .archive_rows import ONE_PER_SPACE
from .decision import TargetRow
from .writing import is_ours


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """One state of the account. Reading raises :class:`MirrorError`."""

    mirror: Snapshot
    registry: Registry
    make_file: Callable[[], SpoolFile]

    def records(self, table: Table) -> Iterator[tuple[str, list[bytes]]]:
        """(id, changes) of every record of a table, ids ascending by code point."""
        sorter = LineSorter(self.make_file)
        for collection in table.collections:
            for page in self.mirror.read(table.app, collection):
                sorter.add(
                    (record, line) for record, line in zip(page.ids, page.lines(), strict=True) if record is not None
                )
        return sorter.groups()

    def row(self, table: Table, lines: list[bytes]) -> TargetRow:
        """A record from its changes."""
        changes = [jsontext.parse_canonical(line) for line in lines]
        record = fold(table, changes)
        bootstrapped = table.name == ONE_PER_SPACE and record.space_filled
        return TargetRow(record, changes, columns(self.registry, table.name), bootstrapped)

    def homes(self) -> dict[str, str]:
        """Space → the row that its one document is written onto.

        The live row with the smallest id whose own data name the space, else the one that the service wrote at the
        beginning, whose space stands in the envelope alone.
        """
        own: dict[str, str] = {}
        bootstrapped: dict[str, str] = {}
        table = self.registry.by_name.get(ONE_PER_SPACE)
        for record_id, lines in self.records(table) if table is not None else ():
            record = self.row(table, lines).record if table is not None else None
            if record is not None and record.state == "live" and record.space is not None:
                (bootstrapped if record.space_filled else own).setdefault(record.space, record_id)
        return bootstrapped | own

    def spaces(self, wanted: Collection[str]) -> set[str]:
        """The spaces that the account's rows name, but for rows that restores wrote, until ``wanted`` are found.

        The service writes a document for each space at its beginning, so these are looked at first.
        """
        found: set[str] = set()
        for table in sorted(self.registry.tables, key=lambda table: table.name != ONE_PER_SPACE):
            for collection in table.collections if table.scope == "space" else ():
                for page in self.mirror.read(table.app, collection):
                    found.update(filter(None, map(_space_of, page.lines())))
                    if found.issuperset(wanted):
                        return found
        return found

    def is_unreadable(self, table: Table) -> bool:
        """Whether the server failed to give something that may belong to a table."""
        return any(
            loss.kind in UNREADABLE
            and loss.app == table.app
            and (loss.collection is None or loss.collection in table.collections)
            for loss in self.mirror.losses()
        )


def _space_of(line: bytes) -> str | None:
    """The space that a change names, unless a restore wrote it."""
    change = jsontext.parse_canonical(line)
    if type(change) is not dict or is_ours(change):
        return None
    data = change.get("data")
    for space in (data.get("spaceId") if type(data) is dict else None, change.get("spaceId")):
        if type(space) is str and space:
            return space
    return None
