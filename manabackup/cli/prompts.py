"""Questions at the terminal itself (``/dev/tty``), whatever the standard input is.

A terminal gives lines as its driver has edited them. It cuts a long one without a word, gives the rest of what was
pasted to whoever reads next, and sends the arrow keys as characters. Of a secret nobody would see any of that: so it is
told, and asked again.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..errors import UsageError
from ..text.passphrases import LONGEST_LINE, oddities, told
from .groups import read_groups
from .words import broken, columns, encoded

MOST_TRIES = 3
_LONGEST = LONGEST_LINE if sys.platform == "linux" else 1_023
_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
"""Around what is pasted, where a program before this one left the terminal in that mode (xterm, bracketed paste)."""
_REST_SECONDS = 0.05
"""For the lines of a paste that follow on the first one."""


def ask_secret(
    label: str, *, confirm: bool = False, flaw: Callable[[str], str | None] = lambda _: None, grouped: bool = False
) -> str | None:
    """What somebody types unseen, twice the same where ``confirm``; None when there is no terminal to ask at.

    Asks again for what cannot be what somebody meant to type; ``flaw`` tells, as a predicate, what is wrong with it.
    With ``grouped`` hexadecimal digits are seen while they are typed, in groups. Raises :class:`UsageError` when that
    does not end, and for nothing.
    """
    if not _somebody_there():
        return None
    for _ in range(MOST_TRIES):
        answer = _typed(f"{label}: ", label, flaw, _in_groups if grouped else _hidden)
        if not confirm or _typed(f"{label}, once more: ", label, flaw, _hidden) == answer:
            return answer
        _tell(f"the two entries of the {label} differ; from the beginning")
    raise UsageError(f"the two entries of the {label} differ")


def ask(label: str) -> str | None:
    """What somebody types; None when there is no terminal to ask at."""
    if not _somebody_there():
        return None
    with _terminal() as terminal:
        _write(terminal, f"{label}: ")
        line = terminal.readline()
    text = _text(line, label).strip()
    if any(not oddity.typable for oddity in oddities(text)):
        raise UsageError(f"the {label} {told(oddities(text))}")
    return text


def _typed(
    question: str, label: str, flaw: Callable[[str], str | None], read: Callable[[str], tuple[bytes, bool]]
) -> str:
    for _ in range(MOST_TRIES):
        line, pasted_on = read(question)
        answer = _text(line, label)
        if answer.startswith(_PASTE_BEGINS) and answer.endswith(_PASTE_ENDS):
            answer = answer[len(_PASTE_BEGINS) : -len(_PASTE_ENDS)]
        if not answer:
            raise UsageError(f"the {label} is empty")
        wrong = _wrong(answer, pasted_on) or flaw(answer)
        if wrong is None:
            return answer
        _tell(f"the {label} {wrong}; once more")
    raise UsageError(f"no {label} could be read from the terminal", hint="a file or a command can give it")


def _wrong(answer: str, pasted_on: bool) -> str | None:
    """What keeps an answer from being what somebody meant, as a predicate."""
    if len(answer.encode("utf-8")) >= _LONGEST:
        return f"is cut by the terminal after {_LONGEST:,} bytes"
    if pasted_on:
        return "has more than one line"
    found = [oddity for oddity in oddities(answer) if not oddity.typable]
    return f"{told(found)}, as the arrow keys send them" if found else None


def _hidden(question: str) -> tuple[bytes, bool]:
    """A line, and whether more lines came with it; these are thrown away."""
    with _terminal() as terminal, _unseen(terminal):
        try:
            _write(terminal, question)
            line = terminal.readline()
            return line, _has_more(terminal)
        finally:
            terminal.write(b"\n")


def _in_groups(question: str) -> tuple[bytes, bool]:
    """The same, of hexadecimal digits that are seen."""
    with _terminal() as terminal, _unseen(terminal, by_keys=True):
        try:
            _write(terminal, question)
            line = read_groups(lambda: terminal.read(1) or b"", terminal.write)
            return line, _has_more(terminal)
        finally:
            terminal.write(b"\n")


@contextmanager
def _terminal() -> Iterator[BinaryIO]:
    with open("/dev/tty", "rb+", buffering=0) as terminal:  # noqa: PTH123 # unbuffered both ways
        yield terminal


@contextmanager
def _unseen(terminal: BinaryIO, *, by_keys: bool = False) -> Iterator[None]:
    """Nothing that is typed is shown; ``by_keys``: it is given key by key, and not line by line."""
    import termios

    descriptor = terminal.fileno()
    before = termios.tcgetattr(descriptor)
    now = termios.tcgetattr(descriptor)
    now[3] &= ~(termios.ECHO | termios.ICANON if by_keys else termios.ECHO)
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, now)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _has_more(terminal: BinaryIO) -> bool:
    return bool(select.select([terminal], [], [], _REST_SECONDS)[0])


def _tell(words: str) -> None:
    with _terminal() as terminal:
        _write(terminal, f"{words}\n")


def _write(terminal: BinaryIO, text: str) -> None:
    """Words at the terminal, broken where it ends; the cursor stays behind the last one."""
    lines = [part for line in text.split("\n") for part in broken(line, columns(sys.stderr))]
    terminal.write(encoded("\n".join(lines), sys.stderr or sys.stdin))


def _text(line: bytes, label: str) -> str:
    line = line.removesuffix(b"\n")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return line.decode((sys.stderr or sys.stdin).encoding)  # the terminal's own, as the environment has it
    except UnicodeDecodeError:
        raise UsageError(f"the {label} is not UTF-8 text") from None


def _somebody_there() -> bool:
    """Whether a terminal can be asked at. A run with input and messages redirected is a script's, not a person's."""
    if not any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
