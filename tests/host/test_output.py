"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from manabackup.errors import LockedError, OutputError, UsageError
from manabackup.host import output as output_module
from manabackup.host.output import AtomicFile, check_place, write_whole, writing_to


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_and_raise(target: Path, error: BaseException, *, force: bool = False) -> None:
    with AtomicFile(target, force=force) as file:
        file.write(b"half")
        raise error


def test_a_file_appears_when_it_is_whole_readable_by_its_owner_only(tmp_path: Path) -> None:
    target = tmp_path / "a.mana"
    with AtomicFile(target) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names(tmp_path) == ["a.mana"]


def test_the_file_can_be_read_and_rewritten_while_it_is_written(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"0123456789")
        file.seek(2)
        assert file.read(3) == b"234"
        file.seek(0)
        file.write(b"X")
    assert (tmp_path / "a").read_bytes() == b"X123456789"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_L4_nothing_is_left_when_the_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_and_raise(tmp_path / "a", error())
    assert names(tmp_path) == []


def test_L2_a_failed_writing_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(ValueError):
        write_and_raise(target, ValueError(), force=True)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists") as caught, AtomicFile(target):
        pytest.fail("nothing is written first")
    assert caught.value.hint == "--force replaces it"
    assert target.read_bytes() == b"old"
    with AtomicFile(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_file_that_appears_meanwhile_is_not_replaced_without_force(tmp_path: Path) -> None:
    target = tmp_path / "a"
    writer = AtomicFile(target)
    writer.__enter__().write(b"mine")
    target.write_bytes(b"theirs")
    with pytest.raises(OutputError, match="exists"):
        writer.__exit__(None, None, None)
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("force", [False, True])
def test_only_regular_files_are_replaced(tmp_path: Path, force: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for target in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OutputError, match="not a regular file"), AtomicFile(target, force=force):
            pytest.fail("nothing is written")
    assert Path("/dev/null").is_char_device()


def test_a_symbolic_link_keeps_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "disk" / "real")
    with AtomicFile(link) as file:
        file.write(b"x")
    assert link.is_symlink()
    assert names(tmp_path / "disk") == ["real"]


def test_a_folder_that_is_not_there_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*/none/a: No such file") as caught:
        AtomicFile(tmp_path / "none" / "a").__enter__()
    assert caught.value.hint == "the folder does not exist"


def test_control_characters_in_a_name_are_escaped_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\\x1b\[31m/b"):
        AtomicFile(tmp_path / "a\x1b[31m" / "b").__enter__()


def test_L3_a_second_writer_of_the_same_file_stops(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with AtomicFile(target) as file:
        file.write(b"first")
        with pytest.raises(LockedError, match="another run is writing"), AtomicFile(target):
            pytest.fail("two writers")
        with AtomicFile(tmp_path / "b") as other:
            other.write(b"another file")
    assert target.read_bytes() == b"first"
    with AtomicFile(target, force=True) as file:
        file.write(b"again")
    assert names(tmp_path) == ["a", "b"]


def test_L3_of_many_writers_that_begin_at_once_no_two_get_through_together(tmp_path: Path) -> None:
    target = tmp_path / "a"
    begin = threading.Barrier(8)
    inside: list[int] = []
    outcomes: list[str] = []

    def write(number: int) -> None:
        begin.wait(10)
        for _ in range(50):
            try:
                with AtomicFile(target, force=True) as file:
                    inside.append(number)
                    file.write(b"%d" % number)
                    outcomes.append("alone" if inside == [number] else "together")
                    inside.remove(number)
            except LockedError:
                outcomes.append("locked")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 400
    assert "alone" in outcomes
    assert "together" not in outcomes
    assert names(tmp_path) == ["a"]


KILLED = """
import sys
from manabackup.host.output import AtomicFile
with AtomicFile(sys.argv[1], force=True) as file:
    file.write(bytes(2_000_000))
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_L1_what_a_killed_run_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LockedError):
            AtomicFile(target, force=True).__enter__()
        process.send_signal(signal.SIGKILL)
    assert target.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    with AtomicFile(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "ask", [lambda target: AtomicFile(target).__enter__(), lambda target: check_place(target, force=False)]
)
def test_L1_the_second_name_that_a_killed_run_left_of_its_output_goes_though_the_output_is_not_replaced(
    tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    (tmp_path / "a").write_bytes(b"whole")
    (tmp_path / ".a.part").hardlink_to(tmp_path / "a")
    with pytest.raises(OutputError, match="exists"):
        ask(tmp_path / "a")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_L3_the_part_file_of_a_run_that_is_alive_stays_when_the_output_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with AtomicFile(target) as file:
        file.write(b"mine")
        target.write_bytes(b"theirs")
        with pytest.raises(OutputError, match="exists"):
            check_place(target, force=False)
        assert names(tmp_path) == [".a.part", "a"]
        target.unlink()
    assert target.read_bytes() == b"mine"


# --- file systems that lack something ---------------------------------------------------------------------------------


def failing(
    monkeypatch: pytest.MonkeyPatch, call: str, number: int, *, when: Callable[..., bool] = lambda *_: True
) -> None:
    """From now on the system's ``call`` fails."""
    real = getattr(os, call)

    def fail(*arguments: object, **options: object) -> object:
        if when(*arguments):
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    monkeypatch.setattr(os, call, fail)


def is_folder(descriptor: int, *_: object) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EBADF])
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_has_its_name_is_written_though_its_folder_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, force: bool
) -> None:
    failing(monkeypatch, "fsync", number, when=is_folder)
    with AtomicFile(tmp_path / "a", force=force) as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert names(tmp_path) == ["a"]
    told = [record.getMessage() for record in caplog.records]
    unknown = number not in (errno.EOPNOTSUPP, errno.EINVAL)  # what has no such call has nothing to warn of
    assert [text.startswith(f"{tmp_path}/a may be lost if the power fails now") for text in told] == [True] * unknown


