"""What restoring an archive into another account changes on purpose, told from what went wrong.

Every exception stands here, each as narrow as it can be, because whatever it takes is no difference any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from typing import Final

from .. import jsontext
from ..crypto.fields import is_encrypted
from ..jsontext import JSON
from ..limits import MIB
from ..registry import Registry
from .diff import Diff, TableDiff
from .equality import changed_fields, equal_values
from .identity import CHANGED_BY, COLUMNS, TOKEN, columns
from .restore.archive_rows import ONE_PER_SPACE
from .restore.changes import as_stored, refusal
from .restore.plan import Reason
from .restore.report import Report

KINDS: Final = {
    # fields
    "identity": "fields that say whose a row is, and links that open it: the new account's in place of the old one's",
    "visibility": "fields that say who sees a row: never more people than the new space has",
    "addedTimes": "times that rows without any get, so that every device shows them alike",
    "numbers": "numbers beyond 64-bit floating point, which the server rounds",
    "surrogates": "texts with halves of characters, which the server replaces by U+FFFD",
    "ciphertextLeftOut": "fields that no key at hand opens",
    # rows
    "rowIds": "rows whose id holds a space's, or that are one in each space: under the id that they have there",
    "bootstrapped": "rows that every new account begins with",
    "superseded": "rows of which a space takes one, and a later one was restored",
    "unknownTable": "rows of tables that this version knows nothing of",
    "nul": "rows with a NUL character, which the server refuses",
    "number": "rows with a number that the server refuses",
    "nesting": "rows that nest deeper than the server allows",
    "tooLarge": "rows larger than a request may be",
    "badId": "rows with an id that the server would change",
}
"""What is expected, in words."""

_TIMES = frozenset({"createdAt", "updatedAt"})
_OPEN_TO_OTHERS = ("unlisted", "public")
_WITHIN_SPACE = "space"
_SPACE_ID = "<spaceId>"
_LAWFUL = frozenset({Reason.NUL, Reason.NUMBER, Reason.NESTING, Reason.BAD_ID})
_TOLD = frozenset({Reason.TOO_LARGE.value, Reason.NESTING.value})
"""Reasons that depend on how a row is written, for which the restore is believed."""
_BUDGET = 16 * MIB
_MOST_MOVED = 1_000
"""Rows of one table on one side that may have another id; an account has one of each in a space."""

_Rows = dict[str, dict[str, JSON]]


class Rules:
    """The expectation of one round trip. ``spaces`` and ``there_before`` are the new account's."""

    def __init__(
        self,
        registry: Registry,
        user_id: str,
        spaces: Container[str],
        there_before: Container[tuple[str, str]],
        report: Report,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Kind → fields or rows; whole after :meth:`settle`."""
        self._registry = registry
        self._user_id = user_id
        self._spaces = spaces
        self._there_before = there_before
        self._told = {(case["table"], case["id"]): case["reason"] for case in report.cases}
        self._superseded = Counter(
            str(case["table"]) for case in report.cases if case["reason"] == Reason.SUPERSEDED.value
        )
        with_space = {table for table, ids in registry.well_known_ids.items() if any(_SPACE_ID in id_ for id_ in ids)}
        self._moving = {ONE_PER_SPACE, *with_space}
        self._removed: dict[str, _Rows] = {}
        self._added: dict[str, _Rows] = {}
        self._left = _BUDGET

    # --- what diff asks

    def takes_field(self, table: str, name: str, one: JSON, other: JSON, *, private: bool) -> bool:
        """Whether a field's change is one of the rules'."""
        kind = self._kind(table, name, one, other, private=private)
        if kind is None:
            return False
        self.counts[kind] += 1
        return True

    def takes_removed(self, table: str, identifier: str, values: dict[str, JSON]) -> bool:
        """Whether a row was to stay behind."""
        known = self._registry.by_name.get(table)
        if known is None:
            self.counts["unknownTable"] += 1
            return True
        readable = {name: value for name, value in values.items() if name not in known.encrypted}
        reason = refusal([jsontext.dumps(readable)], identifier)
        if reason in _LAWFUL:
            self.counts[reason.value] += 1
            return True
        told = self._told.get((table, identifier))
        if told in _TOLD:
            self.counts[str(told)] += 1
            return True
        return table in self._moving and self._keep(self._removed, table, identifier, values)

    def takes_added(self, table: str, identifier: str, values: dict[str, JSON]) -> bool:
        """Whether the account had a row before, or has it for one of the archive's under another id."""
        if table in self._moving:
            return self._keep(self._added, table, identifier, values)
        if (table, identifier) in self._there_before:
            self.counts["bootstrapped"] += 1
            return True
        return False

    # --- afterwards

    def settle(self, found: Diff) -> None:
        """Brings rows together that have another id in the account; what is left over is a difference."""
        for table in sorted(self._moving):
            removed, added = self._removed.get(table, {}), self._added.get(table, {})
            for gone in list(removed):
                there = next((new for new in added if self._is_same(table, removed[gone], added[new])), None)
                if there is not None:
                    self._count_fields(table, removed.pop(gone), added.pop(there))
                    self.counts["rowIds"] += 1
            for new in [new for new in added if (table, new) in self._there_before]:
                del added[new]
                self.counts["bootstrapped"] += 1
            for gone in list(removed)[: self._superseded[table]]:
                del removed[gone]
                self.counts["superseded"] += 1
            if removed or added:
                differing = found.tables.setdefault(table, TableDiff())
                differing.removed += len(removed)
                differing.added += len(added)
                differing.removed_ids += removed
                differing.added_ids += added

    def _keep(self, kept: dict[str, _Rows], table: str, identifier: str, values: dict[str, JSON]) -> bool:
        rows = kept.setdefault(table, {})
        size = len(jsontext.dumps(values))
        if len(rows) >= _MOST_MOVED or size > self._left:
            return False
        self._left -= size
        rows[identifier] = values
        return True

    def _changes(self, table: str, one: Mapping[str, JSON], other: Mapping[str, JSON]) -> list[str | None]:
        """The kind of each change between two rows."""
        private = self._registry.by_name[table].encrypted
        return [
            self._kind(table, name, one.get(name), other.get(name), private=name in private)
            for name in changed_fields(one, other, exact=private, ignored=("id",))
        ]

    def _is_same(self, table: str, one: Mapping[str, JSON], other: Mapping[str, JSON]) -> bool:
        return None not in self._changes(table, one, other)

    def _count_fields(self, table: str, one: Mapping[str, JSON], other: Mapping[str, JSON]) -> None:
        self.counts.update(kind for kind in self._changes(table, one, other) if kind is not None)

    # --- one field

    def _kind(self, table: str, name: str, one: JSON, other: JSON, *, private: bool) -> str | None:
        if name in columns(self._registry, table):
            return "identity" if self._is_ours(table, name, other) else None
        if name in (CHANGED_BY, TOKEN):
            return "identity" if other is None else None
        if name == "visibility" and other == _WITHIN_SPACE and (one is None or one in _OPEN_TO_OTHERS):
            return "visibility"
        if name in _TIMES and one is None and type(other) is str:
            return "addedTimes"
        if is_encrypted(one) and other is None:
            return "ciphertextLeftOut"
        if not private and equal_values(one, other):
            return "numbers"
        if not private and equal_values(jsontext.parse(as_stored(jsontext.dumps(one))), other):
            return "surrogates"
        return None

    def _is_ours(self, table: str, name: str, value: JSON) -> bool:
        """Whether a column of identity is the new account's, in the rows that have it, and nothing in the others."""
        known = self._registry.by_name.get(table)
        scope = known.scope if known is not None else None
        if name not in COLUMNS or scope not in ("space", "user"):
            return False
        if name == "spaceId":
            return type(value) is str and value in self._spaces if scope == "space" else value is None
        expected = self._user_id if (name == "authorId") == (scope == "space") else None
        return bool(value == expected)
