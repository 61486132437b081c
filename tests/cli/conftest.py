from __future__ import annotations

from pathlib import Path

import pytest

from .processes import TRIAL, CommandLine


@pytest.fixture
def manabackup(tmp_path: Path) -> CommandLine:
    """The program."""
    return CommandLine(tmp_path)


@pytest.fixture
def trial(tmp_path: Path) -> CommandLine:
    """The program's frame around the commands of ``trial_commands``."""
    return CommandLine(tmp_path, TRIAL)
