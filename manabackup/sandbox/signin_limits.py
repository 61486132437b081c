"""How often the account service lets somebody try: the lock of an address, and the rate limits of production."""

from __future__ import annotations

import math
import threading

from .accountdb import AccountDatabase

_FAILURES = 5
_FAILURE_WINDOW_MS = 15 * 60_000
_LOCK_MS = 30 * 60_000
_OTHER_LIMIT = (100, 10)
_LIMITS = {"/sign-in/magic-link": (5, 60), "/sign-in/": (3, 10), "/sign-up/": (3, 10), "/two-factor/": (3, 10)}
"""Beginning of the path below ``/api/auth`` -> requests, seconds. The first that fits counts."""


class Lockout:
    """Locks an address, to the letter, after five wrong passwords; one call of several goes through it.

    The lock is announced as half an hour and ends as soon as fewer than five failures lie within a quarter of one.
    """

    def __init__(self, database: AccountDatabase) -> None:
        self._db = database

    def failed(self, email: str, now: int) -> None:
        """Notes a wrong password."""
        self._db.write("INSERT INTO login_attempts VALUES (?, ?)", email, now)

    def retry_after(self, email: str, now: int) -> int | None:
        """The seconds that are announced, or None when the address is not locked."""
        rows = self._db.rows(
            "SELECT at FROM login_attempts WHERE email = ? AND at > ? ORDER BY at DESC", email, now - _FAILURE_WINDOW_MS
        )
        return math.ceil((rows[0]["at"] + _LOCK_MS - now) / 1_000) if len(rows) >= _FAILURES else None


class RateLimits:
    """Counts requests per address and path. A window begins anew when none came for as long as it lasts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def retry_after(self, ip_address: str, path: str, now: int) -> int | None:
        """Counts a request to a path below ``/api/auth``; gives seconds when it is one too many."""
        most, window_s = next((limit for prefix, limit in _LIMITS.items() if path.startswith(prefix)), _OTHER_LIMIT)
        with self._lock:
            count, last = self._seen.get((ip_address, path), (0, 0))
            if now - last > window_s * 1_000:
                count = 0
            if count >= most:
                return math.ceil((last + window_s * 1_000 - now) / 1_000)
            self._seen[ip_address, path] = (count + 1, now)
        return None
