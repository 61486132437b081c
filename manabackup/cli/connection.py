"""Who is asking, and with which key: one account at its servers, for the commands that need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..crypto.fields import FieldCipher
from ..errors import KeyChangedError, SignInError
from ..host.secret_sources import EnvironmentSource, FileSource, secret_text, ways_to_give
from ..limits import DEFAULT_LIMITS, Limits
from ..operations.account.key import AccountKey, KeyOrigin, open_vault
from ..operations.account.settings import Account
from ..remote.connection import Connection
from ..remote.connection import connect as servers
from ..remote.session import CommandToken, Session, StaticToken, TokenSource
from ..remote.vault import VaultKey
from .run import Run

_TOKEN = "access token"  # noqa: S105 # its name


@contextmanager
def connect(run: Run, account: Account | None = None, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Connection]:
    """Connects as ``account``, by default the one of the settings; nothing is sent yet but to renew a token.

    A token goes before the stored session. Raises :class:`SignInError` when there is neither, :class:`UsageError` for
    addresses that are none, and what reading the token raises.
    """
    account = account or run.settings.account
    who: TokenSource | Session | None = _given_tokens(run, account)
    if who is None:
        who = run.state.sessions(account.profile).load()
    if who is None:
        raise _not_signed_in(account)
    with servers(who, auth_url=account.auth_url, sync_url=account.sync_url, limits=limits) as connection:
        yield connection


def target_account(run: Run) -> Account:
    """The account to write for: the one that ``--to-…`` names, else the one that is signed in.

    The latter's secrets are the usual ones; its ``prefix`` is empty.
    """
    account, target = run.settings.account, run.settings.target
    same = (account.profile, account.auth_url, account.sync_url) == (target.profile, target.auth_url, target.sync_url)
    return account if same and run.source(f"{target.prefix}token") is None else target


def unlock(run: Run, account: Account, vault: Callable[[], VaultKey | None]) -> FieldCipher | None:
    """The cipher of an account's private fields, or None when nothing of it is encrypted.

    A key file goes before the ``vault``. Says so when the server knows the key. Raises :class:`WrongKeyError`,
    :class:`WrongRecoveryCodeError`, and what asking the vault raises.
    """
    prefix = account.prefix
    key = open_vault(
        vault, master_key=run.master_key(prefix), recovery_code=lambda: run.secret(f"{prefix}recovery-code")
    )
    tell_origin(run, key)
    return key.cipher


def tell_origin(run: Run, key: AccountKey) -> None:
    """Says what the owner of a key should know of it."""
    if key.origin is KeyOrigin.NONE:
        run.terminal.note("the account has no vault: nothing of it is encrypted")
    elif key.origin is KeyOrigin.SERVER:
        run.terminal.note("the account's key is known to the server (the vault is not zero-knowledge)")


def expect_zero_knowledge(run: Run, key: AccountKey, code: str, accept_new_key: bool) -> None:
    """Whoever has a recovery code (the secret named ``code``) has a vault that the server cannot open. Or had.

    For keys that something is to be encrypted under. Raises :class:`KeyChangedError`.
    """
    if key.origin is KeyOrigin.SERVER and run.source(code) is not None and not accept_new_key:
        raise KeyChangedError(
            "a recovery code was given, and the server gives out the account's key itself",
            hint="if the vault is meant to be so, go on with --accept-new-key; if not, somebody may have replaced it",
        )


def _given_tokens(run: Run, account: Account) -> TokenSource | None:
    source = run.source(f"{account.prefix}token")
    if source is None:
        return None
    if isinstance(source, EnvironmentSource) or (isinstance(source, FileSource) and not source.can_be_read_again()):
        return StaticToken(secret_text(source, _TOKEN))
    # A file may be renewed by somebody while we run, as a command gives a new one.
    return CommandToken(lambda: secret_text(source, _TOKEN))


def _not_signed_in(account: Account) -> SignInError:
    profile = "" if account.profile == "default" else f" --profile {account.profile}"
    ways = f"`manabackup{profile} login`, {ways_to_give(f'{account.prefix}token')}"
    if account.prefix:
        return SignInError("not signed in as the target account", hint=f"--to-profile NAME, {ways}")
    return SignInError("not signed in", hint=ways)
