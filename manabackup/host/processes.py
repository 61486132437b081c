"""The same work on many pieces, on all cores: the results come in the order of the pieces.

Threads would not do: what is done to a row is mostly Python. The processes are forked, so that keys and whatever else
the work needs are there without ever having been written anywhere; they hold no file of their own, end when their
parent does, however that ends, and leave signals to it.

Forking is safe only where nothing else runs in the process, and of use only with a second core: elsewhere, and on
systems other than Linux, there are no such processes, and everything is done by the caller. What comes out is the same.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Generic, NoReturn, Self, TypeVar

from ..errors import LostProcessError
from ..limits import MIB
from .interrupts import uninterrupted

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")

WORTH_PROCESSES = 16 * MIB
"""Bytes that several processes are worth; less is done before a second one has begun."""
_LENGTH = struct.Struct("<Q")
_MOST_PROCESSES = 4
"""The caller included; with more, it is the caller that the others wait for."""
_QUEUED = 3
"""Pieces that a process is given before it has done the first."""
_PENDING = 4
"""For each process: pieces between the first that is not done and the last that was given away. They are in memory."""
_PIPE_BYTES = MIB
_FIRST_DESCRIPTOR = 3
"""Behind the standard ones."""


def cores() -> int:
    """How many processes can be of use to this one, itself included; 1 where none may be started."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


def cores_for(size: int) -> int:
    """How many processes can be of use for work on so many bytes."""
    return cores() if size >= WORTH_PROCESSES else 1


class InOrder(Generic[_Piece, _Result]):
    """Does ``work`` on every piece it is given, on up to ``processes`` processes, the caller's included.

    ``work`` depends on its argument alone. Pieces and results are pickled on their way. A context manager, for one
    thread; at the end of the block the processes are gone. What failed is done again by the caller when its turn comes:
    there the error can be seen as it is, and of several it is the first, whoever met another one before.
    """

    def __init__(self, work: Callable[[_Piece], _Result], processes: int) -> None:
        self._work = work
        self._children: list[_Child] = []
        self._given = self._taken = 0
        self._results: dict[int, _Result | _Failed] = {}
        self._failed: dict[int, _Piece] = {}
        try:
            for _ in range(processes - 1):
                with uninterrupted():
                    self._children.append(_fork(work))
        except OSError:
            pass  # the system gives no more of them: it goes with fewer
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alone(self) -> bool:
        """Whether there is no process but the caller's."""
        return not self._children

    def offer(self, piece: _Piece) -> bool:
        """Gives a piece to a process that has room for it, if there is one."""
        if self.alone:
            return False
        self._exchange(0)
        most = _PENDING * (len(self._children) + 1)
        while self._given - self._taken >= most and self._taken not in self._results:
            self._exchange(None)
        child = min(self._children, key=_Child.load)
        if child.load() >= _QUEUED:
            return False
        child.give(self._given, piece)
        self._given += 1
        self._exchange(0)
        return True

    def do(self, piece: _Piece) -> None:
        """Does a piece here and now."""
        number = self._given
        self._given += 1
        try:
            self._results[number] = self._work(piece)
        except Exception:  # noqa: BLE001 # it is met again
            self._take(number, piece, _Failed())

    def ready(self) -> Iterator[_Result]:
        """The results that are there, as far as none before them is missing."""
        while self._taken in self._results:
            number = self._taken
            self._taken += 1
            result = self._results.pop(number)
            yield self._work(self._failed.pop(number)) if isinstance(result, _Failed) else result

    def rest(self) -> Iterator[_Result]:
        """All results that were not given yet; waits for them."""
        while self._taken < self._given:
            while self._taken not in self._results:
                self._exchange(None)
            yield from self.ready()

    def over(self, pieces: Iterable[_Piece]) -> Iterator[_Result]:
        """The results of all pieces, each piece taken when somebody has time for it."""
        for piece in pieces:
            if not self.offer(piece):
                self.do(piece)
            yield from self.ready()
        yield from self.rest()

    def close(self) -> None:
        """Ends the processes, whatever they are at."""
        with uninterrupted():
            for child in self._children:
                child.end()
            self._children = []

    def _exchange(self, milliseconds: int | None) -> None:
        """Sends and receives what can be; waits at most so long, ``None``: until there is anything."""
        poll = select.poll()
        by_descriptor: dict[int, _Child] = {}
        for child in self._children:
            if child.load():
                poll.register(child.results, select.POLLIN)
                by_descriptor[child.results] = child
            if child.outgoing:
                poll.register(child.pieces, select.POLLOUT)
                by_descriptor[child.pieces] = child
        for descriptor, _ in poll.poll(milliseconds) if by_descriptor else ():
            child = by_descriptor[descriptor]
            if descriptor == child.pieces:
                child.send()
            else:
                for number, piece, result in child.receive():
                    self._take(number, piece, result)

    def _take(self, number: int, piece: _Piece, result: _Result | _Failed) -> None:
        self._results[number] = result
        if isinstance(result, _Failed):
            self._failed[number] = piece


