"""One folding of text for searching: who types ``strasse`` finds ``Straße``. It is the viewer's
(``manabackup/viewer/page/model/folding.js``), so that both find the same.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans(
    {"ß": "ss", "ẞ": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i"},
)
_QUOTED = re.compile('"([^"]*)"|„([^“”"]*)[“”"]|“([^”]*)”|«([^»]*)»|»([^«]*)«')
_NO_WORD = frozenset("PZC")
"""Of Unicode's general categories: punctuation, separators, controls."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_WORD = re.compile(r"\S+")


def fold(text: str) -> str:
    """Text without case, accents and compatibility forms: Unicode NFKD, marks taken out, a few letters spelled out."""
    if text.isascii():
        return text.lower()
    # What is ASCII stays as it is but for its case, which is quick for all of a text; the rest stands in short runs.
    text = _NOT_ASCII.sub(_decomposed, text).lower()
    return _NOT_ASCII.sub(_spelled_out, text)


def words_of(text: str) -> list[str]:
    """The words of a text: what stands between blanks, punctuation and controls."""
    return _WORD.findall("".join(map(_blank_for, text)))


def phrases_of(question: str) -> list[list[str]]:
    """The folded words of what stands in quotation marks, of several languages; of single words nothing."""
    found = (words_of(fold(next(filter(None, match.groups()), ""))) for match in _QUOTED.finditer(question))
    return [words for words in found if len(words) > 1]


def _decomposed(run: re.Match[str]) -> str:
    return _without_marks(unicodedata.normalize("NFKD", run[0]))


def _spelled_out(run: re.Match[str]) -> str:
    return _without_marks(run[0]).translate(_LETTERS)


def _without_marks(text: str) -> str:
    return "".join(character for character in text if character.isascii() or not _is_mark(character))


@lru_cache(maxsize=4_096)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


@lru_cache(maxsize=4_096)
def _blank_for(character: str) -> str:
    return " " if character.isspace() or unicodedata.category(character)[0] in _NO_WORD else character
