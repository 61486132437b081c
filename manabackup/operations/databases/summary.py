"""What an export for everybody amounted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...text.jsontext import JSON
from ..ledger import LEDGER, Entry

LOSSES = 3
"""The exit code of an archive that lacks something."""


@dataclass(frozen=True, slots=True)
class TableTotals:
    """Where all rows of a table are."""

    rows: int
    owned: int
    """In the archive of somebody, or of several people."""
    nobodys: int

    @property
    def others(self) -> int:
        """Rows that lead to somebody of whom there is no row, or to people of whom each has a part."""
        return self.rows - self.owned - self.nobodys

    def to_json(self) -> dict[str, JSON]:
        """As the summary has it."""
        return {"rows": self.rows, "owned": self.owned, "nobodys": self.nobodys, "gone": self.others}


@dataclass(frozen=True, slots=True)
class Everybody:
    """What came of it."""

    folder: Path
    people: list[Entry] = field(repr=False)
    tables: Mapping[str, TableTotals] = field(repr=False)
    """By table of the profile; all of them together are the tables whose rows belong to people."""
    not_read: Mapping[str, int | None] = field(repr=False)
    """Rows of the tables that belong to nobody by the profile; None where this role may not count them."""
    stores: Mapping[str, JSON] = field(repr=False)
    kept: int = 0
    """Archives that an earlier run wrote, out of an earlier snapshot."""

    @property
    def failed(self) -> list[Entry]:
        """Those whose archives could not be written."""
        return [entry for entry in self.people if not entry.is_written]

    @property
    def exit_code(self) -> int:
        """3 where an archive is not there, or lacks something."""
        return LOSSES if any(entry.exit_code for entry in self.people) else 0

    def to_json(self) -> dict[str, Any]:
        """The summary, and what the command prints with ``--json``."""
        return {
            "folder": str(self.folder),
            "ledger": LEDGER,
            "stores": dict(self.stores),
            "people": {
                "written": len(self.people) - len(self.failed),
                "kept": self.kept,
                "failed": len(self.failed),
                "rows": sum(entry.rows for entry in self.people),
            },
            "tables": {name: totals.to_json() for name, totals in self.tables.items()},
            "notRead": dict(self.not_read),
        }
