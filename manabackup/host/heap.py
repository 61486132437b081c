"""Memory that is free goes back to the computer."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Gives back what the C library keeps of memory that is free, also between what is in use (malloc_trim(3)).

    To be called where much was freed and something long follows, above all before processes are forked: each would have
    its own copy. Where the C library is another, nothing happens.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return
