"""``folder``: what a person keeps. All formats that apply, arranged, and a page that says what is where."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import Final

from ..host.output_folder import AtomicFolder
from . import bookmarks, csv, files, geojson, gpx, ics, json, markdown, opml, sqlite, vcf
from .places import has_places
from .reading import Reading, told_by_label

_WORDS: Final = {
    "de": {
        "title": "Aus Mana",
        "text": (
            "Texte",
            "Notizen, Tagebuch, Briefe und was sonst Worte hat, als Markdown (Obsidian, jeder Editor)",
        ),
        "calendar": ("Kalender", "Termine, Aufgaben, Routinen, Geburtstage (Thunderbird, Telefon)"),
        "contacts": ("Kontakte.vcf", "Kontakte (Telefon, Mailprogramm)"),
        "tables": ("Tabellen", "jede Tabelle für LibreOffice, Excel und Programme"),
        "places": ("Orte.geojson", "Orte, auf einer Karte zu sehen"),
        "tracks": ("Wege.gpx", "Orte und Wege (Karten-Apps)"),
        "bookmarks": ("Lesezeichen.html", "gespeicherte Artikel und Links (Browser)"),
        "feeds": ("Feeds.opml", "abonnierte Quellen (Feed-Leser)"),
        "files": ("Bilder und Dateien", "Bilder, Lieder und Dokumente, nach Tagen"),
        "database": ("Mana.sqlite", "alles in einer Datenbank, für wen SQL etwas ist"),
        "json": ("Mana.json", "alles in einer Datei, für Programme"),
        "missing": "Nicht enthalten",
        "nothing": "Es fehlt nichts.",
        "plain": "Dieser Ordner ist nicht verschlüsselt: wer ihn hat, kann ihn lesen.",
        "zone": "Ortszeiten sind die von",
    },
    "en": {
        "title": "Out of Mana",
        "text": ("Texts", "notes, journal, letters and everything else with words, as Markdown (Obsidian, any editor)"),
        "calendar": ("Calendars", "events, tasks, habits, birthdays (Thunderbird, phone)"),
        "contacts": ("Contacts.vcf", "contacts (phone, mail)"),
        "tables": ("Tables", "every table, for LibreOffice, Excel and programs"),
        "places": ("Places.geojson", "places, to be seen on a map"),
        "tracks": ("Tracks.gpx", "places and tracks (map apps)"),
        "bookmarks": ("Bookmarks.html", "saved articles and links (browsers)"),
        "feeds": ("Feeds.opml", "feeds (feed readers)"),
        "files": ("Pictures and files", "pictures, songs and documents, by day"),
        "database": ("Mana.sqlite", "everything in a database, for those who know SQL"),
        "json": ("Mana.json", "everything in one file, for programs"),
        "missing": "Left out",
        "nothing": "Nothing is missing.",
        "plain": "This folder is not encrypted: who holds it can read it.",
        "zone": "Local times are those of",
    },
}
_PARTS: Final = (
    "text",
    "calendar",
    "contacts",
    "tables",
    "places",
    "tracks",
    "bookmarks",
    "feeds",
    "files",
    "database",
    "json",
)
_NOT_MISSING: Final = frozenset(
    {"otherTable", "undescribed", "copy", "noPlace", "noField", "noDay", "switchedOff", "sameCard"}
)
"""What one part has no place for, and the database holds: nothing of it is left out of the folder."""


def convert(reading: Reading, folder: AtomicFolder) -> None:
    """Fill the folder."""
    words = _WORDS[reading.language]
    placed = tuple(name for name in reading.tables if has_places(reading, name))
    needs = {
        "contacts": ("contacts",),
        "places": placed,
        "tracks": placed,
        "bookmarks": ("articles", "newsArticles", "links"),
        "feeds": ("newsPreferences",),
    }
    made = []
    for name in _PARTS:
        if name == "files" and not files.can_be_chosen(reading):
            continue
        if name in needs and not any(reading.size(table) for table in needs[name] if reading.has(table)):
            continue
        place = str(words[name][0])
        _write(name, reading, folder, place)
        if name == "files":
            reading.left_out.counts.pop("file", None)  # those that no text shows
        made.append((place, str(words[name][1])))
    for kind in _NOT_MISSING:
        reading.left_out.counts.pop(kind, None)
    _readme(reading, folder, made, list(told_by_label(reading)))


def _write(name: str, reading: Reading, folder: AtomicFolder, place: str) -> None:
    """One format. What it leaves out counts once, however many leave out the same."""
    whole = reading.count_anew()
    if name in _FOLDERS:
        _FOLDERS[name](reading, _Inner(folder, place))
    elif name == "database":
        path = folder.place(place)
        with folder.file(place):
            pass
        sqlite.convert(reading, path)
    else:
        with folder.file(place) as file:
            _FILES[name](reading, file)
    for kind, tables in reading.left_out.counts.items():
        known = whole.counts.setdefault(kind, Counter())
        for table, count in tables.items():
            known[table] = max(known[table], count)
    reading.left_out = whole


_FILES: Final = {
    "contacts": vcf.convert,
    "places": geojson.convert,
    "tracks": gpx.convert,
    "bookmarks": bookmarks.convert,
    "feeds": opml.convert,
    "json": json.convert,
}


_FOLDERS: Final = {
    "text": markdown.convert,
    "calendar": ics.convert,
    "tables": csv.convert,
    "files": files.write_files,
}


class _Inner(AtomicFolder):
    """A folder within one that is being filled."""

    def __init__(self, outer: AtomicFolder, name: str) -> None:
        super().__init__(outer.path / name)
        self._outer = outer
        self._name = name

    def place(self, *names: str) -> Path:
        """Where a file of it is to be written."""
        return self._outer.place(self._name, *names)


def _readme(reading: Reading, folder: AtomicFolder, made: list[tuple[str, str]], missing: list[str]) -> None:
    words = _WORDS[reading.language]
    title, heading = str(words["title"]), str(words["missing"])
    notes = [str(words["plain"]), f"{words['zone']} {reading.zone}."]
    lost = missing or [str(words["nothing"])]
    lines = [f"# {title}", "", *(f"- **{place}**: {what}" for place, what in made), ""]
    lines += [*notes, "", f"## {heading}", "", *(f"- {line}" for line in lost)]
    folder.write(("\n".join(lines) + "\n").encode(), "README.md")
    rows = "".join(f'<li><a href="{escape(place)}">{escape(place)}</a>: {escape(what)}</li>\n' for place, what in made)
    html = (
        f'<!DOCTYPE html>\n<html lang="{reading.language}">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n"
        f"</head>\n<body>\n<h1>{escape(title)}</h1>\n<ul>\n{rows}</ul>\n"
        + "".join(f"<p>{escape(note)}</p>\n" for note in notes)
        + f"<h2>{escape(heading)}</h2>\n<ul>\n"
        + "".join(f"<li>{escape(line)}</li>\n" for line in lost)
        + "</ul>\n</body>\n</html>\n"
    )
    folder.write(html.encode(), "README.html")


_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}a{color:#8ab4f8}}"
)
