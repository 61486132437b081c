"""Text as people write it, in German and English, for the generated account.

Everything here is invented. What matters is what such text does to a tool that stores it: umlauts, composed and
decomposed; emoji of several code points; quotation marks of three countries; line breaks, tabs, markup, typing errors;
and now and then half an emoji, which the app leaves behind when it cuts a text in the middle of one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final

from . import phrases

_SLOTS: Final[dict[str, Sequence[str]]] = {
    "first": phrases.FIRST_NAMES,
    "last": phrases.LAST_NAMES,
    "city": phrases.CITIES,
    "street": phrases.STREETS,
    "food": phrases.FOOD,
    "animal": phrases.ANIMALS,
    "weekday": phrases.WEEKDAYS,
    "thing": phrases.THINGS,
    "work": phrases.WORK,
    "emoji": phrases.EMOJI,
    "sport": phrases.SPORTS,
    "book": phrases.BOOKS,
}
_CUT_IN_ONE = 80
"""One text in so many ends in half an emoji, half of them before a quotation mark."""
_POOL = 20_000
"""Sentences that long texts are filled with: so many that a compressor, which sees 32 KiB, finds few of them twice."""
_COMPOUNDS = 4_000
_WORD = re.compile(r"[^\W\d_]+")


class Prose:
    """Draws texts from one seeded source of randomness. The same seed gives the same texts."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._random = rng.random
        self._pool: list[tuple[str, int]] = []

    def __getitem__(self, slot: str) -> str:
        """A word for a template's slot."""
        if slot == "n":
            return str(2 + int(self._random() * 28))
        if slot == "money":
            return f"{5 + int(self._random() * 400)},{int(self._random() * 100):02d}"
        if slot == "time":
            return f"{6 + int(self._random() * 16)}:{int(self._random() * 12) * 5:02d}"
        return self.one_of(_SLOTS[slot])

    def one_of(self, texts: Sequence[str]) -> str:
        """One of ``texts`` as it stands."""
        return texts[int(self._random() * len(texts))]

    def fill(self, templates: Sequence[str]) -> str:
        """One of ``templates`` with its slots filled."""
        template = self.one_of(templates)
        return template.format_map(self) if "{" in template else template

    def sentence(self) -> str:
        """One sentence of a diary."""
        return self.fill(phrases.DIARY_DE if self._random() < 0.65 else phrases.DIARY_EN)

    def paragraph(self) -> str:
        """Two to six sentences in one language, some with a typing error."""
        templates = phrases.DIARY_DE if self._random() < 0.65 else phrases.DIARY_EN
        text = " ".join(self.fill(templates) for _ in range(2 + int(self._random() * 5)))
        if self._random() < 0.15:
            text = self._mistyped(text)
        if self._random() < 0.05:
            text = unicodedata.normalize("NFD", text)
        if self._random() < 0.15:
            text += " " + self.one_of(phrases.EMOJI)
        return text

    def diary(self) -> str:
        """An entry of one to four paragraphs."""
        count = 1 + int(self._random() * self._random() * 4)
        parts = [self.paragraph() for _ in range(count)]
        if self._random() < 0.3:
            parts.insert(0, self.fill(phrases.OPENINGS))
        if self._random() < 0.2:
            parts.append("- " + "\n- ".join(self.fill(phrases.GRATITUDE) for _ in range(3)))
        return self.cut(("\n\n" if self._random() < 0.8 else "\r\n\r\n").join(parts))

    def note(self) -> str:
        """A note: prose, a list, a recipe, a piece of a table or of a program."""
        kind = self._random()
        if kind < 0.35:
            head = self.fill(phrases.NOTE_TITLES)
            lines = [self.fill(phrases.LIST_ITEMS) for _ in range(2 + int(self._random() * 7))]
            mark = self.one_of(("- ", "* ", "- [ ] ", "• ", "\t- "))
            return f"# {head}\n\n" + "\n".join(mark + line for line in lines)
        if kind < 0.65:
            return self.one_of(phrases.NOTE_BODIES)
        return self.cut("\n\n".join(self.paragraph() for _ in range(1 + int(self._random() * 3))))

    def dream(self) -> str:
        """A dream, told in the morning."""
        count = 2 + int(self._random() * 5)
        return self.cut(" ".join(self.fill(phrases.DREAMS) for _ in range(count)))

    def transcript(self) -> str:
        """Spoken language, without paragraphs."""
        return "Ähm, also " + " ".join(self.fill(phrases.SPOKEN) for _ in range(3 + int(self._random() * 6)))

    def person(self) -> str:
        """A full name."""
        return f"{self['first']} {self['last']}"

    def address(self) -> str:
        """Street and place on two lines."""
        return f"{self['street']} {1 + int(self._random() * 120)}\n{self.postal_code()} {self['city']}"

    def postal_code(self) -> str:
        """Four or five digits; leading zeros occur, as in Leipzig."""
        return f"{int(self._random() * 10**5):05d}" if self._random() < 0.7 else str(1000 + int(self._random() * 8999))

    def filling(self, size: int) -> str:
        """About ``size`` bytes in UTF-8 that compress as prose does; they make no sense."""
        if not self._pool:
            self._pool = [(text, len(text.encode()) + 1) for text in self._pseudo_sentences()]
        parts: list[str] = []
        left = size + 1
        while left > 0:
            part, length = self._pool[int(self._random() * _POOL)]
            parts.append(part if length <= left else part[: max(1, left - 1)])
            left -= length
        return " ".join(parts)

    def cut(self, text: str) -> str:
        """``text``, which once in a while ends in half of an emoji, as after ``slice`` in the app."""
        if self._random() * _CUT_IN_ONE >= 1:
            return text
        return text[: 20 + int(self._random() * 200)] + ("\ud83d" if self._random() < 0.5 else '\ud83d" …')

    def _mistyped(self, text: str) -> str:
        at = 1 + int(self._random() * (len(text) - 2))
        kind = self._random()
        if kind < 0.4:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :] if at + 1 < len(text) else text
        if kind < 0.7:
            return text[:at] + text[at] + text[at:]
        return text[:at] + text[at + 1 :]

    def _pseudo_sentences(self) -> list[str]:
        """Sentences of words as often as they come in a language (Zipf's law), the rare ones made of two."""
        counted = Counter(word for text in _all_texts() for word in _WORD.findall(text))
        words = sorted(counted, key=lambda word: (-counted[word], word))
        words += [self.one_of(words) + self.one_of(words).lower() for _ in range(_COMPOUNDS)]
        weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
        ends = (".", ".", ".", ".", "!", "?", " …", ".\n\n")
        choices, random = self._rng.choices, self._random
        return [
            " ".join(choices(words, cum_weights=weights, k=4 + int(random() * 14))).capitalize() + self.one_of(ends)
            for _ in range(_POOL)
        ]


def _all_texts() -> list[str]:
    return [text for texts in vars(phrases).values() if isinstance(texts, tuple) for text in texts]
