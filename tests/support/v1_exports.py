"""Makes ``.mana`` v1 archives as the sync server streamed them, and the fixtures in ``fixtures/v1``.

``python -m tests.support.v1_exports`` writes the fixtures anew. Source of the form: ``formats/mana-v1.md``.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manabackup.crypto.fields import encrypt_with_iv
from manabackup.sandbox.gojson import marshal

FOLDER = Path(__file__).parents[2] / "fixtures" / "v1"
USER = "0196-user"
KEY = bytes(range(32))
"""Test data, like the IVs below."""
EXPORTED = datetime(2026, 4, 20, 9, 30, 15, tzinfo=UTC)

Change = dict[str, Any]


class _Stream(io.RawIOBase):
    """A response body: takes bytes and cannot go back."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.content += data
        return len(data)


def secret(number: int, value: object) -> str:
    """An encrypted field value under :data:`KEY`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return encrypt_with_iv(AESGCM(KEY), number.to_bytes(12, "big"), text)


def event_line(app: str, change: Change, number: int, received_at: str | None = None) -> bytes:
    """The event whose change a pull gives as ``change``: keys in the server's order, data sorted and HTML-escaped."""
    event: Change = {
        "eventId": change.get("eventId", str(UUID(int=number))),
        "schemaVersion": change.get("schemaVersion", 1),
        "appId": app,
        "table": change["table"],
        "id": change["id"],
        "op": change["op"],
    }
    if change["op"] == "update":
        event["data"] = {name: field["value"] for name, field in change["fields"].items()}
        event["fieldTimestamps"] = {name: field["at"] for name, field in change["fields"].items() if "at" in field}
    elif change["op"] == "insert":
        event["data"] = change.get("data", {})
    elif "deletedAt" in change:
        event["data"] = {"deletedAt": change["deletedAt"]}
    event["clientId"] = "6f0f8f1e-0000-4000-8000-000000000001"
    moment = datetime(2026, 4, 14, 8, 0, 0, tzinfo=UTC) + timedelta(microseconds=1_234_567 * number)
    event["createdAt"] = received_at or moment.isoformat().replace("+00:00", "Z")
    members = (marshal(key) + b":" + marshal(value) for key, value in event.items() if value != {})
    return b"{" + b",".join(members) + b"}"


def manifest_of(lines: Sequence[bytes], apps: Iterable[str], /, **overrides: object) -> Change:
    """The manifest; an override of None leaves its key out."""
    events = b"".join(line + b"\n" for line in lines)
    manifest: Change = {
        "formatVersion": 1,
        "schemaVersion": 1,
        "userId": USER,
        "createdAt": EXPORTED.isoformat().replace("+00:00", "Z"),
        "eventCount": len(lines),
        "eventsSha256": hashlib.sha256(events).hexdigest(),
        "apps": sorted(set(apps)),
        "producedBy": "mana-sync",
        **({"schemaVersionMin": 1, "schemaVersionMax": 1} if lines else {}),
        **overrides,
    }
    return {key: value for key, value in manifest.items() if value is not None}


def container(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A streamed ZIP: data descriptors, local sizes zero, a real modification time as DOS and as Unix time."""
    stream = _Stream()
    with zipfile.ZipFile(stream, "w") as written:
        for name, content in entries:
            info = zipfile.ZipInfo(name, EXPORTED.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = info.external_attr = 0
            info.extra = struct.pack("<2HBi", 0x5455, 5, 1, int(EXPORTED.timestamp()))
            with written.open(info, "w") as entry:
                entry.write(content)
    return bytes(stream.content)


def export(lines: Sequence[bytes], apps: Iterable[str], /, **overrides: object) -> bytes:
    """A whole v1 archive."""
    manifest = json.dumps(manifest_of(lines, apps, **overrides), indent=2).encode()
    events = b"".join(line + b"\n" for line in lines)
    return container([("events.jsonl", events), ("manifest.json", manifest)])


def _at(value: object, at: str) -> Change:
    return {"value": value, "at": at}


def life() -> list[tuple[str, Change]]:
    """A small account: (app, change as pulled), in the server's order."""
    return [
        # without any time in its data, edited offline before the server heard of it
        ("todo", _insert("tasks", "t-1", title=secret(1, "Milch kaufen"), isCompleted=False, spaceId="space-1")),
        ("notes", _insert("notes", "n-1", title=secret(2, "<Liebes> Tagebuch & Co.\u2028"), spaceId="space-1")),
        ("todo", _update("tasks", "t-1", title=_at(secret(3, "Hafermilch kaufen"), "2026-04-13T20:00:00.000Z"))),
        ("todo", _insert("projects", "p-1", name="<b>Haus</b> & Hof\u2029", createdAt="2026-04-13T19:00:00.000Z")),
        ("todo", _update("projects", "p-1", color=_at(None, "2026-04-14T08:00:03.000Z"))),
        ("notes", _update("notes", "n-1", content=_at(secret(4, 'a\n"b" 🔑'), "2026-04-14T08:00:04.000Z"))),
        ("wetter", _insert("locations", "w-1", name="Wien", lat=48.2, createdAt=1_776_000_000_000)),
        ("times", _insert("settings", "s-1", theme={"color": "red"}, userId=USER, updatedAt="2026-04-13T10:00:00Z")),
        ("times", _update("settings", "s-1", **{"theme.color": _at("blue", "2026-04-14T08:00:05.000Z")})),
        ("todo", _insert("tasks", "t-2", title="Klartext", createdAt="2026-04-14T07:00:00.000Z", order=1.5)),
        ("todo", {"table": "tasks", "id": "t-2", "op": "delete", "deletedAt": "2026-04-14T08:00:06.000Z"}),
        ("todo", _insert("tasks", "t-3", title=secret(5, "weg"))),
        ("todo", {"table": "tasks", "id": "t-3", "op": "delete"}),
        ("articles", _insert("articleImportJobs", "j-1", url="https://example.org/?a=1&b=<2>")),
        ("habitat", _insert("plants", "x-1", name="Farn")),
    ]


def _insert(table: str, record: str, **data: object) -> Change:
    return {"table": table, "id": record, "op": "insert", "data": {"id": record, **data}}


def _update(table: str, record: str, **fields: Change) -> Change:
    return {"table": table, "id": record, "op": "update", "fields": fields}


def life_lines() -> list[bytes]:
    """The events of :func:`life`."""
    return [event_line(app, change, number) for number, (app, change) in enumerate(life(), 1)]


def main() -> None:
    """Write the fixtures."""
    FOLDER.mkdir(exist_ok=True)
    lines = life_lines()
    apps = [app for app, _ in life()]
    manifest = json.dumps(manifest_of(lines, apps), indent=2).encode()
    events = b"".join(line + b"\n" for line in lines)
    (FOLDER / "life.mana").write_bytes(export(lines, apps))
    (FOLDER / "empty.mana").write_bytes(export([], []))
    (FOLDER / "no-manifest.mana").write_bytes(container([("events.jsonl", events)]))
    altered = events.replace(b"Wien", b"Graz")
    (FOLDER / "altered.mana").write_bytes(container([("events.jsonl", altered), ("manifest.json", manifest)]))
    newer = export([lines[0].replace(b'"schemaVersion":1', b'"schemaVersion":2')], ["todo"], schemaVersionMax=2)
    (FOLDER / "newer-schema.mana").write_bytes(newer)


if __name__ == "__main__":
    main()
