"""Accounts as a command line names them: their secrets, and what their owners are told of key and mirror."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..operations.account.access import AccountAccess, AccountSecrets, Listener, OpenAccount, tokens_from
from ..operations.account.key import AccountKey, KeyOrigin
from ..operations.account.settings import TARGET, AccountSettings
from ..operations.progress import Step
from ..operations.pull import PullResult
from ..operations.pull.account import pull as pull_account
from ..text.printable import one_line, printable
from .run import Run

if TYPE_CHECKING:
    from ..mirror import Mirror
    from ..remote.session import TokenSource

_RECOVERY_CODE, _KEY, _TOKEN = "recovery-code", "key", "token"


def account_access(run: Run, *, never_pulled: str | None = None) -> AccountAccess:
    """The account of the settings. ``never_pulled`` says what comes of a mirror that was never pulled to its end."""
    return _access(run, run.settings.account, (_RECOVERY_CODE,), (_KEY,), never_pulled)


def target_access(run: Run, *, own_key: bool = False) -> AccountAccess:
    """The account to write for: the one that ``--to-…`` names, else the one that is signed in.

    The latter has one recovery code, whatever it is called here; with ``own_key`` also one key. Its settings have no
    ``prefix``.
    """
    account, target = run.settings.account, run.settings.target
    same = (account.profile, account.auth_url, account.sync_url) == (target.profile, target.auth_url, target.sync_url)
    if not same or run.source(f"{TARGET}{_TOKEN}") is not None:
        return _access(run, target, (f"{TARGET}{_RECOVERY_CODE}",), (f"{TARGET}{_KEY}",), None)
    keys = (f"{TARGET}{_KEY}", _KEY) if own_key else (f"{TARGET}{_KEY}",)
    return _access(run, account, (f"{TARGET}{_RECOVERY_CODE}", _RECOVERY_CODE), keys, None)


def pull_into(
    run: Run, account: OpenAccount, *, full: bool = False, extra_apps: Sequence[str] = ()
) -> PullResult | None:
    """Brings an account's mirror up to date, with a bar; None where no server is asked."""
    if account.connection is None:
        return None
    with run.terminal.progress({Step.PULL: "pulling"}) as progress:
        result = pull_account(account.mirror, account.connection, full=full, extra_apps=extra_apps, progress=progress)
    for app in extra_apps:
        if not account.mirror.collections(app):
            run.terminal.warning(f"--extra-app {one_line(app)}: the server has nothing of an app that is called so")
    return result


def _access(
    run: Run, settings: AccountSettings, codes: Sequence[str], keys: Sequence[str], never_pulled: str | None
) -> AccountAccess:
    """``codes`` and ``keys`` are names of secrets, of which the first one that is given counts."""

    def given(names: Sequence[str]) -> str:
        return next((name for name in names if run.source(name) is not None), names[-1])

    def tokens() -> TokenSource | None:
        source = run.source(f"{settings.prefix}{_TOKEN}")
        return tokens_from(source) if source is not None else None

    secrets = AccountSecrets(
        tokens=tokens,
        master_key=lambda: run.key_file(given(keys)),
        recovery_code=lambda: run.secret(given(codes)),
        has_recovery_code=lambda: run.source(given(codes)) is not None,
        once_more=lambda error: run.once_more(given(codes), error),
    )
    listener = Listener(
        key=lambda key: _tell_of_key(run, key),
        mirror=lambda mirror, offline: _tell_of_mirror(run, mirror, offline=offline, never_pulled=never_pulled),
    )
    return AccountAccess(settings, run.state, secrets, listener)


# --- what owners are told ---------------------------------------------------------------------------------------------


def _tell_of_key(run: Run, key: AccountKey) -> None:
    if key.origin is KeyOrigin.NONE:
        run.terminal.note("the account has no vault: nothing of it is encrypted")
    elif key.origin is KeyOrigin.SERVER:
        run.terminal.note("the account's key is known to the server (the vault is not zero-knowledge)")
    if key.replaced is not None and key.cipher is not None:
        run.terminal.warning(f"accepted a new key: {key.cipher.fingerprint} in place of {key.replaced}")


def _tell_of_mirror(run: Run, mirror: Mirror, *, offline: bool, never_pulled: str | None) -> None:
    """What is wrong with a mirror, and what comes of it; ``offline``: no server is asked in this run."""
    for loss in mirror.damage:
        whose = f"of {one_line(f'{loss.app}/{loss.collection}')} " if loss.app else ""
        what = f"the mirror {whose}was damaged"
        lost = "part of it is missing" if loss.app else "nobody can tell what is missing"
        run.terminal.warning(
            f"{what}, and {lost}; `manabackup pull` reads it again" if offline else f"{what} and is read again"
        )
    repair = mirror.repair
    if repair is None:
        if offline and mirror.is_unfinished:
            run.terminal.warning("the last pull was cut off: part of what it had read may be missing")
    elif repair.damaged is None:
        run.terminal.note("the mirror was of an earlier version, and has checksums now: it is taken as it was")
    else:
        if not mirror.damage:
            run.terminal.warning("the mirror was damaged, and nothing that it held was lost")
        if repair.kept.client_id_is_new:
            run.terminal.warning("the mirror's client id was damaged; it has a new one")
        if repair.kept.remembered_is_lost:
            run.terminal.warning(
                "what the mirror knew of vault and spaces was damaged; the next login or pull asks anew"
            )
        run.terminal.note(f"the damaged file is kept as {printable(str(repair.damaged))}")
    if offline and never_pulled is not None and mirror.pulled_at is None:
        run.terminal.warning(f"the mirror was never pulled to its end: {never_pulled}")
