"""What an archive of somebody's rows must hold, found by walking over all rows of a crowd without SQL."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manabackup.archive.reader import open_archive
from manabackup.sources.profile import ProfiledTable, table_of
from tests.support.models import Crowd, Row, for_sqlite


def rows_of(path: Path) -> dict[str, list[Row]]:
    with open_archive(path) as archive:
        return {table: [json.loads(row.line) for row in archive.rows(table)] for table in archive.tables}


def archived(value: Any, type_name: str, kind: str) -> Any:
    """A plain value as an archive has it."""
    if value is None:
        return None
    if kind == "sqlite":
        value = for_sqlite(value)
        return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
    if type_name.startswith("timestamptz"):
        moment = datetime.fromtimestamp(value / 1000, UTC)
        fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
        return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}+00"
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def expected(crowd: Crowd, table: ProfiledTable, row: Row, kind: str, only: tuple[str, ...] | None = None) -> Row:
    name = table_of(table.name)
    types = {column: type_name for column, type_name, _ in crowd.model.tables[name]["columns"]}
    taken = [column for column in types if column in (table.columns or types) and (only is None or column in only)]
    found = {
        (f"column:{column}" if column == "deletedAt" else column): archived(row[column], types[column], kind)
        for column in taken
    }
    key = table.key or tuple(crowd.model.tables[name]["key"])
    if tuple(key) != ("id",):
        values = [archived(row[column], types[column], kind) for column in key]
        found["id"] = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    return found


def by_id(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["id"]))


def all_expected(crowd: Crowd, person: Row, kind: str) -> dict[str, list[Row]]:
    """By table of an archive: all rows that are somebody's, and what the profile grants of others'."""
    found = {}
    subject = crowd.profile.subject.key
    for table in crowd.profile.read_tables():
        rows = crowd.rows[table_of(table.name)]
        own = [row for row in rows if person[subject] in crowd.owners(table_of(table.name), row)]
        wanted = [expected(crowd, table, row, kind) for row in own]
        if table.others is not None and table.others.columns:
            others = [row for row in rows if crowd.may_see(table_of(table.name), row, person)]
            wanted += [expected(crowd, table, row, kind, table.others.columns) for row in others]
        found[f"{crowd.profile.name}.{table_of(table.name)}"] = by_id(wanted)
    return found
