"""A small mirror with something of everything in it, the server that it is of, and what a pull makes of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manabackup.mirror import Batch, LossKind, Mirror, RawChange, prepare

URL, USER = "https://sync.example", "erna"
SECOND = 1_000_000
SECRET = f"enc:1:AAAAAAAAAAAAAAAA.{'AAAA' * 300}"
KEY = "0123456789abcdef"
GONE = 99
"""The number of a change that the server has lost since."""
Server = dict[tuple[str, str], list[RawChange]]


def event(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def changes(collection: str, *numbers: int, size: int = 10) -> list[RawChange]:
    return prepare(
        [
            {
                "eventId": event(number),
                "table": collection,
                "id": f"r{number % 3}",
                "op": "update",
                "data": {"title": SECRET if number == 3 else f"title {number} {'x' * size}"},
            }
            for number in numbers
        ]
    )


SERVER: Server = {
    ("notes", "notes"): changes("notes", 20, 21),
    ("todo", "lists"): changes("lists", 10, 11),
    ("todo", "tasks"): changes("tasks", 0, 1, 2, 3, 4, 5),
}


@contextmanager
def full_disk(pages: int) -> Iterator[None]:
    """Databases that are opened within the block find no room for more pages than that, or than they have."""
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connected)
        yield


def opened(path: Path, **options: Any) -> Mirror:
    return Mirror(path, sync_url=URL, user_id=USER, **options)


def pull(mirror: Mirror, server: Server, *, compare: bool = False) -> None:
    """What a pull does: each collection from where it is held, one change before that; one comes each second."""
    full = compare or mirror.is_in_doubt
    mirror.begin_pull(compare=full)
    for (app, name), held in server.items():
        cursor = None if full else mirror.cursor(app, name)
        begin = max(0, (cursor or 0) // SECOND - 1)
        for at in range(begin, len(held), 3):
            after = held[at - 1].key if at > begin else None
            batch = Batch(held[at : at + 3], after=after, from_start=begin == 0, cursor=min(at + 3, len(held)) * SECOND)
            mirror.store(app, {name: batch})
    mirror.move_cursors({app: min(len(held) for (of, _), held in server.items() if of == app) for app, _ in server})
    mirror.end_pull(100 * SECOND)
    mirror.end_search()


def build(path: Path, server: Server = SERVER) -> None:
    """The mirror, closed: pulled in full, with losses of every form."""
    with opened(path) as mirror:
        mirror.pin_key(KEY)
        mirror.remember("spaces", '{"s":"personal"}')
        pull(mirror, server)
        mirror.store("todo", {"tasks": Batch(changes("tasks", GONE))})
        mirror.begin_pull(compare=True)
        for (app, name), held in server.items():
            mirror.store(app, {name: Batch(held, from_start=True)})
        mirror.add_loss(LossKind.UNREADABLE_TIE, "notes", None, since=4, until=5)
        mirror.end_pull(100 * SECOND)


def rows(mirror: Mirror) -> dict[tuple[str, str], list[bytes]]:
    """What an export reads."""
    with mirror.snapshot() as snapshot:
        return {
            (held.app, held.name): [line for page in snapshot.read(held.app, held.name) for line in page.lines()]
            for held in snapshot.collections()
        }


def content(mirror: Mirror) -> Any:
    """All that a later run goes by."""
    with mirror.snapshot() as snapshot:
        collections, losses = snapshot.collections(), snapshot.losses()
    cursors = {(held.app, held.name): mirror.cursor(held.app, held.name) for held in collections}
    meta = (mirror.key_fingerprint, mirror.recall("spaces"), mirror.pulled_at, mirror.client_id)
    return rows(mirror), collections, losses, cursors, meta, mirror.discovered_apps
