"""What the tool knows of Mana's tables: names, server names, encrypted fields, references.

Read from ``formats/registry.json``, which was taken from the web app's own module and encryption registries. Tables
keep the registry's order; table names are unique over all apps, server names only within one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ..text import jsontext

Scope = Literal["user", "space"]


@dataclass(frozen=True, slots=True)
class Table:
    """One synced table."""

    name: str
    app: str
    collection: str
    """The server's name of the table (``syncName``)."""
    scope: Scope
    encrypted: frozenset[str] = frozenset()
    """Fields that the web app encrypts."""
    references: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Field path → table it points into; ``x[]`` means each member of the array ``x``."""
    junction: bool = False

    @property
    def collections(self) -> tuple[str, ...]:
        """The server's collections that feed this table, in the order in which their streams follow each other."""
        return (self.collection,) if self.collection == self.name else (self.collection, self.name)


@dataclass(frozen=True)
class Registry:
    """All tables, in order."""

    version: str
    """Date of the web app's commit that the registry was taken from."""
    schema_version: int
    """The version of the web app's local database at that commit."""
    tables: tuple[Table, ...]
    well_known_ids: Mapping[str, tuple[str, ...]]
    """Table → ids that stand for the same thing in every account."""
    own_user_ids: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Table → fields that are called like a column of identity and are data."""

    @cached_property
    def by_name(self) -> Mapping[str, Table]:
        """Table name → table."""
        return MappingProxyType({table.name: table for table in self.tables})

    @cached_property
    def by_collection(self) -> Mapping[tuple[str, str], Table]:
        """(app, server's collection) → table, table names of the same app included (:mod:`.projection`, rule 1)."""
        found = {(table.app, table.name): table for table in self.tables}
        found.update({(table.app, table.collection): table for table in self.tables})
        return MappingProxyType(found)

    @cached_property
    def apps(self) -> tuple[str, ...]:
        """App ids in the registry's order."""
        return tuple(dict.fromkeys(table.app for table in self.tables))

    def of_app(self, app: str) -> tuple[Table, ...]:
        """The tables of one app; empty for an app that the registry does not know."""
        return tuple(table for table in self.tables if table.app == app)


def formats_folder() -> Path:
    """The folder ``formats``: inside the package when installed, beside it in a checkout."""
    packaged = Path(str(resources.files("manabackup"))) / "formats"
    return packaged if packaged.is_dir() else packaged.parent.parent / "formats"


@lru_cache(maxsize=1)
def load() -> Registry:
    """The registry that this version of the tool came with."""
    raw: dict[str, Any] = jsontext.parse_inexact((formats_folder() / "registry.json").read_bytes())
    tables = tuple(
        Table(
            name=table["name"],
            app=module["appId"],
            collection=table.get("syncName", table["name"]),
            scope=table["scope"],
            encrypted=frozenset(table.get("encryptedFields", ())),
            references=MappingProxyType(table.get("references", {})),
            junction=table.get("junction", False),
        )
        for module in raw["modules"]
        for table in module["tables"]
    )
    return Registry(
        version=raw["source"]["commitDate"],
        schema_version=raw["schemaVersion"],
        tables=tables,
        well_known_ids=MappingProxyType({name: tuple(ids) for name, ids in raw["wellKnownIds"].items()}),
        own_user_ids=MappingProxyType({name: frozenset(ids) for name, ids in raw["nonRowUserIdFields"].items()}),
    )
