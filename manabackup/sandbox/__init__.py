"""The servers that Mana's data lives on, embedded: account service and sync server on one loopback port, and each of
the services that keep files on one of its own.

It is the double of the real ones in tests, in the demo and in ``roundtrip``. What it answers is held against recordings
of the real servers (``tests/sandbox``). It keeps no secret well and must never face a network.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .accounts import BOOTSTRAP_CLIENT, Accounts, Activity
from .answers import ASGIApp, Receive, Scope, Send
from .api import LIMIT, APIService
from .auth import auth_app
from .changelog import Asked, ChangeLog, StoredChange
from .faults import Faults, FileFault, FileScript, StreamFault
from .files_edge import Answering, Edge
from .filestore import FileStore
from .media import BASE, MediaService
from .objects import ObjectService
from .server import HTTPServer
from .signedlinks import Signer
from .sync import SyncApp
from .webpage import WebPage

__all__ = [
    "Accounts",
    "Asked",
    "ChangeLog",
    "Faults",
    "FileFault",
    "FileScript",
    "FileStore",
    "Middleware",
    "Sandbox",
    "StoredChange",
    "StreamFault",
]

Middleware = Callable[[ASGIApp], ASGIApp]
"""Wraps the whole application; the first of several is the outermost."""

_AUTH_PREFIXES = ("/api/", "/.well-known/")


class Sandbox:
    """All servers. A context manager: requests are answered inside it.

    ``folder`` keeps the databases between runs, readable for their owner alone; without it they are in memory, and
    uploaded files in a temporary one on the disk. ``clock`` gives nanoseconds since the epoch. ``production`` switches
    the account service's rate limits on. ``foreign_rows`` of other users make the sync server's table larger, as
    :attr:`ChangeLog.foreign_rows`. ``processing_ms``: pictures are made ready so many milliseconds after their upload.
    ``idle_seconds``: the services that keep files cut off a client that stands still for longer, and let
    pages of ``origins`` read their answers, without them of any. ``api_limit``: requests a minute that mana-api
    answers a caller. The other times are in seconds and default to what was measured. Raises ``OSError`` when ``port``
    is taken.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        folder: Path | None = None,
        clock: Callable[[], int] = time.time_ns,
        production: bool = False,
        middleware: Sequence[Middleware] = (),
        foreign_rows: int = 0,
        upload_seconds: float = 15.0,
        heartbeat_seconds: float = 30.0,
        membership_seconds: float = 300.0,
        processing_ms: int = 300,
        idle_seconds: float = 10.0,
        api_limit: int = LIMIT,
        origins: tuple[str, ...] | None = None,
    ) -> None:
        self.faults = Faults()
        self.log = ChangeLog(_database(folder, "changes.sqlite3"), clock=clock)
        self.log.foreign_rows = foreign_rows
        self.accounts = Accounts(
            _database(folder, "accounts.sqlite3"),
            clock=clock,
            production=production,
            on_bootstrap=self._bootstrap,
        )
        self._sync = SyncApp(
            self.log,
            self.accounts,
            faults=self.faults,
            upload_seconds=upload_seconds,
            heartbeat_seconds=heartbeat_seconds,
            membership_seconds=membership_seconds,
        )
        self.accounts.activity = lambda user_id: [Activity(*counted) for counted in self.log.activity(user_id)]
        self.accounts.erase = self.log.erase
        self._auth = auth_app(self.accounts)
        path = _database(folder, "files.sqlite3") if folder is not None else ""
        self.files = FileStore(path, clock=clock, processing_ms=processing_ms)
        self._media, self._web, signer = MediaService(self.files), WebPage(), Signer()
        self._api = APIService(self._media, self.accounts, signer, limit=api_limit)

        def edge(answering: Answering, *, cors: bool = True) -> Edge:
            return Edge(answering, faults=self.faults, idle_seconds=idle_seconds, origins=origins, cors=cors)

        store, page = edge(ObjectService(self.files, signer).answer, cors=False), edge(self._web.answer, cors=False)
        self._edges = (edge(self._media.answer), edge(self._api.answer), store, page)
        application: ASGIApp = self._dispatch
        for wrap in reversed(middleware):
            application = wrap(application)
        try:
            self._server = HTTPServer(
                application,
                port=port,
                on_stop=self._sync.streams.end,
                more=len(self._edges),
                idle_seconds=idle_seconds,
            )
        except OSError:
            self._close_databases()
            raise
        self.accounts.issuer = self.url
        self._media.public_url = self.media_url + BASE
        self._api.store_url = self.store_url
        self._web.addresses = {
            "AUTH": self.auth_url,
            "SYNC": self.sync_url,
            "MEDIA": self.media_url,
            "API": self.api_url,
        }

    @property
    def url(self) -> str:
        """Where both servers answer, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.port}"

    auth_url = url
    sync_url = url

    @property
    def media_url(self) -> str:
        """Where the media service answers, without ``/api/v1`` and without a slash at the end."""
        return self._origin(1)

    @property
    def api_url(self) -> str:
        """Where the part of mana-api answers that keeps documents and songs."""
        return self._origin(2)

    @property
    def store_url(self) -> str:
        """Where the store answers that links of mana-api lead to."""
        return self._origin(3)

    @property
    def web_url(self) -> str:
        """Where pages of the web app are, which name the other addresses."""
        return self._origin(4)

    def _origin(self, at: int) -> str:
        return f"http://127.0.0.1:{self._server.ports[at]}"

    def start(self) -> Self:
        """Begins to answer requests."""
        self._server.start()
        return self

    def wait(self) -> None:
        """Blocks until another thread, or a signal's exception, ends it."""
        self._server.wait()

    def close(self) -> None:
        """Ends the servers and closes the databases; those in memory are gone."""
        self._server.close()
        self._close_databases()

    def link_to(self, store_url: str, *, bucket_hosts: bool = False) -> None:
        """Lets mana-api's links lead to another store, where ``bucket_hosts`` puts the bucket before the host."""
        self._api.store_url, self._api.bucket_hosts = store_url, bucket_hosts

    def forget_memberships(self) -> None:
        """Lets the sync server look memberships up again; by itself it does so every five minutes."""
        self._sync.forget_memberships()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _close_databases(self) -> None:
        self.accounts.close()
        self.log.close()
        self.files.close()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        at = self._server.ports.index(scope["server"][1])
        if at:
            application: ASGIApp = self._edges[at - 1]
        else:
            application = self._auth if scope["path"].startswith(_AUTH_PREFIXES) else self._sync
        await application(scope, receive, send)

    def _bootstrap(self, user_id: str, app: str, change: dict[str, object]) -> None:
        self.log.append(user_id, BOOTSTRAP_CLIENT, app, change)


def _database(folder: Path | None, name: str) -> str:
    if folder is None:
        return ":memory:"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return str(path)
