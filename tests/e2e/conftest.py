"""One embedded server and one account for each module; a computer of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from tests.support.homes import Computer, Newcomer, Owner, move_in
from tests.support.line import Line

PLAN = Plan(seed=21, rows=300, oddities=True)


@pytest.fixture(scope="module")
def line() -> Line:
    """What passes between the program and ``box``."""
    return Line()


@pytest.fixture(scope="module")
def box(line: Line) -> Iterator[Sandbox]:
    """The servers."""
    with Sandbox(middleware=[line]) as running:
        yield running


@pytest.fixture(scope="module")
def owner(box: Sandbox) -> Owner:
    """An account with a shared space and everything odd in it."""
    return move_in(box, PLAN)


@pytest.fixture(scope="module")
def signed_in(owner: Owner, box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer to copy the state of: signed in, and nothing pulled."""
    return owner.sign_in(Computer(tmp_path_factory.mktemp("signed-in"), box.url))


@pytest.fixture(scope="module")
def pulled(owner: Owner, signed_in: Computer, box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer to copy the state of: signed in, pulled, and the vault known for exports without the servers."""
    computer = owner.at(Computer(tmp_path_factory.mktemp("pulled"), box.url).with_state_of(signed_in))
    done = computer.export()
    assert done.code == 0, done.err
    return computer


@pytest.fixture
def here(owner: Owner, signed_in: Computer, box: Sandbox, tmp_path: Path) -> Computer:
    """The owner's computer, signed in."""
    return owner.at(Computer(tmp_path, box.url).with_state_of(signed_in))


@pytest.fixture
def stocked(owner: Owner, pulled: Computer, box: Sandbox, tmp_path: Path) -> Computer:
    """The owner's computer, with the mirror up to date."""
    return owner.at(Computer(tmp_path, box.url).with_state_of(pulled))


@pytest.fixture
def newcomer(box: Sandbox) -> Newcomer:
    """Somebody with an empty account."""
    return Newcomer(box, uuid4().hex)


@pytest.fixture
def theirs(newcomer: Newcomer, box: Sandbox, tmp_path: Path) -> Computer:
    """The newcomer's computer."""
    return newcomer.at(Computer(tmp_path, box.url))
