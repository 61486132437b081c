"""Which entries an archive has, what they are called, and in which order they are listed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

MANIFEST = "manifest.json"
SEALED = "data.sealed"
README = "README.md"
SUMS = "SHA256SUMS"
NONCE = ".nonce"
V1_EVENTS = "events.jsonl"

Kind = Literal["manifest", "sealed", "readme", "sums", "nonce", "events", "data", "meta", "account", "other"]

_FIXED: dict[str, Kind] = {
    MANIFEST: "manifest",
    SEALED: "sealed",
    README: "readme",
    SUMS: "sums",
    NONCE: "nonce",
    V1_EVENTS: "events",
}
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]")
_WRITTEN = re.compile("[A-Za-z0-9_.%-]*")
_LONGEST = 200
_FOLDERS = ("data", "meta", "account")
_PLACES: dict[Kind, int] = {"manifest": 0, "sealed": 1, "data": 2, "meta": 3, "account": 4, "sums": 5, "readme": 6}


def kind(name: str) -> Kind | None:
    """What an entry is by its name; ``other`` is noted and ignored, None is refused (nested or absolute paths)."""
    if name in _FIXED:
        return _FIXED[name]
    if "\\" in name or "\0" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return None
    folder, slash, rest = name.partition("/")
    if not slash:
        return "other" if name not in ("", ".", "..") else None
    if "/" in rest or rest == ".." or folder in ("", ".", ".."):
        return None
    if folder == "account" and rest and not rest.startswith("."):
        return "account"
    if folder in ("data", "meta") and rest.endswith(".jsonl") and not rest.startswith("."):
        return "data" if folder == "data" else "meta"
    return "other"


def table_of(name: str) -> str:
    """The table (or other subject) of a ``data/`` or ``meta/`` entry."""
    return name.partition("/")[2].removesuffix(".jsonl")


def entry(folder: Literal["data", "meta"], table: str) -> str:
    """The entry of a table's rows or of their meta lines."""
    return f"{folder}/{table}.jsonl"


def unknown_table(app: str, collection: str) -> str:
    """The name under which a collection outside the registry is archived: ``<app>.<collection>``, percent-encoded.

    A dot in the app's name is encoded too, so that no two collections share a name; very long names end in a hash.
    """
    return _shortened(f"{_encode(app).replace('.', '%2E')}.{_encode(collection)}")


def written(name: str) -> str:
    """How this tool writes a table's or an account entry's name that another writer chose: percent-encoded likewise."""
    return name if _WRITTEN.fullmatch(name) else _shortened(_encode(name))


def written_entry(name: str) -> str:
    """:func:`written` for a whole entry of ``data/``, ``meta/`` or ``account/``."""
    folder, _, rest = name.partition("/")
    if folder in ("data", "meta"):
        return f"{folder}/{written(table_of(name))}.jsonl"
    return f"{folder}/{written(rest)}"


def _shortened(name: str) -> str:
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 33]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _encode(text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return _UNSAFE.sub(lambda match: b"%%%02X" % match.group()[0], raw).decode()


class EntryOrder:
    """Sort key of the central directory: manifest, data (registry order, then by name), meta, account, sums, README."""

    def __init__(self, tables: Sequence[str]) -> None:
        self._ranks = {table: rank for rank, table in enumerate(tables)}

    def __call__(self, name: str) -> tuple[int, int, str]:
        what = kind(name) or "other"
        rank = self._ranks.get(table_of(name), len(self._ranks)) if what in ("data", "meta") else 0
        return _PLACES.get(what, len(_PLACES)), rank, name
