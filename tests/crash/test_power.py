"""Loss of power: what was not flushed to the disk may be gone, and what was done after it may be there.

No test can cut the power. These hold the order of steps against what must be on the disk before what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from .conftest import Studio
from .steps import Ended, Runner, Step

OUTPUTS = {
    "out/all.mana": ("export", "sealed export over", "seal", "unseal over", "rekey over", "convert over"),
    "state/profiles/default/session.json": ("login", "login over"),
}


@pytest.fixture(autouse=True)
def needs_every_step(run: Runner) -> None:
    """Python's own steps are without writes."""
    if not run.complete:
        pytest.skip("writes cannot be numbered without a compiler")


def ended(name: str, scene: Studio, run: Runner) -> Ended:
    at_work = scene(name)
    computer = at_work.begin()
    done = run(computer, *at_work.arguments(computer), root=computer.home)
    assert done.code in at_work.codes
    return done


def unflushed(steps: Sequence[Step], ending: str) -> Iterator[bool]:
    """After each step, whether a file of such a name holds what is not flushed."""
    pending = False
    for step in steps:
        if step.path.endswith(ending):
            if step.kind in ("write", "truncate"):
                pending = True
            elif step.kind in ("fsync", "unlink"):
                pending = False
        yield pending


@pytest.mark.parametrize(("output", "name"), [(output, name) for output, names in OUTPUTS.items() for name in names])
def test_L1_an_output_has_its_name_only_when_all_of_it_is_on_the_disk_and_then_the_name_is_too(
    output: str, name: str, scene: Studio, run: Runner
) -> None:
    steps = ended(name, scene, run).steps
    folder, _, file = output.rpartition("/")
    pending = [False, *unflushed(steps, f".{file}.part")]
    (named,) = [number for number, step in enumerate(steps) if step.kind in ("link", "rename") and step.path == output]
    assert any(step.kind == "write" and step.path.endswith(".part") for step in steps[:named])
    assert not pending[named]
    assert not any(step.kind == "write" and step.path.endswith(f".{file}.part") for step in steps[named:])
    assert Step("fsync", folder) in steps[named:]


def test_L1_nothing_is_sent_to_the_account_before_the_outbox_is_on_the_disk(scene: Studio, run: Runner) -> None:
    done = ended("restore", scene, run)
    pending = [False, *unflushed(done.steps, "/outbox.sqlite-wal")]
    assert any(pending)
    assert len(done.sends) > 5
    assert not any(pending[number] for number in done.sends)


@pytest.mark.parametrize("name", ["first pull", "later pull", "full pull"])
def test_L1_the_mirror_itself_is_written_only_when_its_log_is_on_the_disk(
    name: str, scene: Studio, run: Runner
) -> None:
    steps = ended(name, scene, run).steps
    pending = [False, *unflushed(steps, ".sqlite-wal")]
    assert any(pending)
    written = [
        number
        for number, step in enumerate(steps)
        if step.kind == "write" and step.path.endswith(".sqlite") and number > pending.index(True)
    ]
    assert written
    assert not any(pending[number] for number in written)


@pytest.mark.parametrize("name", ["first pull", "later pull"])
def test_L1_when_a_pull_says_that_it_is_done_what_it_pulled_is_on_the_disk(
    name: str, scene: Studio, run: Runner
) -> None:
    steps = ended(name, scene, run).steps
    for ending in (".sqlite-wal", ".sqlite"):
        assert not list(unflushed(steps, ending))[-1]


def test_L1_a_folder_has_its_name_only_when_all_its_files_are_on_the_disk_and_then_the_name_is_too(
    scene: Studio, run: Runner
) -> None:
    steps = ended("tables over", scene, run).steps
    (named,) = [number for number, step in enumerate(steps) if (step.kind, step.path) == ("exchange", "out/tables")]
    written = {step.path for step in steps if step.kind == "write" and step.path.startswith("out/")}
    assert {path.rpartition("/")[2] for path in written} == {"README.txt", "notes.csv", "tasks.csv"}
    for path in written:
        last = max(number for number, step in enumerate(steps) if (step.kind, step.path) == ("write", path))
        assert last < steps.index(Step("fsync", path)) < named
    assert Step("fsync", "out") in steps[named:]


@pytest.mark.parametrize("form", ["csv", "sqlite"])
def test_L6_of_a_sealed_archive_that_is_converted_nothing_is_written_but_the_output(
    form: str, scene: Studio, run: Runner
) -> None:
    computer = scene("tables").begin()
    archive, output = str(computer.home / "in" / "s.mana"), str(computer.home / "out" / "converted")
    done = run(computer, "convert", archive, "--to", form, "-o", output, "--tz", "UTC", root=computer.home)
    assert done.code in (0, 3), done.err
    written = {step.path for step in done.steps if step.kind in ("write", "map")}
    assert written
    # What has no name is a spool, and encrypted.
    assert all(
        path.startswith(("out/.converted.part", "out/.converted.folder.part")) or path.endswith(" (deleted)")
        for path in written
    ), written
