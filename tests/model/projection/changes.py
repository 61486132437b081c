"""Changes as the sync server sends them, in few words. ``T[n]`` is noon of the n-th of May 2026."""

from __future__ import annotations

from typing import Any

from manabackup.model import registry
from manabackup.model.projection import Record, fold

JSON = Any
T = [f"2026-05-{day:02d}T12:00:00.000Z" for day in range(32)]
NOW = "2026-06-01T12:00:00.000Z"

TASKS = registry.load().by_name["tasks"]  # space-scoped
SETTINGS = registry.load().by_name["userSettings"]  # user-scoped

XENIA = {"kind": "user", "principalId": "user-x", "displayName": "Xenia"}
WATCHER = {"kind": "ai", "principalId": "agent-1", "displayName": "Cashflow Watcher"}


def insert(data: JSON, at: str | None = None, **envelope: JSON) -> JSON:
    """An insert; ``at`` becomes its ``createdAt``."""
    dated = data if at is None else {**data, "createdAt": at}
    return {"table": "tasks", "id": "a", "op": "insert", "data": dated, **envelope}


def update(at: str | None, /, envelope: JSON = None, **fields: JSON) -> JSON:
    """An update of ``fields``; a double underscore in a name stands for a dot."""
    return update_of({name.replace("__", "."): value for name, value in fields.items()}, at, **(envelope or {}))


def update_of(values: JSON, at: str | None, **envelope: JSON) -> JSON:
    """An update whose field names need no spelling."""
    fields = {name: {"value": value} if at is None else {"value": value, "at": at} for name, value in values.items()}
    return {"table": "tasks", "id": "a", "op": "update", "fields": fields, **envelope}


def delete(at: str | None, **envelope: JSON) -> JSON:
    """A delete; without a time it removes the row."""
    return {"table": "tasks", "id": "a", "op": "delete", **({} if at is None else {"deletedAt": at}), **envelope}


def folded(*changes: JSON, **options: JSON) -> Record:
    """The record that these changes of one task amount to."""
    return fold(TASKS, changes, **options)


def oddities(record: Record) -> list[tuple[str, str | None]]:
    """Kind and field of everything noted."""
    return [(oddity.kind, oddity.field) for oddity in record.oddities]
