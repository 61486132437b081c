from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.host.interrupts import uninterrupted
from manabackup.host.output import AtomicFile


@pytest.fixture
def handlers() -> Iterator[None]:
    """Those that there were, afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_an_interrupt_waits_for_the_end_of_the_block(handlers: None) -> None:
    done = []

    def block() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["the rest"]
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_counts_more_than_an_error_and_comes_once(handlers: None) -> None:
    def block() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError

    with pytest.raises(KeyboardInterrupt) as raised:
        block()
    assert isinstance(raised.value.__context__, ValueError)


def test_signals_that_are_ignored_stay_ignored_and_blocks_may_nest(handlers: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    done = []

    def block() -> None:
        with uninterrupted():
            with uninterrupted():
                os.kill(os.getpid(), signal.SIGHUP)
                os.kill(os.getpid(), signal.SIGINT)
            done.append("the outer rest")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["the outer rest"]
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_in_other_threads_nothing_changes(handlers: None) -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def inside() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [before]


def test_L4_a_part_file_that_nobody_came_to_close_is_removed_with_its_writer(tmp_path: Path) -> None:
    abandoned = AtomicFile(tmp_path / "a")
    abandoned.__enter__().write(b"half")
    assert [path.name for path in tmp_path.iterdir()] == [".a.part"]
    del abandoned
    assert list(tmp_path.iterdir()) == []
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
