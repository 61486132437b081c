"""The web app's own results (fixtures/projection): equal rows, or a reason why this tool differs on purpose."""

from __future__ import annotations

import base64
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from manabackup.crypto.fields import FieldCipher, is_encrypted
from manabackup.model import registry
from manabackup.model.projection import Record, Stamp, fold, from_field_meta
from manabackup.text import jsontext

FOLDER = Path(__file__).parents[3] / "fixtures" / "projection"
VECTORS = {path.stem.partition("-")[2]: jsontext.parse(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
REGISTRY = registry.load()

A = {"title": "A", "isCompleted": False, "order": 1, "createdAt": "2026-03-01T10:00:00.000Z"}

# Vector → why, and the rows that this tool makes of it.
DIFFERENT_ROWS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "insert-no-data-flattened": (
        "rule 9: without data an insert is empty, its envelope is no row",
        {"tasks": {"a": {}}},
    ),
    "insert-data-array": ("rule 9: data must be an object", {"tasks": {}}),
    "update-missing-at-existing": (
        "rule 4: an untimed field is applied in stream order",
        {"tasks": {"a": {**A, "title": "NO-AT", "brandNew": 1}}},
    ),
    "update-id-field": ("rule 7: an id is never changed", {"tasks": {"a": A, "zz": {"title": "x"}}}),
    "update-id-field-existing": ("rule 7: an id is never changed", {"tasks": {"a": {**A, "title": "x"}}}),
    "delete-unknown": (
        "rule 6: a delete is kept for an id not seen yet",
        {"tasks": {"a": {"deletedAt": "2026-03-03T10:00:00.000Z"}}},
    ),
    "deletedAt-on-insert-op": (
        "rule 6: a delete is kept for an id not seen yet",
        {"tasks": {"a": {"deletedAt": "2026-03-03T10:00:00.000Z"}}},
    ),
    "proto-and-odd-field-names": (
        "rule 7: names that start with __ are never data",
        {"tasks": {"a": {"constructor": 1, "toString": 2, "": 3, "a.b": 4, "createdAt": A["createdAt"]}}},
    ),
    "unknown-table": (
        "a batch has no meaning here, so an unknown collection takes nothing with it",
        {"tasks": {"a": A}, "nosuch": {"x": A}, "reminders": {"r": {"taskId": "a", "createdAt": A["createdAt"]}}},
    ),
    "transaction-abort": (
        "rule 7: an id is never changed, so nothing clashes and no batch is rolled back",
        {
            "reminders": {"r": {"taskId": "a", "createdAt": A["createdAt"]}},
            "tasks": {"a": {**A, "title": "moved"}, "b": {**A, "title": "B"}, "c": A},
        },
    ),
}

# Vectors with equal rows whose stamps differ, and why.
DIFFERENT_STAMPS = {
    "insert-no-timestamps": "rule 3: no clock is read",
    "insert-non-string-timestamps": "rule 2: a time is a string that is not empty",
    "insert-number-updatedAt-then-update": "rule 2: a time is a string",
    "update-missing-at-unknown": "rule 4: no clock is read",
    "update-fieldMeta-field": "rule 7: internal names have no stamp",
}

SAME_ROWS = [name for name in VECTORS if name not in DIFFERENT_ROWS]
PLACEHOLDER = "legacy:user"


def rows_of(vector: Any) -> dict[str, dict[str, Record]]:
    """Table → id → record; tables by name, unknown collections by theirs."""
    streams: dict[tuple[str, str], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for table, rows in vector.get("initial_state", {}).items():
        for row in rows:
            streams[REGISTRY.by_name[table].app, table][row["id"]] += as_changes(table, row)
    for batch in vector["batches"]:
        for change in batch["changes"]:
            streams[batch["appId"], change["table"]][change["id"]].append(change)
    folded: dict[str, dict[str, Record]] = {}
    for (app, collection), records in streams.items():
        table = REGISTRY.by_collection.get((app, collection))
        name = table.name if table else collection
        folded[name] = {record_id: fold(table, changes) for record_id, changes in records.items()}
    return folded


def as_changes(table: str, row: Any) -> list[Any]:
    """The updates that make a row with these stamps of nothing."""
    clean, stamps = from_field_meta(row)
    return [
        {
            "table": table,
            "id": row["id"],
            "op": "update",
            "fields": {name: {"value": value, "at": stamps[name].at}},
            "actor": stamps[name].actor,
            "origin": stamps[name].origin,
        }
        for name, value in clean.items()
        if name != "id"
    ]


def expected_rows(rows: Any) -> dict[str, dict[str, Any]]:
    """Table → id → values, without ``__fieldMeta`` and ``_updatedAtIndex``."""
    internal = ("id", "__fieldMeta", "_updatedAtIndex")
    return {
        table: {row["id"]: {name: value for name, value in row.items() if name not in internal} for row in of_table}
        for table, of_table in rows.items()
    }


def present(folded: dict[str, dict[str, Record]]) -> dict[str, dict[str, Any]]:
    return {
        table: {record_id: record.values for record_id, record in records.items() if record.state != "absent"}
        for table, records in folded.items()
    }


def without_empty(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {table: rows for table, rows in tables.items() if rows}


@pytest.mark.parametrize("name", SAME_ROWS)
def test_makes_the_rows_that_the_web_app_makes(name: str) -> None:
    rows = present(rows_of(VECTORS[name]))
    assert without_empty(rows) == without_empty(expected_rows(VECTORS[name]["expected"]["rows_raw"]))


@pytest.mark.parametrize("name", DIFFERENT_ROWS)
def test_differs_from_the_web_app_only_where_a_rule_says_so(name: str) -> None:
    reason, ours = DIFFERENT_ROWS[name]
    rows = present(rows_of(VECTORS[name]))
    assert without_empty(rows) == without_empty(ours), reason
    assert without_empty(rows) != without_empty(expected_rows(VECTORS[name]["expected"]["rows_raw"]))


@pytest.mark.parametrize("name", SAME_ROWS)
def test_values_open_to_what_the_web_app_shows(name: str) -> None:
    vector = VECTORS[name]
    cipher = None if name == "locked-vault" else FieldCipher(base64.b64decode(vector["key_b64"]))

    def opened(value: Any) -> Any:
        return jsontext.parse(cipher.decrypt(value)) if cipher and is_encrypted(value) else value

    rows = {
        table: {
            record_id: {field: opened(value) for field, value in row.items()} for record_id, row in of_table.items()
        }
        for table, of_table in present(rows_of(vector)).items()
    }
    assert without_empty(rows) == without_empty(expected_rows(vector["expected"]["rows_decrypted"]))


@pytest.mark.parametrize("name", SAME_ROWS)
def test_keeps_the_stamps_that_the_web_app_keeps(name: str) -> None:
    folded = rows_of(VECTORS[name])
    ours = {table: {row: of.stamps for row, of in rows.items() if of.stamps} for table, rows in folded.items()}
    theirs = {
        table: {row["id"]: stamps_of(row) for row in rows if row["__fieldMeta"]}
        for table, rows in VECTORS[name]["expected"]["rows_raw"].items()
    }
    shown = {
        table: {
            row: {field: (stamp.at, stamp.actor) for field, stamp in stamps.items()} for row, stamps in rows.items()
        }
        for table, rows in ours.items()
    }
    assert (without_empty(shown) == without_empty(theirs)) is (name not in DIFFERENT_STAMPS), DIFFERENT_STAMPS.get(name)


def stamps_of(row: Any) -> dict[str, Any]:
    """Time and actor by field; the web app puts a placeholder where a change names no actor."""
    return {
        name: (entry["at"], None if entry["actor"]["principalId"] == PLACEHOLDER else entry["actor"])
        for name, entry in row["__fieldMeta"].items()
    }


def test_every_vector_is_here_and_every_exception_names_one() -> None:
    assert len(VECTORS) == 47
    assert DIFFERENT_ROWS.keys() | DIFFERENT_STAMPS.keys() <= VECTORS.keys()


def test_rows_of_the_web_apps_own_archives_keep_their_stamps() -> None:
    row = VECTORS["conflict-signal"]["initial_state"]["tasks"][0]
    clean, stamps = from_field_meta(row)
    assert clean == {"id": "loc", "title": "mine", "order": 1}
    xenia = {"kind": "user", "principalId": "user-x", "displayName": "Xenia"}
    assert stamps == dict.fromkeys(("title", "order"), Stamp("2026-03-10T10:00:00.000Z", xenia, "user"))
