"""What an export is told of an account out of a database: who it is, its spaces, and its key if there is one.

Private fields stay sealed: they are their owner's. Those of a standard vault can be opened by whoever has the KEK, and
are when it is given; the archive says so. The key as the recovery code opens it travels in the archive, as the vault
would give it to its owner, so that he opens the archive without anybody's server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...crypto.fields import FieldCipher
from ...crypto.kek import parse_kek, unwrap
from ...errors import SourceError, WrongKeyError
from ...model import registry
from ...rows.wrapped_key import VAULT_ENTRY, WrappedKey
from ...sources.mana_accounts import ManaAccount
from ...text import jsontext
from ...text.jsontext import JSON
from ..account.source import Changes, Source

_ABOUT = "database.json"
_MISSING = ("accountDataMissing", "a database was read, and not the account service")
_UNKNOWABLE = "what devices have not sent, and what the account's owner was a member of once"


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether private fields of standard vaults are opened."""

    kek: bytes | None = field(default=None, repr=False)
    """The operator's key, 32 bytes."""

    @classmethod
    def by(cls, content: bytes | None) -> Opening:
        """With a KEK as a file holds it, or without one. Raises :class:`WrongKeyError`."""
        return cls(None if content is None else parse_kek(content))

    def cipher(self, account: ManaAccount) -> FieldCipher | None:
        """What opens an account's fields. Raises :class:`WrongKeyError`, :class:`SourceError`."""
        vault = account.vault
        if self.kek is None or vault.wrapped_key is None:
            return None
        return FieldCipher(unwrap(self.kek, *vault.wrapped_key))

    def check(self, accounts: Iterable[ManaAccount]) -> None:
        """Raises :class:`WrongKeyError` for a KEK that opens no vault, though there are some that it should."""
        if self.kek is None:
            return
        wrong: WrongKeyError | None = None
        for account in accounts:
            try:
                if self.cipher(account) is not None:
                    return
            except WrongKeyError as error:
                wrong = error
            except SourceError:
                continue
        if wrong is not None:
            raise wrong


def source_of(account: ManaAccount, changes: Changes, opening: Opening, read: Mapping[str, JSON]) -> Source:
    """What an export of an account reads. ``read`` says where and when its changes were.

    Raises :class:`WrongKeyError` for a KEK that does not open the vault, :class:`SourceError` for a damaged one.
    """
    vault = account.vault
    cipher = opening.cipher(account)
    stated: dict[str, JSON] = {**read, "vault": vault.mode}
    if cipher is not None:
        stated["openedWithKek"] = vault.kek_id
    return Source(
        changes,
        registry.load(),
        account.user.id,
        cipher,
        space_types=account.space_types,
        memberships=account.space_ids,
        account=_entries(account),
        notices=[_MISSING],
        as_stored=cipher is None and vault.mode != "none",
        stated={"source": stated},
        unknowable=_UNKNOWABLE,
    )


def _entries(account: ManaAccount) -> dict[str, bytes]:
    entries = {_ABOUT: jsontext.dumps(account.to_json())}
    recovery = account.vault.recovery
    if recovery is not None:
        entries[VAULT_ENTRY] = WrappedKey(recovery.key, recovery.iv).text()
    return entries
