"""``roundtrip``: whether archives can be restored, tried out without an account."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import ManabackupError, OutputError
from ..operations.archives import open_of_mana
from ..operations.compare.diff import TableDiff
from ..operations.compare.roundtrip import RoundtripResult
from ..operations.compare.roundtrip import roundtrip as try_out
from ..operations.compare.roundtrip_rules import EXPECTED, LEFT_BEHIND, LEFT_FIELDS, LEFT_ROWS
from ..operations.places import expanded
from ..operations.progress import Step
from ..text.printable import counted, printable
from .archives import weak_kdf_option
from .compare import table_lines
from .files import archive_argument, located, named, report_file
from .frame import command, secret_options
from .junit import JUnitCase, report
from .passphrases import Passphrases
from .run import Exit, Run

if TYPE_CHECKING:
    from ..crypto.fields import FieldCipher

_MEANINGS = {**EXPECTED, **LEFT_BEHIND}
_SUITE = "manabackup.roundtrip"
_SHOWN = 20
"""Rows of one kind that are named for a table."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one file: a result, or an error."""

    file: str
    seconds: float
    result: RoundtripResult | None = None
    error: ManabackupError | None = None

    def to_json(self) -> dict[str, Any]:
        if self.result is not None:
            return self.result.to_json()
        assert self.error is not None
        return {"archive": self.file, "equal": False, "error": self.error.message, "exitCode": self.error.exit_code}


@command("roundtrip")
@secret_options("passphrase", "key")
@click.option("--junit", metavar="FILE", help="Also write the results as JUnit XML, one test case for each file.")
@click.option("--force", is_flag=True, help="Replace the JUnit file even if it is none of an earlier run's.")
@click.option(
    "--expect",
    "accepted",
    multiple=True,
    metavar="KIND",
    type=click.Choice(sorted(LEFT_BEHIND)),
    help=f"Take what stays behind for this reason as expected; one or more of {', '.join(sorted(LEFT_BEHIND))}.",
)
@weak_kdf_option
@archive_argument("files", nargs=-1, required=True, metavar="FILE...")
def roundtrip(
    run: Run, files: tuple[str, ...], junit: str | None, force: bool, accepted: tuple[str, ...], allow_weak_kdf: bool
) -> Exit | None:
    """Try out whether archives can be restored.

    No account and no network is needed: for each file the embedded server gets a fresh account under a random key. The
    archive is encrypted for it, restored, and exported again, and both are compared. What restoring changes on purpose
    is counted, and is no difference. Exit code 4 when anything else differs, or stays behind: rows that the server
    would refuse, tables that this version does not know, fields that did not open. --expect says of such a kind that it
    is known.

    Archives that were encrypted for an account (rekey) open with --key-file. Meanwhile the folder for temporary files
    (TMPDIR) holds what a server would: private fields encrypted, all else in clear.
    """
    files = tuple(expanded(files))
    outcomes: list[_Outcome] = []
    with ExitStack() as stack:
        document = None
        if junit is not None:
            mark = f'<testsuite name="{_SUITE}"'.encode()
            document = stack.enter_context(report_file("--junit", junit, force=force, mark=mark).open())
        opener = run.cipher()
        passphrases = Passphrases(run, several=len(files) > 1)
        unheard: Exception | None = None
        for file in files:
            outcomes.append(_outcome(run, file, passphrases, opener, accepted, allow_weak_kdf))
            try:
                _tell(run, outcomes[-1], alone=len(files) == 1)
            except (BrokenPipeError, OutputError) as error:
                if document is None:
                    raise
                unheard = error  # nobody listens any more, but a report is to be written
        if document is not None:
            document.write(report(_SUITE, [_case(outcome) for outcome in outcomes]))
    if unheard is not None:
        raise unheard
    if run.terminal.json:
        run.terminal.result({"files": [outcome.to_json() for outcome in outcomes]}, ())
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if errors:
        # What is damaged outranks what was only not opened.
        worst = max(errors, key=lambda error: error.exit_code)
        if len(files) == 1:
            raise worst
        raise type(worst)(f"{len(errors)} of {len(files)} files could not be tried", hint=worst.hint)
    return (
        Exit.DONE
        if all(outcome.result is not None and outcome.result.equal for outcome in outcomes)
        else Exit.DIFFERENCES
    )


