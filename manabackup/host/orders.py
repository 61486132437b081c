"""The life of a worker: it does orders one after the other, in children that last for a few of them.

A worker has the program in memory; a child that it forks begins where others are after a second of imports. What ends
a child (a crash, the system short of memory, an order's deadline) ends the one order that it is at, and the next child
goes on. After three seconds of CPU, or a large order, it gives way by itself, and what it held goes back to the system.
What the first order had to import, the worker imports as well, so that later children find it.

A worker that loses its parent ends, and its child with it, however the parent ended. Orders and results are JSON, a
line each.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from ..text import jsontext
from .processes import close_all_but

Work = Callable[[Any], Any]
"""From an order to its result, both of what JSON can hold."""

_NOT_TO_FORK: Final = frozenset({"numpy", "pyarrow"})
"""They start threads when they are imported: each child does that for itself."""
_FIRST_KILLED: Final = b"1000"
"""What Linux' OOM killer is told of an order's process."""
_LIFE: Final = 3_000_000
"""Microseconds of CPU after which a child gives way: a fork costs 25,000, with all that is touched anew."""
_LARGE: Final = 256 << 20
"""Bytes of memory after which a child gives way to another one."""
_UNIT: Final = 1 if sys.platform == "darwin" else 1_024
"""Bytes that ``ru_maxrss`` counts."""
PART: Final = 1 << 16
"""Bytes that are read from a pipe at once."""
MICRO: Final = 1_000_000
"""Times are told in microseconds: JSON keeps whole numbers as they are."""


def serve(work: Work, orders: int, replies: int, *, memory: int | None = None) -> None:
    """The life of a worker: until nobody gives orders any more."""
    gc.collect()
    gc.freeze()  # what children share with it they are not to touch
    child: _Child | None = None
    try:
        with os.fdopen(orders, "rb", buffering=PART) as lines:
            for line in lines:
                told = jsontext.parse(line)
                reply = None
                while reply is None:
                    if child is None:
                        try:
                            child = _Child(work, lines.fileno(), memory)
                        except OSError as error:
                            reply = {"died": f"no process could be started: {error.strerror}"}
                            break
                        _tell_process(replies, child.process)
                    reply = child.do(told)
                    if child.is_spent:
                        child.end()
                        _tell_process(replies, 0)
                        wanted, child = child.imported, None
                        _import(wanted)
                _write(replies, jsontext.dumps({**reply, "number": told["number"]}) + b"\n")
    except (EOFError, BrokenPipeError):
        pass  # nobody waits for what is done here
    finally:
        if child is not None:
            child.kill()


def serve_standard_streams(work: Work, *, memory: int | None = None) -> None:
    """The same of a program of its own, whose orders come by the standard input. What it starts finds nothing there."""
    orders, replies = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    serve(work, orders, replies, memory=memory)


def begin(work: Work, orders: int, replies: int, memory: int | None) -> NoReturn:
    """A fork becomes a worker: nothing of the parent's is written or ended by it."""
    try:
        os.setsid()  # the terminal's signals are the parent's; nobody is asked anything here
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(nowhere, descriptor)
        close_all_but(orders, replies)
        serve(work, orders, replies, memory=memory)
    finally:
        os._exit(0)


class _Child:
    """A process that does some orders, one after the other, as its worker sees it."""

    def __init__(self, work: Work, orders: int, memory: int | None) -> None:
        theirs_in, self._orders = os.pipe()
        self._results, theirs_out = os.pipe()
        self._given_up = orders
        try:
            self.process = os.fork()
        except OSError:
            for descriptor in (theirs_in, self._orders, self._results, theirs_out):
                os.close(descriptor)
            raise
        if not self.process:
            _be_child(work, theirs_in, theirs_out, memory)
        os.close(theirs_in)
        os.close(theirs_out)
        with suppress(OSError):
            os.setpgid(self.process, self.process)
        self._done = 0
        self._worked = 0
        self._lost = False
        self.imported: list[str] = []
        self._peak = 0

    @property
    def is_spent(self) -> bool:
        """Whether another one is to do the next order."""
        first = self._done == 1 and bool(self.imported)  # the next ones are to find what it had to import
        return self._lost or first or self._worked >= _LIFE or self._peak > _LARGE

    def do(self, told: dict[str, Any]) -> dict[str, Any] | None:
        """One order, and what is to be told of it. None where the process had ended before that."""
        begun = time.monotonic()
        try:
            _write(self._orders, jsontext.dumps(told["order"]) + b"\n")
        except BrokenPipeError:
            self._lost = True
            return None
        until = None if told["deadline"] is None else begun + told["deadline"]
        content, in_time = self._line(until)
        if in_time and content.endswith(b"\n"):
            found = jsontext.parse(content)
            self._done += 1
            self.imported += found["imported"]
            self._peak = found["peak"]
            self._worked += found["cpu"]
            return {
                "seconds": _micros(time.monotonic() - begun),
                "cpu": found["cpu"],
                "peak": self._peak,
                "result": found["result"],
            }
        self._lost = True
        took = {"seconds": _micros(time.monotonic() - begun)}
        if not in_time:
            return {**took, "died": f"it was not done after {int(told['deadline']):,} seconds"}
        return {**took, "died": self._ending()}

    def end(self) -> None:
        """When it is spent."""
        os.close(self._orders)
        os.close(self._results)
        if self._lost:
            self.kill()
        else:
            os.waitpid(self.process, 0)

    def kill(self) -> None:
        """Ends it, and what it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.process, 0)

    def _ending(self) -> str:
        _, status = os.waitpid(self.process, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"its process was ended by {signal.Signals(-code).name}" if code < 0 else "its process ended unasked"

    def _line(self, until: float | None) -> tuple[bytes, bool]:
        """A result, as far as it came, and whether it came in time.

        Raises :class:`EOFError` where nobody waits for it any more.
        """
        poll = select.poll()
        poll.register(self._results, select.POLLIN)
        poll.register(self._given_up, 0)  # hang-ups alone
        content = b""
        while not content.endswith(b"\n"):
            left = None if until is None else max(0.0, until - time.monotonic()) * 1_000
            events = poll.poll(left)
            if not events:
                return content, False
            if any(found == self._given_up for found, _ in events):
                raise EOFError
            part = os.read(self._results, PART)
            if not part:
                break
            content += part
        return content, True


def _be_child(work: Work, orders: int, results: int, memory: int | None) -> NoReturn:
    try:
        os.setpgid(0, 0)
        close_all_but(orders, results)  # a worker's end is seen by its pipes closing
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, resource.RLIM_INFINITY))
        with suppress(OSError):  # elsewhere than on Linux
            descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
            os.write(descriptor, _FIRST_KILLED)
            os.close(descriptor)
        with os.fdopen(orders, "rb", buffering=PART) as lines:
            for line in lines:
                before, cpu = set(sys.modules), _cpu()
                told = {"result": work(jsontext.parse(line)), "imported": sorted(set(sys.modules) - before)}
                told |= {
                    "cpu": _micros(_cpu() - cpu),
                    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT,
                }
                _write(results, jsontext.dumps(told) + b"\n")
    finally:
        os._exit(0)


def _tell_process(replies: int, process: int) -> None:
    """Who does the orders from now on; 0: nobody yet."""
    _write(replies, jsontext.dumps({"process": process}) + b"\n")


def _cpu() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _import(names: Sequence[str]) -> None:
    if any(name in _NOT_TO_FORK for name in names):
        return  # others of them may import it
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _micros(seconds: float) -> int:
    return round(seconds * MICRO)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