class _Failed:
    """In place of a result."""


class _Child:
    """One process, as its parent sees it. Both pipes never block the parent."""

    def __init__(self, process: int, pieces: int, results: int) -> None:
        self._process = process
        self.pieces = pieces
        self.results = results
        self.outgoing: deque[memoryview] = deque()
        self._given: deque[tuple[int, Any]] = deque()
        self._header = bytearray()
        self._body = bytearray()
        self._filled = 0

    def load(self) -> int:
        """Pieces that it was given and has not done."""
        return len(self._given)

    def give(self, number: int, piece: object) -> None:
        """Queues a piece."""
        self._given.append((number, piece))
        self.outgoing += map(memoryview, _message(piece))

    def send(self) -> None:
        """Sends as much as there is room for."""
        try:
            while self.outgoing:
                part = self.outgoing[0]
                sent = os.write(self.pieces, part)
                if sent == len(part):
                    self.outgoing.popleft()
                else:
                    self.outgoing[0] = part[sent:]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            raise LostProcessError("a process that helped has ended too early") from None

    def receive(self) -> Iterator[tuple[int, Any, Any]]:
        """(number, piece, result) of the results that have come whole."""
        while True:
            try:
                if len(self._header) < _LENGTH.size:
                    part = os.read(self.results, _LENGTH.size - len(self._header))
                    read = len(part)
                    self._header += part
                    if len(self._header) == _LENGTH.size:
                        self._body = bytearray(_LENGTH.unpack(self._header)[0])
                else:
                    read = os.readv(self.results, [memoryview(self._body)[self._filled :]])
                    self._filled += read
            except BlockingIOError:
                return
            if not read:
                raise LostProcessError("a process that helped has ended too early")
            if len(self._header) == _LENGTH.size and self._filled == len(self._body):
                result = pickle.loads(self._body)  # noqa: S301 # of a process that this one forked
                self._header, self._body, self._filled = bytearray(), bytearray(), 0
                yield *self._given.popleft(), result

    def end(self) -> None:
        """Ends it and waits for that."""
        for descriptor in (self.pieces, self.results):
            os.close(descriptor)
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _message(value: object) -> tuple[bytes, bytes]:
    text = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(text)), text


def _fork(work: Callable[[Any], Any]) -> _Child:
    pieces_in, pieces_out = os.pipe()
    results_in, results_out = os.pipe()
    try:
        process = os.fork()
    except OSError:
        for descriptor in (pieces_in, pieces_out, results_in, results_out):
            os.close(descriptor)
        raise
    if not process:
        _serve(work, pieces_in, results_out)
    os.close(pieces_in)
    os.close(results_out)
    for descriptor in (pieces_out, results_in):
        os.set_blocking(descriptor, False)
        with suppress(OSError):  # more than this user may have; then it is slower
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return _Child(process, pieces_out, results_in)


def _serve(work: Callable[[Any], Any], pieces: int, results: int) -> NoReturn:
    """The life of a child. Nothing of the parent's is written or ended by it."""
    code = 1
    try:
        # The terminal tells the parent as well, and the parent ends its children.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        close_all_but(pieces, results)
        while (header := _read(pieces, _LENGTH.size)) is not None:
            piece = _read(pieces, _LENGTH.unpack(header)[0])
            if piece is None:
                break
            try:
                result = work(pickle.loads(piece))  # noqa: S301 # of the parent
            except BaseException:  # noqa: BLE001 # the parent meets it, too
                result = _Failed()
            for part in _message(result):
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(results, rest) :]
        code = 0
    except BrokenPipeError:
        code = 0
    finally:
        os._exit(code)


def close_all_but(*descriptors: int) -> None:
    """Keeps these and the standard ones. Locks, among other things, are to go when the parent goes."""
    start = _FIRST_DESCRIPTOR
    for descriptor in (*sorted(descriptors), os.sysconf("SC_OPEN_MAX")):
        os.closerange(start, descriptor)
        start = descriptor + 1


def _read(descriptor: int, size: int) -> bytearray | None:
    """So many bytes; None at the end."""
    read = bytearray(size)
    filled = 0
    while filled < size:
        count = os.readv(descriptor, [memoryview(read)[filled:]])
        if not count:
            return None
        filled += count
    return read
