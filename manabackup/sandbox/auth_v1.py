"""The service's own sign-in routes, ``/api/v1/auth/*``: simpler than the native ones, and without cookies to keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import JSONTextError
from ..text import jsontext
from . import credentials
from .accounts import Accounts, User
from .auth_call import Call, Endpoint, invalid_members, loose_body, user_body, v1_limit, v1_refusal
from .auth_edge import Refused, json_answer
from .auth_native import get_session, sign_in, sign_out

_PASSWORD_CHARS = 8
_SIGNUP = {"registrationOpen": True, "spotsRemaining": None, "totalToday": 0, "limit": 0, "resetsAt": ""}


def routes(accounts: Accounts) -> list[Route]:
    """Registration, login, and the exchange of a session for a token."""

    def route(method: str, path: str, handle: Callable[[Call], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await handle(Call(accounts, request))

        served: Endpoint = endpoint
        return Route(f"/api/v1/auth/{path}", served, methods=[method])

    return [
        route("GET", "signup-status", _signup_status),
        route("POST", "register", _register),
        route("POST", "login", _login),
        route("POST", "refresh", _refresh),
        route("POST", "session-to-token", _session_to_token),
        route("GET", "session", _session),
        route("POST", "logout", _logout),
        route("POST", "validate", _validate),
    ]


async def _signup_status(_call: Call) -> Response:
    return json_answer(_SIGNUP)


async def _register(call: Call) -> Response:
    body = await _strict_body(call)
    email, password, name = _strings(body, "email", "password", "name")
    local, at, domain = email.partition("@")
    if not (local and at and "." in domain):
        return v1_refusal(400, "VALIDATION", "[body.email] Invalid email address")
    if len(password) < _PASSWORD_CHARS:
        return v1_refusal(400, "WEAK_PASSWORD", "Password too short")
    accounts = call.accounts
    if accounts.user_of_email(email) is None:
        user = accounts.create_user(email, password, name, email_verified=False)
        accounts.send_verification(user)
    else:
        # Who asks is not to learn that the address is taken.
        now = accounts.now()
        user = User(credentials.opaque_id(), email.lower(), name, False, "user", "public", False, now, now)
    return json_answer({"token": None, "user": user_body(user)})


async def _login(call: Call) -> Response:
    call.body = await _strict_body(call)
    email, _ = _strings(call.body, "email", "password")
    accounts = call.accounts
    locked_s = accounts.lockout.retry_after(email, accounts.now())
    if locked_s is not None:
        return v1_refusal(429, "ACCOUNT_LOCKED", "Account temporarily locked", retry_after=locked_s)
    call.check_rate("/sign-in/email", v1_limit)
    answer = sign_in(call)
    body = jsontext.parse(bytes(answer.body))
    if answer.status_code == 401:
        accounts.lockout.failed(email, accounts.now())
        return v1_refusal(401, "INVALID_CREDENTIALS", body["message"])
    if answer.status_code != 200:
        return v1_refusal(answer.status_code, body["code"], body["message"])
    if "token" not in body:
        # A dead end: the cookie with the challenge is not passed on.
        return json_answer(body)
    accounts.note_event(body["user"]["id"], "LOGIN_SUCCESS")
    return json_answer({**body, **_tokens(accounts, body["token"])})


async def _refresh(call: Call) -> Response:
    call.check_rate("/get-session", v1_limit)
    found = call.session()
    if found is None:
        return v1_refusal(401, "TOKEN_EXPIRED", "Session expired")
    return json_answer(_tokens(call.accounts, found[0].token))


async def _session_to_token(call: Call) -> Response:
    call.check_rate("/token", v1_limit)
    found = call.session()
    if found is None:
        return v1_refusal(401, "UNAUTHORIZED", "No valid session")
    return json_answer(_tokens(call.accounts, found[0].token))


async def _session(call: Call) -> Response:
    return get_session(call)


async def _logout(call: Call) -> Response:
    call.check_origin()
    return sign_out(call)


async def _validate(call: Call) -> Response:
    body = await loose_body(call.request)
    token = body.get("token") if isinstance(body, dict) else None
    claims = call.accounts.claims(token) if isinstance(token, str) else None
    return json_answer({"valid": False} if claims is None else {"valid": True, "payload": claims})


def _tokens(accounts: Accounts, session_token: str) -> dict[str, jsontext.JSON]:
    found = accounts.sessions.find(session_token, accounts.now())
    return {"accessToken": accounts.session_token(found[0]), "refreshToken": session_token} if found else {}


async def _strict_body(call: Call) -> jsontext.JSON:
    try:
        return jsontext.parse(await call.request.body())
    except JSONTextError:
        raise Refused(v1_refusal(400, "VALIDATION", "Invalid JSON body")) from None


def _strings(body: jsontext.JSON, *names: str) -> list[str]:
    wrong = invalid_members(body, *names)
    if wrong:
        raise Refused(v1_refusal(400, "VALIDATION", wrong))
    return [body[name] for name in names]
