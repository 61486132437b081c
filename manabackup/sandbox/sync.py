"""The sync server's protocol over a :class:`ChangeLog`, oddities included.

The contract is what was recorded of the real server (``fixtures/transcripts``); where that is unkind, so is this.
"""

from __future__ import annotations

import asyncio
import html
import time
from dataclasses import replace
from typing import Final, NamedTuple

from . import gotime
from .accounts import Accounts
from .answers import (
    Answer,
    Receive,
    Refused,
    Scope,
    Send,
    error,
    json_answer,
    refuse_head,
    refuse_websocket,
    send_answer,
    vanish,
)
from .changelog import SECONDS_A_ROW, Asked, ChangeLog, Row
from .changeset import OPERATIONS, Changeset, decode
from .faults import Faults
from .gojson import GoJSONError, quote
from .postgres import StorageError, check_text
from .record import HandlerCrash, record_of
from .request_head import RequestHead
from .streams import PAGE_CHANGES, Listener, Streams
from .tokens import TokenRefused

BODY_BYTES: Final = 10_485_760
ANSWER_CHANGES: Final = 5_000
SCHEMA_VERSION: Final = 1

_INACTIVE = (
    b'{"error":"sync_inactive","message":"Cloud Sync ist nicht aktiv. Aktiviere Sync in den Einstellungen."}' + b"\n"
)
_METRICS = b"""\
# HELP mana_sync_connections_total Total WebSocket connections
# TYPE mana_sync_connections_total gauge
mana_sync_connections_total 0
# HELP mana_sync_users_connected Connected unique users
# TYPE mana_sync_users_connected gauge
mana_sync_users_connected 0
"""


class _Caller(NamedTuple):
    user_id: str
    client_id: str


