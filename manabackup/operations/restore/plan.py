"""What a restore is about to do: counts by table and kind, why rows are left, and what their owner should know."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ...text.jsontext import JSON
from .decision import Decision, Means, Reason, RowAction
from .files_plan import FilesPlan
from .outbox import Item
from .writing import Work

MOST_CASES = 1_000
"""Rows of one kind that are named; all are counted."""
MANY_CHANGES = 5_000
"""Changes of one app that the server gives a device that pushes before it pulls."""


@dataclass(slots=True)
class RestorePlan:
    """The plan in numbers. Everything in it is fit for JSON, and lies in the outbox until the restore is done."""

    tables: dict[str, Counter[str]] = field(default_factory=dict)
    """Table → kind → rows."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why rows are not written → rows."""
    cases: list[dict[str, JSON]] = field(default_factory=list)
    """Table, id in the archive and reason of rows that are not written though nobody asked for that."""
    spaces: Counter[str] = field(default_factory=Counter)
    """Space of the archive → rows that are not written because of it."""
    unconfirmed_spaces: dict[str, int] = field(default_factory=dict)
    """Space of the target → rows that are to be written into it, though nothing tells that the account is a member."""
    seen_spaces: list[str] = field(default_factory=list)
    """Where there are such, the first of those that the account's rows are in."""
    left_out: int = 0
    """Fields that no key at hand opens."""
    left_out_cases: list[dict[str, JSON]] = field(default_factory=list)
    withheld: Counter[str] = field(default_factory=Counter)
    """``table.field`` of secrets and capabilities of another account, which stay behind → how many."""
    withheld_cases: list[dict[str, JSON]] = field(default_factory=list)
    typed_over: int = 0
    repairable: int = 0
    """Rows as in the archive of which a fresh client shows something else."""
    repaired: int = 0
    """Those of them that are written."""
    repairable_cases: list[dict[str, JSON]] = field(default_factory=list)
    replaced: int = 0
    untimed: int = 0
    """Rows of which some fields are written by an insert without a time."""
    nested: int = 0
    """Rows that are written over others and hold plain objects."""
    changes: Counter[str] = field(default_factory=Counter)
    """App → changes to be sent."""
    files: FilesPlan = field(default_factory=FilesPlan)
    resumed: bool = False
    """It was made by an earlier run, which began to send and did not come to its end."""

    def add(self, table: str, archive_id: str, work: Work, *, app: str, space: str | None) -> None:
        """One row of the plan."""
        decision = work.decision
        self.tables.setdefault(table, Counter())[decision.kind.value] += 1
        if decision.reason is not None:
            self.refuse(table, archive_id, decision.reason, space)
        if decision.need is not None:
            self.repairable += 1
            self.repaired += decision.means is not None
            if len(self.repairable_cases) < MOST_CASES:
                need = decision.need
                case = {"table": table, "id": archive_id, "reason": need.fault.value, "fields": list(need.fields)}
                self.repairable_cases.append(case)
        if decision.means is not None:
            self._count(decision, work, app)

    def move(self, table: str, archive_id: str, planned: Item, work: Work, *, space: str | None) -> None:
        """A row that was planned anew. What is told of devices stays as it was told before the question."""
        self.tables[table][planned.kind] -= 1
        self.tables[table][work.decision.kind.value] += 1
        self.changes[planned.app] += len(work.changes) - len(planned.changes)
        if work.decision.reason is not None:
            self.refuse(table, archive_id, work.decision.reason, space)

    def refuse(self, table: str, archive_id: str, reason: Reason, space: str | None) -> None:
        """One reason more; the row itself is counted where it is added."""
        self.reasons[reason.value] += 1
        if reason in (Reason.OTHER_SPACE, Reason.UNKNOWN_SPACE) and space is not None:
            self.spaces[space] += 1
        if not reason.by_choice and len(self.cases) < MOST_CASES:
            self.cases.append({"table": table, "id": archive_id, "reason": reason.value})

    def leave_out(self, table: str, archive_id: str, name: str) -> None:
        """A field that does not travel."""
        self.left_out += 1
        if len(self.left_out_cases) < MOST_CASES:
            self.left_out_cases.append({"table": table, "id": archive_id, "field": name})

    def withhold(self, table: str, archive_id: str, name: str) -> None:
        """A field that belongs to the account that the archive was made in."""
        self.withheld[f"{table}.{name}"] += 1
        if len(self.withheld_cases) < MOST_CASES:
            self.withheld_cases.append({"table": table, "id": archive_id, "field": name})

    def _count(self, decision: Decision, work: Work, app: str) -> None:
        self.changes[app] += len(work.changes)
        self.typed_over += decision.typed_over
        self.replaced += decision.means is Means.REPLACE
        self.untimed += decision.means is Means.UNTIMED_FIELDS
        self.nested += decision.means is not Means.INSERT and work.nested

    def count(self, *kinds: RowAction) -> int:
        """Rows of some kinds in all tables."""
        return sum(rows[kind.value] for rows in self.tables.values() for kind in kinds)

    @property
    def planned(self) -> int:
        """Rows that are to be written."""
        return self.count(RowAction.INSERT, RowAction.UPDATE, RowAction.REVIVE, RowAction.REPAIR)

    @property
    def is_to_be_sent(self) -> bool:
        """Whether there is anything to send, or something in the way that stops it."""
        return bool(self.planned or self.count(RowAction.CONFLICT))

    @property
    def amiss(self) -> int:
        """Rows, fields and files that are not restored though nobody asked for that."""
        return (
            self.left_out
            + self.files.losses
            + sum(count for reason, count in self.reasons.items() if not Reason(reason).by_choice)
        )

    @property
    def large_apps(self) -> dict[str, int]:
        """Apps of which some device might miss changes."""
        return {app: count for app, count in sorted(self.changes.items()) if count > MANY_CHANGES}

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "tables": {table: dict(rows) for table, rows in self.tables.items()},
            "reasons": dict(self.reasons),
            "cases": self.cases,
            "spaces": dict(self.spaces),
            "unconfirmedSpaces": self.unconfirmed_spaces,
            "seenSpaces": self.seen_spaces,
            "leftOut": self.left_out,
            "leftOutCases": self.left_out_cases,
            "withheld": dict(self.withheld),
            "withheldCases": self.withheld_cases,
            "typedOver": self.typed_over,
            "repairable": self.repairable,
            "repaired": self.repaired,
            "repairableCases": self.repairable_cases,
            "replaced": self.replaced,
            "untimed": self.untimed,
            "nested": self.nested,
            "changes": dict(self.changes),
            "files": self.files.to_json(),
        }

    @classmethod
    def of_json(cls, record: dict[str, Any]) -> RestorePlan:
        """What :meth:`to_json` gave."""
        return cls(
            {table: Counter(rows) for table, rows in record["tables"].items()},
            Counter(record["reasons"]),
            record["cases"],
            Counter(record["spaces"]),
            record.get("unconfirmedSpaces", {}),
            record.get("seenSpaces", []),
            record["leftOut"],
            record["leftOutCases"],
            Counter(record.get("withheld", {})),  # an outbox of an earlier version has none
            record.get("withheldCases", []),
            record["typedOver"],
            record["repairable"],
            record["repaired"],
            record["repairableCases"],
            record["replaced"],
            record["untimed"],
            record["nested"],
            Counter(record["changes"]),
            FilesPlan.of_json(record.get("files", {})),
        )
