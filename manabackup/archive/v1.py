"""Opens the older archives, ``.mana`` v1: the events of one user as the sync server exported them in April 2026.

A ZIP of ``events.jsonl`` and ``manifest.json``. An event is a stored change with its data and field times apart; here
it becomes the change that a pull of the sync server would have given. Values of an update that were stored without a
time, which a pull leaves out, come along untimed. Source: ``formats/mana-v1.md``.

The container is checked before a byte is inflated, as that of a v2 archive is. What can be said only at the end of the
events (their number and SHA-256) is said when :meth:`EventArchive.events` ends: use nothing before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from ..errors import DamagedArchiveError, JSONTextError
from ..limits import DEFAULT_LIMITS, Limits
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.timestamps import parse_timestamp
from . import names
from .container import Container, printable
from .lines import line_blocks
from .manifest import parse_any_manifest
from .named import damage_named
from .places import Location
from .sources import reading

FORMAT_VERSION = 1
NEWEST_SCHEMA = 1
"""The schema version of events; the web app of that time refused newer ones, and no older one exists."""
_COMMON_KEYS = ("eventId", "schemaVersion", "table", "id", "op")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class EventManifest:
    """What a v1 archive says of itself, checked."""

    user_id: str
    created_at: str
    """When the server made the export, RFC 3339."""
    event_count: int
    events_sha256: str
    """Lower-case hex, of the uncompressed ``events.jsonl``."""
    apps: tuple[str, ...]
    produced_by: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event: where it belongs, and the change that a pull would have given."""

    app: str
    collection: str
    """The server's name of the table."""
    change: dict[str, JSON]
    received_at: str
    """When the server took it, RFC 3339 with microseconds; the writing device may have written it long before."""


@dataclass
class EventArchive:
    """An open v1 archive. Use as a context manager."""

    path: Location
    size: int
    container: Container
    manifest: EventManifest
    notes: list[str] = field(default_factory=list)
    """Oddities that lose nothing."""
    _resources: ExitStack = field(default_factory=ExitStack)
    _limits: Limits = DEFAULT_LIMITS

    def events(self) -> Iterator[Event]:
        """The events in the server's order, each once.

        When the iterator ends, size, CRC-32, SHA-256 and number of the events have been checked. Raises
        :class:`DamagedArchiveError` naming the line, never content.
        """
        whole = hashlib.sha256()
        last = (0, "")
        seen: set[bytes] | None = None
        number = repeated = 0
        for number, line in self._lines(whole):
            event, key = _event(line, f"{names.V1_EVENTS}:{number}")
            # The server's events ascend by time and id. Where others do not, they may repeat, and that takes memory.
            if seen is None and key <= last:
                seen = self._first_ids(number - 1)
            last = key
            if seen is not None:
                digest = _digest(key[1])
                if digest in seen:
                    repeated += 1
                    continue
                seen.add(digest)
            yield event
        if whole.hexdigest() != self.manifest.events_sha256:
            raise DamagedArchiveError(
                "its SHA-256 is not the one in the manifest", code="eventsSha256", where=names.V1_EVENTS
            )
        if number != self.manifest.event_count:
            message = f"the manifest counts {self.manifest.event_count:,} events, there are {number:,}"
            raise DamagedArchiveError(message, code="counts", where=names.MANIFEST)
        if repeated:
            self.notes.append(f"{repeated:,} events stand twice and count once")

    def close(self) -> None:
        """Let go of the file."""
        self._resources.close()

    def __enter__(self) -> EventArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lines(self, whole: hashlib._Hash) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, text); ``whole`` is told every byte."""

        def told() -> Iterator[bytes]:
            for chunk in self.container.chunks(self.container.entries[names.V1_EVENTS]):
                whole.update(chunk)
                yield chunk

        number = 0
        for lines in line_blocks(told(), self._limits.line_bytes, names.V1_EVENTS):
            for line in lines:
                number += 1
                yield number, line

    def _first_ids(self, count: int) -> set[bytes]:
        """Digests of the ids of the first ``count`` events."""
        seen: set[bytes] = set()
        for number, line in self._lines(hashlib.sha256()):
            if number > count:
                break
            seen.add(_digest(_event(line, "")[1][1]))
        return seen


def holds_events(container: Container, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether a container is a v1 archive, be it a truncated one."""
    if names.V1_EVENTS not in container.entries:
        return False
    entry = container.entries.get(names.MANIFEST)
    if entry is None:
        return True
    return parse_any_manifest(container.read(entry, limits.manifest_bytes)).get("formatVersion") == FORMAT_VERSION


