"""A process that has the whole program in memory, and forks one that runs a command at each line of its input.

Called as ``python -m tests.crash.warm [LIBRARY]``, LIBRARY being the preloaded ``steps.c``; without it Python's own
steps are numbered. A line is a JSON object: ``argv``, ``environ``, ``out`` and ``err`` (files), ``arm`` (the arguments
of ``steps_arm``), ``after`` and ``signal`` (when to send which, if it still runs). The answer is the exit code.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import HasFileno

# isort: off
from tests.support.warm import end_with, load
from manabackup import cli
from manabackup.cli import endings
# isort: on

OFF, COUNT, KILL_BEFORE, KILL_AFTER, FAIL_ONCE, FAIL_ON, SIGNAL = range(7)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PythonSteps:
    """Numbers what Python itself does, for where no compiler is: names, and flushing to the disk; no writes.

    Before a step only: ``KILL_AFTER`` is as ``KILL_BEFORE``.
    """

    GROWS = frozenset({"create", "link", "mkdir"})

    def __init__(self) -> None:
        self._mode = OFF
        self._busy = False
        sys.addaudithook(self._hook)
        flush = os.fsync

        def fsync(fd: int | HasFileno) -> None:
            descriptor = fd if isinstance(fd, int) else fd.fileno()
            link = Path(f"/proc/self/fd/{descriptor}")
            self._step("fsync", link.readlink() if link.exists() else None)
            flush(descriptor)

        os.fsync = fsync

    def arm(self, root: str, mode: int, at: int, number: int, options: int, trace: str) -> None:
        """As ``steps_arm``."""
        self._root, self._at, self._number = f"{root}/", at, number
        self._count = 0
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._mode = mode

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._mode == OFF or self._busy:
            return
        if event == "open":
            path, _, flags = arguments
            if flags & (os.O_CREAT | os.O_TRUNC):
                self._step("create", path)
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod"):
            self._step({"os.remove": "unlink"}.get(event, event.removeprefix("os.")), arguments[0])
        elif event in ("os.rename", "os.link"):
            self._step(event.removeprefix("os."), arguments[1])

    def _step(self, kind: str, path: Any) -> None:
        if self._mode == OFF or not isinstance(path, (str, os.PathLike)):
            return
        name = os.fspath(path)
        if not name.startswith(self._root):
            return
        self._busy = True
        try:
            self._count += 1
            os.write(self._trace, f"{kind}\t{name.removeprefix(self._root)}\n".encode("utf-8", "surrogateescape"))
        finally:
            self._busy = False
        if self._mode == FAIL_ON:
            if self._count >= self._at and (self._number == errno.EIO or kind in self.GROWS):
                raise OSError(self._number, os.strerror(self._number), name)
        elif self._count == self._at:
            if self._mode in (KILL_BEFORE, KILL_AFTER):
                os.kill(os.getpid(), signal.SIGKILL)
            elif self._mode == FAIL_ONCE:
                raise OSError(self._number, os.strerror(self._number), name)


def arming(library: str | None) -> Callable[..., None]:
    """What arms the hook in a child."""
    if library is None:
        return PythonSteps().arm
    preloaded = ctypes.CDLL(library)

    def arm(root: str, mode: int, at: int, number: int, options: int, trace: str) -> None:
        preloaded.steps_arm(os.fsencode(root), mode, ctypes.c_long(at), number, options, os.fsencode(trace))

    return arm


def ended(child: int, order: dict[str, Any]) -> int:
    """The exit code of a child, as ``subprocess`` tells it."""
    if order["after"] is not None:
        descriptor = os.pidfd_open(child)
        if not select.select([descriptor], [], [], order["after"])[0]:
            signal.pidfd_send_signal(descriptor, order["signal"])
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def become(order: dict[str, Any]) -> None:
    """Makes a fresh child as if it had been started from a shell."""
    os.setsid()  # no terminal to ask at
    for path, descriptor, flags in (
        (os.devnull, 0, os.O_RDONLY),
        (order["out"], 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (order["err"], 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = ["manabackup", *order["argv"]]


def serve(library: str | None) -> dict[str, Any]:
    """Answers orders until the input ends. Returns in each child, with what it is to do."""
    arm = arming(library)
    load()
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    for line in orders:
        order: dict[str, Any] = json.loads(line)
        # No signal comes before the program is there to take it.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        child = os.fork()
        if child == 0:
            orders.close()
            answers.close()
            become(order)
            arm(*order["arm"])
            return order
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        answers.write(b"%d\n" % ended(child, order))
    sys.exit(0)


def run() -> int:
    """The program."""
    # In real processes it listens from its first lines on, and so it does here when signals are let through.
    endings.end_at_once()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return cli.main()


if __name__ == "__main__":
    order = serve(sys.argv[1] if len(sys.argv) > 1 else None)
    code = run()
    if order["after"] is None and order["arm"][1] != SIGNAL:  # a signal may come while Python tidies up
        end_with(code)
    sys.exit(code)
