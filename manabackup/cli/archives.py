"""``info``, ``verify``, ``cat``, ``seal``, ``unseal``: archives, without an account."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import OTHER_FILE, DamagedArchiveError, ManabackupError, NewerArchiveError, OlderArchiveError
from ..operations.archives import Written, open_archive
from ..operations.archives.contents import grouped
from ..operations.archives.inspect import Info, OlderInfo
from ..operations.archives.inspect import info as describe
from ..operations.archives.listing import lines_of
from ..operations.archives.readable import language_called
from ..operations.archives.reseal import seal as seal_archive
from ..operations.archives.reseal import unseal as unseal_archive
from ..operations.archives.verify import PACKED_AGAIN, VerifyReport
from ..operations.archives.verify import verify as verify_archive
from ..operations.archives.view import PageReport, is_page, verify_page
from ..operations.places import expanded
from ..operations.progress import Step
from ..text.printable import counted, one_line
from .files import (
    archive_argument,
    archive_target,
    force_option,
    located,
    named,
    note_written,
    output_option,
    retain_option,
)
from .frame import command, secret_options
from .passphrases import Passphrases
from .run import Run
from .terminal import for_terminal
from .words import is_terminal

if TYPE_CHECKING:
    from ..archive.places import Location

_ALTERED = "type no passphrase into it; the archive inside can be had with a new page or from another copy"

weak_kdf_option = click.option(
    "--allow-weak-kdf", is_flag=True, help="Open a seal with fewer than 100,000 iterations of key derivation."
)


@command("info")
@secret_options("passphrase")
@weak_kdf_option
@click.option("--all", "everything", is_flag=True, help="Also tables without rows, and those that only serve others.")
@archive_argument("file")
def info(run: Run, file: str, everything: bool, allow_weak_kdf: bool) -> None:
    """Tell what an archive holds: what it is, and the tables with rows, by where people would look for them.

    A sealed archive tells what stands outside the seal, unless its passphrase comes from one of the sources below.
    """
    passphrase = (lambda: run.secret("passphrase")) if run.source("passphrase") is not None else None
    found = describe(located(file), passphrase, allow_weak_kdf=allow_weak_kdf)
    run.terminal.result(found.to_json(), _description(found, everything=everything))
    if isinstance(found, OlderInfo):
        run.terminal.note(f"version 1 holds events in place of rows: {OlderArchiveError.default_hint}")
    elif found.sealed and not found.opened:
        run.terminal.note("this much stands outside the seal; with --passphrase-file or the like it tells the rest")


@command("verify")
@secret_options("passphrase", "key")
@weak_kdf_option
@archive_argument("files", nargs=-1, required=True, metavar="FILE...")
def verify(run: Run, files: tuple[str, ...], allow_weak_kdf: bool) -> None:
    """Check archives from the first byte to the last.

    Structure, checksums, counts, and every row. In an archive that was encrypted for an account (rekey) every private
    field must be ciphertext, and must open with its key where that is given. Of a page that `view` wrote, the code is
    compared with what this and earlier versions write, and the archive inside is checked. With several files and
    --json, one object a line.
    """
    cipher = run.cipher()
    files = tuple(expanded(files))
    failures: list[ManabackupError] = []
    passphrases = Passphrases(run, several=len(files) > 1)
    for name in files:
        path, name = located(name), named(name)
        try:
            with run.terminal.progress({Step.VERIFY: "verifying"}) as progress:
                check = partial(_check(path), path, allow_weak_kdf=allow_weak_kdf, cipher=cipher, progress=progress)
                report = passphrases.opening(name, check)
        except ManabackupError as error:
            if len(files) == 1:
                raise
            run.terminal.error(error.message if name in error.message else f"{name}: {error.message}")
            if run.terminal.json:  # an object for each file
                unchecked = {**VerifyReport(path).to_json(), "ok": False}
                run.terminal.result({**unchecked, "error": error.message, "exitCode": error.exit_code})
            failures.append(error)
            continue
        run.terminal.result(report.to_json(), _verdict(report))
        for note in _notes(report):
            run.terminal.note(f"{name}: {note}")
        if not report.ok:
            failures.append(_failure(name, report))
    if failures:
        # Damage outranks a passphrase that was mistyped for another file.
        worst = max(failures, key=lambda error: error.exit_code)
        if len(files) == 1:
            raise worst
        raise type(worst)(f"{len(failures)} of {len(files)} files did not pass", hint=worst.hint)


@command("cat")
@secret_options("passphrase")
@weak_kdf_option
@click.option("--meta", is_flag=True, help="Show who changed which field when, in place of the rows.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only the row of this id. May be given several times.")
@click.option("--pretty", is_flag=True, help="One member a line, for eyes.")
@archive_argument("file")
@click.argument("table")
def cat(run: Run, file: str, table: str, meta: bool, ids: tuple[str, ...], pretty: bool, allow_weak_kdf: bool) -> None:
    """Print the rows of a table, one JSON object a line.

    What a terminal would obey is escaped when the output is one; anywhere else the rows are written as they are.
    """
    opened = partial(open_archive, located(file), allow_weak_kdf=allow_weak_kdf)
    with Passphrases(run).opening(file, opened) as archive:
        archive.rows(table)  # or there is no such table
        raw = not is_terminal(sys.stdout)
        for line in lines_of(archive, table, meta=meta, ids=ids, pretty=pretty):
            run.terminal.write((line if raw else for_terminal(line)) + b"\n")


@command("seal")
@secret_options("passphrase")
@output_option
@force_option
@retain_option
@click.option("--private", is_flag=True, help="Tell nothing outside the seal: no user id, no counts, no time of day.")
@archive_argument("file")
def seal(run: Run, file: str, output: str, force: bool, retain: str | None, private: bool) -> None:
    """Put an archive under a passphrase."""
    target = archive_target(run, output, force=force, retain=retain)
    with run.terminal.progress({Step.RESEAL: "sealing"}) as progress:
        written = seal_archive(
            located(file), target, run.new_passphrase, private=private, force=force, progress=progress
        )
    note_written(run, target)
    run.terminal.result(_written(named(output), written), [f"{named(output)}: {_amount(written)}, sealed"])


@command("unseal")
@secret_options("passphrase")
@weak_kdf_option
@output_option
@force_option
@retain_option
@archive_argument("file")
def unseal(run: Run, file: str, output: str, force: bool, retain: str | None, allow_weak_kdf: bool) -> None:
    """Take an archive out of its seal."""
    target = archive_target(run, output, force=force, retain=retain)
    with run.terminal.progress({Step.RESEAL: "unsealing"}) as progress:
        unsealed = partial(
            unseal_archive, located(file), target, force=force, allow_weak_kdf=allow_weak_kdf, progress=progress
        )
        written = Passphrases(run).opening(file, unsealed)
    note_written(run, target)
    run.terminal.result(_written(named(output), written), [f"{named(output)}: {_amount(written)}"])
    run.terminal.note("it is not encrypted: who holds the file can read it")


def _written(output: str, written: Written) -> dict[str, Any]:
    return {
        "archive": output,
        "bytes": written.bytes,
        "rows": written.rows,
        "tables": len(written.row_counts),
        "dataSha256": written.data_sha256,
        "sealed": written.sealed,
    }


def _amount(written: Written) -> str:
    rows, tables = counted(written.rows, "row"), counted(len(written.row_counts), "table")
    return f"{rows} in {tables}, {written.bytes:,} bytes"


def _check(path: Location) -> Callable[..., VerifyReport | PageReport]:
    return verify_page if is_page(path) else verify_archive


def _notes(report: VerifyReport | PageReport) -> list[str]:
    if isinstance(report, VerifyReport):
        return report.notes
    return report.carried.notes if report.carried is not None else []


def _failure(name: str, report: VerifyReport | PageReport) -> DamagedArchiveError:
    if isinstance(report, PageReport):
        if report.version is None:
            return DamagedArchiveError(f"{name} is not as manabackup writes pages", code="page", hint=_ALTERED)
        return DamagedArchiveError(f"{name} is damaged")
    if report.is_packed_again:
        return DamagedArchiveError(f"{name} was packed again by another program", hint=PACKED_AGAIN)
    if report.is_newer:
        return NewerArchiveError(f"{name} was written by a newer version than this one")
    if report.is_no_archive:
        return DamagedArchiveError(f"{name} is no archive, or cannot be read", hint=OTHER_FILE)
    return DamagedArchiveError(f"{name} is damaged")


def _verdict(report: VerifyReport | PageReport) -> Iterator[str]:
    if isinstance(report, PageReport):
        yield from _page_verdict(report)
        return
    name = str(report.archive)
    if not report.ok:
        yield f"{name}: {_wrong(report)}"
        for problem in report.problems:
            where = f"{problem.where}: " if problem.where else ""
            yield f"  {where}{problem.message} [{problem.code}]"
        return
    if report.events is not None:
        yield f"{name}: ok, {counted(report.events, 'event')} in place of rows: version 1"
        yield f"  {OlderArchiveError.default_hint}"
        return
    kind = "sealed" if report.sealed else "not sealed"
    files = f", {counted(report.files, 'file')}" if report.files else ""
    yield f"{name}: ok, {counted(report.rows, 'row')} in {counted(report.tables, 'table')}{files}, {kind}"
    if report.encrypted_fields is not None:
        opened = "all open with the key" if report.opened else "their key was not given"
        yield f"  {report.encrypted_fields:,} private fields are encrypted; {opened}"
    if report.status == "partial":
        yield "  its writer could not read everything: see `completeness` in its manifest (manabackup info)"


def _wrong(report: VerifyReport) -> str:
    if report.is_packed_again:
        return "PACKED AGAIN, in a way that does not open"
    if report.is_newer:
        return "NOT CHECKED, it is newer than this program"
    return "NO ARCHIVE, or not readable" if report.is_no_archive else "DAMAGED"


def _page_verdict(report: PageReport) -> Iterator[str]:
    name = str(report.page)
    if report.version is None:
        yield f"{name}: ALTERED, or no page of manabackup"
    elif report.ok:
        yield f"{name}: ok, byte for byte the page of manabackup {report.version}"
    if report.digest is not None:
        yield f"  code {report.digest}"
    if report.carried is not None:
        yield from (f"  {line.removeprefix(f'{name}: ')}" for line in _verdict(report.carried))
    for problem in [] if report.carried is not None and report.carried.problems else report.problems:
        yield f"  {problem.message} [{problem.code}]"


def _description(found: Info | OlderInfo, *, everything: bool) -> Iterator[str]:
    described = found.to_json()
    labels = {
        "archive": "archive",
        "bytes": "bytes",
        "producedBy": "made by",
        "exportedAt": "made at",
        "userId": "account",
        "scope": "scope",
        "filter": "left out on purpose",
        "apps": "apps",
        "events": "events",
        "rows": "rows",
        "tables": "tables",
        "status": "status",
        "keyFingerprint": "fields encrypted under key",
        "rekeyedFor": "encrypted for account",
        "source": "taken out of",
        "dataSha256": "content",
    }
    yield f"{'sealed':>26}  {'yes' if found.sealed else 'no'}"
    for key, label in labels.items():
        if key in described:
            yield f"{label:>26}  {_shown(described[key])}"
    assets = described.get("binaryAssets")
    if isinstance(assets, dict):
        count, size, left_out, all_of_them = (_shown(assets.get(name)) for name in _ASSETS)
        yield f"{'files':>26}  {count}, {size} bytes; {left_out} of {all_of_them} references left out"
    completeness = described.get("completeness", {})
    for group, label in (("losses", "loss"), ("notices", "notice")):
        kinds = completeness.get(group)
        for kind, count in kinds.items() if isinstance(kinds, dict) else ():
            yield f"{label:>26}  {kind}: {_shown(count)}"
    if isinstance(found, Info):
        yield from _tables(found, everything=everything)


_ASSETS = ("count", "bytes", "leftOut", "references")
"""What a manifest says of files."""


def _tables(found: Info, *, everything: bool) -> Iterator[str]:
    """The tables with their rows, in groups."""
    language = language_called(None, os.environ)
    groups, left_out = grouped(found.manifest.row_counts, language, everything=everything)
    for group in groups:
        yield f"{group.label}:"
        for table in group.tables:
            label = "" if table.label == table.name else f"  {one_line(table.label)}"
            yield f"{one_line(table.name, 120):>26}  {_shown(table.rows):>7}{label}"
    if left_out:
        rows = sum(table.rows for table in left_out if type(table.rows) is int)
        yield f"and {counted(rows, 'row')} in {counted(len(left_out), 'table')} that serve these (--all shows them)"


def _shown(value: Any) -> str:
    """A value out of a manifest, which may be anything and nest deeper than Python prints."""
    from ..text import jsontext

    if type(value) is int:
        return f"{value:,}"
    return value if isinstance(value, str) else jsontext.dumps(value).decode()
