from __future__ import annotations

from pathlib import Path

import pytest

from manabackup import Plan

from .archives import write_account

SEED = 17


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of an account with rows in every table, and everything odd that the generator knows."""
    path = tmp_path_factory.mktemp("life") / "life.mana"
    return write_account(path, Plan(seed=SEED, rows=900, lifelike=True, oddities=True))
