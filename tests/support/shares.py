"""How much of what could be tried is tried: a share, another one in each run, or in CI all of it.

``MANABACKUP_FAULTS=all`` takes everything; ``MANABACKUP_FAULTS_SEED`` repeats a choice.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

ALL = os.environ.get("MANABACKUP_FAULTS") == "all"
"""Whether each fault meets each request, and each edit each moment."""
_RUN = os.environ.get("MANABACKUP_FAULTS_SEED") or os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
"""Tells runs apart; all processes of one run have to choose the same."""
T = TypeVar("T")


def some(cases: Sequence[T], *, of: int = 5) -> list[T]:
    """One in so many cases, at least one; or all: see :data:`ALL`. What fails can be asked for by its name then."""
    if ALL:
        return list(cases)
    chosen = sorted(random.Random(_RUN).sample(range(len(cases)), -(-len(cases) // of)))
    return [cases[number] for number in chosen]


def examples(many: int) -> int:
    """How many examples of a property that costs much for each: a third, or as many as are asked for."""
    return many if ALL else max(10, many // 3)
