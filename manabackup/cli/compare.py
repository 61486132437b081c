"""``diff``: what differs between two archives, or between an archive and the account."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

import click

from ..errors import UsageError
from ..operations.account.settings import SECOND
from ..operations.archives import Archive, open_archive
from ..operations.compare.diff import MOST_CASES, ChangedRow, Diff, Side, TableDiff, check_key
from ..operations.compare.diff import diff as compare
from ..operations.compare.live import diff_live, scope_of
from ..operations.progress import Step
from ..text.jsontext import JSON, dumps
from ..text.printable import one_line
from .archives import weak_kdf_option
from .backup import account_source, extra_app_option
from .files import archive_argument, located, named
from .frame import command, secret_options
from .passphrases import Passphrases
from .run import Exit, Run

_SHOWN = 20
"""Rows of one kind that are shown for a table; with ``-v`` all that were kept."""
_ACCOUNT = "the account"


@command("diff")
@secret_options("passphrase", "key")
@secret_options("passphrase", "key", prefix=SECOND)
@secret_options("recovery-code", "token")
@click.option("--live", is_flag=True, help="Compare with the account that is signed in, as it is now.")
@click.option("--values", is_flag=True, help="Show the values that differ, not only the names of the fields.")
@click.option(
    "--ignore-fields",
    "ignored",
    multiple=True,
    metavar="NAMES",
    help="Fields that do not count, joined by commas. May be given several times.",
)
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app. May be given several times.")
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table. May be given several times.")
@click.option("--identity", is_flag=True, help="Let userId, spaceId and authorId count too.")
@extra_app_option
@click.option("--offline", is_flag=True, help="With --live: use the mirror as it is; no server is asked.")
@click.option("--accept-new-key", is_flag=True, help="With --live: go on though the account's key is another one.")
@weak_kdf_option
@archive_argument("a")
@archive_argument("b", required=False)
def diff(
    run: Run,
    a: str,
    b: str | None,
    live: bool,
    values: bool,
    ignored: tuple[str, ...],
    apps: tuple[str, ...],
    tables: tuple[str, ...],
    identity: bool,
    extra_apps: tuple[str, ...],
    offline: bool,
    accept_new_key: bool,
    allow_weak_kdf: bool,
) -> Exit:
    """Tell what differs between two archives, or with --live between an archive and the account.

    By table and id: rows that only B has (+), that only A has (-), and that differ (~), with the names of the fields.
    Exit code 4 when there is anything.

    Encrypted archives open with --key-file; without their key a ciphertext equals only itself. What stands for A stands
    for B too, unless B has secrets of its own. With --live the account is asked for what A is about.
    """
    if live == (b is not None):
        raise UsageError("give a second archive, or --live")
    if (offline or accept_new_key or extra_apps) and not live:
        raise UsageError("--offline, --accept-new-key and --extra-app go with --live")
    wanted: dict[str, Any] = {
        "apps": apps,
        "tables": tables,
        "ignored_fields": _names(ignored),
        "with_identity": identity,
        "with_values": values,
    }
    passphrases = Passphrases(run, several=False)
    with (
        passphrases.opening(a, partial(open_archive, located(a), allow_weak_kdf=allow_weak_kdf)) as first,
        run.terminal.progress({Step.EXPORT: "reading the account", Step.COMPARE: "comparing"}) as progress,
    ):
        if b is None:
            _tell_scope(run, first)
            with account_source(run, offline, accept_new_key, extra_apps) as source:
                # The account's key may be what an archive was encrypted for; a plain one has nothing to open.
                found = diff_live(Side(first, source.cipher), source, run.state.root, **wanted, progress=progress)
        else:
            opened = partial(open_archive, located(b), allow_weak_kdf=allow_weak_kdf)
            with passphrases.opening(b, opened, _second_passphrase(run)) as second:
                one, other = _sides(run, first, second)
                found = compare(one, other, **wanted, progress=progress)
    _tell(run, found, named(a), None if b is None else named(b))
    return Exit.DONE if found.equal else Exit.DIFFERENCES


def _sides(run: Run, first: Archive, second: Archive) -> tuple[Side, Side]:
    """What opens the first archive is tried on the second one, unless that has a key of its own."""
    given, own = run.cipher(), run.cipher(f"{SECOND}key")
    check_key(first, given)
    check_key(second, own)
    return Side(first, given), Side(second, own or given)


def _second_passphrase(run: Run) -> str:
    """The name of the secret."""
    shared = run.source("passphrase") is not None and run.source(f"{SECOND}passphrase") is None
    return "passphrase" if shared else f"{SECOND}passphrase"


def _tell_scope(run: Run, archive: Archive) -> None:
    scope = scope_of(archive.manifest)
    if scope.as_of is not None:
        run.terminal.note(f"the archive shows the state of {scope.as_of}, the account is taken as it is now")
    if scope.nameless_spaces:
        run.terminal.warning(
            "the archive holds some spaces only, and does not name them: rows of others count as added"
        )


def _names(ignored: Sequence[str]) -> Collection[str]:
    return {name.strip() for names in ignored for name in names.split(",") if name.strip()}


def _tell(run: Run, found: Diff, a: str, b: str | None) -> None:
    named = (a, b if b is not None else _ACCOUNT)
    record = {"a": a, "b": b, **found.to_json()}
    run.terminal.result(record, _lines(found, named, MOST_CASES if run.settings.verbosity > 0 else _SHOWN))
    for name, count in zip(named, found.unopened, strict=True):
        if count:
            run.terminal.warning(f"compared without key: {count:,} rows of {name} hold fields that nothing here opens")


def _lines(found: Diff, named: tuple[str, str], shown: int) -> Iterator[str]:
    for name, table in found.tables.items():
        yield from table_lines(name, table, shown)
    if found.files is not None and found.files.differs:
        yield f"files: {found.files.added:,} added, {found.files.removed:,} removed"
        for sign, count, hashes in (
            ("+", found.files.added, found.files.added_hashes),
            ("-", found.files.removed, found.files.removed_hashes),
        ):
            for sha256 in hashes[:shown]:
                yield f"  {sign} {sha256}"
            yield from _rest(sign, count, len(hashes[:shown]))
    verdict = "equal" if found.equal else "different"
    yield f"{verdict}: {found.rows[0]:,} rows of {named[0]}, {found.rows[1]:,} of {named[1]}"


def table_lines(name: str, table: TableDiff, shown: int) -> Iterator[str]:
    """What differs in a table: the counts, and of each kind as many rows as are to be ``shown``."""
    yield f"{one_line(name)}: {table.added:,} added, {table.removed:,} removed, {table.changed:,} changed"
    for sign, count, ids in (("+", table.added, table.added_ids), ("-", table.removed, table.removed_ids)):
        for identifier in ids[:shown]:
            yield f"  {sign} {one_line(identifier)}"
        yield from _rest(sign, count, len(ids[:shown]))
    for row in table.changed_rows[:shown]:
        yield f"  ~ {one_line(row.id)}: {one_line(', '.join(row.fields), 1_000)}"
        yield from _values(row)
    yield from _rest("~", table.changed, len(table.changed_rows[:shown]))


def _rest(sign: str, count: int, named: int) -> Iterator[str]:
    if count > named:
        yield f"  {sign} … and {count - named:,} more"


def _values(row: ChangedRow) -> Iterator[str]:
    for name, (before, after) in (row.values or {}).items():
        yield f"      {one_line(name)}: {_text(before)} → {_text(after)}"


def _text(value: JSON) -> str:
    return one_line(dumps(value).decode())
