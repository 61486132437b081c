"""``profile check`` and ``profile export``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import UsageError
from ..operations.archives import Seal
from ..operations.databases import (
    Checked,
    DatabaseExport,
    Everybody,
    StorePlaces,
    check_profile,
    export_everybody,
    export_rows,
    load_profile,
)
from ..operations.places import NO_LOCK
from ..operations.progress import Step
from ..text.printable import counted, one_line, printable
from .exported import date
from .files import archive_target, force_option, note_written, refuse_itself, retain_option
from .frame import command, secret_options
from .meanings import MEANINGS
from .run import Exit, Run, outcome

_Function = TypeVar("_Function", bound=Callable[..., Any])
_LONGEST = 400


def store_options(function: _Function) -> _Function:
    """What says where the stores of a profile lie; :func:`places` makes of it what operations take."""
    for add in reversed(
        (
            secret_options("dsn"),
            click.option(
                "--service", metavar="NAME", help="Service of libpq's service file, in place of such a string."
            ),
            click.option(
                "--store",
                "stores",
                metavar="NAME=FILE",
                multiple=True,
                help="SQLite file of a store that the profile names.",
            ),
        )
    ):
        function = add(function)
    return function


def places(run: Run, service: str | None, stores: tuple[str, ...]) -> StorePlaces:
    """Where the stores are. Raises :class:`UsageError`; a connection string is read here."""
    files: dict[str, Path] = {}
    for given in stores:
        name, equals, file = given.partition("=")
        if not equals or not name or not file:
            raise UsageError(f"--store {printable(given)} is not NAME=FILE")
        if name in files:
            raise UsageError(f"the store {printable(name)} is given twice")
        files[name] = Path(file)
    has_dsn = run.source("dsn") is not None
    if service is not None and has_dsn:
        raise UsageError("--service and a connection string are both given", hint="give one of them")
    if service is not None:
        if not service or not all(character.isalnum() or character in "-_." for character in service):
            raise UsageError("the name of a service is made of letters, digits, dots and dashes")
        return StorePlaces(files, f"service={service}")
    return StorePlaces(files, run.secret("dsn").strip() if has_dsn else None)


@command("check")
@store_options
@click.option(
    "--user", metavar="WHO", help="Count what somebody would get: their key, or what else the profile looks up."
)
@click.option("--plans", is_flag=True, help="Show how the database finds these rows (EXPLAIN).")
@click.argument("name", metavar="PROFILE")
def check(run: Run, name: str, service: str | None, stores: tuple[str, ...], user: str | None, plans: bool) -> Exit:
    """Hold a profile against a database.

    PROFILE is one that this program knows by name, or a file. Told is everything that the two do not agree about:
    tables and columns that the profile does not name, or that are not there, foreign keys that say otherwise whose a
    row is, and columns that look like secrets. An export would end with the first of them.

    Nothing is read from rows: with --user their number is asked for, and who WHO is.
    """
    if plans and user is None:
        raise UsageError("--plans shows how somebody's rows are found", hint="give --user WHO too")
    found = check_profile(load_profile(name), places(run, service, stores), user=user, plans=plans)
    run.terminal.result(found.to_json(), _lines(found))
    return Exit.DIFFERENCES if found.errors else Exit.DONE


def _lines(found: Checked) -> Iterator[str]:
    for finding in found.findings:
        yield one_line(f"{finding.severity} {finding}", _LONGEST)
    yield f"{counted(len(found.errors), 'error')}, {counted(len(found.findings) - len(found.errors), 'notice')}"
    if found.user_found is None:
        return
    if not found.user_found:
        yield "their own row is gone; what belongs to their key is counted"
    width = max((len(printable(name)) for name in found.tables), default=0)
    yield f"{'':{width}}  {'own':>9}  {'others':>9}  {'nobodys':>9}"
    for name, table in found.tables.items():
        yield f"{printable(name):{width}}  {table.own:>9,}  {table.others:>9,}  {table.nobodys:>9,}"
        for line in table.plan:
            yield f"    {printable(line)[:_LONGEST]}"


@command("export")
@store_options
@click.option("--user", metavar="WHO", help="Whose rows: their key, or what else the profile looks up.")
@click.option("-o", "--output", metavar="FILE", help="The archive to write; - is the standard output.")
@click.option("--all-users", metavar="DIR", help="Everybody's rows, an archive for each in this folder.")
@force_option
@retain_option
@click.option("--with-derived", is_flag=True, help="Also columns that can be computed again, such as embeddings.")
@click.option("--seal", is_flag=True, help="Encrypt the archive under a passphrase.")
@click.option("--private", is_flag=True, help="With --seal: tell nothing outside the seal.")
@secret_options("passphrase")
@click.argument("name", metavar="PROFILE")
def export(
    run: Run,
    name: str,
    service: str | None,
    stores: tuple[str, ...],
    user: str | None,
    output: str | None,
    all_users: str | None,
    force: bool,
    retain: str | None,
    with_derived: bool,
    seal: bool,
    private: bool,
) -> Exit:
    """Write one person's rows into an archive, or everybody's.

    PROFILE is one that this program knows by name, or a file. Rows come out of one snapshot, which nobody's writing
    changes. A table or a column that the profile does not name, and rows that row-level security would hide, end it
    with an error: the archive holds all that is WHO's, or it is not there.

    With --all-users each table is read once, and everybody's archive comes out of the same snapshot. ledger.jsonl in
    DIR says what became of each, summary.json where all rows of the database are. The same command goes on where an
    interrupted one stopped.
    """
    if private and not seal:
        raise UsageError("--private goes with --seal")
    if all_users is not None:
        if user is not None or output is not None:
            raise UsageError("--all-users writes everybody's archives", hint="without --user and -o")
        if retain is not None:
            raise UsageError(NO_LOCK)
        where = places(run, service, stores)
        return _everybody(run, name, where, Path(all_users), force=force, derived=with_derived, seal=(seal, private))
    if user is None or output is None:
        raise UsageError("whose rows, and where to?", hint="give --user WHO and -o FILE, or --all-users DIR")
    where = places(run, service, stores)
    for file in where.files.values():  # a database is not replaced by what is taken out of it, --force or not
        refuse_itself(output, str(file), "database")
    target = archive_target(run, output, force=force, retain=retain)
    profile = load_profile(name)
    dated = date(run)
    passphrase = run.new_passphrase() if seal else None
    with run.terminal.progress({Step.EXPORT: "exporting"}) as progress:
        result = export_rows(
            profile,
            where,
            user,
            target,
            derived=with_derived,
            seal=Seal(passphrase, private=private) if passphrase is not None else None,
            force=force,
            dated=dated,
            progress=progress,
        )
    note_written(run, target)
    run.terminal.result(result.to_json(), _written(result))
    for kind, number in result.losses.items():
        run.terminal.warning(f"{kind}: {number:,} ({MEANINGS[kind]})")
    if not result.user_found:
        run.terminal.note("their own row is gone; these are the rows of their key")
    if not result.sealed:
        run.terminal.note("the archive is not encrypted: who holds it can read it")
    return outcome(losses=sum(result.losses.values()))


def _everybody(
    run: Run, name: str, where: StorePlaces, folder: Path, *, force: bool, derived: bool, seal: tuple[bool, bool]
) -> Exit:
    profile = load_profile(name)
    dated = date(run)
    is_sealed, private = seal
    passphrase = run.new_passphrase() if is_sealed else None
    with run.terminal.progress({Step.EXPORT: "reading"}) as progress:
        result = export_everybody(
            profile,
            where,
            folder,
            derived=derived,
            seal=Seal(passphrase, private=private) if passphrase is not None else None,
            force=force,
            dated=dated,
            progress=progress,
        )
    run.terminal.result(result.to_json(), _written_for_everybody(result))
    for entry in result.failed:
        run.terminal.warning(one_line(f"{entry.user}: {entry.error}", _LONGEST))
    if lacking := [entry for entry in result.people if entry.is_written and entry.exit_code]:
        run.terminal.warning(f"{counted(len(lacking), 'archive')} with losses: `manabackup info` says which")
    if not is_sealed:
        run.terminal.note("the archives are not encrypted: who holds one can read it")
    return Exit.LOSSES if result.exit_code else Exit.DONE


def _written_for_everybody(result: Everybody) -> Iterator[str]:
    written = [entry for entry in result.people if entry.is_written]
    yield f"{printable(str(result.folder))}: {counted(len(written), 'archive')}"
    if result.kept:
        yield f"{counted(result.kept, 'archive')} of these from the run before, out of its snapshot"
    totals = result.tables.values()
    yield f"{counted(sum(table.rows for table in totals), 'row')} in {counted(len(totals), 'table')}"
    for number, what in (
        (sum(table.owned for table in totals), "in somebody's archive"),
        (sum(table.nobodys for table in totals), "that are nobody's"),
        (sum(table.others for table in totals), "of people who are not there, or of several who each have a part"),
    ):
        if number:
            yield f"{counted(number, 'row')} {what}"
    known = [number for number in result.not_read.values() if number is not None]
    yield f"{counted(sum(known), 'row')} in {counted(len(result.not_read), 'table')} that are not read"


def _written(result: DatabaseExport) -> Iterator[str]:
    kind = "sealed" if result.sealed else "not sealed"
    rows, tables = counted(result.rows, "row"), counted(len(result.tables), "table")
    yield f"{result.archive}: {result.status}, {rows} in {tables}, {result.bytes:,} bytes, {kind}"
    for number, what in (
        (sum(found.reduced for found in result.tables.values()), "of others, reduced to what the profile grants"),
        (sum(found.left_out for found in result.tables.values()), "of others below theirs, left out"),
        (sum(found.nobodys for found in result.tables.values()), "that are nobody's, left out"),
    ):
        if number:
            yield f"{counted(number, 'row')} {what}"
