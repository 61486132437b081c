"""Names and places of outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.errors import LockedError, OutputError, UsageError
from manabackup.host.output import AtomicFile, check_place

from .outputs import names


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