def open_events(path: Location, limits: Limits = DEFAULT_LIMITS) -> EventArchive:
    """Open a v1 archive for reading its events.

    Raises :class:`DamagedArchiveError` (code ``formatVersion`` for archives of another version) and
    :class:`NotFoundError`.
    """
    with damage_named(path), ExitStack() as opening:
        source = opening.enter_context(reading(path))
        container = Container(source, limits, at_once=isinstance(path, Path))
        entry = container.entries.get(names.MANIFEST)
        if entry is None:
            if names.V1_EVENTS in container.entries:
                # The server wrote the manifest last, and closed the ZIP even when it had failed before.
                raise DamagedArchiveError("has events but no manifest.json: the export was cut off", code="truncated")
            raise DamagedArchiveError("has no manifest.json: not a .mana archive", code="notAnArchive")
        manifest = _manifest(parse_any_manifest(container.read(entry, limits.manifest_bytes)))
        if names.V1_EVENTS not in container.entries:
            raise DamagedArchiveError("is missing", code="missing", where=names.V1_EVENTS)
        others = container.entries.keys() - {names.MANIFEST, names.V1_EVENTS}
        notes = [f"unknown entry {printable(name)}" for name in sorted(others)]
        return EventArchive(path, source.size, container, manifest, notes, opening.pop_all(), limits)


def _manifest(raw: dict[str, JSON]) -> EventManifest:
    version = raw.get("formatVersion")
    if type(version) is not int or version != FORMAT_VERSION:
        raise _damaged("not of format version 1", code="formatVersion")
    user_id, created_at, apps = raw.get("userId"), raw.get("createdAt"), raw.get("apps")
    count, digest = raw.get("eventCount"), raw.get("eventsSha256")
    if type(user_id) is not str or not user_id:
        raise _damaged("userId is missing")
    if type(created_at) is not str:
        raise _damaged("createdAt is missing")
    if type(count) is not int or count < 0:
        raise _damaged("eventCount is not a number of events")
    if type(digest) is not str or _SHA256.fullmatch(digest) is None:
        raise _damaged("eventsSha256 is not a SHA-256")
    # Go writes a list that was never filled as null.
    if apps is not None and (type(apps) is not list or any(type(app) is not str for app in apps)):
        raise _damaged("apps is not a list of names")
    for key in ("schemaVersion", "schemaVersionMin", "schemaVersionMax"):
        _check_schema(raw.get(key, NEWEST_SCHEMA), key)
    producer = raw.get("producedBy")
    return EventManifest(
        user_id, created_at, count, digest, tuple(apps or ()), producer if type(producer) is str else ""
    )


def _check_schema(version: JSON, key: str) -> None:
    if type(version) is not int:
        raise _damaged(f"{key} is not a number")
    if version > NEWEST_SCHEMA:
        message = f"holds events of schema {version}; this version reads schema {NEWEST_SCHEMA}"
        raise _damaged(message, code="schemaVersion")


def _event(line: bytes, where: str) -> tuple[Event, tuple[int, str]]:
    """An event, and what the server sorted it by."""
    try:
        raw = jsontext.parse(line)
    except JSONTextError:
        raise DamagedArchiveError("not one JSON value in UTF-8", code="line", where=where) from None
    if type(raw) is not dict:
        raise DamagedArchiveError("not a JSON object", code="line", where=where)
    event_id, app, collection, received_at = (
        _text(raw, key, where) for key in ("eventId", "appId", "table", "createdAt")
    )
    try:
        received = parse_timestamp(received_at)
    except (ValueError, OverflowError):
        raise DamagedArchiveError("createdAt is not a time", code="line", where=where) from None
    version = raw.get("schemaVersion")
    if type(version) is int and version > NEWEST_SCHEMA:
        raise DamagedArchiveError("of a newer schema than the manifest says", code="schemaVersion", where=where)
    return Event(app, collection, _change(raw, where), received_at), (received, event_id)


def _change(raw: dict[str, JSON], where: str) -> dict[str, JSON]:
    """The change as the wire carries it. Whether it makes sense is the projection's business."""
    data, stamps = _object(raw, "data", where), _object(raw, "fieldTimestamps", where)
    change: dict[str, JSON] = {key: raw[key] for key in _COMMON_KEYS if key in raw}
    operation = change.get("op")
    if operation == "insert":
        change["data"] = data
    elif operation == "update":
        # A removed field travelled as a time without a value, which the server gives out as null.
        fields: dict[str, JSON] = {name: {"value": data.get(name), "at": at} for name, at in stamps.items()}
        fields.update({name: {"value": value} for name, value in data.items() if name not in stamps})
        change["fields"] = fields
    elif operation == "delete" and "deletedAt" in data:
        change["deletedAt"] = data["deletedAt"]
    return change


def _text(raw: dict[str, JSON], key: str, where: str) -> str:
    value = raw.get(key)
    if type(value) is not str or not value:
        raise DamagedArchiveError(f"has no string {key}", code="line", where=where)
    return value


def _object(raw: dict[str, JSON], key: str, where: str) -> dict[str, JSON]:
    value = raw.get(key)
    if value is None:
        return {}
    if type(value) is not dict:
        raise DamagedArchiveError(f"{key} is not an object", code="line", where=where)
    return value


def _digest(event_id: str) -> bytes:
    return hashlib.blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _damaged(message: str, code: str = "manifest") -> DamagedArchiveError:
    return DamagedArchiveError(message, code=code, where=names.MANIFEST)
