"""A double of Google Cloud Storage's JSON API and of Google's server of tokens, as strict as their documents are.

There is no server of Google's own to be had. What this one holds against who asks: a bearer token that it granted, and
grants for a signed assertion or a refresh token alone; conditions at the beginning of a session, which count at its
end; parts in multiples of 256 KiB, at the place up to which bytes were kept; the MD5 of the whole; locks where the
bucket has them. What it is not told to know it refuses.

Sources: "Resumable uploads", "Objects: insert", "Objects: list", "Request preconditions", "Object Retention Lock".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

QUANTUM = 256 * 1024
SCOPE = "https://www.googleapis.com/auth/devstorage.full_control"
EMAIL, CLIENT, SECRET, REFRESH = "anna@example.iam.gserviceaccount.com", "client", "geheim/secret", "1//geheim-refresh"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
_ROUTE = re.compile(r"(/upload)?/storage/v1/b/([^/]+)/o(?:/([^/]+))?")
_PAGE = 2
"""Names in one answer of a list."""


@dataclass
class Stored:
    """An object."""

    content: bytes
    said: Mapping[str, Any]
    generation: int


@dataclass
class Session:
    """An upload that has begun."""

    bucket: str
    name: str
    said: Mapping[str, Any]
    size: int
    only_new: bool
    kept: bytearray = field(default_factory=bytearray)
    ended: Stored | None = None


@dataclass
class State:
    """All that the double holds. Tests look into it, and change it."""

    port: int = 0
    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict)
    locking: set[str] = field(default_factory=set)
    """Buckets that were made with object retention."""
    sessions: dict[str, Session] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    grants: list[str] = field(default_factory=list)
    """The kinds of what was granted."""
    keeps: int | None = None
    """How many bytes of one request are kept at most, where it is not all."""
    generations: int = 1000
    lock: threading.RLock = field(default_factory=threading.RLock)

    def key(self, **other: object) -> str:
        """A file of credentials: a service account's key."""
        uri = f"http://127.0.0.1:{self.port}/token"
        key = {"type": "service_account", "client_email": EMAIL, "private_key": _PEM, "private_key_id": "k1"}
        return json.dumps({**key, "token_uri": uri, **other})

    def login(self, **other: object) -> str:
        """A file of credentials: what somebody's sign-in has left."""
        uri = f"http://127.0.0.1:{self.port}/token"
        said = {"type": "authorized_user", "client_id": CLIENT, "client_secret": SECRET, "refresh_token": REFRESH}
        return json.dumps({**said, "token_uri": uri, **other})

    def new_bucket(self, *, locking: bool = False) -> str:
        """A bucket of its own."""
        name = f"bucket-{uuid4().hex[:12]}"
        self.buckets[name] = {}
        if locking:
            self.locking.add(name)
        return name

    def put(self, bucket: str, name: str, content: bytes, said: Mapping[str, Any] | None = None) -> Stored:
        """An object, new or in another one's place."""
        with self.lock:
            self.generations += 1
            stored = Stored(content, said or {}, self.generations)
            self.buckets[bucket][name] = stored
            return stored

    def granted(self, form: Mapping[str, str]) -> tuple[int, object]:
        """What its server of tokens answers to a form."""
        match form.get("grant_type"):
            case "refresh_token":
                right = (form.get("client_id"), form.get("client_secret"), form.get("refresh_token"))
                kind = "refresh_token" if right == (CLIENT, SECRET, REFRESH) else ""
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                kind = "assertion" if _is_right(form.get("assertion", ""), self.port) else ""
            case _:
                return 400, {"error": "unsupported_grant_type"}
        if not kind:
            return 400, {"error": "invalid_grant", "error_description": "Bad Request"}
        self.grants.append(kind)
        return 200, {"access_token": self.token(), "expires_in": 3599, "token_type": "Bearer"}

    def token(self) -> str:
        """A new one."""
        token = f"ya29.{secrets.token_urlsafe(12)}"
        self.tokens.add(token)
        return token


