"""An account service of each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.auth import auth_app
from manabackup.sandbox.server import HTTPServer

from .auth_recordings import StandingClock
from .browser import EMAIL, PASSWORD, Service


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
