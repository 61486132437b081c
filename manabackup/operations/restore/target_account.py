"""The account that is written into: its servers, its spaces, its key."""

from __future__ import annotations

from dataclasses import dataclass

from ...crypto.fields import FieldCipher
from ...model.spaces import PERSONAL
from ...remote.connection import Connection
from ...text.jsontext import JSON
from ..account.key import AccountKey, KeyOrigin
from ..account.spaces import account_spaces
from .identity import TargetSpaces


@dataclass(frozen=True, slots=True)
class TargetAccount:
    """An account that is written into. :func:`target_account` makes one."""

    connection: Connection
    spaces: TargetSpaces
    cipher: FieldCipher | None = None
    """None where its key is not at hand, or there is none."""
    has_vault: bool = True
    """Whether there is a key."""
    known_fingerprint: str | None = None
    """The key's, where it is not at hand and this computer remembers which one it is."""

    @property
    def knows_personal_space(self) -> bool:
        """Without it rows go to its stand-in, and show in every space until the app is started again."""
        return self.spaces.personal is not None

    @property
    def compares_without_key(self) -> bool:
        """A private field counts as equal only where its ciphertext is the same."""
        return self.cipher is None and self.has_vault

    def to_json(self) -> dict[str, JSON]:
        """The member ``target`` of what ``restore --json`` prints."""
        return {
            "userId": self.connection.user_id,
            "keyFingerprint": self.cipher.fingerprint if self.cipher is not None else None,
            "personalSpace": self.spaces.home,
        }


def target_account(
    connection: Connection,
    key: AccountKey | None,
    *,
    personal_space: str | None = None,
    known_fingerprint: str | None = None,
    unreadable: str | None = PERSONAL,
) -> TargetAccount:
    """The account of a connection, to be written into.

    Without a ``key`` the account has one that is not at hand: what is written must be encrypted under it already.
    ``known_fingerprint`` is that key's, if it is known: an archive under another one is refused.
    ``personal_space`` names the account's own space, for a connection by access token, which cannot ask for it. A
    space whose type cannot be read counts as ``unreadable``, as in :func:`account_spaces`. Raises
    :class:`ServerError`, :class:`SignInError`.
    """
    found = account_spaces(connection, personal_space, unreadable=unreadable)
    return TargetAccount(
        connection,
        TargetSpaces(connection.user_id, found.types, found.personal),
        key.cipher if key is not None else None,
        has_vault=key is None or key.origin is not KeyOrigin.NONE,
        known_fingerprint=known_fingerprint,
    )
