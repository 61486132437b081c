"""Rows that are loaded are told of in the outbox that a profile names, each content of each row once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import SourceError, UsageError
from manabackup.operations.databases import StorePlaces
from tests.support import postgres
from tests.support.loads import SHOP, asked, export, lines, load, profile_of, run_sql

OUTBOX = """
[outbox]
table = "main.behavior_outbox"
id = "id"
key = "idempotency_key"
type = "event_type"
payload = "payload_json"
created_at = "created_at"
position = { table = "main.behavior_projection_state", column = "last_processed_id" }
[tables."main.behavior_outbox"]
class = "system"
why = "events"
[tables."main.behavior_projection_state"]
class = "system"
why = "how far projectors are"
"""
PROFILE = SHOP + OUTBOX
SHAPE = (
    "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, password text)",
    "CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, note text)",
    "CREATE TABLE behavior_projection_state (projector text, last_processed_id int, last_processed_at text)",
)
EVENTS = {
    "postgresql": "CREATE TABLE behavior_outbox (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, "
    "idempotency_key text NOT NULL, event_type text NOT NULL, payload_json jsonb NOT NULL, created_at timestamptz)",
    "sqlite": "CREATE TABLE behavior_outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "idempotency_key text NOT NULL, event_type text NOT NULL, payload_json text NOT NULL, created_at text)",
}
FILL = (
    "INSERT INTO people VALUES (1, 'Anna', 'hunter2')",
    "INSERT INTO orders VALUES (10, 1, 'it''s; DROP TABLE x --'), (11, 1, NULL)",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A database with Anna's rows, and one without."""
    shape = [*SHAPE, EVENTS[request.param]]
    if request.param == "sqlite":
        source, target = (StorePlaces({"main": tmp_path / f"{name}.sqlite"}) for name in ("source", "target"))
        run_sql(source, *shape, *FILL)
        run_sql(target, *shape)
        yield source, target
        return
    server = request.getfixturevalue("server")
    script = ";".join(shape)
    with postgres.database(server, f"{script}; {';'.join(FILL)}") as one, postgres.database(server, script) as two:
        yield StorePlaces(dsn=one), StorePlaces(dsn=two)


def test_every_row_that_is_written_is_told_of_once(both: tuple[StorePlaces, StorePlaces], tmp_path: Path) -> None:
    source, target = both
    profile = profile_of(PROFILE)
    export(source, tmp_path / "a.mana", profile)
    assert load(tmp_path / "a.mana", profile, target, dry_run=True).events is None
    done = load(tmp_path / "a.mana", profile, target)
    assert (done.written, done.events) == (3, 3)
    told = asked(
        target, "SELECT idempotency_key, event_type, payload_json, created_at FROM behavior_outbox ORDER BY id"
    )
    assert sorted(event for _, event, _, _ in told) == ["orders.loaded", "orders.loaded", "people.loaded"]
    assert all(re.fullmatch("manabackup:[0-9a-f]{64}", key) for key, *_ in told)
    assert all(at is not None for *_, at in told)
    payloads = [json.loads(payload) if isinstance(payload, str) else payload for _, _, payload, _ in told]
    archived = {f"shop.{each['table']}": each["row"] for each in payloads if each["table"] == "people"}
    assert archived == {"shop.people": json.loads(lines(tmp_path / "a.mana")["shop.people"][0])}
    # People before what refers to them, as a projector wants to hear of them.
    assert told[0][1] == "people.loaded"

    again = load(tmp_path / "a.mana", profile, target)
    assert (again.written, again.events) == (0, 0)
    run_sql(target, "DELETE FROM orders")
    restored = load(tmp_path / "a.mana", profile, target)
    assert (restored.written, restored.events) == (2, 0), "this content of these rows was told of"
    run_sql(source, "UPDATE orders SET note = 'new' WHERE id = 10")
    export(source, tmp_path / "b.mana", profile)
    changed = load(tmp_path / "b.mana", profile, target, on_conflict="overwrite")
    assert (changed.written, changed.events) == (1, 1)
    kept = load(tmp_path / "a.mana", profile, target, on_conflict="skip")
    assert (kept.written, kept.events) == (0, 0)


def test_events_that_no_projector_would_see_end_it(both: tuple[StorePlaces, StorePlaces], tmp_path: Path) -> None:
    source, target = both
    profile = profile_of(PROFILE)
    export(source, tmp_path / "a.mana", profile)
    run_sql(target, "INSERT INTO behavior_projection_state VALUES ('stats', 1000, NULL), ('other', NULL, NULL)")
    with pytest.raises(SourceError, match="new events would stand before where a projector is already"):
        load(tmp_path / "a.mana", profile, target)
    for table in ("people", "orders", "behavior_outbox"):
        assert asked(target, f"SELECT count(*) FROM {table}") == [(0,)]
    run_sql(target, "UPDATE behavior_projection_state SET last_processed_id = 0")
    assert load(tmp_path / "a.mana", profile, target).events == 3


def test_a_database_without_the_outbox_is_refused(both: tuple[StorePlaces, StorePlaces], tmp_path: Path) -> None:
    source, target = both
    profile = profile_of(PROFILE)
    export(source, tmp_path / "a.mana", profile)
    run_sql(target, "DROP TABLE behavior_projection_state")
    with pytest.raises(SourceError, match=r"behavior_projection_state, column last_processed_id"):
        load(tmp_path / "a.mana", profile, target)
    assert asked(target, "SELECT count(*) FROM people") == [(0,)]


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace('type = "event_type"\n', ""), "outbox.type: is missing"),
        (lambda text: text.replace('id = "id"\nkey', "key"), "outbox.id: is missing"),
        (lambda text: text.replace('"event_type"', '"id"'), "names a column twice"),
        (lambda text: text.replace('table = "main.behavior_outbox"', 'table = "main.orders"'), "outbox.table: is no"),
        (lambda text: text.replace('table = "main.behavior_outbox"', 'table = "main.none"'), "outbox.table: is no"),
        (lambda text: text.replace('{ table = "main.behavior_proj', '{ table = "main.proj'), "outbox.position: is no"),
        (lambda text: text.replace("payload = ", "sql = 1\npayload = "), "outbox.sql: is no key of a profile"),
    ],
)
def test_an_outbox_keeps_to_rules(change: Change, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        profile_of(change(PROFILE))
    assert told in raised.value.message
