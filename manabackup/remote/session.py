"""Who is asking: sessions and access tokens of the account service.

A session is a signed cookie that lives for a week and is extended by use; it is kept verbatim, as the server checks the
percent-encoded text. An access token is a JWT (RFC 7519) of 15 minutes that a session renews. Nothing here verifies a
token: that is the servers' part.
"""

from __future__ import annotations

import binascii
import re
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import JSONTextError, ServerError, SignInError
from ..text import jsontext
from ..text.printable import one_line
from .answers import Answer
from .challenge import refuse_page
from .request import Request
from .transport import Transport, is_passing, is_refused_for_now

SESSION_COOKIES = ("__Secure-mana.session_token", "mana.session_token")
TWO_FACTOR_COOKIES = ("__Secure-mana.two_factor", "mana.two_factor")

_RENEW_BEFORE = 60.0
"""Seconds of a token's life that are not used."""
_JWT = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+")
SIGN_IN_HINT = "sign in again with `manabackup login`"
_WRONG_PASSWORD = frozenset({"INVALID_EMAIL_OR_PASSWORD", "INVALID_CREDENTIALS"})
_REFUSALS = {
    "EMAIL_NOT_VERIFIED": "the e-mail address is not confirmed yet",
    "INVALID_CODE": "the code of the second factor is wrong",
    "INVALID_BACKUP_CODE": "the backup code is wrong or was used before",
    "INVALID_TWO_FACTOR_COOKIE": "the second factor came too late",
}
_HINTS = {
    "EMAIL_NOT_VERIFIED": "open the link in the mail that the service sent you",
    "INVALID_CODE": "a code holds for a minute, and this computer's clock plays no part in it; try the next one",
    "INVALID_BACKUP_CODE": "capitals and the dash count",
    "INVALID_TWO_FACTOR_COOKIE": "sign in again and give the code within ten minutes",
}


class WrongPasswordError(SignInError):
    """The service knows no account of this address with this password; it does not say which of the two is wrong."""


# --- tokens -----------------------------------------------------------------------------------------------------------


class TokenSource(Protocol):
    """Gives access tokens. Safe to share between threads."""

    def token(self) -> str:
        """A token to try. Raises :class:`SignInError` when there is none."""

    def refresh(self, rejected: str | None = None) -> str | None:
        """Another token than the ``rejected`` one, or None when this source cannot give any."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says of itself, unverified."""

    user_id: str
    issued_at: int | None
    """Seconds since 1970."""
    expires_at: int | None
    email: str | None

    def expired(self) -> bool:
        """Whether the token's life is over by this computer's clock."""
        return self.expires_at is not None and self.expires_at <= time.time()


def read_claims(token: str) -> Claims:
    """Raises :class:`SignInError` for what is no JWT or names no user, without quoting it."""
    match = _JWT.fullmatch(token)
    try:
        payload = jsontext.parse(urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))) if match else None
    except (binascii.Error, JSONTextError):
        payload = None
    if not isinstance(payload, dict) or not _is_name(payload.get("sub")):
        raise SignInError("this is not an access token of the account service", hint="a token is a JWT: xxx.yyy.zzz")
    issued, expires, email = payload.get("iat"), payload.get("exp"), payload.get("email")
    return Claims(
        user_id=payload["sub"],
        issued_at=issued if type(issued) is int else None,
        expires_at=expires if type(expires) is int else None,
        email=email if isinstance(email, str) else None,
    )


def _is_name(sub: jsontext.JSON) -> bool:
    """Whether it can be a user's id: a text that is not empty, and that UTF-8 has bytes for."""
    return isinstance(sub, str) and sub != "" and sub == sub.encode("utf-8", "ignore").decode()


def user_id(token: str) -> str:
    """The user that a token speaks for (its ``sub``), unverified. Raises :class:`SignInError`."""
    return read_claims(token).user_id


