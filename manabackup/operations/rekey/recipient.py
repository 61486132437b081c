"""Whom an archive is rekeyed for, and what opens it."""

from __future__ import annotations

from dataclasses import dataclass

from ...archive.reader import Archive
from ...crypto.fields import FieldCipher
from ...errors import ServerError, UsageError
from ...remote.vault import VaultKey
from ...rows.wrapped_key import WrappedKey
from ..account.access import AccountAccess
from ..account.spaces import account_spaces
from .rekeying import check_opener


@dataclass(frozen=True, slots=True)
class Recipient:
    """The account that an archive is made for."""

    cipher: FieldCipher
    user_id: str | None = None
    """None where only its key was given."""
    home: str | None = None
    """Its personal space."""
    homeless_because: str | None = None
    """Why that could not be asked for. The archive can do without."""


def recipient(access: AccountAccess, *, accept_new_key: bool = False) -> Recipient:
    """The account of ``access``, with its key; a key that is given for whoever is signed in stands for itself.

    Raises :class:`UsageError` for an account without a key, and what
    :meth:`~manabackup.operations.account.access.AccountAccess.key_to_encrypt_under` raises.
    """
    given = access.master_key()
    if given is not None and not access.settings.prefix:
        return Recipient(FieldCipher(given))
    with access.connect() as connection:
        key = access.key_to_encrypt_under(connection, accept_new_key=accept_new_key)
        if key.cipher is None:
            raise UsageError("the target account has no key yet", hint="sign in to the web app with it once")
        try:
            return Recipient(key.cipher, connection.user_id, account_spaces(connection).personal)
        except ServerError as error:
            return Recipient(key.cipher, connection.user_id, homeless_because=error.message)


def opener_of(archive: Archive, access: AccountAccess) -> FieldCipher | None:
    """The key of what is encrypted in an archive; nobody is asked for one where everything should be in clear.

    Where the archive has it under the recovery code, no server is asked for it.

    Raises :class:`WrongKeyError` for another key than the archive names, and what
    :meth:`~manabackup.operations.account.access.AccountAccess.vault_key` raises.
    """
    wrapped = WrappedKey.of(archive) if archive.manifest.as_stored else None
    if wrapped is not None:
        return access.key_of(VaultKey(wrapped=wrapped.wrapped, iv=wrapped.iv)).cipher
    needed = access.master_key() is not None or not archive.manifest.fields_plaintext
    opener = access.key().cipher if needed else None
    check_opener(archive, opener)
    return opener
