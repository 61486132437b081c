"""Reading ahead: order, bounds, errors, ends, and no thread that stays."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from manabackup.host.ahead import ahead


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


class Watched:
    """Numbers, and what became of the generator that gives them."""

    def __init__(self, count: int, *, error: BaseException | None = None) -> None:
        self.made = 0
        self.closed = False
        self.threads: set[int] = set()
        self._count = count
        self._error = error

    def items(self) -> Iterator[int]:
        try:
            for number in range(self._count):
                self.threads.add(threading.get_ident())
                self.made += 1
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


def test_the_same_items_in_the_same_order_made_by_another_thread() -> None:
    source = Watched(1_000)
    assert list(ahead(source.items(), most=3)) == list(range(1_000))
    assert threading.get_ident() not in source.threads
    assert not reading_threads()


def test_no_more_is_made_ahead_than_was_said() -> None:
    source = Watched(100)
    excess = [source.made - number - 1 for number in ahead(source.items(), most=3)]
    assert max(excess) <= 3


def test_an_error_comes_after_the_items_before_it() -> None:
    got: list[int] = []
    with pytest.raises(OSError, match="gone"):
        got.extend(ahead(Watched(3, error=OSError(5, "gone")).items(), most=2))
    assert got == [0, 1, 2]
    assert not reading_threads()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_caller_that_gives_up_leaves_no_thread_and_an_ended_source(error: type[BaseException]) -> None:
    source = Watched(1_000)

    def read() -> None:
        for number in (items := ahead(source.items(), most=2)):
            if number == 5:
                items.close()
                raise error

    with pytest.raises(error):
        read()
    assert source.closed
    assert source.made < 10
    assert not reading_threads()


def test_what_is_forgotten_half_read_ends_too() -> None:
    source = Watched(1_000)
    items = ahead(source.items(), most=2)
    next(items)
    del items
    gc.collect()
    assert source.closed
    assert not reading_threads()


def test_nothing_is_made_before_the_first_item_is_asked_for() -> None:
    source = Watched(10)
    items = ahead(source.items(), most=2)
    assert not reading_threads()
    items.close()
    assert source.made == 0


def test_items_of_an_iterator_that_cannot_be_closed() -> None:
    assert list(ahead(iter("abc"), most=1)) == ["a", "b", "c"]
