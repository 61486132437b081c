"""Questions at the terminal itself (``/dev/tty``), whatever the standard input is."""

from __future__ import annotations

import os
import sys

from ..errors import UsageError


def ask_secret(label: str, *, confirm: bool = False) -> str | None:
    """What somebody types unseen, twice the same where ``confirm``; None when there is no terminal to ask at."""
    if not _somebody_there():
        return None
    answer = _hidden(f"{label}: ")
    if not answer:
        raise UsageError(f"the {label} is empty")
    if confirm and _hidden(f"{label}, once more: ") != answer:
        raise UsageError(f"the two entries of the {label} differ")
    return answer


def ask(label: str) -> str | None:
    """What somebody types; None when there is no terminal to ask at."""
    if not _somebody_there():
        return None
    with open("/dev/tty", "rb+", buffering=0) as terminal:  # noqa: PTH123 # unbuffered both ways
        terminal.write(f"{label}: ".encode())
        line = terminal.readline()
    return _text(line, label).strip()


def _hidden(question: str) -> str:
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
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, shown)
            terminal.write(b"\n")
    return _text(line, question.rstrip(": "))


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
