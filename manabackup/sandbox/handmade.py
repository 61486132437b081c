"""The tables that people use most: rows made by hand after rows that the web app writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..text.jsontext import JSON
from . import phrases
from .draft import Draft, Shape


def _task(d: Draft) -> dict[str, JSON]:
    done = d.chance(0.4)
    return {
        "title": d.text(phrases.TASKS),
        "description": d.maybe(lambda: d.text(phrases.TASK_NOTES), 0.4),
        "projectId": d.maybe(lambda: d.ref("todoProjects"), 0.6),
        "priority": d.pick(("low", "medium", "high", "urgent")),
        "isCompleted": done,
        "completedAt": d.instant() if done else None,
        "dueDate": d.maybe(lambda: d.day(d.integer(-5, 40)), 0.6),
        "scheduledBlockId": d.maybe(lambda: d.ref("timeBlocks"), 0.15),
        "estimatedDuration": d.maybe(lambda: d.integer(1, 16) * 900, 0.3),
        "order": d.integer(0, 60),
        "subtasks": [
            {
                "id": f"st-{n}",
                "title": d.text(phrases.SUBTASKS),
                "isCompleted": d.chance(0.5),
                "completedAt": None,
                "order": n,
            }
            for n in range(max(0, d.integer(-4, 4)))
        ],
        "transcriptModel": d.maybe(lambda: "whisperx-large-v3", 0.05),
        "metadata": {"labelIds": d.refs("globalTags", 2)},
    }


def _note(d: Draft) -> dict[str, JSON]:
    return {
        "title": d.text(phrases.NOTE_TITLES),
        "content": d.prose.note(),
        "color": d.maybe(lambda: d.pick(("#22c55e", "#3b82f6", "#f59e0b"))),
        "transcriptModel": None,
        "isPinned": d.chance(0.1),
        "isArchived": d.chance(0.1),
    }


def _journal_entry(d: Draft) -> dict[str, JSON]:
    content = d.prose.diary()
    return {
        "title": d.maybe(lambda: d.text(phrases.OPENINGS), 0.3),
        "content": content,
        "entryDate": d.day(-d.integer(0, 2)),
        "mood": d.maybe(lambda: d.pick(phrases.MOODS), 0.6),
        "tags": d.texts(phrases.TAGS, 3),
        "isPinned": d.chance(0.05),
        "isArchived": False,
        "isFavorite": d.chance(0.1),
        "wordCount": len(content.split()),
        "transcriptModel": None,
    }


def _dream(d: Draft) -> dict[str, JSON]:
    return {
        "title": d.maybe(lambda: d.text(phrases.SYMBOLS), 0.7),
        "content": d.prose.dream(),
        "transcript": d.maybe(d.prose.transcript, 0.2),
        "interpretation": d.maybe(lambda: d.text(phrases.INTERPRETATIONS), 0.4),
        "aiInterpretation": d.maybe(d.prose.paragraph, 0.2),
        "location": d.maybe(lambda: d.pick(phrases.CITIES), 0.2),
        "dreamDate": d.day(-d.integer(0, 1)),
        "clarity": d.integer(1, 5),
        "isLucid": d.chance(0.08),
        "symbols": d.texts(phrases.SYMBOLS, 3),
        "sleepQuality": d.maybe(lambda: d.integer(1, 5)),
        "timeBlockId": d.maybe(lambda: d.ref("timeBlocks"), 0.1),
        "isPrivate": d.chance(0.6),
    }


def _contact(d: Draft) -> dict[str, JSON]:
    first, city = d.pick(phrases.FIRST_NAMES), d.pick(phrases.CITIES)
    handle = first.lower().replace(" ", ".")
    return {
        "firstName": first,
        "lastName": d.maybe(lambda: d.pick(phrases.LAST_NAMES), 0.9),
        "email": d.maybe(lambda: f"{handle}@example.org", 0.7),
        "phone": d.maybe(lambda: f"+41 44 {d.integer(100, 999)} {d.integer(10, 99)} 00", 0.3),
        "mobile": d.maybe(lambda: f"0{d.integer(150, 179)}/{d.integer(10**6, 10**7)}", 0.7),
        "company": d.maybe(lambda: d.text(phrases.COMPANIES), 0.3),
        "jobTitle": d.maybe(lambda: d.pick(phrases.JOBS), 0.3),
        "street": d.maybe(lambda: f"{d.pick(phrases.STREETS)} {d.integer(1, 99)}{d.pick(('', 'a', ' ½'))}", 0.5),
        "city": city,
        "postalCode": d.prose.postal_code(),
        "country": d.pick(("DE", "CH", "AT", "GB")),
        "latitude": d.maybe(lambda: d.decimal(45.8, 55, 4), 0.2),
        "longitude": d.maybe(lambda: d.decimal(5.9, 15, 4), 0.2),
        "notes": d.maybe(d.prose.sentence, 0.4),
        "birthday": d.maybe(lambda: f"{d.integer(1930, 2020)}-02-{d.integer(10, 28)}", 0.4),
        "linkedin": d.maybe(lambda: handle, 0.1),
        "instagram": d.maybe(lambda: handle, 0.1),
        "github": d.maybe(lambda: handle, 0.05),
        "twitter": d.maybe(lambda: f"@{handle}", 0.05),
        "website": d.maybe(lambda: "https://example.org", 0.1),
        "tags": d.texts(phrases.TAGS, 2),
        "tagIds": d.refs("globalTags", 2),
        "isFavorite": d.chance(0.1),
        "isArchived": d.chance(0.05),
    }


def _time_block(d: Draft) -> dict[str, JSON]:
    module, table = d.pick(
        (("calendar", "events"), ("todo", "tasks"), ("habits", "habitLogs"), ("times", "timeEntries"))
    )
    start = d.instant(d.integer(-5, 30))
    return {
        "startDate": start,
        "endDate": d.maybe(lambda: start[:11] + "23:45:00.000Z", 0.9),
        "allDay": d.chance(0.1),
        "isLive": False,
        "timezone": d.pick(("Europe/Zurich", "Europe/Berlin", "Europe/London")),
        "recurrenceRule": d.maybe(lambda: f"FREQ=WEEKLY;COUNT={d.integer(2, 12)}", 0.1),
        "kind": d.pick(("scheduled", "logged")),
        "type": d.pick(("event", "task", "habit", "focus")),
        "sourceModule": module,
        "sourceId": d.ref(table) or f"focus-{d.id()}",
        "linkedBlockId": d.maybe(lambda: d.ref("timeBlocks"), 0.05),
        "parentBlockId": None,
        "recurrenceDate": None,
        "isRecurrenceException": False,
        "title": d.text(phrases.EVENTS),
        "description": d.maybe(d.prose.sentence, 0.2),
        "color": "#3b82f6",
        "icon": None,
        "projectId": None,
    }


def _event(d: Draft) -> dict[str, JSON]:
    return {
        "calendarId": d.ref("calendars") or "personal-calendar",
        "timeBlockId": d.ref("timeBlocks"),
        "title": d.text(phrases.EVENTS),
        "description": d.maybe(d.prose.sentence, 0.4),
        "location": d.maybe(lambda: d.text(phrases.LOCATIONS)),
        "color": "#3b82f6",
        "reminders": [{"minutesBefore": d.pick((5, 15, 60, 1440))}] if d.chance(0.5) else [],
        "tagIds": d.refs("globalTags", 2),
    }


def _conversation(d: Draft) -> dict[str, JSON]:
    return {
        "title": d.text(phrases.CONVERSATIONS),
        "modelId": d.pick(("mana-small", "mana-medium")),
        "templateId": d.maybe(lambda: d.ref("chatTemplates"), 0.2),
        "contextSpaceId": None,
        "conversationMode": d.pick(("free", "template", "guided")),
        "documentMode": d.chance(0.05),
        "isArchived": d.chance(0.1),
        "isPinned": d.chance(0.1),
    }


def _message(d: Draft) -> dict[str, JSON]:
    sender = d.pick(("user", "assistant"))
    return {
        "conversationId": d.linked("conversations"),
        "sender": sender,
        "messageText": d.prose.cut(d.text(phrases.CHAT_USER if sender == "user" else phrases.CHAT_ASSISTANT)),
    }


def _global_tag(d: Draft) -> dict[str, JSON]:
    return {
        "name": d.pick(phrases.TAGS),
        "color": d.pick(("#3B82F6", "#EF4444", "#22C55E")),
        "icon": d.maybe(lambda: d.pick(("Briefcase", "Heart", "House"))),
        "groupId": d.maybe(lambda: d.ref("tagGroups"), 0.3),
        "sortOrder": d.integer(0, 30),
    }


def _mana_link(d: Draft) -> dict[str, JSON]:
    return {
        "pairId": d.id(),
        "direction": d.pick(("forward", "reverse")),
        "sourceApp": "todo",
        "sourceCollection": "tasks",
        "sourceId": d.linked("tasks"),
        "targetApp": "notes",
        "targetCollection": "notes",
        "targetId": d.linked("notes"),
        "linkType": "related",
    }


def _kontext(d: Draft) -> dict[str, JSON]:
    goals = "\n- ".join(d.texts(phrases.GOALS, 3))
    return {"content": f"## Über mich\n{d.prose.paragraph()}\n\n## Ziele\n- {goals}"}


def _user_settings(d: Draft) -> dict[str, JSON]:
    return {
        "key": "global",
        "theme": d.pick(("dark", "light", "system")),
        "themeVariant": "default",
        "language": d.pick(("de", "en")),
        "pinnedThemes": d.pick((["ocean"], ["ocean", "sand"], [])),
        "hiddenNavItems": {name: d.chance(0.5) for name in ("news", "who", "moodlit")},
        "extra": {
            "startPage": d.pick(("/todo", "/journal")),
            "sidebar": {"width": d.integer(200, 400), "open": d.chance(0.5)},
        },
    }


def _user_context(d: Draft) -> dict[str, JSON]:
    return {
        "about": {
            "bio": d.prose.sentence(),
            "occupation": d.pick(phrases.JOBS),
            "location": d.pick(phrases.CITIES),
            "languages": ["de", "en"][: d.integer(1, 2)],
        },
        "interests": d.texts(phrases.INTERESTS, 4),
        "routine": {"wakeUp": d.clock(), "bedtime": d.clock(), "workDays": [1, 2, 3, 4][: d.integer(1, 4)]},
        "nutrition": {"diet": d.pick(("Vegetarisch", "Alles", "vegan")), "allergies": d.texts(("Nüsse", "Gräser"), 2)},
        "leisure": {"sports": d.texts(phrases.SPORTS, 2), "pets": d.pick(phrases.ANIMALS)},
        "goals": d.texts(phrases.GOALS, 3),
        "social": {"communication": "Direkt", "livingSetup": d.pick(("WG", "Familie", "allein"))},
        "freeform": d.prose.paragraph(),
        "interview": {
            "answeredIds": ["about-1", "goals-2"][: d.integer(0, 2)],
            "skippedIds": [],
            "lastSessionAt": d.instant(),
        },
    }


def _client(d: Draft) -> dict[str, JSON]:
    street, code, city = f"{d.pick(phrases.STREETS)} {d.integer(1, 99)}", d.prose.postal_code(), d.pick(phrases.CITIES)
    return {
        "name": d.text(phrases.COMPANIES),
        "address": f"{street}\n{code} {city}",
        "street": street,
        "zip": code,
        "city": city,
        "country": "DE",
        "email": "ap@kunde.example",
        "vatNumber": f"DE{d.integer(10**8, 10**9 - 1)}",
    }


def _invoice(d: Draft) -> dict[str, JSON]:
    lines: list[JSON] = []
    net = 0
    for index in range(d.integer(1, 5)):
        price = d.integer(20, 2000) * 50
        net += price
        lines.append(
            {
                "id": f"l{index + 1}",
                "title": d.text(phrases.INVOICE_LINES),
                "description": d.maybe(d.prose.sentence, 0.3),
                "quantity": d.decimal(0.5, 8),
                "unit": d.pick(("Tag", "Std.", "Stück", None)),
                "unitPrice": price,
                "vatRate": d.decimal(0, 19),
                "discount": d.maybe(lambda: d.integer(5, 20), 0.1),
            }
        )
    paid = d.chance(0.5)
    return {
        "number": f"{d.day()[:4]}-{d.integer(1, 9999):04d}",
        "status": "paid" if paid else d.pick(("draft", "sent")),
        "clientId": d.ref("invoiceClients"),
        "clientSource": "invoice-client",
        "clientSnapshot": _client(d),
        "currency": d.pick(("EUR", "CHF")),
        "issueDate": d.day(),
        "dueDate": d.day(30),
        "sentAt": d.maybe(d.instant),
        "paidAt": d.instant() if paid else None,
        "lines": lines,
        "subject": d.text(phrases.INVOICE_SUBJECTS),
        "notes": d.maybe(lambda: "Danke!", 0.3),
        "terms": "30 Tage netto",
        "referenceNumber": f"RF18{d.integer(10**12, 10**13)}",
        "pdfBlobKey": None,
        "totals": {"net": net, "vat": net // 5, "gross": net + net // 5, "vatBreakdown": [{"rate": 20, "base": net}]},
    }


def _invoice_settings(d: Draft) -> dict[str, JSON]:
    own = _client(d)
    return {
        "senderName": d.prose.person(),
        "senderAddress": own["address"],
        "senderStreet": own["street"],
        "senderZip": own["zip"],
        "senderCity": own["city"],
        "senderCountry": "CH",
        "senderVatNumber": f"CHE-{d.integer(100, 999)}.114.205 MWST",
        "senderBic": "POFICHBEXXX",
        "senderEmail": "ich@example.org",
        "senderIban": f"CH{d.integer(10, 99)} 0076 2011 6238 5295 7",
        "footer": d.prose.sentence(),
        "defaultTerms": "30 Tage netto",
        "nextNumber": d.integer(1, 900),
        "numbering": {"prefix": d.day()[:4], "digits": d.integer(3, 5)},
    }


def _meal(d: Draft) -> dict[str, JSON]:
    dish = d.pick(phrases.FOOD)
    return {
        "date": d.day(),
        "mealType": d.pick(("breakfast", "lunch", "dinner", "snack")),
        "inputType": d.pick(("photo", "text")),
        "description": dish,
        "portionSize": d.pick(("klein", "normal", "groß")),
        "confidence": d.decimal(0.3, 1, 2),
        "nutrition": {
            "calories": d.integer(80, 1200),
            "protein": d.decimal(0, 60),
            "fat": d.decimal(0, 60),
            "sugar": d.integer(0, 60),
        },
        "photoMediaId": d.maybe(d.media, 0.3),
        "foods": [{"name": dish, "quantity": d.pick(("300 g", "1 Tasse", "½ Teller")), "calories": d.integer(50, 900)}],
    }


def _habit(d: Draft) -> dict[str, JSON]:
    return {
        "title": d.text(phrases.HABITS),
        "icon": d.pick(("💧", "📖", "🏃")),
        "color": "#22c55e",
        "targetPerDay": d.maybe(lambda: d.integer(1, 8)),
        "defaultDuration": d.maybe(lambda: d.integer(5, 60) * 60),
        "schedule": d.maybe(lambda: {"days": [1, 3, 5], "time": d.clock()}, 0.4),
        "order": d.integer(0, 12),
        "isArchived": d.chance(0.1),
    }


def _habit_log(d: Draft) -> dict[str, JSON]:
    return {
        "habitId": d.linked("habits"),
        "timeBlockId": d.ref("timeBlocks"),
        "timestamp": d.instant(),
        "note": d.maybe(d.prose.sentence, 0.1),
    }


def _memo(d: Draft) -> dict[str, JSON]:
    return {
        "title": d.text(phrases.NOTE_TITLES),
        "intro": d.maybe(d.prose.sentence),
        "transcript": d.prose.transcript(),
        "audioDurationMs": d.integer(2_000, 1_200_000),
        "processingStatus": d.pick(("completed", "completed", "failed")),
        "isArchived": d.chance(0.1),
        "isPinned": d.chance(0.1),
        "blueprintId": None,
        "language": d.pick(("de", "en")),
        "source": {"type": "audio", "device": {"os": d.pick(("iOS", "Android")), "app": "2.4"}},
    }


def _place(d: Draft) -> dict[str, JSON]:
    return {
        "name": d.text(phrases.PLACES),
        "description": d.maybe(d.prose.sentence, 0.3),
        "address": d.maybe(d.prose.address, 0.6),
        "latitude": d.decimal(45.8, 55, 6),
        "longitude": d.decimal(5.9, 15, 6),
        "category": d.pick(("home", "work", "food", "other")),
        "isFavorite": d.chance(0.2),
        "visitCount": d.integer(0, 300),
        "tagIds": d.refs("globalTags", 1),
    }


def _mood_entry(d: Draft) -> dict[str, JSON]:
    return {
        "level": d.integer(1, 10),
        "emotion": d.pick(phrases.MOODS),
        "date": d.day(),
        "time": d.clock(),
        "withWhom": d.maybe(lambda: d.pick(phrases.FIRST_NAMES), 0.4),
        "notes": d.maybe(d.prose.sentence),
        "tags": d.texts(phrases.TAGS, 2),
    }


def _weather_location(d: Draft) -> dict[str, JSON]:
    return {
        "name": d.pick(phrases.CITIES),
        "lat": d.decimal(45.8, 55, 4),
        "lon": d.decimal(5.9, 15, 4),
        "isDefault": d.chance(0.2),
        "order": d.integer(0, 9),
    }


def _space_member(d: Draft) -> dict[str, JSON]:
    return {"contextSpaceId": d.ref("memoroSpaces"), "userId": d.id(), "role": d.pick(("owner", "viewer"))}


MADE_BY_HAND: Final[Mapping[str, Shape]] = {
    "tasks": Shape(
        _task,
        weight=40,
        edits=(
            ("isCompleted", "completedAt"),
            ("title",),
            ("dueDate",),
            ("subtasks",),
            ("metadata",),
            ("order",),
            ("description", "priority"),
        ),
    ),
    "notes": Shape(
        _note, weight=25, edits=(("content",), ("title",), ("title", "content"), ("isPinned",), ("isArchived",))
    ),
    "journalEntries": Shape(
        _journal_entry, weight=30, edits=(("content", "wordCount"), ("mood",), ("title", "tags"), ("isFavorite",))
    ),
    "dreams": Shape(
        _dream, weight=8, edits=(("content",), ("interpretation",), ("aiInterpretation",), ("title", "symbols"))
    ),
    "contacts": Shape(_contact, weight=12),
    "timeBlocks": Shape(_time_block, "created", 30, (("startDate", "endDate"), ("title",), ("description",))),
    "events": Shape(_event, "created", 15, (("title",), ("description", "location"), ("reminders",), ("tagIds",))),
    "conversations": Shape(_conversation, weight=6, edits=(("title",), ("isPinned",), ("isArchived",))),
    "messages": Shape(_message, weight=60, edits=(("messageText",),)),
    "globalTags": Shape(_global_tag, "created", 4, (("name",), ("color", "icon"), ("sortOrder",))),
    "manaLinks": Shape(_mana_link, "created", 4, (("linkType",),)),
    "kontextDoc": Shape(_kontext, weight=0.1),
    "userSettings": Shape(
        _user_settings, "created", 0.1, (("hiddenNavItems",), ("extra",), ("theme",), ("pinnedThemes",))
    ),
    "userContext": Shape(_user_context, weight=0.1),
    "invoices": Shape(
        _invoice, weight=4, edits=(("status", "paidAt"), ("lines", "totals"), ("subject",), ("notes",), ("totals",))
    ),
    "invoiceSettings": Shape(_invoice_settings, weight=0.1),
    "meals": Shape(_meal, "created", 15, (("nutrition",), ("description", "foods"), ("portionSize",))),
    "habits": Shape(_habit, "created", 2),
    "habitLogs": Shape(_habit_log, "created", 30, (("note",),)),
    "memos": Shape(_memo, weight=5, edits=(("title",), ("intro",), ("source",), ("transcript",))),
    "places": Shape(_place, weight=4),
    "moodEntries": Shape(_mood_entry, weight=20, edits=(("notes",), ("level", "emotion"))),
    "wetterLocations": Shape(_weather_location, "number", 0.5, (("order",), ("isDefault",))),
    "spaceMembers": Shape(_space_member, weight=0.3, edits=(("role",),)),
}
"""Table → shape."""
