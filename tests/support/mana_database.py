"""Mana's databases in a real PostgreSQL, with what the embedded server holds put into them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from manabackup.crypto.kek import wrap
from manabackup.text.timestamps import format_timestamp

SCHEMA = (Path(__file__).parents[2] / "fixtures" / "sources" / "mana.sql").read_text()
KEK = bytes(range(100, 132))
_COLUMNS = (
    "id, app_id, table_name, record_id, user_id, op, data, field_meta, client_id, created_at, schema_version, actor, "
    "origin, space_id"
)


def fill(dsn: str, sandbox: Path) -> None:
    """Puts everything that lies in the folder of an embedded server, which is closed, into an empty database."""
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA.encode())
        copy_changes(connection, sandbox)
        copy_accounts(connection, sandbox)


def copy_changes(connection: psycopg.Connection[Any], sandbox: Path) -> None:
    """The log of the sync server, in its order."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY public.sync_changes ({_COLUMNS}) FROM STDIN".encode()) as copy,
    ):
        for row in _rows(sandbox):
            copy.write_row(row)


def _rows(sandbox: Path) -> Iterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(_file(sandbox, "changes"))) as log:
        for event, app, collection, user, client, at, space, version, body, tail in log.execute(
            "SELECT event_id, app, collection, user_id, client_id, created_at, space_id, schema_version, body, tail "
            "FROM changes ORDER BY seq"
        ):
            change = json.loads(b"{" + body + tail + b"}")
            data, times = columns_of(change)
            actor = json.dumps(change["actor"]) if "actor" in change else None
            yield (
                event, app, collection, change["id"], user, change["op"], data, times, client,
                format_timestamp(at), version, actor, change.get("origin"), space,
            )  # fmt: skip


def columns_of(change: dict[str, Any]) -> tuple[str | None, str]:
    """``data`` and ``field_meta`` of a change as it is on the wire."""
    if change["op"] == "insert":
        return json.dumps(change.get("data", {})), "{}"
    if change["op"] == "update":
        fields = change.get("fields", {})
        return (
            json.dumps({name: field["value"] for name, field in fields.items()}),
            json.dumps({name: field["at"] for name, field in fields.items()}),
        )
    return (json.dumps({"deletedAt": change["deletedAt"]}) if "deletedAt" in change else None), "{}"


def copy_accounts(connection: psycopg.Connection[Any], sandbox: Path) -> None:
    """Users, spaces, memberships and vaults."""
    with closing(sqlite3.connect(_file(sandbox, "accounts"))) as accounts, connection.cursor() as cursor:
        ask = accounts.execute
        cursor.executemany(
            "INSERT INTO auth.users (id, email, name) VALUES (%s, %s, %s)",
            ask("SELECT id, email, name FROM users").fetchall(),
        )
        cursor.executemany(
            "INSERT INTO auth.organizations (id, name, slug, metadata) VALUES (%s, %s, %s, %s)",
            ask("SELECT id, name, slug, metadata FROM spaces").fetchall(),
        )
        cursor.executemany(
            "INSERT INTO auth.members (id, organization_id, user_id, role) VALUES (%s, %s, %s, %s)",
            ask("SELECT id, space_id, user_id, role FROM members").fetchall(),
        )
        for user, key, wrapped, iv, zero_knowledge in ask(
            "SELECT user_id, master_key, recovery_wrapped_mk, recovery_iv, zero_knowledge FROM vaults"
        ):
            under_kek = (None, None) if zero_knowledge or key is None else wrap(KEK, key, os.urandom(12))
            cursor.execute(
                "INSERT INTO auth.encryption_vaults (user_id, wrapped_mk, wrap_iv, recovery_wrapped_mk, recovery_iv, "
                "zero_knowledge) VALUES (%s, %s, %s, %s, %s, %s)",
                (user, *under_kek, wrapped, iv, bool(zero_knowledge)),
            )


def _file(sandbox: Path, name: str) -> str:
    return str(sandbox / f"{name}.sqlite3")