class SyncApp:
    """An ASGI application. Its requests run one after the other, on one event loop.

    Times are in seconds.
    """

    def __init__(
        self,
        log: ChangeLog,
        accounts: Accounts,
        *,
        faults: Faults,
        upload_seconds: float = 15.0,
        heartbeat_seconds: float = 30.0,
        membership_seconds: float = 300.0,
    ) -> None:
        self._log = log
        self._accounts = accounts
        self._faults = faults
        self._upload_seconds = upload_seconds
        self._membership_ns = int(membership_seconds * 1_000_000_000)
        self._memberships: dict[str, tuple[int, frozenset[str]]] = {}
        self.streams = Streams(heartbeat_seconds, faults)

    def forget_memberships(self) -> None:
        """Empties the cache of memberships, as five minutes of waiting would."""
        self._memberships.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = RequestHead(scope)
        if not request.is_well_formed:
            await refuse_head(scope, receive)
            return
        try:
            answer = await self._route(request, scope, receive, send)
        except Refused as refused:
            answer = refused.answer
        except HandlerCrash:
            await vanish(scope, receive)
            return
        if answer is not None:
            await send_answer(request.with_cors(answer), receive, send)

    async def _route(self, request: RequestHead, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        if request.method == "OPTIONS" and request.header("access-control-request-method"):
            return request.preflight()
        if (elsewhere := request.cleaned_path()) is not None:
            return _moved(request, elsewhere)
        match request.segments:
            case ["health"]:
                request.allow("GET", "HEAD")
                return self._health()
            case ["metrics"]:
                request.allow("GET", "HEAD")
                return Answer(200, (("Content-Type", "text/plain"),), _METRICS)
            case ["ws"] | ["ws", _]:
                request.check_handshake()
                await refuse_websocket(scope, receive)
                return None
            case ["sync", app] if app:
                request.allow("POST")
                return await self._push(request, app, scope, receive)
            case ["sync", app, "pull"] if app:
                request.allow("GET", "HEAD")
                return self._pull(request, app)
            case ["sync", app, "stream"] if app:
                request.allow("GET", "HEAD")
                return await self._stream(request, app, scope, receive, send)
        return error(404, "404 page not found")

    # --- endpoints

    def _health(self) -> Answer:
        now = gotime.text_of_ns(self._log.now_ns() // 1_000_000_000 * 1_000_000_000)
        words = f'"service":"mana-sync","status":"ok","timestamp":"{now}"'
        return json_answer(f'{{"connections":0,{words},"users":0}}\n'.encode())

    def _pull(self, request: RequestHead, app: str) -> Answer:
        if request.method == "HEAD":
            return error(405, "method not allowed")
        caller = self._caller(request)
        collection, since = request.query("collection"), request.query("since")
        if not collection or not since:
            return error(400, "missing collection or since parameter")
        spaces = self._spaces_of(caller.user_id)
        try:
            rows = self._log.pull(
                app, collection, Asked(caller.user_id, spaces, caller.client_id, _microseconds(since), PAGE_CHANGES + 1)
            )
        except StorageError:
            return error(500, "internal error")
        return self._changes(rows[:PAGE_CHANGES], rows)

    async def _push(self, request: RequestHead, app: str, scope: Scope, receive: Receive) -> Answer | None:
        caller = self._caller(request)
        body = await self._body(scope, receive)
        if body is None:
            return None
        try:
            changeset = decode(body.data, end=body.end)
        except GoJSONError as wrong:
            return error(400, f"invalid JSON: {wrong}", close=body.end is not None)
        _check(changeset)
        client_id = caller.client_id or changeset.client_id
        answer = self._store(caller.user_id, client_id, app, changeset)
        return replace(answer, close=body.end is not None)

    def _store(self, user_id: str, client_id: str, app: str, changeset: Changeset) -> Answer:
        try:
            for change in changeset.changes:
                record = record_of(change, app=app, client_id=client_id)
                self._log.store(user_id, client_id, app, record, lag_us=self._faults.commit_lag_us)
        except StorageError as refused:
            return error(500, f"failed to record change: {refused}")
        collections = dict.fromkeys(change.table for change in changeset.changes)
        self.streams.notify(user_id, client_id, app, collections)
        time.sleep(self._log.table_rows * SECONDS_A_ROW)  # the database is busy, and so is the server
        try:
            rows = self._log.read_app(
                app, Asked(user_id, self._spaces_of(user_id), client_id, _microseconds(changeset.since), ANSWER_CHANGES)
            )
        except StorageError:
            return error(500, "internal error")
        return self._changes(rows, rows)

    async def _stream(
        self, request: RequestHead, app: str, scope: Scope, receive: Receive, send: Send
    ) -> Answer | None:
        if request.method == "HEAD":
            return error(405, "method not allowed")
        caller = self._caller(request)

        def read(collection: str, since_us: int) -> list[Row]:
            spaces = self._spaces_of(caller.user_id)
            rows = self._log.pull(
                app, collection, Asked(caller.user_id, spaces, caller.client_id, since_us, PAGE_CHANGES + 1)
            )
            return [] if any(row.poisoned for row in rows) else rows

        since_us = _microseconds(request.query("since"))
        collections = [name for name in request.query("collections").split(",") if name]
        try:
            check_text(app, caller.client_id, *collections)
        except StorageError:
            return error(500, "internal error")
        listener = Listener(caller.user_id, caller.client_id, app, since_us, read)
        await self.streams.serve(listener, collections, scope, receive, send)
        return None

    def _changes(self, rows: list[Row], read: list[Row]) -> Answer:
        """``rows`` out of those that were ``read`` to find out whether there are more."""
        if any(row.poisoned for row in read):
            return error(500, "internal error")
        if len(read) > len(rows):
            end = f'{gotime.text_of_us(rows[-1].created_at_us)}","hasMore":true}}\n'
        else:
            end = f'{gotime.text_of_ns(self._log.now_ns())}"}}\n'
        changes = b",".join(row.wire() for row in rows)
        return json_answer(b'{"serverChanges":[' + changes + b'],"conflicts":[],"syncedUntil":"' + end.encode())

    # --- what comes before an endpoint

    def _caller(self, request: RequestHead) -> _Caller:
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refused(error(401, "unauthorized: no authorization header"))
        try:
            user_id = self._accounts.verify_token(token)
        except TokenRefused as refused:
            raise Refused(error(401, f"unauthorized: {refused}")) from None
        if not self._accounts.subscription_active(user_id):
            raise Refused(json_answer(_INACTIVE, 402))
        return _Caller(user_id, request.header("x-client-id"))

    def _spaces_of(self, user_id: str) -> frozenset[str]:
        if self._faults.membership_outage:
            self._memberships.pop(user_id, None)
            return frozenset()
        now = self._log.now_ns()
        fetched, spaces = self._memberships.get(user_id, (0, frozenset()))
        if not fetched or now - fetched >= self._membership_ns:
            spaces = self._accounts.spaces_of(user_id)
            self._memberships[user_id] = (now, spaces)
        return spaces

    async def _body(self, scope: Scope, receive: Receive) -> _Body | None:
        """The body as far as the server reads it, ``None`` when the client left."""
        data = bytearray()
        try:
            async with asyncio.timeout(self._upload_seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    data += message.get("body", b"")
                    if len(data) > BODY_BYTES:
                        return _Body(bytes(data[:BODY_BYTES]), "http: request body too large")
                    if not message.get("more_body"):
                        return _Body(bytes(data), None)
        except TimeoutError:
            (here, port), (there, their_port) = scope["server"], scope["client"]
            return _Body(bytes(data), f"read tcp {here}:{port}->{there}:{their_port}: i/o timeout")


class _Body(NamedTuple):
    data: bytes
    end: str | None
    """Why there is no more of it, when that is not the end of the request."""


def _microseconds(since: str) -> int:
    """A cursor as the database compares it: cut to microseconds; what cannot be parsed is the epoch."""
    nanoseconds = gotime.parse(since)
    return 0 if nanoseconds is None else nanoseconds // 1_000


def _check(changeset: Changeset) -> None:
    if changeset.schema_version > SCHEMA_VERSION:
        raise Refused(error(400, f"unsupported schemaVersion {changeset.schema_version} (max {SCHEMA_VERSION})"))
    for index, change in enumerate(changeset.changes):
        if change.op not in OPERATIONS:
            raise Refused(error(400, f"invalid op {quote(change.op)} in change {index}"))
        if not change.table or not change.id:
            raise Refused(error(400, f"missing table or id in change {index}"))


def _moved(request: RequestHead, path: str) -> Answer:
    location = path + (f"?{request.raw_query}" if request.raw_query else "")
    headers: tuple[tuple[str, str], ...] = (("Location", location),)
    if request.method not in ("GET", "HEAD"):
        return Answer(301, headers)
    body = f'<a href="{html.escape(location)}">Moved Permanently</a>.\n\n'
    return Answer(301, (("Content-Type", "text/html; charset=utf-8"), *headers), body.encode())
