"""``sandbox serve``: the embedded server, for tries without an account."""

from __future__ import annotations

import click

from ..errors import UsageError
from ..sandbox import Sandbox
from ..sandbox.plan import Plan
from ..sandbox.population import Account, populate
from ..text.jsontext import JSON
from .frame import command
from .run import Run


@command("serve")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Port; by default a free one.")
@click.option("--rows", type=click.IntRange(0), default=500, metavar="N", help="How many rows to invent, about (500).")
@click.option("--seed", type=int, default=1, metavar="N", help="The same seed and rows give the same account (1).")
@click.option("--standard-vault", is_flag=True, help="A vault whose key the server knows, in place of zero-knowledge.")
@click.option("--oddities", is_flag=True, help="With rows as only old apps and server jobs write them.")
def serve(run: Run, port: int, rows: int, seed: int, standard_vault: bool, oddities: bool) -> None:
    """Serve an invented account until interrupted.

    Account service and sync server answer at one address of the loopback interface. Everything is in memory, and gone
    at the end. Addresses and the account's secrets are printed first.
    """
    try:
        box = Sandbox(port=port)
    except OSError as error:
        raise UsageError(f"cannot serve on port {port}: {error.strerror}", hint="--port 0 takes a free one") from None
    with box:
        plan = Plan(seed=seed, rows=rows, oddities=oddities)
        account = populate(box.log, box.accounts, plan, zero_knowledge=not standard_vault)
        run.terminal.result(_record(box, account), _lines(box, account))
        run.terminal.flush()
        box.wait()


def _record(box: Sandbox, account: Account) -> JSON:
    return {
        "authUrl": box.auth_url,
        "syncUrl": box.sync_url,
        "account": {
            "userId": account.user_id,
            "email": account.email,
            "password": account.password,
            "recoveryCode": account.recovery_code,
            "masterKey": account.master_key.hex(),
            "personalSpace": account.personal_space,
            "sharedSpaces": list(account.shared_spaces),
        },
    }


def _lines(box: Sandbox, account: Account) -> list[str]:
    lines = [
        f"serving        {box.url}",
        f"e-mail         {account.email}",
        f"password       {account.password}",
    ]
    if account.recovery_code is not None:
        lines.append(f"recovery code  {account.recovery_code}")
    lines += [
        "",
        "in another terminal:",
        f"  export MANABACKUP_AUTH_URL={box.auth_url} MANABACKUP_SYNC_URL={box.sync_url}",
        f"  manabackup login --email {account.email}",
    ]
    return lines
