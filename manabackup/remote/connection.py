"""One account at its two servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import SignInError
from ..limits import DEFAULT_LIMITS, Limits
from .account import Space, organizations
from .session import Session, SessionToken, TokenSource, user_id
from .transport import Transport


@dataclass(frozen=True, slots=True)
class Connection:
    """An account at its servers, until :func:`connect`'s block ends. Safe to share between threads."""

    user_id: str
    tokens: TokenSource
    auth: Transport
    sync: Transport

    @property
    def session(self) -> Session | None:
        """None when access tokens stand in for a login: then what takes only the session's cookie cannot be asked."""
        return self.tokens.session if isinstance(self.tokens, SessionToken) else None

    def spaces(self) -> list[Space] | None:
        """The user's spaces, in the server's order; None where there is no session to ask with.

        Raises :class:`SignInError`, :class:`ServerError`.
        """
        if not isinstance(self.tokens, SessionToken):
            return None
        session = self.tokens.session
        try:
            return organizations(self.auth, session)
        except SignInError:
            newer = self.tokens.replacement(session)
            if newer is None:
                raise
        return organizations(self.auth, newer)


@contextmanager
def connect(
    who: Session | TokenSource,
    *,
    auth_url: str,
    sync_url: str,
    limits: Limits = DEFAULT_LIMITS,
    stored: Callable[[], Session | None] = lambda: None,
) -> Iterator[Connection]:
    """Connects as ``who``; nothing is sent but to get the first of several tokens.

    ``stored`` gives the session that is kept now, for one that the server knows no more (:class:`SessionToken`).

    There are no default addresses: a token goes to the servers that were named, and nowhere else. Raises
    :class:`UsageError` for addresses that are none, :class:`SignInError` when ``who`` is signed in at another account
    service or gives no token.
    """
    with Transport(auth_url, limits=limits) as auth, Transport(sync_url, limits=limits) as sync:
        if isinstance(who, Session):
            yield Connection(who.user_id, SessionToken(auth, who, stored=stored), auth, sync)
        else:
            yield Connection(user_id(who.token()), who, auth, sync)
