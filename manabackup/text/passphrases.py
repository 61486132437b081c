"""What is odd about a passphrase: what nobody will type who types it again from memory or from paper.

A passphrase is its characters and nothing else: none is normalised, cut or folded when an archive is opened. So what
slipped in with an editor or a clipboard would have to be typed as well. Before something is sealed that is refused or
told of; when something does not open, it is told.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from .printable import counted

BOM = "\ufeff"
"""The byte order mark that editors put before a text. Dropped before a secret wherever it needs not be exact."""
LONGEST_LINE = 4_095
"""Bytes that a terminal takes in one line (Linux, ``N_TTY_BUF_SIZE`` without the end of the line)."""
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_IN_EMOJI = frozenset("\u200c\u200d") | {chr(code) for code in range(0xE0020, 0xE0080)}
"""Formatting characters that writing systems and emoji need."""


@dataclass(frozen=True, slots=True)
class PassphraseOddity:
    """One thing that is odd; ``words`` are a predicate (``ends with a blank``) and quote nothing."""

    words: str
    typable: bool = True
    """Whether a prompt could take it at all."""


def oddities(passphrase: str) -> list[PassphraseOddity]:
    """All that is odd about a passphrase, what cannot be typed first."""
    return list(_found(passphrase))


def told(found: list[PassphraseOddity]) -> str:
    """``holds 2 line breaks and ends with a blank``."""
    *others, last = (oddity.words for oddity in found)
    return f"{', '.join(others)} and {last}" if others else last


def _found(text: str) -> Iterator[PassphraseOddity]:
    breaks = text.count("\n") + text.count("\r") - text.count("\r\n") + sum(map(text.count, _BREAKS - {"\n", "\r"}))
    if breaks:
        yield PassphraseOddity(f"holds {counted(breaks, 'line break')}", typable=False)
    controls = sum(unicodedata.category(char) == "Cc" and char not in _BREAKS for char in text)
    if controls:
        yield PassphraseOddity(f"holds {counted(controls, 'control character')}", typable=False)
    if len(text.encode("utf-8", "surrogatepass")) >= LONGEST_LINE:
        yield PassphraseOddity(f"is longer than the {LONGEST_LINE:,} bytes that a terminal takes")
    if text.startswith(BOM):
        yield PassphraseOddity("begins with a byte order mark")
    shown = text.removeprefix(BOM)
    if _is_blank(shown[:1]):
        yield PassphraseOddity("begins with a blank")
    if _is_blank(shown[-1:]):
        yield PassphraseOddity("ends with a blank")
    if any(unicodedata.category(char) == "Cf" and char not in _IN_EMOJI for char in shown):
        yield PassphraseOddity("holds characters that nobody sees")
    if not unicodedata.is_normalized("NFC", text):
        yield PassphraseOddity("is not composed as keyboards do it (Unicode's NFC)")


def _is_blank(char: str) -> bool:
    return char.isspace() and char not in _BREAKS
