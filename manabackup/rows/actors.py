"""Actors by their line numbers in ``meta/actors.jsonl``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ..text import jsontext
from ..text.jsontext import JSON

_MOST_ACTORS = 200_000


@dataclass(slots=True)
class ActorNumbers:
    """Numbers actors, and keeps of each no more than a hash. A very long list begins anew; lines may then repeat."""

    lines: list[bytes] = field(default_factory=list)
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _count: int = 0
    _latest: tuple[bytes, int] = (b"", -1)

    def __call__(self, actor: dict[str, JSON]) -> int:
        """The line number of ``actor`` in ``meta/actors.jsonl``."""
        text = jsontext.dumps(actor)
        latest, number = self._latest
        if text != latest:
            number = self.number(text)
            self._latest = text, number
        return number

    def number(self, text: bytes) -> int:
        """The same for an actor's JSON text."""
        key = hashlib.blake2b(text, digest_size=16).digest() if len(text) > 16 else text
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) >= _MOST_ACTORS:
                self._numbers.clear()
            number = self._numbers[key] = self._count
            self._count += 1
            self.lines.append(text)
        return number

    def take(self) -> list[bytes]:
        """The lines that are new since the last call."""
        lines, self.lines = self.lines, []
        return lines
