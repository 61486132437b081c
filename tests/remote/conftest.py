from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.limits import Limits
from manabackup.remote.transport import Transport

from .scripted_server import Connect, ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def pauses() -> list[float]:
    """Seconds of every pause that the transport made, none of which was slept."""
    return []


@pytest.fixture
def connect(pauses: list[float]) -> Iterator[Connect]:
    opened: list[Transport] = []

    def make(url: str, **limits: float) -> Transport:
        chosen = Limits(**limits)  # type: ignore[arg-type]
        # No time passes but in pauses.
        opened.append(Transport(url, limits=chosen, sleep=pauses.append, jitter=lambda: 1.0, clock=lambda: sum(pauses)))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()
