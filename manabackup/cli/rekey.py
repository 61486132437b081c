"""``rekey``: an archive under another account's key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from ..archive.reader import Archive, open_archive
from ..archive.writer import Seal
from ..crypto.fields import FieldCipher
from ..errors import ServerError, UsageError
from ..mirror import Mirror
from ..operations.account.key import ask_vault, open_vault, pin
from ..operations.account.settings import TARGET
from ..operations.rekey import RekeyResult, check_opener
from ..operations.rekey import rekey as rekey_archive
from ..operations.restore.job import target_spaces
from ..remote.connection import Connection
from .archives import weak_kdf_option
from .backup import tell_of_damage
from .connection import connect, expect_zero_knowledge, target_account, tell_origin, unlock
from .files import archive_argument, archive_target, force_option, note_written, output_option
from .frame import command, secret_options, strict_option, target_options
from .meanings import MEANINGS
from .run import Exit, Run, outcome


@command("rekey")
@secret_options("passphrase", "key", "recovery-code", "token")
@target_options()
@secret_options("passphrase", prefix=TARGET)
@output_option
@force_option
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

    The target's key comes from --to-key-file, or from the vault of the account that --to-profile or --to-token names;
    without any of these the target is the account that is signed in. An encrypted archive is itself opened with
    --key-file, or with the key of the account that is signed in.
    """
    if private and not seal:
        raise UsageError("--private goes with --seal")
    place = archive_target(run, output, force=force)
    with open_archive(Path(file), lambda: run.secret("passphrase"), allow_weak_kdf=allow_weak_kdf) as archive:
        opener = _opener(run, archive)
        target = _target(run, accept_new_key)
        passphrase = run.new_passphrase(f"{TARGET}passphrase") if seal else None
        with run.terminal.progress("encrypting", unit="B") as bar:
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
                progress=bar.reach,
            )
    note_written(run, place)
    if opener is not None and opener.fingerprint == target.cipher.fingerprint:
        run.terminal.note("the archive was under this key before: it has fresh ciphertext, and no identity any more")
    _report(run, result)
    if opener is None and result.losses.get("ciphertextLeftOut"):
        run.terminal.note("--key-file opens what was still encrypted when the archive was made, if the key fits")
    return outcome(losses=sum(result.losses.values()), notices=sum(result.notices.values()), strict=strict)


def _opener(run: Run, archive: Archive) -> FieldCipher | None:
    """The key of what is encrypted in the archive; nobody is asked for one where everything should be in clear."""
    given = run.master_key()
    opener = FieldCipher(given) if given is not None else None
    if opener is None and not archive.manifest.fields_plaintext:
        with connect(run) as connection:
            opener = unlock(run, run.settings.account, lambda: ask_vault(connection))
    check_opener(archive, opener)
    return opener


@dataclass(frozen=True, slots=True)
class _Target:
    """The account that an archive is made for."""

    cipher: FieldCipher
    user_id: str | None = None
    home: str | None = None
    """Its personal space."""


def _target(run: Run, accept_new_key: bool) -> _Target:
    """The target account's key, and what is known of it besides."""
    account = target_account(run)
    given = run.master_key(TARGET)
    if given is not None and not account.prefix:
        return _Target(FieldCipher(given))
    # The account that is signed in has one recovery code, whatever it is called here.
    code = f"{TARGET}recovery-code"
    if not account.prefix and run.source(code) is None:
        code = "recovery-code"
    with connect(run, account) as connection:
        key = open_vault(lambda: ask_vault(connection), master_key=given, recovery_code=lambda: run.secret(code))
        tell_origin(run, key)
        if key.cipher is None:
            raise UsageError("the target account has no key yet", hint="sign in to the web app with it once")
        expect_zero_knowledge(run, key, code, accept_new_key)
        hold_against_known(run, connection, key.cipher, accept_new_key)
        whose = "account" if account.prefix else "the account that is signed in,"
        run.terminal.note(f"for {whose} {connection.user_id}, key {key.cipher.fingerprint}")
        return _Target(key.cipher, connection.user_id, _home(run, connection))


def _home(run: Run, connection: Connection) -> str | None:
    """The account's personal space, where it can be asked for. The archive can do without."""
    try:
        return target_spaces(connection).personal
    except ServerError as error:
        run.terminal.note(f"the target's personal space could not be asked for: {error.message}")
        return None


def hold_against_known(run: Run, connection: Connection, cipher: FieldCipher, accept_new_key: bool) -> None:
    """A key that this computer knows otherwise is not used: somebody may have replaced it."""
    with _mirror_of(run, connection) as mirror:
        if mirror is not None:
            pin(mirror, cipher, accept_new_key=accept_new_key)


@contextmanager
def _mirror_of(run: Run, connection: Connection) -> Iterator[Mirror | None]:
    """The mirror of an account, where this computer has one."""
    state = run.state
    url, user_id = connection.sync.base_url, connection.user_id
    path = state.mirror_path(url, user_id)
    if not path.exists():
        yield None
        return
    with state.lock(), Mirror(path, sync_url=url, user_id=user_id, create=False) as mirror:
        tell_of_damage(run, mirror, offline=True)
        yield mirror


def _report(run: Run, result: RekeyResult) -> None:
    written = result.written
    amount = f"{written.rows:,} rows in {len(written.row_counts):,} tables, {written.bytes:,} bytes"
    under = f"{result.encrypted_fields:,} fields under key {result.key_fingerprint}"
    run.terminal.result(result.to_json(), [f"{result.archive}: {result.status}, {amount}, {under}"])
    for kind, count in result.losses.items():
        run.terminal.warning(f"{kind}: {count:,} ({MEANINGS[kind]})")
    for kind, count in result.notices.items():
        run.terminal.note(f"noted: {kind}: {count:,} ({MEANINGS[kind]})")
    if not written.web_app_reads_it:
        run.terminal.warning("larger than 4 GiB: the web app's import does not read it; export fewer apps at a time")
