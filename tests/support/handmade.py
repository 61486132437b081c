"""Archives put together by hand, plain and sealed, so that any part of them can be another one.

Nothing here is shared with the package but the primitives, and the same call gives the same bytes everywhere. Source:
``formats/mana-v2.md``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .zips import Part, build, deflated, described, stored

PASSPHRASE = "correct horse battery staple"
SALT = bytes(range(16))
"""Test data, like the IV: nothing real is ever sealed under a known one."""
IV = bytes(range(12))
ITERATIONS = 100_000
"""The fewest that are accepted."""
ROWS = {"notes": b'{"id":"n-1","title":"Liebes Tagebuch"}\n{"id":"n-2"}\n', "tasks": b""}
WEB_APP = "mana-web"

Tables = Mapping[str, bytes]
"""Table → the text of its entry."""


def text(value: object, *, indent: int | None = 2) -> bytes:
    """A JSON text as a manifest has it."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode() + b"\n"


def known_keys(tables: Tables = ROWS, **changes: Any) -> dict[str, Any]:
    """The manifest's keys that the web app knows. A change to ``...`` takes a key away."""
    keys = {
        "formatVersion": 2,
        "schemaVersion": 0,
        "producedBy": "by hand",
        "exportedAt": "2026-05-01T12:00:00.000Z",
        "userId": "user-1",
        "scope": {"type": "full"},
        "rowCounts": {table: content.count(b"\n") for table, content in tables.items()},
        "fieldsPlaintext": True,
    }
    return {key: value for key, value in (keys | changes).items() if value is not ...}


def sums_of(parts: Sequence[Part], contents: Mapping[str, bytes]) -> bytes:
    """``SHA256SUMS`` over the entries that it covers."""
    covered = [
        part.name.decode() for part in parts if part.name.startswith((b"data/", b"meta/", b"account/", b"blobs/"))
    ]
    lines = [f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in covered]
    return "".join(lines).encode()


def entries(tables: Tables = ROWS) -> list[Part]:
    """The rows, without anything around them."""
    return [deflated(f"data/{table}.jsonl", content) for table, content in tables.items()]


def file_line(content: bytes, **changes: Any) -> dict[str, Any]:
    """A line of the index of files. A change to ``...`` takes a key away."""
    line = {
        "rows": [{"table": "notes", "id": "n-1", "field": "content"}],
        "ids": ["7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "type": "image/png",
    }
    return {key: value for key, value in (line | changes).items() if value is not ...}


def index_of(*lines: Mapping[str, Any]) -> bytes:
    """The index of files."""
    return b"".join(text(line, indent=None) for line in lines)


def with_files(*contents: bytes, index: bytes | None = None, **changes: Any) -> list[Part]:
    """The parts of a plain archive of ours with files; ``index`` is another than the true one, ``changes`` are to what
    the manifest says of them."""
    if index is None:
        ascending = sorted(contents, key=lambda content: hashlib.sha256(content).hexdigest())
        index = index_of(*map(file_line, ascending))
    stated = {
        "count": len(contents),
        "bytes": sum(map(len, contents)),
        "sha256": hashlib.sha256(index).hexdigest(),
        "references": len(contents),
        "leftOut": 0,
    }
    assets = {key: value for key, value in (stated | changes).items() if value is not ...}
    return ours(meta={"blobs": index}, files=contents, binaryAssets=assets)


def ours(
    tables: Tables = ROWS,
    *,
    meta: Tables | None = None,
    files: Sequence[bytes] = (),
    sums: bytes | None = None,
    **changes: Any,
) -> list[Part]:
    """The parts of a plain archive as this tool writes it: manifest, rows, meta lines, files, sums, README."""
    meta = meta or {}
    blobs = {f"blobs/{hashlib.sha256(content).hexdigest()}": content for content in files}
    parts = entries(tables) + [deflated(f"meta/{name}.jsonl", content) for name, content in meta.items()]
    parts += [stored(name, content) for name, content in blobs.items()]
    contents = {f"data/{name}.jsonl": content for name, content in tables.items()}
    contents |= {f"meta/{name}.jsonl": content for name, content in meta.items()}
    contents |= blobs
    listed = sums_of(parts, contents)
    content_name = hashlib.sha256(listed[: _end_of_data(listed)]).hexdigest()
    keys = known_keys(tables, **({"dataSha256": content_name} | changes))
    around = stored("SHA256SUMS", listed if sums is None else sums), stored("README.md", b"Rows.\n")
    return [stored("manifest.json", text(keys)), *parts, *around]


def of_the_web_app(tables: Tables = ROWS, **changes: Any) -> list[Part]:
    """The parts of a plain archive without anything that this tool adds."""
    keys = known_keys(tables, producedBy=WEB_APP, **changes)
    return [deflated("manifest.json", text(keys)), *entries(tables), deflated("README.md", b"Rows.\n")]


def body(
    parts: Sequence[Part], *, keys: Mapping[str, Any] | None = None, outer: Mapping[str, Any] | None = None
) -> bytes:
    """What this tool seals: nonce, rows, sums and the manifest that counts, which repeats the outer one."""
    rows = [part for part in parts if part.name not in (b"manifest.json", b"README.md")]
    described_rows = [described(part) for part in rows]
    inner = [stored(".nonce", bytes(32)), *described_rows]
    if keys is not None:
        inner.append(stored("manifest.json", text({**keys, **({} if outer is None else {"outer": outer})})))
    return build(inner)


@cache
def key_of(passphrase: str, salt: bytes, iterations: int) -> bytes:
    """PBKDF2-HMAC-SHA256."""
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, iterations, 32)


