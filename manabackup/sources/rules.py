"""The rules that concern more than one key of a profile: what points at what, and that ownership ends at a person."""

from __future__ import annotations

from .profile import Holds, Owner, Profile, ProfiledTable, Through, paths, store_of, table_of
from .secret_names import looks_secret
from .sections import Section

MOST_STEPS = 500
"""Steps of one ownership, those of its parents among them: so often a question may ask for a row."""


def check_rules(profile: Profile, top: Section) -> None:
    """Raises :class:`UsageError` for the first rule that a profile breaks."""
    _stores(profile, top.section("stores"))
    _subject(profile, top.section("subject"))
    _outbox(profile, top)
    tables = top.section("tables")
    called: dict[str, str] = {}
    for name, table in profile.tables.items():
        other = called.setdefault(table_of(name), name)
        if table.is_read and profile.tables[other].is_read and other != name:
            tables.fail(f'"{name}"', f"is called as {other} is, and an archive could not tell the two apart")
        section = tables.section(name)
        _columns(table, section)
        for column, target in table.references.items():
            if target not in profile.tables:
                section.section("references").fail(column, "points at a table that the profile does not name")
        if table.owner is not None:
            _owner(profile, table, table.owner, section, "owner")
        if table.others is not None:
            _owner(profile, table, table.others.owner, section, "others")
            if table.columns is not None and not set(table.others.columns) <= set(table.columns):
                section.fail("others", "has a column that is not among `columns`")
            if set(table.others.columns) & {*table.omit, *table.derived}:
                section.fail("others", "has a column that is left out of everybody's rows")
    _cycles(profile, tables)
    steps: dict[str, int] = {}
    for name in profile.tables:
        if _steps(profile, name, steps) > MOST_STEPS:
            tables.fail(f'"{name}"', "its ownership leads over too many tables")


def _stores(profile: Profile, section: Section) -> None:
    for store in profile.stores.values():
        inner = section.section(store.name)
        if store.within is not None:
            host = profile.stores.get(store.within)
            if host is None or host.within is not None or host is store:
                inner.fail("within", "is no other store with a database of its own")
        if store.proof is not None:
            table = profile.tables.get(f"{store.name}.{store.proof[0]}")
            if table is None or not table.is_read or table.owner is None:
                inner.fail("holds", "names no table of this store whose rows belong to people")
            if not any(step.column == store.proof[1] for step in paths(table.owner) if isinstance(step, Holds)):
                inner.fail("holds", "names no column that holds an owner")


def _subject(profile: Profile, section: Section) -> None:
    subject = profile.subject
    table = profile.tables.get(subject.table)
    if table is None or not table.is_read:
        section.fail("table", "is no table whose rows belong to people")
    if table.owner != Holds(subject.key, "user"):
        section.fail("table", f'does not belong to a person by {{ column = "{subject.key}", is = "user" }}')
    if profile.stores[store_of(table.name)].per_subject:
        section.fail("table", "stands in a store that is one person's alone")


def _outbox(profile: Profile, top: Section) -> None:
    outbox = profile.outbox
    if outbox is None:
        return
    section = top.section("outbox")
    for key, name in (("table", outbox.table), *((("position", outbox.position[0]),) if outbox.position else ())):
        table = profile.tables.get(name)
        if table is None or table.is_read:
            section.fail(key, "is no table that the profile names, and of which no rows are taken out")
        if store_of(name) != store_of(outbox.table):
            section.fail(key, "stands in another store than the outbox")
    columns = [outbox.key, outbox.type, outbox.payload, outbox.created_at, *((outbox.id,) if outbox.id else ())]
    if len(set(columns)) != len(columns):
        section.fail(None, "names a column twice")


def _columns(table: ProfiledTable, section: Section) -> None:
    kept = set(table.columns or ())
    for key, names in (("omit", set(table.omit)), ("derived", set(table.derived))):
        if kept & names:
            section.fail(key, "names a column that stands in `columns` as well")
        kept |= names
    if set(table.omit) & set(table.derived):
        section.fail("derived", "names a column that stands in `omit` as well")
    taken = set(table.columns or ())
    for key, found in (("order", table.order), ("key", table.key)):
        left_out = {*table.omit, *table.derived}
        if set(found) & left_out or (table.columns is not None and not set(found) <= taken):
            section.fail(key, "names a column that is not taken out")
    for column in table.columns or ():
        if looks_secret(column) and column not in table.allow:
            section.fail(
                "columns",
                f"{column} looks like a secret by its name",
                "leave it out by `omit`, or say in `allow` why it is none",
            )
    for column in table.allow:
        if table.columns is not None and column not in taken:
            section.fail("allow", f"{column} is not taken out")


def _owner(profile: Profile, table: ProfiledTable, owner: Owner, section: Section, key: str) -> None:
    for step in paths(owner):
        if isinstance(step, Holds):
            if step.identity not in profile.subject.identities:
                section.fail(key, f"{step.identity} is none of the subject's identities")
            continue
        parent = profile.tables.get(step.table)
        if parent is None or not parent.is_read:
            section.fail(key, f"{step.table} is no table whose rows belong to people")
        if store_of(parent.name) != store_of(table.name):
            section.fail(key, "leads into another store")


def _cycles(profile: Profile, section: Section) -> None:
    """Each path must end at an identity: no table may be reached from itself."""
    done: set[str] = set()
    for start in profile.tables:
        stack: list[tuple[str, list[str]]] = [(start, _parents(profile, start))]
        way = {start}
        while stack:
            name, parents = stack[-1]
            if not parents:
                stack.pop()
                way.discard(name)
                done.add(name)
                continue
            parent = parents.pop()
            if parent in way:
                section.fail(f'"{start}"', f"its ownership runs in a circle, by {parent}")
            if parent not in done:
                way.add(parent)
                stack.append((parent, _parents(profile, parent)))


def _parents(profile: Profile, name: str) -> list[str]:
    table = profile.tables[name]
    owners = [table.owner] if table.owner is not None else []
    if table.others is not None:
        owners.append(table.others.owner)
    return [step.table for owner in owners for step in paths(owner) if isinstance(step, Through)]


def _steps(profile: Profile, name: str, known: dict[str, int]) -> int:
    """How many steps a table's ownership takes; more than the limit is not told apart. There are no circles."""
    waiting = [name]
    while waiting:
        table = waiting[-1]
        parents = _parents(profile, table)
        unknown = [parent for parent in parents if parent not in known]
        if unknown:
            waiting += unknown
            continue
        known[table] = min(1 + sum(1 + known[parent] for parent in parents), MOST_STEPS + 1)
        waiting.pop()
    return known[name]
