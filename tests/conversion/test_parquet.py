"""``parquet``: read by DuckDB."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from manabackup.operations.archives.readable import convert_to

from .archives import Tables, rows_of, write_archive


def ask(sql: str) -> list[Any]:
    relation = duckdb.sql(sql)
    assert relation is not None
    return relation.fetchall()


def test_columns_have_the_types_that_are_described(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t", "name": "garden"}],
        "journalEntries": [
            {
                "id": "j",
                "entryDate": "2026-05-01",
                "content": "Ä",
                "isPinned": True,
                "wordCount": 7,
                "tags": ["a", "b"],
            },
            {"id": "k", "entryDate": "soon", "wordCount": 2**60, "isPinned": "yes", "unheard": 1, "content": "\ud83d"},
        ],
        "tasks": [{"id": "a", "completedAt": "2026-05-01T10:00:00.250Z", "metadata": {"labelIds": ["t"]}}],
    }
    convert_to(write_archive(tmp_path / "a.mana", tables), "parquet", tmp_path / "out")
    journal, tasks = f"'{tmp_path}/out/journalEntries.parquet'", f"'{tmp_path}/out/tasks.parquet'"
    first, second = ask(f'SELECT "entryDate", "isPinned", "wordCount", tags, content, _more FROM {journal} ORDER BY id')
    assert first == (date(2026, 5, 1), True, 7.0, ["a", "b"], "Ä", None)
    assert second[:5] == (None, None, None, None, None)
    assert json.loads(second[5]) == {
        "content": "\ud83d",
        "entryDate": "soon",
        "isPinned": "yes",
        "unheard": 1,
        "wordCount": 2**60,
    }
    ((at, tags, made, metadata),) = ask(
        f'SELECT epoch_us("completedAt"), _tags, epoch_us(_created), metadata FROM {tasks}'
    )
    assert at == int(datetime(2026, 5, 1, 10, 0, 0, 250_000, UTC).timestamp() * 1e6)
    assert (tags, json.loads(metadata)) == (["garden"], {"labelIds": ["t"]})
    assert made == int(datetime(2026, 1, 1, 10, tzinfo=UTC).timestamp() * 1e6)


def test_every_row_of_an_account_is_there(life: Path, tmp_path: Path) -> None:
    convert_to(life, "parquet", tmp_path / "out")
    rows = rows_of(life)
    seen = 0
    for path in (tmp_path / "out").iterdir():
        found = {identifier for (identifier,) in ask(f"SELECT id FROM '{path}'")}
        expected = {identifier for identifier, row in rows[path.stem].items() if not row.get("isDeleted")}
        assert found == expected
        seen += len(found)
    assert seen > 700
    convert_to(life, "parquet", tmp_path / "again")
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
