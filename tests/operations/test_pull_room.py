"""Room in memory for large answers: few at a time, and everybody gets on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from manabackup.limits import MIB
from manabackup.operations.pull.room import Rooms


def test_small_answers_need_not_wait_for_anybody() -> None:
    rooms = Rooms()
    held = [rooms.one(24 * MIB) for _ in range(100)]
    assert {room.grow(0) for room in held} == {MIB}
    assert not any(room.is_scarce for room in held)


def test_room_grows_to_the_largest_size_and_no_further() -> None:
    room = Rooms().one(24 * MIB)
    sizes = [0]
    while (larger := room.grow(sizes[-1])) > sizes[-1]:
        sizes.append(larger)
    assert sizes == [0, MIB, 6 * MIB, 24 * MIB]
    assert room.grow(0) == MIB  # the same question again
    room = Rooms().one(1_000)
    assert (room.grow(0), room.grow(1_000)) == (1_000, 1_000)


def test_of_large_answers_there_is_one_at_a_time_and_all_get_their_turn() -> None:
    rooms = Rooms(patience=60)
    lock = threading.Lock()
    large: list[int] = [0]
    most: list[int] = [0]

    def read(number: int) -> None:
        room = rooms.one(24 * MIB)
        try:
            size = 0
            while size < (24 if number % 2 else 6) * MIB:
                size = room.grow(size)
            if number % 2:
                with lock:
                    large[0] += 1
                    most[0] = max(most[0], large[0])
                with lock:
                    large[0] -= 1
        finally:
            room.leave()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(64)))
    assert most == [1]


def test_what_was_left_is_there_for_others() -> None:
    rooms = Rooms()
    for _ in range(10):
        room = rooms.one(24 * MIB)
        assert room.grow(6 * MIB) == 24 * MIB
        assert room.is_scarce
        room.leave()
        assert not room.is_scarce


def test_who_waits_too_long_gets_no_more_room() -> None:
    rooms = Rooms(patience=0)
    first, second = rooms.one(24 * MIB), rooms.one(24 * MIB)
    assert first.grow(6 * MIB) == 24 * MIB
    assert second.grow(MIB) == 6 * MIB
    assert second.grow(6 * MIB) == 6 * MIB
    assert rooms.one(24 * MIB).grow(MIB) == MIB
    assert (first.heaviest, second.heaviest) == (2, 2)
    first.leave()
    assert second.grow(6 * MIB) == 24 * MIB
