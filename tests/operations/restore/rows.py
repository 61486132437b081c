"""Rows of an archive and of a target, in few words; ``tests.model.projection.changes`` makes the target's changes."""

from __future__ import annotations

from typing import Any

from manabackup.crypto.fields import FieldCipher
from manabackup.model import registry
from manabackup.model.projection import fold
from manabackup.model.registry import Table
from manabackup.operations.restore.archived import ArchivedRow
from manabackup.operations.restore.decision import OnConflict, Reason, Rules, TargetRow
from manabackup.operations.restore.identity import RowDestination, TargetSpaces
from manabackup.operations.restore.writing import Work, Writer
from manabackup.rows.identity import columns
from manabackup.text import jsontext

JSON = Any
NOW = "2026-06-01T12:00:00.000Z"
USER = "user-b"
HOME = "space-home"
CLUB = "space-club"
SPACES = TargetSpaces(USER, {HOME: "personal", CLUB: "club"}, HOME)
REGISTRY = registry.load()
TASKS, SETTINGS, MISSIONS = (REGISTRY.by_name[name] for name in ("tasks", "userSettings", "aiMissions"))
CIPHER = FieldCipher(bytes(range(32)))


def archived(
    values: JSON,
    at: str = "",
    *,
    times: dict[str, str] | None = None,
    table: Table = TASKS,
    row_id: str = "a",
    **options: Any,
) -> ArchivedRow:
    """A row of an archive; ``at`` is the time of all fields that ``times`` does not name. Nothing in it is private."""
    named = columns(REGISTRY, table.name)
    return ArchivedRow(row_id, dict(values), times or {}, at, columns=named, **options)


def held(*changes: JSON, table: Table = TASKS) -> TargetRow | None:
    """What the target holds of a record."""
    if not changes:
        return None
    return TargetRow(fold(table, changes), list(changes), columns(REGISTRY, table.name))


def work(
    row: ArchivedRow,
    target: TargetRow | None,
    on_conflict: str = "overwrite",
    *,
    table: Table = TASKS,
    destination: RowDestination | Reason | None = None,
    spaces: TargetSpaces = SPACES,
    **rules: Any,
) -> Work:
    """What is to be done."""
    writer = Writer(spaces, Rules(NOW, OnConflict(on_conflict), **rules))
    default = RowDestination(HOME) if table.scope == "space" else RowDestination(None)
    return writer.work(row, target, table, default if destination is None else destination)


def sent(done: Work) -> list[JSON]:
    """Its changes, parsed."""
    return [jsontext.parse(text) for text in done.changes]


def outline(done: Work) -> tuple[str, str]:
    """Kind, and the operations that carry it out."""
    return done.decision.kind.value, " ".join(change["op"] for change in sent(done))


def present(values: JSON) -> JSON:
    """Without what is null: that counts as absent."""
    return {name: value for name, value in values.items() if value is not None}
