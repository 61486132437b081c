"""One account at its two servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..limits import DEFAULT_LIMITS, Limits
from .session import Session, SessionToken, TokenSource, user_id
from .transport import Transport


@dataclass(frozen=True, slots=True)
class Connection:
    """An account at its servers, until :func:`connect`'s block ends. Safe to share between threads."""

    user_id: str
    tokens: TokenSource
    session: Session | None
    """None when access tokens stand in for a login: then what takes only the session's cookie cannot be asked."""
    auth: Transport
    sync: Transport


@contextmanager
def connect(
    who: Session | TokenSource, *, auth_url: str, sync_url: str, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Connection]:
    """Connects as ``who``; nothing is sent but to get the first of several tokens.

    There are no default addresses: a token goes to the servers that were named, and nowhere else. Raises
    :class:`UsageError` for addresses that are none, :class:`SignInError` when ``who`` is signed in at another account
    service or gives no token.
    """
    with Transport(auth_url, limits=limits) as auth, Transport(sync_url, limits=limits) as sync:
        if isinstance(who, Session):
            yield Connection(who.user_id, SessionToken(auth, who), who, auth, sync)
        else:
            yield Connection(user_id(who.token()), who, None, auth, sync)
