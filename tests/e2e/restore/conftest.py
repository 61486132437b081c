"""The account to restore into."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.sandbox import Sandbox
from tests.support.homes import Computer, Newcomer
from tests.support.line import Line

from .restores import OTHER_KEY


@pytest.fixture(autouse=True)
def fair_weather(line: Line) -> None:
    """Nothing goes wrong to begin with."""
    line.forget()


@pytest.fixture
def other(box: Sandbox) -> Newcomer:
    """The account to restore into."""
    return Newcomer(box, uuid4().hex, OTHER_KEY)


@pytest.fixture
def there(other: Newcomer, box: Sandbox, tmp_path: Path) -> Computer:
    """A computer that is signed in as the other account."""
    return other.sign_in(Computer(tmp_path, box.url))
