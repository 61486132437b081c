"""A PostgreSQL for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import postgres


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
