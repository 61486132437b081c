"""An invented account in an archive: what the page is tried on and looked at with.

Rows as the web app writes them (forms of dates, tags in all three places, a series with its copies), in German, some in
English. Everything is made from fixed words and a fixed day: the same rows every time.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from manabackup.archive.blobs import BinaryAssets
from manabackup.archive.writer import About, ArchiveWriter, Seal, Written
from manabackup.sandbox.pictures import TYPES, Kind, Recipe

Row = dict[str, Any]
Tables = dict[str, list[Row]]

PASSPHRASE: Final = "Überraschung für Oma 🔑"
TODAY: Final = date(2026, 4, 28)
BERLIN: Final = ZoneInfo("Europe/Berlin")

SENTENCES: Final = (
    "Heute war ein stiller Tag, und ich habe lange am Fenster gesessen.",
    "Mit Jonas am See gewesen; das Wasser war noch viel zu kalt zum Baden.",
    "Die neue Stelle macht mir Freude, auch wenn ich abends müde bin.",
    "Oma hat angerufen und von früher erzählt. Ich will das aufschreiben, solange sie noch da ist.",
    "Im Garten blühen die ersten Tulpen.",
    "Zu viel gearbeitet, zu wenig geschlafen. Morgen wird es besser.",
    "Ein gutes Gespräch mit Mira über das, was wirklich zählt.",
    "Regen, den ganzen Tag. Suppe gekocht und gelesen.",
    "Ich bin dankbar für diesen Sommer.",
    "Der Zug hatte Verspätung, aber ich habe jemanden kennengelernt, der Geigen baut.",
)
TITLES: Final = (
    "Ein ruhiger Tag",
    "Am See",
    "Neuanfang",
    "Bei Oma",
    "Frühling",
    "Müde",
    "Gespräch",
    "Regentag",
    "Dankbar",
    "Unterwegs",
)
MOODS: Final = ("dankbar", "glücklich", "zufrieden", "neutral", "nachdenklich", "traurig", "gestresst")


def uuid(kind: int, number: int) -> str:
    """An id as the web app makes them, but always the same."""
    return f"00000000-0000-4000-8{kind:03d}-{number:012d}"


def utc(when: datetime) -> str:
    """A clock in Berlin as the web app writes an instant."""
    return when.replace(tzinfo=BERLIN).astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def at(day: date, hour: int, minute: int = 0) -> str:
    return utc(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001  # a clock in Berlin


def journal() -> list[Row]:
    """Three years, with a gap; each 28 April has an entry, for "on this day"."""
    days = [TODAY - timedelta(days=offset) for offset in range(0, 1100, 4) if not 400 < offset < 520]
    days += [TODAY.replace(year=year) for year in (2023, 2024, 2025) if TODAY.replace(year=year) not in days]
    rows = []
    for number, day in enumerate(sorted(days)):
        paragraphs = [SENTENCES[(number * 3 + step) % len(SENTENCES)] for step in range(2 + number % 4)]
        rows.append(
            {
                "id": uuid(1, number),
                "title": TITLES[number % len(TITLES)] if number % 3 else None,
                "content": "\n\n".join(paragraphs),
                "entryDate": day.isoformat(),
                "mood": MOODS[number % len(MOODS)] if number % 5 else None,
                "tags": [["Familie"], ["Arbeit", "Müde"], [], ["Natur"]][number % 4],
                "isPinned": number % 40 == 0,
                "isArchived": number % 50 == 7,
                "isFavorite": number % 25 == 3,
                "wordCount": sum(len(text.split()) for text in paragraphs),
            }
        )
    return rows


def dreams() -> list[Row]:
    """One a month."""
    return [
        {
            "id": uuid(2, number),
            "title": ["Das Haus am Meer", "Fliegen", "Verlorene Schlüssel", "Großvaters Werkstatt"][number % 4],
            "content": "Ich ging durch ein Haus; jedes Zimmer war eine andere Jahreszeit.\nIm letzten schneite es.",
            "dreamDate": (TODAY - timedelta(days=31 * number)).isoformat(),
            "mood": ["angenehm", "neutral", "albtraum"][number % 3],
            "symbols": ["Haus", "Wasser"] if number % 2 else ["Schlüssel"],
            "emotions": ["Staunen"],
            "people": ["Großvater"] if number % 4 == 3 else [],
            "isLucid": number % 5 == 0,
            "clarity": 1 + number % 5,
            "sleepQuality": 4,
            "bedtime": "23:10",
            "wakeTime": "06:45",
        }
        for number in range(14)
    ]


def notes() -> list[Row]:
    """Markdown, and what looks like it."""
    texts = [
        (
            "Packliste Norwegen",
            "# Packliste\n\n- [x] Zelt\n- [x] Kocher\n"
            "- [ ] **Regenjacke** (die gute!)\n- [ ] Karten, siehe [Kartverket](https://kartverket.no)\n\n"
            "> Weniger ist mehr.\n\n"
            "| Tag | Strecke | km |\n| --- | --- | --- |\n"
            "| 1 | Gjendesheim – Memurubu | 14 |\n| 2 | Memurubu – Gjendebu | 10 |\n",
        ),
        (
            "Rezeptidee",
            "Rote-Bete-Risotto mit *Ziegenkäse* und gerösteten Walnüssen.\n\n"
            "1. Rote Bete backen\n2. Reis anschwitzen\n3. `Geduld` haben",
        ),
        ("Buchzitate", "„Man sieht nur mit dem Herzen gut.“\n\n---\n\n„Wer ein Warum hat, erträgt fast jedes Wie.“"),
        (
            "Meeting notes",
            "Decisions:\n\n* ship in May\n* ask Priya about the *budget*\n\n```\nsum(x for x in costs)\n```",
        ),
        ("", "Nur ein Gedanke ohne Überschrift: Zeit ist das, was man daraus macht."),
        ("Geschenke", "Mira: Aquarellkasten\nJonas: Buch über Geigenbau\nOma: Fotos vom See"),
    ]
    return [
        {
            "id": uuid(3, number),
            "title": title,
            "content": text,
            "isPinned": number == 0,
            "isArchived": number == 5,
            "color": "#F59E0B",
        }
        for number, (title, text) in enumerate(texts)
    ]


def tasks() -> list[Row]:
    """With all forms of dueDate."""
    due: list[str | None] = [
        "2026-04-30",
        "2026-05-02T00:00:00.000Z",
        at(date(2026, 5, 3), 0),
        at(date(2026, 5, 4), 14, 30),
        None,
    ]
    names = [
        "Steuerunterlagen sortieren",
        "Fahrrad zur Werkstatt",
        "Zahnarzt anrufen",
        "Bewerbung abschicken",
        "Balkon bepflanzen",
    ]
    names += [
        "Oma zum Geburtstag schreiben",
        "Versicherung kündigen",
        "Bücher zurückgeben",
        "Winterreifen einlagern",
        "Backup prüfen",
    ]
    return [
        {
            "id": uuid(4, number),
            "title": name,
            "description": "Ordner 2025, alphabetisch" if number == 0 else None,
            "projectId": uuid(5, number % 2),
            "priority": ["high", "medium", "low", "urgent"][number % 4],
            "isCompleted": number >= 6,
            "completedAt": at(TODAY - timedelta(days=number), 17) if number >= 6 else None,
            "dueDate": due[number % 5],
            "estimatedDuration": [5400, 30, 60, None][number % 4],
            "order": number,
            "subtasks": [
                {"id": "st-1", "title": "Belege scannen", "isCompleted": True, "completedAt": at(TODAY, 9), "order": 0},
                {"id": "st-2", "title": "Quittungen prüfen", "isCompleted": False, "completedAt": None, "order": 1},
            ]
            if number == 0
            else None,
            "metadata": {"labelIds": [uuid(6, number % 3)], "storyPoints": 3} if number % 3 == 0 else None,
            "visibility": "private",
        }
        for number, name in enumerate(names)
    ]


def contacts() -> list[Row]:
    """People, one firm without a person, and the account's owner."""
    people = [
        ("Mira", "Okafor"),
        ("Jonas", "Lindqvist"),
        ("Elisabeth", "Beispiel"),
        ("Tarek", "Yılmaz"),
        ("Priya", "Raman"),
        ("Łukasz", "Żak"),
    ]
    rows: list[Row] = [
        {
            "id": uuid(7, number),
            "firstName": first,
            "lastName": last,
            "email": f"{first.lower().replace('ł', 'l')}@example.org",
            "phone": f"+49 30 5550{number:02d}",
            "birthday": f"19{60 + number * 6}-0{1 + number}-2{number}",
            "city": ["Berlin", "Uppsala", "Freiburg", "Köln", "Chennai", "Gdańsk"][number],
            "country": ["Deutschland", "Schweden", "Deutschland", "Deutschland", "Indien", "Polen"][number],
            "latitude": 52.52 if number == 0 else None,
            "longitude": 13.405 if number == 0 else None,
            "notes": "Mag Tee lieber als Kaffee." if number % 2 else None,
            "tagIds": [uuid(6, 0)] if number < 3 else [],
            "isFavorite": number in (0, 2),
            "isArchived": False,
            "website": "www.example.org" if number == 4 else None,
        }
        for number, (first, last) in enumerate(people)
    ]
    rows.append(
        {
            "id": uuid(7, 90),
            "company": "Geigenbau Sommer",
            "email": "werkstatt@example.org",
            "isArchived": False,
            "tags": ["Musik"],
        }
    )
    rows.append(
        {
            "id": "self-contact",
            "firstName": "Anna",
            "lastName": "Beispiel",
            "email": "anna@example.org",
            "birthday": "1991-09-03",
        }
    )
    return rows


