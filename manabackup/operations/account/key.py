"""The key of an account's private fields: where it comes from, and whether it is the one that was used before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ...crypto.fields import FieldCipher as FieldCipher
from ...crypto.keys import parse_master_key as parse_master_key
from ...crypto.recovery import parse_recovery_code, unwrap_master_key
from ...crypto.recovery import recovery_code_flaw as recovery_code_flaw
from ...errors import KeyChangedError, MirrorError, UsageError, WrongRecoveryCodeError
from ...mirror import UNKNOWN_KEY, Mirror
from ...remote.connection import Connection
from ...remote.vault import VaultClient, VaultKey
from ...text import jsontext
from ...text.jsontext import JSON

_VAULT = "vault"
_STANDARD = "standard"
_SET_AT = "recoverySetAt"


class KeyOrigin(Enum):
    """Where a key came from."""

    GIVEN = "given"
    """The caller had it."""
    RECOVERY_CODE = "recovery-code"
    """A zero-knowledge vault, opened here."""
    SERVER = "server"
    """A standard vault: the server knows the key."""
    NONE = "none"
    """There is no vault, and nothing of the account is encrypted."""


class KeyNotHereError(UsageError):
    """Only a server knows the account's key, and none was to be asked."""


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The key of an account's private fields."""

    cipher: FieldCipher | None
    """None where nothing is encrypted."""
    origin: KeyOrigin
    replaced: str | None = None
    """Fingerprint of the key that the mirror knew before, where another one was accepted in its place."""


def check_same_account(mirror: Mirror, connection: Connection | None) -> None:
    """Raises :class:`MirrorError` where ``mirror`` and ``connection`` are not of one account on one server."""
    if connection is not None and (mirror.sync_url, mirror.user_id) != (connection.sync.base_url, connection.user_id):
        raise MirrorError("the mirror belongs to another account or server than the connection")


def unlock(
    mirror: Mirror,
    connection: Connection | None = None,
    *,
    master_key: bytes | None = None,
    recovery_code: Callable[[], str] | None = None,
    once_more: Callable[[WrongRecoveryCodeError], bool] | None = None,
    accept_new_key: bool = False,
) -> AccountKey:
    """The key of the account's private fields, held against the one that was used with this mirror before.

    It is ``master_key`` where that is given, else the vault's: the account service's, or without a ``connection`` the
    one that the mirror remembers in its wrapped form. ``recovery_code`` is called when the vault is zero-knowledge,
    and again after a wrong one for which ``once_more`` says so.

    Raises :class:`WrongKeyError`, :class:`WrongRecoveryCodeError`, :class:`KeyChangedError` unless ``accept_new_key``,
    :class:`UsageError` when what is needed was not given, :class:`SignInError`, :class:`ServerError`, and
    :class:`MirrorError` for a mirror of another account than the connection's.
    """
    check_same_account(mirror, connection)
    asked: list[VaultKey | None] = []

    def vault() -> VaultKey | None:
        if connection is None:
            return remembered_vault(mirror)
        asked.append(ask_vault(connection))
        return asked[0]

    key = open_vault(vault, master_key=master_key, recovery_code=recovery_code, once_more=once_more)
    replaced = pin(mirror, key.cipher, accept_new_key=accept_new_key)
    for found in asked:
        remember_vault(mirror, found)
    return AccountKey(key.cipher, key.origin, replaced)


def open_vault(
    vault: Callable[[], VaultKey | None],
    *,
    master_key: bytes | None = None,
    recovery_code: Callable[[], str] | None = None,
    once_more: Callable[[WrongRecoveryCodeError], bool] | None = None,
) -> AccountKey:
    """The key of a vault. With a ``master_key`` the vault is not asked; ``recovery_code`` is called only when needed.

    It is called again after a wrong one for which ``once_more`` says so.

    Raises :class:`WrongKeyError`, :class:`WrongRecoveryCodeError`, :class:`UsageError` where a recovery code is needed
    and there is none, and what asking the vault raises.
    """
    if master_key is not None:
        return AccountKey(FieldCipher(master_key), KeyOrigin.GIVEN)
    key = vault()
    if key is None:
        return AccountKey(None, KeyOrigin.NONE)
    if key.master_key is not None:
        return AccountKey(FieldCipher(key.master_key), KeyOrigin.SERVER)
    if recovery_code is None:
        raise UsageError("the vault is zero-knowledge, and no recovery code was given")
    while True:
        try:
            secret = parse_recovery_code(recovery_code())
            return AccountKey(FieldCipher(unwrap_master_key(secret, key.wrapped, key.iv)), KeyOrigin.RECOVERY_CODE)
        except WrongRecoveryCodeError as error:
            if once_more is None or not once_more(error):
                raise


