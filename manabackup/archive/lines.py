"""JSON Lines out of an entry's chunks, in memory of one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import DamagedArchiveError


def line_blocks(chunks: Iterable[bytes], limit: int, where: str) -> Iterator[list[bytes]]:
    """The lines of an entry, without their ends, as many at a time as end in a chunk.

    Raises :class:`DamagedArchiveError` for a line that is longer than ``limit`` bytes by more than a chunk.
    """
    # The pieces of a line that has not ended are joined once, at its end: a bomb is a line of many chunks.
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        if b"\n" in chunk:
            lines = (b"".join((*rest, chunk)) if rest else chunk).split(b"\n")
            last = lines.pop()
            rest, size = ([last], len(last)) if last else ([], 0)
            yield lines
        else:
            rest.append(chunk)
            size += len(chunk)
        if size > limit:
            raise DamagedArchiveError("a line beyond all measure", code="limit", where=where)
    if rest:
        yield [b"".join(rest)]
