"""A process that has the whole program in memory, and forks one for each order: a command then costs what it does.

Called as ``python -m tests.support.warm DESCRIPTOR``, the descriptor being one end of a pair of stream sockets. An
order is its length in eight bytes, together with four descriptors (standard input, output, error, and where to tell
how it goes), and then a JSON object: ``run`` (what stands behind ``python``: ``["-m", MODULE, …]`` or ``[FILE, …]``),
``environ``, ``folder`` and ``terminal`` (the standard input is one, and becomes the controlling one). What is told is
the process id, a line feed, and the exit code as ``subprocess`` has it.

Each command is a process of its own in a session of its own, with its own arguments, environment and outputs. What it
is not: started by the operating system. Tests that are about that, or about what Python takes from the environment
before the program begins, have real ones.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys
import termios
from typing import Any

_code: list[int] = []


@atexit.register  # before anybody else, so that it comes last
def end() -> None:
    """When a command is done, its threads have ended and all is tidied up: spares it taking the interpreter apart."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # Python knows what to say of it
    if _code:
        os._exit(_code[0])


def end_with(code: int) -> None:
    """The command's exit code is known."""
    _code.append(code)


import manabackup  # noqa: E402

LAZY = ("concurrent.futures.thread", "httpcore2", "keyring.backends.null", "platformdirs", "shutil", "tomllib")
"""What the program imports inside of functions."""
LENGTH = 8


def load() -> None:
    """Everything that a command may import."""
    for module in pkgutil.walk_packages(manabackup.__path__, "manabackup."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared with the children is not to be touched by them


def next_order(orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """An order and its descriptors; None when there will be no more."""
    head, descriptors, _, _ = socket.recv_fds(orders, LENGTH, 4)
    if not head:
        return None
    body = bytearray()
    while len(body) < int.from_bytes(head, "big"):
        body += orders.recv(65_536)
    return json.loads(body), descriptors


def become(order: dict[str, Any], descriptors: list[int]) -> None:
    """Makes a fresh child as if it had been started from a shell."""
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, max(descriptors) + 1)
    if order["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])


def serve(orders: socket.socket) -> dict[str, Any]:
    """Takes orders to their ends. Returns in each command's process, with what it is to do."""
    waiting: list[int] = []
    while (found := next_order(orders)) is not None:
        order, (*standard, report) = found
        # Somebody waits for the command and tells its end, so that other commands may run meanwhile.
        waiting.append(os.fork())
        if waiting[-1] == 0:
            orders.close()
            command = os.fork()
            if command == 0:
                os.close(report)
                become(order, standard)
                return order
            for descriptor in standard:
                os.close(descriptor)
            os.write(report, b"%d\n" % command)
            os.write(report, b"%d" % os.waitstatus_to_exitcode(os.waitpid(command, 0)[1]))
            os._exit(0)
        for descriptor in (*standard, report):
            os.close(descriptor)
        waiting = [child for child in waiting if os.waitpid(child, os.WNOHANG) == (0, 0)]
    for child in waiting:
        os.waitpid(child, 0)
    sys.exit(0)


def run(what: list[str]) -> None:
    """As Python does with what stands behind its name."""
    if what[0] == "-m":
        sys.argv = what[1:]
        runpy.run_module(what[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = what
        runpy.run_path(what[0], run_name="__main__")


if __name__ == "__main__":
    load()
    try:
        run(serve(socket.socket(fileno=int(sys.argv[1])))["run"])
    except SystemExit as done:
        if type(done.code) is int:
            end_with(done.code)
        raise
