"""One call of the account service: who asks, with which cookie or token, and what the body says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ..errors import JSONTextError
from ..text import jsontext
from . import credentials
from .accounts import Accounts, User
from .auth_edge import Refused, empty_answer, json_answer
from .clock import iso
from .sessions import CHALLENGE_S, SESSION_S, TRUST_S, Session
from .vault import InternalFailure

Endpoint = Callable[[Request], Awaitable[Response]]

_LIFETIMES = {"session_token": SESSION_S, "two_factor": CHALLENGE_S, "trust_device": TRUST_S}
_BODY_TYPES = ("application/x-www-form-urlencoded", "application/json")
_TOO_MANY = "Too many requests. Please try again later."


class Call:
    """A request with the service behind it. Cookies to be set gather in :attr:`cookies`."""

    def __init__(self, accounts: Accounts, request: Request, body: jsontext.JSON = None) -> None:
        self.accounts = accounts
        self.request = request
        self.body = body
        self.cookies: list[str] = []

    # --- where from

    @property
    def ip_address(self) -> str:
        """The client's address, which the service knows from its proxy alone."""
        forwarded = self.request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
        return forwarded or ("" if self.accounts.production else "127.0.0.1")

    def check_rate(self, path: str, refuse: Callable[[int], Response]) -> None:
        """Counts the call in production, where the client's address is known."""
        if self.accounts.production and self.ip_address:
            retry_after = self.accounts.rate_limits.retry_after(self.ip_address, path, self.accounts.now())
            if retry_after is not None:
                raise Refused(refuse(retry_after))

    def check_origin(self) -> None:
        """A call with a cookie must say where it comes from, and so must a browser's."""
        headers = self.request.headers
        fetched = any(name.startswith("sec-fetch-") for name in headers)
        if "cookie" not in headers and not (fetched and "/sign-in/" in self.request.url.path):
            return
        origin = headers.get("origin") or _origin(headers.get("referer", ""))
        if not origin or origin == "null":
            raise Refused(native_refusal(403, "Missing or null Origin", "MISSING_OR_NULL_ORIGIN"))
        if origin != _origin(self.accounts.issuer) and origin not in self.accounts.trusted_origins:
            raise Refused(native_refusal(403, "Invalid origin", "INVALID_ORIGIN"))

    # --- who

    def session(self) -> tuple[Session, bool] | None:
        """The session of the cookie, and whether this call extended it."""
        token = self.cookie("session_token")
        if token is None:
            return None
        return self.accounts.sessions.find(token, self.accounts.now(), extend=self.cookie("dont_remember") is None)

    def signed_in(self) -> tuple[Session, User]:
        """The session and its user. Refused without one."""
        found = self.session()
        user = None if found is None else self.accounts.user(found[0].user_id)
        if found is None or user is None:
            raise Refused(native_refusal(401, "Unauthorized", "UNAUTHORIZED"))
        return found[0], user

    def open_session(self, user: User, *, remember: bool = True) -> Session:
        """A new session for the user, with its cookie."""
        session = self.accounts.sessions.open(
            user.id,
            self.accounts.now(),
            ip_address=self.ip_address,
            user_agent=self.request.headers.get("user-agent", ""),
            remember=remember,
        )
        self.set_cookie("session_token", session.token, lasting=remember)
        if not remember:
            self.set_cookie("dont_remember", "true", lasting=False)
        return session

    # --- cookies

    def cookie(self, name: str) -> str | None:
        """The value of a cookie that this service signed."""
        wanted, found = self._name(name), None
        for pair in self.request.headers.get("cookie", "").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == wanted:
                found = credentials.signed_value(value, self.accounts.secret)
        return found

    def set_cookie(self, name: str, value: str, *, lasting: bool = True, seconds: int | None = None) -> None:
        """Adds a signed cookie to the answer; one that is not lasting ends with the browser."""
        age = f"Max-Age={_LIFETIMES[name] if seconds is None else seconds}; " if lasting else ""
        self._add(name, credentials.sign_value(value, self.accounts.secret), age)

    def clear_cookies(self, *names: str) -> None:
        """Takes cookies away from the client."""
        for name in names:
            self._add(name, "", "Max-Age=0; ")

    def _add(self, name: str, value: str, age: str) -> None:
        secure = "Secure; " if self.accounts.production or self._https else ""
        self.cookies.append(f"{self._name(name)}={value}; {age}Path=/; HttpOnly; {secure}SameSite=Lax")

    def _name(self, name: str) -> str:
        return f"__Secure-mana.{name}" if self._https else f"mana.{name}"

    @property
    def _https(self) -> bool:
        return self.accounts.issuer.startswith("https:")

    # --- answers

    def answer(self, body: jsontext.JSON, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON answer with the cookies that gathered."""
        return json_answer(body, status, headers=headers, cookies=self.cookies)


# --- bodies -----------------------------------------------------------------------------------------------------------


async def loose_body(request: Request) -> jsontext.JSON:
    """The body as JSON whatever its content type, or None when it is none."""
    try:
        return jsontext.parse(await request.body())
    except JSONTextError:
        return None


def invalid_members(body: jsontext.JSON, *names: str) -> str:
    """What the service's validator says of members that are no strings; empty when all are."""
    members = body if isinstance(body, dict) else {}
    received = {name: _kind(members[name]) if name in members else "undefined" for name in names}
    wrong = [(name, kind) for name, kind in received.items() if kind != "string"]
    return "; ".join(f"[body.{name}] Invalid input: expected string, received {kind}" for name, kind in wrong)


def strings(call: Call, *names: str) -> list[str]:
    """Members of a native call's body that must be strings. Refused when they are not."""
    if not isinstance(call.body, dict):
        received = "undefined" if call.body is None else _kind(call.body)
        message = f"[body] Invalid input: expected object, received {received}"
    else:
        message = invalid_members(call.body, *names)
    if message:
        raise Refused(native_refusal(400, message, "VALIDATION_ERROR"))
    return [call.body[name] for name in names]


def _kind(value: jsontext.JSON) -> str:
    names = {bool: "boolean", int: "number", jsontext.Number: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


# --- native routes, /api/auth/* ---------------------------------------------------------------------------------------


def native_refusal(status: int, message: str, code: str) -> Response:
    """The shape in which ``/api/auth/*`` refuses."""
    return json_answer({"message": message, "code": code}, status)


def native(accounts: Accounts, handle: Callable[[Call], Response]) -> Endpoint:
    """An endpoint below ``/api/auth``: rate limit, origin and content type come before the handler."""

    async def endpoint(request: Request) -> Response:
        call = Call(accounts, request)
        call.check_rate(request.url.path.removeprefix("/api/auth"), _native_limit)
        if request.method == "POST":
            call.check_origin()
            call.body = _native_body(request, await request.body())
        return handle(call)

    return endpoint


def _native_limit(retry_after: int) -> Response:
    headers = {"x-retry-after": str(retry_after), "content-type": "application/octet-stream"}
    return Response(jsontext.dumps({"message": _TOO_MANY}), 429, headers)


def _native_body(request: Request, body: bytes) -> jsontext.JSON:
    if not body:
        return None
    stated = request.headers.get("content-type", "")
    kind = stated.partition(";")[0].strip().lower()
    if kind not in _BODY_TYPES:
        what = f'Content-Type "{stated}" is not allowed' if stated else "Content-Type is required"
        message = f"{what}. Allowed types: {', '.join(_BODY_TYPES)}"
        raise Refused(native_refusal(415, message, "UNSUPPORTED_MEDIA_TYPE"))
    if kind == _BODY_TYPES[0]:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return jsontext.parse(body)
    except JSONTextError:
        raise Refused(empty_answer(500)) from None


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else url


# --- routes of the service's own, /api/v1/* ---------------------------------------------------------------------------


def v1_refusal(status: int, error: str, message: str, *, retry_after: int | None = None) -> Response:
    """The shape in which ``/api/v1/auth/*`` refuses."""
    body: dict[str, jsontext.JSON] = {"error": error, "message": message, "status": status}
    if retry_after is None:
        return json_answer(body, status)
    return json_answer({**body, "retryAfterSec": retry_after}, status, headers={"retry-after": str(retry_after)})


def v1_limit(_retry_after: int) -> Response:
    """Too many requests, here without a hint."""
    return v1_refusal(429, "RATE_LIMITED", _TOO_MANY)


def guard(accounts: Accounts, request: Request) -> dict[str, jsontext.JSON]:
    """The claims of the call's token. Refused without a valid one; the scheme is case-sensitive."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise Refused(_unauthorized("Missing or invalid Authorization header"))
    claims = accounts.claims(token)
    if claims is None:
        raise Refused(_unauthorized("Invalid or expired token"))
    return claims


def guarded(accounts: Accounts, handle: Callable[[Call, str], Response]) -> Endpoint:
    """An endpoint that needs a token; the handler gets the user id, of a user that may be gone."""

    async def endpoint(request: Request) -> Response:
        claims = guard(accounts, request)
        call = Call(accounts, request, await loose_body(request))
        user_id = claims.get("sub")
        if not isinstance(user_id, str):
            raise InternalFailure
        return handle(call, user_id)

    return endpoint


def _unauthorized(message: str) -> Response:
    return json_answer({"statusCode": 401, "message": message}, 401)


# --- shapes that several routes show ----------------------------------------------------------------------------------


def user_body(user: User) -> jsontext.JSON:
    """A user as the sign-in routes show it."""
    return {
        "name": user.name,
        "email": user.email,
        "emailVerified": user.email_verified,
        "image": None,
        "createdAt": iso(user.created_at),
        "updatedAt": iso(user.updated_at),
        "twoFactorEnabled": user.two_factor_enabled,
        "accessTier": user.access_tier,
        "kind": "human",
        "id": user.id,
    }


def session_body(session: Session) -> jsontext.JSON:
    """A session as its owner sees it."""
    return {
        "expiresAt": iso(session.expires_at),
        "token": session.token,
        "createdAt": iso(session.created_at),
        "updatedAt": iso(session.updated_at),
        "ipAddress": session.ip_address,
        "userAgent": session.user_agent,
        "userId": session.user_id,
        "id": session.id,
    }
