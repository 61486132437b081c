"""Hexadecimal digits as they are typed, shown in groups of four and lines of four groups, to compare with paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator

_DIGITS = b"0123456789abcdefABCDEF"
_PASSED_OVER = b" -\t"
_GROUP, _LINE = 4, 16
"""Digits."""
_INDENT = b"  "
_LONGEST = 64
_ENDS = b"\r\n\x04"
_BACK = b"\x7f\x08"
_ALL_BACK = b"\x15\x17"  # Ctrl-U, Ctrl-W
_ESCAPE = b"\x1b"
_BELL = b"\a"
_UP_TO_THE_END = b"\x1b[A\r\x1b[%dC" % (len(_INDENT) + _LINE + _LINE // _GROUP - 1)


def read_groups(read: Callable[[], bytes], write: Callable[[bytes], object]) -> bytes:
    """The digits, in capitals, until Enter. ``read`` gives one byte, nothing at the end; ``write`` shows some.

    The first line of them begins below the question. Blanks and dashes are passed over, anything else rings the bell;
    what was typed last can be taken back.
    """
    typed = bytearray()
    begun = False
    for key in _keys(read):
        if key in _BACK or key in _ALL_BACK:
            for _ in range(min(len(typed), 1) if key in _BACK else len(typed)):
                write(_taken_back(typed))
        elif key in _DIGITS and len(typed) < _LONGEST:
            write((_before(len(typed)) if begun else b"\n" + _INDENT) + key.upper())
            begun = True
            typed += key.upper()
        elif key not in _PASSED_OVER:
            write(_BELL)
    return bytes(typed)


def _keys(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Keys until the line ends; arrows and marks of a paste (ECMA-48, 5.4: ``ESC [ … final byte``) are none."""
    while (key := read()) and key not in _ENDS:
        if key != _ESCAPE:
            yield key
        elif read() == b"[":
            while (part := read()) and not b"@" <= part <= b"~":
                pass


def _before(count: int) -> bytes:
    """What stands before the digit that follows on so many."""
    if count and count % _LINE == 0:
        return b"\n" + _INDENT
    return b"-" if count and count % _GROUP == 0 else b""


def _taken_back(typed: bytearray) -> bytes:
    """Takes the last digit away, and gives what takes it from the screen."""
    typed.pop()
    before = _before(len(typed))
    if before.startswith(b"\n"):
        return b"\b \b" + _UP_TO_THE_END
    return b"\b \b" * (1 + len(before))
