"""``report``: what an archive is and whether it is whole, to attach to a ticket or a CI run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import click

from ..errors import DamagedArchiveError, UsageError
from ..operations.archives.report import report as make_report
from ..operations.archives.report import write
from ..operations.progress import Step
from ..text.printable import counted
from .archives import weak_kdf_option
from .files import STDOUT, archive_argument, archive_target, force_option, located, named, note_written
from .frame import command, secret_options
from .passphrases import Passphrases
from .run import Run


@command("report")
@click.option(
    "-o",
    "--output",
    metavar="REPORT",
    help="The report to write; - is the standard output, and what markdown and json go to without this option.",
)
@force_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json"]),
    default="html",
    show_default=True,
    help="A page without a script; a summary for CI; the numbers for programs.",
)
@click.option(
    "--language", type=click.Choice(["de", "en"]), default="en", show_default=True, help="Of the words in it."
)
@click.option("--audit", metavar="FILE", help="Take along what `audit --json` printed into FILE.")
@secret_options("passphrase")
@weak_kdf_option
@archive_argument("file")
def report(
    run: Run,
    file: str,
    output: str | None,
    force: bool,
    form: Literal["html", "markdown", "json"],
    language: Literal["de", "en"],
    audit: str | None,
    allow_weak_kdf: bool,
) -> None:
    """Report what an archive is, whether it is whole, and how much is in it.

    The archive is verified as `verify` does. No word out of its rows stands in the report. Of a damaged archive the
    report is written too, and the exit code tells.
    """
    target = None
    if output is not None or not run.terminal.json:  # else the record is the report
        if output is None and form == "html":
            raise UsageError("a page needs a name: -o REPORT", hint="--format markdown goes to the standard output")
        output = output or STDOUT
        target = archive_target(run, output, force=force, text=form != "html", source=file)
    with run.terminal.progress({Step.VERIFY: "verifying"}) as progress:
        made = partial(
            make_report,
            located(file),
            audit=None if audit is None else Path(audit),
            allow_weak_kdf=allow_weak_kdf,
            progress=progress,
        )
        found = Passphrases(run).opening(file, made)
    if target is not None:
        write(found, target, form, language, force=force)
        note_written(run, target)
    whole = "whole" if found.whole else "DAMAGED"
    missing = ", something was missing when it was made" if found.status == "partial" else ""
    where = "" if output == STDOUT else f"{named(str(output))}: "
    file = named(file)
    run.terminal.result(found.to_json(), [f"{where}{file} is {whole}, {counted(found.rows, 'row')}{missing}"])
    if not found.whole:
        raise DamagedArchiveError(f"{file} is damaged", hint="the report names what is wrong")
