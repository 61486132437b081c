from __future__ import annotations

import threading

import pytest

from manabackup.archive.behind import WriteBehind


def test_tasks_are_done_in_order_and_all_of_them_before_the_end() -> None:
    done: list[int] = []
    behind = WriteBehind(most=1_000)
    for number in range(500):
        behind.do(100, done.append, number)
    behind.finish()
    assert done == list(range(500))


def test_no_more_is_held_than_allowed_but_for_one_that_is_larger() -> None:
    held, most_held, lock = 0, 0, threading.Lock()
    sizes = [300, 5_000, 300, 300, 900, 10] * 50

    def begin(size: int) -> None:
        nonlocal held, most_held
        with lock:
            held += size
            most_held = max(most_held, held)

    def end(size: int) -> None:
        nonlocal held
        with lock:
            held -= size

    behind = WriteBehind(most=1_000)
    for size in sizes:
        # What is counted here begins a moment before the call, and so one task more than the thread holds.
        begin(size)
        behind.do(size, end, size)
    behind.finish()
    assert held == 0
    assert most_held <= 5_000 + 1_000


def test_the_first_error_is_raised_in_the_callers_thread_and_nothing_more_is_done() -> None:
    done: list[int] = []

    def fail() -> None:
        raise OSError(28, "full")

    behind = WriteBehind()
    behind.do(1, done.append, 1)
    behind.do(1, fail)
    with pytest.raises(OSError, match="full"):
        behind.finish()
    with pytest.raises(OSError, match="full"):
        behind.do(1, done.append, 2)
    with pytest.raises(OSError, match="full"):
        behind.finish()
    behind.close()
    assert done == [1]


def test_an_error_comes_to_light_before_the_caller_is_done() -> None:
    def fail() -> None:
        raise OSError(28, "full")

    def go_on(behind: WriteBehind) -> None:
        for _ in range(100):
            behind.do(5, int)

    behind = WriteBehind(most=10)
    behind.do(1, fail)
    with pytest.raises(OSError, match="full"):
        go_on(behind)
    behind.close()


def test_close_waits_for_the_task_that_runs() -> None:
    go, begun = threading.Event(), threading.Event()
    done: list[int] = []

    def wait() -> None:
        begun.set()
        go.wait(30)
        done.append(1)

    behind = WriteBehind()
    behind.do(1, wait)
    begun.wait(30)
    threading.Timer(0.01, go.set).start()
    behind.close()
    assert done == [1]
    WriteBehind().close()
