"""The account service's clock: nanoseconds since 1970 come in, milliseconds are kept, ECMAScript's text goes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Gives nanoseconds since 1970, as ``time.time_ns`` does."""
SYSTEM_CLOCK: Clock = time.time_ns


def iso(milliseconds: int) -> str:
    """``2026-11-20T13:21:34.073Z`` (ECMA-262, Date.prototype.toISOString)."""
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def date(milliseconds: int) -> str:
    """``2026-11-20``, in UTC."""
    return iso(milliseconds)[:10]
