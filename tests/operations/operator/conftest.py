"""Mana's databases in a real PostgreSQL, filled with accounts of the embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from manabackup.operations.account.state import StateFolder
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import Account, populate
from tests.support import mana_database, postgres
from tests.support.databases import empty as empty
from tests.support.databases import role as role
from tests.support.databases import server as server


@dataclass(frozen=True)
class Town:
    """Accounts, where they are served from, and the database that has the same."""

    folder: Path
    """Of the embedded server."""
    dsn: str
    anna: Account
    """Zero-knowledge; shares a space with somebody."""
    bert: Account
    """Standard."""
    carla: str
    """Id of a user without a vault."""


@pytest.fixture(scope="module")
def town(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with Sandbox(folder=folder) as box:
        anna = populate(box.log, box.accounts, Plan(seed=5, rows=300, oddities=True))
        bert = populate(
            box.log, box.accounts, Plan(seed=6, rows=150), email="bert@example.org", name="Bert", zero_knowledge=False
        )
        carla = box.accounts.create_user("carla@example.org", "Straße-nach-Süden-7", "Carla").id
    with postgres.database(server) as dsn:
        mana_database.fill(dsn, folder)
        yield Town(folder, dsn, anna, bert, carla)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")
