"""Processes that do orders one after the other: workers, as whoever hands out the orders sees them.

How they do it is in :mod:`.orders`. Orders and results are JSON, a line each.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from ..text import jsontext
from .interrupts import uninterrupted
from .orders import MICRO, PART, Work, begin

QUEUED: Final = 2
"""Orders that a worker is given before it has done the first, so that it never waits for its parent."""
_IN_PEACE: Final = 2.0
_MOMENT: Final = 0.002
"""Seconds that a worker without orders has to end, and between two looks at it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of an order."""

    number: int
    result: Any = None
    died: str | None = None
    """In words, where there is no result: what ended its process."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of its process, and of those that it waited for."""
    peak: int = 0
    """Bytes of memory that its process had at most."""
    begun: bool = True
    """Whether it was begun at all."""


class Worker:
    """A worker as its parent sees it. Of one thread."""

    def __init__(self, process: int, orders: int, replies: int, started: subprocess.Popen[bytes] | None = None) -> None:
        self.process = process
        self.replies = replies
        """A descriptor that can be read when there is something to :meth:`receive`."""
        self._orders = orders
        self._started = started
        self._given: deque[int] = deque()
        self._child = 0
        self._read = b""
        self._is_open = True
        os.set_blocking(replies, False)

    @classmethod
    def forked(cls, work: Work, *, memory: int | None = None) -> Worker:
        """One that has what this process has. ``memory``: bytes of addresses that each order may use.

        Only while this process has one thread. Raises :class:`OSError`.
        """
        orders_in, orders_out = os.pipe()
        replies_in, replies_out = os.pipe()
        try:
            with uninterrupted():
                process = os.fork()
                if not process:
                    begin(work, orders_in, replies_out, memory)
        except OSError:
            for descriptor in (orders_in, orders_out, replies_in, replies_out):
                os.close(descriptor)
            raise
        os.close(orders_in)
        os.close(replies_out)
        return cls(process, orders_out, replies_in)

    @classmethod
    def started(cls, command: Sequence[str]) -> Worker:
        """A program that calls :func:`.orders.serve_standard_streams`. Raises :class:`OSError`."""
        process = subprocess.Popen(  # noqa: S603 # this program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        return cls(process.pid, process.stdin.fileno(), process.stdout.fileno(), process)

    @property
    def load(self) -> int:
        """Orders that it was given and has not done."""
        return len(self._given)

    def give(self, number: int, order: Any, deadline: float | None = None) -> None:
        """Hands an order over; ``deadline``: seconds after which its process is ended."""
        self._given.append(number)
        line = jsontext.dumps({"number": number, "order": order, "deadline": deadline}) + b"\n"
        with suppress(BrokenPipeError):  # which :meth:`receive` tells
            while line:
                line = line[os.write(self._orders, line) :]

    def receive(self) -> tuple[list[Reply], bool]:
        """What has come meanwhile, and whether the worker is still there.

        Of a worker that is gone, the orders that it had are told as not done.
        """
        alive = True
        try:
            while part := os.read(self.replies, PART):
                self._read += part
            alive = False
        except BlockingIOError:
            pass
        *lines, self._read = self._read.split(b"\n")
        found = [reply for line in lines if (reply := self._take(jsontext.parse(line))) is not None]
        if not alive:
            died = "the process that did it is gone"
            begun = bool(self._child)
            while self._given:
                found.append(Reply(self._given.popleft(), died=died, begun=begun))
                begun = False
        return found, alive

    def end(self) -> None:
        """Ends it and what it does, and waits for that. One that does nothing ends by itself, and counts its time."""
        with uninterrupted():
            if not self._given and self._ended_by_itself():
                return
            for group in (self.process, self._child):
                if group:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(group, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            self._close()
            if self._started is not None:
                self._started.wait()
            else:
                with suppress(ChildProcessError):
                    os.waitpid(self.process, 0)
            self._close_replies()

    def _ended_by_itself(self) -> bool:
        """Whether it has, now that it gets no more orders, after a moment."""
        self._close()
        until = time.monotonic() + _IN_PEACE
        while time.monotonic() < until:
            if self._started is not None:
                ended = self._started.poll() is not None
            else:
                try:
                    ended = os.waitpid(self.process, os.WNOHANG)[0] != 0
                except ChildProcessError:
                    ended = True
            if ended:
                self._close_replies()
                return True
            time.sleep(_MOMENT)
        return False

    def _close_replies(self) -> None:
        if self._started is not None and self._started.stdout is not None:
            self._started.stdout.close()
        else:
            os.close(self.replies)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            if self._started is not None and self._started.stdin is not None:
                self._started.stdin.close()
            else:
                os.close(self._orders)

    def _take(self, told: dict[str, Any]) -> Reply | None:
        if "process" in told:
            self._child = told["process"]
            return None
        self._given.popleft()
        for name in ("seconds", "cpu"):
            told[name] = told.get(name, 0) / MICRO
        return Reply(**told)
