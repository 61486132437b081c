"""The account's encryption vault, read only. This tool never creates, rotates or wraps a key."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field

from ..errors import ServerError
from ..text import jsontext
from .answers import Answer
from .authorized import Authorized
from .request import Request
from .session import TokenSource
from .transport import Transport

_PATH = "/api/v1/me/encryption-vault"
_FORMAT_VERSION = 1
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """What the account service says of the vault."""

    exists: bool
    zero_knowledge: bool
    """The server holds the master key only as wrapped by the recovery code."""
    has_recovery_wrap: bool
    recovery_set_at: str | None
    """RFC 3339, as the server writes it."""


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A vault's key: ``master_key`` in standard mode, where the server knows it; else it is wrapped.

    The wrapped form (``wrapped`` and ``iv``, base64) is what ``crypto.recovery.unwrap_master_key`` takes.
    """

    master_key: bytes | None = field(default=None, repr=False)
    wrapped: str = field(default="", repr=False)
    iv: str = field(default="", repr=False)

    @property
    def zero_knowledge(self) -> bool:
        """Whether the recovery code is needed."""
        return self.master_key is None


class VaultClient:
    """Reads the vault of the user whom the tokens speak for."""

    def __init__(self, transport: Transport, tokens: TokenSource) -> None:
        self._server = Authorized(transport, tokens)

    def status(self) -> VaultStatus:
        """Raises :class:`ServerError`, :class:`SignInError`."""
        answer = self._server.request(Request("GET", f"{_PATH}/status"))
        body = _object(answer)
        exists, zero_knowledge, wrapped = (
            body.get(name) for name in ("vaultExists", "zeroKnowledge", "hasRecoveryWrap")
        )
        if not (isinstance(exists, bool) and isinstance(zero_knowledge, bool) and isinstance(wrapped, bool)):
            raise ServerError(f"{answer.source}: the answer is not a vault's status")
        recovery_set_at = body.get("recoverySetAt")
        return VaultStatus(
            exists, zero_knowledge, wrapped, recovery_set_at if isinstance(recovery_set_at, str) else None
        )

    def key(self) -> VaultKey | None:
        """The vault's key, or None when there is no vault: then nothing of the account is encrypted.

        The service keeps a log of successful calls. Raises :class:`ServerError`, also where the service fails at a
        vault that exists, and :class:`SignInError`.
        """
        answer = self._server.request(Request("GET", f"{_PATH}/key"))
        if answer.status == 404 and answer.member("code") == "VAULT_NOT_INITIALISED":
            return None
        body = _object(answer)
        if body.get("formatVersion") != _FORMAT_VERSION:
            raise ServerError(
                f"{answer.source}: the vault has a format that this version does not know",
                hint="a newer version of this tool may know it",
            )
        if body.get("requiresRecoveryCode") is True:
            wrapped, iv = body.get("recoveryWrappedMk"), body.get("recoveryIv")
            if isinstance(wrapped, str) and isinstance(iv, str):
                return VaultKey(wrapped=wrapped, iv=iv)
        else:
            key = _decoded(body.get("masterKey"))
            if len(key) == _KEY_BYTES:
                return VaultKey(key)
        raise ServerError(f"{answer.source}: the answer holds no usable key")


def _object(answer: Answer) -> dict[str, jsontext.JSON]:
    if answer.status != 200:
        raise answer.error()
    body = answer.json()
    if not isinstance(body, dict):
        raise ServerError(f"{answer.source}: the answer is not an object")
    return body


def _decoded(text: object) -> bytes:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""
