"""What an output replaces is kept, or stays as it was, whatever goes wrong."""

from __future__ import annotations

import errno
import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from manabackup.errors import OutputError
from manabackup.host import output as output_module
from manabackup.host.output import AtomicFile, write_whole, writing_to

from .outputs import failing, names


def replace(target: Path, content: bytes) -> Path | None:
    writer = AtomicFile(target, force=True)
    with writer as file:
        file.write(content)
        writer.keep_old("why")
    return writer.set_aside


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_what_is_replaced_can_be_kept_and_nothing_kept_before_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        failing(monkeypatch, "link", errno.EPERM)
    target = tmp_path / "all.sealed.mana"
    assert replace(target, b"0") is None
    assert replace(target, b"1") == tmp_path / "all.sealed.previous.mana"
    assert replace(target, b"2") == tmp_path / "all.sealed.previous-2.mana"
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == {
        "all.sealed.mana": b"2",
        "all.sealed.previous.mana": b"0",
        "all.sealed.previous-2.mana": b"1",
    }


def test_what_a_killed_run_kept_already_is_not_kept_twice(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    (tmp_path / "a.previous").hardlink_to(target)
    assert replace(target, b"new") == tmp_path / "a.previous"
    assert names(tmp_path) == ["a", "a.previous"]
    assert (tmp_path / "a.previous").read_bytes() == b"old"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a full disk: writes beyond ``size`` bytes fail."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("written", [100_000, 5_000_000])
def test_L2_a_write_that_the_disk_refuses_ends_as_an_output_error_and_leaves_the_old_file(
    tmp_path: Path, written: int
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with (
        largest_file(50_000),
        pytest.raises(OutputError, match=r"cannot write .*/a: File too large"),
        AtomicFile(target, force=True) as file,
    ):
        file.write(bytes(written))
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_L2_a_full_disk_is_told_with_what_to_do() -> None:
    with pytest.raises(OutputError, match="No space left") as caught, writing_to(Path("a.mana")):
        Path("/dev/full").write_bytes(b"x")
    assert caught.value.hint == "free some space on this disk, or write to another one"
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_trouble_of_the_writing_code_itself_is_not_taken_for_the_disks(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), AtomicFile(tmp_path / "a"):
        (tmp_path / "input").read_bytes()


def test_a_part_file_that_somebody_planted_as_a_link_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".a.part").symlink_to(victim)
    with pytest.raises(OutputError):
        AtomicFile(tmp_path / "a").__enter__()
    assert victim.read_bytes() == b"mine"


def test_the_lock_is_gone_with_the_writer(tmp_path: Path) -> None:
    writer = AtomicFile(tmp_path / "a")
    with writer as file:
        file.write(b"x")
    with (tmp_path / "a").open("rb") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_small_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"1")
    write_whole(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"
    assert names(tmp_path) == ["a"]


def test_a_reader_that_has_had_enough_is_no_fault_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), writing_to(tmp_path):
        raise BrokenPipeError


def test_wherever_a_signal_comes_a_small_file_is_whole_and_can_be_written_again_at_once(tmp_path: Path) -> None:
    """As a program does that notes its end while the interrupt is still on its way out."""
    path = tmp_path / "state.json"
    write_whole(path, b"old")
    before = sys.gettrace()  # coverage's, perhaps
    for at in count(1):
        steps = count(1)

        def interrupt(frame: FrameType, event: str, arg: object, at: int = at, steps: count[int] = steps) -> Any:
            if event == "line" and frame.f_code.co_filename == output_module.__file__ and next(steps) == at:
                signal.raise_signal(signal.SIGINT)
            return interrupt

        try:
            sys.settrace(interrupt)
            write_whole(path, b"new")
        except KeyboardInterrupt:
            sys.settrace(before)
            assert path.read_bytes() in (b"old", b"new")
            write_whole(path, b"old")
        else:
            break
        finally:
            sys.settrace(before)
    assert at > 20
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
