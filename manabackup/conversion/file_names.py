"""Names of files out of what people and strangers typed: readable, unique, and safe on every file system.

The strictest rules of all hold, so that a folder can be copied anywhere: no characters that Windows forbids, none of
its device names, no blank or dot at the end, no two names that differ by case or composition alone, and no more bytes
than any file system takes (Microsoft, "Naming Files, Paths, and Namespaces").
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_LONGEST: Final = 80
"""Characters of a name; with folders around it, a path stays below the 260 that some programs on Windows take."""
_MOST_BYTES: Final = 180
_FORBIDDEN = re.compile('[<>:"/\\\\|?*]')
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc\ud800-\udfff]"
)
"""Controls, marks of direction, and halves of characters. Joiners stay: families of emoji are held together by them."""
_DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_HELD = re.compile("[\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""What belongs to the character before it, as combining marks do."""


def safe_name(text: str, otherwise: str, *, ending: str = "") -> str:
    """A file's name that says ``text``, or ``otherwise`` where nothing is left of that."""
    text = unicodedata.normalize("NFC", text)
    text = _FORBIDDEN.sub("-", _UNSEEN.sub(" ", text))
    text = " ".join(text.split()).strip(". ")
    text = _cut(text).rstrip(". ")
    if not text:
        text = otherwise
    if _DEVICES.fullmatch(text) or text.startswith(("~", "-", "'")):
        text = f"_{text}"
    return text + ending


def _cut(text: str) -> str:
    """At most so many characters and bytes, between what people see as characters."""
    end = min(len(text), _LONGEST)
    while end and len(text[:end].encode()) > _MOST_BYTES:
        end -= 1
    if end == len(text):
        return text
    while end and (_HELD.match(text[end]) or unicodedata.combining(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end]


class Names:
    """Gives names that are unique in their folder."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, ...], set[str]] = {}

    def name(self, folder: tuple[str, ...], text: str, identifier: str, *, otherwise: str, ending: str = "") -> str:
        """A new name in ``folder``; where it is taken, with the begin of ``identifier``, else with a number."""
        taken = self._taken.setdefault(folder, set())
        plain = safe_name(text, otherwise)
        tag = re.sub(r"[^A-Za-z0-9]", "", identifier)[:8] or "x"
        for number in range(1_000_000_000):
            more = ("", f" ({tag})")[number] if number < 2 else f" ({tag}-{number})"
            found = plain + more + ending
            key = unicodedata.normalize("NFKC", found).casefold()
            if key not in taken:
                taken.add(key)
                return found
        raise AssertionError("there are more numbers than rows")
