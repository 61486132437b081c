"""The rules once more, as literally and as slowly as they can be said; shares nothing with the package but ``Number``.

Works on plain JSON text: every step copies, nothing is remembered but the list of applied changes.
"""

from __future__ import annotations

import json
from typing import Any

JSON = Any


def copied(value: JSON) -> JSON:
    return json.loads(json.dumps(value))


def never_data(name: str) -> bool:
    head = name.split(".")[0]
    return head == "id" or head == "_updatedAtIndex" or head[:2] == "__"


def malformed(change: JSON) -> bool:
    if not isinstance(change, dict):
        return True
    change = {k: v for k, v in change.items() if not (k in ("actor", "deletedAt") and v is None)}
    for name in ("table", "id"):
        if not isinstance(change.get(name), str) or change[name] == "":
            return True
    if not isinstance(change.get("op"), str) or change["op"] not in ("insert", "update", "delete"):
        return True
    if "fields" in change:
        if not isinstance(change["fields"], dict):
            return True
        for field in change["fields"].values():
            if (
                not isinstance(field, dict)
                or "value" not in field
                or ("at" in field and not isinstance(field["at"], str))
            ):
                return True
    for name in ("deletedAt", "eventId", "origin"):
        if name in change and not isinstance(change[name], str):
            return True
    if "schemaVersion" in change and (
        isinstance(change["schemaVersion"], bool) or not isinstance(change["schemaVersion"], int)
    ):
        return True
    return ("data" in change and not isinstance(change["data"], dict)) or (
        "actor" in change and not isinstance(change["actor"], dict)
    )


def reference_fold(changes: list[JSON], space_scoped: bool) -> dict[str, JSON]:
    """``state``, ``values`` and ``stamps`` (``[at, actor, origin]`` by name) of one record."""
    row: dict[str, JSON] | None = None
    stamps: dict[str, list[JSON]] = {}
    untimed_inserts: list[str] = []
    space = None
    for change in [copied(c) for c in changes if not malformed(c)]:
        who = [change.get("actor"), change.get("origin")]
        if space is None and isinstance(change.get("spaceId"), str) and change["spaceId"] != "":
            space = change["spaceId"]
        if change.get("deletedAt"):
            row = {} if row is None else row
            if "deletedAt" not in stamps or change["deletedAt"] >= stamps["deletedAt"][0]:
                row["deletedAt"] = change["deletedAt"]
                stamps["deletedAt"] = [change["deletedAt"], *who]
        elif change["op"] == "delete":
            row, stamps, untimed_inserts = None, {}, []
        elif change["op"] == "insert":
            data = change.get("data", {})
            times = [data[k] for k in ("updatedAt", "createdAt") if isinstance(data.get(k), str) and data[k] != ""]
            if not times:
                text = json.dumps(data, sort_keys=True)
                if text in untimed_inserts:
                    continue
                untimed_inserts.append(text)
            row = {} if row is None else row
            for name in data:
                if never_data(name):
                    continue
                if not times:
                    row[name] = data[name]
                    if name not in stamps:
                        stamps[name] = ["", *who]
                elif name not in stamps or times[0] >= stamps[name][0]:
                    row[name] = data[name]
                    stamps[name] = [times[0], *who]
        elif "fields" in change:
            row = {} if row is None else row
            for name, field in sorted(change["fields"].items()):
                if never_data(name):
                    continue
                time = field.get("at") or (field["updatedAt"] if isinstance(field.get("updatedAt"), str) else "")
                if time and name in stamps and not time >= stamps[name][0]:
                    continue
                if "." in name:
                    written = written_at(row, name.split("."), field["value"])
                    if written is None:
                        continue
                    row = written
                else:
                    row[name] = field["value"]
                if time:
                    stamps[name] = [time, *who]
                elif name not in stamps:
                    stamps[name] = ["", *who]
    if row is None:
        return {"state": "absent", "values": {}, "stamps": {}}
    if space_scoped and row.get("spaceId") is None and space is not None:
        row["spaceId"] = space
    return {"state": "tombstone" if row.get("deletedAt") not in FALSY else "live", "values": row, "stamps": stamps}


FALSY = (None, False, 0, "")


def written_at(row: dict[str, JSON], path: list[str], value: JSON) -> dict[str, JSON] | None:
    """A copy of ``row`` with ``value`` at ``path``; ``None`` when the path runs through no object."""
    if len(path) == 1:
        return {**row, path[0]: value}
    parent = row.get(path[0])
    if parent is not None and not isinstance(parent, dict):
        return None
    inner = written_at(parent or {}, path[1:], value)
    return None if inner is None else {**row, path[0]: inner}
