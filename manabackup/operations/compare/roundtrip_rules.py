"""What restoring an archive into another account changes on purpose, and leaves behind, told from what went wrong.

Every exception stands here, each as narrow as it can be, because whatever it takes is no difference any more. What
stays behind is never expected, unless somebody says by its kind that it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...limits import MIB
from ...model.registry import Registry
from ...model.spaces import OPEN_TO_OTHERS
from ...rows.capabilities import capability_fields, within
from ...rows.equality import changed_fields, equal_values
from ...rows.identity import CHANGED_BY, COLUMNS, columns
from ...text import jsontext
from ...text.jsontext import JSON
from ..restore.archive_rows import ONE_PER_SPACE
from ..restore.changes import as_stored, refusal
from ..restore.decision import Reason
from ..restore.plan import RestorePlan
from .diff import MOST_CASES, Diff, FieldChange, FieldState, TableDiff

EXPECTED: Final = {
    # fields
    "identity": "fields that say whose a row is, and the secrets and links that go with it: the new account's in place "
    "of the old one's",
    "visibility": "fields that say who sees a row: never more people than the new space has",
    "addedTimes": "times that rows without any get, so that every device shows them alike",
    "numbers": "numbers beyond 64-bit floating point, which the server rounds",
    "surrogates": "texts with halves of characters, which the server replaces by U+FFFD",
    # rows
    "rowIds": "rows whose id holds a space's, or that are one in each space: under the id that they have there",
    "bootstrapped": "rows that every new account begins with",
}
"""What restoring changes on purpose, in words; nothing of the archive is missing."""

LEFT_FIELDS: Final = {"ciphertextLeftOut": "fields that no key at hand opens"}
LEFT_ROWS: Final = {
    "superseded": "rows of which a space takes one, and a later one was restored",
    "unknownTable": "rows of tables that this version knows nothing of",
    "nul": "rows with a NUL character, which the server refuses",
    "number": "rows with a number that the server refuses",
    "nesting": "rows that nest deeper than the server allows",
    "tooLarge": "rows larger than a request may be",
    "badId": "rows with an id that the server would change",
}
LEFT_BEHIND: Final = {**LEFT_ROWS, **LEFT_FIELDS}
"""What the archive has and a restore leaves behind, for a reason that is known, in words."""

_TIMES = frozenset({"createdAt", "updatedAt"})
_WITHIN_SPACE = "space"
_SPACE_ID = "<spaceId>"
_LAWFUL = frozenset({Reason.NUL, Reason.NUMBER, Reason.NESTING, Reason.BAD_ID})
_TOLD = frozenset({Reason.TOO_LARGE.value, Reason.NESTING.value})
"""Reasons that depend on how a row is written, for which the restore is believed."""
_BUDGET = 16 * MIB
_MOST_MOVED = 1_000
"""Rows of one table on one side that may have another id; an account has one of each in a space."""


class _Row(NamedTuple):
    """A row that may be there under another id."""

    values: Mapping[str, JSON]
    closed: Collection[str] = ()


_Rows = dict[str, _Row]


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The account of a round trip."""

    user_id: str
    spaces: Container[str]
    there_before: Container[tuple[str, str]]
    """(table, id) of the rows that it begins with."""


