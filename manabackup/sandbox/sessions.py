"""Sessions, second factors and trusted devices, as the account service keeps them."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from ..text import jsontext
from . import credentials
from .accountdb import AccountDatabase

SESSION_S = 7 * 86_400
_FORGETFUL_S = 86_400
_RENEWED_AFTER_S = 86_400
CHALLENGE_S = 600
TRUST_S = 30 * 86_400
_MS = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user. Times are milliseconds since 1970."""

    id: str
    token: str
    user_id: str
    expires_at: int
    created_at: int
    updated_at: int
    ip_address: str
    user_agent: str


class Sessions:
    """All sessions. ``now`` is milliseconds since 1970 throughout."""

    def __init__(self, database: AccountDatabase) -> None:
        self._db = database

    def open(
        self, user_id: str, now: int, *, ip_address: str = "", user_agent: str = "", remember: bool = True
    ) -> Session:
        """Begins a session of seven days, or of one that the browser is to forget."""
        expires_at = now + (SESSION_S if remember else _FORGETFUL_S) * _MS
        session = Session(
            credentials.opaque_id(),
            credentials.opaque_id(),
            user_id,
            expires_at,
            now,
            now,
            ip_address,
            user_agent,
        )
        self._db.write(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(session.id, session.token, user_id, expires_at, now, now, ip_address, user_agent),
        )
        return session

    def find(self, token: str, now: int, *, extend: bool = True) -> tuple[Session, bool] | None:
        """The living session of a token, and whether this use extended it, which happens daily at most.

        One that has ended is removed.
        """
        with self._db.transaction():
            row = self._db.row("SELECT * FROM sessions WHERE token = ?", token)
            if row is None:
                return None
            if row["expires_at"] <= now:
                self.close(token)
                return None
            extended = extend and row["expires_at"] - SESSION_S * _MS + _RENEWED_AFTER_S * _MS <= now
            if extended:
                self._db.write(
                    "UPDATE sessions SET expires_at = ?, updated_at = ? WHERE token = ?",
                    *(now + SESSION_S * _MS, now, token),
                )
                row = self._db.row("SELECT * FROM sessions WHERE token = ?", token) or row
            return Session(**dict(row)), extended

    def touch(self, token: str, now: int) -> None:
        """Notes a use that changes nothing else."""
        self._db.write("UPDATE sessions SET updated_at = ? WHERE token = ?", now, token)

    def close(self, token: str) -> None:
        """Ends a session; one that is unknown is no error."""
        self._db.write("DELETE FROM sessions WHERE token = ?", token)

    def of_user(self, user_id: str, now: int) -> list[Session]:
        """The user's living sessions, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM sessions WHERE user_id = ? AND expires_at > ? ORDER BY created_at, rowid", user_id, now
        )
        return [Session(**dict(row)) for row in rows]

    # --- the second factor

    def arm(self, user_id: str, secret: str, backup_codes: list[str]) -> None:
        """Stores what the second factor is checked against; it is asked for once ``users.two_factor_enabled``."""
        codes = jsontext.dumps(backup_codes).decode()
        self._db.write("INSERT OR REPLACE INTO two_factor VALUES (?, ?, ?)", user_id, secret, codes)

    def code_matches(self, user_id: str, code: str, now: int) -> bool:
        """Whether an authenticator's code fits now, or half a minute off."""
        row = self._db.row("SELECT secret FROM two_factor WHERE user_id = ?", user_id)
        return row is not None and credentials.totp_matches(code, row["secret"], now / _MS)

    def backup_code_matches(self, user_id: str, code: str) -> bool:
        """Whether a backup code fits, to the letter."""
        return code in self._backup_codes(user_id)

    def spend_backup_code(self, user_id: str, code: str) -> None:
        """It will not fit again."""
        left = [other for other in self._backup_codes(user_id) if other != code]
        codes = jsontext.dumps(left).decode()
        self._db.write("UPDATE two_factor SET backup_codes = ? WHERE user_id = ?", codes, user_id)

    def _backup_codes(self, user_id: str) -> list[str]:
        row = self._db.row("SELECT backup_codes FROM two_factor WHERE user_id = ?", user_id)
        return [] if row is None else list(jsontext.parse(row["backup_codes"]))

    # --- short-lived proofs: "the password was right", "this device is trusted"

    def challenge(self, user_id: str, now: int) -> str:
        """The id of a sign-in that still lacks its second factor; good for ten minutes."""
        return self._proof("2fa-" + credentials.opaque_id(20), user_id, now + CHALLENGE_S * _MS)

    def challenged_user(self, challenge: str, now: int) -> str | None:
        """Whose sign-in it is, or None when it is unknown or over."""
        row = self._db.row("SELECT user_id FROM challenges WHERE id = ? AND expires_at > ?", challenge, now)
        return None if row is None else str(row["user_id"])

    def forget(self, proof: str) -> None:
        """A proof is used once."""
        self._db.write("DELETE FROM challenges WHERE id = ?", proof)

    def trust(self, user_id: str, now: int, secret: bytes) -> str:
        """A proof that skips the second factor on this device, for 30 days: ``hex(HMAC)!id``."""
        proof = self._proof(credentials.opaque_id(24), user_id, now + TRUST_S * _MS)
        return f"{_trust_mark(user_id, proof, secret)}!{proof}"

    def trusted(self, value: str, user_id: str, now: int, secret: bytes) -> bool:
        """Whether the proof is this user's and still good; it is used up by that."""
        mark, _, proof = value.partition("!")
        if self.challenged_user(proof, now) != user_id:
            return False
        self.forget(proof)
        return hmac.compare_digest(mark.encode(), _trust_mark(user_id, proof, secret).encode())

    def _proof(self, proof: str, user_id: str, expires_at: int) -> str:
        self._db.write("INSERT INTO challenges VALUES (?, ?, ?)", proof, user_id, expires_at)
        return proof


def _trust_mark(user_id: str, proof: str, secret: bytes) -> str:
    return hmac.digest(secret, f"{user_id}!{proof}".encode(), "sha256").hex()
