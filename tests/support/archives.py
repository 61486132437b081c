"""Archives whose every row stands in the test, and what is read of them without the code under test."""

from __future__ import annotations

import base64
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import strategies as st

from manabackup.archive.blobs import BinaryAssets
from manabackup.archive.writer import About, ArchiveWriter, Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.rows.archived import row_line
from manabackup.rows.blobs import IndexedFile
from manabackup.text import jsontext

Row = Mapping[str, Any]
USER = "k3Vb7TzQ1mWcX9sRfL2dYpHn6JgA8eUo"
PERSONAL = "Q7rTn2LxPz5VbKd0HsYwM"
TEAM = "T9eAmZq4WsXcRfVbGyHnUjMkLpOiQwEr"
SPACES = ({"id": PERSONAL, "type": "personal"}, {"id": TEAM, "type": "team"}, {"id": f"_personal:{USER}"})
ANNA = {"kind": "user", "principalId": USER, "displayName": "Anna Beispiel"}
ACTORS = (ANNA, {"kind": "ai", "principalId": "agent-7", "displayName": "Mana", "missionId": "m-1"})


def _base64(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size + 40).map(lambda data: base64.b64encode(data).decode())


LIKE_CIPHERTEXT = st.one_of(
    st.text(max_size=60).map("enc:1:{}".format),
    st.builds(
        "enc:1:{}.{}".format,
        st.binary(min_size=12, max_size=12).map(lambda iv: base64.b64encode(iv).decode()),
        _base64(17),
    ),
    st.just("enc:1:AAECAwQFBgcICQoL.ZUWk2HMmXX63YXULL9wkGOfutFAS+8NeTKy/wGDhuDel/x5c9OAeBA=="),
    st.builds(lambda text: FieldCipher(bytes(range(32))).encrypt(jsontext.dumps(text)), st.text(max_size=20)),
)
"""Texts that begin like ciphertext; some have the whole form of it, and some open under a key that tests use."""


def meta_of(row: Row, **more: Any) -> dict[str, Any]:
    """A meta line that says nothing but what ``more`` says."""
    return {"id": row["id"], "at": None, "actor": None, "origin": None, "fields": {}, "sealed": [], **more}


def ours(
    path: Path,
    tables: Mapping[str, Sequence[Row | bytes]],
    *,
    meta: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    actors: Sequence[Row] = ACTORS,
    spaces: Sequence[Row] = SPACES,
    problems: Sequence[Row] = (),
    account: Mapping[str, bytes] | None = None,
    files: Sequence[tuple[bytes, IndexedFile]] = (),
    additions: Mapping[str, Any] | None = None,
    user_id: str = USER,
    fields_plaintext: bool = True,
    seal: Seal | None = None,
) -> Path:
    """An archive as this tool writes it, the rows and meta lines in the order given."""
    with path.open("w+b") as file:
        writer = ArchiveWriter(file, tables=list(tables), seal=seal, make_spool_file=tempfile.TemporaryFile)
        for name, rows in tables.items():
            table = writer.table(name)
            for row in rows:
                table.add(row if isinstance(row, bytes) else row_line(row))
            for line in (meta or {}).get(name, ()):
                table.add_meta(jsontext.dumps(dict(line)))
            table.close()
        for subject, lines in (("actors", actors), ("spaces", spaces), ("problems", problems)):
            if lines:
                writer.add(f"meta/{subject}.jsonl", b"".join(jsontext.dumps(dict(line)) + b"\n" for line in lines))
        for name, told in (account or {}).items():
            writer.add(f"account/{name}", told)
        index = writer.spool("meta/blobs.jsonl") if files else None
        for content, indexed in sorted(files, key=lambda file: str(file[1].sha256)):
            assert index is not None
            writer.file(str(indexed.sha256), len(content), [content])
            index.add(indexed.text())
        if index is not None:
            index.close()
        about = About(user_id, "2026-05-01T12:00:00.000Z", {"type": "full"}, fields_plaintext=fields_plaintext)
        writer.finish(about, dict(additions or {}), assets=BinaryAssets(len(files), 0) if files else None)
    return path


def web(path: Path, tables: Mapping[str, Sequence[Row]], **manifest: Any) -> Path:
    """An archive as the web app writes it: keys and rows in any order, no additions."""
    outer = {
        "formatVersion": 2,
        "schemaVersion": 56,
        "producedBy": "mana-web",
        "exportedAt": "2026-05-01T12:00:00.000Z",
        "userId": USER,
        "scope": {"type": "full"},
        "rowCounts": {},
        "fieldsPlaintext": True,
        **manifest,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("manifest.json", json.dumps(outer))
        for table, rows in tables.items():
            container.writestr(f"data/{table}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return path


def entries(path: Path) -> dict[str, bytes]:
    """Name → content."""
    with zipfile.ZipFile(path) as container:
        return {name: container.read(name) for name in container.namelist()}


def lines(path: Path, name: str) -> list[dict[str, Any]]:
    """The parsed lines of an entry of JSON Lines; none when there is no such entry."""
    return [jsontext.parse(line) for line in entries(path).get(name, b"").splitlines()]


def rows(path: Path, table: str) -> dict[str, dict[str, Any]]:
    """id → row."""
    return {row["id"]: row for row in lines(path, f"data/{table}.jsonl")}


def tables_of(path: Path) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """(table, its rows) of a plain archive."""
    for name in entries(path):
        if name.startswith("data/"):
            table = name.removeprefix("data/").removesuffix(".jsonl")
            yield table, rows(path, table)


def manifest(path: Path) -> dict[str, Any]:
    """The outer manifest."""
    found: dict[str, Any] = json.loads(entries(path)["manifest.json"])
    return found


def opened(value: str, key: bytes) -> bytes:
    """The plaintext of an encrypted value, as any AES-GCM opens it (``formats/mana-v2.md``, "Encrypted values")."""
    assert value.startswith("enc:1:")
    iv, _, sealed = value.removeprefix("enc:1:").partition(".")
    assert len(base64.b64decode(iv, validate=True)) == 12
    return AESGCM(key).decrypt(base64.b64decode(iv), base64.b64decode(sealed, validate=True), None)
