"""The one door for words: whatever a stream's encoding is, whether it is open, full, or read by nobody any more.

This module is all that ``--help`` and ``--version`` import besides their text.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as typing has it, which is not worth its import here
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TextIO

NOT_WRITTEN: Final = 17
"""``OutputError.exit_code``, which is not worth its import here."""
NOBODY_READS: Final = 1
CLOSED: Final = "the standard output is closed"
_PLAIN: Final = {
    "…": "...",
    "→": "->",
    "–": "-",
    "—": "-",
    "·": "-",
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "€": "EUR",
}
"""How what this program says is written where its encoding lacks a character."""
_NARROWEST: Final = 20
"""Columns of a terminal for which lines are broken; nobody reads words on a narrower one."""
_WIDEST_HANG: Final = 0.5
"""Part of a line that may stand empty before what goes on from the line above."""


def say_and_end(text: str) -> int:
    """``text`` to the standard output as the whole of what a run does; its exit code."""
    try:
        write_out(text)
    except BrokenPipeError:
        code = NOBODY_READS
    except OSError as error:
        say(f"error: {cannot_write(error)}\nhint: {explained('output')}\n")
        code = NOT_WRITTEN
    else:
        return 0
    abandon_unwritten()
    return code


def write_out(text: str) -> None:
    """``text`` to the standard output, all of it. Raises :class:`OSError`, also for one that is closed."""
    if sys.stdout is None:
        raise OSError(CLOSED)
    sys.stdout.buffer.write(encoded(text, sys.stdout))
    sys.stdout.flush()


def cannot_write(error: OSError) -> str:
    """What is wrong with the standard output, in words."""
    return f"cannot write to the standard output: {error.strerror}" if error.strerror else str(error)


def explained(page: str) -> str:
    """The hint of an error that has none of its own, by the name of its page."""
    return f"`manabackup help errors/{page}` explains it"


def say(text: str) -> None:
    """``text`` to the standard error; nothing is said where nobody can be told."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.flush()
        stream.buffer.write(encoded(text, stream))
        stream.flush()
    except (OSError, ValueError):
        _abandon(2)


def encoded(text: str, stream: TextIO) -> bytes:
    """``text`` in a stream's encoding: what that lacks is written more plainly, or as an escape."""
    encoding = stream.encoding or "utf-8"
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_writable(char, encoding) for char in text).encode(encoding, "backslashreplace")


def abandon_unwritten() -> None:
    """Writes what is left of the output or else forgets it, so that the interpreter does not complain at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _abandon(1)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at what is written to a stream."""
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:  # closed
        return False


def columns(stream: TextIO | None) -> int | None:
    """How many characters a line has where a stream is shown: of COLUMNS or a terminal; None where there is no end."""
    if not is_terminal(stream):
        return None
    assert stream is not None
    given = os.environ.get("COLUMNS", "")
    try:
        width = int(given) if given.isascii() and given.isdigit() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return width if width >= _NARROWEST else None


def broken(line: str, width: int | None, hang: int | None = None) -> Iterator[str]:
    """``line`` in lines of at most ``width`` characters, broken at blanks; a longer word stays whole.

    What goes on is indented by ``hang``; by default it stands beneath what it belongs to: behind a label and two blanks
    or more, else two further than the line itself.
    """
    if width is None or len(line) <= width:
        yield line
        return
    hang = _hang(line, width) if hang is None else hang
    rest = line
    while len(rest) > width:
        begin = len(rest) - len(rest.lstrip(" "))
        at = rest.rfind(" ", begin, width + 1)
        if at <= max(begin, hang if rest is not line else 0):  # a word that is longer than a line
            at = rest.find(" ", max(begin, width))
        if at < 0:
            break
        yield rest[:at].rstrip(" ")
        tail = rest[at:].lstrip(" ")
        if not tail:
            return
        rest = " " * hang + tail
    yield rest


def _hang(line: str, width: int) -> int:
    indent = len(line) - len(line.lstrip(" "))
    label = line.find("  ", indent)
    if label >= 0:
        column = len(line) - len(line[label:].lstrip(" "))
        if column <= width * _WIDEST_HANG:
            return column
    return min(indent + 2, width // 2)


def _writable(char: str, encoding: str) -> str:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return _PLAIN.get(char, char)
    return char


def _abandon(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
