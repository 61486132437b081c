"""Questions at the terminal itself (``/dev/tty``), whatever the standard input is.

A terminal gives lines as its driver has edited them. It cuts a long one without a word, gives the rest of what was
pasted to whoever reads next, and sends the arrow keys as characters. Of a secret nobody would see any of that: so it is
told, and asked again.
"""

from __future__ import annotations

import os
import select
import sys
from typing import BinaryIO

from ..errors import UsageError
from ..text.passphrases import LONGEST_LINE, oddities, told

_TRIES = 3
_LONGEST = LONGEST_LINE if sys.platform == "linux" else 1_023
_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
"""Around what is pasted, where a program before this one left the terminal in that mode (xterm, bracketed paste)."""
_REST_SECONDS = 0.05
"""For the lines of a paste that follow on the first one."""


def ask_secret(label: str, *, confirm: bool = False) -> str | None:
    """What somebody types unseen, twice the same where ``confirm``; None when there is no terminal to ask at.

    Asks again for what cannot be what somebody meant to type. Raises :class:`UsageError` when that does not end, for
    nothing, and for two that differ.
    """
    if not _somebody_there():
        return None
    answer = _typed(f"{label}: ", label)
    if confirm and _typed(f"{label}, once more: ", label) != answer:
        raise UsageError(f"the two entries of the {label} differ")
    return answer


def ask(label: str) -> str | None:
    """What somebody types; None when there is no terminal to ask at."""
    if not _somebody_there():
        return None
    with open("/dev/tty", "rb+", buffering=0) as terminal:  # noqa: PTH123 # unbuffered both ways
        terminal.write(f"{label}: ".encode())
        line = terminal.readline()
    text = _text(line, label).strip()
    if any(not oddity.typable for oddity in oddities(text)):
        raise UsageError(f"the {label} {told(oddities(text))}")
    return text


def _typed(question: str, label: str) -> str:
    for _ in range(_TRIES):
        line, pasted_on = _hidden(question)
        answer = _text(line, label)
        if answer.startswith(_PASTE_BEGINS) and answer.endswith(_PASTE_ENDS):
            answer = answer[len(_PASTE_BEGINS) : -len(_PASTE_ENDS)]
        if not answer:
            raise UsageError(f"the {label} is empty")
        wrong = _wrong(answer, pasted_on)
        if wrong is None:
            return answer
        _say(f"the {label} {wrong}; once more")
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
    import termios

    with open("/dev/tty", "rb+", buffering=0) as terminal:  # noqa: PTH123 # unbuffered both ways
        descriptor = terminal.fileno()
        shown = termios.tcgetattr(descriptor)
        hidden = list(shown)
        hidden[3] &= ~termios.ECHO
        try:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, hidden)
            terminal.write(question.encode())
            line = terminal.readline()
            pasted_on = _has_more(terminal)
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, shown)
            terminal.write(b"\n")
    return line, pasted_on


def _has_more(terminal: BinaryIO) -> bool:
    return bool(select.select([terminal], [], [], _REST_SECONDS)[0])


def _say(text: str) -> None:
    with open("/dev/tty", "wb", buffering=0) as terminal:  # noqa: PTH123
        terminal.write(text.encode() + b"\n")


def _text(line: bytes, label: str) -> str:
    try:
        return line.removesuffix(b"\n").decode("utf-8")
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
