"""What is set aside on disk comes back whole, or it is told that it does not."""

from __future__ import annotations

import tempfile

import pytest

from manabackup.crypto.scratch import ScratchFile
from manabackup.crypto.spools import CipherSpool

SIZE = 3_000_000


@pytest.mark.parametrize("left", [0, 1, 1 << 20, (1 << 20) * 2 - 1])
@pytest.mark.parametrize("rewound", [False, True])
def test_a_spool_whose_file_was_cut_off_is_not_taken_for_a_shorter_one(left: int, rewound: bool) -> None:
    with tempfile.TemporaryFile() as file:
        spool = CipherSpool(lambda: file)
        for _ in range(SIZE // 1_000):
            spool.write(bytes(1_000))
        if rewound:
            spool.rewind()
        file.truncate(left)
        pieces = iter(lambda: spool.read(1 << 20), b"") if rewound else spool.chunks()
        with pytest.raises(OSError, match="cut off"):
            list(pieces)


@pytest.mark.parametrize("size", [0, 1, 1_000_000, SIZE])
def test_a_spool_gives_back_what_was_written(size: int) -> None:
    for whole in (True, False):
        spool = CipherSpool(tempfile.TemporaryFile)
        spool.write(bytes(size))
        if whole:
            assert b"".join(spool.chunks()) == bytes(size)
            continue
        spool.rewind()
        assert spool.read(size) + spool.read(10) == bytes(size)
        spool.close()


def test_a_block_that_was_cut_off_is_not_taken_for_a_shorter_one() -> None:
    with tempfile.TemporaryFile() as file:
        scratch = ScratchFile(lambda: file)
        place, other = scratch.append(b"one" * 10), scratch.append(b"two" * 10)
        file.truncate(40)
        assert scratch.read(place) == b"one" * 10
        with pytest.raises(OSError, match="cut off"):
            scratch.read(other)
