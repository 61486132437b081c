"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from manabackup.errors import LockedError, OutputError
from manabackup.host.output_folder import AtomicFolder


def test_it_appears_at_the_end_and_is_the_owners_alone(tmp_path: Path) -> None:
    with AtomicFolder(tmp_path / "out") as folder:
        folder.write(b"x", "a", "b", "c.txt")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out/a/b/c.txt").read_bytes() == b"x"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*") if path.is_dir()} == {0o700}
    assert stat.S_IMODE((tmp_path / "out/a/b/c.txt").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_names_are_utf_8_whatever_the_locale_can_spell(tmp_path: Path) -> None:
    program = r"""if True:
        from pathlib import Path
        from manabackup.host.output_folder import AtomicFolder
        with AtomicFolder(Path("out")) as folder:
            folder.write(b"x", "\u017di\u017ekov", "\u65e5\u8a18.md")
    """
    environ = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environ, check=True)
    assert (tmp_path / "out" / "\u017di\u017ekov" / "\u65e5\u8a18.md").read_bytes() == b"x"


def test_what_a_killed_writer_of_a_file_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".out.part").write_bytes(b"half a database")
    with AtomicFolder(tmp_path / "out") as folder:
        folder.write(b"x", "a.txt")
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"x"


def test_nothing_is_left_of_one_that_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with AtomicFolder(tmp_path / "out") as folder:
            folder.write(b"x", "a.txt")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_its_place_stays_or_goes_aside(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.md").write_text("mine")
    with pytest.raises(OutputError, match="exists already"), AtomicFolder(tmp_path / "out"):
        pass
    for kept in ("out.previous", "out.previous-2"):
        with AtomicFolder(tmp_path / "out", force=True) as folder:
            folder.write(b"new", "a.txt")
        assert folder.set_aside == tmp_path / kept
    assert (tmp_path / "out.previous" / "mine.md").read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_a_file_in_its_place_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="no folder"), AtomicFolder(tmp_path / "out", force=True):
        pass


def test_one_at_a_time_and_a_dead_run_is_cleared_away(tmp_path: Path) -> None:
    with AtomicFolder(tmp_path / "out"), pytest.raises(LockedError), AtomicFolder(tmp_path / "out"):
        pass
    (tmp_path / ".next.folder.part" / "left").mkdir(parents=True)
    (tmp_path / ".next.folder.part").chmod(0o700)
    with AtomicFolder(tmp_path / "next") as folder:
        folder.write(b"x", "a.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["next", "out"]


def test_no_name_leads_out_of_it(tmp_path: Path) -> None:
    with AtomicFolder(tmp_path / "out") as folder:
        for name in ("..", ".", "", "a/b", "/etc", "a\0b"):
            with pytest.raises(ValueError, match="outside"):
                folder.write(b"x", name)


def test_no_folder_above_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError), AtomicFolder(tmp_path / "no" / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_thousands_of_files_are_there_as_well(tmp_path: Path) -> None:
    with AtomicFolder(tmp_path / "out") as folder:
        for number in range(400):
            folder.write(b"%d" % number, f"{number % 7}", f"{number}")
    assert sum(int(path.read_bytes()) == int(path.name) for path in tmp_path.glob("out/*/*")) == 400
