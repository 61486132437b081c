"""Runs that are ended from outside, at chosen moments and at any: nothing half-written, and the next one goes on.

``MANABACKUP_KILL_ROUNDS`` (2) says how often each signal comes at a random moment.
"""

from __future__ import annotations

import os
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from manabackup.text import jsontext
from tests.support.homes import Computer, Owner, filled, manifest_of, move_in, rows_of
from tests.support.line import Line
from tests.support.patience import PATIENCE

ROUNDS = int(os.environ.get("MANABACKUP_KILL_ROUNDS", "2"))
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
INTERRUPTED = 130


@pytest.fixture(scope="module")
def owner(box: Sandbox) -> Owner:
    """An account whose export takes a while."""
    return move_in(box, Plan(seed=5, rows=250, row_bytes=15_000))


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Waits for a moment of a process' life; whether it came before the process ended."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        if process.poll() is not None:
            return False
    return True


def _ended(process: subprocess.Popen[str], number: signal.Signals) -> int:
    """The exit code after a signal, 0 if that came when all was done; checks what was said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    if out:
        assert jsontext.parse(out)["archive"]
        return 0
    if process.returncode == INTERRUPTED:
        assert err == "error: interrupted\n"
    else:
        assert process.returncode == -signal.SIGKILL
    assert (process.returncode == -signal.SIGKILL) <= (number == signal.SIGKILL)
    return process.returncode


def _leftovers(computer: Computer) -> set[str]:
    """Files that no finished run has."""
    known = {"lock", "session.json", "last-backup.json", ".last-backup.json.part", computer.archive.name}
    names = {path.name for path in computer.files()} - known
    return {name for name in names if not name.endswith((".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite.sums"))}


@pytest.mark.parametrize("number", SIGNALS)
def test_L1_L4_a_pull_that_is_ended_goes_on_where_it_stopped(
    here: Computer, owner: Owner, box: Sandbox, line: Line, number: signal.Signals
) -> None:
    with line.holding("/sync/notes") as held:
        process = here.start("pull", "--json")
        held.wait()
        seen = len(line.asked)
        # The other readers go on until theirs is the only request left.
        assert _until(lambda: len(line.asked) > seen + 5, process)
        code = _ended(process, number)
    assert code == (INTERRUPTED if number != signal.SIGKILL else -signal.SIGKILL)
    assert not _leftovers(here)
    done = here("pull", "--json")
    assert (done.code, done.record["held"]) == (0, owner.truth.changes)
    assert 0 < done.record["new"] < owner.truth.changes
    assert here.export("--offline").code == 0
    assert filled(rows_of(here.archive)) == owner.live


@pytest.mark.parametrize("number", SIGNALS)
def test_L1_L4_an_export_that_is_ended_while_it_writes_leaves_the_old_output(
    stocked: Computer, pulled: Computer, number: signal.Signals
) -> None:
    stocked.archive.parent.mkdir()
    part = stocked.archive.with_name(".all.mana.part")
    for _ in range(20):  # it may be through with its writing before anybody looks
        stocked.archive.write_text("precious")
        process = stocked.start("export", "--offline", "--force", "--seal", "-o", str(stocked.archive), "--json")
        if _until(part.exists, process):
            break
        process.communicate()
    code = _ended(process, number)
    assert stocked.archive.read_text() == "precious"
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
        assert _leftovers(stocked) == {part.name}
    else:
        assert code == INTERRUPTED
        assert not _leftovers(stocked)
    done = stocked.export("--offline", "--force", "--seal")
    assert done.record["dataSha256"] == manifest_of(pulled.archive)["dataSha256"]
    assert not _leftovers(stocked)


@pytest.mark.parametrize("command", ["seal", "unseal"])
def test_L1_L4_a_seal_that_is_ended_while_it_writes_leaves_the_old_output(
    stocked: Computer, pulled: Computer, tmp_path: Path, command: str
) -> None:
    source, part = pulled.archive, stocked.archive.with_name(".all.mana.part")
    if command == "unseal":
        source = tmp_path / "sealed.mana"
        assert stocked("seal", str(pulled.archive), "-o", str(source)).code == 0
    stocked.archive.parent.mkdir()
    for number in SIGNALS:
        stocked.archive.write_text("precious")
        process = stocked.start(command, str(source), "-o", str(stocked.archive), "--force", "--json")
        assert _until(part.exists, process)
        assert _ended(process, number) != 0
        assert stocked.archive.read_text() == "precious"
        assert part.exists() == (number == signal.SIGKILL)
    assert stocked(command, str(source), "-o", str(stocked.archive), "--force").code == 0
    assert not part.exists()
    assert stocked("verify", str(stocked.archive)).code == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_L1_L4_a_run_that_is_ended_at_any_moment_leaves_an_old_output_or_a_new_one_and_no_half(
    here: Computer, pulled: Computer, owner: Owner, line: Line, number: signal.Signals
) -> None:
    seed = random.randrange(2**32)
    print(f"Random({seed})")  # shown when the test fails
    moments = random.Random(seed)
    here.archive.parent.mkdir()
    old = pulled.archive.read_bytes()
    here.archive.write_bytes(old)
    export = ["export", "-o", str(here.archive), "--force", "--json"]
    longest = 3.0
    for _ in range(ROUNDS):
        seen = len(line.asked)
        process = here.start(*export)
        assert _until(lambda before=seen: len(line.asked) > before, process)  # type: ignore[misc]
        began = time.monotonic()
        try:
            process.wait(moments.random() * longest)
        except subprocess.TimeoutExpired:
            code = _ended(process, number)
        else:
            longest = time.monotonic() - began
            code = process.returncode
            process.communicate()
        if code == INTERRUPTED or number == signal.SIGKILL:
            assert _leftovers(here) <= ({".all.mana.part"} if number == signal.SIGKILL else set())
        else:
            assert code == 0
        if here.archive.read_bytes() != old:
            assert here("verify", str(here.archive)).code == 0
            here.archive.write_bytes(old)
        if moments.random() < 0.5:
            shutil.rmtree(here.state / "mirrors", ignore_errors=True)  # there is none after an early end
    assert here(*export).code == 0
    assert filled(rows_of(here.archive)) == owner.live
    assert not _leftovers(here)


def test_L4_an_interrupt_while_a_passphrase_is_asked_for_leaves_the_terminal_as_it_was(
    stocked: Computer, tmp_path: Path
) -> None:
    del stocked.environ["MANABACKUP_PASSPHRASE"]
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    start = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    archive = tmp_path / "a.mana"
    process = subprocess.Popen(
        [sys.executable, "-c", start, *stocked.program, "export", "--offline", "--seal", "-o", str(archive)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=stocked.environ,
    )
    try:
        shown = _shown(ours, b"passphrase: ")
        os.write(ours, b"secret\x03")  # Ctrl-C, as the terminal itself understands it
        shown += _shown(ours, b"interrupted\r\n")
        assert process.wait(PATIENCE) == INTERRUPTED
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
    assert b"secret" not in shown
    assert b"Traceback" not in shown
    assert not archive.exists()


def _shown(terminal: int, end: bytes) -> bytes:
    """What appears on a terminal until ``end``."""
    shown = b""
    while not shown.endswith(end):
        assert select.select([terminal], [], [], PATIENCE)[0], shown
        shown += os.read(terminal, 1024)
    return shown
