"""What did not go into a readable form, counted by kind and table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..model.tables import Label


class Kind(NamedTuple):
    """One way in which something is left out."""

    is_loss: bool
    """Something was wrong with it. Otherwise it was left out on purpose, or the format has no place for it."""
    meaning: Label
    option: str | None = None
    """What takes it in."""


def _on_purpose(german: str, english: str, option: str | None = None) -> Kind:
    return Kind(False, Label(german, english), option)


def _wrong(german: str, english: str) -> Kind:
    return Kind(True, Label(german, english))


OTHER_SPACE: Final = "otherSpace"
"""What ``--space`` did not ask for: told, and no notice."""
KINDS: Final = {
    "bin": _on_purpose("Zeilen im Papierkorb", "rows in the bin", "--include-deleted"),
    OTHER_SPACE: _on_purpose("Zeilen anderer Bereiche", "rows of other spaces"),
    "secret": _on_purpose("Werte, die jemanden einließen", "secrets that let somebody in", "--include-secrets"),
    "technical": _on_purpose("Zeilen ohne Nutzen für Leser", "rows of no use to a reader", "--include-technical"),
    "otherTable": _on_purpose("Zeilen, die hier keinen Platz haben", "rows that this format has no place for"),
    "undescribed": _on_purpose("Zeilen von Tabellen, die niemand kennt", "rows of tables that nobody has described"),
    "copy": _on_purpose("Kopien, die eine Serie von selbst ergibt", "copies that a series gives by itself"),
    "sameCard": _on_purpose("Leute, die schon eine Karte haben", "people who have a card already"),
    "file": _on_purpose("Dateien, die im Archiv liegen", "files that the archive holds"),
    "notEmbedded": _on_purpose("Bilder, die nicht im Archiv sind", "pictures that the archive does not hold"),
    "ciphertext": _on_purpose("Felder, die noch verschlüsselt sind", "fields that are still encrypted"),
    "dangling": _on_purpose("Verweise auf etwas, das nicht da ist", "references to what is not there"),
    "noPlace": _on_purpose("Einträge ohne Ort", "entries without a place"),
    "noAddress": _on_purpose("Einträge ohne Internetadresse", "entries without a web address"),
    "noField": _on_purpose("Werte, für die dieses Format kein Feld hat", "values that this format has no field for"),
    "altered": _on_purpose("Werte, in denen Zeichen ersetzt wurden", "values in which characters were replaced"),
    "noDay": _on_purpose("Wecker und Pläne ohne Tag", "alarms and plans without a day"),
    "switchedOff": _on_purpose("Wecker, die ausgeschaltet sind", "alarms that are switched off"),
    "noTime": _wrong("Einträge ohne Zeit", "entries without a time"),
    "oddTime": _wrong("Zeiten, die kein Kalender kennt", "times that no calendar has"),
    "oddRule": _wrong("Wiederholungen, die keiner Regel folgen", "repetitions that follow no rule"),
    "noName": _wrong("Kontakte ohne Namen", "contacts without a name"),
    "oddValue": _wrong("Werte, die dieses Format nicht fasst", "values that this format cannot hold"),
}
"""Kind → whether it is a loss, and what it means."""


@dataclass(slots=True)
class LeftOut:
    """Takes down what is left out."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """Kind → table → how many."""

    def note(self, kind: str, table: str, count: int = 1) -> None:
        """``count`` more of a kind, in a table."""
        if count:
            assert kind in KINDS, kind
            self.counts.setdefault(kind, Counter())[table] += count

    def add(self, other: LeftOut) -> None:
        """What was taken down elsewhere, too."""
        for kind, tables in other.counts.items():
            self.counts.setdefault(kind, Counter()).update(tables)

    def count(self, kind: str) -> int:
        """How many of a kind."""
        return sum(self.counts.get(kind, Counter()).values())

    @property
    def losses(self) -> int:
        """How many of those with which something was wrong."""
        return sum(sum(tables.values()) for kind, tables in self.counts.items() if KINDS[kind].is_loss)

    @property
    def notices(self) -> int:
        """How many others."""
        return sum(map(self.count, KINDS)) - self.losses - self.count(OTHER_SPACE)

    def to_json(self) -> dict[str, dict[str, int]]:
        """Kind → table → how many, both sorted."""
        return {kind: dict(sorted(self.counts[kind].items())) for kind in sorted(self.counts)}

    def told(self) -> Iterator[tuple[str, int, list[str]]]:
        """(kind, how many, in which tables, those with most first), in the order of :data:`KINDS`."""
        for kind in KINDS:
            if kind in self.counts:
                tables = self.counts[kind]
                yield kind, sum(tables.values()), sorted(tables, key=lambda table: (-tables[table], table))
