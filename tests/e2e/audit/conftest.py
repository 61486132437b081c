"""Somebody with an account in which nothing is amiss."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.sandbox import Sandbox
from tests.support.homes import Computer, Newcomer
from tests.support.line import Line


@pytest.fixture(autouse=True)
def fair_weather(line: Line) -> None:
    """Nothing goes wrong to begin with."""
    line.forget()


@pytest.fixture
def newcomer(box: Sandbox) -> Newcomer:
    """Somebody with an account in which nothing is amiss."""
    return Newcomer(box, uuid4().hex, bootstrap=False)


@pytest.fixture
def home(newcomer: Newcomer, box: Sandbox) -> str:
    """The newcomer's personal space."""
    return next(space.id for space, _ in box.accounts.spaces.of_user(newcomer.id))


@pytest.fixture
def at_home(newcomer: Newcomer, box: Sandbox, tmp_path: Path) -> Computer:
    """The newcomer's computer, signed in with a password, so that spaces are known."""
    return newcomer.sign_in(Computer(tmp_path, box.url))
