"""What a restore amounted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...text.jsontext import JSON
from .check import EditOutcome, Verification
from .decision import Reason, RowAction
from .plan import RestorePlan
from .target_account import TargetAccount


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The end of a restore, or of a dry run."""

    plan: RestorePlan
    target: TargetAccount
    inserted: int = 0
    updated: int = 0
    """Rows that were there, or had been, and are as planned now."""
    repaired: int = 0
    """Those of them that were as in the archive, and are so on every device now."""
    failed: int = 0
    failures: Sequence[tuple[str, str, str]] = ()
    """(table, record id, the server's words) of the first rows that the server did not take."""
    verification: Verification | None = None
    """None when nothing was sent."""
    dry_run: bool = False
    overwritten_before: Sequence[dict[str, JSON]] = ()
    """Table and id of rows of which an edit was overwritten by an unfinished run that was given up."""

    @property
    def edits(self) -> list[dict[str, JSON]]:
        """Rows that others edited between plan and verification: table, id, and what became of the edit."""
        set_aside = [case for case in self.plan.cases if case["reason"] == Reason.EDITED_MEANWHILE.value]
        found = self.verification.edits if self.verification is not None else {}
        outcomes = (
            ("overwritten", [*self.overwritten_before, *found.get(EditOutcome.OVERWRITTEN, [])]),
            ("setAside", set_aside),
            ("kept", found.get(EditOutcome.KEPT, [])),
        )
        return [
            {"table": case["table"], "id": case["id"], "outcome": outcome}
            for outcome, cases in outcomes
            for case in cases
        ]

    @property
    def overwritten(self) -> int:
        """Rows of which somebody's edit was overwritten that the plan had not seen."""
        found = self.verification.edited[EditOutcome.OVERWRITTEN] if self.verification is not None else 0
        return found + len(self.overwritten_before)

    @property
    def losses(self) -> int:
        """Rows and fields that are not as the archive has them, though nobody asked for that; edits that are lost."""
        differing = self.verification.differing if self.verification is not None else 0
        return self.plan.amiss + self.failed + differing + self.overwritten

    def to_json(self) -> dict[str, Any]:
        """The object that ``restore --json`` prints (``formats/schemas/restore.schema.json``)."""
        plan, verification = self.plan, self.verification
        described = plan.to_json()
        refused = [{"table": table, "id": record, "reason": words} for table, record, words in self.failures]
        return {
            "planned": plan.planned,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": plan.count(RowAction.UNCHANGED),
            "skipped": plan.count(RowAction.SKIPPED),
            "conflicts": plan.count(RowAction.CONFLICT),
            "failed": self.failed,
            "verified": None if self.dry_run else verification is None or verification.ok,
            "notRestored": [*described.pop("cases"), *refused],
            "differing": verification.cases if verification is not None else [],
            "edited": self.edits,
            "overwritten": self.overwritten,
            **described,
            "target": self.target.to_json(),
            "comparedWithoutKey": self.target.compares_without_key,
        }
