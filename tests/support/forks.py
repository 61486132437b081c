"""Commands as forks of one process for each test worker (``warm``), which spares them starting and importing."""

from __future__ import annotations

import atexit
import functools
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.support.patience import PATIENCE

from .warm import LENGTH

_ROOT = Path(__file__).parents[2]
_READ = ("PYTHON", "LC_", "LANG", "TZ")
"""How variables begin that Python reads before the program does."""


def can_fork(program: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether it makes no difference to the program how it was started."""
    here = {name: value for name, value in os.environ.items() if name.startswith(_READ)}
    there = {name: value for name, value in environ.items() if name.startswith(_READ)}
    there.pop("PYTHON_KEYRING_BACKEND", None)  # read when a keyring is asked for
    here.pop("PYTHON_KEYRING_BACKEND", None)
    return program[0] == sys.executable and program[1] != "-c" and here == there


@dataclass(frozen=True)
class Fork:
    """A command that runs."""

    pid: int
    _report: int

    def wait(self, timeout: float) -> int:
        """The exit code, as ``subprocess`` has it. Raises :class:`subprocess.TimeoutExpired`, the command killed."""
        code = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._report, selectors.EVENT_READ)
            end = monotonic() + timeout
            while not code:
                if not selector.select(max(0.0, end - monotonic())):
                    os.kill(self.pid, 9)
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
                code = os.read(self._report, 16)
        os.close(self._report)
        return int(code)


def start(
    program: Sequence[str],
    environ: Mapping[str, str],
    descriptors: tuple[int, int, int],
    *,
    terminal: bool = False,
) -> Fork:
    """Runs ``program``, which begins with Python's own name, with its three standard descriptors.

    ``terminal``: the first one is a terminal, and the command's controlling one.
    """
    ours, theirs = os.pipe()
    order = {"run": program[1:], "environ": dict(environ), "folder": str(Path.cwd()), "terminal": terminal}
    body = json.dumps(order).encode()
    orders, lock = _warm()
    with lock:
        socket.send_fds(orders, [len(body).to_bytes(LENGTH, "big")], [*descriptors, theirs])
        orders.sendall(body)
    os.close(theirs)
    pid = b""
    while not pid.endswith(b"\n"):
        pid += os.read(ours, 1)
    return Fork(int(pid), ours)


def run(program: Sequence[str], environ: Mapping[str, str], stdin: bytes, timeout: float) -> tuple[int, bytes, bytes]:
    """Exit code, output and messages of a command that gets ``stdin`` through a pipe."""
    pipes = [os.pipe() for _ in range(3)]
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = pipes
    fork = start(program, environ, (in_read, out_write, err_write))
    for descriptor in (in_read, out_write, err_write):
        os.close(descriptor)
    feeder = threading.Thread(target=_feed, args=(in_write, stdin))
    feeder.start()
    read = {out_read: bytearray(), err_read: bytearray()}
    end = monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for descriptor in read:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, end - monotonic()))
            if not ready:
                break
            for key, _ in ready:
                part = os.read(key.fd, 65_536)
                read[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
    for descriptor in read:
        os.close(descriptor)
    code = fork.wait(max(0.0, end - monotonic()))
    feeder.join()
    return code, bytes(read[out_read]), bytes(read[err_read])


def _feed(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb", buffering=0) as pipe, suppress(BrokenPipeError):  # the command may have had enough
        pipe.write(data)


@functools.cache
def _warm() -> tuple[socket.socket, threading.Lock]:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MANABACKUP_")}
    process = subprocess.Popen(
        command, cwd=_ROOT, env=environ, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(PATIENCE)

    atexit.register(end)
    return ours, threading.Lock()
