"""Work behind its caller: order, bounds, errors and ends."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from manabackup.archive.behind import WriteBehind, told_behind
from manabackup.archive.writer import About, ArchiveWriter

ABOUT = About("user-1", "2026-05-01T12:00:00.000Z", {"type": "full"}, fields_plaintext=True)


class FullDisk:
    """A file that takes no more than ``room`` bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, data: bytes) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "no space left on device")
        return len(data)

    def seek(self, offset: int) -> None:
        """Wherever it goes, there is as little room."""


def writing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "write-behind"]


def test_tasks_are_done_in_order_and_none_is_left_at_the_end() -> None:
    done: list[int] = []
    behind = WriteBehind(most=100)
    for number in range(1_000):
        behind.do(number % 70, done.append, number)
    behind.finish()
    assert done == list(range(1_000))
    assert not writing_threads()


def test_a_caller_waits_rather_than_let_too_much_pile_up() -> None:
    gate = threading.Event()
    done: list[int] = []

    def work(number: int) -> None:
        gate.wait()
        done.append(number)

    behind = WriteBehind(most=100)
    threading.Timer(0.05, gate.set).start()
    ahead = []
    for number in range(50):
        behind.do(30, work, number)
        ahead.append(number + 1 - len(done))
    behind.finish()
    assert done == list(range(50))
    assert max(ahead) <= 4


def test_one_task_may_be_larger_than_all_that_is_held_otherwise() -> None:
    done: list[bytes] = []
    behind = WriteBehind(most=10)
    behind.do(1_000, done.append, b"large")
    behind.do(1, done.append, b"small")
    behind.finish()
    assert done == [b"large", b"small"]


def test_the_first_error_is_raised_in_the_caller_and_nothing_is_done_after_it() -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError(28, "no space left on device")

    behind = WriteBehind(most=1)
    behind.do(1, done.append, "before")
    behind.do(1, fail)
    with pytest.raises(OSError, match="no space"):  # noqa: PT012 - whichever call learns of it first
        for _ in range(3):
            behind.do(1, done.append, "after")
    with pytest.raises(OSError, match="no space"):
        behind.finish()
    behind.close()
    assert done == ["before"]
    assert not writing_threads()


def test_what_was_not_begun_when_the_caller_gave_up_is_not_done() -> None:
    begun, gate = threading.Event(), threading.Event()
    done: list[str] = []

    def slow() -> None:
        begun.set()
        gate.wait()
        done.append("begun")

    behind = WriteBehind()
    behind.do(1, slow)
    behind.do(1, done.append, "waiting")
    begun.wait()
    threading.Timer(0.05, gate.set).start()
    behind.close()
    assert done == ["begun"]
    assert not writing_threads()


def test_a_full_disk_is_told_to_the_writer_of_an_archive_and_no_thread_stays(tmp_path: Path) -> None:
    def write() -> None:
        with ArchiveWriter(FullDisk(3_000_000), tables=["notes"], make_spool_file=tempfile.TemporaryFile) as writer:
            table = writer.table("notes")
            for number in range(400_000):
                table.add(b'{"id":"%06d","title":"%064x"}' % (number, number * 0x9E3779B97F4A7C15))
            table.close()
            writer.finish(ABOUT, {})

    with pytest.raises(OSError, match="no space"):
        write()
    assert not writing_threads()


def test_an_error_between_rows_ends_the_thread_too(tmp_path: Path) -> None:
    def write() -> None:
        with (
            (tmp_path / "archive").open("w+b") as file,
            ArchiveWriter(file, tables=["notes"], make_spool_file=tempfile.TemporaryFile) as writer,
        ):
            writer.table("notes").add(b'{"id":"1"}')
            writer.add("account/data.json", b"{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not writing_threads()


def test_a_listener_behind_hears_every_chunk_in_order() -> None:
    heard: list[bytes] = []
    chunks = [bytes([number]) * 100_000 for number in range(200)]
    assert list(told_behind(iter(chunks), heard.append)) == chunks
    assert heard == chunks
    assert not writing_threads()


def test_what_a_listener_behind_refuses_reaches_the_reader() -> None:
    def refuse(chunk: bytes) -> None:
        raise ValueError(chunk)

    with pytest.raises(ValueError, match="only"):
        list(told_behind([b"only"], refuse))
    assert not writing_threads()


def test_a_reader_that_stops_early_leaves_no_listener() -> None:
    chunks = told_behind((bytes(1_000) for _ in range(1_000)), len)
    next(chunks)
    chunks.close()
    assert not writing_threads()
