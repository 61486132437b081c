"""A mirror of somebody, changes to store in it, and its pages."""

from __future__ import annotations

from pathlib import Path

from manabackup.mirror import Mirror, MirrorPage, RawChange, prepare

URL = "https://sync.example"


def open_mirror(path: Path, **options: bool) -> Mirror:
    return Mirror(path, sync_url=URL, user_id="user", **options)


def changes(*ids: str, text: str = "") -> list[RawChange]:
    return prepare(
        [{"eventId": event, "id": f"record of {event}", "op": "insert", "data": {"t": text}} for event in ids]
    )


def pages(mirror: Mirror, app: str = "todo", collection: str = "tasks") -> list[MirrorPage]:
    with mirror.snapshot() as snapshot:
        return list(snapshot.read(app, collection))