def _outcome(
    run: Run,
    file: str,
    passphrases: Passphrases,
    opener: FieldCipher | None,
    accepted: Sequence[str],
    allow_weak_kdf: bool,
) -> _Outcome:
    begun = time.monotonic()
    try:
        with (
            passphrases.opening(file, partial(open_of_mana, located(file), allow_weak_kdf=allow_weak_kdf)) as archive,
            run.terminal.progress({Step.ROUNDTRIP: f"trying {printable(located(file).name)}"}) as progress,
        ):
            result = try_out(archive, opener=opener, accepted=accepted, progress=progress)
    except ManabackupError as error:
        return _Outcome(named(file), time.monotonic() - begun, error=error)
    return _Outcome(named(file), time.monotonic() - begun, result)


def _tell(run: Run, outcome: _Outcome, *, alone: bool) -> None:
    """As soon as a file is done; JSON and the error of a single file come at the end."""
    if outcome.error is not None:
        if not alone:
            message = outcome.error.message
            run.terminal.error(message if outcome.file in message else f"{outcome.file}: {message}")
        return
    assert outcome.result is not None
    if not run.terminal.json:
        run.terminal.result(None, _lines(outcome.result))
        run.terminal.flush()


def _lines(result: RoundtripResult) -> Iterator[str]:
    yield f"{printable(str(result.archive))}: {_verdict(result)}"
    for kind, count in result.expected.items():
        yield f"  expected: {kind}: {count:,} ({_MEANINGS[kind]})"
    yield from (f"  {line}" for line in _differences(result))
    if result.status == "partial":
        yield "  its writer could not read everything: see `completeness` in its manifest (manabackup info)"


def _verdict(result: RoundtripResult) -> str:
    if result.equal:
        return f"comes back whole, {counted(result.rows, 'row')}"
    return f"does not come back whole: {'; '.join(_reasons(result))}"


def _reasons(result: RoundtripResult) -> Iterator[str]:
    """Why an archive does not come back whole, in few words."""
    of_rows = {kind: count for kind, count in result.left_behind.items() if kind in LEFT_ROWS}
    of_fields = {kind: count for kind, count in result.left_behind.items() if kind in LEFT_FIELDS}
    if of_rows:
        yield f"{sum(of_rows.values()):,} of {result.rows:,} rows stay behind ({', '.join(of_rows)})"
    if of_fields:
        count = sum(of_fields.values())
        yield f"{counted(count, 'field')} {'stays' if count == 1 else 'stay'} behind ({', '.join(of_fields)})"
    tables = result.diff.tables.values()
    differing = sum(table.added + table.removed + table.changed for table in tables)
    if differing:
        yield f"{counted(differing, 'row')} of {result.rows:,} {'differs' if differing == 1 else 'differ'}"
    if result.refused:
        yield f"{counted(result.refused, 'row')} refused by the server"
    if result.not_as_planned:
        yield f"{counted(result.not_as_planned, 'row')} not as planned after the restore"


def _differences(result: RoundtripResult) -> Iterator[str]:
    for kind, count in result.left_behind.items():
        yield f"left behind: {kind}: {count:,} ({_MEANINGS[kind]})"
        cases = [case for case in result.left_behind_cases if case["reason"] == kind]
        for case in cases[:_SHOWN]:
            yield f"  - {' '.join(printable(str(case[name])) for name in ('table', 'id', 'field') if name in case)}"
        if count > len(cases[:_SHOWN]):
            yield f"  … and {count - len(cases[:_SHOWN]):,} more"
    tables: dict[str, TableDiff] = result.diff.tables
    for name, table in tables.items():
        yield from table_lines(name, table, _SHOWN)
    if result.refused:
        yield f"{counted(result.refused, 'row')} refused by the server"
    if result.not_as_planned:
        yield f"{counted(result.not_as_planned, 'row')} not as planned after the restore"


def _case(outcome: _Outcome) -> JUnitCase:
    if outcome.result is None:
        assert outcome.error is not None
        return JUnitCase(outcome.file, outcome.seconds, error=(type(outcome.error).__name__, outcome.error.message))
    result = outcome.result
    properties: Sequence[tuple[str, str]] = [("rows", str(result.rows))]
    properties = [*properties, *((f"expected.{kind}", str(count)) for kind, count in result.expected.items())]
    if result.equal:
        return JUnitCase(outcome.file, outcome.seconds, properties=properties)
    properties = [*properties, *((f"leftBehind.{kind}", str(count)) for kind, count in result.left_behind.items())]
    failure = [_verdict(result), *_differences(result)]
    return JUnitCase(outcome.file, outcome.seconds, failure=failure, properties=properties)
