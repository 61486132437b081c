"""``fleet export``: archives of many accounts."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.fleet import Listed, has_any
from ..operations.fleet.accounts import accounts as accounts_in
from ..text.printable import counted, printable
from . import overview
from .backup import export as export_alone
from .fleet_options import Items, Single, fleet_options, run_fleet
from .frame import command
from .operator import database_places
from .run import Exit, Run

_EXPORT = Single(export_alone, without=("output", "user", "all_users", "kinds", "dumps"))
_DATE = "{date}"
_OF_AN_ACCOUNT = ("token", "recovery-code", "key")


@command("export")
@_EXPORT.options
@click.option("--all-users", is_flag=True, help="With --from-database: everybody in it, in place of ACCOUNTS.")
@click.option(
    "--kind",
    "kinds",
    metavar="KIND",
    multiple=True,
    help="With --all-users: which kinds of users, human (the default), persona, system.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="PATTERN",
    help="Where each goes, with {name} of the account and, where wanted, {date} in it.",
)
@fleet_options
@click.argument("accounts", metavar="[ACCOUNTS]", required=False)
def export(
    run: Run, /, accounts: str | None, output: str, all_users: bool, kinds: tuple[str, ...], **options: Any
) -> Exit | None:
    """Write archives of many accounts.

    ACCOUNTS is a settings file with a profile for each account (accounts.toml), or a table with a column `profile` and
    one for each setting (accounts.csv). They say where secrets come from, as files or commands; a secret itself is
    refused. Each account has a state folder of its own.

    Those who run Mana name its databases in place of a list: --from-database --all-users, with {name} as the user's id.

    A run that was cut off is gone on with; after one that came to its end, the next exports all accounts anew.
    """
    if options["from_database"] or all_users or kinds:
        items = _of_database(run, accounts, options, all_users=all_users, kinds=kinds)
    elif accounts is None:
        raise UsageError("ACCOUNTS is missing", hint="a list of accounts, or --from-database --all-users")
    else:
        _refuse_one_for_all()
        found = {account.name: account for account in accounts_in(Path(accounts), run.state)}
        items = Items(
            [account.item for account in found.values()],
            lambda item: [*found[item.name].words],
            in_rounds=True,
            by_own_settings=True,
        )
    dated = output.replace(_DATE, f"{datetime.now().astimezone():%Y-%m-%d}")
    return run_fleet(run, _EXPORT, items, options, output=dated)


def _of_database(
    run: Run, accounts: str | None, options: dict[str, Any], *, all_users: bool, kinds: tuple[str, ...]
) -> Items:
    """Everybody in Mana's databases, each with a mirror of its own, so that nobody waits for another one's."""
    if not (options["from_database"] and all_users):
        raise UsageError("--from-database, --all-users and --kind go together", hint="--from-database --all-users")
    if accounts is not None:
        raise UsageError("--all-users stands in place of ACCOUNTS")
    from ..operations.operator import HUMAN, users  # and what speaks to databases, which few fleets need

    found = users(database_places(run, options), kinds=kinds or (HUMAN,))
    for kind, count in found.left_out.items():
        run.terminal.note(f"{counted(count, 'user')} of the kind {printable(kind)}, left out")
    state = run.state.root.absolute() / "fleet"
    return Items(
        [Listed(name) for name in found.names],
        lambda item: [f"--state-dir={state / f'user-{item.name}'}", f"--user={found.names[item.name]}"],
        in_rounds=True,
    )


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
