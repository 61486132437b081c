"""The encryption vault of each user: what its calls give, in both modes, and why they refuse.

The service checks little: it takes any strings as a recovery wrap, also in zero-knowledge mode, and any 32 bytes as the
key when that mode is left. Source: ``fixtures/transcripts/auth``, a4.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Literal

from ..crypto.keys import KEY_BYTES
from ..crypto.recovery import SECRET_BYTES, format_recovery_code, wrap_master_key
from ..text import jsontext
from .accountdb import AccountDatabase
from .clock import iso

FORMAT_VERSION = 1
_KEK_ID = "env-v1"

Mode = Literal["standard", "zero-knowledge"]


class VaultRefused(Exception):  # noqa: N818 - an answer of the service, no failure of this program
    """The service refuses, and says why."""

    def __init__(self, status: int, error: str, code: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "code": code}


class InternalFailure(Exception):  # noqa: N818 - as above
    """The service fails at what it did not foresee: a damaged vault, a token of a user that is gone."""


class Vaults:
    """All vaults. ``now`` is milliseconds since 1970."""

    def __init__(self, database: AccountDatabase) -> None:
        self._db = database

    def put(self, user_id: str, mode: Mode, master_key: bytes, now: int) -> str | None:
        """Makes or replaces a vault. Gives the recovery code that opens a zero-knowledge one."""
        if len(master_key) != KEY_BYTES:
            raise ValueError("a master key has 32 bytes")
        if mode == "standard":
            self._store(user_id, master_key)
            return None
        secret = os.urandom(SECRET_BYTES)
        wrapped, iv = wrap_master_key(secret, master_key)
        self._store(user_id, None, wrapped, iv, now, zero_knowledge=True)
        return format_recovery_code(secret)

    def damage(self, user_id: str) -> None:
        """From now on the server cannot open what it keeps: ``/key`` fails, ``/status`` does not."""
        self._db.write("UPDATE vaults SET damaged = 1 WHERE user_id = ?", user_id)

    # --- the calls

    def status(self, user_id: str) -> jsontext.JSON:
        """Also of a user that does not exist."""
        row = self._row(user_id)
        set_at = None if row is None else row["recovery_set_at"]
        return {
            "vaultExists": row is not None,
            "hasRecoveryWrap": row is not None and row["recovery_wrapped_mk"] is not None,
            "zeroKnowledge": row is not None and bool(row["zero_knowledge"]),
            "recoverySetAt": None if set_at is None else iso(set_at),
        }

    def key(self, user_id: str) -> jsontext.JSON:
        """The key, or what the recovery code opens."""
        self._check_user(user_id)
        row = self._existing(user_id)
        if row["damaged"]:
            raise InternalFailure
        if row["zero_knowledge"]:
            return {
                "requiresRecoveryCode": True,
                "recoveryWrappedMk": row["recovery_wrapped_mk"],
                "recoveryIv": row["recovery_iv"],
                "formatVersion": FORMAT_VERSION,
            }
        master_key = base64.b64encode(row["master_key"]).decode()
        return {"masterKey": master_key, "formatVersion": FORMAT_VERSION, "kekId": _KEK_ID}

    def init(self, user_id: str) -> jsontext.JSON:
        """As :meth:`key`; makes a vault where there is none."""
        self._check_user(user_id)
        if self._row(user_id) is None:
            self._store(user_id, os.urandom(KEY_BYTES))
        return self.key(user_id)

    def rotate(self, user_id: str) -> jsontext.JSON:
        """Another key; what was encrypted under the old one is lost, and so is the recovery wrap."""
        self._check_user(user_id)
        row = self._row(user_id)
        if row is not None and row["zero_knowledge"]:
            raise VaultRefused(409, "cannot rotate in zero-knowledge mode", "ZK_ROTATE_FORBIDDEN")
        self._store(user_id, os.urandom(KEY_BYTES))
        return self.key(user_id)

    def set_recovery_wrap(self, user_id: str, body: jsontext.JSON, now: int) -> jsontext.JSON:
        """Any two non-empty strings do."""
        wrapped, iv = (_member(body, name) for name in ("recoveryWrappedMk", "recoveryIv"))
        if not (isinstance(wrapped, str) and wrapped and isinstance(iv, str) and iv):
            raise VaultRefused(400, "recoveryWrappedMk and recoveryIv are required (base64 strings)", "BAD_REQUEST")
        self._existing(user_id)
        self._db.write(
            "UPDATE vaults SET recovery_wrapped_mk = ?, recovery_iv = ?, recovery_set_at = ? WHERE user_id = ?",
            *(wrapped, iv, now, user_id),
        )
        return {"ok": True}

    def clear_recovery_wrap(self, user_id: str) -> jsontext.JSON:
        """None there is no error."""
        if self._existing(user_id)["zero_knowledge"]:
            raise VaultRefused(409, "cannot clear recovery wrap while zero-knowledge is active", "ZK_ACTIVE")
        self._db.write(
            "UPDATE vaults SET recovery_wrapped_mk = NULL, recovery_iv = NULL, recovery_set_at = NULL"
            " WHERE user_id = ?",
            user_id,
        )
        return {"ok": True}

    def set_zero_knowledge(self, user_id: str, body: jsontext.JSON) -> jsontext.JSON:
        """Switches the mode. The words of a refused ``masterKey`` are not on record; its status and code are."""
        enable = _member(body, "enable")
        if not isinstance(enable, bool):
            raise VaultRefused(400, "`enable: boolean` is required", "BAD_REQUEST")
        if enable:
            if self._existing(user_id)["recovery_wrapped_mk"] is None:
                raise VaultRefused(400, "set a recovery wrap before enabling zero-knowledge", "RECOVERY_WRAP_MISSING")
            self._db.write("UPDATE vaults SET zero_knowledge = 1, master_key = NULL WHERE user_id = ?", user_id)
        else:
            master_key = _key_bytes(_member(body, "masterKey"))
            if master_key is None:
                raise VaultRefused(400, "masterKey (base64, 32 bytes) is required", "BAD_REQUEST")
            self._existing(user_id)
            self._db.write(
                "UPDATE vaults SET zero_knowledge = 0, master_key = ? WHERE user_id = ?", master_key, user_id
            )
        return {"ok": True, "zeroKnowledge": enable}

    def _check_user(self, user_id: str) -> None:
        # The audit log refers to the user: the calls that write it fail without one.
        if self._db.row("SELECT 1 FROM users WHERE id = ?", user_id) is None:
            raise InternalFailure

    def _row(self, user_id: str) -> dict[str, jsontext.JSON] | None:
        row = self._db.row("SELECT * FROM vaults WHERE user_id = ?", user_id)
        return None if row is None else dict(row)

    def _existing(self, user_id: str) -> dict[str, jsontext.JSON]:
        row = self._row(user_id)
        if row is None:
            raise VaultRefused(404, "vault not initialised", "VAULT_NOT_INITIALISED")
        return row

    def _store(
        self,
        user_id: str,
        master_key: bytes | None,
        wrapped: str | None = None,
        iv: str | None = None,
        set_at: int | None = None,
        *,
        zero_knowledge: bool = False,
    ) -> None:
        self._db.write(
            "INSERT OR REPLACE INTO vaults VALUES (?, ?, ?, ?, ?, ?, 0)",
            *(user_id, master_key, wrapped, iv, set_at, int(zero_knowledge)),
        )


def _member(body: jsontext.JSON, name: str) -> jsontext.JSON:
    return body.get(name) if isinstance(body, dict) else None


def _key_bytes(text: jsontext.JSON) -> bytes | None:
    try:
        data = base64.b64decode(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == KEY_BYTES else None
