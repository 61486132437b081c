"""An access token, for somebody who is to write into the account in its owner's place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ...remote.connection import Connection
from ...remote.session import read_claims
from ...text.timestamps import app_time
from .spaces import account_spaces


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What somebody needs who is handed a token, and what the token does not say of itself."""

    token: str = field(repr=False)
    user_id: str
    expires_at: datetime | None
    personal_space: str | None
    """Where the account's own rows go; None where the service does not tell."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``token --json`` prints (``formats/schemas/token.schema.json``)."""
        return {
            "token": self.token,
            "userId": self.user_id,
            "expiresAt": None if self.expires_at is None else app_time(self.expires_at),
            "personalSpace": self.personal_space,
        }


def access_token(connection: Connection) -> AccessToken:
    """A token of whoever is connected, as fresh as it can be had. Raises :class:`SignInError`, :class:`ServerError`."""
    personal = account_spaces(connection).personal
    token = connection.tokens.token()
    expires = read_claims(token).expires_at
    return AccessToken(
        token, connection.user_id, None if expires is None else datetime.fromtimestamp(expires, UTC), personal
    )
