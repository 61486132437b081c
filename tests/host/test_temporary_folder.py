"""Folders that are gone with their run, or with the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from manabackup.errors import OutputError
from manabackup.host.temporary_folder import temporary_folder

PREFIX = "manabackup-test-"
KILLED = """
import sys
from manabackup.host.temporary_folder import temporary_folder
with temporary_folder(sys.argv[1]) as folder:
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_is_for_its_owner_alone_and_gone_at_the_end(place: Path) -> None:
    with temporary_folder(PREFIX) as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
    assert list(place.iterdir()) == []


def test_L1_the_next_run_removes_what_a_killed_one_left_and_nothing_of_one_that_is_alive(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, PREFIX], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().rstrip("\n"))
        with temporary_folder(PREFIX) as ours:
            assert theirs != ours
            assert (theirs / "sub" / "file").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert theirs.exists()
    with temporary_folder(PREFIX):
        assert not theirs.exists()
    assert list(place.iterdir()) == []


def test_what_only_has_such_a_name_stays(place: Path) -> None:
    (place / "elsewhere").mkdir()
    (place / f"{PREFIX}linkabcd").symlink_to(place / "elsewhere")
    (place / f"{PREFIX}fileabcd").write_text("x")
    (place / f"{PREFIX}my-results").mkdir(mode=0o700)
    (place / f"{PREFIX}results1").mkdir()
    (place / f"{PREFIX}results1").chmod(0o755)
    before = {path.name for path in place.iterdir()}
    with temporary_folder(PREFIX):
        pass
    assert {path.name for path in place.iterdir()} == before


def test_of_many_that_begin_at_once_each_keeps_its_own() -> None:
    begin = threading.Barrier(6)
    lost: list[Path] = []

    def work() -> None:
        begin.wait(10)
        for _ in range(30):
            with temporary_folder(PREFIX) as folder:
                (folder / "file").write_text("x")
                if not (folder / "file").exists():
                    lost.append(folder)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []


def test_L2_no_place_for_temporary_files_is_an_output_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place / "none"))
    with pytest.raises(OutputError, match="none"), temporary_folder(PREFIX):
        pass
