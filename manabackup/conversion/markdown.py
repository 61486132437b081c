"""``markdown``: a folder by groups and apps, as people know them, with a file for each note, entry, letter and so on.

What belongs to such a row (messages, steps, guests) stands in its file; what is rather a line than a page (drinks,
bookings) stands in lists by year. Links between rows are relative links: Obsidian opens the folder as a vault. Files
that the archive holds and these rows refer to lie in one folder (``attachments``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from typing import BinaryIO, Final
from urllib.parse import quote

from ..host.output_folder import AtomicFolder
from ..model.tables import TableModel
from ..model.values import first_text, shortened
from . import prose
from .attachments import Attachments, shown_rows
from .file_names import Names, safe_name
from .front_matter import front_matter
from .groups import Groups
from .markdown_text import Writing, left_out
from .reading import Reading, ReadRow

if find_spec("markdownify") is None:  # said now, and not at the first row with HTML
    raise ModuleNotFoundError("No module named 'markdownify'", name="markdownify")

# fmt: off
PAGES: Final = frozenset(
    (
        "agents", "aiMissions", "articles", "augurEntries", "boards", "broadcastCampaigns", "broadcastTemplates",
        "cardDecks", "cities", "ccLocations", "comicCharacters", "comicStories", "contacts", "conversations",
        "customQuotes", "documents", "dreams", "firsts", "guides", "habits", "invoices", "journalEntries",
        "kontextDoc", "lasts", "libraryEntries", "mailDrafts", "memos", "mukkeProjects", "newsArticles", "notes",
        "places", "plants", "playgroundConversations", "presiDecks", "questions", "quizzes", "recipes", "skills",
        "socialEvents", "tasks", "userContext", "wardrobeOutfits", "whoGames", "writingDrafts"
    )
)
# fmt: on
"""Tables with a file for each row."""
_NOT_HELD: Final = frozenset(
    ("junction", "junction-ordered", "junction-other", "settings", "technical", "flag", "link", "time", "taxonomy")
)
_SAID: Final = 72
"""Characters of a title that the name of a file takes."""
_LINKABLE: Final = str.maketrans("[]#^", "()--")
"""What Obsidian's own links have another meaning for, in names of files."""
_TRACKS: Final = "locationLogs"
"""One point every five minutes is nothing to read."""


def convert(reading: Reading, folder: AtomicFolder) -> None:
    """Fill the folder."""
    _Vault(reading, folder).write()


def holds(reading: Reading, name: str) -> bool:
    """Whether rows of a table have a place here."""
    model = reading.model(name)
    return model is not None and model.role not in _NOT_HELD and name != _TRACKS


