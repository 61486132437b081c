"""``opml``: the feeds of the news app (OPML 2.0), which every reader of feeds imports."""

from __future__ import annotations

from typing import BinaryIO
from xml.sax.saxutils import quoteattr

from ..model.values import first_text, values_at
from . import prose
from .reading import Reading

_TABLE = "newsPreferences"


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    reading.leave_out_others(lambda name: name == _TABLE)
    file.write(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n<head><title>Mana</title></head>\n<body>\n'
    )
    for row in reading.rows(_TABLE):
        for feed in values_at(row.values, "customFeeds[]"):
            address = first_text(feed, "url") if isinstance(feed, dict) else ""
            if not prose.is_safe(address):
                reading.left_out.note("noAddress", _TABLE)
                continue
            title = first_text(feed, "title") or address
            line = f'<outline type="rss" text={_attribute(title)} xmlUrl={_attribute(address)}/>\n'
            file.write(line.encode())
    file.write(b"</body>\n</opml>\n")


def _attribute(text: str) -> str:
    return quoteattr("".join(character for character in prose.clean(text) if character not in "\ufffe\uffff"))