def seal_block(plaintext: bytes, *, iterations: int = ITERATIONS, salt: bytes = SALT, iv: bytes = IV) -> dict[str, Any]:
    """The manifest's ``passphrase``."""
    return {
        "kdf": "PBKDF2-SHA256",
        "kdfIterations": iterations,
        "kdfSaltBase64": base64.urlsafe_b64encode(salt).rstrip(b"=").decode(),
        "cipher": "AES-GCM-256",
        "ivBase64": base64.urlsafe_b64encode(iv).rstrip(b"=").decode(),
        "plaintextSha256": hashlib.sha256(plaintext).hexdigest(),
    }


def sealed_parts(
    plaintext: bytes,
    keys: Mapping[str, Any],
    *,
    with_hash: bool = True,
    block: Mapping[str, Any] | None = None,
    iterations: int = ITERATIONS,
    salt: bytes = SALT,
    iv: bytes = IV,
    **changes: Any,
) -> list[Part]:
    """The outer parts around a body; ``block`` and ``changes`` replace what would be honest, ``...`` takes it away."""
    sealed = AESGCM(key_of(PASSPHRASE, salt, iterations)).encrypt(iv, plaintext, None)
    stated = seal_block(plaintext, iterations=iterations, salt=salt, iv=iv) | dict(block or {})
    outer = {**keys, "passphrase": {key: value for key, value in stated.items() if value is not ...}}
    if with_hash:
        outer["sealedSha256"] = hashlib.sha256(sealed).hexdigest()
    outer = {key: value for key, value in (outer | changes).items() if value is not ...}
    return [
        stored("data.sealed", sealed),
        stored("manifest.json", text(outer)),
        stored("README.md", b"Sealed.\n"),
    ]


def sealed_by_us(tables: Tables = ROWS, *, inner: Mapping[str, Any] | None = None, **options: Any) -> list[Part]:
    """The outer parts of a sealed archive as this tool writes it; ``inner`` changes the manifest inside."""
    parts = ours(tables)
    keys = known_keys(tables)
    manifest = json.loads(parts[0].packed) | (inner or {})
    return sealed_parts(body(parts, keys=manifest, outer=keys), keys, **options)


def sealed_by_the_web_app(tables: Tables = ROWS, **options: Any) -> list[Part]:
    """The outer parts of a sealed archive without anything that this tool adds."""
    keys = known_keys(tables, producedBy=WEB_APP)
    return sealed_parts(build(entries(tables)), keys, with_hash=False, **options)


def _end_of_data(listed: bytes) -> int:
    return sum(len(line) for line in listed.splitlines(keepends=True) if b"  data/" in line)
