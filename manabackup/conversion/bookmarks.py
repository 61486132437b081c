"""``bookmarks``: saved articles, news and short links as the bookmark file that browsers import.

The bookmark file is Netscape's, which nobody has specified and every browser writes and reads: what is here is what
their readers have in common. Some read line by line, so whatever they look for stands in one line.
"""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO, Final, NamedTuple

from ..model.tables import TableModel
from ..model.values import texts_at
from .joined import Joined
from .markup import Markup
from .places import instant, note_unheld
from .reading import Reading, ReadRow
from .web_addresses import web_address

_BEGIN: Final = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>{title}</TITLE>
<H1>{title}</H1>
<DL><p>
"""


class BookmarkTable(NamedTuple):
    """A table with bookmarks."""

    saved: str
    """The field with the time of saving; ``""``: when the row was made."""
    folder: str
    """The field that says which folder, by id or by stored value."""
    folders: str
    """The table of folders; ``""``: the values' labels name them."""
    said: tuple[str, ...]
    """Paths of what stands below a bookmark."""


SOURCES: Final = {
    "articles": BookmarkTable("savedAt", "status", "", ("userNote", "excerpt")),
    "newsArticles": BookmarkTable("", "categoryId", "newsCategories", ("excerpt",)),
    "links": BookmarkTable("", "folderId", "uloadFolders", ("description",)),
}
"""Table → what is in it."""
_FOLDER_TABLES: Final = frozenset(source.folders for source in SOURCES.values() if source.folders)


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    reading.leave_out_others(lambda name: name in SOURCES or name in _FOLDER_TABLES)
    _Bookmarks(reading, file).write()


class _Folder(NamedTuple):
    name: str
    row: ReadRow | None


class _Bookmarks:
    def __init__(self, reading: Reading, file: BinaryIO) -> None:
        self._reading = reading
        self._markup = Markup(reading)
        self._joined = Joined(reading)
        self._file = file

    def write(self) -> None:
        self._put(_BEGIN.format(title="Mana"))
        for name, source in SOURCES.items():
            if self._reading.has(name) or self._reading.has(source.folders):
                self._table(name, source)
        self._put("</DL><p>\n")

    def _table(self, name: str, source: BookmarkTable) -> None:
        """A folder for a table, and in it one for each of its own; those in none of them come first."""
        model = _described(self._reading, name)
        folders = self._folders(name, source)
        numbers = {identifier: number for number, identifier in enumerate(folders, 1)}
        self._open(self._markup.line(model.label.of(self._reading.language), name), None, 1)
        rest = iter(folders.values())
        last = 0
        for found, row in self._reading.ordered(name, lambda row: self._key(name, source, numbers, row)):
            number = int(found[:9])
            while last < number:
                self._begin(next(rest), name, close=last > 0)
                last += 1
            self._bookmark(name, source, row)
        for empty in rest:
            self._begin(empty, name, close=last > 0)
            last += 1
        self._put("        </DL><p>\n" if last else "")
        self._put("    </DL><p>\n")

    def _begin(self, folder: _Folder, name: str, *, close: bool) -> None:
        self._put("        </DL><p>\n" if close else "")
        self._open(self._markup.line(folder.name, name), folder.row, 2)

    def _open(self, title: str, row: ReadRow | None, level: int) -> None:
        blanks = "    " * level
        times = "" if row is None else self._times(row.created, row.modified)
        self._put(f"{blanks}<DT><H3{times}>{title}</H3>\n{blanks}<DL><p>\n")

    def _folders(self, name: str, source: BookmarkTable) -> dict[str, _Folder]:
        """Id, or stored value → folder, in their order."""
        reading = self._reading
        if not source.folders:
            labels = _described(reading, name).enums[source.folder]
            return {value: _Folder(label.of(reading.language), None) for value, label in labels.items()}
        model = _described(reading, source.folders)
        held = frozenset((*model.title_paths, model.order_path or ""))
        found = []
        for row in reading.rows(source.folders):
            note_unheld(reading, source.folders, row.values, held)
            order = row.values.get(model.order_path or "")
            heading = model.heading(row.values, reading.language)
            found.append((order if type(order) in (int, float) else 0, row.id, _Folder(heading, row)))
        return {identifier: folder for _, identifier, folder in sorted(found, key=lambda one: one[:2])}

    def _key(self, name: str, source: BookmarkTable, numbers: dict[str, int], row: ReadRow) -> str:
        """Where a row stands: the number of its folder, then by time."""
        value = row.values.get(source.folder)
        number = numbers.get(value, 0) if isinstance(value, str) else 0
        if not number and value and source.folders and self._reading.has(source.folders):
            self._reading.left_out.note("dangling", name)
        saved = self._saved(source, row)
        return f"{number:09}{saved.isoformat(timespec='milliseconds') if saved is not None else '~'}{row.id}"

    def _saved(self, source: BookmarkTable, row: ReadRow) -> datetime | None:
        value = row.values.get(source.saved) if source.saved else None
        return instant(value, self._reading.zone) or instant(row.created, self._reading.zone)

    def _bookmark(self, name: str, source: BookmarkTable, row: ReadRow) -> None:
        reading, markup = self._reading, self._markup
        model = _described(reading, name)
        address = web_address(row.values.get("originalUrl"))
        if address is None:
            reading.left_out.note("noAddress", name)
            return
        title = markup.line(model.title(row.values) or address, name)
        saved = self._saved(source, row)
        attributes = f' HREF="{markup.line(address, name)}"{self._times(saved, row.modified)}'
        tags = [" ".join(tag.replace(",", " ").split()) for tag in self._joined.tags(model, row.id, row.values)]
        if tags:
            attributes += f' TAGS="{markup.line(",".join(tags), name)}"'
        if row.values.get("status") == "unread":
            attributes += ' TOREAD="1"'
        self._put(f"            <DT><A{attributes}>{title}</A>\n")
        said = "\n".join(texts_at(row.values, source.said))
        if said:
            self._put(f"            <DD>{markup.text(said.strip(), name)}\n")
        held = {"originalUrl", source.saved, source.folder, *source.said, *model.title_paths}
        note_unheld(reading, name, row.values, frozenset(held))

    def _times(self, made: datetime | str | None, changed: str | None) -> str:
        """Attributes with times, in seconds since 1970."""
        said = ""
        for attribute, value in (("ADD_DATE", made), ("LAST_MODIFIED", changed)):
            at = value if isinstance(value, datetime) else instant(value, self._reading.zone)
            if at is not None and at.timestamp() >= 0:
                said += f' {attribute}="{int(at.timestamp())}"'
        return said

    def _put(self, text: str) -> None:
        self._file.write(text.encode())


def _described(reading: Reading, name: str) -> TableModel:
    model = reading.model(name)
    assert model is not None, name
    return model
