"""The README beside CSV files: what is where, and what CSV cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model.tables import Language
from .reading import Reading, told_by_label

_WORDS: Final[dict[Language, dict[str, str]]] = {
    "de": {
        "title": "Aus Mana, als Tabellen",
        "files": "Dateien",
        "rows": "Zeilen",
        "columns": """Spalten
-------
Jede Zeile beginnt mit ihrer id. Leer heißt: nicht da, null oder leerer Text. Listen einfacher Werte sind mit "; "
verbunden, andere verschachtelte Werte stehen als JSON da. Neben Werten mit festen Namen steht deren Bezeichnung
(..._label), neben Geld der genaue Betrag mit Vorzeichen (..._decimal) und die Währung. tag_names sind die Namen der
Tags, starts und ends die Zeiten aus dem Kalender, created und modified die Zeiten der Entstehung und der letzten
Änderung. more enthält, was sonst noch in der Zeile steht.

Vor Zellen, die eine Tabellenkalkulation ausrechnen würde, steht ein Apostroph; vor solchen, die mit einem beginnen,
auch.

LibreOffice und Excel fragen beim Öffnen nach dem Zeichensatz: UTF-8.

Was CSV nicht fasst: den Unterschied zwischen leer, null und nicht da; Typen; Verweise (ids bleiben Text).""",
        "left": "Nicht enthalten",
        "nothing": "nichts",
    },
    "en": {
        "title": "Out of Mana, as tables",
        "files": "Files",
        "rows": "rows",
        "columns": """Columns
-------
Each row begins with its id. Empty means: not there, null, or an empty text. Lists of single values are joined by "; ",
other nested values stand as JSON. Beside values with fixed names stands what they are called (..._label), beside money
the exact amount with its sign (..._decimal) and its currency. tag_names are the names of the tags, starts and ends the
times in the calendar, created and modified when the row was made and last changed. more is what else the row holds.

Before cells that a spreadsheet would compute stands an apostrophe; before those that begin with one, too.

LibreOffice and Excel ask for the character set when they open a file: UTF-8.

What CSV cannot hold: the difference between empty, null and not there; types; references (ids stay texts).""",
        "left": "Left out",
        "nothing": "nothing",
    },
}


def readme(reading: Reading, files: Sequence[tuple[str, str, int]]) -> str:
    """Its text. ``files``: (name, table, records)."""
    words, language = _WORDS[reading.language], reading.language
    lines = [words["title"], "=" * len(words["title"]), "", words["files"], "-" * len(words["files"])]
    for name, table, count in files:
        model = reading.model(table)
        label = f"{model.label.of(language)}, " if model is not None else ""
        lines.append(f"{name}: {label}{words['rows']}: {count:,}")
    lines += ["", words["columns"], "", words["left"], "-" * len(words["left"])]
    told = list(told_by_label(reading))
    lines += told or [words["nothing"]]
    return "\n".join(lines) + "\n"
