"""Text from elsewhere, made safe to print.

Servers, archives and file names may hold control characters that move a terminal's cursor, and marks that turn the
direction of writing. None of them reaches a terminal raw.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with every character that does not print (Unicode categories C and Z, but the blank) as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(text: str, longest: int = 200) -> str:
    """As :func:`printable`, with runs of blanks and line breaks folded into one blank, and shortened."""
    text = " ".join(text.split())
    return printable(text if len(text) <= longest else text[: longest - 1] + "…")
