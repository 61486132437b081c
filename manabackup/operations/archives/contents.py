"""The tables of an archive as people know them: in groups, with what the app calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...model import modules
from ...model.tables import Label, Language
from ...text.jsontext import JSON

_OTHERS = Label("Weiteres", "Others")
_ROLES = frozenset(("main", "detail", "taxonomy", "settings"))
"""Of tables whose rows people have made and would miss."""


@dataclass(frozen=True, slots=True)
class TableContent:
    """How much is in one table."""

    name: str
    label: str
    """What the app calls it; the name again where nobody knows."""
    rows: JSON
    """A number, unless the manifest says something else."""


@dataclass(slots=True)
class GroupContent:
    """The tables that people would look for in one place."""

    label: str
    tables: list[TableContent] = field(default_factory=list)


def grouped(
    row_counts: Mapping[str, JSON], language: Language, *, everything: bool = False
) -> tuple[list[GroupContent], list[TableContent]]:
    """What a manifest counts, the groups in the app's order, others last; and what is left out of them.

    Left out are tables without rows, and those that only serve others, such as pairs of things and tags.
    """
    known = modules.load()
    groups = {name: GroupContent(label.of(language)) for name, label in known.groups.items()}
    others = GroupContent(_OTHERS.of(language))
    left_out: list[TableContent] = []
    for name, rows in row_counts.items():
        model = known.table(name)
        table = TableContent(name, name if model is None else model.label.of(language), rows)
        serves = model is not None and model.role not in _ROLES
        if everything or (rows and not serves):
            (others if model is None else groups.get(model.group, others)).tables.append(table)
        elif rows:
            left_out.append(table)
    return [group for group in (*groups.values(), others) if group.tables], left_out