def _is_right(assertion: str, port: int) -> bool:
    text, _, signature = assertion.rpartition(".")
    head, claims = (json.loads(_decoded(part)) for part in text.split("."))
    try:
        _KEY.public_key().verify(_decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    audience = f"http://127.0.0.1:{port}/token"
    asked = (head["alg"], head["kid"], claims["iss"], claims["aud"], claims["scope"])
    moment = claims["iat"] <= time.time() + 60 and time.time() < claims["exp"] <= claims["iat"] + 3600
    return asked == ("RS256", "k1", EMAIL, audience, SCOPE) and bool(moment)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class _Refused(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.answer = {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: object) -> None:
        pass

    def _any(self) -> None:
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length or 0))
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            if parts.path == "/token":
                return self._answer(*self.state.granted(dict(parse_qsl(body.decode()))))
            if self.command in ("PUT", "POST") and length is None:
                raise _Refused(411, "required", "Length Required")
            self._admit()
            with self.state.lock:
                self._routed(parts.path, params, body)
        except _Refused as refused:
            self._answer(refused.status, refused.answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _any

    def _admit(self) -> None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or token not in self.state.tokens:
            raise _Refused(401, "authError", "Invalid Credentials")

    def _routed(self, path: str, params: dict[str, str], body: bytes) -> None:
        match = _ROUTE.fullmatch(path)
        if match is None:
            raise _Refused(404, "notFound", "Not Found")
        upload, bucket, name = match[1], unquote(match[2]), unquote(match[3] or "")
        if upload:
            return self._upload(bucket, params, body)
        objects = self.state.buckets.get(bucket)
        if objects is None:
            raise _Refused(404, "notFound", "The specified bucket does not exist.")
        if not name:
            return self._list(objects, params)
        stored = objects.get(name)
        if stored is None:
            raise _Refused(404, "notFound", f"No such object: {bucket}/{name}")
        if self.command == "DELETE":
            if stored.said.get("retention"):
                raise _Refused(403, "retentionPolicyNotMet", "Object is under active Object Retention")
            del objects[name]
            return self._answer(204)
        if self.command == "GET" and params == {"alt": "media"}:
            return self._media(stored)
        if self.command == "GET" and set(params) == {"fields"}:
            return self._answer(200, _resource(name, stored, params["fields"].split(",")))
        raise _Refused(400, "invalid", f"{self.command} {params}")

    def _list(self, objects: dict[str, Stored], params: dict[str, str]) -> None:
        if not set(params) <= {"prefix", "delimiter", "fields", "pageToken"}:
            raise _Refused(400, "invalid", str(params))
        prefix = params.get("prefix", "")
        names = sorted(name for name in objects if name.startswith(prefix))
        prefixes: set[str] = set()
        if delimiter := params.get("delimiter"):
            cut = [(name, name.find(delimiter, len(prefix)) + 1) for name in names]
            prefixes = {name[:end] for name, end in cut if end}
            names = sorted({name[:end] if end else name for name, end in cut})
        begin = int(params.get("pageToken") or 0)
        page = names[begin : begin + _PAGE]
        answer: dict[str, object] = {}
        if items := [{"name": name} for name in page if name not in prefixes]:
            answer["items"] = items
        if within := [name for name in page if name in prefixes]:
            answer["prefixes"] = within
        if begin + _PAGE < len(names):
            answer["nextPageToken"] = str(begin + _PAGE)
        self._answer(200, answer)

    def _media(self, stored: Stored) -> None:
        content, asked = stored.content, self.headers.get("Range")
        headers = {"ETag": f'"{stored.generation}"', "x-goog-generation": str(stored.generation)}
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
        if match is None:
            return self._answer(200, content, headers)
        size = len(content)
        begin, end = (int(match[1]), int(match[2] or size - 1)) if match[1] else (max(0, size - int(match[2])), size)
        end = min(end, size - 1)
        if begin > end:
            return self._answer(416, b"", {"Content-Range": f"bytes */{size}"})
        return self._answer(206, content[begin : end + 1], headers | {"Content-Range": f"bytes {begin}-{end}/{size}"})

    def _upload(self, bucket: str, params: dict[str, str], body: bytes) -> None:
        if params.pop("uploadType", None) != "resumable":
            raise _Refused(400, "invalid", "uploads are resumable here")
        session = self.state.sessions.get(params.get("upload_id", ""))
        if "upload_id" in params:
            if session is None:
                raise _Refused(404, "notFound", "Not Found")
            if self.command == "DELETE":
                del self.state.sessions[params["upload_id"]]
                return self._answer(499)
            return self._part(session, body)
        name = params.pop("name", "")
        if self.command != "POST" or not name or not set(params) <= {"ifGenerationMatch"}:
            raise _Refused(400, "invalid", f"{self.command} {params}")
        if bucket not in self.state.buckets:
            raise _Refused(404, "notFound", "The specified bucket does not exist.")
        if "json" not in self.headers.get("Content-Type", ""):
            raise _Refused(400, "invalid", "Content-Type")
        said = json.loads(body)
        if said.get("retention") and bucket not in self.state.locking:
            raise _Refused(400, "invalid", "Object Retention is not enabled on this bucket")
        if params.get("ifGenerationMatch", "0") != "0":
            raise _Refused(400, "invalid", "ifGenerationMatch")
        size = int(self.headers["X-Upload-Content-Length"])
        token = secrets.token_urlsafe(12)
        self.state.sessions[token] = Session(bucket, name, said, size, "ifGenerationMatch" in params)
        where = f"http://{self.headers['Host']}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={token}"
        return self._answer(200, b"", {"Location": where})

    def _part(self, session: Session, body: bytes) -> None:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", self.headers.get("Content-Range", ""))
        if self.command != "PUT" or match is None:
            raise _Refused(400, "badRequest", "Content-Range")
        begin, last, size = map(int, match.groups())
        if last - begin + 1 != len(body) or size != session.size or last >= size:
            raise _Refused(400, "badRequest", "Content-Range does not fit")
        if session.ended is not None:
            return self._answer(200, _resource(session.name, session.ended, ["name", "generation"]))
        is_last = last == size - 1
        if begin > len(session.kept) or (not is_last and len(body) % QUANTUM):
            raise _Refused(400, "badRequest", "parts follow each other, in multiples of 256 KiB")
        new = body[len(session.kept) - begin :]
        if self.state.keeps is not None and len(new) > self.state.keeps:
            new = new[: self.state.keeps]
        session.kept += new
        if len(session.kept) < size:
            kept = {"Range": f"bytes=0-{len(session.kept) - 1}"} if session.kept else {}
            return self._answer(308, b"", kept)
        return self._end(session)

    def _end(self, session: Session) -> None:
        content = bytes(session.kept)
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        if session.said.get("md5Hash") != md5:
            raise _Refused(400, "invalid", f'Provided MD5 hash "{session.said.get("md5Hash")}" doesn\'t match')
        there = self.state.buckets[session.bucket].get(session.name)
        if there is not None and session.only_new:
            raise _Refused(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if there is not None and there.said.get("retention"):
            raise _Refused(403, "retentionPolicyNotMet", "Object is under active Object Retention")
        session.ended = self.state.put(session.bucket, session.name, content, session.said)
        self._answer(200, _resource(session.name, session.ended, ["name", "generation"]))

    def _answer(self, status: int, content: object = b"", headers: Mapping[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _resource(name: str, stored: Stored, fields: list[str]) -> dict[str, object]:
    known = {"name": name, "size": str(len(stored.content)), "generation": str(stored.generation), **stored.said}
    return {field: known[field] for field in fields if field in known}


@contextmanager
def gcs() -> Iterator[State]:
    """A double that runs, with nothing in it."""
    state = State()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
