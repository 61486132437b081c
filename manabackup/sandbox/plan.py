"""What kind of account is wanted, what comes out of it, and what its user sees in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ..model.registry import Table
from ..text.jsontext import JSON
from .lives import Change, Row

SAVED_ARTICLES: Final = Table(name="savedArticles", app="news", collection="savedArticles", scope="space")
"""A collection outside the registry that does occur."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of account. Shares are between 0 and 1."""

    seed: int = 1
    rows: int = 1_000
    """Records in registered tables, deleted ones included. Singletons take one each, at most."""
    edits: float = 0.8
    """Saves a row, on average."""
    deletions: float = 0.06
    """Share of rows that are deleted at some time; one in eight of these is taken out of the bin again."""
    shared_spaces: int = 1
    plaintext: float = 0.04
    """Share of rows whose private fields stand in clear: half written by servers, half before there was a key."""
    row_bytes: int | None = None
    """Fill two or three private fields of each row with prose up to about this size. Without ``tables`` only tables
    that have at least two private fields are filled then."""
    tables: Sequence[str] | None = None
    """Names of tables; all by default."""
    start: datetime = datetime(2024, 2, 29, 6, 30, tzinfo=UTC)
    end: datetime = datetime(2026, 4, 30, 21, 0, tzinfo=UTC)
    oddities: bool = False
    lifelike: bool = False
    """Rows whose every field is as the web app writes it, for what reads them: :mod:`manabackup.sandbox.lifelike`."""


@dataclass(frozen=True, slots=True, repr=False)
class Generated:
    """One change as the server received it."""

    app: str
    user_id: str
    """Its author: the account's user, or another member of a shared space."""
    client_id: str
    change: Change
    """As pushed (``POST /sync/{app}``, ``changes``)."""
    created_at_us: int


@dataclass(slots=True, repr=False)
class Truth:
    """What the account's user sees in the end. Holds every row: for small plans."""

    all_rows: list[Row] = field(default_factory=list)
    changes: int = 0
    """How many changes were given, retries included."""
    retries: int = 0

    @property
    def rows(self) -> dict[str, dict[str, dict[str, JSON]]]:
        """Table → id → values (without ``id``) of live rows, of registered tables."""
        return self._collect(lambda row: row.state == "live")

    @property
    def tombstones(self) -> dict[str, dict[str, dict[str, JSON]]]:
        """The same for deleted rows, ``deletedAt`` among the values."""
        return self._collect(lambda row: row.state == "deleted")

    @property
    def unknown(self) -> dict[tuple[str, str], dict[str, dict[str, JSON]]]:
        """(app, collection) → id → values, for collections outside the registry."""
        found: dict[tuple[str, str], dict[str, dict[str, JSON]]] = {}
        for row in self.all_rows:
            if row.table is SAVED_ARTICLES and row.state == "live":
                found.setdefault((row.table.app, row.collection), {})[row.id] = row.values
        return found

    @property
    def foreign(self) -> set[tuple[str, str, str]]:
        """(table, id, field) that are another member's ciphertext; such values stand in the rows as they are."""
        return {(row.table.name, row.id, name) for row in self.all_rows for name in row.foreign}

    @property
    def plaintext(self) -> set[tuple[str, str, str]]:
        """(table, id, field) that the registry calls private and that stand in clear on the server."""
        return {(row.table.name, row.id, name) for row in self.all_rows for name in row.plain}

    @property
    def sealed(self) -> set[tuple[str, str, str]]:
        """(table, id, field) that are encrypted although the registry does not name them."""
        kept = (row for row in self.all_rows if row.state != "gone")
        return {(row.table.name, row.id, name) for row in kept for name in row.private}

    def _collect(self, wanted: Callable[[Row], bool]) -> dict[str, dict[str, dict[str, JSON]]]:
        found: dict[str, dict[str, dict[str, JSON]]] = {}
        for row in self.all_rows:
            if row.table is not SAVED_ARTICLES and wanted(row):
                found.setdefault(row.table.name, {})[row.id] = row.values
        return found
