"""Whose rows the questions find, beside what is found by walking over all rows without SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from manabackup.sources.agreement import exported_columns
from manabackup.sources.database import Database
from manabackup.sources.loading import load_profile
from manabackup.sources.postgresql import PostgresqlDatabase
from manabackup.sources.profile import ProfiledTable, table_of
from manabackup.sources.queries import Questions
from manabackup.sources.sqlite import SqliteDatabase
from manabackup.sources.whose import as_text
from tests.support.models import Crowd, Model


@pytest.fixture(params=["vivim", "rebuild", "rebuild-deployed"])
def crowd(request: pytest.FixtureRequest) -> Crowd:
    name: str = request.param
    return Crowd(Model.of(name), load_profile(name), seed=5)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, crowd: Crowd, tmp_path: Path) -> Iterator[Database]:
    found: Database
    if request.param == "sqlite":
        crowd.fill_sqlite(tmp_path / "all.sqlite")
        found = SqliteDatabase(tmp_path / "all.sqlite")
    else:
        dsn = request.getfixturevalue("empty")
        crowd.fill_postgresql(dsn)
        found = PostgresqlDatabase(dsn, "public")
    with closing(found):
        yield found


def ids(database: Database, question: Any, known: dict[str, Any]) -> list[str]:
    rows = [tuple(map(as_text, row)) for row in database.rows(question, question.values(known))]
    return sorted(" ".join(row) for row in rows)


def test_everybody_gets_exactly_what_is_theirs_and_no_row_is_lost(crowd: Crowd, database: Database) -> None:
    profile, catalog = crowd.profile, database.catalog()
    shared = nobodys = reduced = 0
    for table in profile.read_tables():
        name = table_of(table.name)
        rows = crowd.rows[name]
        key = table.key or catalog.tables[name].key
        columns = [column for column in exported_columns(table, catalog.tables[name]) if column.name in key]
        order = [column.name for column in columns]
        ask = Questions(table, profile.tables, catalog, database.dialect)
        seen: list[str] = []
        for person in crowd.people:
            known = {what: person[column] for what, column in profile.subject.identities.items()}

            def marks(found: list[dict[str, Any]], order: list[str] = order) -> list[str]:
                return sorted(" ".join(str(row[column]) for column in order) for row in found)

            own = [row for row in rows if person[profile.subject.key] in crowd.owners(name, row)]
            assert ids(database, ask.own(columns), known) == marks(own), table.name
            seen += marks(own)
            if table.others is not None:
                theirs = [row for row in rows if crowd.may_see(name, row, person)]
                assert ids(database, ask.others(columns), known) == marks(theirs), table.name
                reduced += len(theirs)
        owned = [row for row in rows if crowd.owners(name, row)]
        assert set(seen) == set(marks(owned))
        shared += len(seen) - len(set(seen))
        ((lost,),) = database.rows(ask.count_nobodys(), [])
        assert int(lost) == sum(_is_nobodys(crowd, table, row) for row in rows), table.name
        nobodys += int(lost)
    # The crowd has what is to be tried.
    assert nobodys
    assert reduced
    assert shared or profile.name != "vivim"


def _is_nobodys(crowd: Crowd, table: ProfiledTable, row: dict[str, Any]) -> bool:
    from manabackup.sources.profile import AnyOf, Holds, Owner, Through

    def nobodys(owner: Owner, row: dict[str, Any]) -> bool:
        match owner:
            case Holds(column, _):
                return row[column] is None
            case Through(columns, name, key):
                names = key or crowd.model.tables[table_of(name)]["key"]
                parent = crowd.profile.tables[name]
                assert parent.owner is not None
                wanted = [row[column] for column in columns]
                found = [each for each in crowd.rows[table_of(name)] if [each[part] for part in names] == wanted]
                return not found or nobodys(parent.owner, found[0])
            case AnyOf(parts):
                return all(nobodys(part, row) for part in parts)
            case _:
                return any(nobodys(part, row) for part in owner.parts)

    assert table.owner is not None
    return nobodys(table.owner, row)


def test_values_are_never_part_of_the_sql(crowd: Crowd, database: Database) -> None:
    hostile = "' OR 1=1 --%s"
    profile, catalog = crowd.profile, database.catalog()
    for table in profile.read_tables():
        there = catalog.tables[table_of(table.name)]
        text_only = all(column.base in ("", "text") or "uuid" not in column.base for column in there.columns.values())
        if text_only:
            ask = Questions(table, profile.tables, catalog, database.dialect)
            known = dict.fromkeys(profile.subject.identities, hostile)
            question = ask.count_own()
            assert hostile not in question.sql
            assert [int(number) for (number,) in database.rows(question, question.values(known))] == [0]
