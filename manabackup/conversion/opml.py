"""``opml``: the feeds that somebody added to the news (OPML 2.0), which feed readers import."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import Any, BinaryIO, Final, NamedTuple

from ..model.values import first_text
from .markup import Markup
from .places import instant, note_unheld
from .reading import Reading
from .web_addresses import web_address

TABLE: Final = "newsPreferences"
_FIELD: Final = "customFeeds"
_BEGIN: Final = """<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0">
<head>
<title>{title}</title>{made}
</head>
<body>
"""


class _Feed(NamedTuple):
    topic: str
    title: str
    address: str
    added: datetime | None


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file. There are as many feeds as somebody typed: they fit into memory."""
    reading.leave_out_others(lambda name: name == TABLE)
    file.write(_text_of(reading, _feeds(reading)).encode())


def _text_of(reading: Reading, feeds: list[_Feed]) -> str:
    markup, model = Markup(reading), reading.model(TABLE)
    assert model is not None
    topics: dict[str, list[_Feed]] = {}
    for feed in feeds:
        topics.setdefault(feed.topic, []).append(feed)
    exported = instant(reading.archive.manifest.exported_at, reading.zone)
    made = f"\n<dateCreated>{_date(exported)}</dateCreated>" if exported is not None else ""
    lines = [_BEGIN.format(title="Mana", made=made)]
    for topic in sorted(topics):
        label = model.value_label("selectedTopics", topic, reading.language) or topic
        if topic:
            lines.append(f'<outline text="{markup.line(label, TABLE)}">\n')
        lines += [_outline(markup, feed) for feed in topics[topic]]
        if topic:
            lines.append("</outline>\n")
    return "".join([*lines, "</body>\n</opml>\n"])


def _feeds(reading: Reading) -> list[_Feed]:
    found = []
    for row in reading.rows(TABLE):
        note_unheld(reading, TABLE, row.values, frozenset((_FIELD,)))
        feeds = row.values.get(_FIELD)
        for feed in feeds if isinstance(feeds, list) else [] if feeds is None else [feeds]:
            values: dict[str, Any] = feed if isinstance(feed, dict) else {}
            address = web_address(values.get("url"))
            if address is None:
                reading.left_out.note("noAddress", TABLE)
                continue
            added = instant(values.get("pinnedAt"), reading.zone, "epoch-ms")
            title = first_text(values, "title") or address
            found.append(_Feed(first_text(values, "topic"), title, address, added))
    return found


def _outline(markup: Markup, feed: _Feed) -> str:
    title = markup.line(feed.title, TABLE)
    created = f' created="{_date(feed.added)}"' if feed.added is not None else ""
    address = markup.line(feed.address, TABLE)
    return f'<outline type="rss" text="{title}" title="{title}" xmlUrl="{address}"{created}/>\n'


def _date(at: datetime) -> str:
    """As OPML wants it (RFC 822, with a year of four digits)."""
    return format_datetime(at, usegmt=True)