class _Vault:
    def __init__(self, reading: Reading, folder: AtomicFolder) -> None:
        self._reading = reading
        self._folder = folder
        self._names = Names()
        self._paths: dict[tuple[str, str], tuple[str, ...]] = {}
        """(table, id) → where its file is."""
        self._index: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        """Folder → (file, title) of what is in it."""
        self._attachments = Attachments(reading, self._names, shown_rows(reading, self._holds))
        self._writing = Writing(reading, self._link, self._attachments)

    def write(self) -> None:
        reading = self._reading
        reading.leave_out_others(lambda name: holds(reading, name))
        held = [name for name in reading.tables if holds(reading, name)]
        pages = [name for name in held if name in PAGES]
        for name in pages:
            self._place(name)
        within: dict[str, list[str]] = {}
        lists = []
        for name in held:
            if name in PAGES:
                continue
            parent = self._parent(name)
            if parent in pages:
                within.setdefault(parent, []).append(name)
            else:
                lists.append(name)
        for name in pages:
            self._pages(name, within.get(name, []))
        for name in lists:
            self._list(name)
        self._attachments.write(self._folder)
        self._indexes()

    def _holds(self, name: str) -> bool:
        return holds(self._reading, name)

    def _parent(self, name: str) -> str:
        model = self._reading.model(name)
        if model is None or model.role != "detail" or model.parent_path is None:
            return ""
        return model.references.get(model.parent_path, "")

    def _place_of(self, model: TableModel) -> tuple[str, ...]:
        """The folder of an app, in the words of its people."""
        reading = self._reading
        app = reading.modules.apps[model.app]
        group = reading.modules.groups[model.group].of(reading.language)
        return safe_name(group, model.group), safe_name(app.label.of(reading.language), model.app)

    # --- pages

    def _place(self, name: str) -> None:
        """Give each row of a table the name of its file."""
        model = self._reading.model(name)
        assert model is not None
        place, otherwise = self._place_of(model), model.label.of(self._reading.language)
        self._writing.prepare(model)
        for block in self._reading.blocks(name, partial(self._called, model)):
            for identifier, said in block:
                linkable = said.translate(_LINKABLE)
                file = self._names.name(place, linkable, identifier, otherwise=otherwise, ending=".md")
                self._paths[name, identifier] = (*place, file)
                self._index.setdefault(place, []).append((file, said))

    def _called(self, model: TableModel, rows: Iterator[ReadRow]) -> list[tuple[str, str]]:
        """(id, what the row's file is called)."""
        found = []
        for row in rows:
            title = model.heading(row.values, self._reading.language)
            day = self._writing.day(model, row)
            said = shortened(title if not day or day in title else f"{day} {title}", _SAID).rstrip("….,:; ")
            found.append((row.id, said))
        return found

    def _pages(self, name: str, within: list[str]) -> None:
        reading = self._reading
        model = reading.model(name)
        assert model is not None
        if not within:
            self._writing.prepare(model)
            for block in reading.blocks(name, partial(self._written, model)):
                for identifier, text in block:
                    self._folder.write(text, *self._paths[name, identifier])
            return
        groups = [(child, self._grouped(child)) for child in within]
        for row in reading.by_id(name):
            path = self._paths[name, row.id]
            with self._folder.file(*path) as file:
                file.write(self._page(model, row, path))
                for child, group in groups:
                    described = reading.model(child)
                    assert described is not None
                    _put(file, self._children(described, group.of(row.id), path))
        for child, group in groups:
            self._orphans(child, group)

    def _written(self, model: TableModel, rows: Iterator[ReadRow]) -> list[tuple[str, bytes]]:
        """(id, page)."""
        return [(row.id, self._page(model, row, self._paths[model.name, row.id])) for row in rows]

    def _page(self, model: TableModel, row: ReadRow, path: tuple[str, ...]) -> bytes:
        """A page without what else belongs on it."""
        text = "".join(f"{line}\n" for line in self._writing.page(model, row, path))
        return front_matter(self._writing.properties(model, row)) + text.encode()

    def _grouped(self, child: str) -> Groups:
        model = self._reading.model(child)
        assert model is not None
        parent, order = model.parent_path or "", model.order_path

        def place(row: ReadRow) -> str:
            number = row.values.get(order) if order is not None else None
            return f"{number:020}" if type(number) is int and number >= 0 else f"~{row.created or ''}"

        return self._reading.grouped(child, lambda row: first_text(row.values, parent), place)

    def _children(self, model: TableModel, rows: Iterator[ReadRow], path: tuple[str, ...]) -> Iterator[str]:
        first = True
        for row in rows:
            if first:
                yield f"\n## {prose.inline(model.label.of(self._reading.language))}\n"
                first = False
            yield from self._writing.section(model, row, path, level=3)

    def _orphans(self, child: str, group: Groups) -> None:
        """Rows whose page is not there stand in a file of their own, and are counted."""
        model = self._reading.model(child)
        assert model is not None
        place = self._place_of(model)
        label = model.label.of(self._reading.language)
        with ExitStack() as stack:
            file: BinaryIO | None = None
            for row in group.unasked():
                if file is None:
                    name = self._names.name(place, label, "", otherwise=child, ending=".md")
                    file = stack.enter_context(self._folder.file(*place, name))
                    self._index.setdefault(place, []).append((name, label))
                    _put(file, [f"# {prose.inline(label)}\n"])
                _put(file, self._writing.section(model, row, (*place, name), level=2))
                self._reading.left_out.note("dangling", child)

    # --- lists

    def _list(self, name: str) -> None:
        """The rows of a table by year, the oldest first."""
        reading, writing = self._reading, self._writing
        model = reading.model(name)
        assert model is not None
        place, label = self._place_of(model), model.label.of(reading.language)
        rows = reading.ordered(name, lambda row: writing.day(model, row) or (row.created or "")[:10])
        year: str | None = None
        path: tuple[str, ...] = ()
        with ExitStack() as stack:
            file: BinaryIO | None = None
            for day, row in rows:
                if file is None or day[:4] != year:
                    stack.close()
                    year = day[:4]
                    said = f"{label} {year}".strip()
                    path = (*place, self._names.name(place, said, "", otherwise=label, ending=".md"))
                    file = stack.enter_context(self._folder.file(*path))
                    self._index.setdefault(place, []).append((path[-1], said))
                    _put(file, [f"# {prose.inline(said)}\n"])
                _put(file, writing.section(model, row, path, level=2))

    # --- what leads to them

    def _link(self, table: str, identifier: str, origin: tuple[str, ...], label: str | None) -> str | None:
        """A relative link to the file of a row; None where it has none."""
        path = self._paths.get((table, identifier))
        if path is None:
            return None
        up = [".."] * (len(origin) - 1)
        return f"[{prose.label(label or path[-1].removesuffix('.md'))}]({quote('/'.join([*up, *path]))})"

    def _indexes(self) -> None:
        """A page for each folder, and one for all."""
        german = self._reading.language == "de"
        title = "Aus Mana" if german else "Out of Mana"
        index = "Inhalt.md" if german else "Contents.md"
        lines = [f"# {title}", ""]
        for place in sorted(self._index):
            files = sorted(self._index[place])
            name = self._names.name(place, index.removesuffix(".md"), "", otherwise="index", ending=".md")
            lines.append(f"- [{prose.label(' / '.join(place))}]({quote('/'.join([*place, name]))}): {len(files):,}")
            inner = [f"# {prose.inline(place[-1])}", ""]
            inner += [f"- [{prose.label(said)}]({quote(file)})" for file, said in files]
            self._folder.write(("\n".join(inner) + "\n").encode(), *place, name)
        lines += ["", *left_out(self._reading)]
        name = self._names.name((), index.removesuffix(".md"), "", otherwise="index", ending=".md")
        self._folder.write(("\n".join(lines) + "\n").encode(), name)


def _put(file: BinaryIO, lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        file.write(line.encode() + b"\n")
