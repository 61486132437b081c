"""Which steps of a run are looked at: some, chosen anew each time, or all.

``MANABACKUP_CRASH_STEPS=all`` takes every step, a number so many of each command, both with every trouble there is;
``MANABACKUP_CRASH_SEED`` repeats a choice.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from .scenes import Scene, in_folders
from .steps import Runner, Step, Trouble

ASKED = os.environ.get("MANABACKUP_CRASH_STEPS", "")
T = TypeVar("T")
DECISIVE = frozenset({"rename", "exchange", "link", "rmdir"})
"""Steps after which the disk tells another story."""


def seeded() -> random.Random:
    """A new choice; the seed is shown when the test fails."""
    seed = int(os.environ.get("MANABACKUP_CRASH_SEED") or random.randrange(2**32))
    print(f"MANABACKUP_CRASH_SEED={seed}")
    return random.Random(seed)


def chosen(steps: Sequence[Step], folders: Sequence[str], chance: random.Random, most: int) -> list[int]:
    """Numbers of steps, from 1, ascending: the first and the last, every decisive one, and one of each kind.

    All but the first two with their neighbours, in the folders that the command is about. At most ``most`` of those
    that are not decisive.
    """
    if ASKED == "all":
        return list(range(1, len(steps) + 1))
    must = {1, len(steps)}
    kinds: dict[tuple[str, str], list[int]] = {}
    for number, step in enumerate(steps, 1):
        if not in_folders(step, folders):
            continue
        if step.kind in DECISIVE:
            must |= {number - 1, number, number + 1}
        kinds.setdefault((step.kind, step.path), []).append(number)
    may: set[int] = set()
    for numbers in kinds.values():
        number = chance.choice(numbers)
        may |= {number - 1, number, number + 1}
    every = set(range(1, len(steps) + 1))
    rest = sorted((every if ASKED else may & every) - must)
    return sorted((must & every) | set(some(rest, chance, most)))


def unless_more_are_asked_for(*few: str, every: Sequence[str]) -> Sequence[str]:
    """The scenes of a test."""
    return every if ASKED else few


def some(of: Sequence[T], chance: random.Random, most: int) -> Sequence[T]:
    """At most so many of them, unless more are asked for."""
    if ASKED == "all":
        return of
    return chance.sample(of, min(int(ASKED or most), len(of)))


def variants(of: Sequence[T], chance: random.Random) -> Sequence[T]:
    """One of them, unless more are asked for."""
    return of if ASKED else [chance.choice(of)]


@contextmanager
def telling(trouble: Trouble, what: object) -> Iterator[None]:
    """Says of a failure which trouble led to it."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"{trouble}: {what}")
        raise


def at_steps(
    scene: Scene, run: Runner, most: int, troubles: Sequence[Trouble], check: Callable[[Scene, Runner, Trouble], None]
) -> None:
    """Lets a run meet troubles at its steps, ``most`` of those that are not decisive, and has it looked at."""
    computer = scene.begin()
    steps = run(computer, *scene.arguments(computer), root=computer.home).steps
    chance = seeded()
    for number in chosen(steps, scene.about, chance, most):
        for trouble in variants(troubles, chance):
            met = replace(trouble, at=number)
            with telling(met, steps[number - 1]):
                check(scene, run, met)
