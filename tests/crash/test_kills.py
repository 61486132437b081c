"""Death at any step: the old output is whole or the new one is, and the next run comes to the same end.

Some steps by default, chosen anew each time; ``MANABACKUP_CRASH_STEPS=all`` (``make crash``) kills at every one.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from .conftest import Studio
from .sampling import at_steps, telling, unless_more_are_asked_for
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
    "tables",
    "tables over",
    "first pull",
    "later pull",
    "full pull",
    "healing pull",
    "login",
    "login over",
    "restore",
    "load",
    "load into a new one",
    "split",
)
MOST = 3
KILLS = (Trouble(Mode.KILL_BEFORE), Trouble(Mode.KILL_AFTER))


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


FEW = tuple(name for name in SCENES if name not in ("whole export over", "full pull", "tables"))


@pytest.mark.parametrize("name", unless_more_are_asked_for(*FEW, every=SCENES))
def test_L1_a_run_that_is_killed_at_a_step_leaves_old_or_new_and_the_next_one_finishes(
    name: str, scene: Studio, run: Runner
) -> None:
    at_steps(scene(name), run, MOST, KILLS, survive)


def test_L1_what_a_killed_dry_run_of_a_restore_left_goes_with_the_restore(scene: Studio, run: Runner) -> None:
    at_work = scene("restore")
    computer = at_work.begin()
    command = at_work.arguments(computer)
    steps = run(computer, *command, "--dry-run", root=computer.home).steps
    trouble = Trouble(Mode.KILL_BEFORE, len(steps) // 2)
    assert run(computer, *command, "--dry-run", trouble=trouble, root=computer.home).code == SIGKILL
    assert leftovers(computer, at_work.template)
    assert run(computer, *command, root=computer.home).code in at_work.codes
    at_work.check_done(computer)


def test_L1_where_a_file_needs_a_name_at_first_a_killed_run_leaves_none_for_good(scene: Studio, run: Runner) -> None:
    at_work = scene("convert over")
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), trouble=Trouble(nameless=False), root=computer.home).steps
    named = [number for number, step in enumerate(steps, 1) if step.path == "out/.all.mana.spool"]
    assert [steps[number - 1].kind for number in named][-2:] == ["create", "unlink"]
    for number in named:
        survive(at_work, run, Trouble(Mode.KILL_AFTER, number, nameless=False))
        survive(at_work, run, Trouble(Mode.KILL_BEFORE, number, nameless=False))


def test_L1_no_salt_and_no_iv_of_a_killed_run_is_used_again(scene: Studio, run: Runner) -> None:
    at_work = scene("sealed export over")
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), root=computer.home).steps
    flush = next(at for at, step in enumerate(steps, 1) if (step.kind, step.path) == ("fsync", "out/.all.mana.part"))
    beginnings: set[bytes] = set()
    secrets: set[str] = set()
    for _ in range(3):
        computer = at_work.begin()
        run(computer, *at_work.arguments(computer), trouble=Trouble(Mode.KILL_BEFORE, flush), root=computer.home)
        beginnings.add(sealed_beginning(computer.archive.with_name(".all.mana.part")))
        secrets.update(salt_and_iv(computer.archive.with_name(".all.mana.part")))
    run(computer, *at_work.arguments(computer), root=computer.home)
    beginnings.add(sealed_beginning(computer.archive))
    secrets.update(salt_and_iv(computer.archive))
    # The body begins with the same bytes each time, so that an equal key stream would show.
    assert (len(beginnings), len(secrets)) == (4, 8)


def sealed_beginning(path: Path) -> bytes:
    """The first bytes of an archive's sealed body: a local header, encrypted."""
    with zipfile.ZipFile(path) as container, container.open("data.sealed") as body:
        return body.read(30)


def salt_and_iv(path: Path) -> tuple[str, str]:
    """As an archive states them."""
    with zipfile.ZipFile(path) as container:
        stated = json.loads(container.read("manifest.json"))["passphrase"]
    return stated["kdfSaltBase64"], stated["ivBase64"]


def test_L1_no_ciphertext_of_a_killed_rekey_comes_again(scene: Studio, run: Runner) -> None:
    at_work = scene("rekey over")
    computer = at_work.begin()
    steps = run(computer, *at_work.arguments(computer), root=computer.home).steps
    flush = next(at for at, step in enumerate(steps, 1) if (step.kind, step.path) == ("fsync", "out/.all.mana.part"))
    computer = at_work.begin()
    run(computer, *at_work.arguments(computer), trouble=Trouble(Mode.KILL_BEFORE, flush), root=computer.home)
    killed = ciphertexts(computer.archive.with_name(".all.mana.part"))
    run(computer, *at_work.arguments(computer), root=computer.home)
    assert killed
    assert not killed & ciphertexts(computer.archive)


def ciphertexts(path: Path) -> set[bytes]:
    """The IVs of all encrypted fields in an archive, in base64."""
    with zipfile.ZipFile(path) as container:
        return {
            iv for name in container.namelist() for iv in re.findall(rb"enc:1:([\w+/=]{16})\.", container.read(name))
        }


@pytest.mark.parametrize("name", ["export over", "login over"])
def test_L1_without_a_compiler_pythons_own_steps_are_numbered(name: str, scene: Studio, tmp_path: Path) -> None:
    at_work = scene(name)
    with Runner(None, tmp_path) as alone:
        computer = at_work.begin()
        steps = alone(computer, *at_work.arguments(computer), root=computer.home).steps
        kinds = [step.kind for step in steps if step.path.endswith((".part", "all.mana", "session.json"))]
        assert kinds[:3] == ["create", "fsync", "rename"]
        for number in range(1, len(steps) + 1):
            trouble = Trouble(Mode.KILL_BEFORE, number)
            with telling(trouble, steps[number - 1]):
                survive(at_work, alone, trouble)