def ask_vault(connection: Connection) -> VaultKey | None:
    """The vault's key, as the account service has it."""
    return VaultClient(connection.auth, connection.tokens).key()


def remember_vault(mirror: Mirror, key: VaultKey | None) -> None:
    """Lets the mirror remember a vault, as far as it is not secret, so that it can be unlocked without the servers.

    Only for a vault whose key was found to be the right one: it takes the place of the one remembered before.
    """
    known: JSON = {}
    if key is not None:
        # The wrapped key opens with the recovery code alone.
        known = {"wrapped": key.wrapped, "iv": key.iv} if key.zero_knowledge else {_STANDARD: True}
    mirror.remember(_VAULT, jsontext.dumps(known).decode())


def note_vault(connection: Connection, mirror: Mirror) -> None:
    """Lets a mirror that was never unlocked remember the vault, whatever its key is: nobody can tell yet.

    A key that the server knows is not asked for. Raises :class:`SignInError`, :class:`ServerError`.
    """
    remembered = mirror.recall(_VAULT)
    if remembered is not None and mirror.key_fingerprint is not None:
        return
    client = VaultClient(connection.auth, connection.tokens)
    status = client.status()
    if not status.zero_knowledge:
        known: JSON = {_STANDARD: True} if status.exists else {}
    else:
        before: JSON = jsontext.parse(remembered or "{}")
        if "wrapped" in before and before.get(_SET_AT) == status.recovery_set_at:
            return  # the service keeps a log of every time that the key was asked for
        key = client.key()
        known = {"wrapped": key.wrapped, "iv": key.iv, _SET_AT: status.recovery_set_at} if key is not None else {}
    mirror.remember(_VAULT, jsontext.dumps(known).decode())


def remembered_vault(mirror: Mirror) -> VaultKey | None:
    """The vault's key as the mirror remembers it.

    Raises :class:`UsageError` where only the server knows the key, or the vault was never asked for.
    """
    remembered = mirror.recall(_VAULT)
    known: JSON = {_STANDARD: True} if remembered is None else jsontext.parse(remembered)
    if not known:
        return None
    if "wrapped" not in known:
        raise KeyNotHereError(
            "the account's key is not known here", hint="give it with --key-file, or do without --offline"
        )
    return VaultKey(wrapped=known["wrapped"], iv=known["iv"])


def is_remembered(mirror: Mirror) -> bool:
    """Whether the vault, or that there is none, was ever asked for with this mirror."""
    return mirror.recall(_VAULT) is not None


def pin(mirror: Mirror, cipher: FieldCipher | None, *, accept_new_key: bool) -> str | None:
    """Holds a key against the one that the mirror remembers, and lets it remember this one.

    Gives the fingerprint of the key that was replaced, if one was. Raises :class:`KeyChangedError` when the key is
    another one and ``accept_new_key`` does not say that this is expected.
    """
    pinned = mirror.key_fingerprint
    fingerprint = cipher.fingerprint if cipher is not None else None
    if fingerprint == pinned:
        return None
    if pinned == UNKNOWN_KEY:
        return _pin_anew(mirror, fingerprint, accept_new_key=accept_new_key)
    if fingerprint is None:
        raise KeyChangedError(
            "the account had a key before, and its vault is gone",
            hint="if you have the key, give it with --key-file; if not, ask who removed the vault",
        )
    if pinned is not None and not accept_new_key:
        raise KeyChangedError(
            f"the account's key is another one than before ({pinned} was known, {fingerprint} is given)"
        )
    mirror.pin_key(fingerprint)
    return pinned


def _pin_anew(mirror: Mirror, fingerprint: str | None, *, accept_new_key: bool) -> str:
    if not accept_new_key:
        raise KeyChangedError(
            "the mirror was damaged, and with it what it knew of the account's key: nobody can tell whether this is "
            f"the one of before ({fingerprint or 'none'})",
            hint="`manabackup info` shows the key of an archive of before; if it is this one, go on with "
            "--accept-new-key",
        )
    if fingerprint is None:
        mirror.forget_key()
    else:
        mirror.pin_key(fingerprint)
    return UNKNOWN_KEY