def test_a_folder_that_can_be_written_and_not_read_takes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing(monkeypatch, "open", errno.EACCES, when=lambda path, *_: Path(path) == tmp_path)
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"whole")
    assert names(tmp_path) == ["a"]
    assert "Permission denied" in caplog.text


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_L2_a_file_that_itself_cannot_be_flushed_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    failing(monkeypatch, "fsync", number, when=lambda descriptor: not is_folder(descriptor))
    with pytest.raises(OutputError, match="cannot write"), AtomicFile(tmp_path / "a") as file:
        file.write(b"x")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "number", [errno.EPERM, errno.EACCES, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EMLINK, errno.ENOTTY]
)
def test_without_hard_links_a_file_gets_its_name_by_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    failing(monkeypatch, "link", number)
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"whole")
    assert names(tmp_path) == ["a"]
    writer = AtomicFile(tmp_path / "b")
    writer.__enter__().write(b"mine")
    (tmp_path / "b").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="exists"):
        writer.__exit__(None, None, None)
    assert (tmp_path / "b").read_bytes() == b"theirs"


def test_a_python_without_hard_links_writes_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "link")
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"whole")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_without_locks_a_file_is_written_and_a_part_file_that_may_be_in_use_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"whole")
        with pytest.raises(LockedError, match=r"\.a\.part exists") as caught, AtomicFile(tmp_path / "a"):
            pytest.fail("two writers")
        assert caught.value.hint is not None
        assert "remove that file" in caught.value.hint
    assert names(tmp_path) == ["a"]


# --- names and places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["a", "ä", "🔑"])
@pytest.mark.parametrize("size", [*range(244, 256)])
def test_a_name_may_be_as_long_as_the_disk_takes(tmp_path: Path, character: str, size: int) -> None:
    bytes_each = len(character.encode())
    name = character * (size // bytes_each) + "x" * (size % bytes_each)
    with AtomicFile(tmp_path / name) as file:
        file.write(b"1")
        with pytest.raises(LockedError), AtomicFile(tmp_path / name):
            pytest.fail("two writers")
    writer = AtomicFile(tmp_path / name, force=True)
    with writer as file:
        file.write(b"2")
        writer.keep_old("why")
    assert writer.set_aside is not None
    assert names(tmp_path) == sorted([name, writer.set_aside.name])
    assert (tmp_path / name).read_bytes() == b"2"


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long") as caught:
        AtomicFile(tmp_path / ("a" * 256)).__enter__()
    assert caught.value.hint == "give it a shorter name"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1", "/dev/../dev/stdout"])
@pytest.mark.parametrize("force", [False, True])
def test_another_name_of_a_stream_is_no_output(name: str, force: bool) -> None:
    with pytest.raises(UsageError, match="not a file") as caught:
        check_place(Path(name), force=force)
    assert caught.value.hint == "-o - is the standard output"
    with pytest.raises(UsageError), AtomicFile(name, force=force):
        pytest.fail("nothing is written")


def test_a_link_to_another_name_of_a_stream_is_no_output_either(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/dev/stdout")
    with pytest.raises(UsageError):
        check_place(tmp_path / "a", force=True)


def test_a_file_in_a_folder_of_the_devices_is_an_output() -> None:
    check_place(Path("/dev/shm/no-such.mana"), force=False)


def test_a_working_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for ask in (lambda: AtomicFile("a"), lambda: check_place(Path("a"), force=False)):
        with pytest.raises(OutputError, match="the working folder does not exist any more"):
            ask()
    with AtomicFile(tmp_path / "a") as file:
        file.write(b"x")
    assert names(tmp_path) == ["a"]


# --- what is replaced -------------------------------------------------------------------------------------------------


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
