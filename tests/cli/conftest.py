from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import User
from tests.support.processes import PASSWORD, TRIAL, CommandLine


@pytest.fixture
def manabackup(tmp_path: Path) -> CommandLine:
    """The program."""
    return CommandLine(tmp_path)


@pytest.fixture
def trial(tmp_path: Path) -> CommandLine:
    """The program's frame around the commands of ``trial_commands``."""
    return CommandLine(tmp_path, TRIAL)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def user(box: Sandbox) -> User:
    """A user for each test."""
    return box.accounts.create_user(f"{uuid4().hex}@example.org", PASSWORD, "Anna")


@pytest.fixture
def here(manabackup: CommandLine, box: Sandbox) -> CommandLine:
    """The program, with the sandbox as its servers."""
    return manabackup.at(box.url)
