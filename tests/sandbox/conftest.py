"""An account service of each test's own, and accounts of the generator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.auth import auth_app
from manabackup.sandbox.plan import Generated, Plan, Truth
from manabackup.sandbox.server import HTTPServer

from .auth_recordings import StandingClock
from .browser import EMAIL, PASSWORD, Service
from .generated import with_truth


@pytest.fixture
def service() -> Iterator[Service]:
    clock = StandingClock(1_795_180_000)
    accounts = Accounts(clock=clock)
    server = HTTPServer(auth_app(accounts), port=0, on_stop=lambda: None)
    server.start()
    accounts.issuer = f"http://127.0.0.1:{server.port}"
    yield Service(accounts, clock, server.port, accounts.create_user(EMAIL, PASSWORD, "Rita").id)
    server.close()
    accounts.close()


@pytest.fixture(scope="module")
def plain_account() -> tuple[list[Generated], Truth]:
    return with_truth(Plan(seed=7, rows=3_000))


@pytest.fixture(scope="module")
def odd_account() -> tuple[list[Generated], Truth]:
    return with_truth(Plan(seed=8, rows=6_000, edits=1.2, deletions=0.15, oddities=True))
