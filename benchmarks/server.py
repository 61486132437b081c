"""An embedded server in a process of its own: ``python -m benchmarks.server FOLDER [PACE]``, until its input ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manabackup.sandbox import Middleware, Sandbox
from manabackup.sandbox.answers import ASGIApp

from .data import Dataset
from .measure import environment

REAL_PACE = 18_500
"""Changes a second of a real server: two cores, shared by client, server and database, gave 18 to 19 thousand changes
of 432 bytes on one connection."""


@contextmanager
def serving(dataset: Dataset, *, pace: int = 0, foreign_rows: int = 0) -> Iterator[str]:
    """The address at which the dataset's server answers meanwhile.

    ``pace`` is in changes a second, on all connections; 0 is its own. ``foreign_rows`` of others lie in its table.
    """
    argv = [sys.executable, "-m", "benchmarks.server", str(dataset.server), str(pace), str(foreign_rows)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
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


def main() -> None:
    """Serves, and says where first."""
    folder, pace, foreign_rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with Sandbox(folder=folder, middleware=[paced(pace)] if pace else [], foreign_rows=foreign_rows) as box:
        print(box.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
