"""``profile load``: an archive's rows into a relational database."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...archive.reader import Archive
from ...errors import ConflictError, SourceError
from ...sources.catalog import Catalog, ForeignKey
from ...sources.postgresql_target import PostgresqlTarget
from ...sources.profile import Profile, store_of, table_of
from ...sources.sqlite_target import SqliteTarget
from ...sources.target import Event, LoadAction, LoadConflict, LoadRow, LoadTable, OutboxPlace, Planned, Target
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Step, Watch, teller
from .dangling import count_dangling, held
from .described import Described
from .stores import StorePlaces

EVENT = "loaded"
"""What an outbox is told of a row: ``<table>.loaded``."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is to be written."""

    places: Mapping[str, str]
    """Store → where it is, for people."""
    tables: Mapping[str, Counter[LoadAction]]
    """By table of the profile."""
    dangling: Mapping[str, Mapping[str, int]]
    """Table → columns of a reference → rows whose target is not in the archive."""
    unheld: Mapping[str, Mapping[str, int]]
    """Likewise, of foreign keys of the database, where it does not have the target either: they cannot be written."""
    created: tuple[str, ...] = ()
    """Tables that are made."""
    otherwise: tuple[str, ...] = ()
    """What is made otherwise than it was, in words."""
    same_profile: bool = True
    """Whether the archive was made by this very profile."""

    def count(self, action: LoadAction) -> int:
        """The rows of one kind, of all tables."""
        return sum(rows[action] for rows in self.tables.values())

    @property
    def planned(self) -> int:
        """The rows that are to be written."""
        return self.count(LoadAction.INSERT) + self.count(LoadAction.OVERWRITE)

    def to_json(self) -> dict[str, JSON]:
        """As ``--json`` shows it."""
        return {
            "places": dict(self.places),
            "tables": {name: {str(kind): rows[kind] for kind in LoadAction} for name, rows in self.tables.items()},
            "rows": {str(kind): self.count(kind) for kind in LoadAction},
            "dangling": {name: dict(counts) for name, counts in self.dangling.items()},
            "unheld": {name: dict(counts) for name, counts in self.unheld.items()},
            "created": list(self.created),
            "otherwise": list(self.otherwise),
        }


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it."""

    plan: LoadPlan
    dry_run: bool
    written: int
    events: int | None
    """Events that were appended to the profile's outbox; None where it has none."""

    def to_json(self) -> dict[str, JSON]:
        """The object that ``profile load --json`` prints."""
        return {
            **self.plan.to_json(),
            "dryRun": self.dry_run,
            "written": self.written,
            **({"events": self.events} if self.events is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """What is to be done."""

    create: bool = False
    """Make the tables that are not there."""
    on_conflict: LoadConflict = LoadConflict.FAIL
    dry_run: bool = False


@dataclass(slots=True)
class _Part:
    """One database, and what goes into it."""

    target: Target
    tables: list[LoadTable] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)


def load_rows(
    archive: Archive,
    profile: Profile,
    places: StorePlaces,
    order: LoadOrder,
    *,
    confirm: Callable[[LoadPlan], object],
    progress: Watch | None = None,
) -> Loaded:
    """Writes an archive's rows into the databases of a profile's stores, in one transaction of each.

    ``confirm`` is given the plan before anything is written, and raises to end it. Two databases are committed one
    after the other; what was loaded into one of them alone is found unchanged by the next run. Raises
    :class:`~manabackup.errors.SourceError`, :class:`~manabackup.errors.ConflictError`,
    :class:`~manabackup.errors.ServerError`, :class:`~manabackup.errors.UsageError` and
    :class:`~manabackup.errors.DamagedArchiveError`; then nothing was written.
    """
    described = Described(archive, profile)
    tell = teller(progress, Step.PLAN)
    with _open_targets(profile, places) as targets:
        dangling = count_dangling(described, profile)
        parts = _parts(described, targets)
        created: list[str] = []
        otherwise: list[str] = []
        for part in parts:
            there = part.target.catalog()
            missing = [table for table in part.tables if table.table not in there.tables]
            if missing and not order.create:
                more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise SourceError(f"the database has no table {missing[0].name}{more}", hint="--create makes them")
            if missing:
                otherwise += _create(part, missing, held(described, dangling))
                created += [table.name for table in missing]
            _check_columns(part.tables, part.target.catalog())
        outbox, outbox_store = _outbox(profile, targets)
        for number, part in enumerate(parts):
            events = _events(profile) if outbox is not None and part.target is targets[outbox_store] else None
            part.planned = part.target.compare(part.tables, described.rows, order.on_conflict, events)
            tell(number + 1, len(parts))
        plan = LoadPlan(
            places={store: target.place() for store, target in targets.items()},
            tables={
                table.name: planned.rows
                for part in parts
                for table, planned in zip(part.tables, part.planned, strict=True)
            },
            dangling=dangling,
            unheld={
                table.name: planned.dangling
                for part in parts
                for table, planned in zip(part.tables, part.planned, strict=True)
                if planned.dangling
            },
            created=tuple(created),
            otherwise=tuple(otherwise),
            same_profile=described.same_profile,
        )
        if order.dry_run:
            return Loaded(plan, dry_run=True, written=0, events=None)
        _refuse(plan)
        confirm(plan)
        if not plan.planned and not plan.created:
            return Loaded(plan, dry_run=False, written=0, events=None if outbox is None else 0)
        appended = None if outbox is None else 0
        for part in parts:
            ours = outbox if outbox is not None and part.target is targets[outbox_store] else None
            told = part.target.write(ours)
            appended = None if appended is None else appended + told
        for part in parts:
            part.target.commit()
        return Loaded(plan, dry_run=False, written=plan.planned, events=appended)


def _refuse(plan: LoadPlan) -> None:
    """Raises for a plan that cannot be carried out."""
    conflicts = plan.count(LoadAction.CONFLICT)
    if conflicts:
        raise ConflictError(
            f"the database holds {conflicts:,} of these rows differently; nothing was written",
            hint="--dry-run shows where; --on-conflict skip keeps the database's, overwrite takes the archive's",
        )
    for name, counts in plan.unheld.items():
        for columns, number in counts.items():
            raise SourceError(
                f"{name}, {columns}: {number:,} rows refer to what neither the archive nor the database has",
                hint="load these rows first, such as catalogues and other people; nothing was written",
            )


def _create(part: _Part, missing: Sequence[LoadTable], references: Mapping[str, Sequence[ForeignKey]]) -> list[str]:
    here = {table.table for table in part.tables}
    kept = {name: [each for each in some if each.table in here] for name, some in references.items()}
    otherwise = part.target.create(missing, kept)
    for table in missing:
        otherwise += [
            f"{table.name}, {', '.join(each.columns)}: no foreign key, since not all that it leads to is there"
            for each in table.references
            if each not in kept[table.name]
        ]
    return otherwise


def _check_columns(tables: Sequence[LoadTable], catalog: Catalog) -> None:
    for table in tables:
        there = catalog.tables[table.table].columns
        missing = [column.name for column in table.columns if column.name not in there]
        if missing:
            raise SourceError(f"{table.name}: the database has no column {', '.join(missing)}")


def _parts(described: Described, targets: Mapping[str, Target]) -> list[_Part]:
    parts: dict[int, _Part] = {}
    for table in described.tables:
        target = targets[store_of(table.name)]
        parts.setdefault(id(target), _Part(target)).tables.append(table)
    return list(parts.values())


@contextmanager
def _open_targets(profile: Profile, places: StorePlaces) -> Iterator[dict[str, Target]]:
    found = places.of(profile)
    with ExitStack() as opened:
        targets: dict[str, Target] = {}
        for name, store in profile.stores.items():
            place = found[name]
            if place is not None:
                target: Target = (
                    SqliteTarget(place) if isinstance(place, Path) else PostgresqlTarget(place, store.schema)
                )
                opened.callback(target.close)
                targets[name] = target
        for name, store in profile.stores.items():
            if found[name] is None:
                assert store.within is not None
                targets[name] = targets[store.within]
        yield targets


def _outbox(profile: Profile, targets: Mapping[str, Target]) -> tuple[OutboxPlace | None, str]:
    """The profile's outbox as its database has it. Raises :class:`SourceError` where that lacks it."""
    outbox = profile.outbox
    if outbox is None:
        return None, ""
    store = store_of(outbox.table)
    tables = targets[store].catalog().tables
    needed = {outbox.table: [outbox.key, outbox.type, outbox.payload, outbox.created_at]}
    needed[outbox.table] += [outbox.id] if outbox.id is not None else []
    if outbox.position is not None:
        needed.setdefault(outbox.position[0], []).append(outbox.position[1])
    for name, columns in needed.items():
        there = tables.get(table_of(name))
        missing = [column for column in columns if there is None or column not in there.columns]
        if missing:
            raise SourceError(f"the outbox of the profile is not in the database: {name}, column {missing[0]}")
    position = (table_of(outbox.position[0]), outbox.position[1]) if outbox.position is not None else None
    place = OutboxPlace(
        table=table_of(outbox.table),
        key=outbox.key,
        type=outbox.type,
        payload=outbox.payload,
        created_at=outbox.created_at,
        id=outbox.id,
        position=position,
        created_as=profile.types.get((outbox.table, outbox.created_at)),
    )
    return place, store


def _events(profile: Profile) -> Callable[[LoadTable, LoadRow], Event]:
    def event(table: LoadTable, row: LoadRow) -> Event:
        content = hashlib.sha256(row.line).hexdigest()
        said: dict[str, Any] = {"profile": profile.name, "table": table.table, "id": row.id, "sha256": content}
        key = hashlib.sha256(jsontext.dumps(said)).hexdigest()
        payload = b'{"profile":%b,"row":%b,"table":%b}' % (
            jsontext.dumps(profile.name),
            row.line,
            jsontext.dumps(table.table),
        )
        return Event(f"manabackup:{key}", f"{table.table}.{EVENT}", payload.decode())

    return event
