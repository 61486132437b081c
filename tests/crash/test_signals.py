"""Ctrl-C, and being told to end, at any step: exit 130 in one line, and nothing half done or left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import manabackup

from .conftest import Studio
from .sampling import at_steps, seeded, some, telling, unless_more_are_asked_for
from .scenes import Scene, litter, told
from .steps import Mode, Runner, Trouble
from .test_kills import SCENES

MOST = 2
SIGNALS = tuple(Trouble(Mode.SIGNAL, number=which) for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def heed(scene: Scene, run: Runner, trouble: Trouble) -> None:
    """A run that gets a signal, and the next one."""
    computer = scene.begin()
    command = scene.arguments(computer)
    done = run(computer, *command, trouble=trouble, root=computer.home)
    assert "Traceback" not in done.err, told(done)
    # When all is done and said Python still closes down, at the end of that without anybody to take a signal.
    if done.code in (*scene.codes, -trouble.signal) and done.out:
        scene.check_done(computer)
        return
    assert done.code == 130, told(done)
    assert done.err.splitlines()[-1:] == ["error: interrupted"], told(done)
    assert done.out == ""
    scene.check_whole(computer)
    assert not litter(computer, scene.template)
    if not scene.is_refused_now(computer):
        again = run(computer, *command, root=computer.home)
        assert again.code in scene.codes, told(again)
        scene.check_done(computer)


FEW = ("export over", "seal", "rekey over", "convert over", "later pull", "login over", "restore")


@pytest.mark.parametrize("name", unless_more_are_asked_for(*FEW, every=SCENES))
def test_L4_a_run_that_is_interrupted_at_a_step_says_so_and_leaves_nothing(
    name: str, scene: Studio, run: Runner
) -> None:
    at_steps(scene(name), run, MOST, SIGNALS, heed)


STARTED = """
import ctypes, sys
library, root, mode, at, number, trace, *arguments = sys.argv[1:]
reads = 1
ctypes.CDLL(library).steps_arm(root.encode(), int(mode), ctypes.c_long(int(at)), int(number), reads, trace.encode())
sys.argv = ["manabackup", *arguments]
from manabackup.cli import main
sys.exit(main())
"""


def test_L4_from_its_first_lines_on_the_program_takes_an_interrupt_without_a_trace(
    run: Runner, scene: Studio, tmp_path: Path
) -> None:
    if run.library is None:
        pytest.skip("what is read cannot be numbered without a compiler")
    computer = scene("login").begin()
    computer.environ["LD_PRELOAD"] = str(run.library)
    (package,) = manabackup.__path__

    def start(mode: Mode, at: int = 0) -> tuple[int, str, list[str]]:
        """Of a process that begins from nothing; steps are what it reads of the package."""
        trace = tmp_path / "trace"
        arm = [str(run.library), package, str(int(mode)), str(at), str(int(signal.SIGINT)), str(trace)]
        done = subprocess.run(
            [sys.executable, "-c", STARTED, *arm, "status", "--json"],
            capture_output=True,
            text=True,
            env=computer.environ,
            check=False,
        )
        return done.returncode, done.stderr, trace.read_text().splitlines()

    code, err, steps = start(Mode.COUNT)
    assert code == 13, err  # nobody is signed in
    assert len(steps) > 100
    listening = max(number for number, step in enumerate(steps, 1) if "/endings." in step)
    chance = seeded()
    for number in [*some(range(listening + 1, len(steps)), chance, 4), len(steps)]:
        trouble = Trouble(Mode.SIGNAL, number, signal.SIGINT)
        with telling(trouble, steps[number - 1]):
            assert start(Mode.SIGNAL, number)[:2] == (130, "error: interrupted\n")
