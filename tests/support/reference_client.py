"""A web client's local database under the web app's own rule, said as literally as it can be said.

Shares nothing with the package but the way JSON is read. Held against what the web app's own code made
(``fixtures/projection``); where a client holds rows and how its clock stands is the test's business.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

JSON = Any
Row = dict[str, JSON]

PLACEHOLDER = {"kind": "user", "principalId": "legacy:user", "displayName": "Du"}


def dropped(change: JSON) -> bool:
    """Whether the app does not even look at a change."""
    if not isinstance(change, dict):
        return True
    if not all(isinstance(change.get(name), str) and change[name] for name in ("table", "id")):
        return True
    if change.get("op") not in ("insert", "update", "delete"):
        return True
    if "fields" in change:
        fields = change["fields"]
        if not isinstance(fields, dict):
            return True
        for field in fields.values():
            if not isinstance(field, dict) or "value" not in field:
                return True
            if "at" in field and not isinstance(field["at"], str):
                return True
    if "data" in change and not isinstance(change["data"], (dict, list)):
        return True
    if any(name in change and not isinstance(change[name], str) for name in ("deletedAt", "eventId", "origin")):
        return True
    if "schemaVersion" in change and (
        isinstance(change["schemaVersion"], bool) or not isinstance(change["schemaVersion"], (int, float))
    ):
        return True
    return "actor" in change and not isinstance(change["actor"], dict)


def not_before(incoming: JSON, local: JSON) -> bool:
    """JavaScript's ``>=``: strings as strings, a number against a text that is none never."""
    if isinstance(incoming, str) and isinstance(local, str):
        return incoming >= local
    try:
        return number(incoming) >= number(local)
    except ValueError:
        return False


def number(value: JSON) -> float:
    """JavaScript's conversion of a text or a number."""
    return float(value) if value != "" else 0.0


class Client:
    """Rows by table and id, each with its ``__fieldMeta``."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Row]] = {}

    def copy(self) -> Client:
        """Another device in the same state."""
        other = Client()
        other.tables = copy.deepcopy(self.tables)
        return other

    def hold(self, table: str, row: Row) -> None:
        """Put a row into the database as it is."""
        self.tables.setdefault(table, {})[row["id"]] = copy.deepcopy(row)

    def apply(self, table: str, changes: Iterable[JSON], clock: str) -> None:
        """What came from the server for one table; a client's clock stands at ``clock``."""
        rows = self.tables.setdefault(table, {})
        for change in copy.deepcopy(list(changes)):
            if not dropped(change):
                self._apply(rows, change, clock)

    def clean_up(self, before: str) -> None:
        """Remove the rows that were put into the bin before this time, without a word to the server."""
        for rows in self.tables.values():
            for row_id in [
                row_id for row_id, row in rows.items() if row.get("deletedAt") and row["deletedAt"] < before
            ]:
                del rows[row_id]

    def shown(self, table: str) -> dict[str, Row]:
        """Id → values of the rows that are not in the bin, without the app's own bookkeeping."""
        return {
            row_id: {name: value for name, value in row.items() if name not in ("id", "__fieldMeta", "_updatedAtIndex")}
            for row_id, row in self.tables.get(table, {}).items()
            if not row.get("deletedAt")
        }

    def _apply(self, rows: dict[str, Row], change: JSON, clock: str) -> None:
        row = rows.get(change["id"])
        actor = change.get("actor", PLACEHOLDER)

        def stamp(at: JSON) -> JSON:
            return {"at": at, "actor": actor, "origin": "server-replay"}

        if change.get("deletedAt") or change["op"] == "delete":
            if row is None:
                return
            at = change.get("deletedAt")
            if not at:
                del rows[change["id"]]
                return
            held = row["__fieldMeta"].get("deletedAt", {}).get("at", row.get("deletedAt") or "")
            if not_before(at, held):
                row["deletedAt"] = row["_updatedAtIndex"] = at
                row["__fieldMeta"]["deletedAt"] = stamp(at)
        elif change["op"] == "insert":
            payload = change.get("data", change)
            if isinstance(payload, list):
                payload = {str(index): value for index, value in enumerate(payload)}
            time = clock
            for name in ("createdAt", "updatedAt"):
                if payload.get(name) is not None:
                    time = payload[name]
            if row is None:
                row = rows[change["id"]] = {**payload, "id": change["id"]}
                row["__fieldMeta"] = {name: stamp(time) for name in payload if name not in ("id", "__fieldMeta")}
                row["_updatedAtIndex"] = time
                return
            for name, value in payload.items():
                held = row["__fieldMeta"].get(name, {}).get("at", "")
                if name not in ("id", "__fieldMeta") and not_before(time, held):
                    row[name] = value
                    row["__fieldMeta"][name] = stamp(time)
                    row["_updatedAtIndex"] = time
        elif "fields" in change:
            fields = change["fields"]
            if row is None:
                row = {"id": change["id"], "__fieldMeta": {}}
                times = {name: field.get("at", clock) for name, field in fields.items()}
                row.update({name: field["value"] for name, field in fields.items()})
                row["__fieldMeta"] = {name: stamp(time) for name, time in times.items()}
                row["_updatedAtIndex"] = max(times.values(), default=clock)
                rows[row["id"]] = row
                return
            latest = ""
            meta = dict(row["__fieldMeta"])
            for name, field in fields.items():
                at = field.get("at", "")
                if not_before(at, meta.get(name, {}).get("at", "")):
                    written(row, name.split("."), field["value"])
                    meta[name] = stamp(at)
                    latest = max(latest, at)
            row["__fieldMeta"] = meta
            if latest:
                row["_updatedAtIndex"] = latest
            if row["id"] != change["id"]:
                del rows[change["id"]]
                rows[row["id"]] = row


def written(row: Row, path: list[str], value: JSON) -> None:
    """Set a value at a key path; what is missing on the way is made."""
    node = row
    for name in path[:-1]:
        if not node.get(name):
            node[name] = {}
        node = node[name]
        if not isinstance(node, dict):
            return
    node[path[-1]] = value
