"""Accounts whose every change stands in the test, as a mirror holds them; and what an audit says of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manabackup.crypto.fields import FieldCipher, encrypt_with_iv
from manabackup.mirror import Batch, Mirror, prepare
from manabackup.model import registry
from manabackup.operations.audit.auditing import Audit, audit
from manabackup.operations.audit.vault import VaultState
from manabackup.operations.export import Source

FAR = "2999-01-01T00:00:00.000Z"
JSON = Any
REGISTRY = registry.load()
USER, OTHER_USER = "user-a", "user-b"
HOME, TEAM, ELSEWHERE = "space-home", "space-team", "space-elsewhere"
TYPES = {HOME: "personal", TEAM: "team"}
KEY = bytes(range(32))
CIPHER, OTHER_CIPHER = FieldCipher(KEY), FieldCipher(bytes(range(32, 64)))
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
T = [f"2026-05-{day:02d}T12:00:00.000Z" for day in range(1, 32)]
SOUND = VaultState("zero-knowledge", recovery_code=True)

Stored = tuple[str, str, JSON]
"""App, collection, change."""
Case = tuple[str, str | None, str | None, str | None]
"""Kind of finding, table, id, field."""


def insert(table: str, record: str, data: JSON, at: str | None = T[0], **more: Any) -> Stored:
    """A row of the personal space, unless it names another; ``at`` is its time."""
    found = REGISTRY.by_name[table]
    scope: JSON = {"spaceId": HOME} if found.scope == "space" else {"userId": USER}
    times = {} if at is None else {"createdAt": at}
    envelope = {"spaceId": data.get("spaceId", HOME)} if found.scope == "space" else {}
    whole = {"table": found.collection, "id": record, "op": "insert", "data": {**scope, **times, **data}}
    return found.app, found.collection, {**whole, **envelope, **more}


def update(table: str, record: str, values: JSON, at: str, **more: Any) -> Stored:
    """An update of some fields."""
    found = REGISTRY.by_name[table]
    fields = {name: {"value": value, "at": at} for name, value in values.items()}
    return (
        found.app,
        found.collection,
        {"table": found.collection, "id": record, "op": "update", "fields": fields, **more},
    )


def delete(table: str, record: str, at: str | None) -> Stored:
    """A delete; without a time it removes the row."""
    found = REGISTRY.by_name[table]
    time = {} if at is None else {"deletedAt": at}
    return found.app, found.collection, {"table": found.collection, "id": record, "op": "delete", **time}


def sealed(text: str = "geheim", cipher: FieldCipher = CIPHER) -> str:
    """A private value."""
    return cipher.encrypt(f'"{text}"'.encode())


def under_nonce(nonce: bytes, text: str) -> str:
    """A private value under a nonce that may have served before."""
    return encrypt_with_iv(AESGCM(KEY), nonce, f'"{text}"'.encode())


def respelled(value: str) -> str:
    """The same ciphertext in another spelling of base64."""
    nonce, _, rest = value.removeprefix("enc:1:").partition(".")
    return f"enc:1:{nonce}.{base64.b64encode(base64.b64decode(rest)).decode().rstrip('=')}"


def looked_at(folder: Path, stored: Sequence[Stored], vault: VaultState | None = SOUND, **options: Any) -> Audit:
    """What an audit of these changes says."""
    known: dict[str, Any] = {
        name: options.pop(name)
        for name in ("space_types", "memberships", "cipher", "notices", "losses")
        if name in options
    }
    with Mirror(folder / f"{uuid4().hex}.sqlite", sync_url="https://sync.example", user_id=USER) as mirror:
        mirror.begin_pull(compare=False)
        by_collection: dict[tuple[str, str], list[JSON]] = {}
        for app, collection, change in stored:
            by_collection.setdefault((app, collection), []).append({"eventId": str(uuid4()), **change})
        for (app, collection), changes in by_collection.items():
            mirror.store(app, {collection: Batch(prepare(changes), from_start=True)})
        for kind, app, collection in known.pop("losses", ()):
            mirror.add_loss(kind, app, collection, since=None, until=1_767_225_600_000_000)
        with mirror.snapshot() as snapshot:
            details: dict[str, Any] = {"cipher": CIPHER, "space_types": TYPES, **known}
            source = Source(snapshot, REGISTRY, USER, **details)
            return audit(source, vault, now=NOW, scratch=folder, **options)


def cases(found: Audit) -> set[Case]:
    """Everything that was found, by place."""
    return {
        (finding.kind.id, case.get("table"), case.get("id"), case.get("field"))
        for finding in found.findings
        for case in finding.cases or [{}]
    }


def only(found: set[Case], kind: str) -> list[tuple[Any, ...]]:
    """The places of a kind."""
    return sorted(case[1:] for case in found if case[0] == kind)