def calendar() -> Tables:
    """A series with its copies, all-day ones in three spellings, one over midnight."""
    events: list[Row] = []
    blocks: list[Row] = []

    def event(number: int, title: str, start: str, end: str | None, **more: Any) -> None:
        block_fields: Row = {
            key: more.pop(key) for key in ("allDay", "recurrenceRule", "parentBlockId", "recurrenceDate") if key in more
        }
        owner = more.pop("owner", None)
        if owner is None:
            events.append(
                {
                    "id": uuid(8, number),
                    "calendarId": uuid(9, 0),
                    "timeBlockId": uuid(10, number),
                    "title": title,
                    **more,
                }
            )
        blocks.append(
            {
                "id": uuid(10, number),
                "startDate": start,
                "endDate": end,
                "allDay": False,
                "isLive": False,
                "timezone": None,
                "recurrenceRule": None,
                "kind": "scheduled",
                "type": "event",
                "sourceModule": "calendar",
                "sourceId": owner or uuid(8, number),
                "title": title,
                "parentBlockId": None,
                **block_fields,
            }
        )

    first = date(2026, 3, 3)
    event(
        0,
        "Chorprobe",
        at(first, 19),
        at(first, 21),
        recurrenceRule="FREQ=WEEKLY;BYDAY=TU",
        location="Gemeindesaal",
        description="Noten mitbringen",
    )
    for week in range(8):
        day = first + timedelta(days=7 * week)
        late = 30 if week == 5 else 0
        event(
            100 + week,
            "Chorprobe",
            at(day, 19, late),
            at(day, 21, late),
            owner=uuid(8, 0),
            parentBlockId=uuid(10, 0),
            recurrenceDate=day.isoformat(),
        )
    event(1, "Zahnarzt", at(date(2026, 4, 15), 8, 30), at(date(2026, 4, 15), 9), color="#EF4444")
    event(
        2,
        "Urlaub Norwegen",
        at(date(2026, 5, 1), 0),
        at(date(2026, 5, 5), 23, 59),
        allDay=True,
        location="Jotunheimen",
        tagIds=[uuid(6, 2)],
    )
    event(3, "Geburtstag Mira", "2026-04-20T00:00:00", "2026-04-20T23:59:59", allDay=True)
    event(4, "Nachtzug nach Wien", at(date(2026, 4, 24), 22, 15), at(date(2026, 4, 25), 7, 30))
    event(5, "Mittagessen mit Jonas", "2026-04-28T12:30:00", "2026-04-28T13:30:00", location="Café Einstein")
    for number, day in enumerate(
        [date(2026, 4, 6), date(2026, 4, 8), date(2026, 4, 21), date(2026, 4, 28), date(2026, 4, 28)]
    ):
        event(
            10 + number,
            ["Teamrunde", "Kino", "Elternabend", "Yoga", "Lesekreis"][number],
            at(day, 17 + number % 4),
            at(day, 18 + number % 4),
        )
    blocks.append(
        {
            "id": uuid(10, 900),
            "startDate": "2026-04-01T07:00:00",
            "endDate": at(date(2026, 4, 1), 7, 20),
            "allDay": False,
            "recurrenceRule": "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR",
            "kind": "scheduled",
            "type": "habit",
            "sourceModule": "habits",
            "sourceId": uuid(11, 0),
            "title": "Laufen",
            "parentBlockId": None,
            "color": "#22C55E",
        }
    )
    habits = [
        {
            "id": uuid(11, 0),
            "title": "Laufen",
            "targetPerDay": 1,
            "defaultDuration": 1200,
            "order": 0,
            "schedule": {"days": [1, 3, 5], "time": "07:00"},
            "isArchived": False,
        }
    ]
    calendars = [
        {
            "id": uuid(9, 0),
            "name": "Privat",
            "color": "#3B82F6",
            "isDefault": True,
            "isVisible": True,
            "timezone": "Europe/Berlin",
        }
    ]
    return {"timeBlocks": blocks, "calendars": calendars, "events": events, "habits": habits}


