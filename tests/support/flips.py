"""Single flipped bits in a database: which there are, and how many of them are tried.

``MANABACKUP_FLIPS=all`` tries every bit wherever a test would take some, a number so many.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

ASKED = os.environ.get("MANABACKUP_FLIPS", "")
_BTREE_PAGES = {2: 12, 5: 12, 10: 8, 13: 8}
"""Kind of a page → bytes of its header (https://sqlite.org/fileformat2.html, 1.6)."""


def with_small_pages(path: Path) -> None:
    """Makes a database of no tables, in pages of 512 bytes: what is in it will lie in more of them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")


def all_bits(path: Path) -> list[int]:
    """The bits of a closed database that are not known to mean nothing."""
    content = path.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    size = 65_536 if size == 1 else size
    bits: list[int] = []
    for begin in range(0, len(content), size):
        head = begin + 100 if begin == 0 else begin
        gap = range(0)
        if content[head] in _BTREE_PAGES:
            cells = int.from_bytes(content[head + 3 : head + 5], "big")
            gap = range(
                head + _BTREE_PAGES[content[head]] + 2 * cells,
                begin + (int.from_bytes(content[head + 5 : head + 7], "big") or 65_536),
            )
        bits += [at * 8 + bit for at in range(begin, begin + size) if at not in gap for bit in range(8)]
    return bits


def some(bits: Sequence[int], few: int, *, at_most: int | None = None) -> list[int]:
    """So many of the bits, others each time, or as many as the environment asks for, ``at_most``."""
    if ASKED == "all" and at_most is None:
        return list(bits)
    seed = int(os.environ.get("MANABACKUP_FLIPS_SEED") or random.randrange(2**32))
    print(f"MANABACKUP_FLIPS_SEED={seed}")
    count = (at_most or 0) if ASKED == "all" else int(ASKED or few)
    return sorted(random.Random(seed).sample(bits, min(count, len(bits))))


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """A file with one bit flipped, until it is made again what it was."""
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    try:
        yield
    finally:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        path.write_bytes(content)
