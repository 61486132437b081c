"""The words of reports, in German and English."""

from __future__ import annotations

import re
from typing import Final

from ...model.tables import Language as Language

WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Bericht über ein Archiv", "Report on an archive"),
    "about": ("Über das Archiv", "About the archive"),
    "file": ("Datei", "File"),
    "made": ("Erstellt", "Made"),
    "maker": ("Erstellt mit", "Made with"),
    "account": ("Konto", "Account"),
    "scope": ("Umfang", "Scope"),
    "everything": ("alles", "everything"),
    "content": ("Inhalt", "Content"),
    "size": ("Größe", "Size"),
    "sealed": ("Versiegelt", "Sealed"),
    "sealed_yes": ("ja", "yes"),
    "sealed_no": ("nein, alle können es lesen", "no, everybody can read it"),
    "digest": ("Inhalt (SHA-256)", "Content (SHA-256)"),
    "whole": ("Ist es vollständig?", "Is it whole?"),
    "whole_yes": ("Unversehrt: Jedes Byte wurde geprüft.", "Whole: every byte was verified."),
    "plain": (
        "Es ist nicht versiegelt: Seine Prüfsummen finden Schäden, aber "
        "niemanden, der es geändert und sie neu berechnet hat.",
        "It is not sealed: its checksums find damage, not somebody who changed it and computed them anew.",
    ),
    "whole_no": ("Nicht unversehrt.", "Not whole."),
    "whole_no_advice": (
        "Nimm eine andere Kopie. Bis eine gefunden ist, bewahre diese auf: Vieles lässt sich meist noch lesen.",
        "Take another copy. Until one is found keep this one: much of it can usually still be read.",
    ),
    "complete": ("Nichts fehlte, als es erstellt wurde.", "Nothing was missing when it was made."),
    "partial": ("Als es erstellt wurde, war manches nicht zu lesen:", "When it was made, something could not be read:"),
    "unknown": (
        "Wer es erstellt hat, sagt nicht, ob etwas fehlt.",
        "Its maker did not say whether something was missing.",
    ),
    "kind": ("Art", "Kind"),
    "count": ("Zahl", "Count"),
    "advice": ("Was zu tun ist", "What to do"),
    "notices": ("Gut zu wissen", "Worth knowing"),
    "inside": ("Was darin ist", "What is in it"),
    "app": ("App", "App"),
    "rows": ("Einträge", "Entries"),
    "bytes": ("Text", "Text"),
    "table": ("Tabelle", "Table"),
    "all": ("Alle", "All"),
    "activity": ("Über die Jahre", "Over the years"),
    "activity_legend": (
        "Einträge nach Jahr und App, nach ihrem eigenen Datum, sonst nach ihrer ersten Niederschrift",
        "Entries by year and app, by their own date, else by when they were first written",
    ),
    "activity_table": ("Die Zahlen als Tabelle", "The figures as a table"),
    "undated": ("Einträge ohne Zeit", "Entries without a time"),
    "others": ("Weitere", "Others"),
    "audit": ("Die letzte Prüfung des Kontos", "The latest audit of the account"),
    "audit_of": ("Stand", "As of"),
    "audit_clean": ("Nichts zu beanstanden.", "Nothing was found."),
    "severity": ("Schwere", "Severity"),
    "finding": ("Befund", "Finding"),
    "error": ("Fehler", "error"),
    "warning": ("Warnung", "warning"),
    "note": ("Hinweis", "note"),
    "written_by": ("Geschrieben von manabackup", "Written by manabackup"),
    "no_content": (
        "Kein Wort aus den Einträgen steht in diesem Bericht.",
        "No word of the entries stands in this report.",
    ),
}

