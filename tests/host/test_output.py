"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from manabackup.errors import LockedError, OutputError
from manabackup.host.output import AtomicFile, check_place

from .outputs import names, write_and_raise


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
