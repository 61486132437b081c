"""What goes into an export: which tables, of which collections, and how many there is place for."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...archive import names
from ...archive.writer import ENTRIES_AROUND
from ...errors import UsageError
from ...mirror import HeldCollection, Mirror
from ...model.registry import Registry, Table, load
from ...text.jsontext import JSON
from ...text.printable import printable
from ...text.suggestions import did_you_mean
from ...text.timestamps import parse_timestamp
from .terms import Stream

_ENTRIES_OF_TABLE = 2
_ENTRIES_OF_META = 4
"""Actors, spaces, problems, the index of files."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What goes into an export. Empty sequences mean everything."""

    apps: Sequence[str] = ()
    tables: Sequence[str] = ()
    spaces: Sequence[str] = ()
    include_deleted: bool = False
    as_of: str | None = None
    """An RFC 3339 instant: rows as they stood then (:mod:`manabackup.model.projection.point_in_time`)."""

    def __post_init__(self) -> None:
        """Raises :class:`UsageError` for an instant that is none."""
        if self.as_of is None:
            return
        try:
            parse_timestamp(self.as_of)
        except (ValueError, TypeError):
            raise UsageError("as_of is not a time", hint="an RFC 3339 instant, such as 2026-05-01T12:00:00Z") from None

    @property
    def is_everything(self) -> bool:
        """Nothing is left out but what lies in the bin."""
        return not (self.apps or self.tables or self.spaces) and self.as_of is None

    def filter(self) -> dict[str, JSON]:
        """The manifest's ``filter``: what was left out on purpose."""
        stated: dict[str, JSON] = {}
        if self.tables:
            stated["tables"] = list(self.tables)
        if self.spaces:
            stated["spaces"] = list(self.spaces)
        if self.as_of is not None:
            stated["asOf"] = self.as_of
        if self.include_deleted:
            stated["deleted"] = True
        return stated


def check_apps(selection: Selection, mirror: Mirror, extra_apps: Collection[str] = ()) -> None:
    """Whether the apps of a selection are some that a pull with ``extra_apps`` reads, or that the mirror holds.

    Tables are known only when all is pulled. Raises :class:`UsageError`.
    """
    known = {*load().apps, *extra_apps}
    _require("app", selection.apps, known.union(app for app in selection.apps if mirror.collections(app)))


def streams_of(collections: Iterable[HeldCollection], registry: Registry, selection: Selection) -> list[Stream]:
    """The tables of the selection in the registry's order, empty ones too, then what the registry does not know."""
    held = {(collection.app, collection.name): collection for collection in collections}
    known = [_registered(table, held) for table in registry.tables]
    strange = [key for key in held if key not in registry.by_collection and held[key].changes]
    called = names.unknown_tables(strange)
    unknown = [
        Stream(called[app, name], None, app, (name,), held[app, name].bytes, held[app, name].changes)
        for app, name in strange
    ]
    streams = known + sorted(unknown, key=lambda stream: stream.name)
    _require("app", selection.apps, {stream.app for stream in streams})
    _require("table", selection.tables, {stream.name for stream in streams})
    chosen = [
        stream
        for stream in streams
        if (not selection.apps or stream.app in selection.apps)
        and (not selection.tables or stream.name in selection.tables)
    ]
    if not chosen:
        raise UsageError("none of the tables belongs to one of the apps")
    return chosen


def with_room(streams: list[Stream], entries: int) -> tuple[list[Stream], list[Stream]]:
    """What an archive of so many entries has place for, and what not: of unknown collections, those that hold least."""
    room = (entries - ENTRIES_AROUND - _ENTRIES_OF_META) // _ENTRIES_OF_TABLE
    if len(streams) <= room:
        return streams, []
    known = [stream for stream in streams if stream.table is not None]
    unknown = [stream for stream in streams if stream.table is None]
    unknown.sort(key=lambda stream: (-stream.changes, stream.name))
    kept = max(room - len(known), 0)
    by_name = operator.attrgetter("name")
    return known + sorted(unknown[:kept], key=by_name), sorted(unknown[kept:], key=by_name)


def _registered(table: Table, held: Mapping[tuple[str, str], HeldCollection]) -> Stream:
    feeding = [held[table.app, name] for name in table.collections if (table.app, name) in held]
    return Stream(
        table.name,
        table,
        table.app,
        table.collections,
        sum(collection.bytes for collection in feeding),
        sum(collection.changes for collection in feeding),
    )


def _require(what: str, wanted: Sequence[str], existing: set[str]) -> None:
    for name in wanted:
        if name not in existing:
            every = f"there are {', '.join(sorted(existing))}"
            hint = every if what == "app" else "`manabackup info FILE` lists an archive's tables"
            hint = did_you_mean(name, existing) or hint
            raise UsageError(f"no {what} is called {printable(name)}", hint=hint)