LOSSES: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    "undecryptable": (
        (
            "Felder, die kein Schlüssel öffnet; sie blieben verschlüsselt erhalten",
            "fields that no key opens; their ciphertext was kept",
        ),
        ("Mit dem Schlüssel ihres Kontos noch einmal exportieren.", "Export again with their account's own key."),
    ),
    "malformedChange": (
        ("Änderungen, die keinen Sinn ergeben", "changes that make no sense"),
        (
            "Dem Projekt melden; der Rest des Archivs ist davon unberührt.",
            "Report them to the project; the rest of the archive is untouched.",
        ),
    ),
    "unreadableTie": (
        (
            "Augenblicke mit mehr Änderungen, als der Server herausgibt",
            "moments with more changes than the server gives",
        ),
        ("Später noch einmal exportieren.", "Export again later."),
    ),
    "unreadablePage": (
        ("Seiten, die der Server nicht geben konnte", "pages that the server failed to give"),
        (
            "Später noch einmal exportieren; bleibt es dabei, den Betreiber fragen.",
            "Export again later; if it stays, ask the operator.",
        ),
    ),
    "unreadableChange": (
        ("Änderungen, die zu groß sind", "changes that are too large"),
        ("Den Betreiber des Servers fragen.", "Ask the operator of the server."),
    ),
    "mirrorDamaged": (
        ("Stellen, an denen die lokale Kopie beschädigt war", "places where the local copy was damaged"),
        (
            "Noch einmal exportieren, während der Server zu erreichen ist: Er liefert nach.",
            "Export again while the server can be reached: it gives them anew.",
        ),
    ),
    "ciphertextLeftOut": (
        ("Felder, die sich nicht neu verschlüsseln ließen", "fields that could not be encrypted anew"),
        (
            "Das ursprüngliche Archiv aufbewahren: Dort stehen sie noch.",
            "Keep the original archive: they still stand there.",
        ),
    ),
    "tableSetAside": (
        ("unbekannte Sammlungen ohne Platz im Archiv", "unknown collections without a place in the archive"),
        ("Mit --tables einzeln exportieren.", "Export them alone, with --tables."),
    ),
    "notText": (
        ("Texte einer Datenbank, die kein UTF-8 sind", "texts of a database that are not UTF-8"),
        ("In der Datenbank berichtigen und noch einmal exportieren.", "Mend them in the database and export again."),
    ),
    "rowSetAside": (
        ("Einträge, die zu groß oder zu tief sind", "entries that are too large or too deep"),
        ("In der App kürzen und noch einmal exportieren.", "Shorten them in the app and export again."),
    ),
}

UNKNOWN_ADVICE: Final = (
    "`manabackup info` zeigt die Fälle; docs/troubleshooting.md sagt mehr.",
    "`manabackup info` shows the cases; docs/troubleshooting.md says more.",
)


_NOTES: Final = (
    (
        re.compile(r"fields that the writer could not open are still encrypted, in ([\d,]+) rows?"),
        "Felder, die sich nicht öffnen ließen, als es erstellt wurde, sind noch verschlüsselt; Einträge damit: {}",
    ),
    (
        re.compile("packed again by another program; what was in it is what it was"),
        "Ein anderes Programm hat es neu gepackt; was darin ist, ist dasselbe.",
    ),
    (re.compile(r"unknown entry (.+)", re.DOTALL), "Unbekannte Datei darin: {}"),
    (
        re.compile(r"an entry outside the seal, which is not read: (.+)", re.DOTALL),
        "Eine Datei außerhalb des Siegels, die nicht gelesen wird: {}",
    ),
)
"""What `verify` notes of an archive, and the same in German."""


def note(text: str, language: Language) -> tuple[str, Language]:
    """A note of `verify`'s, and the language that it is in: English, where nobody put it into German."""
    for pattern, german in _NOTES if language == "de" else ():
        if found := pattern.fullmatch(text):
            return german.format(*(_german_digits(group) for group in found.groups())), "de"
    return text, "en"


def _german_digits(text: str) -> str:
    return text.replace(",", ".") if re.fullmatch(r"[\d,]+", text) else text


def say(pair: tuple[str, str], language: Language) -> str:
    """One of a pair (German, English)."""
    return pair[0] if language == "de" else pair[1]


def number(value: int, language: Language) -> str:
    """With the language's separators of thousands."""
    return f"{value:,}".replace(",", ".") if language == "de" else f"{value:,}"


def size(count: int, language: Language) -> str:
    """Bytes in decimal units, to two or three digits."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    text = f"{value:.1f}" if value < 10 and units[0] != "B" else f"{value:.0f}"
    return f"{text.replace('.', ',') if language == 'de' else text} {units[0]}"
