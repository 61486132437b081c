"""What SQLite does not say of a write-ahead log: that it left the end of it out.

It takes the frames of a log up to the first one that is not as it was written, as after a loss of power, and is silent
about those behind it: one flipped bit takes back everything that was committed since. The file format is SQLite's own
(https://sqlite.org/fileformat2.html, "The Write-Ahead Log").
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682
"""With big-endian checksums one more."""


def is_cut_short(path: Path) -> bool:
    """Whether a database's log holds frames that are not as they were written. To be asked before it is opened."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return False
    with log.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return bool(head)
        magic, version, page_size, _, salt, more_salt, *sums = _HEADER.unpack(head)
        order = ">" if magic == _MAGIC + 1 else "<"
        running = _sum(order, head[:24], (0, 0))
        if magic & ~1 != _MAGIC or version != 3_007_000 or running != tuple(sums) or not 512 <= page_size <= 65_536:
            return True
        whole = True
        while len(frame := file.read(_FRAME.size + page_size)) == _FRAME.size + page_size:
            _, _, its_salt, its_more_salt, *sums = _FRAME.unpack_from(frame)
            if its_salt != salt and its_more_salt != more_salt:
                whole = False  # of an older log that this one was written over: what follows is, too
                continue
            running = _sum(order, frame[:8], running)
            running = _sum(order, frame[_FRAME.size :], running)
            if not whole or (its_salt, its_more_salt, *running) != (salt, more_salt, *sums):
                return True
        return False


def _sum(order: str, data: bytes, running: tuple[int, int]) -> tuple[int, int]:
    one, other = running
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other
