"""What did not go into a readable form, counted by kind and table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..model.tables import Label


class LeftOutKind(NamedTuple):
    """One way in which something is left out."""

    is_loss: bool
    """Something was wrong with it. Otherwise it was left out on purpose, or the format has no place for it."""
    one: Label
    several: Label
    option: str | None = None
    """What takes it in."""

    def meaning(self, count: int) -> Label:
        """What so many of it are."""
        return self.one if count == 1 else self.several


_Forms = tuple[str, str]
"""Of one, and of several."""


def _on_purpose(german: _Forms, english: _Forms, option: str | None = None) -> LeftOutKind:
    one, several = map(Label, german, english)
    return LeftOutKind(False, one, several, option)


def _wrong(german: _Forms, english: _Forms) -> LeftOutKind:
    one, several = map(Label, german, english)
    return LeftOutKind(True, one, several)


OTHER_SPACE: Final = "otherSpace"
"""What ``--space`` did not ask for: told, and no notice."""
KINDS: Final = {
    "bin": _on_purpose(
        ("Zeile im Papierkorb", "Zeilen im Papierkorb"), ("row in the bin", "rows in the bin"), "--include-deleted"
    ),
    OTHER_SPACE: _on_purpose(
        ("Zeile eines anderen Bereichs", "Zeilen anderer Bereiche"), ("row of another space", "rows of other spaces")
    ),
    "secret": _on_purpose(
        ("Wert, der jemanden einließe", "Werte, die jemanden einließen"),
        ("secret that lets somebody in", "secrets that let somebody in"),
        "--include-secrets",
    ),
    "technical": _on_purpose(
        ("Zeile ohne Nutzen für Leser", "Zeilen ohne Nutzen für Leser"),
        ("row of no use to a reader", "rows of no use to a reader"),
        "--include-technical",
    ),
    "otherTable": _on_purpose(
        ("Zeile, die hier keinen Platz hat", "Zeilen, die hier keinen Platz haben"),
        ("row that this format has no place for", "rows that this format has no place for"),
    ),
    "undescribed": _on_purpose(
        ("Zeile einer Tabelle, die niemand kennt", "Zeilen von Tabellen, die niemand kennt"),
        ("row of a table that nobody has described", "rows of tables that nobody has described"),
    ),
    "copy": _on_purpose(
        ("Kopie, die eine Serie von selbst ergibt", "Kopien, die eine Serie von selbst ergibt"),
        ("copy that a series gives by itself", "copies that a series gives by itself"),
    ),
    "sameCard": _on_purpose(
        ("Mensch, der schon eine Karte hat", "Menschen, die schon eine Karte haben"),
        ("person who has a card already", "people who have a card already"),
    ),
    "file": _on_purpose(
        ("Datei, die im Archiv liegt", "Dateien, die im Archiv liegen"),
        ("file that the archive holds", "files that the archive holds"),
    ),
    "notEmbedded": _on_purpose(
        ("Bild, das nicht im Archiv ist", "Bilder, die nicht im Archiv sind"),
        ("picture that the archive does not hold", "pictures that the archive does not hold"),
    ),
    "ciphertext": _on_purpose(
        ("Feld, das noch verschlüsselt ist", "Felder, die noch verschlüsselt sind"),
        ("field that is still encrypted", "fields that are still encrypted"),
    ),
    "dangling": _on_purpose(
        ("Verweis auf etwas, das nicht da ist", "Verweise auf etwas, das nicht da ist"),
        ("reference to what is not there", "references to what is not there"),
    ),
    "noPlace": _on_purpose(
        ("Eintrag ohne Ort", "Einträge ohne Ort"), ("entry without a place", "entries without a place")
    ),
    "noAddress": _on_purpose(
        ("Eintrag ohne Internetadresse", "Einträge ohne Internetadresse"),
        ("entry without a web address", "entries without a web address"),
    ),
    "noField": _on_purpose(
        ("Wert, für den dieses Format kein Feld hat", "Werte, für die dieses Format kein Feld hat"),
        ("value that this format has no field for", "values that this format has no field for"),
    ),
    "altered": _on_purpose(
        ("Wert, in dem Zeichen ersetzt wurden", "Werte, in denen Zeichen ersetzt wurden"),
        ("value in which characters were replaced", "values in which characters were replaced"),
    ),
    "noDay": _on_purpose(
        ("Wecker oder Plan ohne Tag", "Wecker und Pläne ohne Tag"),
        ("alarm or plan without a day", "alarms and plans without a day"),
    ),
    "switchedOff": _on_purpose(
        ("Wecker, der ausgeschaltet ist", "Wecker, die ausgeschaltet sind"),
        ("alarm that is switched off", "alarms that are switched off"),
    ),
    "noTime": _wrong(("Eintrag ohne Zeit", "Einträge ohne Zeit"), ("entry without a time", "entries without a time")),
    "oddTime": _wrong(
        ("Zeit, die kein Kalender kennt", "Zeiten, die kein Kalender kennt"),
        ("time that no calendar has", "times that no calendar has"),
    ),
    "oddRule": _wrong(
        ("Wiederholung, die keiner Regel folgt", "Wiederholungen, die keiner Regel folgen"),
        ("repetition that follows no rule", "repetitions that follow no rule"),
    ),
    "noName": _wrong(
        ("Kontakt ohne Namen", "Kontakte ohne Namen"), ("contact without a name", "contacts without a name")
    ),
    "oddValue": _wrong(
        ("Wert, den dieses Format nicht fasst", "Werte, die dieses Format nicht fasst"),
        ("value that this format cannot hold", "values that this format cannot hold"),
    ),
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
