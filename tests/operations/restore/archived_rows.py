"""Archives of a few rows, for whole restores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.archives import meta_of, ours

JSON = Any
SOURCE_KEY = bytes(range(32, 64))
THEN = "2026-04-20T08:15:30.123Z"
LATER = "2026-04-21T09:00:00.000Z"


def at(when: str = THEN, **more: Any) -> dict[str, Any]:
    return {"at": when, "actor": 0, "origin": "user", **more}


def archive_of(
    folder: Path, table: str, *rows: dict[str, Any], meta: Sequence[Mapping[str, Any]] | None = None, **more: Any
) -> Path:
    """Rows of the personal space, written at one time, unless ``meta`` says otherwise."""
    ordered = sorted(rows, key=lambda row: str(row["id"]))
    told = meta if meta is not None else [meta_of(row, **at(), space=0) for row in ordered]
    return ours(folder / "archive.mana", {table: ordered}, meta={table: told}, **more)


def spaced(tmp_path: Path, *numbers: int | None, **more: Any) -> Path:
    """One task for each space."""
    rows = [{"id": f"t{index}", "order": index} for index, _ in enumerate(numbers)]
    meta = [meta_of(row, **at(), space=number) for row, number in zip(rows, numbers, strict=True)]
    return archive_of(tmp_path, "tasks", *rows, meta=meta, **more)
