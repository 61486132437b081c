"""Outputs on file systems that lack something."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from manabackup.errors import LockedError, OutputError
from manabackup.host.output import AtomicFile

from .outputs import failing, names


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
