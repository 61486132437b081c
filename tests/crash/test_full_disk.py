"""A disk that really is full, read-only, or gone in the middle."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Studio
from .scenes import leftovers, told
from .steps import Ended, Mode, Runner, Trouble
from .test_failing_disk import check_words

IN_A_ROOM = """
import json, os, pathlib, shutil, subprocess, sys
order = json.loads(sys.argv[1])
place = pathlib.Path(order["place"])


def files(folder):
    found = [path for path in (place / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(place)): path.read_bytes().hex() for path in found}


def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(place)], check=True)


mount("-o", "size=64m,mode=700")
shutil.copytree(order["template"], place, dirs_exist_ok=True)
room = os.statvfs(place)
used = (room.f_blocks - room.f_bfree) * room.f_frsize
if order["room"] is None:
    mount("-o", "remount,ro")
else:
    mount("-o", f"remount,size={max(used + order['room'], 4096)}")
before = files(".")
done = subprocess.run(order["command"], env=order["environ"], capture_output=True, text=True)
print(json.dumps([done.returncode, done.stdout, done.stderr, before, files(".")]))
"""
"""Runs a command in a folder on a disk of its own, which has ``room`` bytes left, or is read-only."""


def namespace() -> list[str] | None:
    """What gives a process mounts of its own; None where that is not permitted."""
    for command in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        if shutil.which("unshare") is None:
            return None
        tried = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return command
    return None


NAMESPACE = namespace()
needs_mounts = pytest.mark.skipif(NAMESPACE is None, reason="a disk of its own needs the right to mount one")


def in_a_room(scene: Any, place: Path, room: int | None) -> tuple[Ended, dict[str, str], dict[str, str]]:
    """A command in a home folder on a small disk, and the files before and after."""
    assert NAMESPACE is not None
    place.mkdir()
    computer = scene.begin()
    moved = {name: value.replace(str(computer.home), str(place)) for name, value in computer.environ.items()}
    arguments = [part.replace(str(computer.home), str(place)) for part in scene.arguments(computer)]
    order = {
        "place": str(place),
        "template": str(computer.home),
        "room": room,
        "command": [*computer.program, *arguments],
        "environ": moved,
    }
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", IN_A_ROOM, json.dumps(order)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    code, out, err, before, after = json.loads(done.stdout)
    return Ended(code, out, err, []), before, after


def is_state(path: str) -> bool:
    """Of databases, which a run may have written to before it failed."""
    return path.startswith(("state/mirrors/", "state/restores/")) or path == "state/lock"


@needs_mounts
@pytest.mark.parametrize("name", ["export over", "unseal over", "first pull", "login", "restore"])
def test_L2_a_full_disk_ends_with_17_and_the_old_output_stays(name: str, scene: Studio, tmp_path: Path) -> None:
    at_work = scene(name)
    done, before, after = in_a_room(at_work, tmp_path / "disk", 0 if name == "login" else 16_384)
    assert done.code == 17, told(done)
    check_words(done)
    assert "hint: free some space on this disk" in done.err, told(done)
    kept = {path: data for path, data in after.items() if not is_state(path)}
    assert kept == {path: data for path, data in before.items() if not is_state(path)}


@needs_mounts
@pytest.mark.parametrize("name", ["export over", "later pull", "login"])
def test_L2_a_read_only_disk_ends_with_17_and_nothing_changes(name: str, scene: Studio, tmp_path: Path) -> None:
    done, before, after = in_a_room(scene(name), tmp_path / "disk", None)
    assert done.code == 17, told(done)
    check_words(done)
    assert after == before


LIMITED = 'trap "" XFSZ; ulimit -f "$0"; exec "$@"'


@pytest.mark.parametrize("name", ["unseal over", "convert over", "first pull", "restore"])
def test_L2_a_limit_on_the_size_of_files_ends_with_17_and_the_old_output_stays(name: str, scene: Studio) -> None:
    at_work = scene(name)
    computer = at_work.begin()
    blocks = "8"  # of 512 bytes, or 1,024 in some shells
    done = subprocess.run(
        ["sh", "-c", LIMITED, blocks, *computer.program, *at_work.arguments(computer)],
        env=computer.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    ended = Ended(done.returncode, done.stdout, done.stderr, [])
    assert ended.code == 17, told(ended)
    check_words(ended)
    at_work.check_whole(computer)
    assert not {path for path in leftovers(computer, at_work.template) if not path.startswith("state/restores/")}


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT, errno.ENAMETOOLONG])
@pytest.mark.parametrize("name", ["export over", "login over"])
def test_L2_a_folder_that_takes_no_file_ends_with_17(name: str, number: int, scene: Studio, run: Runner) -> None:
    at_work = scene(name)
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), root=computer.home).steps
    create = next(at for at, step in enumerate(steps, 1) if step.kind == "create" and step.path.endswith(".part"))
    computer = at_work.begin()
    trouble = Trouble(Mode.FAIL_ONCE, create, number)
    done = run(computer, *at_work.arguments(computer), trouble=trouble, root=computer.home)
    assert done.code == 17, told(done)
    check_words(done)
    assert os.strerror(number) in done.err
    at_work.check_whole(computer)
    assert not leftovers(computer, at_work.template)


def test_L2_a_folder_that_vanishes_meanwhile_ends_with_17(scene: Studio, run: Runner) -> None:
    if run.library is None:
        pytest.skip("somebody who removes the folder at a step needs a compiler")
    at_work = scene("export")
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), root=computer.home).steps
    for kind, path in (("write", "out/.all.mana.part"), ("fsync", "out/.all.mana.part"), ("link", "out/all.mana")):
        at = next(at for at, step in enumerate(steps, 1) if (step.kind, step.path) == (kind, path))
        computer = at_work.begin()
        if kind == "link":  # the folder without the part file
            trouble = Trouble(Mode.FAIL_ONCE, at, errno.ENOENT)
        else:
            trouble = Trouble(Mode.VANISH, at)
        done = run(computer, *at_work.arguments(computer), trouble=trouble, root=computer.home)
        assert done.code == 17, told(done)
        check_words(done)
        assert "the folder does not exist" in done.err
        assert not leftovers(computer, at_work.template)
