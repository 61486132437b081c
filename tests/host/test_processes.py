"""Work on all cores: the results in order, and no process that outlives its use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.errors import LostProcessError
from manabackup.host.processes import InOrder, cores
from tests.support.patience import PATIENCE

# The test runner has threads of its own. None of them holds anything that these processes use.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
PIECES = st.lists(st.binary(max_size=40) | st.integers(0, 3).map(lambda size: b"x" * (size << 20)), max_size=40)


def _done(pool: InOrder[bytes, bytes], pieces: list[bytes]) -> Iterator[bytes]:
    """What a caller does."""
    for piece in pieces:
        if not pool.offer(piece):
            pool.do(piece)
        yield from pool.ready()
    yield from pool.rest()


def _reversed(piece: bytes) -> bytes:
    return piece[::-1] * 2


@settings(max_examples=30, deadline=None)
@given(pieces=PIECES, processes=st.integers(1, 3))
def test_the_results_come_in_the_order_of_the_pieces(pieces: list[bytes], processes: int) -> None:
    with InOrder(_reversed, processes) as pool:
        assert list(_done(pool, pieces)) == [_reversed(piece) for piece in pieces]


def test_what_fails_elsewhere_is_raised_here() -> None:
    def work(piece: bytes) -> bytes:
        return b"%d" % (1 // len(piece))

    with InOrder(work, 2) as pool, pytest.raises(ZeroDivisionError):
        list(_done(pool, [b"x", b"", b"x"]))


def test_all_take_part() -> None:
    seen: set[int] = set()
    with InOrder[bytes, int](lambda _: os.getpid(), 3) as pool:
        while len(seen) < 2:
            assert pool.offer(b"")
            assert pool.offer(b"")
            seen.update(pool.rest())
        pool.do(b"")
        assert list(pool.rest()) == [os.getpid()]
    assert os.getpid() not in seen


def test_where_the_system_gives_no_process_the_caller_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError

    before = _open_files()
    monkeypatch.setattr(os, "fork", fork)
    with InOrder(_reversed, 3) as pool:
        assert pool.alone
        assert list(_done(pool, [b"ab"])) == [b"baba"]
    assert _open_files() == before


def test_nothing_is_left_at_the_end() -> None:
    before = _open_files()
    with InOrder[bytes, int](lambda _: os.getpid(), 3) as pool:
        assert pool.offer(b"")
        (process,) = pool.rest()
        assert pool.offer(b"")  # and is not waited for
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert _open_files() == before


def test_a_process_that_is_killed_is_missed() -> None:
    def work(piece: bytes) -> bytes:
        if piece and os.getpid() != caller:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    caller = os.getpid()
    with InOrder(work, 2) as pool, pytest.raises(LostProcessError):
        list(_done(pool, [b"x" * 3_000_000] * 20))


def test_they_hold_no_file_of_their_parent(tmp_path: Path) -> None:
    with (tmp_path / "held").open("wb"), InOrder[bytes, dict[int, str]](lambda _: _open_files(), 2) as pool:
        assert pool.offer(b"")
        assert str(tmp_path / "held") in _open_files().values()
        (files,) = pool.rest()
    assert {path for number, path in files.items() if number > 2 and not path.startswith("pipe:")} == set()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_their_parent(end: signal.Signals) -> None:
    script = (
        "import os, time\n"
        "from manabackup.host.processes import InOrder\n"
        "with InOrder[bytes, int](lambda _: os.getpid(), 3) as pool:\n"
        "    seen = set()\n"
        "    while len(seen) < 2:\n"
        "        pool.offer(b''), pool.offer(b'')\n"
        "        seen |= set(pool.rest())\n"
        "    print(*seen, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        parent.send_signal(end)
        parent.wait()
    assert len(set(children)) == 2
    _wait_for(lambda: not any(_is_alive(child) for child in children))


def test_beside_threads_and_on_one_core_the_caller_is_alone() -> None:
    script = (
        "import os, threading\n"
        "from manabackup.host.processes import cores\n"
        "alone = cores()\n"
        "ended = threading.Event()\n"
        "thread = threading.Thread(target=ended.wait)\n"
        "thread.start()\n"
        "beside = cores()\n"
        "ended.set(), thread.join()\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(alone, beside, cores())\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.split() == [str(min(4, len(os.sched_getaffinity(0)))), "1", "1"]
    assert cores() >= 1


def _open_files() -> dict[int, str]:
    """Of this process: descriptor → what it is. What is gone again is the look itself."""
    files = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            files[int(link.name)] = str(link.readlink())
    return files


def _is_alive(process: int) -> bool:
    """A process whose parent is gone is a zombie until somebody else has waited for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
