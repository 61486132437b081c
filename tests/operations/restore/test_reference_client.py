"""The reference client is only as good as its likeness to the web app: held against what the app's own code made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from manabackup.model import registry
from manabackup.model.projection.change import is_data
from manabackup.operations.restore.web_rule import replay
from manabackup.text import jsontext
from tests.support.reference_client import Client

FOLDER = Path(__file__).parents[3] / "fixtures" / "projection"
VECTORS = {path.stem.partition("-")[2]: jsontext.parse(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
REGISTRY = registry.load()
ABORTED = {"unknown-table", "transaction-abort"}
"""Vectors in which the app gives up a batch: what it does with the rest of one is no rule about a row."""
NUMERIC = {"insert-number-updatedAt-then-update"}
"""A number in the place of a time is beaten by a larger number alone; restore takes it for later than every time."""


def table_of(app: str, collection: str) -> str:
    table = REGISTRY.by_collection.get((app, collection))
    return table.name if table else collection


def client_of(vector: Any) -> Client:
    client = Client()
    for table, rows in vector.get("initial_state", {}).items():
        for row in rows:
            client.hold(table, row)
    for batch in vector["batches"]:
        by_table = defaultdict(list)
        for change in batch["changes"]:
            if isinstance(change, dict) and isinstance(change.get("table"), str):
                by_table[table_of(batch["appId"], change["table"])].append(change)
        for table, changes in by_table.items():
            client.apply(table, changes, vector["now"])
    return client


def bare(rows: Iterable[Any]) -> dict[str, Any]:
    """Id → values and stamps of the user's fields: JavaScript has ways of its own with ``__proto__``."""
    return {
        row["id"]: {
            "values": {name: value for name, value in row.items() if is_data(name)},
            "meta": {name: stamp for name, stamp in row["__fieldMeta"].items() if is_data(name)},
        }
        for row in rows
    }


def plain(value: Any) -> Any:
    """Numbers as floats, so that both sides compare."""
    if isinstance(value, jsontext.Number):
        return float(value.text)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", [name for name in VECTORS if name not in ABORTED])
def test_the_reference_client_holds_the_rows_that_the_web_app_holds(name: str) -> None:
    held = {table: bare(rows.values()) for table, rows in client_of(VECTORS[name]).tables.items() if rows}
    expected = {table: bare(rows) for table, rows in VECTORS[name]["expected"]["rows_raw"].items() if rows}
    assert plain(held) == plain(expected)


@pytest.mark.parametrize("name", [name for name in VECTORS if name not in ABORTED | NUMERIC])
def test_the_rule_that_restore_goes_by_shows_what_the_web_app_shows(name: str) -> None:
    vector = VECTORS[name]
    if "initial_state" in vector:
        pytest.skip("begins with rows that no change tells of")
    streams: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for batch in vector["batches"]:
        for change in batch["changes"]:
            if isinstance(change, dict) and isinstance(change.get("table"), str) and isinstance(change.get("id"), str):
                streams[table_of(batch["appId"], change["table"]), change["id"]].append(change)
    shown = {key: row for key, stream in streams.items() if (row := replay(stream, vector["now"])) is not None}
    expected = {
        (table, row["id"]): {name: value for name, value in row.items() if is_data(name)}
        for table, rows in vector["expected"]["rows_raw"].items()
        for row in rows
        if (table, row["id"]) in streams  # a renamed row has the id of no change
    }
    assert plain({key: row.values for key, row in shown.items()}) == plain(expected)


def test_a_client_without_a_time_in_an_insert_takes_its_own_clock_and_ignores_older_updates() -> None:
    insert = {"table": "tasks", "id": "a", "op": "insert", "data": {"title": "old"}}
    update = {
        "table": "tasks",
        "id": "a",
        "op": "update",
        "fields": {"title": {"value": "new", "at": "2026-05-01T00:00:00.000Z"}},
    }
    held, fresh = Client(), Client()
    held.apply("tasks", [insert], "2026-04-01T00:00:00.000Z")
    held.apply("tasks", [update], "2026-05-01T00:00:01.000Z")
    fresh.apply("tasks", [insert, update], "2026-06-01T00:00:00.000Z")
    assert held.shown("tasks")["a"]["title"] == "new"
    assert fresh.shown("tasks")["a"]["title"] == "old"
