"""psycopg's connections, with an end to waiting."""

from __future__ import annotations

import selectors
from contextlib import suppress
from time import monotonic
from typing import Any

from ..errors import ServerError

_TICK = 1.0
"""Seconds between two looks at whether the connection is still there."""
_CANCEL_SECONDS = 2.0
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


def patient(psycopg: Any, seconds: float) -> Any:
    """A class of connections that wait so long for the next thing that the server says, and no longer.

    Silence beyond that raises :class:`ServerError`, and the connection is closed. An interrupt ends any wait at once.
    """

    class PatientConnection(psycopg.Connection):  # type: ignore[misc]
        def wait(self, gen: Any, interval: float = _TICK, timeout: float | None = None) -> Any:
            """What a generator of psycopg's gives in the end, which yields what it waits for."""
            try:
                wanted = next(gen)
                most = seconds if timeout is None else min(seconds, timeout)
                with _Selector() as selector:
                    socket = self.pgconn.socket
                    selector.register(socket, wanted)
                    since = monotonic()
                    while True:
                        ready = selector.select(min(interval or _TICK, _TICK))
                        if ready:
                            since = monotonic()
                        elif monotonic() - since >= most:
                            raise ServerError(f"the database has said nothing for {most:,.0f} seconds")
                        wanted = gen.send(psycopg.waiting.Ready(ready[0][1] if ready else 0))
                        selector.modify(socket, wanted)
            except StopIteration as done:
                return done.value
            except (ServerError, KeyboardInterrupt):
                leave(self)
                raise

    return PatientConnection


def leave(connection: Any) -> None:
    """Closes a connection whatever it is at; the server is told that nobody waits, if it hears that soon."""
    if not connection.closed:
        with suppress(Exception):
            connection.cancel_safe(timeout=_CANCEL_SECONDS)
        connection.pgconn.finish()
