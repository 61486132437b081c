"""``fleet export``: archives of many accounts."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.fleet import has_any
from ..operations.fleet.accounts import accounts as accounts_in
from . import overview
from .backup import export as export_alone
from .fleet_options import Items, Single, fleet_options, run_fleet
from .frame import command
from .run import Exit, Run

_EXPORT = Single(export_alone, without=("output",))
_DATE = "{date}"
_OF_AN_ACCOUNT = ("token", "recovery-code", "key")


@command("export")
@_EXPORT.options
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="PATTERN",
    help="Where each goes, with {name} of the account and, where wanted, {date} in it.",
)
@fleet_options
@click.argument("accounts", metavar="ACCOUNTS")
def export(run: Run, /, accounts: str, output: str, **options: Any) -> Exit | None:
    """Write archives of many accounts.

    ACCOUNTS is a settings file with a profile for each account (accounts.toml), or a table with a column `profile` and
    one for each setting (accounts.csv). They say where secrets come from, as files or commands; a secret itself is
    refused. Each account has a state folder of its own.

    A run that was cut off is gone on with; after one that came to its end, the next exports all accounts anew.
    """
    _refuse_one_for_all()
    found = {account.name: account for account in accounts_in(Path(accounts), run.state)}
    items = Items([account.item for account in found.values()], lambda item: [*found[item.name].words], in_rounds=True)
    dated = output.replace(_DATE, f"{datetime.now().astimezone():%Y-%m-%d}")
    return run_fleet(run, _EXPORT, items, options, output=dated)


def _refuse_one_for_all() -> None:
    """One account's secret, given for all of them, would make of each the same archive, or none."""
    flags: dict[str, Any] = click.get_current_context().meta.get(overview.FLAGS, {})
    for name in _OF_AN_ACCOUNT:
        for called in (name, f"{name}-file", f"{name}-command"):
            if os.environ.get(variable(called)):
                raise UsageError(f"{variable(called)} is set, and would stand for every account")
            if (value := flags.get(called)) is not None and not has_any(value):
                hint = f"each account's stands in the list; or --{called} with {{name}} in it"
                raise UsageError(f"--{called} would stand for every account", hint=hint)
