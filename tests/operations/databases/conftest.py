"""Databases for the tests of this folder: SQLite's files, and a PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from manabackup.operations.databases import StorePlaces
from tests.support import postgres
from tests.support.databases import empty as empty
from tests.support.databases import role as role
from tests.support.databases import server as server
from tests.support.models import Crowd


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the databases in a test, which runs with each."""
    name: str = request.param
    return name


@pytest.fixture
def place(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Callable[[Crowd], StorePlaces]:
    """Puts a crowd into one database."""

    def of(crowd: Crowd) -> StorePlaces:
        if kind == "sqlite":
            path = tmp_path / "all.sqlite"
            crowd.fill_sqlite(path)
            return StorePlaces({next(iter(crowd.profile.stores)): path})
        dsn = request.getfixturevalue("empty")
        crowd.fill_postgresql(dsn)
        return StorePlaces(dsn=dsn)

    return of


@pytest.fixture
def places(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Callable[[str], StorePlaces]]:
    """Makes databases by name, empty ones; the same one for the same name."""
    made: dict[str, StorePlaces] = {}
    with ExitStack() as databases:

        def of(name: str) -> StorePlaces:
            if name not in made:
                if kind == "sqlite":
                    made[name] = StorePlaces({"main": tmp_path / f"{name}.sqlite"})
                else:
                    dsn = databases.enter_context(postgres.database(request.getfixturevalue("server")))
                    made[name] = StorePlaces(dsn=dsn)
            return made[name]

        yield of