def chats() -> Tables:
    """Messages without a time of their own."""
    words = [
        ("user", "Wie backe ich ein Roggenbrot ohne Hefe?"),
        (
            "assistant",
            "Mit **Sauerteig**. Du brauchst:\n\n1. 500 g Roggenmehl\n2. 350 ml Wasser\n"
            "3. 150 g Sauerteig\n4. 10 g Salz\n\n"
            "Alles mischen, *zwölf Stunden* gehen lassen und bei 230 °C backen. Siehe auch <https://example.org/brot>.",
        ),
        ("user", "Und wenn ich keinen Sauerteig habe?"),
        (
            "assistant",
            "Dann setzt du einen an: jeden Tag etwas Mehl und Wasser, fünf Tage lang.\n\n"
            "```text\nTag 1: 50 g Mehl, 50 g Wasser\nTag 2: das Gleiche\n```",
        ),
        ("user", "Danke! <script>alert('nur Text')</script>"),
    ]
    messages = [
        {"id": uuid(13, 9 - number), "conversationId": uuid(12, 0), "sender": sender, "messageText": text}
        for number, (sender, text) in enumerate(words)
    ]
    conversations: list[Row] = [
        {"id": uuid(12, 0), "title": "Brot backen", "isArchived": False, "isPinned": True},
        {"id": uuid(12, 1), "title": "Leeres Gespräch"},
    ]
    return {"conversations": conversations, "messages": messages}


