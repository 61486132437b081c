"""``convert``: archives of version 1 into the present form."""

from __future__ import annotations

from pathlib import Path

import click

from ..operations.archives import Seal
from ..operations.archives.convert import check_convertible
from ..operations.archives.convert import convert as convert_archive
from ..operations.progress import Step
from .access import account_access
from .exported import date, report
from .files import archive_argument, archive_target, force_option, note_written, output_option
from .frame import command, secret_options, strict_option
from .run import Exit, Run


@command("convert")
@secret_options("passphrase", "recovery-code", "key", "token")
@output_option
@force_option
@click.option("--seal", is_flag=True, help="Encrypt the new archive under a passphrase.")
@strict_option
@archive_argument("file")
def convert(run: Run, file: str, output: str, force: bool, seal: bool, strict: bool) -> Exit:
    """Make an archive of the present version out of one of version 1.

    Version 1 holds the server's events, private fields encrypted. They are decrypted here under the account's key: from
    --key-file, or from the vault of the account that is signed in.
    """
    check_convertible(Path(file))
    target = archive_target(run, output, force=force)
    key = account_access(run).key()
    passphrase = run.new_passphrase() if seal else None
    with run.terminal.progress({Step.EXPORT: "converting"}) as progress:
        result = convert_archive(
            Path(file),
            target,
            key.cipher,
            seal=Seal(passphrase) if passphrase is not None else None,
            force=force,
            strict=strict,
            dated=date(run),
            progress=progress,
        )
    note_written(run, target)
    return report(run, result, strict=strict)
