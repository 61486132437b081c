"""Death at any moment, wherever the process happens to be.

``MANABACKUP_KILL_ROUNDS`` says how often (200 and more when asked for).
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from .conftest import Studio
from .sampling import seeded, telling
from .scenes import Scene
from .steps import Runner, Trouble
from .test_kills import SCENES, survive
from .test_signals import heed

ROUNDS = int(os.environ.get("MANABACKUP_KILL_ROUNDS", "6"))


def seconds(scene: Scene, run: Runner) -> float:
    """How long an undisturbed run takes."""
    computer = scene.begin()
    begun = time.monotonic()
    run(computer, *scene.arguments(computer), root=computer.home)
    return time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_L1_L4_a_run_that_is_ended_at_any_moment_leaves_old_or_new_and_the_next_one_finishes(
    number: signal.Signals, scene: Studio, run: Runner
) -> None:
    chance = seeded()
    for _ in range(ROUNDS if number == signal.SIGKILL else ROUNDS // 2):
        at_work = scene(chance.choice(SCENES))
        trouble = Trouble(after=chance.random() * seconds(at_work, run), signal=number)
        with telling(trouble, at_work.name):
            (survive if number == signal.SIGKILL else heed)(at_work, run, trouble)
