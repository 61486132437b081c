"""Ctrl-C, and being told to end, at any step: exit 130 in one line, and nothing half done or left behind."""

from __future__ import annotations

import signal

import pytest

from .conftest import Studio
from .sampling import chosen, seeded, telling, variants
from .scenes import Scene, leftovers, told
from .steps import Mode, Runner, Trouble
from .test_kills import SCENES

MOST = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heed(scene: Scene, run: Runner, trouble: Trouble) -> None:
    """A run that gets a signal, and the next one."""
    computer = scene.begin()
    command = scene.arguments(computer)
    done = run(computer, *command, trouble=trouble, root=computer.home)
    assert "Traceback" not in done.err, told(done)
    if done.code in scene.codes:  # it came when all was done
        scene.check_done(computer)
        return
    assert done.code == 130, told(done)
    assert done.err.splitlines()[-1:] == ["error: interrupted"], told(done)
    assert done.out == ""
    scene.check_whole(computer)
    assert not {path for path in leftovers(computer, scene.template) if not path.startswith("state/restores/")}
    if not scene.is_refused_now(computer):
        again = run(computer, *command, root=computer.home)
        assert again.code in scene.codes, told(again)
        scene.check_done(computer)


@pytest.mark.parametrize("name", SCENES)
def test_L4_a_run_that_is_interrupted_at_a_step_says_so_and_leaves_nothing(
    name: str, scene: Studio, run: Runner
) -> None:
    at_work = scene(name)
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), root=computer.home).steps
    chance = seeded()
    for number in chosen(steps, at_work.about, chance, MOST):
        for which in variants(SIGNALS, chance):
            trouble = Trouble(Mode.SIGNAL, number, which)
            with telling(trouble, steps[number - 1]):
                heed(at_work, run, trouble)
