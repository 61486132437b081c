"""What rows say of each other: names of tags, times of blocks, titles. Kept in memory, a few hundred bytes a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from ..model.tables import TableModel
from ..model.values import first_text, values_at
from ..text.jsontext import JSON
from .reading import Reading


class TimeBlock(NamedTuple):
    """The time of an event, a task, a habit."""

    start: JSON
    end: JSON
    all_day: bool


class Joined:
    """Looks up what belongs to a row. Each kind is read when it is first asked for."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._junctions: dict[str, dict[str, list[str]]] = {}

    def tags(self, model: TableModel, identifier: str, values: Mapping[str, JSON]) -> list[str]:
        """The names of a row's tags, from all three places, each once; ids that lead nowhere are counted."""
        if model.tags is None:
            return []
        names: dict[str, None] = {}
        ids = [(tag, "globalTags") for tag in model.tag_ids(values)] if model.tags.ids else []
        for junction in model.tags.junctions:
            if found := self._pairs(junction).get(identifier):
                table = self._reading.modules.junctions[junction].tag_table
                ids += [(tag, table) for tag in found]
        for tag, table in dict.fromkeys(ids) if ids else ():
            name = self._tag_names(table).get(tag)
            if name is not None:
                names[name] = None
        if model.tags.names:
            names.update(dict.fromkeys(model.tag_names(values)))
        return list(names)

    def prepare(self, model: TableModel) -> None:
        """Look up now what rows of a table will need: other processes have no archive to read from."""
        if model.tags is not None:
            _ = self._all_tag_names
            for junction in model.tags.junctions:
                self._pairs(junction)
        if model.date_path is not None and ">" in model.date_path:
            _ = self._blocks

    def block(self, identifier: JSON) -> TimeBlock | None:
        """The time of a block."""
        return self._blocks.get(identifier) if isinstance(identifier, str) else None

    @cached_property
    def _blocks(self) -> dict[str, TimeBlock]:
        return {
            row.id: TimeBlock(row.values.get("startDate"), row.values.get("endDate"), row.values.get("allDay") is True)
            for row in self._reading.rows("timeBlocks")
        }

    def _pairs(self, junction: str) -> Mapping[str, list[str]]:
        if junction not in self._junctions:
            found = self._junctions[junction] = {}
            pair_of = self._reading.modules.junctions[junction].pair
            for row in self._reading.rows(junction):
                pair = pair_of(row.values)
                if pair is not None:
                    found.setdefault(pair[0], []).append(pair[1])
        return self._junctions[junction]

    def _tag_names(self, table: str) -> Mapping[str, str]:
        return self._all_tag_names[table]

    @cached_property
    def _all_tag_names(self) -> dict[str, dict[str, str]]:
        return {table: self.names(table) for table in ("globalTags", "uloadTags")}

    def names(self, table: str, path: str = "name") -> dict[str, str]:
        """Id → name, of all rows of a small table."""
        return {row.id: name for row in self._reading.rows(table) if (name := first_text(row.values, path))}


def titles(reading: Reading, tables: Iterable[str]) -> dict[tuple[str, str], str]:
    """(table, id) → title, of the rows of some tables that have one."""
    found: dict[tuple[str, str], str] = {}
    for name in tables:
        model = reading.model(name)
        if model is None:
            continue
        for row in reading.rows(name):
            title = model.title(row.values)
            if title:
                found[name, row.id] = title
    return found


def referenced(reading: Reading) -> set[str]:
    """The tables that rows of those that were asked for refer to."""
    models = [model for name in reading.tables if (model := reading.model(name)) is not None]
    return {target for model in models for target in model.references.values() if reading.has(target)}


def ids_at(values: Mapping[str, JSON], path: str) -> list[str]:
    """The ids that stand at a path of references."""
    return [value for value in values_at(values, path) if isinstance(value, str) and value]
