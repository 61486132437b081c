"""A fleet of small archives, against one process that has everything in memory and verifies one after the other."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from manabackup.cli import archives as _imported  # noqa: F401 # as the command has it before its workers are forked
from manabackup.cli.fleet_work import FleetWork
from manabackup.host.secret_sources import SecretReader
from manabackup.operations.archives.verify import verify
from manabackup.operations.fleet import FleetSummary, Job, Ledger, Listed, LocalEngine, Outcome, Worker
from manabackup.operations.fleet import archives as listed
from manabackup.operations.fleet import run as run_items

from ..data import prose
from ..measure import BrokenOutputError, Meter, interleaved, run, typical
from ..report import Line, seconds, speed_ratio, time_ratio
from ..setting import Setting
from .export import write_archive

_ROWS = (200, 1)
"""Of an archive: one of some size, and the smallest that somebody may have."""
_STATUS = 100_000


def measure(setting: Setting) -> list[Line]:
    """Verify: what the fleet's own work costs, and what two workers win. And a look at a large ledger."""
    lines = [line for rows in _ROWS for line in _verified(setting, rows)]
    ledger = setting.scratch / "large.sqlite"
    run(write_ledger, path=str(ledger))
    status = [run(look_at_ledger, path=str(ledger)) for _ in range(min(setting.rounds, 3))]
    looked = f"{typical(status).wall * 1000:.0f} ms"
    return [*lines, Line(f"fleet status, {_STATUS:,} items", looked, "", "", "≤ 1 s")]


def _verified(setting: Setting, rows: int) -> list[Line]:
    count = 200 if setting.quick else 2_000
    folder = setting.scratch / f"fleet-{rows}"
    folder.mkdir()
    first = setting.scratch / f"fleet-{rows}.mana"
    run(write_archive, folder=setting.data(prose(rows)).folder, target=str(first))
    for number in range(count):
        shutil.copyfile(first, folder / f"{number:05}.mana")
    results = interleaved(
        min(setting.rounds, 3),
        {
            "alone": lambda: run(verify_alone, folder=str(folder)),
            "halves": lambda: run(verify_halves, folder=str(folder)),
            "one": lambda: run(verify_in_fleet, folder=str(folder), workers=1, count=count),
            "two": lambda: run(verify_in_fleet, folder=str(folder), workers=2, count=count),
        },
    )
    yardstick = f"verify alone {seconds(results['alone'])}"
    return [
        Line(
            f"fleet verify, {count:,} archives of {first.stat().st_size:,} bytes, one worker",
            seconds(results["one"]),
            yardstick,
            time_ratio(results["one"], results["alone"]),
            "CPU ≤ 1.5",
        ),
        Line(
            "the same, two workers",
            seconds(results["two"]),
            yardstick,
            speed_ratio(results["two"], results["alone"]),
            "",
        ),
        Line(
            "two workers against one",
            seconds(results["two"]),
            f"one worker {seconds(results['one'])}",
            speed_ratio(results["two"], results["one"]),
            "≥ 1.8",
        ),
        Line(
            "two processes with half of them each",
            seconds(results["halves"]),
            yardstick,
            speed_ratio(results["halves"], results["alone"]),
            "",
        ),
    ]


def verify_alone(meter: Meter, *, folder: str) -> dict[str, Any]:
    """The items' own work."""
    paths = sorted(Path(folder).iterdir())
    verify(paths[0])
    with meter:
        if not all(verify(path).ok for path in paths):
            raise BrokenOutputError("an archive does not verify")
    return {}


def verify_halves(meter: Meter, *, folder: str) -> dict[str, Any]:
    """The same in two processes that know nothing of each other: what this computer's two cores give at most."""
    paths = sorted(Path(folder).iterdir())
    verify(paths[0])
    with meter:
        other = os.fork()
        good = all(verify(path).ok for path in paths[bool(other) :: 2])
        if not other:
            os._exit(not good)
        if os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) or not good:
            raise BrokenOutputError("an archive does not verify")
    return {}


def verify_in_fleet(meter: Meter, *, folder: str, workers: int, count: int) -> dict[str, Any]:
    """All of a fleet's run, its workers' beginning and end included."""
    ledger_path = Path(folder).with_name(f"ledger-{os.getpid()}.sqlite")
    work = FleetWork(SecretReader())
    with (
        meter,
        Ledger.to_write(ledger_path) as ledger,
        LocalEngine(partial(Worker.forked, work), workers) as engine,
    ):
        job = Job("verify", lambda item: ["verify", "--", item.name])
        run_items(ledger, listed([folder]), job, engine)
        found = FleetSummary.of(ledger)
    if found.codes != {0: count}:
        raise BrokenOutputError(f"{found.codes}")
    return {}


def write_ledger(meter: Meter, *, path: str) -> dict[str, Any]:
    """A ledger of many items, one in a thousand of them damaged."""
    with meter, Ledger.to_write(Path(path)) as ledger:
        ledger.begin("verify", [], engine="local", workers=2, now=1.0)
        ledger.take_stock(Listed(f"/archives/{number:06}.mana", "", number, str(number)) for number in range(_STATUS))
        claimed = ledger.claim(_STATUS, now=1.0, worker="local")
        ledger.note({item.id: Outcome(0 if item.id % 1_000 else 15, rows=10) for item in claimed}, now=1.0)
        ledger.end("done", now=1.0)
    return {}


def look_at_ledger(meter: Meter, *, path: str) -> dict[str, Any]:
    """What ``fleet status`` reads and counts."""
    with meter, Ledger.to_read(Path(path)) as ledger:
        found = FleetSummary.of(ledger)
    if found.items != _STATUS:
        raise BrokenOutputError(f"{found.items} items")
    return {}
