"""What a report says, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TableCount:
    """The rows of a table."""

    table: str
    label: tuple[str, str]
    """German, English."""
    rows: int
    bytes: int
    """Of its text, uncompressed."""


@dataclass(frozen=True, slots=True)
class AppCount:
    """The rows of an app."""

    app: str
    label: tuple[str, str]
    group: tuple[str, str]
    tables: list[TableCount]

    @property
    def rows(self) -> int:
        """Of all its tables."""
        return sum(table.rows for table in self.tables)

    @property
    def bytes(self) -> int:
        """Of all its tables' text."""
        return sum(table.bytes for table in self.tables)


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases of one kind that the archive's maker tells of."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Living rows by the time that they go by: their own date, else when they were first written."""

    months: Mapping[str, Mapping[str, int]]
    """App → ``YYYY-MM`` → rows."""
    undated: int


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding of an audit."""

    id: str
    severity: str
    title: str
    count: int
    advice: str


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """The latest audit of the account."""

    user_id: str
    pulled_at: str
    errors: int
    warnings: int
    notes: int
    findings: list[ReportedFinding]

    def to_json(self) -> dict[str, Any]:
        """As it stands in a report's JSON."""
        return {
            "userId": self.user_id,
            "pulledAt": self.pulled_at,
            "errors": self.errors,
            "warnings": self.warnings,
            "notes": self.notes,
            "findings": [asdict(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report says."""

    archive: str
    """Name of the file, without its folder."""
    bytes: int
    sealed: bool
    produced_by: str | None
    exported_at: str | None
    user_id: str | None
    scope: list[str] | None
    """Apps; None: everything."""
    data_sha256: str | None
    whole: bool
    problems: list[tuple[str, str | None, str]]
    """Stable code, where, in words."""
    notes: list[str]
    status: str | None
    """``complete``, ``partial``; None: its maker does not say."""
    losses: list[Cases]
    notices: list[Cases]
    apps: list[AppCount]
    activity: Activity | None
    """None for an archive that is not whole."""
    audit: AuditSummary | None = None
    version: str = ""
    """Of the program that wrote the report."""

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(app.rows for app in self.apps)

    @property
    def tables(self) -> int:
        """With at least one row."""
        return sum(len(app.tables) for app in self.apps)

    def to_json(self) -> dict[str, Any]:
        """The object that ``report --format json`` writes (``formats/schemas/report.schema.json``)."""
        activity = self.activity
        return {
            "archive": self.archive,
            "bytes": self.bytes,
            "sealed": self.sealed,
            "producedBy": self.produced_by,
            "exportedAt": self.exported_at,
            "userId": self.user_id,
            "scope": self.scope,
            "dataSha256": self.data_sha256,
            "whole": self.whole,
            "problems": [{"code": code, "where": where, "message": message} for code, where, message in self.problems],
            "notes": self.notes,
            "status": self.status,
            "losses": {cases.kind: cases.count for cases in self.losses},
            "notices": {cases.kind: cases.count for cases in self.notices},
            "rows": self.rows,
            "tables": self.tables,
            "apps": {
                app.app: {
                    "rows": app.rows,
                    "bytes": app.bytes,
                    "tables": {table.table: {"rows": table.rows, "bytes": table.bytes} for table in app.tables},
                }
                for app in self.apps
            },
            "activity": None
            if activity is None
            else {
                "months": {app: dict(months) for app, months in activity.months.items()},
                "undated": activity.undated,
            },
            "audit": None if self.audit is None else self.audit.to_json(),
            "version": self.version,
        }
