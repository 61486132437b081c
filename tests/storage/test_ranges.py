"""Reading by ranges: whatever is read in whatever order, it is what lies there, and what is read on is fetched once."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from manabackup.limits import KIB, MIB
from manabackup.storage.ranges import TAIL, RangedBytes

CONTENT = random.Random(7).randbytes(9 * MIB)


class Far:
    """Content that counts what is fetched of it."""

    def __init__(self, size: int) -> None:
        self.content = CONTENT[:size]
        self.fetched: list[tuple[int, int]] = []
        self.bytes = RangedBytes(size, self.content[max(0, size - TAIL) :], self.fetch, lambda: None)

    def fetch(self, begin: int, stop: int) -> bytes:
        assert 0 <= begin < stop <= len(self.content)
        self.fetched.append((begin, stop))
        return self.content[begin:stop]


readings = st.lists(st.tuples(st.integers(0, 9 * MIB), st.integers(0, 5 * MIB)), max_size=12)


@given(st.sampled_from([0, 1, TAIL, TAIL + 1, MIB, 9 * MIB]), readings)
def test_what_is_read_is_what_lies_there(size: int, asked: list[tuple[int, int]]) -> None:
    far = Far(size)
    try:
        for offset, count in asked:
            assert far.bytes.read_at(offset, count) == far.content[offset : offset + count]
    finally:
        far.bytes.close()


@given(st.integers(1 * KIB, 2 * MIB))
def test_who_reads_on_fetches_each_byte_once(step: int) -> None:
    far = Far(9 * MIB)
    read = b"".join(far.bytes.read_at(at, step) for at in range(0, 9 * MIB, step))
    far.bytes.close()
    assert read == far.content
    assert sum(stop - begin for begin, stop in far.fetched) == 9 * MIB - TAIL
    assert len(far.fetched) <= 6


def test_what_cannot_be_fetched_is_tried_again_when_it_is_asked_for_again() -> None:
    far = Far(9 * MIB)
    broken = [True]

    def fetch(begin: int, stop: int) -> bytes:
        if broken.pop() if broken else False:
            raise OSError("cut")
        return CONTENT[begin:stop]

    source = RangedBytes(9 * MIB, CONTENT[-TAIL:], fetch, lambda: None)
    for _ in range(2):
        try:
            assert source.read_at(0, 100) == CONTENT[:100]
        except OSError:
            continue
    source.close()
    far.bytes.close()
    assert not broken
