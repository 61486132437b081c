"""A terminal: lines that are typed at it, and all that it shows."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .patience import PATIENCE

Typist = Callable[[str], str | None]
"""Given what was shown since the last line was typed, gives the next line, or None to wait for more."""
_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def open_terminal(rows: int = 24, columns: int = 80) -> tuple[int, int]:
    """Our end of a new one, and the program's."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (rows, columns))
    return ours, theirs


def start_at(
    terminal: int,
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdout: int | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """A command in a session of its own, whose controlling terminal and three standard descriptors it is, but for an
    output elsewhere. The descriptor is closed here."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLED, *command],
        stdin=terminal,
        stdout=terminal if stdout is None else stdout,
        stderr=terminal,
        start_new_session=True,
        cwd=folder,
        env=environ,
    )
    os.close(terminal)
    return process


def all_shown(terminal: int, typist: Typist = lambda _: None) -> str:
    """What it shows until nobody has the other end open any more. Our end is closed then."""
    shown, answered = b"", 0
    try:
        while select.select([terminal], [], [], PATIENCE)[0]:
            try:
                part = os.read(terminal, 65_536)
            except OSError:  # the last process that had it open is gone
                break
            if not part:
                break
            shown += part
            line = typist(shown[answered:].decode(errors="replace"))
            if line is not None:
                answered = len(shown)
                os.write(terminal, line.encode() + b"\n")
    finally:
        os.close(terminal)
    return shown.decode().replace("\r\n", "\n")


def in_turn(lines: Sequence[str]) -> Typist:
    """Types the next line at each question that ends with a colon."""
    waiting = list(lines)
    return lambda shown: waiting.pop(0) if waiting and shown.endswith(": ") else None
