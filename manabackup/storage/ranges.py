"""Far archives, read by ranges: little where somebody looks here and there, much and ahead where they read on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ..host.interrupts import uninterrupted
from ..limits import KIB, MIB

TAIL = 256 * KIB
"""Bytes at the end that are asked for first: of nearly all archives directory, sums and manifest lie there."""
LOOK = 64 * KIB
"""Bytes that are fetched where somebody looks at some place."""
_PIECE = 4 * MIB
"""Bytes of one request where somebody reads on."""
_AHEAD = 3
"""Such pieces that are fetched before they are asked for."""
_KEPT = 4
"""Pieces that are kept after they were read."""

Fetch = Callable[[int, int], bytes]
"""Exactly the bytes from the first number on, before the second one."""


class RangedBytes:
    """A far archive of ``size`` bytes. Safe to share between threads.

    ``tail`` is its end, which is held already, and ``head`` its beginning; ``close`` lets go of the connection.
    """

    def __init__(self, size: int, tail: bytes, fetch: Fetch, close: Callable[[], object], *, head: bytes = b"") -> None:
        self.size = size
        self._head = head
        self._tail = tail
        self._fetch = fetch
        self._close = close
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._pieces: OrderedDict[tuple[int, int], Future[bytes]] = OrderedDict()
        """By (first, behind the last)."""
        self._end = -1
        """Where the last reading ended."""
        self._run = 0
        """How many bytes were read in one go up to there."""

    def read_at(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end. Raises what fetching raises."""
        stop = min(offset + count, self.size)
        parts: list[bytes] = []
        while offset < stop:
            begin, piece = self._holding(offset, stop)
            part = piece[offset - begin : stop - begin]
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Let go of the connection; what is on its way is not waited for longer than it takes to end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._close()
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        self._pieces.clear()

    def _holding(self, offset: int, stop: int) -> tuple[int, bytes]:
        """A piece that holds the byte at ``offset``, and where it begins."""
        tail_begin = self.size - len(self._tail)
        if offset >= tail_begin:
            return tail_begin, self._tail
        if offset < len(self._head):
            return 0, self._head
        with self._lock:
            self._run = stop - offset + (self._run if offset == self._end else 0)
            self._end = stop
            reads_on = self._run > LOOK
            found = next((key for key in self._pieces if key[0] <= offset < key[1]), None)
            if found is None:
                length = _PIECE if reads_on else max(LOOK, stop - offset)
                found = offset, min(offset + length, tail_begin)
                self._order(found)
            if reads_on:
                self._order_ahead(found[1], tail_begin)
            piece = self._pieces[found]
            self._pieces.move_to_end(found)
            while len(self._pieces) > _KEPT + _AHEAD:
                self._pieces.popitem(last=False)
        try:
            content = piece.result()
        except BaseException:
            with self._lock:
                self._pieces.pop(found, None)  # another reader may have more luck
            raise
        return found[0], content

    def _order(self, key: tuple[int, int]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="ranges")
        with uninterrupted():
            self._pieces[key] = self._pool.submit(self._fetch, *key)

    def _order_ahead(self, begin: int, tail_begin: int) -> None:
        for _ in range(_AHEAD - 1):
            held = next((key for key in self._pieces if key[0] <= begin < key[1]), None)
            if held is None:
                if begin >= tail_begin:
                    return
                held = begin, min(begin + _PIECE, tail_begin)
                self._order(held)
            begin = held[1]
