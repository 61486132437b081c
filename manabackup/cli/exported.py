"""How the making of an archive is told: ``export`` and ``convert`` end alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import UsageError
from ..operations.export import ExportResult
from ..text.printable import counted
from .meanings import MEANINGS
from .run import Exit, Run, outcome

EPOCH = "SOURCE_DATE_EPOCH"
_A_DAY = timedelta(days=1)
_WEB_APP_MEMORY = {False: 2_000_000_000, True: 400_000_000}
"""Bytes of an archive, sealed or not, beyond which a browser may have no memory for the web app's import: measured were
1.1 and 5 times the archive's size, and browsers end a single buffer at some 2 GiB."""
_MANY = 5
"""Kinds of notices that are worth a line each; more are summed up."""


def report(run: Run, result: ExportResult, *, strict: bool, told: Mapping[str, Any] | None = None) -> Exit:
    """Tells what became of an export, and gives the exit code; ``told`` is what ``--json`` prints in its place.

    It is given where no server of Mana's was asked, which could give pictures and other files.
    """
    kind = "sealed" if result.sealed else "not sealed"
    rows, tables = counted(result.rows, "row"), counted(result.tables, "table")
    amount = f"{rows} in {tables}, {result.bytes:,} bytes"
    lines = [f"{result.archive}: {result.status}, {amount}, {kind}"]
    if result.files.files:
        lines.append(f"{counted(result.files.files, 'file')}, {result.files.bytes:,} bytes, among it")
    run.terminal.result(result.to_json() if told is None else told, lines)
    for kind, count in result.completeness["losses"].items():
        run.terminal.warning(_told(kind, count))
    notices: dict[str, int] = result.completeness["notices"]
    for kind, count in list(notices.items())[: None if run.settings.verbosity else _MANY]:
        # What the exit code stands for is said under -q, too.
        (run.terminal.warning if strict and run.settings.verbosity < 0 else run.terminal.note)(
            f"noted: {_told(kind, count)}"
        )
    if len(notices) > _MANY and not run.settings.verbosity:
        run.terminal.note(f"noted: {len(notices) - _MANY} more kinds; -v shows them, the archive lists all cases")
    if "pulledAt" in result.completeness:
        run.terminal.note(f"no server was asked: this is what it held at {result.completeness['pulledAt']}")
    if not result.sealed:
        run.terminal.note("the archive is not encrypted: who holds it can read it")
    if told is None and result.files.references and not result.files.files and not result.files.lost:
        left_out = counted(result.files.references, "reference")
        run.terminal.note(f"{left_out} to pictures and other files, which are not in the archive; --files fetches them")
    if result.web_app_reads_it and result.files.files and result.bytes > _WEB_APP_MEMORY[result.sealed]:
        run.terminal.warning("the web app's import takes all of it into memory at once, and may fail")
    if not result.web_app_reads_it:
        run.terminal.warning("larger than 4 GiB: the web app's import does not read it; export fewer apps at a time")
    return outcome(losses=sum(result.completeness["losses"].values()), notices=sum(notices.values()), strict=strict)


def _told(kind: str, count: int) -> str:
    return f"{kind}: {count:,} ({MEANINGS[kind]})"


def date(run: Run) -> datetime | None:
    """What an archive is to say of when it was made, if not the truth; warns where that is another day."""
    stated = stated_date()
    if stated is not None and abs(stated - datetime.now(UTC)) > _A_DAY:
        run.terminal.warning(f"the archive will say that it was made on {stated:%Y-%m-%d}: {EPOCH} is set")
    return stated


def stated_date() -> datetime | None:
    """The date that makes builds reproducible (reproducible-builds.org, SOURCE_DATE_EPOCH); empty is not set."""
    epoch = os.environ.get(EPOCH)
    if not epoch:
        return None
    try:
        if epoch.isascii() and epoch.isdigit():
            return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        pass  # beyond the year 9999
    raise UsageError(f"{EPOCH} is not a number of seconds")
