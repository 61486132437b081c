"""Workers: results come back, and nobody is left behind, however somebody ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.host.workers import Reply, Worker
from tests.support.patience import PATIENCE
from tests.support.trial_worker import COMMAND

_PARENT = """
import sys, time
from manabackup.host.workers import Worker
from tests.support.trial_worker import COMMAND
worker = Worker.started(COMMAND)
worker.give(1, [sys.argv[1]])
print(worker.process, flush=True)
time.sleep(3600)
"""


@pytest.fixture
def worker() -> Iterator[Worker]:
    found = Worker.started(COMMAND)
    yield found
    found.end()


def replies(worker: Worker, count: int) -> list[Reply]:
    found: list[Reply] = []
    while len(found) < count:
        assert select.select([worker.replies], [], [], PATIENCE)[0]
        more, alive = worker.receive()
        found += more
        if not alive:
            break
    return found


def is_gone(process: int) -> bool:
    """Whether a process has ended, collected or not."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until_gone(process: int) -> bool:
    until = time.monotonic() + PATIENCE
    while not is_gone(process):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_orders_are_done_in_turn_and_a_death_is_one_order_s(worker: Worker, tmp_path: Path) -> None:
    names = ["a", "kill", "b", "c-code-4"]
    for number, name in enumerate(names):
        worker.give(number, [str(tmp_path / name)])
    found = replies(worker, 4)
    assert [reply.number for reply in found] == [0, 1, 2, 3]
    assert [reply.result and reply.result["exitCode"] for reply in found] == [0, None, 0, 4]
    assert found[1].died is not None
    assert "SIGKILL" in found[1].died
    assert all(reply.peak > 1 << 20 for reply in found if reply.result)


def test_after_its_deadline_an_order_is_ended_and_the_next_one_done(worker: Worker, tmp_path: Path) -> None:
    worker.give(1, [str(tmp_path / "hang")], 1.0)
    worker.give(2, [str(tmp_path / "a")], 60.0)
    first, second = replies(worker, 2)
    assert first.died == "it was not done after 1 seconds"
    assert second.result is not None


def test_a_worker_that_is_killed_tells_by_its_end_what_it_had_begun(worker: Worker, tmp_path: Path) -> None:
    worker.give(1, [str(tmp_path / "hang")])
    worker.give(2, [str(tmp_path / "a")])
    assert select.select([worker.replies], [], [], PATIENCE)[0]
    assert worker.receive() == ([], True)
    os.kill(worker.process, signal.SIGKILL)
    found = replies(worker, 2)
    assert [(reply.number, reply.begun, reply.result) for reply in found] == [(1, True, None), (2, False, None)]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_loses_the_parent_ends(tmp_path: Path, number: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "hang")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    until = time.monotonic() + PATIENCE
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    children = (Path("/proc") / str(worker) / "task" / str(worker) / "children").read_text().split()
    assert len(children) == 1
    parent.send_signal(number)
    parent.wait(PATIENCE)
    parent.stdout.close()
    assert until_gone(worker)
    assert until_gone(int(children[0]))
