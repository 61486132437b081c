"""Rows as the web app of today writes them, field by field: for what reads rows, and not only carries them.

Every table has all the fields that ``formats/modules.json`` describes, with values of their kinds. Tables in which a
reader goes wrong have makers of their own here: times in blocks, in each of the forms that the app has for them; series
and their copies; whole days; tags in all three places; money; HTML and the editor's documents. Only a plan that asks
for it (:attr:`~manabackup.sandbox.plan.Plan.lifelike`) gets these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from ..model import modules
from ..model.tables import TableModel
from ..text.jsontext import JSON
from . import phrases
from .draft import Draft, RowMaker, Shape

Companion = tuple[str, str, dict[str, JSON]]
"""(table, id, values) of a row that is written together with another one."""
_ZONE: Final = ZoneInfo("Europe/Berlin")
_RULES: Final = (
    "FREQ=DAILY;COUNT=10",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20271231T235959Z",
    "FREQ=WEEKLY;INTERVAL=2",
    "FREQ=MONTHLY;COUNT=24",
    "FREQ=YEARLY",
)
_COPIES: Final = 4
_FIXED: Final = frozenset({"id", "spaceId", "authorId", "userId", "visibility", "createdAt", "updatedAt", "deletedAt"})
_ADDRESSES: Final = frozenset({"website", "originalUrl", "locationUrl", "url", "imageUrl", "coverUrl", "qrCodeUrl"})


@lru_cache(maxsize=1)
def lifelike_shapes() -> dict[str, Shape]:
    """Table → shape; nothing of these rows is edited but a title or a note, so that what belongs together fits."""
    found = {}
    for name in modules.load().names:
        model = modules.load().table(name)
        assert model is not None
        maker = _BY_HAND.get(name)
        found[name] = Shape(
            _described(model, maker), "created" if "createdAt" in model.dates else "none", edits=_edits(model)
        )
    return found


def _edits(model: TableModel) -> tuple[tuple[str, ...], ...]:
    names = [text.path for text in model.texts if text.path in model.fields and text.format == "plain"]
    return tuple((name,) for name in names[:2]) or (("order",),)


def _described(model: TableModel, override: RowMaker | None) -> RowMaker:
    """All fields of a table by their descriptions, and those that ``override`` knows better."""
    makers = {name: _maker(model, name) for name in model.fields if name not in _FIXED}

    def make(d: Draft) -> dict[str, JSON]:
        row = {name: maker(d) for name, maker in makers.items()}
        if override is not None:
            row.update(override(d))
        return row

    return make


def _maker(model: TableModel, name: str) -> Callable[[Draft], JSON]:
    field, kind = model.fields[name], model.fields[name].type
    target = model.references.get(name)
    if target is not None:
        return (lambda d: d.linked(target)) if model.role.startswith("junction") else (lambda d: d.ref(target))
    several = model.references.get(f"{name}[]")
    if several is not None:
        return lambda d: d.refs(several, 3)
    if name in model.enums:
        values = tuple(model.enums[name])
        return (lambda d: d.pick(values)) if kind != "enum[]" else (lambda d: [d.pick(values)])
    if name in model.dates:
        return _date(model.dates[name])
    if name in model.geo:
        return lambda d: d.decimal(45, 55, 5) if name in ("latitude", "locationLat", "lat") else d.decimal(6, 15, 5)
    if any(money.path == name for money in model.money):
        minor = any(money.minor for money in model.money)
        return (lambda d: d.integer(100, 90_000)) if minor else (lambda d: d.decimal(1, 900, 2))
    if name in _ADDRESSES:
        return lambda d: f"https://example.org/{d.integer(1, 9999)}?a=1&b=ä"
    if kind == "boolean":
        return lambda d: d.chance(0.2)
    if kind == "number":
        return lambda d: d.integer(0, 60)
    if kind in ("string[]", "enum[]"):
        return lambda d: d.texts(phrases.TAGS, 3)
    if kind in ("object", "object[]", "number[]", "any"):
        return lambda d: {} if kind in ("object", "any") else []
    if field.nullable:
        return lambda d: d.maybe(d.prose.sentence, 0.6)
    return lambda d: d.prose.sentence()


def _date(kind: str) -> Callable[[Draft], JSON]:
    if kind == "date":
        return lambda d: d.day(d.integer(-20, 20))
    if kind == "time-local":
        return lambda d: d.clock()
    if kind == "month":
        return lambda d: d.day()[:7]
    if kind == "epoch-ms":
        return lambda d: d.now // 1000
    if kind == "datetime-local":
        return lambda d: d.instant(-1)[:19]
    return lambda d: d.instant(d.integer(-20, 20))


# --- times ------------------------------------------------------------------------------------------------------------


def companions(name: str, identifier: str, values: dict[str, JSON], d: Draft) -> Iterator[Companion]:
    """The time blocks that the app writes together with a row."""
    block_id = values.get("timeBlockId") or values.get("scheduledBlockId")
    if name == "habits":
        block_id = d.id()  # no habit names its block: the block names the habit
    if name not in _MODULES or not isinstance(block_id, str):
        return
    module, kind, form = _MODULES[name]
    title = values.get("title") or values.get("description") or values.get("name") or kind
    start = (datetime.fromtimestamp(d.now / 1e6, UTC) + timedelta(days=d.integer(-30, 60))).astimezone(_ZONE)
    start = start.replace(hour=d.integer(6, 21), minute=d.pick((0, 15, 30)), second=0, microsecond=0)
    length = timedelta(minutes=d.pick((30, 45, 60, 90)))
    block: dict[str, JSON] = {
        "allDay": False,
        "isLive": False,
        "timezone": None,
        "recurrenceRule": None,
        "kind": "logged" if form in ("timer", "dream", "period") else "scheduled",
        "type": kind,
        "sourceModule": module,
        "sourceId": identifier,
        "linkedBlockId": None,
        "parentBlockId": None,
        "recurrenceDate": None,
        "isRecurrenceException": False,
        "title": title,
        "description": values.get("description"),
        "color": "#3b82f6",
        "icon": None,
        "projectId": None,
        **_written(form, start, length, d),
    }
    series = form in ("form", "habit") and d.chance(0.3)
    if series:
        rule = d.pick(_RULES)
        block["recurrenceRule"] = f"RRULE:{rule}" if form == "habit" else rule
    yield "timeBlocks", block_id, block
    if series and form == "form" and not block["allDay"] and "WEEKLY" in rule and "BYDAY" not in rule:
        step = timedelta(weeks=2 if "INTERVAL" in rule else 1)
        for number in range(_COPIES):
            at = start + number * step  # the clock stays the same over summer time
            again = {**block, "recurrenceRule": None, "parentBlockId": block_id}
            again["recurrenceDate"] = f"{at.astimezone(UTC):%Y-%m-%d}"
            if number == 2 and d.chance(0.5):
                again["title"] = f"{title} (verschoben)"
                at += timedelta(hours=1)
            yield "timeBlocks", d.id(), again | {"startDate": _utc(at), "endDate": _utc(at + length)}


def _written(form: str, start: datetime, length: timedelta, d: Draft) -> dict[str, JSON]:
    """``startDate``, ``endDate`` and ``allDay`` as the screen writes them that a block comes from."""
    midnight = start.replace(hour=0, minute=0)
    if form == "form" and d.chance(0.2):
        last = midnight + timedelta(days=d.integer(0, 2), hours=23, minutes=59)
        if d.chance(0.5):
            return {"startDate": _utc(midnight), "endDate": _utc(last), "allDay": True}
        return {"startDate": _local(midnight), "endDate": _local(last.replace(second=59)), "allDay": True}
    if form in ("task", "habit"):
        nine = d.chance(0.3)
        at = start.replace(hour=9, minute=0) if nine else start
        return {"startDate": _local(at), "endDate": _utc(at + (timedelta(hours=1) if nine else length)), "allDay": nine}
    if form == "dream":
        return {"startDate": _local(start) + ".000Z", "endDate": _local(start + length) + ".000Z"}
    if form == "period":
        day = f"{start:%Y-%m-%d}"
        return {"startDate": f"{day}T00:00:00.000Z", "endDate": f"{day}T23:59:59.999Z", "allDay": True}
    if form == "timer" and d.chance(0.3):
        return {"startDate": _local(midnight), "endDate": None}
    if form == "form" and d.chance(0.2):
        return {"startDate": _local(start), "endDate": _local(start + length)}
    return {"startDate": _utc(start), "endDate": _utc(start + length)}


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _local(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}"


_MODULES: Final = {
    "events": ("calendar", "event", "form"),
    "socialEvents": ("events", "event", "timer"),
    "tasks": ("todo", "task", "task"),
    "habits": ("habits", "habit", "habit"),
    "habitLogs": ("habits", "habit", "timer"),
    "timeEntries": ("times", "timeEntry", "timer"),
    "dreams": ("dreams", "sleep", "dream"),
    "periods": ("period", "period", "period"),
    "bodyWorkouts": ("body", "body", "timer"),
    "runs": ("guides", "guide", "timer"),
}
"""Table → ``sourceModule``, ``type``, and the form in which its blocks are written."""

# --- rows by hand -----------------------------------------------------------------------------------------------------


def _timed(d: Draft) -> dict[str, JSON]:
    return {"timeBlockId": d.id(), "title": d.text(phrases.EVENTS)}


def _focus(d: Draft) -> dict[str, JSON]:
    start = d.instant(-1)
    return {
        "sourceModule": "times",
        "type": "focus",
        "kind": "logged",
        "sourceId": f"focus-{d.id()}",
        "title": "Fokus",
        "startDate": start,
        "endDate": start[:11] + "23:45:00.000Z",
        "allDay": False,
        "timezone": None,
        **dict.fromkeys(("recurrenceRule", "recurrenceDate", "parentBlockId", "linkedBlockId")),
    }


def _task(d: Draft) -> dict[str, JSON]:
    day = d.day(d.integer(-5, 40))
    return {
        "title": d.text(phrases.TASKS),
        "dueDate": d.pick((day, f"{day}T00:00:00.000Z", d.instant(d.integer(1, 20)), None)),
        "scheduledBlockId": d.id() if d.chance(0.4) else None,
        "estimatedDuration": d.pick((15, 60, 480, 3600, None)),
        "subtasks": [{"id": "s1", "title": d.text(phrases.SUBTASKS), "isCompleted": d.chance(0.5), "order": 0}],
        "metadata": {"labelIds": d.refs("globalTags", 2), "storyPoints": d.pick((1, 2, 3, 5)), "funRating": 3},
    }


def _invoice(d: Draft) -> dict[str, JSON]:
    lines: list[JSON] = []
    net = 0
    for number in range(d.integer(1, 4)):
        price, quantity = d.integer(20, 2000) * 5, d.integer(1, 9)
        net += price * quantity
        lines.append(
            {"id": f"l{number}", "title": d.text(phrases.INVOICE_LINES), "quantity": quantity, "unit": "Std."}
            | {"unitPrice": price, "vatRate": 19, "discount": None}
        )
    vat = (net * 19 + 50) // 100
    return {
        "number": f"{d.day()[:4]}-{d.integer(1, 9999):04d}",
        "lines": lines,
        "totals": {"net": net, "vat": vat, "gross": net + vat, "vatBreakdown": [{"rate": 19, "base": net, "tax": vat}]},
        "clientSnapshot": {"name": d.text(phrases.COMPANIES), "city": d.pick(phrases.CITIES), "country": "DE"},
    }


def _letter(d: Draft) -> dict[str, JSON]:
    words = d.prose.paragraph()
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": words}]}
    bold = {"type": "text", "text": "Wichtig", "marks": [{"type": "bold"}]}
    listed = {"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph]}]}
    heading = {"type": "heading", "attrs": {"level": 2}, "content": [bold]}
    return {
        "subject": d.text(phrases.INVOICE_SUBJECTS),
        "content": {
            "tiptap": {"type": "doc", "content": [heading, paragraph, listed]} if d.chance(0.8) else {},
            "html": f"<h2><strong>Wichtig</strong></h2><p>{words}</p><ul><li><p>{words}</p></li></ul>",
            "plainText": words,
        },
    }


def _article(d: Draft) -> dict[str, JSON]:
    words = d.prose.paragraph()
    return {
        "title": d.text(phrases.NOTE_TITLES),
        "htmlContent": f'<h1>Über <em>alles</em></h1><p>{words}</p><img src="https://img.example/x.png" alt="Bild">',
        "content": words,
    }


def _item(d: Draft) -> dict[str, JSON]:
    return {
        "name": d.text(phrases.THINGS),
        "quantity": d.integer(1, 5),
        "fieldValues": {"size": d.pick(("S", "M", 5)), "colour": d.pick(("rot", "=rot"))},
        "purchaseData": {"price": d.decimal(1, 500, 2), "currency": d.pick(("EUR", "CHF")), "date": d.day(-30)},
        "tags": d.texts(phrases.TAGS, 2),
        "notes": [],
        "photos": [],
    }


def _collection(d: Draft) -> dict[str, JSON]:
    fields = [("size", "Größe", "text"), ("colour", "Farbe", "select")]
    shaped = [{"id": key, "name": name, "type": kind, "order": at} for at, (key, name, kind) in enumerate(fields)]
    return {"name": d.text(phrases.THINGS), "schema": {"fields": shaped}}


def _contact(d: Draft) -> dict[str, JSON]:
    first = d.pick(phrases.FIRST_NAMES)
    return {
        "firstName": d.maybe(lambda: first, 0.9),
        "lastName": d.pick(phrases.LAST_NAMES),
        "email": f"{d.integer(1, 99)}@example.org",
        "phone": f"+41 44 {d.integer(100, 999)} 00 00",
        "birthday": d.maybe(lambda: f"{d.integer(1930, 2020)}-02-{d.integer(10, 28)}", 0.6),
        "tagIds": d.refs("globalTags", 2),
        "tags": d.texts(phrases.TAGS, 1),
        "photoUrl": None,
    }


def _rate(d: Draft) -> dict[str, JSON]:
    rate = {"amount": d.integer(40, 150), "currency": "EUR", "per": "hour"}
    return {"billingRate": rate, "budget": {"type": d.pick(("hours", "fixed")), "amount": 40, "currency": "EUR"}}


def _link(d: Draft) -> dict[str, JSON]:
    return {
        "direction": d.pick(("forward", "reverse")),
        "linkType": "related",
        "sourceApp": "todo",
        "sourceCollection": "tasks",
        "sourceId": d.linked("tasks"),
        "targetApp": "notes",
        "targetCollection": "notes",
        "targetId": d.linked("notes"),
    }


def _recipe(d: Draft) -> dict[str, JSON]:
    ingredients = [{"name": food, "amount": "½", "unit": "kg"} for food in (d.pick(phrases.FOOD), d.pick(phrases.FOOD))]
    return {
        "title": d.text(phrases.RECIPES),
        "ingredients": ingredients,
        "steps": [d.prose.sentence(), d.prose.sentence()],
    }


_BY_HAND: Final[dict[str, RowMaker]] = {
    **dict.fromkeys(("events", "socialEvents", "habitLogs", "dreams", "periods", "bodyWorkouts", "runs"), _timed),
    "timeEntries": lambda d: {
        **_timed(d),
        **_rate(d),
        "duration": d.integer(60, 9000),
        "tags": d.refs("globalTags", 2),
    },
    "habits": lambda d: {"title": d.text(phrases.HABITS), "schedule": {"days": [1, 3], "time": d.clock()}},
    "timeBlocks": _focus,
    "tasks": _task,
    "notes": lambda d: {"title": d.text(phrases.NOTE_TITLES), "content": d.prose.note()},
    "journalEntries": lambda d: {"content": d.prose.diary(), "tags": d.texts(phrases.TAGS, 3)},
    "calendars": lambda d: {"name": d.text(phrases.PROJECTS), "timezone": "Europe/Berlin", "color": "#3B82F6"},
    "invoices": _invoice,
    "broadcastCampaigns": _letter,
    "broadcastTemplates": lambda d: {**_letter(d), "name": d.text(phrases.PROJECTS)},
    "articles": _article,
    "newsArticles": _article,
    "mailDrafts": lambda d: {"htmlBody": f"<p>{d.prose.sentence()}</p>", "subject": d.text(phrases.INVOICE_SUBJECTS)},
    "invItems": _item,
    "invCollections": _collection,
    "contacts": _contact,
    "timeProjects": _rate,
    "timeClients": lambda d: {"billingRate": {"amount": d.decimal(30, 90, 2), "currency": "CHF", "per": "day"}},
    "globalTags": lambda d: {"name": d.pick(phrases.TAGS), "color": "#22C55E"},
    "manaLinks": _link,
    "newsPreferences": lambda d: {"customFeeds": [{"id": "f", "url": "https://example.org/feed", "title": "Blatt"}]},
    "recipes": _recipe,
    "slides": lambda d: {"content": {"type": "content", "title": d.prose.sentence(), "bulletPoints": ["a", "b"]}},
}
