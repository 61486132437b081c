"""Rows of a ``COPY … TO STDOUT`` that has begun, as many at a time as have come.

psycopg's own ``Copy`` gives one row a call, and its waiting is set up anew for each. Here libpq is asked for row after
row, and somebody waits only where it has none left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

_WITHOUT_WAITING = 1
"""Of libpq's PQgetCopyData: come back with nothing rather than wait."""

_Waiting = Generator[Any, Any, Any]
"""As psycopg's connections take it: yields what to wait for, and is sent what is ready, or nothing."""


def rows_as_they_come(driver: Any, connection: psycopg.Connection[Any], most: int) -> Iterator[list[Any]]:
    """The rows, each as bytes of some kind, in lists of about ``most`` bytes, until the server says that it is done.

    Raises what ``driver``, the module psycopg, raises for a ``COPY`` that ends otherwise.
    """
    libpq = connection.pgconn
    is_over = False

    def some() -> _Waiting:
        nonlocal is_over
        rows: list[Any] = []
        room, take = most, libpq.get_copy_data
        while room > 0:
            size, row = take(_WITHOUT_WAITING)
            if size > 0:
                rows.append(row)
                room -= size
            elif size == 0:
                yield from more()
            else:
                is_over = True
                break
        return rows

    def outcome() -> _Waiting:
        refused: PGresult | None = None
        while True:
            while libpq.is_busy():
                yield from more()
            result = libpq.get_result()
            if result is None:
                return refused
            if result.status != driver.pq.ExecStatus.COMMAND_OK:
                refused = refused or result

    def more() -> _Waiting:
        while not (yield driver.waiting.Wait.R):
            pass
        libpq.consume_input()

    while not is_over:
        rows = connection.wait(some())
        if rows:
            yield rows
    refused = connection.wait(outcome())
    if refused is not None:
        raise driver.errors.error_from_result(refused)
