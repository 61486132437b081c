"""``restore`` as a process of its own, through death and other interruptions."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.homes import Computer, Newcomer, assert_refused, fill
from tests.support.line import Line, Spoiled
from tests.support.patience import PATIENCE
from tests.support.schemas import check

from .restores import KEY, export_of, held, newcomer_at, restored

ROUNDS = int(os.environ.get("MANABACKUP_KILL_ROUNDS", "3"))
COUNT = 300


@pytest.fixture(scope="module")
def much(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of rows that a target will hold differently."""
    source = newcomer_at(box, KEY)
    fill(box, source.id, range(COUNT), "mine")
    return export_of(source, box, tmp_path_factory.mktemp("much"))


@pytest.fixture
def crowded(box: Sandbox, other: Newcomer, there: Computer) -> Computer:
    """The target's computer; half of what will be restored must replace something."""
    fill(box, other.id, range(COUNT), "theirs")
    return there


def operations(box: Sandbox, user: str) -> Counter[str]:
    """What was done to rows → rows."""
    done: dict[str, list[str]] = {}
    for row in box.log.pull("todo", "tasks", Asked(user, frozenset(), "?", -1, 10**6)):
        change = jsontext.parse(row.wire())
        done.setdefault(change["id"], []).append(change["op"])
    return Counter(" ".join(found) for found in done.values())


def assert_restored(box: Sandbox, other: Newcomer, computer: Computer) -> None:
    """Every row is replaced once, and shows what was planned."""
    assert operations(box, other.id) == {"insert delete insert update": COUNT}
    assert {values["priority"] for values in held(computer)["tasks"].values()} == {"mine"}


def killed_at_push(computer: Computer, line: Line, archive: Path, *, stored: int | None) -> bool:
    """Runs a restore that is killed while its first push is under way; whether it came to that."""
    process = computer.start("restore", str(archive), "--yes")

    def fault(pushed: Any) -> Spoiled:
        process.send_signal(signal.SIGKILL)
        return Spoiled(stored, None)

    line.push_fault = fault
    process.communicate(timeout=PATIENCE)
    line.push_fault = lambda pushed: None
    return process.returncode == -signal.SIGKILL


def test_L1_a_restore_that_is_killed_at_every_request_completes_in_the_end(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line
) -> None:
    kills = 0
    for stored in (0, 2, None, 1, 198, 100):
        if not killed_at_push(crowded, line, much, stored=stored):
            break
        kills += 1
    assert kills >= 5
    record = restored(crowded, much)
    assert (record["updated"], record["verified"]) == (COUNT, True)
    assert_restored(box, other, crowded)
    assert not list((crowded.state / "restores").iterdir())


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_L1_a_restore_that_is_killed_at_any_moment_completes_in_the_end(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line, round_: int
) -> None:
    chance = random.Random(f"kill {round_}")
    line.push_fault = lambda pushed: Spoiled(chance.choice([0, 1, 50, None]), None) if chance.random() < 0.2 else None
    for _ in range(3):
        process = crowded.start("restore", str(much), "--yes")
        timer = threading.Timer(chance.uniform(0.2, 2.5), process.kill)
        timer.start()
        process.communicate(timeout=PATIENCE)
        timer.cancel()
    line.push_fault = lambda pushed: None
    record = restored(crowded, much)
    assert record["verified"] is True
    assert_restored(box, other, crowded)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("outcome", ["setAside", "overwritten"])
def test_an_edit_that_the_plan_did_not_see_is_named_and_ends_with_3(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line, outcome: str, as_json: bool
) -> None:
    def edit(_: Any = None) -> None:
        line.push_fault = lambda pushed: None
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        change = {"table": "tasks", "id": "r0007", "op": "update", "fields": {"priority": {"value": "EDIT", "at": at}}}
        box.log.append(other.id, "phone", "todo", change)

    if outcome == "setAside":
        assert killed_at_push(crowded, line, much, stored=0)
        edit()
    else:
        line.push_fault = edit  # the rows were looked at by then
    done = crowded("restore", str(much), "--yes", *(["--json"] if as_json else []))
    assert done.code == 3, done.err
    if as_json:
        check("restore", done.record)
        assert done.record["edited"] == [{"table": "tasks", "id": "r0007", "outcome": outcome}]
        assert done.record["overwritten"] == (outcome == "overwritten")
    words = {"setAside": "edited after the plan, and left as it is", "overwritten": "an edit was overwritten"}
    assert f"warning: tasks r0007: {words[outcome]}" in done.err
    priority = held(crowded)["tasks"]["r0007"]["priority"]
    assert priority == ("EDIT" if outcome == "setAside" else "mine")
    if outcome == "setAside":
        assert restored(crowded, much)["updated"] == 1


def test_another_command_does_not_take_over_an_unfinished_restore(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line
) -> None:
    assert killed_at_push(crowded, line, much, stored=4)
    refused = crowded("restore", str(much), "--yes", "--table", "tasks")
    assert_refused(refused, 1, "not finished")
    assert "--no-resume" in refused.err
    record = restored(crowded, much, "--table", "tasks", "--no-resume")
    assert record["verified"] is True
    found = operations(box, other.id)
    assert found["insert delete insert update"] == COUNT


def test_a_dry_run_leaves_an_unfinished_restore_alone(crowded: Computer, much: Path, line: Line) -> None:
    assert killed_at_push(crowded, line, much, stored=4)
    assert crowded("restore", str(much), "--dry-run").code == 0
    assert restored(crowded, much)["updated"] == COUNT


def test_the_outbox_is_for_its_owner_alone(crowded: Computer, much: Path, line: Line) -> None:
    assert killed_at_push(crowded, line, much, stored=0)
    kept = [path for path in (crowded.state / "restores").rglob("*") if path.is_file()]
    assert kept
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_L3_two_restores_do_not_share_a_state_folder(crowded: Computer, much: Path, line: Line) -> None:
    with line.holding("/sync/todo") as hold:
        first = crowded.start("restore", str(much), "--yes")
        hold.wait()
        second = crowded("restore", str(much), "--yes")
        hold.release()
    assert second.code == 11, second.err
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0


def test_L4_an_interrupt_is_no_traceback_and_the_next_run_goes_on(
    crowded: Computer, much: Path, other: Newcomer, box: Sandbox, line: Line
) -> None:
    process: subprocess.Popen[str]
    process = crowded.start("restore", str(much), "--yes")

    def fault(pushed: Any) -> Spoiled:
        process.send_signal(signal.SIGINT)
        return Spoiled(None, None)

    line.push_fault = fault
    _, err = process.communicate(timeout=PATIENCE)
    line.push_fault = lambda pushed: None
    assert process.returncode == 130
    assert "Traceback" not in err
    assert restored(crowded, much)["verified"] is True
    assert_restored(box, other, crowded)
