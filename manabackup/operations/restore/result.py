"""What a restore amounted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .check import Verification
from .plan import Kind
from .report import Report


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a restore, or of a dry run."""

    report: Report
    inserted: int = 0
    updated: int = 0
    """Rows that were there, or had been, and are as planned now."""
    failed: int = 0
    failures: Sequence[tuple[str, str, str]] = ()
    """(table, record id, the server's words) of the first rows that the server did not take."""
    verification: Verification | None = None
    """None when nothing was sent."""

    @property
    def losses(self) -> int:
        """Rows and fields that are not as the archive has them, though nobody asked for that."""
        differing = self.verification.differing if self.verification is not None else 0
        return self.report.amiss + self.failed + differing

    def to_json(self, *, dry_run: bool) -> dict[str, Any]:
        """The object that ``restore --json`` prints (``formats/schemas/restore.schema.json``), but for the target."""
        report, verification = self.report, self.verification
        described = report.to_json()
        refused = [{"table": table, "id": record, "reason": words} for table, record, words in self.failures]
        return {
            "planned": report.planned,
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": report.count(Kind.UNCHANGED),
            "skipped": report.count(Kind.SKIPPED),
            "conflicts": report.count(Kind.CONFLICT),
            "failed": self.failed,
            "verified": None if dry_run else verification is None or verification.ok,
            "notRestored": [*described.pop("cases"), *refused],
            "differing": verification.cases if verification is not None else [],
            **described,
        }
