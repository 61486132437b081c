"""Which entries an archive has, what they are called, and in which order they are listed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Literal

MANIFEST = "manifest.json"
SEALED = "data.sealed"
README = "README.md"
SUMS = "SHA256SUMS"
NONCE = ".nonce"
V1_EVENTS = "events.jsonl"

EntryKind = Literal[
    "manifest", "sealed", "readme", "sums", "nonce", "events", "data", "meta", "account", "blob", "other"
]

_FIXED: dict[str, EntryKind] = {
    MANIFEST: "manifest",
    SEALED: "sealed",
    README: "readme",
    SUMS: "sums",
    NONCE: "nonce",
    V1_EVENTS: "events",
}
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]")
_WRITTEN = re.compile("[A-Za-z0-9_.%-]*")
_BLOB = re.compile("[0-9a-f]{64}")
_SUBJECTS = ("actors", "spaces", "problems", "blobs")
"""What ``meta/`` is about besides tables."""
_CAPITAL = re.compile("%[0-9A-F]{2}|[A-Z]")
_LONGEST = 200
_FOLDERS = ("data", "meta", "account")
_ORDER: tuple[EntryKind, ...] = ("manifest", "sealed", "data", "meta", "account", "sums", "readme", "blob")
_PLACES = {what: place for place, what in enumerate(_ORDER)}


def kind(name: str) -> EntryKind | None:
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
    if folder == "blobs" and _BLOB.fullmatch(rest):
        return "blob"
    if folder in ("data", "meta") and rest.endswith(".jsonl") and not rest.startswith("."):
        return "data" if folder == "data" else "meta"
    return "other"


def table_of(name: str) -> str:
    """The table (or other subject) of a ``data/`` or ``meta/`` entry."""
    return name.partition("/")[2].removesuffix(".jsonl")


def entry(folder: Literal["data", "meta"], table: str) -> str:
    """The entry of a table's rows or of their meta lines."""
    return f"{folder}/{table}.jsonl"


def blob(sha256: str) -> str:
    """The entry of a file, by the SHA-256 of its content."""
    return f"blobs/{sha256}"


def blob_of(name: str) -> str:
    """The SHA-256 that the name of a ``blobs/`` entry states."""
    return name.removeprefix("blobs/")


def account_of(name: str) -> str:
    """The rest of the name of an ``account/`` entry."""
    return name.removeprefix("account/")


def unknown_table(app: str, collection: str) -> str:
    """The name under which a collection outside the registry is archived: ``<app>.<collection>``, percent-encoded.

    A dot in the app's name is encoded too, and one without a name is ``%``, so that no two collections share a name;
    very long names end in a hash.
    """
    return _shortened(f"{_encode(app).replace('.', '%2E') or '%'}.{_encode(collection)}")


def unknown_tables(collections: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """:func:`unknown_table` of all (app, collection) that one archive holds; see :func:`apart`."""
    found = {collection: unknown_table(*collection) for collection in collections}
    names = apart(found.values())
    return {collection: names[name] for collection, name in found.items()}


def written(name: str) -> str:
    """How this tool writes a table's or an account entry's name that another writer chose: percent-encoded likewise."""
    return _shortened(_visible(name if _WRITTEN.fullmatch(name) else _encode(name)))


def written_tables(tables: Iterable[str]) -> dict[str, str]:
    """:func:`written` of all tables of an archive, beside each other and what else ``meta/`` is about."""
    return written_names((*tables, *_SUBJECTS))


def written_names(names: Iterable[str]) -> dict[str, str]:
    """:func:`written` of all names in one folder of an archive; see :func:`apart`."""
    found = {name: written(name) for name in names}
    called = apart(found.values())
    return {name: called[new] for name, new in found.items()}


def apart(names: Iterable[str]) -> dict[str, str]:
    """Names of one folder as they are written beside each other: no two of them differ by case alone.

    Where some would, their capitals are percent-encoded, and what differs even then by the case of an escape gets a
    hash. For whoever unpacks an archive on a disk that takes ``Notes`` and ``notes`` for one file.
    """
    called = {name: name for name in names}
    for escaped in (_without_capitals, _with_hash):
        alike: dict[str, list[str]] = {}
        for name, new in called.items():
            alike.setdefault(new.lower(), []).append(name)
        for group in alike.values():
            if len(group) > 1:
                called.update((name, escaped(name)) for name in group)
    return called


def _without_capitals(name: str) -> str:
    return _shortened(_CAPITAL.sub(lambda match: match[0] if match[0][0] == "%" else f"%{ord(match[0]):02X}", name))


def _with_hash(name: str) -> str:
    return f"{name[: _LONGEST - 33]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else _with_hash(name)


def _visible(name: str) -> str:
    """A name that no reader passes over: neither empty nor with a dot at its beginning."""
    return f"%2E{name[1:]}" if name.startswith(".") else name or "%"


def _encode(text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return _UNSAFE.sub(lambda match: b"%%%02X" % match.group()[0], raw).decode()


class EntryOrder:
    """Sort key of the central directory: manifest, data (registry order, then by name), meta, account, sums, README,
    files.

    Files come last: the web app's reader sees the first 65,535 entries and needs none of them.
    """

    def __init__(self, tables: Sequence[str]) -> None:
        self._ranks = {table: rank for rank, table in enumerate(tables)}

    def __call__(self, name: str) -> tuple[int, int, str]:
        what = kind(name) or "other"
        rank = self._ranks.get(table_of(name), len(self._ranks)) if what in ("data", "meta") else 0
        return _PLACES.get(what, len(_PLACES)), rank, name