def money() -> Tables:
    """In cents and in euros."""
    categories = [
        {"id": uuid(14, 0), "name": "Lebensmittel", "type": "expense", "order": 0},
        {"id": uuid(14, 1), "name": "Gehalt", "type": "income", "order": 1},
    ]
    transactions: list[Row] = [
        {
            "id": uuid(15, number),
            "type": "income" if number % 6 == 0 else "expense",
            "amount": 2450 if number % 6 == 0 else [12.5, 3.99, 47.3, 8, 120.05][number % 5],
            "categoryId": uuid(14, 1 if number % 6 == 0 else 0),
            "description": "Gehalt"
            if number % 6 == 0
            else ["Wochenmarkt", "Bäckerei", "Supermarkt", "Café", "Fahrradteile"][number % 5],
            "date": (TODAY - timedelta(days=5 * number)).isoformat(),
        }
        for number in range(24)
    ]
    invoices = [
        {
            "id": uuid(16, 0),
            "number": "2026-0042",
            "status": "sent",
            "clientSource": "invoice-client",
            "clientSnapshot": {"name": "Atelier Nord", "city": "Zürich", "email": "atelier@example.org"},
            "currency": "CHF",
            "issueDate": "2026-03-31",
            "dueDate": "2026-04-30",
            "lines": [
                {
                    "id": "l1",
                    "title": "Illustration",
                    "quantity": 3,
                    "unit": "Stück",
                    "unitPrice": 24000,
                    "vatRate": 8.1,
                    "discount": 0,
                },
                {
                    "id": "l2",
                    "title": "Reinzeichnung",
                    "quantity": 2.5,
                    "unit": "Std.",
                    "unitPrice": 9550,
                    "vatRate": 8.1,
                    "discount": 10,
                },
            ],
            "subject": "Illustrationen Frühjahr",
            "totals": {
                "net": 93488,
                "vat": 7573,
                "gross": 101061,
                "vatBreakdown": [{"rate": 8.1, "base": 93488, "tax": 7573}],
            },
        }
    ]
    return {"financeCategories": categories, "transactions": transactions, "invoices": invoices}


