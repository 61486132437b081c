"""A request's head, read as Go's router, ``net/url`` and the CORS layer of the sync server do."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote_to_bytes

from .answers import Answer, Refused, Scope, error
from .gojson import quote

_ALLOWED_ORIGIN = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::[0-9]+)?")
_ALLOWED_METHODS = frozenset({"GET", "POST", "OPTIONS"})
_ALLOWED_HEADERS = frozenset({"authorization", "content-type", "x-client-id"})
"""Those of the web app's calls, which were seen to be granted; ``DELETE`` and other headers were seen not to be."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


class RequestHead:
    """Method, path, parameters and headers. Bytes that are not UTF-8 stand in its texts as lone surrogates."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.raw_path: str = scope["raw_path"].decode("latin-1")
        self.raw_query: str = scope["query_string"].decode("latin-1")
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    @property
    def segments(self) -> list[str]:
        """The path's parts, unescaped one by one."""
        return [_text(unquote_to_bytes(part)) for part in self.raw_path.split("/")[1:]]

    @property
    def is_well_formed(self) -> bool:
        """Whether no header's value has a control character but the tab, which Go's ``net/http`` refuses."""
        return not any(_CONTROL.search(value) for _, value in self._headers)

    def header(self, name: str) -> str:
        """The first header of that name, or empty."""
        wanted = name.encode()
        return next((_text(value) for key, value in self._headers if key == wanted), "")

    def query(self, name: str) -> str:
        """The first parameter of that name, or empty."""
        for pair in self.raw_query.split("&"):
            key, _, value = pair.partition("=")
            if ";" in pair or _BAD_ESCAPE.search(pair):
                continue
            if _unescaped(key) == name:
                return _unescaped(value)
        return ""

    def allow(self, *methods: str) -> None:
        """Refuses any other method."""
        if self.method not in methods:
            raise Refused(error(405, "Method Not Allowed", headers=(("Allow", ", ".join(methods)),)))

    def check_handshake(self) -> None:
        """Refuses what does not ask for a web socket, whatever the method, and then any method but ``GET``."""
        for name, wanted in (("Connection", "Upgrade"), ("Upgrade", "websocket")):
            value = self.header(name.lower())
            if wanted.lower() not in (token.strip().lower() for token in value.split(",")):
                words = f"WebSocket protocol violation: {name} header {quote(value)} does not contain {wanted}"
                raise Refused(error(426, words, headers=(("Connection", "Upgrade"), ("Upgrade", "websocket"))))
        if self.method != "GET":
            words = f"WebSocket protocol violation: handshake request method is not GET but {quote(self.method)}"
            raise Refused(error(405, words))

    def cleaned_path(self) -> str | None:
        """Where the router sends a path with empty parts or dots to."""
        path = "/" + self.raw_path.lstrip("/")
        cleaned = posixpath.normpath(path)
        if path.endswith("/") and cleaned != "/":
            cleaned += "/"
        return cleaned if cleaned != self.raw_path else None

    def with_cors(self, answer: Answer) -> Answer:
        """``answer`` with what the CORS layer adds: no grant where there is nothing to be had, and none by that way."""
        headers = answer.headers
        if not any(name == "Vary" for name, _ in headers):
            headers += (("Vary", "Origin"),)
            origin = self.header("origin")
            if answer.status not in (404, 405) and _ALLOWED_ORIGIN.fullmatch(origin):
                headers += (("Access-Control-Allow-Credentials", "true"), ("Access-Control-Allow-Origin", origin))
        return Answer(answer.status, headers, answer.body, answer.close)

    def preflight(self) -> Answer:
        """The CORS layer's own answer: everything that was asked for, or no grant at all."""
        vary = ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
        origin, method = self.header("origin"), self.header("access-control-request-method")
        wanted = self.header("access-control-request-headers")
        names = {name.strip().lower() for name in wanted.split(",")} - {""}
        if not _ALLOWED_ORIGIN.fullmatch(origin) or method not in _ALLOWED_METHODS or names - _ALLOWED_HEADERS:
            return Answer(204, (vary,))
        granted = [
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", method),
            ("Access-Control-Allow-Origin", origin),
        ]
        if wanted:
            granted.append(("Access-Control-Allow-Headers", wanted))
        return Answer(204, (*granted, vary))


def _unescaped(text: str) -> str:
    return _text(unquote_to_bytes(text.replace("+", " ").encode("latin-1")))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
