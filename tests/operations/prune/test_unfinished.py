"""What killed runs leave in a folder of this machine goes; what a run is writing, and what is not ours, does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from manabackup.archive.places import Folder, Place, Unfinished
from manabackup.errors import NotFoundError, OutputError, UsageError
from manabackup.operations.prune import ClearPlan, Fate, clear, plan_clear
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine

NEVER = timedelta(0)
WRITER = """
import sys
from manabackup.host.output import AtomicFile
with AtomicFile(sys.argv[1]) as file:
    file.write(bytes(2_000_000))
    file.flush()
    print("ready", flush=True)
    sys.stdin.read()
"""


def told(found: ClearPlan) -> dict[str, str]:
    return {remnant.what.name: remnant.reason or remnant.decision.value for remnant in found.remnants}


def test_a_run_that_writes_is_spared_and_a_killed_one_leaves_what_goes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "x.mana")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        assert told(plan_clear(tmp_path)) == {".x.mana.part": "a run may be sending it"}
        assert told(plan_clear(tmp_path, older_than=NEVER)) == {".x.mana.part": "a run is writing it"}
        writer.send_signal(signal.SIGKILL)
        writer.wait(PATIENCE)
    found = plan_clear(tmp_path, older_than=NEVER)
    assert told(found) == {".x.mana.part": "remove"}
    done = clear(found)
    assert (done.removed, done.bytes, done.failed) == ([".x.mana.part"], 2_000_000, [])
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_has_begun_meanwhile_is_spared(tmp_path: Path) -> None:
    part = tmp_path / ".x.mana.part"
    part.write_bytes(b"dead")
    found = plan_clear(tmp_path, older_than=NEVER)
    part.write_bytes(b"alive again")
    done = clear(found)
    assert (done.removed, done.failed) == ([], [(part.name, "it changed after it was judged")])
    part.unlink()
    done = clear(found)
    assert (done.removed, done.failed) == ([], [])


def test_what_is_called_otherwise_is_nobodys_business(tmp_path: Path) -> None:
    for name in ("x.mana", ".x.mana", "x.mana.part", ".notes.part", ".x.mana.abc.unfinished", ".x.mana.tmp"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".link.mana.part").symlink_to(tmp_path / "x.mana")
    (tmp_path / ".folder.mana.part").mkdir()
    ours = {f".{32 * 'a'}.part", f".x.mana.{16 * '0'}.unfinished"}
    for name in ours:
        (tmp_path / name).write_bytes(b"dead")
        os.utime(tmp_path / name, (0, 0))
    assert told(plan_clear(tmp_path)) == dict.fromkeys(ours, "remove")


class Bare:
    """A folder of some place, in which nothing lies."""

    name = "bare"

    def archives(self) -> list[Place]:
        return []

    def folders(self) -> list[Folder]:
        return []


class Elsewhere(Bare):
    """One of which the test says what lies there."""

    def __init__(self, *found: Unfinished) -> None:
        self.found = found

    def unfinished(self) -> tuple[Unfinished, ...]:
        return self.found


def test_what_somebody_else_began_and_what_has_no_age_stays() -> None:
    removed: list[str] = []

    def refuses() -> None:
        raise OutputError("locked")

    old = timedelta(days=3)
    folder = Elsewhere(
        Unfinished("theirs", "film.mkv", 5, old, False, lambda: removed.append("theirs")),
        Unfinished("ageless", "x.mana", 5, None, True, lambda: removed.append("ageless")),
        Unfinished("old", "x.mana", -1, old, True, lambda: removed.append("old")),
        Unfinished("stuck", "x.mana", 5, old, True, refuses),
    )
    found = plan_clear(folder)
    decisions = [remnant.decision for remnant in found.remnants]
    assert decisions == [Fate.LEAVE, Fate.LEAVE, Fate.REMOVE, Fate.REMOVE]
    done = clear(found)
    assert (removed, done.removed, done.bytes, done.failed) == (["old"], ["old"], 0, [("stuck", "locked")])


def test_a_place_that_keeps_nothing_of_the_kind_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keeps nothing"):
        plan_clear(Bare())
    with pytest.raises(NotFoundError):
        plan_clear(tmp_path / "no")


def test_on_the_command_line_it_goes_after_a_yes_and_only_by_itself(tmp_path: Path) -> None:
    manabackup = CommandLine(tmp_path)
    part = tmp_path / ".x.mana.part"
    part.write_bytes(b"dead")
    os.utime(part, (0, 0))
    folder = str(tmp_path)
    for wrong in (("--keep-last", "1"), ("--older-than", "0h"), ("--older-than", "soon")):
        assert manabackup("prune", folder, "--unfinished", "--yes", *wrong).code == 2
    assert manabackup("prune", folder, "--keep-last", "1", "--older-than", "2d").code == 2
    assert manabackup.at_terminal("prune", folder, "--unfinished", typed=["no"]).code == 2
    assert part.exists()
    done = manabackup.at_terminal("prune", folder, "--unfinished", typed=["yes"])
    assert (done.code, part.exists(), "removed: 1 remnant, 4 bytes" in done.out) == (0, False, True)
    assert manabackup("prune", folder, "--unfinished").out == f"nothing unfinished in {folder}\n"
