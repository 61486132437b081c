"""``fleet status``: what a ledger knows."""

from __future__ import annotations

from pathlib import Path

import click

from ..operations.fleet.ledger import Ledger
from ..operations.fleet.summary import Summary
from .fleet_words import lines
from .frame import command
from .run import Exit, Run

_ALL = 100


@command("status")
@click.argument("ledger", metavar="LEDGER")
def status(run: Run, ledger: str) -> Exit | None:
    """Tell what a ledger knows of its items, what has changed in the last run first.

    A fleet may be at work meanwhile. Exit code 4 when anything is not good or not done yet; -v names more.
    """
    with Ledger.to_read(Path(ledger)) as opened:
        found = Summary.of(opened)
    shown = {"shown": _ALL} if run.settings.verbosity > 0 else {}
    run.terminal.result(found.to_json(), lines(found, **shown))
    return Exit.DIFFERENCES if found.left or found.codes.total() > found.codes[0] else None