def others() -> Tables:
    """HTML, TipTap, enums, links, secrets, and a table that nobody knows."""
    html = (
        "<h2>Warum Wälder atmen</h2><p>Ein <strong>Baum</strong> gibt am Tag bis zu <em>400 Liter</em> Wasser ab.</p>"
        '<img src="https://example.org/tracker.gif" alt="Ein Wald im Nebel">'
        '<script>document.title="hacked"</script>'
        '<p style="position:fixed">Mehr bei <a href="javascript:alert(1)">uns</a> und '
        '<a href="https://example.org">dort</a>.</p>'
        "<ul><li>Buche</li><li>Eiche</li></ul>"
        "<table><tr><th>Art</th><th>Höhe</th></tr><tr><td>Fichte</td><td>50 m</td></tr></table>"
    )
    tiptap = {
        "type": "doc",
        "content": [
            {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Frühlingsbrief"}]},
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "Liebe Freunde, "},
                    {"type": "text", "text": "es gibt Neues!", "marks": [{"type": "bold"}]},
                ],
            },
        ],
    }
    return {
        "articles": [
            {
                "id": uuid(20, 0),
                "title": "Warum Wälder atmen",
                "originalUrl": "https://example.org/wald",
                "author": "L. Grün",
                "siteName": "Beispiel",
                "content": "…",
                "htmlContent": html,
                "status": "finished",
                "savedAt": at(TODAY, 8),
                "readingTimeMinutes": 4,
                "wordCount": 812,
                "readingProgress": 1,
                "isFavorite": True,
            }
        ],
        "articleHighlights": [
            {
                "id": uuid(21, 0),
                "articleId": uuid(20, 0),
                "text": "Ein Baum gibt am Tag bis zu 400 Liter Wasser ab.",
                "color": "yellow",
                "startOffset": 19,
            }
        ],
        "broadcastCampaigns": [
            {
                "id": uuid(22, 0),
                "name": "Frühling",
                "subject": "Frühlingsbrief",
                "status": "sent",
                "sentAt": at(TODAY, 10),
                "fromName": "Anna",
                "content": {"tiptap": tiptap, "html": "<h2>Frühlingsbrief</h2>", "plainText": "Frühlingsbrief"},
                "audience": {"filters": [], "estimatedCount": 12},
            }
        ],
        "libraryEntries": [
            {
                "id": uuid(23, number),
                "kind": "book",
                "status": ["completed", "active", "planned"][number],
                "title": title,
                "creators": [author],
                "rating": [4.5, None, None][number],
                "tags": ["Natur"],
                "genres": ["Roman"],
                "completedAt": "2026-02-11" if number == 0 else None,
                "details": {"kind": "book", "pages": 320, "format": "paperback"},
            }
            for number, (title, author) in enumerate(
                [("Der Berg und das Tal", "E. Muster"), ("Kleine Wörter", "T. Probe"), ("Nordlicht", "S. Entwurf")]
            )
        ],
        "moodEntries": [
            {
                "id": uuid(24, number),
                "emotion": ["calm", "happy", "tired"][number % 3],
                "level": 4 + number % 6,
                "date": (TODAY - timedelta(days=number)).isoformat(),
                "time": "21:30",
                "activity": "resting",
                "tags": [],
            }
            for number in range(30)
        ],
        "globalTags": [
            {"id": uuid(6, number), "name": name, "color": color}
            for number, (name, color) in enumerate(
                [("Freunde", "#EC4899"), ("Dringend", "#EF4444"), ("Reise", "#0EA5E9")]
            )
        ],
        "noteTags": [{"id": uuid(25, 0), "noteId": uuid(3, 0), "tagId": uuid(6, 2)}],
        "todoProjects": [
            {"id": uuid(5, number), "name": name, "order": number} for number, name in enumerate(["Haushalt", "Beruf"])
        ],
        "manaLinks": [
            {
                "id": uuid(26, number),
                "pairId": "p1",
                "direction": direction,
                "sourceApp": "notes",
                "sourceCollection": "notes",
                "sourceId": uuid(3, 0),
                "targetApp": "calendar",
                "targetCollection": "events",
                "targetId": uuid(8, 2),
                "linkType": "related",
            }
            for number, direction in enumerate(["forward", "reverse"])
        ],
        "links": [
            {
                "id": uuid(27, 0),
                "title": "Fotos vom See",
                "shortCode": "see26",
                "originalUrl": "https://example.org/fotos",
                "password": "geheim123",
                "isActive": True,
            }
        ],
        "userSettings": [{"id": "settings", "key": "theme", "theme": "dark"}],
        "future.things": [{"id": "t-1", "title": "Aus der Zukunft", "payload": {"deep": [1, 2, {"x": None}]}}],
    }


