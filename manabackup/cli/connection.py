"""Who is asking, and with which key: one account at its servers, for the commands that need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..crypto.fields import FieldCipher
from ..crypto.recovery import parse_recovery_code, unwrap_master_key
from ..errors import SignInError
from ..limits import DEFAULT_LIMITS, Limits
from ..remote.session import CommandToken, Session, SessionToken, StaticToken, TokenSource, user_id
from ..remote.transport import Transport
from ..remote.vault import VaultKey
from ..secret_sources import EnvironmentSource, secret_text, ways_to_give
from ..settings import Account
from ..state import StateFolder
from .run import Run

_TOKEN = "access token"  # noqa: S105 # its name


@dataclass(frozen=True, slots=True)
class Connection:
    """An account at its two servers, until :func:`connect`'s block ends."""

    account: Account
    user_id: str
    tokens: TokenSource
    session: Session | None
    """None when an access token stands in for a login: then what takes only the session's cookie cannot be asked."""
    auth: Transport
    sync: Transport


@contextmanager
def connect(run: Run, account: Account | None = None, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Connection]:
    """Connects as ``account``, by default the one of the settings; nothing is sent yet but to renew a token.

    A token goes before the stored session. Raises :class:`SignInError` when there is neither, :class:`UsageError` for
    addresses that are none, and what reading the token raises.
    """
    account = account or run.settings.account
    with Transport(account.auth_url, limits=limits) as auth, Transport(account.sync_url, limits=limits) as sync:
        tokens = _given_tokens(run, account)
        if tokens is not None:
            yield Connection(account, user_id(tokens.token()), tokens, None, auth, sync)
            return
        session = StateFolder(run.settings.state_dir).sessions(account.profile).load()
        if session is None:
            raise _not_signed_in(account)
        yield Connection(account, session.user_id, SessionToken(auth, session), session, auth, sync)


def unlock(run: Run, account: Account, vault: Callable[[], VaultKey | None]) -> FieldCipher | None:
    """The cipher of an account's private fields, or None when nothing of it is encrypted.

    A key file goes before the ``vault``. Says so when the server knows the key. Raises :class:`WrongKeyError`,
    :class:`WrongRecoveryCodeError`, and what asking the vault raises.
    """
    given = run.master_key(account.prefix)
    if given is not None:
        return FieldCipher(given)
    key = vault()
    if key is None:
        run.terminal.note("the account has no vault: nothing of it is encrypted")
        return None
    if key.master_key is not None:
        run.terminal.note("the account's key is known to the server (the vault is not zero-knowledge)")
        return FieldCipher(key.master_key)
    secret = parse_recovery_code(run.secret(f"{account.prefix}recovery-code"))
    return FieldCipher(unwrap_master_key(secret, key.wrapped, key.iv))


def _given_tokens(run: Run, account: Account) -> TokenSource | None:
    source = run.source(f"{account.prefix}token")
    if source is None:
        return None
    if isinstance(source, EnvironmentSource):
        return StaticToken(secret_text(source, _TOKEN))
    # A file may be renewed by somebody while we run, as a command gives a new one.
    return CommandToken(lambda: secret_text(source, _TOKEN))


def _not_signed_in(account: Account) -> SignInError:
    profile = "" if account.profile == "default" else f" --profile {account.profile}"
    ways = f"`manabackup{profile} login`, {ways_to_give(f'{account.prefix}token')}"
    if account.prefix:
        return SignInError("not signed in as the target account", hint=f"--to-profile NAME, {ways}")
    return SignInError("not signed in", hint=ways)
