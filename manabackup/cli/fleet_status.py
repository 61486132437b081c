"""``fleet status``: what a ledger knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..operations.fleet.ledger import Ledger
from ..operations.fleet.outcome import DIFFERENCES, LOSSES
from ..operations.fleet.summary import FleetSummary
from ..operations.fleet.tables import CSV_MARK, write_csv, write_parquet
from .examples import EXIT_CODES
from .files import report_file
from .fleet_words import lines, outcome_words
from .frame import command
from .junit import JUnitCase, report
from .run import Exit, Run

_ALL = 100
_SUITE = "manabackup.fleet"
_PAGE_MARK = b"<!doctype html>\n<!-- manabackup fleet -->"
_FOUND = frozenset({LOSSES, DIFFERENCES, 15})
"""Exit codes that are findings about an item; others kept it from being tried."""


@command("status")
@click.option("--csv", "table", metavar="FILE", help="Also write all items as a table, CSV.")
@click.option("--parquet", metavar="FILE", help="The same as Parquet; needs the extra [parquet].")
@click.option("--junit", metavar="FILE", help="The same as JUnit XML, a test case for each item.")
@click.option("--html", metavar="FILE", help="Also write a page with what has changed and what is not good.")
@click.option("--force", is_flag=True, help="Replace these files even if they are none of an earlier run's.")
@click.argument("ledger", metavar="LEDGER")
def status(
    run: Run, ledger: str, table: str | None, parquet: str | None, junit: str | None, html: str | None, force: bool
) -> Exit | None:
    """Tell what a ledger knows of its items, what has changed in the last run first.

    A fleet may be at work meanwhile. Exit code 4 when anything is not good or not done yet; -v names more.
    """
    with Ledger.to_read(Path(ledger)) as opened:
        found = FleetSummary.of(opened)
        if table is not None:
            with report_file("--csv", table, force=force, mark=CSV_MARK).open() as file:
                write_csv(opened, file)
        if parquet is not None:
            with report_file("--parquet", parquet, force=force, mark=b"PAR1").open() as file:
                write_parquet(opened, file)
        if junit is not None:
            mark = f'<testsuite name="{_SUITE}"'.encode()
            report_file("--junit", junit, force=force, mark=mark).write(report(_SUITE, list(_cases(opened))))
    if html is not None:
        page = found.to_html(EXIT_CODES).encode()
        report_file("--html", html, force=force, mark=_PAGE_MARK).write(page)
    shown = {"shown": _ALL} if run.settings.verbosity > 0 else {}
    run.terminal.result(found.to_json(), lines(found, **shown))
    return Exit.DIFFERENCES if found.not_good else None


def _cases(ledger: Ledger) -> Iterator[JUnitCase]:
    for item in ledger.items():
        yield _case(item)


def _case(item: dict[str, Any]) -> JUnitCase:
    properties = [("rows", str(item["rows"])), *((kind, str(count)) for kind, count in item["losses"].items())]
    seconds = item["seconds"] or 0.0
    if item["exit_code"] == 0:
        return JUnitCase(item["name"], seconds, properties=properties)
    if item["exit_code"] in _FOUND:
        kind = item["error"] or ("losses" if item["exit_code"] == LOSSES else "differences")
        return JUnitCase(item["name"], seconds, [outcome_words(item)], kind, properties=properties)
    return JUnitCase(item["name"], seconds, error=(item["error"] or item["state"], outcome_words(item)))
