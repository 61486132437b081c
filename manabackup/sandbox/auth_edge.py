"""What all answers of the account service have in common, whatever route they come from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..text import jsontext
from .accounts import Accounts

PLAIN_TEXT = "text/plain; charset=UTF-8"
_HEAD_BYTES = 16_384
_BODY_BYTES = 128 * 1024 * 1024


class Refused(Exception):  # noqa: N818 - an answer of the service, no failure of this program
    """Ends a call with an answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.status_code))
        self.response = response


def json_answer(
    body: jsontext.JSON, status: int = 200, *, headers: Mapping[str, str] | None = None, cookies: Sequence[str] = ()
) -> Response:
    """A JSON answer."""
    response = Response(jsontext.dumps(body), status, headers, "application/json")
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def empty_answer(status: int) -> Response:
    """An answer without body and content type."""
    return Response(status_code=status)


def not_found() -> Response:
    """The answer of an unknown route outside ``/api/auth``."""
    return Response("404 Not Found", 404, {"content-type": PLAIN_TEXT})


class Edge:
    """ASGI middleware: size limits, CORS, request ids, empty bodies for HEAD, and the redirect of a slash too many."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app = app
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers by itself where the real service's runtime or its middleware does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        too_large = _too_large(headers)
        if too_large is not None:
            await Response(status_code=too_large, headers={"connection": "close"})(scope, receive, send)
            return
        answer = _Answer(scope, headers, self._accounts, send)
        if scope["method"] == "OPTIONS":
            await _preflight()(scope, receive, answer.send)
        else:
            await self._app(scope, receive, answer.send)


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, headers: Headers, accounts: Accounts, send: Send) -> None:
        self._scope = scope
        self._headers = headers
        self._origins = accounts.trusted_origins
        self._send = send
        self._bodyless = scope["method"] == "HEAD"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            path, method = self._scope["path"], self._scope["method"]
            if message["status"] == 404 and method in ("GET", "HEAD") and path != "/" and path.endswith("/"):
                message = self._without_slash(path)
                self._bodyless = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            self._mark(headers)
            if self._bodyless and "content-length" in headers:
                headers["content-length"] = "0"
        elif self._bodyless:
            message = {**message, "body": b""}
        await self._send(message)

    def _mark(self, headers: MutableHeaders) -> None:
        headers["access-control-allow-credentials"] = "true"
        headers["access-control-expose-headers"] = "Set-Cookie"
        headers.setdefault("vary", "Origin")
        headers["x-request-id"] = self._headers.get("x-request-id") or uuid.uuid4().hex[:8]
        origin = self._headers.get("origin", "")
        if origin in self._origins:
            headers["access-control-allow-origin"] = origin

    def _without_slash(self, path: str) -> Message:
        query = self._scope["query_string"].decode("latin-1")
        where = f"{self._scope['scheme']}://{self._headers.get('host', '')}{path.rstrip('/')}"
        location = f"{where}?{query}" if query else where
        raw = {"content-type": PLAIN_TEXT, "content-length": "0", "location": location}
        headers = [(name.encode(), value.encode("utf-8")) for name, value in raw.items()]
        return {"type": "http.response.start", "status": 301, "headers": headers}


def _too_large(headers: Headers) -> int | None:
    if sum(len(name) + len(value) + 4 for name, value in headers.raw) > _HEAD_BYTES:
        return 431
    length = headers.get("content-length", "0")
    return 413 if length.isdecimal() and int(length) > _BODY_BYTES else None


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "vary": "Origin, Access-Control-Request-Headers",
            "access-control-allow-methods": "GET,HEAD,PUT,POST,DELETE,PATCH",
            "access-control-allow-headers": "Content-Type,Authorization,X-Service-Key,X-App-Id",
        },
    )
