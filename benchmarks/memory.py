"""What a process and all that it started hold together, while they run.

Memory that several processes share counts once: Linux tells of each the part that falls to it ("Pss" in
``/proc/PID/smaps_rollup``). Elsewhere there is nothing to be looked at.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_PROC = Path("/proc")
_EVERY = 0.1
"""Seconds between two looks, each of which takes about one millisecond."""


class FamilyWatch:
    """Looks at a process and its descendants until the end of the block."""

    def __init__(self, process: int) -> None:
        self.peak = 0
        """Bytes: the most that was seen, of all together. 0 where nothing could be."""
        self.had_children = False
        self._process = process
        self._parents: dict[int, int] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_EVERY):
            family = self._family()
            self.had_children |= len(family) > 1
            self.peak = max(self.peak, sum(map(share_of, family)))

    def _family(self) -> list[int]:
        """The process, and those that it and they started and that are still there."""
        there = {int(place.name) for place in _PROC.iterdir() if place.name.isdecimal()}
        self._parents = {one: parent_of(one) if one not in self._parents else self._parents[one] for one in there}
        family = [self._process]
        for member in family:
            family += [one for one, parent in self._parents.items() if parent == member]
        return family


def parent_of(process: int) -> int:
    """Who started a process; 0 for one that is gone."""
    try:
        stat = _PROC.joinpath(str(process), "stat").read_bytes()
    except OSError:
        return 0
    return int(stat.rpartition(b")")[2].split()[1])


def share_of(process: int) -> int:
    """Bytes that fall to a process; 0 for one that is gone or belongs to somebody else."""
    try:
        lines = _PROC.joinpath(str(process), "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
