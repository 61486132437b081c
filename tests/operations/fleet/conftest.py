"""Fleets whose items say what becomes of them (``tests.support.trial_worker``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from manabackup.operations.fleet import FleetSummary, Job, Ledger, LocalEngine, Worker, archives
from manabackup.operations.fleet import run as run_items
from tests.support.trial_worker import COMMAND


@dataclass
class Fleet:
    """A folder of items and a ledger."""

    folder: Path
    slept: list[float] = field(default_factory=list)
    now: float = 1_000_000.0

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def add(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.mana").write_text(name)

    def run(
        self, *, deadline: float | None = None, engine: Any = None, job: Job | None = None, **more: Any
    ) -> FleetSummary:
        job = job or Job("verify", lambda item: ["verify", item.name], retries=3)
        with (
            Ledger.to_write(self.ledger) as ledger,
            LocalEngine(partial(Worker.started, COMMAND), 2, deadline=deadline) as local,
        ):
            run_items(
                ledger,
                archives([str(self.folder)]),
                job,
                engine(local) if engine else local,
                clock=lambda: self.now,
                sleep=self._sleep,
                **more,
            )
            return FleetSummary.of(ledger)

    def begun(self) -> Counter[str]:
        """Which items were begun since this was asked last, and how often."""
        path = self.folder / "begun"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return Counter(line.removesuffix(".mana") for line in lines)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def named(items: Sequence[dict[str, Any]]) -> list[str]:
    """The items' names without folder and ending."""
    return [Path(item["name"]).stem for item in items]


Maker = Callable[[LocalEngine], Any]
