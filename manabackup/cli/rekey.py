"""``rekey``: an archive under another account's key."""

from __future__ import annotations

from functools import partial

import click

from ..errors import UsageError
from ..operations.account.settings import TARGET
from ..operations.archives import Seal, open_of_mana
from ..operations.progress import Step
from ..operations.rekey import RekeyResult
from ..operations.rekey import rekey as rekey_archive
from ..operations.rekey.recipient import Recipient, opener_of, recipient
from ..text.printable import counted
from .access import account_access, target_access
from .archives import weak_kdf_option
from .files import archive_argument, archive_target, force_option, located, note_written, output_option, retain_option
from .frame import command, secret_options, strict_option, target_options
from .meanings import MEANINGS
from .passphrases import Passphrases
from .run import Exit, Run, outcome


@command("rekey")
@secret_options("passphrase", "key", "recovery-code", "token")
@target_options()
@secret_options("passphrase", prefix=TARGET)
@output_option
@force_option
@retain_option
@click.option("--seal", is_flag=True, help="Put the new archive under a passphrase (--to-passphrase-file …).")
@click.option("--private", is_flag=True, help="With --seal: tell nothing outside the seal.")
@click.option("--keep-visibility", is_flag=True, help="Leave rows public or unlisted, with their links.")
@click.option("--accept-new-key", is_flag=True, help="Go on though the target's key is another one than before.")
@weak_kdf_option
@strict_option
@archive_argument("file")
def rekey(
    run: Run,
    file: str,
    output: str,
    force: bool,
    retain: str | None,
    seal: bool,
    private: bool,
    keep_visibility: bool,
    accept_new_key: bool,
    allow_weak_kdf: bool,
    strict: bool,
) -> Exit:
    """Encrypt an archive for another account.

    Private fields come under the target account's key, and what tells whose they were is left out: ids of user and
    spaces, names, links and secrets. The target's web app imports such a file as it is; nobody else can read its
    private fields.

    The target's key comes from --to-key-file, or from the vault of the account that --to-profile or --to-token-file
    names; without any of these the target is the account that is signed in. An encrypted archive is itself opened with
    --key-file, or with the key of the account that is signed in; one that those who run Mana took out of the database
    with its account's recovery code.
    """
    if private and not seal:
        raise UsageError("--private goes with --seal")
    place = archive_target(run, output, force=force, source=file, retain=retain)
    opened = partial(open_of_mana, located(file), allow_weak_kdf=allow_weak_kdf)
    with Passphrases(run).opening(file, opened) as archive:
        opener = opener_of(archive, account_access(run))
        access = target_access(run)
        target = recipient(access, accept_new_key=accept_new_key)
        _tell_whose(run, target, "account" if access.settings.prefix else "the account that is signed in,")
        passphrase = run.new_passphrase(f"{TARGET}passphrase") if seal else None
        with run.terminal.progress({Step.REKEY: "encrypting"}) as progress:
            result = rekey_archive(
                archive,
                place,
                target.cipher,
                opener=opener,
                user_id=target.user_id,
                home=target.home,
                seal=Seal(passphrase, private=private) if passphrase is not None else None,
                keep_visibility=keep_visibility,
                force=force,
                strict=strict,
                progress=progress,
            )
    note_written(run, place)
    if opener is not None and opener.fingerprint == target.cipher.fingerprint:
        run.terminal.note("the archive was under this key before: it has fresh ciphertext, and no identity any more")
    _report(run, result)
    if opener is None and result.losses.get("ciphertextLeftOut"):
        run.terminal.note("--key-file opens what was still encrypted when the archive was made, if the key fits")
    return outcome(losses=sum(result.losses.values()), notices=sum(result.notices.values()), strict=strict)


def _tell_whose(run: Run, target: Recipient, whose: str) -> None:
    if target.user_id is None:
        return
    run.terminal.note(f"for {whose} {target.user_id}, key {target.cipher.fingerprint}")
    if target.homeless_because is not None:
        run.terminal.note(f"the target's personal space could not be asked for: {target.homeless_because}")


def _report(run: Run, result: RekeyResult) -> None:
    written = result.written
    amount = f"{counted(written.rows, 'row')} in {counted(len(written.row_counts), 'table')}, {written.bytes:,} bytes"
    under = f"{counted(result.encrypted_fields, 'field')} under key {result.key_fingerprint}"
    run.terminal.result(result.to_json(), [f"{result.archive}: {result.status}, {amount}, {under}"])
    for kind, count in result.losses.items():
        run.terminal.warning(f"{kind}: {count:,} ({MEANINGS[kind]})")
    for kind, count in result.notices.items():
        run.terminal.note(f"noted: {kind}: {count:,} ({MEANINGS[kind]})")
    if not written.web_app_reads_it:
        run.terminal.warning("larger than 4 GiB: the web app's import does not read it; export fewer apps at a time")
