"""Brings lines together by the record they belong to, in constant memory. A line is any bytes.

An external merge sort: what does not fit into the budget goes to disk in sorted runs. The runs are encrypted under a
key that lives in memory alone, because what is sorted may be plaintext of a sealed archive.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import accumulate, chain, groupby, islice
from operator import itemgetter
from typing import TypeAlias

from ..crypto.spools import CipherSpool, SpoolFile
from ..limits import KIB, MIB
from ..text import jsontext

_HEADER = struct.Struct("<QQ")
"""The head of a block in a run: the bytes of its index, as JSON — keys, and sizes of lines —, and of its lines."""
_OVERHEAD = 250
"""Bytes that a line in memory costs besides its own."""
_MOST_RUNS = 128
_BATCH = 64
_BLOCK_BYTES = 64 * KIB
"""Lines in a block of a run take about so much; all runs have one in memory when they are merged."""
_first = itemgetter(0)

_Pairs: TypeAlias = list[tuple[str, bytes]]


class LineSorter:
    """Takes (key, line) pairs in any order and gives them back grouped by key, keys ascending by code point.

    Lines of one key keep the order in which they came. ``budget`` is in bytes.
    """

    def __init__(self, make_file: Callable[[], SpoolFile], *, budget: int = 24 * MIB) -> None:
        self._make_file = make_file
        self._budget = budget
        self._pairs: _Pairs = []
        self._bytes = 0
        self._runs: list[CipherSpool] = []

    def add(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        """Take some more pairs."""
        for some in _batched(pairs):
            self._pairs += some
            self._bytes += sum([len(line) for _, line in some]) + _OVERHEAD * len(some)
            if self._bytes >= self._budget:
                self._spill()

    def settle(self) -> None:
        """Nothing is added any more, and what was waits a while: on disk, where memory did not do for all of it."""
        if self._runs and self._pairs:
            self._spill()

    def groups(self) -> Iterator[tuple[str, list[bytes]]]:
        """(key, its lines) of everything that was added; ends the sorter."""
        with ExitStack() as spools:
            for run in self._runs:
                spools.callback(run.close)
            for key, pairs in groupby(self._merged(), key=_first):
                yield key, [line for _, line in pairs]

    def blocks(self, size: int) -> Iterator[_Pairs]:
        """The pairs in the order of :meth:`groups`, in lists of about ``size`` bytes of lines; ends the sorter.

        A key's lines are all in one list. Where a list ends depends on the pairs alone.
        """
        block: _Pairs = []
        room = size
        for pair in self.pairs():
            if room <= 0 and pair[0] != block[-1][0]:
                yield block
                block, room = [], size
            block.append(pair)
            room -= len(pair[1])
        if block:
            yield block

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """Every (key, line), keys ascending; the lines of one key are in memory together. Ends the sorter."""
        with ExitStack() as spools:
            for run in self._runs:
                spools.callback(run.close)
            yield from self._merged()

    def _merged(self) -> Iterator[tuple[str, bytes]]:
        pairs, self._pairs = self._pairs, []
        pairs.sort(key=_first)
        if not self._runs:
            return iter(pairs)
        return chain.from_iterable(_merge([*map(_read_run, self._runs), _batched(pairs)]))

    def _spill(self) -> None:
        if len(self._runs) >= _MOST_RUNS:
            self._runs = [self._run(self._merged())]
        else:
            self._pairs.sort(key=_first)
            self._runs.append(self._run(self._pairs))
            self._pairs = []
        self._bytes = 0

    def _run(self, pairs: Iterable[tuple[str, bytes]]) -> CipherSpool:
        spool = CipherSpool(self._make_file)
        for some in _blocks(pairs):
            index = jsontext.dumps([[key for key, _ in some], [len(line) for _, line in some]])
            lines = [line for _, line in some]
            spool.write(b"".join([_HEADER.pack(len(index), sum(map(len, lines))), index, *lines]))
        spool.rewind()
        return spool


def _batched(pairs: Iterable[tuple[str, bytes]]) -> Iterator[_Pairs]:
    """Few enough at a time that the budget is not passed by much."""
    rest = iter(pairs)
    while some := list(islice(rest, _BATCH)):
        yield some


def _merge(runs: Iterable[Iterator[_Pairs]]) -> Iterator[_Pairs]:
    """Sorted runs, each given in parts, as one sorted run in parts; of equal keys those of earlier runs come first.

    Each step takes from all runs what is not beyond the first end of a part, and has it sorted: that is a merge, too,
    and much faster than one that looks at each pair by itself.
    """
    heads = [(part, run) for run in runs for part in islice(run, 1)]
    while heads:
        bound = min([part[-1][0] for part, _ in heads])
        merged: _Pairs = []
        left = []
        for head in heads:
            part, run = head
            if part[0][0] > bound:
                left.append(head)
                continue
            while part and part[-1][0] <= bound:  # what follows may begin with the same key
                merged += part
                part = next(run, [])
            end = bisect_right(part, bound, key=_first)
            merged += part[:end]
            if part:
                left.append((part[end:], run))
        heads = left
        merged.sort(key=_first)
        yield merged


def _blocks(pairs: Iterable[tuple[str, bytes]]) -> Iterator[_Pairs]:
    """Blocks for a run: not many lines each, and not many bytes."""
    for some in _batched(pairs):
        if sum([len(line) for _, line in some]) <= _BLOCK_BYTES:
            yield some
            continue
        block: _Pairs = []
        size = 0
        for pair in some:
            block.append(pair)
            size += len(pair[1])
            if size >= _BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block


def _read_run(spool: CipherSpool) -> Iterator[_Pairs]:
    while header := spool.read(_HEADER.size):
        index_bytes, line_bytes = _HEADER.unpack(header)
        keys, sizes = jsontext.parse(spool.read(index_bytes))
        lines = spool.read(line_bytes)
        yield [(key, lines[end - size : end]) for key, size, end in zip(keys, sizes, accumulate(sizes), strict=True)]
    spool.close()
