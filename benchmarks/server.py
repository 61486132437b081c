"""An embedded server in a process of its own: ``python -m benchmarks.server FOLDER PACE FOREIGN_ROWS REAL_FILES``.

It says where it answers, and how many requests the media service got whenever a line comes in, until its input ends.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manabackup.sandbox import Middleware, Sandbox
from manabackup.sandbox.answers import ASGIApp

from .data import Dataset
from .measure import environment

REAL_PACE = 18_500
"""Changes a second of a real server: two cores, shared by client, server and database, gave 18 to 19 thousand changes
of 432 bytes on one connection."""
REAL_FILE_SECONDS = 0.022
"""Until the first byte of a file from a real media service, beside its store, its database and the client on one
machine: the least of 35 that were recorded, of which the median is 64 ms."""
REAL_WORD_SECONDS = 0.004
"""The same of what it says about a file: the least of 31, of which the median is 15 ms."""


@contextmanager
def serving(dataset: Dataset, *, pace: int = 0, foreign_rows: int = 0) -> Iterator[str]:
    """The address at which the dataset's server answers meanwhile.

    ``pace`` is in changes a second, on all connections; 0 is its own. ``foreign_rows`` of others lie in its table.
    """
    with _started(dataset, str(pace), str(foreign_rows), "0") as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]


@dataclass(frozen=True, slots=True)
class FileServer:
    """A media service in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    def requests(self) -> int:
        """How many it got since this was asked last."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def serving_files(dataset: Dataset, *, real: bool = False) -> Iterator[FileServer]:
    """The media service of the dataset's server, at its own pace, or answering as late as a ``real`` one."""
    with _started(dataset, "0", "0", str(int(real))) as process:
        assert process.stdout is not None
        yield FileServer(process.stdout.readline().split()[1], process)


@contextmanager
def _started(dataset: Dataset, *how: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "benchmarks.server", str(dataset.server), *how]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        yield process
        process.communicate()


def paced(pace: int) -> Middleware:
    """Holds each answer back until a server that looks up ``pace`` changes a second, one after the other, has it."""
    ready = 0.0

    def wrap(application: ASGIApp) -> ASGIApp:
        async def slowly(scope: Any, receive: Any, send: Any) -> None:
            held: list[Any] = []

            async def hold(message: Any) -> None:
                nonlocal ready
                held.append(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    changes = sum(part.get("body", b"").count(b'{"eventId":') for part in held)
                    now = asyncio.get_running_loop().time()
                    ready = max(ready, now) + changes / pace
                    await asyncio.sleep(ready - now)
                    for part in held:
                        await send(part)

            await application(scope, receive, hold)

        return slowly

    return wrap


class Counted:
    """Counts requests to the media service, and lets them wait as a real one does."""

    def __init__(self, *, real: bool) -> None:
        self.count = 0
        self.port = 0
        self._real = real

    def wrap(self, application: ASGIApp) -> ASGIApp:
        """A middleware."""

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope["server"][1] == self.port:
                self.count += 1
                if self._real:
                    await asyncio.sleep(REAL_FILE_SECONDS if scope["path"].endswith("/file") else REAL_WORD_SECONDS)
            await application(scope, receive, send)

        return counted


def main() -> None:
    """Serves, and says where first."""
    folder, pace, foreign_rows, real = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
    media = Counted(real=real)
    middleware: list[Middleware] = [media.wrap, *([paced(pace)] if pace else [])]
    with Sandbox(folder=folder, middleware=middleware, foreign_rows=foreign_rows) as box:
        media.port = int(box.media_url.rpartition(":")[2])
        print(box.url, box.media_url, flush=True)
        for _ in sys.stdin:
            print(media.count, flush=True)
            media.count = 0


if __name__ == "__main__":
    main()
