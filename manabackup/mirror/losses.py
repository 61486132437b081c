"""What a pull could not read, or found changed: kept with the mirror until a full pull finds it cured."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from ..rawchange import event_name

_CASES = 100


class LossKind(StrEnum):
    """Stable words for reports."""

    UNREADABLE_TIE = "unreadableTie"
    """More changes of one instant than any call of the server gives."""
    UNREADABLE_PAGE = "unreadablePage"
    """A stretch of time whose changes the server fails to give."""
    UNREADABLE_CHANGE = "unreadableChange"
    """Changes that are larger than any that the server takes; what they did is not held."""
    UNSEARCHED = "unsearchedApp"
    """An app whose answers are too large to be had as a whole: collections that nobody told of were not looked for."""
    EVENT_GONE = "eventGone"
    """Events that are held and that the server has no longer; the held ones stay."""
    EVENT_CHANGED = "eventChanged"
    """Events that the server now gives with another content; the held one stays."""


UNREADABLE = frozenset({LossKind.UNREADABLE_TIE, LossKind.UNREADABLE_PAGE, LossKind.UNREADABLE_CHANGE})
"""Kinds of which something on the server is not held."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One finding. Of the unreadable kinds there is one for each stretch, of the others one for each collection."""

    kind: LossKind
    app: str
    collection: str | None
    """None: of the whole app, in collections that nobody can name."""
    count: int
    """Events, or 1 for a stretch, of which nobody knows the number."""
    since: int | None = None
    """Where the stretch begins, itself excluded; microseconds since 1970."""
    until: int | None = None
    """Where it ends, itself included."""
    events: tuple[str, ...] = ()
    """Ids of the first events."""
    records: tuple[str | None, ...] = ()
    """Of unreadable changes, for each of ``events``, the record's id where it was told."""


def encoded(name: str) -> bytes:
    """A name of the server's for SQLite, whose text takes no lone surrogates."""
    return name.encode("utf-8", "surrogatepass")


def decoded(name: bytes) -> str:
    """The name that :func:`encoded` took."""
    return name.decode("utf-8", "surrogatepass")


def add(
    connection: sqlite3.Connection,
    run: int,
    kind: LossKind,
    app: str,
    collection: str | None,
    *,
    since: int | None = None,
    until: int | None = None,
    event: bytes | None = None,
    record: str | None = None,
) -> None:
    """Adds a finding of a run, or renews it; a stretch is known by its end."""
    name = None if collection is None else encoded(collection)
    renewed = connection.execute(
        "UPDATE loss SET run = ? WHERE kind = ? AND app = ? AND collection IS ? AND until IS ? AND event IS ?",
        (run, kind, encoded(app), name, until, event),
    )
    if not renewed.rowcount:
        connection.execute(
            "INSERT INTO loss (run, kind, app, collection, since, until, event, record)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (run, kind, encoded(app), name, since, until, event, None if record is None else encoded(record)),
        )


def read(connection: sqlite3.Connection) -> list[Loss]:
    """All findings, by app and collection."""
    found = [
        Loss(LossKind(kind), decoded(app), None if name is None else decoded(name), 1, since, until)
        for kind, app, name, since, until in connection.execute(
            "SELECT kind, app, collection, since, until FROM loss WHERE event IS NULL ORDER BY app, collection, until"
        )
    ]
    for kind, app, name, count in connection.execute(
        "SELECT kind, app, collection, count(*) FROM loss WHERE event IS NOT NULL"
        " GROUP BY kind, app, collection ORDER BY app, collection, kind"
    ).fetchall():
        events = connection.execute(
            "SELECT event, record FROM loss WHERE kind = ? AND app = ? AND collection IS ? AND event IS NOT NULL"
            " ORDER BY event LIMIT ?",
            (kind, app, name, _CASES),
        ).fetchall()
        cases = tuple(event_name(event) for event, _ in events)
        records = tuple(None if record is None else decoded(record) for _, record in events)
        named = records if kind == LossKind.UNREADABLE_CHANGE else ()
        found.append(Loss(LossKind(kind), decoded(app), decoded(name), count, events=cases, records=named))
    return found
