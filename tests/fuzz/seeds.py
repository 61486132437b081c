"""Inputs of the targets that are fine, and make a good start."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manabackup.crypto.fields import encrypt_with_iv
from tests.support import handmade, zips
from tests.support.v1_exports import KEY

from .checking import VECTORS


def programs() -> list[bytes]:
    return [bytes([kind, 1, action, 0, 0, 0, 0]) for kind in range(5) for action in range(19)]


def archives() -> list[bytes]:
    small = [path.read_bytes() for name in ("archives", "hostile") for path in sorted((VECTORS / name).glob("*.mana"))]
    weak = handmade.sealed_parts(zips.build(handmade.entries()), handmade.known_keys(), iterations=1)
    made = [handmade.ours(), handmade.of_the_web_app(), weak]
    return [content for content in small if len(content) < 2_000] + [zips.build(parts) for parts in made]


def values() -> list[bytes]:
    cases = json.loads((VECTORS / "enc.json").read_text())
    found: list[bytes] = [b'\0{"a":[1.0,"\\ud83d"]}', b'\0"\xff"']
    pending = [cases]
    while pending:
        value = pending.pop()
        if isinstance(value, str) and value.startswith("enc:1:") and len(value) < 300:
            found.append(value.removeprefix("enc:1:").encode("utf-8", "surrogatepass"))
        elif isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value
    return found[:60]


_CHANGE = {
    "eventId": "0196a000-0000-7000-8000-000000000001",
    "schemaVersion": 1,
    "table": "tasks",
    "id": "t-1",
    "op": "insert",
    "data": {"title": "x", "createdAt": "2026-05-01T10:00:00.000Z", "a": {"b": [1.5, None]}},
    "spaceId": "s",
    "actor": {"kind": "user", "principalId": "u"},
    "origin": "user",
}
_UPDATE = {
    "table": "tasks",
    "id": "t-1",
    "op": "update",
    "fields": {"title": {"value": "y", "at": "2026-05-02"}, "a.b": {"value": 1, "updatedAt": "2027"}},
}
_DELETE = {"table": "tasks", "id": "t-1", "op": "delete", "deletedAt": "2026-05-03T10:00:00.000Z"}
_SECRET = encrypt_with_iv(AESGCM(KEY), bytes(12), b'"Liebes Tagebuch"')
_PRIVATE = {**_CHANGE, "data": {"title": _SECRET, "spaceId": "s", "x": [_SECRET, {"y": _SECRET}]}}
CHANGES = [
    json.dumps(some).encode()
    for some in (
        [_CHANGE],
        [_CHANGE, _UPDATE, _DELETE],
        [_DELETE, _CHANGE, {}, []],
        [{**_CHANGE, "data": {"title": _SECRET, "spaceId": "s"}}],
        [_PRIVATE, {**_UPDATE, "fields": {"title": {"value": _SECRET, "at": _SECRET}}}],
    )
]
JSON = [
    b'{"a":1.50,"b":[true,false,null,-0,1e400,12345678901234567890123],"c":"\\ud83d\\u0041\xc3\xa4"}',
    b' [1e5, 1E-7 ,{"":{}}]\n',
    b'"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    b"[" * 1030 + b"]" * 1030,
]
META = [
    b'{"actor":0,"at":"2026","fields":{"title":{"actor":null,"at":"2025","origin":"user"}},"id":"n-1","origin":"user",'
    b'"sealed":["x"],"space":0,"omitted":["y"]}\n---\n{"kind":"user","principalId":"u"}\n\n---\n{"id":"s","type":"x"}\n',
]
