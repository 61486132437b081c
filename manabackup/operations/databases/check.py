"""``profile check``: a profile beside its databases. Of rows only their number is asked for, and who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...sources.agreement import Disagreement, exported_columns, row_key
from ...sources.catalog import fingerprint
from ...sources.profile import OnUnknown, Profile, ProfiledTable, Through, paths, store_of, table_of
from ...sources.queries import Questions, RowQuery
from ...text.jsontext import JSON
from .stores import StorePlaces, Stores, Whose, one_number, open_stores


@dataclass(frozen=True, slots=True)
class Counted:
    """What somebody would get of a table, as numbers of rows."""

    own: int
    others: int
    """Rows of others that are reduced or left out."""
    nobodys: int
    plan: tuple[str, ...] = ()
    """How the database finds the own ones."""

    def to_json(self) -> dict[str, JSON]:
        """As ``--json`` shows it."""
        plan: dict[str, JSON] = {"plan": list(self.plan)} if self.plan else {}
        return {"own": self.own, "others": self.others, "nobodys": self.nobodys, **plan}


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it."""

    profile: Profile
    findings: tuple[Disagreement, ...]
    fingerprint: str
    snapshots: Mapping[str, Mapping[str, JSON]]
    """Store → how it was read."""
    user_found: bool | None = None
    """Whether somebody's own row is there; None where nobody was asked about."""
    tables: Mapping[str, Counted] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Disagreement, ...]:
        """The findings that an export would end with."""
        return tuple(finding for finding in self.findings if finding.severity is OnUnknown.ERROR)

    def to_json(self) -> dict[str, JSON]:
        """As ``--json`` shows it."""
        shown: dict[str, JSON] = {
            "profile": {"name": self.profile.name, "sha256": self.profile.sha256},
            "stores": {name: dict(snapshot) for name, snapshot in self.snapshots.items()},
            "fingerprint": self.fingerprint,
            "findings": [finding.to_json() for finding in self.findings],
        }
        if self.user_found is not None:
            shown["user"] = {"found": self.user_found}
            shown["tables"] = {name: counted.to_json() for name, counted in self.tables.items()}
        return shown


def check_profile(profile: Profile, places: StorePlaces, *, user: str | None = None, plans: bool = False) -> Checked:
    """Holds a profile against its databases, and counts what ``user`` would get.

    Tables that findings speak of are not counted, and those whose owners they lead to neither. Raises
    :class:`~manabackup.errors.SourceError`, :class:`~manabackup.errors.ServerError`,
    :class:`~manabackup.errors.NotFoundError` and :class:`~manabackup.errors.UsageError`.
    """
    with open_stores(profile, places) as stores:
        findings = tuple(stores.findings())
        whose = stores.whose(user) if user is not None else None
        counted: dict[str, Counted] = {}
        if whose is not None:
            stores.check_proofs(whose)
            broken = {finding.table for finding in findings if finding.severity is OnUnknown.ERROR}
            for table in profile.read_tables():
                if broken.isdisjoint(_reached(profile, table, set())) and _is_there(stores, table):
                    counted[table.name] = _count(stores, table, whose, plans=plans)
        return Checked(
            profile=profile,
            findings=findings,
            fingerprint=fingerprint_of(stores),
            snapshots={name: stores.database(name).snapshot() for name in profile.stores if stores.has_its_own(name)},
            user_found=whose.found if whose is not None else None,
            tables=counted,
        )


def fingerprint_of(stores: Stores) -> str:
    """Names the schema of what is read."""
    found = []
    for table in stores.profile.read_tables():
        there = stores.catalogs[store_of(table.name)].tables.get(table_of(table.name))
        if there is not None:
            columns = [column.name for column in exported_columns(table, there)]
            found.append((there, columns, row_key(table, there)))
    return fingerprint(found)


def questions_about(stores: Stores, table: ProfiledTable) -> Questions:
    """What can be asked about a table."""
    store = store_of(table.name)
    return Questions(table, stores.profile.tables, stores.catalogs[store], stores.database(store).dialect)


def _count(stores: Stores, table: ProfiledTable, whose: Whose, *, plans: bool) -> Counted:
    ask = questions_about(stores, table)
    database = stores.database(store_of(table.name))

    def number(question: RowQuery) -> int:
        return one_number(database, question, whose)

    own = ask.count_own()
    return Counted(
        own=number(own),
        others=number(ask.count_others()) if table.others is not None else 0,
        nobodys=number(ask.count_nobodys()),
        plan=tuple(database.plan(own)) if plans else (),
    )


def _is_there(stores: Stores, table: ProfiledTable) -> bool:
    return table_of(table.name) in stores.catalogs[store_of(table.name)].tables


def _reached(profile: Profile, table: ProfiledTable, seen: set[str]) -> set[str]:
    """A table, and those that its ownership leads over."""
    if table.name not in seen:
        seen.add(table.name)
        owners = [table.owner, table.others.owner if table.others is not None else None]
        for step in (step for owner in owners if owner is not None for step in paths(owner)):
            if isinstance(step, Through):
                _reached(profile, profile.tables[step.table], seen)
    return seen
