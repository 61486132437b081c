"""Grouping lines by record, in memory and through encrypted runs on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.host.sorting import LineSorter

lines = st.binary(max_size=50)
keys = st.text(st.characters(exclude_categories=()), max_size=3)


@given(
    st.lists(st.tuples(keys, lines)),
    st.sampled_from([1, 700, 3_000, 10**6]),
    st.booleans(),
)
def test_groups_come_in_code_point_order_and_lines_in_the_order_they_came(
    pairs: list[tuple[str, bytes]], budget: int, settled: bool
) -> None:
    expected: dict[str, list[bytes]] = {}
    for key, line in pairs:
        expected.setdefault(key, []).append(line)
    sorter = LineSorter(tempfile.TemporaryFile, budget=budget)
    sorter.add(pairs)
    if settled:
        sorter.settle()
    assert list(sorter.groups()) == sorted(expected.items())


def test_many_runs_are_merged_in_passes() -> None:
    sorter = LineSorter(tempfile.TemporaryFile, budget=1)  # a run for each line
    pairs = [(f"{number * 7919 % 200:03}", b"%d" % number) for number in range(600)]
    for pair in pairs:
        sorter.add([pair])
    groups = dict(sorter.groups())
    assert list(groups) == sorted(groups)
    assert all(lines == [line for key, line in pairs if key == name] for name, lines in groups.items())


def test_lines_of_one_key_keep_their_order_where_runs_are_read_in_many_parts() -> None:
    sorter = LineSorter(tempfile.TemporaryFile, budget=100_000)
    pairs = [(f"{number**2 % 7}", b"%d" % number) for number in range(5_000)]
    sorter.add(pairs)
    expected: dict[str, list[bytes]] = {}
    for key, line in pairs:
        expected.setdefault(key, []).append(line)
    assert list(sorter.groups()) == sorted(expected.items())


def test_L6_nothing_that_is_sorted_reaches_the_disk_in_clear(tmp_path: Path) -> None:
    files: list[Path] = []

    def make_file() -> BinaryIO:
        files.append(tmp_path / str(len(files)))
        return files[-1].open("w+b")

    sorter = LineSorter(make_file, budget=4_000)
    sorter.add((f"id-{number}", b"Dear diary, today " * 40) for number in range(50))
    groups = sorter.groups()
    next(groups)
    written = b"".join(path.read_bytes() for path in files)
    assert len(written) > 20_000
    assert b"diary" not in written
    assert b"id-" not in written
    assert len(list(groups)) == 49


@given(pairs=st.lists(st.tuples(keys, lines)), budget=st.integers(1, 2_000), size=st.integers(1, 300))
def test_blocks_hold_whole_keys_and_end_where_the_pairs_say(
    pairs: list[tuple[str, bytes]], budget: int, size: int
) -> None:
    def blocks(budget: int) -> list[list[tuple[str, bytes]]]:
        sorter = LineSorter(tempfile.TemporaryFile, budget=budget)
        sorter.add(pairs)
        return list(sorter.blocks(size))

    found = blocks(budget)
    assert found == blocks(1 << 20)
    assert [pair for block in found for pair in block] == sorted(pairs, key=lambda pair: pair[0])
    keys = [{key for key, _ in block} for block in found]
    assert sum(map(len, keys)) == len({key for key, _ in pairs})
    assert all(sum(len(line) for _, line in block) >= size for block in found[:-1])


@given(budget=st.integers(20_000, 100_000), share=st.floats(0, 1, exclude_max=True))
def test_rows_that_the_disk_lost_are_missed(budget: int, share: float) -> None:
    cut_shorter(budget, lambda size: int(size * share))


def test_a_file_that_ends_between_two_blocks_is_missed_as_well() -> None:
    cut_shorter(60_000, lambda size: size // 2)


def cut_shorter(budget: int, left: Callable[[int], int]) -> None:
    """The first run, of two equal blocks, keeps so many bytes."""
    with ExitStack() as files:
        made: list[BinaryIO] = []

        def make_file() -> BinaryIO:
            made.append(files.enter_context(tempfile.TemporaryFile()))
            return made[-1]

        sorter = LineSorter(make_file, budget=budget)
        sorter.add((f"{number:04}", bytes(200)) for number in range(256))
        made[0].truncate(left(made[0].seek(0, os.SEEK_END)))
        made[0].seek(0)
        with pytest.raises(OSError, match="cut off"):
            list(sorter.groups())
