"""What targets of the fuzzers are held to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manabackup.errors import ManabackupError
from manabackup.limits import DEFAULT_LIMITS
from tests.support import handmade

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "fixtures" / "vectors"
PASSPHRASE = handmade.PASSPHRASE
MOST = 8 * DEFAULT_LIMITS.ratio * 1024
"""Bytes that may come out of any input here."""


def require(condition: bool, words: object) -> None:
    if not condition:
        raise AssertionError(words)


def is_refused(does: Callable[[], object]) -> bool:
    try:
        does()
    except ManabackupError:
        return True
    return False
