"""Rows as Markdown: their properties, their prose, and lines about what they refer to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, Final

from ..model import registry
from ..model.tables import TableModel, TextField, TextFormat
from ..model.values import Moment, moment, values_at
from ..text import jsontext
from ..text.jsontext import JSON, Number
from . import prose
from .attachments import Attachments
from .joined import Joined, ids_at
from .reading import Reading, ReadRow, told_by_label

Link = Callable[[str, str, tuple[str, ...], str | None], str | None]
_BOOKKEEPING: Final = "id spaceId authorId userId createdAt updatedAt deletedAt visibility order sortOrder"
_UNTOLD: Final = frozenset([*_BOOKKEEPING.split(), "visibilityChangedAt", "visibilityChangedBy"])
"""Fields that are bookkeeping, or told otherwise."""
_NOT_IN_TAGS = re.compile(r"[\s!-,.:-@\[-^`{-~\u2000-\u206f\u2e00-\u2e7f]")
_INGREDIENT: Final = ("amount", "unit", "name")
"""What an ingredient of a recipe has, in the order in which recipes have it."""
_TRUE_OR_NOT: Final = {"de": ("nein", "ja"), "en": ("no", "yes")}
_MAIN: Final = frozenset(("content", "description", "notes", "messageText"))
"""Fields of prose that need no heading."""


class Writing:
    """Writes rows. ``link`` makes a link to a row's file, where it has one."""

    def __init__(self, reading: Reading, link: Link, attachments: Attachments) -> None:
        self._reading = reading
        self._attachments = attachments
        self._link = link
        self._joined = Joined(reading)
        self._titles: dict[str, dict[str, str]] = {}

    def prepare(self, model: TableModel) -> None:
        """Look up now what rows of a table will need: other processes have no archive to read from."""
        self._joined.prepare(model)
        _ = self._linked
        for table in model.references.values():
            self._title(table, "")

    # --- times

    def day(self, model: TableModel, row: ReadRow) -> str:
        """The day that a row goes by, ``YYYY-MM-DD`` in the zone of local clocks; empty where it has none."""
        found = self._moment(model, row)
        if isinstance(found, datetime):
            found = found.astimezone(self._reading.zone) if found.tzinfo is not None else found
        return f"{found:%Y-%m-%d}" if isinstance(found, date) else ""

    def _moment(self, model: TableModel, row: ReadRow) -> Moment | None:
        path = model.date_path
        if path is not None and ">" in path:
            block = self._joined.block(row.values.get(path.partition(">")[0]))
            return None if block is None else moment(block.start)
        return model.date(row.values)

    def _told(self, found: Moment | None) -> Any:
        """A moment as YAML has it: a day, a clock in the zone of local clocks, a time of day as text."""
        if isinstance(found, datetime):
            if found.tzinfo is not None:
                with suppress(OverflowError):
                    found = found.astimezone(self._reading.zone)
            return found.replace(tzinfo=None, microsecond=0)
        if isinstance(found, time):
            return found.isoformat(timespec="minutes")
        return found

    # --- properties

    def properties(self, model: TableModel, row: ReadRow) -> dict[str, Any]:
        """What stands before a page: title, dates, tags, and every single value that is no prose."""
        language = self._reading.language
        fields: dict[str, Any] = {"title": prose.clean(model.heading(row.values, language))}
        day = self.day(model, row)
        if day:
            fields["date"] = date.fromisoformat(day)
        fields["created"] = self._told(moment(row.created))
        fields["modified"] = self._told(moment(row.modified))
        tags = self._joined.tags(model, row.id, row.values)
        fields["tags"] = list(dict.fromkeys(filter(None, map(_as_tag, tags))))
        fields.update(self._values(model, row))
        fields["mana-id"] = prose.clean(row.id)
        fields["mana-table"] = model.name
        return {name: value for name, value in fields.items() if value not in (None, "", [])}

    def _values(self, model: TableModel, row: ReadRow) -> dict[str, Any]:
        found: dict[str, Any] = {}
        here = self._attachments.told(model.name, row.id)
        skipped = {*_UNTOLD, *here, *model.title_paths, *(text.path.removesuffix("[]") for text in model.texts)}
        referring = {path.removesuffix("[]").partition(".")[0] for path in model.references}
        if model.tags is not None:
            skipped |= {path.removesuffix("[]") for path in (*model.tags.ids, *model.tags.names) if "." not in path}
        for name, value in row.values.items():
            if name in skipped or name in referring or value in (None, "", [], {}, False):
                continue
            plain = self._plain(model, name, value)
            if plain is not None:
                found[prose.clean(name)] = plain
        for path, money in model.amounts(row.values):
            if "[]" not in path:
                found[path] = f"{money.amount:f} {money.currency or ''}".strip()
        return found

    def _plain(self, model: TableModel, path: str, value: JSON) -> Any:
        """A value as YAML has it; None for nested ones that are shown below or nowhere."""
        if isinstance(value, str):
            label = model.value_label(path, value, self._reading.language)
            if label is not None:
                return label
            return self._told(moment(value)) if path in model.dates and moment(value) else prose.clean(value)
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, Number):
            return value.text
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return [model.value_label(path, one, self._reading.language) or prose.clean(one) for one in value]
        return None

    # --- pages and sections

    def page(self, model: TableModel, row: ReadRow, path: tuple[str, ...]) -> Iterator[str]:
        """What stands below the properties."""
        yield f"\n# {prose.inline(model.heading(row.values, self._reading.language))}\n"
        yield from self._body(model, row, path)

    def section(self, model: TableModel, row: ReadRow, path: tuple[str, ...], *, level: int) -> Iterator[str]:
        """A row as a part of a page, with its properties as a list."""
        language = self._reading.language
        title = model.title(row.values)
        sender = next((row.values[name] for name in ("sender", "role") if name in row.values), None)
        who = model.value_label("sender", sender, language) or model.value_label("role", sender, language)
        day = self.day(model, row) or (row.created or "")[:10]
        heading = " · ".join(part for part in (who, title, day) if part) or model.label.of(language)
        yield f"\n{'#' * level} {prose.inline(heading)}\n"
        values = self._values(model, row)
        for name in ("sender", "role", model.date_path or ""):
            values.pop(name, None)
        tags = self._joined.tags(model, row.id, row.values)
        if tags:
            values["tags"] = tags
        for name, value in values.items():
            yield f"- {prose.inline(self._called(name))}: {prose.inline(self._one_line(value))}"
        if values:
            yield ""
        yield from self._body(model, row, path)

    def _body(self, model: TableModel, row: ReadRow, path: tuple[str, ...]) -> Iterator[str]:
        shown: set[str] = set()
        for text in self._texts(model, row, self._attachments.picture(path, shown)):
            yield f"{text}\n"
        yield from self._nested(model, row)
        yield from self._attachments.lines((model.name, row.id), path, shown)
        self._attachments.note_missing(model.name, row.values)
        yield from self._references(model, row, path)

    def _texts(self, model: TableModel, row: ReadRow, picture: prose.Picture) -> Iterator[str]:
        """The prose of a row, under its names where there is more than one; of one text in several formats the best."""
        formats = {text.format for text in model.texts if any(values_at(row.values, text.path))}
        title = model.title(row.values) or ""
        shown = []
        for text in model.texts:
            if _is_worse(text, formats):
                continue
            found = self._written(model, row, text, picture)
            if found and not (text.path in model.title_paths and found == prose.from_plain(title)):
                shown.append((text, found))
        for number, (text, found) in enumerate(shown):
            if number or (len(shown) > 1 and text.path not in _MAIN):
                yield f"**{prose.inline(self._called(text.path))}**"
            yield found

    def _written(self, model: TableModel, row: ReadRow, text: TextField, picture: prose.Picture) -> str:
        values = [value for value in values_at(row.values, text.path) if value not in ("", None)]
        plain = text.format == "plain" or (model.name == "messages" and row.values.get("sender") == "user")
        if text.format == "tiptap":
            found = [prose.from_tiptap(value, picture) for value in values]
        elif not all(isinstance(value, str) for value in values):
            found = [prose.from_plain(self._one_line(value)) for value in values]
        elif text.format == "html":
            found = [prose.from_html(value, picture) for value in values]
        elif plain:
            found = [prose.from_plain(value) for value in values]
        else:
            found = [prose.from_markdown(value, picture) for value in values]
        if text.path.endswith("[]"):
            return "\n".join(f"{number + 1}. {item}" for number, item in enumerate(found))
        return "\n\n".join(filter(None, found))

    def _nested(self, model: TableModel, row: ReadRow) -> Iterator[str]:
        """Lists of parts and objects: ingredients, lines, options."""
        texts = {text.path.partition("[")[0].partition(".")[0] for text in model.texts}
        texts |= self._attachments.told(model.name, row.id)
        for name, value in row.values.items():
            if name in texts or name in _UNTOLD or not value or not isinstance(value, list | dict):
                continue
            if isinstance(value, list) and all(isinstance(one, str) for one in value):
                continue
            lines = [self._one_line(part) for part in (value if isinstance(value, list) else [value])]
            if any(lines):
                yield f"**{prose.inline(self._called(name))}**\n"
                yield from (f"- {prose.inline(line)}" for line in lines if line)
                yield ""

    def _called(self, path: str) -> str:
        return self._reading.modules.field_label(path, self._reading.language)

    def _one_line(self, value: JSON) -> str:
        """Any value in a line."""
        if isinstance(value, str):
            return value
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, bool):
            return _TRUE_OR_NOT[self._reading.language][value]
        if isinstance(value, Number):
            return value.text
        if isinstance(value, list):
            return ", ".join(map(self._one_line, value))
        if isinstance(value, dict):
            parts = {
                name: self._one_line(part)
                for name, part in value.items()
                if part not in (None, "", [], {}) and name != "id"
            }
            if parts and parts.keys() <= set(_INGREDIENT):
                return " ".join(parts[name] for name in _INGREDIENT if name in parts)
            return "; ".join(f"{self._called(name)}: {part}" for name, part in parts.items())
        return jsontext.dumps(value).decode() if value is not None else ""

    def _references(self, model: TableModel, row: ReadRow, path: tuple[str, ...]) -> Iterator[str]:
        """Links to what a row refers to, or the names of what has no page."""
        within = model.role == "detail" and model.parent_path is not None
        parent = (model.references.get(model.parent_path or ""), model.parent_path) if within else None
        found = [
            (target, identifier)
            for field, target in model.references.items()
            if (model.tags is None or field not in model.tags.ids) and (target, field) != parent
            for identifier in ids_at(row.values, field)
        ]
        found += self._linked.get((model.name, row.id), ())
        lines = []
        for target, identifier in dict.fromkeys(found):
            described = self._reading.model(target)
            link = self._link(target, identifier, path, None)
            if link is None:
                title = self._title(target, identifier)
                link = None if title is None else prose.inline(title)
            if link is not None and described is not None:
                lines.append(f"- {prose.inline(described.label.of(self._reading.language))}: {link}")
        if lines:
            yield from lines

    @cached_property
    def _linked(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        """(table, id) → what people have linked with a row. Each link has two rows, of which one counts."""
        by_collection = registry.load().by_collection
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for row in self._reading.rows("manaLinks"):
            if row.values.get("direction") == "reverse":
                continue
            ends = []
            for end in ("source", "target"):
                app, collection, identifier = (row.values.get(f"{end}{part}") for part in ("App", "Collection", "Id"))
                table = by_collection.get((str(app), str(collection)))
                if table is not None and isinstance(identifier, str):
                    ends.append((table.name, identifier))
            if len(ends) == 2:
                found.setdefault(ends[0], []).append(ends[1])
                found.setdefault(ends[1], []).append(ends[0])
        return found

    def _title(self, table: str, identifier: str) -> str | None:
        """The title of a row without a page of its own: a folder, a category."""
        model = self._reading.model(table)
        if model is None or model.role != "taxonomy":
            return None
        if table not in self._titles:
            rows = self._reading.rows(table)
            self._titles[table] = {row.id: title for row in rows if (title := model.title(row.values))}
        return self._titles[table].get(identifier)


def _as_tag(name: str) -> str:
    """A name as a tag of Obsidian's: of letters, digits, ``_``, ``-``, ``/`` and what is no punctuation."""
    tag = "-".join(_NOT_IN_TAGS.sub(" ", prose.clean(name)).split())
    return f"_{tag}" if tag.isdecimal() else tag


def _is_worse(text: TextField, formats: set[TextFormat]) -> bool:
    """Whether the same text stands in the row in a format that keeps more of it."""
    same = text.path.endswith(("content", "plainText", "body"))
    if text.format == "plain":
        return same and not formats.isdisjoint({"html", "tiptap"})
    return text.format == "html" and "tiptap" in formats


def left_out(reading: Reading) -> Iterator[str]:
    """What is not here, in the language of the folder."""
    if reading.left_out.counts:
        yield "## " + ("Nicht enthalten" if reading.language == "de" else "Left out") + "\n"
    for line in told_by_label(reading):
        yield f"- {prose.inline(line)}"