def example() -> Tables:
    """All rows, by table."""
    return {
        "journalEntries": journal(),
        "dreams": dreams(),
        "notes": notes(),
        "tasks": tasks(),
        "contacts": contacts(),
        **calendar(),
        **chats(),
        **money(),
        **others(),
    }


def _text(value: Row) -> bytes:
    """As ``mana-v2.md`` writes rows: halves of characters escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


@dataclass(frozen=True)
class Kept:
    """A file of the invented account."""

    content: bytes
    line: dict[str, Any]
    """Of the index of files, without ``sha256`` and ``size``."""

    @property
    def sha256(self) -> str:
        """Its name in the archive."""
        return hashlib.sha256(self.content).hexdigest()

    def index_line(self) -> bytes:
        """As ``meta/blobs.jsonl`` has it."""
        return _text({**self.line, "sha256": self.sha256, "size": len(self.content)})


def files() -> list[Kept]:
    """Pictures of some days, a document, and one that calls itself a picture and is none."""
    note, event = ("notes", uuid(3, 0)), ("events", uuid(8, 2))

    def kept(content: bytes, kind: str, row: tuple[str, str], **more: Any) -> Kept:
        rows = [{"table": row[0], "id": row[1], "field": "content"}]
        return Kept(content, {"rows": rows, "type": kind, **more})

    def taken(day: int) -> dict[str, Any]:
        return {"told": {"exif": {"dateTaken": f"2025-07-{day:02}T10:20:30.000Z"}}}

    kinds: tuple[Kind, ...] = ("jpeg", "png", "webp")
    pictures = [
        kept(Recipe(kind, seed, 480, 360).make(), TYPES[kind], note, name=f"IMG_{seed}.{kind}", **taken(1 + seed // 4))
        for seed in range(12)
        for kind in [kinds[seed % 3]]
    ]
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>globalThis.ran = true</script></svg>"
    return [
        *pictures,
        kept(Recipe("pdf", 1, size=9_000).make(), "application/pdf", event, name="Buchung.pdf"),
        kept(svg, "image/svg+xml", note, name="drawing.svg"),
        kept(b"<script>globalThis.ran = true</script>", "text/html", note, name="page.html"),
        kept(b"no picture at all", "image/jpeg", event, name="broken.jpg"),
    ]


def media(number: int, what: str = "file") -> str:
    """The address of a file of :func:`illustrated` at the media service."""
    return f"https://media.mana.how/api/v1/media/{uuid(40, number)}/{what}"


def illustrated(html: str) -> tuple[Tables, list[Kept]]:
    """A newsletter, a note, an article of this HTML and a conversation with pictures in their texts, and the pictures:
    number 0 to 3 are there, number 4 was lost, number 5 is no picture."""
    row = {"newsletter": uuid(41, 0), "note": uuid(41, 1), "article": uuid(41, 2), "message": uuid(41, 3)}
    image = {"type": "image", "attrs": {"src": media(0), "alt": "Das Haus am See"}}
    words = [{"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in ("Davor", "Danach")]
    letter = {"html": "", "plainText": "", "tiptap": {"type": "doc", "content": [words[0], image, words[1]]}}
    note = f"Davor\n\n![Tulpen]({media(1, 'transform?w=400')}) mitten\n\n![Regen]({media(4)})\n\nDanach"
    tables: Tables = {
        "broadcastCampaigns": [{"id": row["newsletter"], "subject": "Rundbrief", "content": letter}],
        "notes": [{"id": row["note"], "title": "Ausflug", "content": note}],
        "articles": [{"id": row["article"], "title": "Wald", "content": "x", "htmlContent": html}],
        "conversations": [{"id": uuid(42, 0), "title": "Malen"}],
        "messages": [
            {
                "id": row["message"],
                "conversationId": uuid(42, 0),
                "sender": "assistant",
                "messageText": f"![Skizze]({media(3)})",
            }
        ],
    }
    places = [
        ("broadcastCampaigns", "newsletter", "content.tiptap"),
        ("notes", "note", "content"),
        ("articles", "article", "htmlContent"),
        ("messages", "message", "messageText"),
    ]
    kept = []
    for number, (table, name, field) in enumerate(places):
        line = {"rows": [{"table": table, "id": row[name], "field": field}], "type": TYPES["jpeg"]}
        kept.append(Kept(Recipe("jpeg", number, 480, 360).make(), {**line, "ids": [uuid(40, number)]}))
    refers_html = [{"table": "articles", "id": row["article"], "field": "htmlContent"}]
    kept.append(Kept(b"<svg/>", {"rows": refers_html, "type": "image/svg+xml", "ids": [uuid(40, 5)], "name": "svg"}))
    return tables, kept


LOST: Final = _text(
    {
        "addresses": ["storage:x"],
        "ids": [uuid(40, 4)],
        "lost": "gone",
        "reason": "404",
        "rows": [{"field": "content", "id": note, "table": "notes"} for note in ("n", uuid(41, 1))],
    }
)


def write(
    path: Path,
    tables: Tables,
    *,
    passphrase: str | None = None,
    partial: bool = False,
    private: bool = False,
    kept: Sequence[Kept] = (),
) -> Written:
    """An archive of these rows and files, with meta lines as an export has them."""
    losses = {
        "status": "partial",
        "losses": {
            "undecryptable": {
                "count": 3,
                "cases": [{"table": "notes", "id": "n-1", "field": "content", "reason": "key"}],
            }
        },
        "notices": {
            "unknownCollection": {"count": 1, "cases": [{"table": "future.things", "reason": "future/things"}]}
        },
    }
    with path.open("w+b") as file:
        seal = Seal(passphrase, private=private) if passphrase else None
        with ArchiveWriter(file, tables=list(tables), seal=seal, make_spool_file=tempfile.TemporaryFile) as writer:
            for name, rows in tables.items():
                table = writer.table(name)
                for row, meta in lines(rows):
                    table.add(row, meta)
                table.close()
            ordered = sorted(kept, key=lambda each: each.sha256)
            for each in ordered:
                writer.file(each.sha256, len(each.content), [each.content])
            if ordered:
                writer.add("meta/blobs.jsonl", b"".join(each.index_line() + b"\n" for each in ordered) + LOST + b"\n")
            writer.add(
                "meta/actors.jsonl",
                b'{"displayName":"Anna Beispiel","kind":"user","principalId":"u-anna"}\n'
                b'{"displayName":"Assistent","kind":"ai"}\n',
            )
            writer.add("meta/spaces.jsonl", b'{"id":"s-1","type":"personal"}\n')
            about = About("u-anna", "2026-04-28T18:30:00.000Z", {"type": "full"}, fields_plaintext=True)
            assets = BinaryAssets(len(kept) + 1, 1) if kept else None
            additions: dict[str, Any] = {"completeness": losses if partial else {"status": "complete"}}
            return writer.finish(about, additions, assets=assets)


def lines(rows: list[Row]) -> Iterator[tuple[bytes, bytes]]:
    """Rows and meta lines as text, sorted by id. Of chat messages the times run against the ids."""
    for number, row in enumerate(sorted(rows, key=lambda row: str(row["id"]))):
        created = datetime(2026, 4, 20, 9, tzinfo=ZoneInfo("UTC")) - timedelta(minutes=number)
        stamp = created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        changed = {"actor": 1, "at": "2026-04-27T11:02:03.000Z", "origin": "agent"}
        meta = {
            "actor": 0,
            "at": stamp,
            "fields": {"title": changed} if "title" in row and number % 3 == 0 else {},
            "id": row["id"],
            "origin": "user",
            "sealed": [],
            "space": 0,
        }
        ordered = {"id": row["id"], **{key: row[key] for key in sorted(row) if key != "id"}}
        yield _text(ordered), _text(meta)
