"""A disk that alters what it keeps: nothing that a mirror held is missing later without a word, and a pull heals it.

``MANABACKUP_FLIPS=all`` opens the mirror with every single bit flipped.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.crypto.checksums import ChecksumError
from manabackup.mirror import Batch
from manabackup.mirror.inspection import inspect
from tests.support import flips
from tests.support.damage import SERVER, Server, build, changes, content, opened, pull, rows

from .healing import beside, check_healing, check_healing_at_once, without_the_gone

PARTS = 6


# --- single bits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(PARTS))
def test_L7_no_flipped_bit_passes_a_close_look_and_is_another_mirror(path: Path, part: int) -> None:
    build(path)
    written = path.read_bytes()
    with opened(path) as mirror:
        expected = content(mirror)
    beside(path, ".sums").unlink()
    noticed = 0
    for bit in flips.all_bits(path)[part::PARTS]:
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        if passes(bytes(damaged)):
            with flips.flipped(path, bit), opened(path) as mirror:
                assert mirror.repair is not None or content(mirror) == expected, bit
        else:
            noticed += 1
    assert noticed


def passes(file: bytes) -> bool:
    """Whether a close look at a file finds nothing, as far as it can be opened."""
    with closing(sqlite3.connect(":memory:")) as connection:
        # In memory there is no log; what the file says of one is looked at when it is opened from the disk.
        connection.deserialize(file[:18] + b"\1\1" + file[20:])
        try:
            inspect(connection)
        except (sqlite3.Error, ChecksumError, UnicodeDecodeError):
            return False
    return True


@pytest.mark.parametrize("small_pages", [False, True])
def test_L7_a_flipped_bit_is_said_and_healed(path: Path, small_pages: bool) -> None:
    if small_pages:
        flips.with_small_pages(path)
    build(path)
    with opened(path) as mirror:
        expected = rows(mirror)
    witness = beside(path, ".sums").read_bytes()
    for bit in flips.some(flips.all_bits(path), 60):
        with flips.flipped(path, bit):
            beside(path, ".sums").write_bytes(witness)
            check_healing(path, SERVER, expected, keeps_history=not small_pages)


def test_a_flipped_bit_in_a_large_mirror_is_said_and_healed(path: Path) -> None:
    server: Server = {
        ("todo", "tasks"): changes("tasks", *range(100, 4_100), size=300),
        ("todo", "lists"): changes("lists", *range(4_100, 4_400)),
        ("notes", "notes"): changes("notes", *range(5_000, 5_500), size=2_000),
    }
    with opened(path) as mirror:
        mirror.begin_pull(compare=False)
        for (app, name), held in server.items():
            mirror.store(app, {name: Batch(held, from_start=True, cursor=1)})
        mirror.end_pull(2)
        expected = rows(mirror)
    witness = beside(path, ".sums").read_bytes()
    lost = 0
    for bit in flips.some(range(path.stat().st_size * 8), 8, at_most=200):
        with flips.flipped(path, bit):
            beside(path, ".sums").write_bytes(witness)
            lost += check_healing_at_once(path, server, expected)


def test_a_flipped_bit_in_what_stands_beside_the_mirror_costs_nothing_but_a_closer_look(path: Path) -> None:
    build(path)
    with opened(path) as mirror:
        expected = content(mirror)
    sums = beside(path, ".sums")
    for bit in range(sums.stat().st_size * 8)[::7]:
        with flips.flipped(sums, bit), opened(path) as mirror:
            assert mirror.repair is None
            assert content(mirror) == expected


def test_a_flipped_bit_in_the_log_of_a_run_that_was_cut_off_is_not_passed_over(path: Path, tmp_path: Path) -> None:
    """SQLite leaves out what follows it, as after a loss of power. What is left is older, and the next run says so."""
    build(path)
    copies = tmp_path / "copies"
    copies.mkdir()
    server = {**SERVER, ("todo", "tasks"): [*SERVER["todo", "tasks"], *changes("tasks", 6, 7)]}
    with opened(path) as mirror:
        before = rows(mirror)
        mirror.begin_pull(compare=False)
        mirror.store("todo", {"tasks": Batch(changes("tasks", 5, 6, 7), cursor=9)}, cursor=60)
        after = rows(mirror)
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, copies)
    copy = copies / path.name
    log = beside(copy, "-wal")
    kept, written = copy.read_bytes(), log.read_bytes()
    for bit in flips.some(range(len(written) * 8), 60, at_most=5_000):
        damaged = bytearray(written)
        damaged[bit // 8] ^= 1 << bit % 8
        for file in copies.iterdir():
            file.unlink()
        copy.write_bytes(kept)
        log.write_bytes(damaged)
        with opened(copy) as mirror:
            assert mirror.is_unfinished or mirror.damage
            assert rows(mirror) in (before, after) or mirror.damage
        with opened(copy) as mirror:
            assert mirror.is_unfinished or mirror.damage  # each run says so, until a pull has come to its end
            pull(mirror, server)
            healed = rows(mirror)
        assert without_the_gone(healed) == without_the_gone(after)
        with opened(copy) as mirror:
            assert (mirror.repair, mirror.is_unfinished) == (None, False)


# --- damage of any kind -----------------------------------------------------------------------------------------------


@st.composite
def servers(draw: st.DrawFn) -> Server:
    server: Server = {}
    number = 100
    for app, name in draw(st.lists(st.sampled_from(sorted(SERVER)), min_size=1, unique=True)):
        count, size = draw(st.tuples(st.integers(0, 40), st.sampled_from([10, 900, 3_000])))
        server[app, name] = changes(name, *range(number, number + count), size=size)
        number += count
    return server


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(servers(), st.sampled_from(["bits", "zeros", "noise", "cut", "exchange"]), st.randoms(use_true_random=False))
def test_L7_whatever_happens_to_whatever_mirror_it_says_so_or_holds_what_it_held(
    tmp_path_factory: pytest.TempPathFactory, server: Server, kind: str, chance: random.Random
) -> None:
    path = tmp_path_factory.mktemp("mirror") / "mirror.sqlite"
    with opened(path) as mirror:
        pull(mirror, server)
        expected = rows(mirror)
    path.write_bytes(bytes(altered(bytearray(path.read_bytes()), kind, chance)))
    check_healing(path, server, expected)


def altered(file: bytearray, kind: str, chance: random.Random) -> bytearray:
    block = chance.randrange(len(file) // 512) * 512
    if kind == "bits":
        for _ in range(chance.randint(1, 20)):
            file[chance.randrange(len(file))] ^= 1 << chance.randrange(8)
    elif kind == "zeros":
        file[block : block + 512] = bytes(512)
    elif kind == "noise":
        file[block : block + 512] = chance.randbytes(512)
    elif kind == "cut":
        del file[chance.randrange(len(file)) :]
    else:
        other = chance.randrange(len(file) // 512) * 512
        file[block : block + 512], file[other : other + 512] = file[other : other + 512], file[block : block + 512]
    return file