class RoundtripRules:
    """The expectation of one round trip, of which ``plan`` was carried out.

    What stays behind for one of the reasons ``accepted`` (:data:`LEFT_BEHIND`) counts as expected.
    """

    def __init__(
        self,
        registry: Registry,
        account: NewAccount,
        plan: RestorePlan,
        accepted: Collection[str] = (),
    ) -> None:
        self.counts: Counter[str] = Counter()
        """What is expected, kind → fields or rows; whole after :meth:`settle`."""
        self.left: Counter[str] = Counter()
        """What stays behind, likewise."""
        self.left_cases: list[dict[str, JSON]] = []
        """Table, id, field and reason of the first of it."""
        self._accepted = accepted
        self._registry = registry
        self._user_id = account.user_id
        self._spaces = account.spaces
        self._there_before = account.there_before
        self._told = {(case["table"], case["id"]): case["reason"] for case in plan.cases}
        self._superseded = Counter(
            str(case["table"]) for case in plan.cases if case["reason"] == Reason.SUPERSEDED.value
        )
        with_space = {table for table, ids in registry.well_known_ids.items() if any(_SPACE_ID in id_ for id_ in ids)}
        self._moving = {ONE_PER_SPACE, *with_space}
        self._removed: dict[str, _Rows] = {}
        self._added: dict[str, _Rows] = {}
        self._left = _BUDGET

    # --- what diff asks

    def takes_field(self, table: str, identifier: str, change: FieldChange) -> bool:
        """Whether a field's change is one of the rules', or it is known why it stays behind."""
        private = change.state is FieldState.PRIVATE
        kind = self._kind(table, change.name, change.one, change.other, private=private)
        if kind is not None:
            self.counts[kind] += 1
            return True
        if change.state is FieldState.CLOSED and change.other is None:
            self._leave("ciphertextLeftOut", table, identifier, change.name)
            return True
        return False

    def takes_removed(self, table: str, identifier: str, values: dict[str, JSON], closed: Collection[str]) -> bool:
        """Whether it is known why a row stays behind, or it may be there under another id."""
        known = self._registry.by_name.get(table)
        if known is None:
            self._leave("unknownTable", table, identifier)
            return True
        readable = {name: value for name, value in values.items() if name not in known.encrypted}
        reason = refusal([jsontext.dumps(readable)], identifier)
        if reason in _LAWFUL:
            self._leave(reason.value, table, identifier)
            return True
        told = self._told.get((table, identifier))
        if told in _TOLD:
            self._leave(str(told), table, identifier)
            return True
        return table in self._moving and self._keep(self._removed, table, identifier, _Row(values, closed))

    def takes_added(self, table: str, identifier: str, values: dict[str, JSON]) -> bool:
        """Whether the account had a row before, or has it for one of the archive's under another id."""
        if table in self._moving:
            return self._keep(self._added, table, identifier, _Row(values))
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
                    self._count_fields(table, gone, removed.pop(gone), added.pop(there))
                    self.counts["rowIds"] += 1
            for new in [new for new in added if (table, new) in self._there_before]:
                del added[new]
                self.counts["bootstrapped"] += 1
            for gone in list(removed)[: self._superseded[table]]:
                del removed[gone]
                self._leave("superseded", table, gone)
            if removed or added:
                differing = found.tables.setdefault(table, TableDiff())
                differing.removed += len(removed)
                differing.added += len(added)
                differing.removed_ids += removed
                differing.added_ids += added

    def _leave(self, kind: str, table: str, identifier: str, field: str | None = None) -> None:
        if kind in self._accepted:
            self.counts[kind] += 1
            return
        self.left[kind] += 1
        if len(self.left_cases) < MOST_CASES:
            named = {} if field is None else {"field": field}
            self.left_cases.append({"table": table, "id": identifier, **named, "reason": kind})

    def _keep(self, kept: dict[str, _Rows], table: str, identifier: str, row: _Row) -> bool:
        rows = kept.setdefault(table, {})
        size = len(jsontext.dumps(row.values))
        if len(rows) >= _MOST_MOVED or size > self._left:
            return False
        self._left -= size
        rows[identifier] = row
        return True

    def _changes(self, table: str, one: _Row, other: _Row) -> dict[str, str | None]:
        """The kind of each change between two rows, field → kind."""
        private = self._registry.by_name[table].encrypted
        return {
            name: "ciphertextLeftOut"
            if name in one.closed and other.values.get(name) is None
            else self._kind(table, name, one.values.get(name), other.values.get(name), private=name in private)
            for name in changed_fields(one.values, other.values, exact=private, ignored=("id",))
        }

    def _is_same(self, table: str, one: _Row, other: _Row) -> bool:
        return None not in self._changes(table, one, other).values()

    def _count_fields(self, table: str, identifier: str, one: _Row, other: _Row) -> None:
        for name, kind in self._changes(table, one, other).items():
            if kind in LEFT_FIELDS:
                self._leave(kind, table, identifier, name)
            elif kind is not None:
                self.counts[kind] += 1

    # --- one field

    def _kind(self, table: str, name: str, one: JSON, other: JSON, *, private: bool) -> str | None:
        if name in columns(self._registry, table):
            return "identity" if self._is_ours(table, name, other) else None
        if name == CHANGED_BY or within([name], capability_fields(table)):
            return "identity" if other is None else None
        if name == "visibility" and other == _WITHIN_SPACE and (one is None or one in OPEN_TO_OTHERS):
            return "visibility"
        if name in _TIMES and one is None and type(other) is str:
            return "addedTimes"
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
