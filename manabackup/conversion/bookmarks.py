"""``bookmarks``: saved articles, news and links as the file that every browser imports (Netscape's bookmark file)."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import BinaryIO, Final

from ..model.values import first_text, moment
from . import prose
from .joined import Joined
from .reading import Reading

_ADDRESSES: Final = {"articles": "originalUrl", "newsArticles": "originalUrl", "links": "originalUrl"}
"""Table → the field with the address."""
_HEAD: Final = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Mana</TITLE>
<H1>Mana</H1>
<DL><p>
"""


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    held = {*_ADDRESSES, "articleTags", "linkTags", "globalTags", "uloadTags"}
    reading.leave_out_others(lambda name: name in held)
    joined = Joined(reading)
    file.write(_HEAD.encode())
    for name, field in _ADDRESSES.items():
        model = reading.model(name)
        if model is None or not reading.has(name):
            continue
        file.write(f"    <DT><H3>{_html(model.label.of(reading.language))}</H3>\n    <DL><p>\n".encode())
        for row in reading.rows(name):
            address = first_text(row.values, field)
            if not prose.is_safe(address):
                reading.left_out.note("noAddress", name)
                continue
            added = model.date(row.values) or moment(row.created)
            when = ""
            if isinstance(added, datetime) and added.tzinfo is not None:
                when = f' ADD_DATE="{max(0, int(added.timestamp()))}"'
            tags = ",".join(tag.replace(",", " ") for tag in joined.tags(model, row.id, row.values))
            marked = f' TAGS="{_html(tags)}"' if tags else ""
            title = _html(model.title(row.values) or address)
            file.write(f'        <DT><A HREF="{_html(address)}"{when}{marked}>{title}</A>\n'.encode())
            if text := first_text(row.values, "description") or first_text(row.values, "excerpt"):
                file.write(f"        <DD>{_html(text)}\n".encode())
        file.write(b"    </DL><p>\n")
    file.write(b"</DL><p>\n")


def _html(text: str) -> str:
    return escape(" ".join(prose.clean(text).split()))
