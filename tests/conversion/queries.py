"""Tables as DuckDB reads them, which knows nothing of this program."""

from __future__ import annotations

from typing import Any

import duckdb


def ask(sql: str) -> list[Any]:
    relation = duckdb.sql(sql)
    assert relation is not None
    return relation.fetchall()
