"""Death at any step: the old output is whole or the new one is, and the next run comes to the same end.

Some steps by default, chosen anew each time; ``MANABACKUP_CRASH_STEPS=all`` (``make crash``) kills at every one.
"""

from __future__ import annotations

import pytest

from .conftest import Studio
from .sampling import chosen, seeded, telling, variants
from .scenes import Scene, leftovers, told
from .steps import SIGKILL, Mode, Runner, Trouble

SCENES = (
    "export",
    "export over",
    "sealed export over",
    "whole export over",
    "seal",
    "unseal over",
    "rekey over",
    "convert over",
    "first pull",
    "later pull",
    "full pull",
    "login",
    "login over",
    "restore",
)
MOST = 8
KILLS = (Mode.KILL_BEFORE, Mode.KILL_AFTER)


def survive(scene: Scene, run: Runner, trouble: Trouble) -> None:
    """A run that is killed, and one that is not."""
    computer = scene.begin()
    command = scene.arguments(computer)
    killed = run(computer, *command, trouble=trouble, root=computer.home)
    # Threads take turns as they like: a run may have fewer steps than the one before.
    assert killed.code == SIGKILL or killed.code in scene.codes, told(killed)
    assert "Traceback" not in killed.err
    scene.check_whole(computer)
    refused = scene.is_refused_now(computer)
    done = run(computer, *command, trouble=Trouble(nameless=trouble.nameless), root=computer.home)
    if refused:
        assert done.code != 0, told(done)
        assert not leftovers(computer, scene.template), told(done)
        done = run(computer, *command, "--force", root=computer.home)
    assert done.code in scene.codes, told(done)
    scene.check_done(computer)


@pytest.mark.parametrize("name", SCENES)
def test_L1_a_run_that_is_killed_at_a_step_leaves_old_or_new_and_the_next_one_finishes(
    name: str, scene: Studio, run: Runner
) -> None:
    at_work = scene(name)
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), root=computer.home).steps
    chance = seeded()
    for number in chosen(steps, at_work.about, chance, MOST):
        for mode in variants(KILLS, chance):
            trouble = Trouble(mode, number)
            with telling(trouble, steps[number - 1]):
                survive(at_work, run, trouble)


def test_L1_where_a_file_needs_a_name_at_first_a_killed_run_leaves_none_for_good(scene: Studio, run: Runner) -> None:
    at_work = scene("convert over")
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), trouble=Trouble(nameless=False), root=computer.home).steps
    named = [number for number, step in enumerate(steps, 1) if step.path == "out/.all.mana.spool"]
    assert [steps[number - 1].kind for number in named][-2:] == ["create", "unlink"]
    for number in named:
        survive(at_work, run, Trouble(Mode.KILL_AFTER, number, nameless=False))
        survive(at_work, run, Trouble(Mode.KILL_BEFORE, number, nameless=False))