class StaticToken:
    """One token, as given; it cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        read_claims(self._token)

    def token(self) -> str:
        """The token."""
        return self._token

    def refresh(self, rejected: str | None = None) -> str | None:
        """Always None."""
        return None


class CommandToken:
    """Tokens from a callable (that runs the user's command), asked again before one ends or when one is refused.

    All speak for one user, ``user`` or else that of the first: what is read and written must not go over to another
    account in the middle. Both methods raise :class:`SignInError` for a token of somebody else.
    """

    def __init__(
        self, obtain: Callable[[], str], *, user: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._obtain = obtain
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._user: str | None = user
        self._renew_at = float("inf")

    def token(self) -> str:
        """The token at hand, or a new one when that is about to end."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                return self._renew()
            return self._token

    def refresh(self, rejected: str | None = None) -> str | None:
        """A new token, or the one that another thread renewed meanwhile. None when the same one comes again."""
        with self._lock:
            if self._token is not None and rejected is not None and self._token != rejected:
                return self._token
            fresh = self._renew()
            return None if fresh == rejected else fresh

    def _renew(self) -> str:
        asked_at = self._clock()
        token = self._obtain().strip()
        claims = read_claims(token)
        if claims.user_id != (self._user or claims.user_id):
            raise SignInError(
                "the new access token speaks for another user than the one before",
                hint="begin anew, with tokens of one account",
            )
        self._token, self._user = token, claims.user_id
        # By the time that passes here: this computer's clock may be wrong.
        lifetime = (claims.expires_at or 0) - (claims.issued_at or 0)
        known = claims.expires_at is not None and claims.issued_at is not None
        self._renew_at = asked_at + max(lifetime - _RENEW_BEFORE, lifetime / 2) if known else float("inf")
        return token


# --- sessions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user. ``cookie`` is a secret: whoever holds it is the user."""

    auth_url: str
    """The account service that it belongs to; it is sent nowhere else."""
    user_id: str
    email: str
    cookie: str = field(repr=False)
    """Name and value as the server set them: ``mana.session_token=…``."""

    def check_belongs_to(self, transport: Transport) -> None:
        """Raises :class:`SignInError` when ``transport`` leads to another service: the cookie must not go there."""
        if transport.base_url != self.auth_url:
            raise SignInError(
                f"signed in at {self.auth_url}, not at {transport.base_url}",
                hint=f"--auth-url {self.auth_url} goes on with that session (for a target account --to-auth-url); "
                "`manabackup login` signs in anew",
            )


class SessionToken(CommandToken):
    """Access tokens that a session gives (``GET /api/auth/token``).

    When the server knows the session no more, ``stored`` is asked for the one that is kept now: somebody may have
    signed in anew since.
    """

    def __init__(
        self,
        transport: Transport,
        session: Session,
        *,
        stored: Callable[[], Session | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        session.check_belongs_to(transport)
        self._transport = transport
        self._session = session
        self._stored = stored
        super().__init__(self._of_session, user=session.user_id, clock=clock)

    @property
    def session(self) -> Session:
        """The one that is used now."""
        return self._session

    def replacement(self, refused: Session) -> Session | None:
        """The session in place of one that was refused; None where nobody has signed in since. It is used from now on.

        Raises :class:`SignInError` where it is another user's, or of another service, and what ``stored`` raises.
        """
        if self._session.cookie != refused.cookie:  # another thread was here
            return self._session
        stored = self._stored()
        if stored is None or stored.cookie == refused.cookie:
            return None
        if stored.user_id != refused.user_id:
            raise SignInError(
                f"the session has ended, and since then {one_line(stored.email)} is signed in, which is another user",
                hint=f"sign in as {one_line(refused.email)}, or begin anew with the account that is signed in",
            )
        stored.check_belongs_to(self._transport)
        self._session = stored
        return stored

    def _of_session(self) -> str:
        session = self._session
        try:
            return _session_token(self._transport, session.cookie)
        except SignInError:
            newer = self.replacement(session)
            if newer is None:
                raise
        return _session_token(self._transport, newer.cookie)


def sign_in(
    transport: Transport,
    email: str,
    password: str,
    *,
    second_factor: Callable[[], str] | None = None,
    backup_code: Callable[[], str] | None = None,
) -> Session:
    """Signs in with e-mail address and password, and with a second factor where the account has one.

    ``second_factor`` gives the authenticator's code and is called only when it is needed; ``backup_code`` goes first
    where both are given. Raises :class:`WrongPasswordError`, :class:`SignInError` with another reason,
    :class:`ServerError`.
    """
    answer = _post(transport, "/api/auth/sign-in/email", {"email": email, "password": password})
    cookies = _cookies(answer)
    body = answer.json()
    if isinstance(body, dict) and body.get("twoFactorRedirect") is True:
        cookies = _cookies(
            _answer_challenge(transport, _named(cookies, TWO_FACTOR_COOKIES), second_factor, backup_code)
        )
    cookie = _named(cookies, SESSION_COOKIES)
    if cookie is None:
        raise ServerError(f"{answer.source}: the answer holds no session")
    claims = read_claims(_session_token(transport, cookie))
    return Session(transport.base_url, claims.user_id, claims.email or email, cookie)


def sign_out(transport: Transport, session: Session) -> None:
    """Ends a session on the server; one that has ended already is no error. Its last token lives on for minutes."""
    session.check_belongs_to(transport)
    answer = transport.request(
        Request("POST", "/api/auth/sign-out", headers={"Cookie": session.cookie, "Origin": transport.origin})
    )
    if answer.status not in (200, 401):
        raise answer.error()


def _answer_challenge(
    transport: Transport,
    cookie: str | None,
    second_factor: Callable[[], str] | None,
    backup_code: Callable[[], str] | None,
) -> Answer:
    if cookie is None:
        raise ServerError(f"{transport.host}: asks for a second factor and sets no cookie for it")
    if backup_code is not None:
        answer = _post(
            transport, "/api/auth/two-factor/verify-backup-code", {"code": backup_code().strip()}, cookie, consumes=True
        )
    elif second_factor is not None:
        code = "".join(second_factor().split())
        answer = _post(transport, "/api/auth/two-factor/verify-totp", {"code": code}, cookie)
    else:
        raise SignInError(
            "the account has a second factor, and no code was given",
            hint="give the authenticator's code or a backup code",
        )
    return answer


def _post(
    transport: Transport, path: str, body: dict[str, str], cookie: str | None = None, consumes: bool = False
) -> Answer:
    headers = {"Content-Type": "application/json", "Origin": transport.origin}
    if cookie is not None:
        headers["Cookie"] = cookie
    answer = transport.request(
        Request("POST", path, headers=headers, body=jsontext.dumps(body)),
        once=consumes,
        passing=is_refused_for_now if consumes else is_passing,
    )
    if answer.status != 200:
        raise _refusal(answer)
    return answer


def _refusal(answer: Answer) -> SignInError | ServerError:
    refuse_page(answer)
    code = answer.member("code") or answer.member("error") or ""
    if code in _WRONG_PASSWORD:
        return WrongPasswordError("the e-mail address or the password is wrong")
    if code in _REFUSALS:
        return SignInError(_REFUSALS[code], hint=_HINTS.get(code))
    if answer.status == 429:
        seconds = answer.retry_after()
        hint = f"try again in {-(-seconds // 60):.0f} min" if seconds else "try again in half an hour"
        if code == "ACCOUNT_LOCKED":
            return SignInError("the account is locked after too many wrong passwords", hint=hint)
        return ServerError("the account service takes no more sign-ins from here for now", hint=hint)
    if answer.status in (400, 401, 403):
        return SignInError(f"sign-in refused: {answer.words()}")
    if answer.status == 404:
        return ServerError(f"{answer.source}: {answer.words()}", hint="is this the address of the account service?")
    if answer.status >= 500 and "backup-code" in answer.source:
        return ServerError(
            f"{answer.source}: {answer.words()}",
            hint="some versions of the service fail on right backup codes; use the authenticator's code",
        )
    return answer.error()


def _session_token(transport: Transport, cookie: str) -> str:
    answer = transport.request(Request("GET", "/api/auth/token", headers={"Cookie": cookie}))
    if answer.status in (401, 403):
        refuse_page(answer)
        raise SignInError("the session has ended", hint=SIGN_IN_HINT)
    if answer.status != 200:
        raise answer.error()
    token = answer.member("token")
    if token is None:
        raise ServerError(f"{answer.source}: the answer holds no token")
    return token


def _cookies(answer: Answer) -> dict[str, str]:
    """The cookies that are set after an answer; one may be set and cleared in the same."""
    cookies: dict[str, str] = {}
    for line in answer.set_cookies:
        pair, *attributes = line.split(";")
        name, _, value = pair.strip().partition("=")
        if not value or "max-age=0" in (attribute.strip().lower() for attribute in attributes):
            cookies.pop(name, None)
        elif _COOKIE_VALUE.fullmatch(value):
            cookies[name] = value
        else:
            raise ServerError(f"{answer.source}: sets a malformed cookie {one_line(name)}")
    return cookies


def _named(cookies: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((f"{name}={cookies[name]}" for name in names if name in cookies), None)
