"""What an archive says of itself, carried over into a rekeyed one without whose it was."""

from __future__ import annotations

from collections.abc import Mapping

from ...archive.manifest import Manifest
from ...archive.writer import About
from ...model import registry
from ...model.spaces import PERSONAL, SpaceNumbers
from ...rows.completeness import MOST_CASES, Completeness
from ...rows.identity import RowIds
from ...text.jsontext import JSON

NOBODY = "-"
"""Stands for the user id in the manifest of an archive that does not tell it."""
_COUNTS = ("changes", "rows", "live", "deleted")
_TEXTS = ("pulledAt", "searchedAt", "unknowable")
_OF_ACCOUNT = "account"
"""In place of a table: what such a case is about is the account itself, and its reason may name it."""


def carried_about(manifest: Manifest) -> About:
    """The manifest's keys that the web app knows, without the account's id."""
    schema_version = manifest.raw["schemaVersion"]
    return About(
        user_id=NOBODY,
        exported_at=manifest.exported_at,
        scope=manifest.raw["scope"],
        fields_plaintext=False,
        schema_version=schema_version if isinstance(schema_version, int) else 0,
    )


def carried_additions(
    manifest: Manifest, spaces: SpaceNumbers, completeness: dict[str, JSON] | None
) -> dict[str, JSON]:
    """The manifest's keys that the web app does not know, but for those of the key."""
    stated = carried_filter(manifest, spaces)
    return {
        "registryVersion": registry.load().version,
        "ciphertextMarked": True,
        **({"filter": stated} if stated else {}),
        **({"completeness": completeness} if completeness is not None else {}),
    }


def carried_filter(manifest: Manifest, spaces: SpaceNumbers) -> dict[str, JSON]:
    """The manifest's ``filter``, with numbers in place of the spaces' ids."""
    stated = manifest.raw.get("filter")
    if not isinstance(stated, dict):
        return {}
    carried: dict[str, JSON] = {key: stated[key] for key in ("tables", "asOf", "deleted") if key in stated}
    named = stated.get("spaces")
    if isinstance(named, list):
        carried["spaces"] = [
            name if name == PERSONAL else spaces.label(name) for name in named if isinstance(name, str)
        ]
    return carried


def carried_completeness(manifest: Manifest, ids: RowIds, problems: Completeness) -> dict[str, JSON] | None:
    """The manifest's ``completeness``, with what was lost on the way; None where there is nothing to say."""
    before = manifest.completeness
    if before is None and not problems.losses and not problems.notices:
        return None
    before = before or {}
    partial = before.get("status") == "partial" or problems.status == "partial"
    carried: dict[str, JSON] = {"status": "partial" if partial else "complete"}
    carried |= {key: before[key] for key in _COUNTS if type(before.get(key)) is int}
    carried |= {key: before[key] for key in _TEXTS if type(before.get(key)) is str}
    for group, own in problems.cases().items():
        kinds = _kinds(before.get(group), ids)
        for kind, found in own.items():
            held = kinds.setdefault(kind, {"count": 0, "cases": []})
            held["count"] += found["count"]
            held["cases"] = [*held["cases"], *found["cases"]][:MOST_CASES]
        carried[group] = dict(sorted(kinds.items()))
    return carried


def carried_case(case: Mapping[str, JSON], ids: RowIds) -> dict[str, JSON]:
    """A problem without the id of a space; what a case of the account says is left out."""
    table, identifier = case.get("table"), case.get("id")
    carried = dict(case)
    if isinstance(table, str) and isinstance(identifier, str):
        carried["id"] = ids.rewritten(table, identifier).id
    if table == _OF_ACCOUNT:
        carried.pop("reason", None)
    return carried


def _kinds(group: JSON, ids: RowIds) -> dict[str, dict[str, JSON]]:
    kinds: dict[str, dict[str, JSON]] = {}
    for kind, found in group.items() if isinstance(group, dict) else ():
        if isinstance(found, dict) and type(found.get("count")) is int and isinstance(found.get("cases"), list):
            cases = [carried_case(case, ids) for case in found["cases"] if isinstance(case, dict)]
            kinds[kind] = {"count": found["count"], "cases": cases}
    return kinds
