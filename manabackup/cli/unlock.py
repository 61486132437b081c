"""``unlock``: an archive that somebody wrote who had not got the key, opened by its owner."""

from __future__ import annotations

from functools import partial

import click

from ..errors import UsageError
from ..operations.account.settings import TARGET
from ..operations.archives import Seal, open_of_mana
from ..operations.archives.unlock import UnlockResult, archived_key, check_unlockable, unlock_archive
from ..operations.progress import Step
from ..text.printable import counted
from .archives import weak_kdf_option
from .files import archive_argument, archive_target, force_option, located, note_written, output_option, retain_option
from .frame import command, secret_options, strict_option
from .meanings import MEANINGS
from .passphrases import Passphrases
from .run import Exit, Run, outcome

_RECOVERY_CODE = "recovery-code"


@command("unlock")
@secret_options("passphrase", "recovery-code", "key")
@secret_options("passphrase", prefix=TARGET)
@output_option
@force_option
@retain_option
@click.option("--seal", is_flag=True, help="Put the new archive under a passphrase (--to-passphrase-file …).")
@click.option("--private", is_flag=True, help="With --seal: tell nothing outside the seal.")
@weak_kdf_option
@strict_option
@archive_argument("file")
def unlock(
    run: Run,
    file: str,
    output: str,
    force: bool,
    retain: str | None,
    seal: bool,
    private: bool,
    allow_weak_kdf: bool,
    strict: bool,
) -> Exit:
    """Open the private fields of an archive that those who run Mana have written.

    Such an archive holds your private fields encrypted, as they stand in the database, and your account's key as your
    recovery code opens it. No server is asked: the file and the code are enough. --key-file gives the key itself.
    """
    if private and not seal:
        raise UsageError("--private goes with --seal")
    target = archive_target(run, output, force=force, source=file, retain=retain)
    opened = partial(open_of_mana, located(file), allow_weak_kdf=allow_weak_kdf)
    with Passphrases(run).opening(file, opened) as archive:
        check_unlockable(archive)
        cipher = run.cipher() or archived_key(
            archive, lambda: run.secret(_RECOVERY_CODE), lambda error: run.once_more(_RECOVERY_CODE, error)
        )
        passphrase = run.new_passphrase(f"{TARGET}passphrase") if seal else None
        with run.terminal.progress({Step.RESEAL: "opening"}) as progress:
            result = unlock_archive(
                archive,
                target,
                cipher,
                seal=Seal(passphrase, private=private) if passphrase is not None else None,
                force=force,
                strict=strict,
                progress=progress,
            )
    note_written(run, target)
    _report(run, result)
    return outcome(losses=sum(result.losses.values()), notices=sum(result.notices.values()), strict=strict)


def _report(run: Run, result: UnlockResult) -> None:
    written = result.written
    amount = f"{counted(written.rows, 'row')} in {counted(len(written.row_counts), 'table')}, {written.bytes:,} bytes"
    line = f"{result.archive}: {result.status}, {amount}, {result.opened:,} private fields opened"
    run.terminal.result(result.to_json(), [line])
    for kind, count in result.losses.items():
        run.terminal.warning(f"{kind}: {count:,} ({MEANINGS[kind]})")
    for kind, count in result.notices.items():
        run.terminal.note(f"noted: {kind}: {count:,} ({MEANINGS[kind]})")
    if not written.sealed:
        run.terminal.note("the archive is not encrypted: who holds it can read it")
