"""A disk that is full or broken, at any step: exit 17 in one line, everything as it was, and nothing left behind."""

from __future__ import annotations

import errno

import pytest

from .conftest import Studio
from .sampling import at_steps, seeded, some, telling, unless_more_are_asked_for, variants
from .scenes import Scene, litter, names, told
from .steps import Ended, Mode, Runner, Trouble
from .test_kills import SCENES

MOST = 2
FEW = ("export", "unseal over", "rekey over", "convert over", "tables over", "later pull", "login over", "restore")
FAILURES = (
    Trouble(Mode.FAIL_ONCE, number=errno.ENOSPC),
    Trouble(Mode.FAIL_ON, number=errno.ENOSPC),
    Trouble(Mode.FAIL_ON, number=errno.EDQUOT),
    Trouble(Mode.FAIL_ONCE, number=errno.EIO),
    Trouble(Mode.FAIL_ON, number=errno.EIO),
)


def check_words(done: Ended) -> None:
    """One line, perhaps a hint, and nothing that a script would take for a result."""
    assert done.out == "", told(done)
    said = [line for line in done.err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert [line.partition(":")[0] for line in said] in (["error"], ["error", "hint"]), told(done)
    assert done.err.splitlines()[-len(said) :] == said, told(done)
    assert "Traceback" not in done.err, told(done)


def endure(scene: Scene, run: Runner, trouble: Trouble) -> None:
    """A run that meets a failure: it fails as it should, or does without what failed."""
    computer = scene.begin()
    before = names(computer)
    done = run(computer, *scene.arguments(computer), trouble=trouble, root=computer.home)
    if done.code in scene.codes:
        scene.check_done(computer)
        return
    # Threads take turns as they like, so that it may be another step than in the run before; and where from there on
    # nothing works, reading an archive and writing another one fail side by side, and either may be told of first.
    first, *after = done.steps[trouble.at - 1 :]
    failed = [first, *(step for step in after if trouble.mode is Mode.FAIL_ON and step.kind != "unlink")]
    unreadable = {step.kind in ("open", "read") and step.path.endswith(".mana") for step in failed}
    assert done.code in {15 if archive else 17 for archive in unreadable}, told(done)
    check_words(done)
    scene.check_whole(computer)
    # Who writes a mirror removes its witness first, and leaves none when he fails.
    assert {name for name in before if not name.endswith(".sqlite.sums")} <= names(computer)
    if not (trouble.mode is Mode.FAIL_ON and trouble.number == errno.EIO):  # there nothing can be removed either
        assert not litter(computer, scene.template), told(done)
    if not scene.is_refused_now(computer):
        again = run(computer, *scene.arguments(computer), root=computer.home)
        assert again.code in scene.codes, told(again)
        scene.check_done(computer)


@pytest.mark.parametrize("name", unless_more_are_asked_for(*FEW, "first pull", "sealed export over", every=SCENES))
def test_L2_a_disk_that_fails_at_a_step_ends_with_17_and_all_is_as_it_was(
    name: str, scene: Studio, run: Runner
) -> None:
    at_steps(scene(name), run, MOST, FAILURES, endure)


# A database that cannot be read is told of as such, whatever it is that fails.
OF_DATABASES = ("load", "load into a new one", "split")
READING = tuple(name for name in SCENES if name not in OF_DATABASES)


@pytest.mark.parametrize("name", unless_more_are_asked_for(*FEW, every=READING))
def test_L2_what_cannot_be_read_ends_with_17_and_an_archive_that_cannot_is_as_a_damaged_one(
    name: str, scene: Studio, run: Runner
) -> None:
    at_work = scene(name)
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), trouble=Trouble(reads=True), root=computer.home).steps
    chance = seeded()
    numbers = [number for number, step in enumerate(steps, 1) if step.kind in ("open", "read")]
    for number in some(numbers, chance, MOST):
        for mode in variants((Mode.FAIL_ONCE, Mode.FAIL_ON), chance):
            trouble = Trouble(mode, number, errno.EIO, reads=True)
            with telling(trouble, steps[number - 1]):
                endure(at_work, run, trouble)
