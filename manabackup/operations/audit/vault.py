"""What is known of an account's vault, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from ...errors import UsageError
from ...mirror import Mirror
from ...remote.vault import VaultClient, VaultStatus
from ..account.access import OpenAccount
from ..account.key import is_remembered, remembered_vault
from .findings import Findings

VaultMode: TypeAlias = Literal["zero-knowledge", "standard", "none"]


@dataclass(frozen=True, slots=True)
class VaultState:
    """The state of a vault; None is unknown."""

    mode: VaultMode | None = None
    recovery_code: bool | None = None
    """Whether a recovery code opens it."""

    @classmethod
    def of(cls, status: VaultStatus) -> Self:
        """As the account service says."""
        if not status.exists:
            return cls("none", None)
        return cls("zero-knowledge" if status.zero_knowledge else "standard", status.has_recovery_wrap)

    @classmethod
    def of_account(cls, account: OpenAccount) -> Self:
        """As the account service says, or without the servers as the mirror remembers it.

        Raises :class:`ServerError`, :class:`SignInError`.
        """
        if account.connection is None:
            return cls.remembered(account.mirror)
        return cls.of(VaultClient(account.connection.auth, account.connection.tokens).status())

    @classmethod
    def remembered(cls, mirror: Mirror) -> Self:
        """As a mirror remembers it, without the servers."""
        if not is_remembered(mirror):
            return cls()
        try:
            key = remembered_vault(mirror)
        except UsageError:  # only the server knows the key
            return cls("standard", None)
        return cls("none", None) if key is None else cls("zero-knowledge", bool(key.wrapped))

    def find(self, findings: Findings) -> None:
        """Adds what is wrong."""
        if self.mode is None:
            findings.of("vaultUnknown").add(None)
        elif self.mode == "none":
            findings.of("noVault").add(None)
        elif self.mode == "standard":
            findings.of("standardVault").add(None)
            if self.recovery_code is False:
                findings.of("noRecoveryCode").add(None)
        elif self.recovery_code is False:
            findings.of("lockedOut").add(None)
