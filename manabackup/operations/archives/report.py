"""Report: what an archive is, whether it is whole and how much is in it, without a word of its rows.

It reads an archive twice in constant memory: once to verify it, once for the dates of its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from ...about import __version__
from ...archive import names
from ...archive.destination import Destination, opened, writing
from ...archive.manifest import Manifest
from ...archive.places import Location
from ...archive.reader import Archive, open_archive
from ...errors import DamagedArchiveError, ManabackupError, NewerArchiveError, UsageError
from ...model import modules
from ...model.values import moment
from ...rows.archived import is_ours
from ...rows.side_by_side import MetaLines
from ...text import jsontext
from ...text.jsontext import JSON
from ...viewer.report.content import (
    Activity,
    AppCount,
    AuditSummary,
    Cases,
    Report,
    ReportedFinding,
    TableCount,
)
from ...viewer.report.words import Language
from ..progress import Watch
from .verify import UNAUTHENTICATED, VerifyReport, verify

ReportFormat = Literal["html", "markdown", "json"]
_UNKNOWN_GROUP = ("Weiteres", "Others")


def report(
    path: Location,
    passphrase: Callable[[], str] | None = None,
    *,
    audit: Path | None = None,
    allow_weak_kdf: bool = False,
    progress: Watch | None = None,
) -> Report:
    """Verify an archive and count what is in it. Damage is reported, not raised. ``audit``: of ``audit --json``.

    Raises :class:`WrongPassphraseError`, :class:`OlderArchiveError`, :class:`NewerArchiveError`,
    :class:`NotFoundError`, and :class:`UsageError` for an audit that is none.
    """
    summary = None if audit is None else read_audit(audit)
    answers: list[str] = []

    def ask_once() -> str:
        if passphrase is None:
            raise UsageError("the archive is sealed: its passphrase is needed")
        if not answers:
            answers.append(passphrase())
        return answers[0]

    verified = verify(path, ask_once, allow_weak_kdf=allow_weak_kdf, progress=progress)
    try:
        with open_archive(path, ask_once, allow_weak_kdf=allow_weak_kdf) as archive:
            apps = _apps(archive)
            activity = _activity(archive) if verified.ok else None
            return _report(path, verified, archive.manifest, apps=apps, activity=activity, audit=summary)
    except NewerArchiveError:  # nobody can say of it that it is damaged
        raise
    except DamagedArchiveError:
        return _report(path, verified, None, audit=summary)


def write(report: Report, target: Destination, form: ReportFormat, language: Language, *, force: bool = False) -> None:
    """Write a report. Raises :class:`OutputError`."""
    # Templates are loaded by those who write reports alone.
    from ...viewer.report import render

    texts: dict[ReportFormat, Callable[[], str]] = {
        "html": lambda: render.to_html(report, language),
        "markdown": lambda: render.to_markdown(report, language),
        "json": lambda: render.to_json(report),
    }
    content = texts[form]().encode("utf-8", "backslashreplace")
    with writing(target), opened(target, force=force) as file:
        file.write(content)


def read_audit(path: Path) -> AuditSummary:
    """What ``audit --json`` printed. Raises :class:`UsageError` for a file that it did not print."""
    try:
        found: Any = jsontext.parse(path.read_bytes())
        findings = [
            ReportedFinding(
                str(each["id"]), str(each["severity"]), str(each["title"]), int(each["count"]), str(each["advice"])
            )
            for each in found["findings"]
        ]
        severities = {finding.severity for finding in findings}
        if not severities <= {"error", "warning", "note"}:
            raise ValueError(severities)
        errors, warnings, notes = (int(found[key]) for key in ("errors", "warnings", "notes"))
        return AuditSummary(str(found["userId"]), str(found["pulledAt"] or ""), errors, warnings, notes, findings)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ManabackupError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is not what `manabackup audit --json` prints") from error


def _report(
    path: Location,
    verified: VerifyReport,
    manifest: Manifest | None,
    *,
    apps: Sequence[AppCount] = (),
    activity: Activity | None = None,
    audit: AuditSummary | None,
) -> Report:
    completeness = {} if manifest is None else (manifest.completeness or {})
    scope = None if manifest is None else manifest.raw["scope"]
    app_ids = scope.get("appIds") if isinstance(scope, dict) else None
    return Report(
        archive=path.name,
        bytes=path.stat().st_size if isinstance(path, Path) else verified.bytes,
        sealed=verified.sealed,
        produced_by=None if manifest is None else manifest.produced_by,
        exported_at=None if manifest is None else manifest.exported_at,
        user_id=None if manifest is None else manifest.user_id,
        scope=[str(app) for app in app_ids] if isinstance(app_ids, list) else None,
        data_sha256=verified.data_sha256,
        whole=verified.ok,
        problems=[(problem.code, problem.where, problem.message) for problem in verified.problems],
        notes=[note for note in verified.notes if note != UNAUTHENTICATED],
        status=verified.status,
        losses=_cases(completeness.get("losses")),
        notices=_cases(completeness.get("notices")),
        apps=list(apps),
        activity=activity,
        audit=audit,
        version=__version__,
    )


def _cases(kinds: JSON) -> list[Cases]:
    if not isinstance(kinds, dict):
        return []
    found = [(kind, each.get("count") if isinstance(each, dict) else each) for kind, each in kinds.items()]
    return [Cases(kind, count) for kind, count in found if type(count) is int]


def _apps(archive: Archive) -> list[AppCount]:
    """Apps in the order of their groups, what Mana keeps for itself last, each with its tables that hold something."""
    known = modules.load()
    counted: dict[str, list[TableCount]] = {}
    for table in archive.tables:
        rows = archive.manifest.row_counts.get(table)
        if not isinstance(rows, int) or rows == 0:
            continue
        model = known.table(table)
        label = (table, table) if model is None else (model.label.of("de"), model.label.of("en"))
        size = archive.reader.container.entries[names.entry("data", table)].size
        counted.setdefault(_app_of(table), []).append(TableCount(table, label, rows, size))
    apps = [_app(app, tables) for app, tables in counted.items()]
    groups = [app.group for app in apps]
    own = known.groups["system"]
    order = [(own.of("de"), own.of("en")), _UNKNOWN_GROUP]
    return sorted(apps, key=lambda app: (order.index(app.group) if app.group in order else -1, groups.index(app.group)))


def _app(app: str, tables: list[TableCount]) -> AppCount:
    known = modules.load()
    found = known.apps.get(app)
    if found is None:
        return AppCount(app, (app, app), _UNKNOWN_GROUP, tables)
    group = known.groups[found.group]
    return AppCount(app, (found.label.of("de"), found.label.of("en")), (group.of("de"), group.of("en")), tables)


def _app_of(table: str) -> str:
    known = modules.load().app_of(table)
    return known.id if known is not None else table.partition(".")[0]


def _activity(archive: Archive) -> Activity:
    months: dict[str, Counter[str]] = {}
    undated = 0
    for table in archive.tables:
        counts: Counter[str] = Counter()
        lines = MetaLines(archive, table) if is_ours(archive) and _has_meta(archive, table) else None
        for row in archive.rows(table):
            values = row.values()
            month = None if values.get("deletedAt") else _month(table, values, lines, row.id)
            if month is not None:
                counts[month] += 1
            elif not values.get("deletedAt"):
                undated += 1
        if counts:
            months.setdefault(_app_of(table), Counter()).update(counts)
    return Activity({app: dict(sorted(counts.items())) for app, counts in months.items()}, undated)


def _has_meta(archive: Archive, table: str) -> bool:
    return names.entry("meta", table) in archive.reader.container.entries


def _month(table: str, values: dict[str, JSON], lines: MetaLines | None, identifier: str) -> str | None:
    """``YYYY-MM``, in UTC: a report says the same wherever it is written.

    Of rows whose time stands in a time block the first writing counts: no other row is looked at for them.
    """
    model = modules.load().table(table)
    found = None if model is None else model.date(values)
    if found is None and isinstance(values.get("createdAt"), str):
        found = moment(values["createdAt"])
    if found is None and lines is not None:
        found = moment(_first_written(lines.of(identifier)))
    if isinstance(found, datetime) and found.tzinfo is not None:
        found = found.astimezone(UTC)
    return f"{found:%Y-%m}" if isinstance(found, date) and found.year >= 1000 else None


def _first_written(line: dict[str, JSON] | None) -> JSON:
    if line is None:
        return None
    fields = line.get("fields")
    others = fields.values() if isinstance(fields, dict) else ()
    stamps = [line.get("at"), *(each.get("at") for each in others if isinstance(each, dict))]
    return min((stamp for stamp in stamps if isinstance(stamp, str) and stamp), default=None)
