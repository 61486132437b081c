"""``sandbox serve``: the embedded server, for tries without an account."""

from __future__ import annotations

from contextlib import ExitStack

import click

from ..errors import UsageError
from ..operations.invented import InventedAccount, invented_account
from ..text.jsontext import JSON
from .frame import command
from .run import Run


@command("serve")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Port; by default a free one.")
@click.option("--rows", type=click.IntRange(0), default=500, metavar="N", help="How many rows to invent, about (500).")
@click.option("--seed", type=int, default=1, metavar="N", help="The same seed and rows give the same account (1).")
@click.option("--pictures", type=click.IntRange(0), default=0, metavar="N", help="How many pictures it has (0).")
@click.option("--standard-vault", is_flag=True, help="A vault whose key the server knows, in place of zero-knowledge.")
@click.option("--oddities", is_flag=True, help="With rows as only old apps and server jobs write them.")
def serve(run: Run, port: int, rows: int, seed: int, pictures: int, standard_vault: bool, oddities: bool) -> None:
    """Serve an invented account until interrupted.

    Account service and sync server answer at one address of the loopback interface, and the services that keep files
    each at one more. With --pictures the account has documents and songs as well, and rows that refer to all of them in
    every way in which the web app's do. Everything is in memory, but for files that are uploaded, and gone at the end.
    Addresses and the account's secrets are printed first.
    """
    with ExitStack() as stack:
        try:
            served = stack.enter_context(
                invented_account(
                    rows=rows,
                    seed=seed,
                    oddities=oddities,
                    zero_knowledge=not standard_vault,
                    port=port,
                    pictures=pictures,
                )
            )
        except OSError as error:
            hint = "--port 0 takes a free one"
            raise UsageError(f"cannot serve on port {port}: {error.strerror}", hint=hint) from None
        run.terminal.result(_record(served), _lines(served))
        run.terminal.flush()
        served.box.wait()


def _record(served: InventedAccount) -> JSON:
    account = served.secrets
    return {
        "authUrl": served.box.auth_url,
        "syncUrl": served.box.sync_url,
        "mediaUrl": served.box.media_url,
        "apiUrl": served.box.api_url,
        "webUrl": served.box.web_url,
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


def _lines(served: InventedAccount) -> list[str]:
    box, account = served.box, served.secrets
    lines = [
        f"serving        {box.url}",
        f"files          {box.media_url} and {box.api_url}",
        f"web page       {box.web_url}",
        f"e-mail         {account.email}",
        f"password       {account.password}",
    ]
    if account.recovery_code is not None:
        lines.append(f"recovery code  {account.recovery_code}")
    lines += [
        "",
        "in another terminal:",
        f"  export MANABACKUP_AUTH_URL={box.auth_url} MANABACKUP_SYNC_URL={box.sync_url}",
        f"  export MANABACKUP_WEB_URL={box.web_url}",
        f"  manabackup login --email {account.email}",
    ]
    return lines
