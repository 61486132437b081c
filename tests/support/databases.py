"""Fixtures: a PostgreSQL, an empty database in it, and a role that may sign in there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres.cluster() as dsn:
        yield dsn


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    """The connection string of a database without tables."""
    with postgres.database(server) as dsn:
        yield dsn


@pytest.fixture
def role(empty: str) -> Iterator[str]:
    """A role that may sign in to that database, and read nothing yet."""
    with postgres.role(empty) as name:
        yield name
