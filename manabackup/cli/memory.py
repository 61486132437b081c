"""Memory that goes back to the computer when it is free."""

from __future__ import annotations

import ctypes

# mallopt(3), malloc.h
_ARENA_MAX = -8
_TRIM_THRESHOLD = -1


def share_one_heap() -> None:
    """Lets all threads allocate from one heap, which shrinks when its end is free.

    The C library gives each thread a heap of its own, and what one thread frees there no other can use: a pull that
    hands large answers from thread to thread would hold twice what it needs. Where the C library is another, nothing
    happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_ARENA_MAX, 1)
    mallopt(_TRIM_THRESHOLD, 128 * 1024)
