"""How an account and its key are come by: who asks, at which servers, with what this computer holds of it.

:class:`AccountAccess` is one account of one configuration. :meth:`AccountAccess.open` is where working with the servers
and working without them part; whoever takes the :class:`OpenAccount` that it gives need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from ...errors import KeyChangedError, NotFoundError, SignInError, WrongRecoveryCodeError
from ...host.secret_sources import SecretFile, SecretSource, SecretVariable, secret_text, ways_to_give
from ...limits import DEFAULT_LIMITS, Limits
from ...mirror import Mirror
from ...remote.connection import Connection, connect
from ...remote.session import CommandToken, StaticToken, TokenSource, user_id
from ...remote.vault import VaultClient, VaultKey
from .account_data import export_source, remember_account
from .key import AccountKey, KeyOrigin, ask_vault, open_vault, pin, unlock
from .settings import DEFAULT_PROFILE, AccountSettings
from .source import Source
from .state import StateFolder, make_room

_KEYLESS = AccountKey(None, KeyOrigin.NONE)
_TOKEN = "access token"  # noqa: S105 # its name


@dataclass(frozen=True, slots=True)
class AccountSecrets:
    """Where an account's secrets come from. Nothing is asked for before it is needed."""

    tokens: Callable[[], TokenSource | None]
    """Access tokens that stand in for a login; None where there are none."""
    master_key: Callable[[], bytes | None]
    """The key, where its owner gives it."""
    recovery_code: Callable[[], str]
    """Perhaps from a prompt."""
    has_recovery_code: Callable[[], bool]
    """Whether it is at hand without asking anybody."""
    once_more: Callable[[WrongRecoveryCodeError], bool] = lambda _: False
    """Whether to ask for another one after a wrong one."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told what the owner of an account should know."""

    key: Callable[[AccountKey], object]
    """A key was come by."""
    mirror: Callable[[Mirror, bool], object]
    """A mirror was opened; True where no server is asked in this run."""


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account that is worked with: its mirror under the lock of the state folder, and its key."""

    mirror: Mirror
    connection: Connection | None
    """None without the servers."""
    key: AccountKey

    def source(
        self, *, account_data: bool = True, account_data_at: datetime | None = None
    ) -> AbstractContextManager[Source]:
        """What an export or an audit reads: see :func:`export_source`."""
        return export_source(
            self.mirror, self.key, self.connection, account_data=account_data, account_data_at=account_data_at
        )

    def remember(self) -> None:
        """Lets the mirror remember what an export without the servers needs besides the changes.

        Raises :class:`ServerError`, :class:`SignInError`.
        """
        assert self.connection is not None
        remember_account(self.mirror, self.connection)


class AccountAccess:
    """One account: where it lives, what this computer keeps of it, and where its secrets come from."""

    def __init__(
        self, settings: AccountSettings, state: StateFolder, secrets: AccountSecrets, listener: Listener
    ) -> None:
        self.settings = settings
        self.state = state
        self._secrets = secrets
        self._listener = listener

    @contextmanager
    def connect(self, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Connection]:
        """Connects; nothing is sent yet but to renew a token. A token goes before the stored session.

        Whoever signs in anew meanwhile, as the same user, gives this connection the new session, too.

        Raises :class:`SignInError` when there is neither, :class:`UsageError` for addresses that are none, and what
        reading the token raises.
        """
        settings = self.settings
        stored = self.state.sessions(settings.profile).load
        who = self._secrets.tokens() or stored()
        if who is None:
            raise self._not_signed_in()
        urls = {"auth_url": settings.auth_url, "sync_url": settings.sync_url}
        with connect(who, **urls, limits=limits, stored=stored) as connection:
            yield connection

    def expect_user(self, user: str) -> None:
        """Whoever connects now is to be this user. Raises :class:`SignInError`, and what reading a token raises."""
        if self._known_user() != user:
            raise SignInError(
                f"the profile {self.settings.profile} speaks for another user now",
                hint="begin anew with the account that is signed in, or sign in as the one before",
            )

    @contextmanager
    def open(
        self, *, offline: bool = False, accept_new_key: bool = False, without_key: bool = False
    ) -> Iterator[OpenAccount]:
        """The account's mirror and its key, held against the one that was used before; ``offline`` asks no server.

        ``without_key`` leaves the key aside. Raises :class:`LockedError`, :class:`NotFoundError` for an account that
        was never pulled, :class:`MirrorError`, what :meth:`connect` raises, and what
        :func:`~manabackup.operations.account.key.unlock` raises.
        """
        with ExitStack() as stack:
            if offline:
                connection, url, user = None, self.settings.sync_url, self._known_user()
            else:
                connection = stack.enter_context(self.connect())
                url, user = connection.sync.base_url, connection.user_id
            mirror = stack.enter_context(self._mirror(url, user, offline=offline))
            key = _KEYLESS if without_key else self._unlocked(mirror, connection, accept_new_key)
            yield OpenAccount(mirror, connection, key)

    def mirror(self, connection: Connection) -> AbstractContextManager[Mirror]:
        """The account's mirror alone, under the lock. Raises :class:`LockedError`, :class:`MirrorError`."""
        return self._mirror(connection.sync.base_url, connection.user_id)

    def key(self) -> AccountKey:
        """The key that the account's owner gives, else that of its vault, for which the servers are asked.

        Raises what :meth:`connect` and :meth:`vault_key` raise.
        """
        if self.master_key() is not None:
            return self._found(lambda: None)
        with self.connect() as connection:
            return self.vault_key(connection)

    def master_key(self) -> bytes | None:
        """The key, where its owner gives it. Raises :class:`WrongKeyError`."""
        return self._secrets.master_key()

    def vault_key(self, connection: Connection) -> AccountKey:
        """The key that the account's owner gives, else that of its vault; no mirror is asked.

        Raises :class:`WrongKeyError`, :class:`WrongRecoveryCodeError`, :class:`UsageError`, :class:`SignInError`,
        :class:`ServerError`.
        """
        return self._found(lambda: ask_vault(connection))

    def key_of(self, vault: VaultKey) -> AccountKey:
        """The same of a vault that is at hand, such as one that lies in an archive: no server is asked."""
        return self._found(lambda: vault)

    def key_to_encrypt_under(self, connection: Connection, *, accept_new_key: bool = False) -> AccountKey:
        """The same, for something that is to be encrypted: what comes under a wrong key is lost.

        A key that this computer knows otherwise is not used: somebody may have replaced it. Raises
        :class:`KeyChangedError` too, unless ``accept_new_key``, :class:`LockedError`, :class:`MirrorError`.
        """
        key = self.vault_key(connection)
        self.expect_zero_knowledge(key, accept_new_key=accept_new_key)
        path = self.state.mirror_path(connection.sync.base_url, connection.user_id)
        if key.cipher is not None and path.exists():
            with self._mirror(connection.sync.base_url, connection.user_id, offline=True) as mirror:
                pin(mirror, key.cipher, accept_new_key=accept_new_key)
        return key

    def expect_zero_knowledge(self, key: AccountKey, *, accept_new_key: bool = False) -> None:
        """Whoever has a recovery code has a vault that the server cannot open. Or had.

        Raises :class:`KeyChangedError`.
        """
        if key.origin is KeyOrigin.SERVER and self._secrets.has_recovery_code() and not accept_new_key:
            raise KeyChangedError(
                "a recovery code was given, and the server gives out the account's key itself",
                hint="if the vault is meant to be so, go on with --accept-new-key; if not, somebody may have "
                "replaced it",
            )

    def key_to_write_with(
        self, connection: Connection, *, needed: bool, accept_new_key: bool = False
    ) -> AccountKey | None:
        """The same; where it is not ``needed``, nobody is asked for a recovery code, and None is a key not at hand.

        Raises what :meth:`key_to_encrypt_under` raises.
        """
        if needed:
            return self.key_to_encrypt_under(connection, accept_new_key=accept_new_key)
        given = self._secrets.has_recovery_code() or self.master_key() is not None
        if not given and VaultClient(connection.auth, connection.tokens).status().zero_knowledge:
            return None
        return self.key_to_encrypt_under(connection, accept_new_key=accept_new_key)

    def known_fingerprint(self, connection: Connection) -> str | None:
        """The fingerprint of the account's key, as far as this computer remembers it. Raises as :meth:`open` does."""
        if not self.state.mirror_path(connection.sync.base_url, connection.user_id).exists():
            return None
        with self._mirror(connection.sync.base_url, connection.user_id, offline=True) as mirror:
            return mirror.key_fingerprint

    # --- below

    def _found(self, vault: Callable[[], VaultKey | None]) -> AccountKey:
        key = open_vault(
            vault,
            master_key=self.master_key(),
            recovery_code=self._secrets.recovery_code,
            once_more=self._secrets.once_more,
        )
        self._listener.key(key)
        return key

    def _unlocked(self, mirror: Mirror, connection: Connection | None, accept_new_key: bool) -> AccountKey:
        key = unlock(
            mirror,
            connection,
            master_key=self.master_key(),
            recovery_code=self._secrets.recovery_code,
            once_more=self._secrets.once_more,
            accept_new_key=accept_new_key,
        )
        self._listener.key(key)
        return key

    @contextmanager
    def _mirror(self, sync_url: str, user: str, *, offline: bool = False) -> Iterator[Mirror]:
        with self.state.lock():
            path = self.state.mirror_path(sync_url, user)
            make_room(path)
            try:
                mirror = Mirror(path, sync_url=sync_url, user_id=user, create=not offline)
            except NotFoundError:
                hint = "run `manabackup pull` first"
                raise NotFoundError("there is no mirror of this account yet", hint=hint) from None
            with mirror:
                self._listener.mirror(mirror, offline)
                yield mirror

    def _known_user(self) -> str:
        """Whose mirror is meant, without asking anybody: from a token, else from the stored session."""
        tokens = self._secrets.tokens()
        if tokens is not None:
            return user_id(tokens.token())
        session = self.state.sessions(self.settings.profile).load()
        if session is None:
            raise SignInError(
                "not signed in", hint="`manabackup login`, or give the token that the mirror was pulled with"
            )
        return session.user_id

    def _not_signed_in(self) -> SignInError:
        profile = "" if self.settings.profile == DEFAULT_PROFILE else f" --profile {self.settings.profile}"
        ways = f"`manabackup{profile} login`, {ways_to_give(f'{self.settings.prefix}token')}"
        if self.settings.prefix:
            return SignInError("not signed in as the target account", hint=f"--to-profile NAME, {ways}")
        return SignInError("not signed in", hint=ways)


def tokens_from(source: SecretSource) -> TokenSource:
    """Access tokens from where somebody keeps them. Raises what reading the first one raises."""
    if isinstance(source, SecretVariable) or (isinstance(source, SecretFile) and not source.can_be_read_again()):
        return StaticToken(secret_text(source, _TOKEN))
    # A file may be renewed by somebody while we run, as a command gives a new one.
    return CommandToken(lambda: secret_text(source, _TOKEN))
