"""``convert``: archives in forms that other programs and people read, and from older ones into the present one."""

from __future__ import annotations

import os
from datetime import UTC
from functools import partial
from pathlib import Path

import click

from ..errors import SignInError, UsageError
from ..operations.archives.convert import check_convertible
from ..operations.archives.convert import convert as convert_archive
from ..operations.archives.from_database import Returned, from_database, is_database
from ..operations.archives.readable import (
    Converted,
    ConvertOptions,
    Seal,
    check_output,
    convert_to,
    format_called,
    language_called,
    machine_zone,
    zone_called,
)
from ..operations.progress import Step
from ..text.printable import counted
from .access import account_access
from .archives import weak_kdf_option
from .exported import date, report
from .files import (
    STDOUT,
    archive_argument,
    archive_target,
    check_file,
    force_option,
    is_address,
    located,
    named,
    note_written,
    refuse_itself,
    retain_option,
)
from .frame import command, secret_options, strict_option
from .passphrases import Passphrases
from .run import Exit, Run, outcome

MANA = "mana"
_MANY = 8
"""Kinds of what was left out that are told unasked; and tables of one kind."""


@command("convert")
@secret_options("passphrase", "recovery-code", "key", "token")
@click.option("--to", "format_name", default=MANA, metavar="FORMAT", help="What to make, see above (default: mana).")
@click.option("-o", "--output", required=True, metavar="OUT", help="The file or folder to write.")
@force_option
@retain_option
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app; may be given several times.")
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table; likewise.")
@click.option("--space", "spaces", multiple=True, metavar="ID", help="Only this space; `personal` is your own.")
@click.option("--include-deleted", is_flag=True, help="Rows in the bin too, as far as the archive has them.")
@click.option(
    "--include-secrets", is_flag=True, help="Values that let somebody in too, such as tokens of shared links."
)
@click.option("--include-technical", is_flag=True, help="Tables of no use to a reader too.")
@click.option("--lang", metavar="de|en", help="Language of names and labels (default: the terminal's).")
@click.option("--tz", metavar="ZONE", help="Zone of local times (default: the default calendar's, else the machine's).")
@click.option("--excel", is_flag=True, help="csv: for Excel, which wants a byte order mark.")
@click.option("--raw", is_flag=True, help="csv: for programs; what a spreadsheet would compute stays as it is.")
@click.option("--resolve", is_flag=True, help="json: beside each id the title of what it stands for.")
@click.option("--one-file", is_flag=True, help="ics: all calendars in one file.")
@click.option("--vcard", type=click.Choice(["3", "4"]), default="4", help="vcf: the version; older phones want 3.")
@click.option("--no-index", is_flag=True, help="sqlite: without full-text search, which is faster.")
@click.option("--seal", is_flag=True, help="mana: encrypt the new archive under a passphrase.")
@weak_kdf_option
@strict_option
@archive_argument("file")
def convert(
    run: Run,
    file: str,
    format_name: str,
    output: str,
    *,
    force: bool,
    retain: str | None,
    apps: tuple[str, ...],
    tables: tuple[str, ...],
    spaces: tuple[str, ...],
    include_deleted: bool,
    include_secrets: bool,
    include_technical: bool,
    lang: str | None,
    tz: str | None,
    excel: bool,
    raw: bool,
    resolve: bool,
    one_file: bool,
    vcard: str,
    no_index: bool,
    seal: bool,
    allow_weak_kdf: bool,
    strict: bool,
) -> Exit:
    """Make something that other programs and people read out of an archive.

    The formats: mana, sqlite, csv, parquet, markdown, ics, vcf, geojson, gpx, bookmarks,
    opml, files, json, folder.

    --to mana takes an archive of version 1, or a database that --to sqlite made, and makes an archive of the present
    version. Version 1 holds the server's events, private fields encrypted: they are decrypted here under the account's
    key, from --key-file, or from the vault of the account that is signed in.

    What a format cannot hold is counted and told. A sealed archive stays sealed on the disk; what is made of it is not.
    """
    if format_name == MANA:
        return _to_archive(run, file, output, force=force, retain=retain, seal=seal, strict=strict)
    wanted = format_called(format_name)
    if seal:
        raise UsageError("--seal is for --to mana: nothing else can be sealed")
    if retain is not None:
        raise UsageError("--retain is for --to mana: nothing else goes to s3://")
    if is_address(output):
        raise UsageError(f"--to {format_name} writes a {wanted.what} on this computer, not at an address")
    if output == STDOUT:
        raise UsageError(f"--to {format_name} writes a {wanted.what}, not the standard output")
    options = ConvertOptions(
        apps=apps,
        tables=tables,
        spaces=spaces,
        include_deleted=include_deleted,
        include_secrets=include_secrets,
        include_technical=include_technical,
        language=language_called(lang, os.environ),
        zone=None if tz is None else zone_called(tz),
        machine_zone=machine_zone() if tz is None else UTC,
        excel=excel,
        raw=raw,
        resolve=resolve,
        one_file=one_file,
        vcard="3" if vcard == "3" else "4",
        index=not no_index,
    )
    refuse_itself(output, file)
    if wanted.shape_under(options) == "file":
        check_file(output, force=force)
    check_output(Path(output), wanted, options, force=force)
    with run.terminal.progress({Step.CONVERT: "converting"}) as progress:
        converted = partial(
            convert_to,
            located(file),
            format_name,
            Path(output),
            options=options,
            force=force,
            allow_weak_kdf=allow_weak_kdf,
            progress=progress,
        )
        result = Passphrases(run).opening(file, converted)
    run.terminal.wrote(output)
    return _told(run, result, strict=strict)


def _told(run: Run, result: Converted, *, strict: bool) -> Exit:
    """What became of it, what is missing, and the exit code."""
    amount = f"{counted(result.taken.total(), 'row')} in {counted(len(result.taken), 'table')}"
    run.terminal.result(result.to_json(), [f"{result.output}: {result.format}, made of {amount}"])
    if not result.taken:
        run.terminal.warning(f"nothing of what was asked for has a place in {result.format}: {result.output} is empty")
    whose = "the default calendar's zone" if result.zone_of_calendar else "see --tz"
    run.terminal.note(f"local times are those of {result.zone} ({whose})")
    told = list(result.left_out.told())
    for kind, count, tables in told:
        named = ", ".join(tables[:_MANY]) + (", …" if len(tables) > _MANY else "")
        line = f"left out: {count:,} {result.meaning(kind, count)} ({named})"
        if result.is_loss(kind):
            run.terminal.warning(line)
        else:
            run.terminal.note(line)
    if result.reversible is False:
        run.terminal.note("the archive cannot be made of it again with the same content: something was left out")
    run.terminal.note(f"{result.output} is not encrypted: who holds it can read it")
    return outcome(losses=result.left_out.losses, notices=result.left_out.notices, strict=strict)


def _to_archive(run: Run, file: str, output: str, *, force: bool, retain: str | None, seal: bool, strict: bool) -> Exit:
    path = located(file)
    if isinstance(path, Path) and is_database(path):
        target = archive_target(run, output, force=force, source=file, retain=retain)
        passphrase = run.new_passphrase() if seal else None
        with run.terminal.progress({Step.CONVERT: "converting"}) as progress:
            returned = from_database(
                path, target, seal=Seal(passphrase) if passphrase is not None else None, force=force, progress=progress
            )
        note_written(run, target)
        return _returned(run, output, returned)
    check_convertible(path)
    target = archive_target(run, output, force=force, source=file, retain=retain)
    try:
        key = account_access(run).key()
    except SignInError as error:
        message = f"{error.message}: in version 1 private fields are encrypted, and the account's key is needed"
        raise SignInError(message, hint=f"--key-file FILE, or {error.hint}") from None
    passphrase = run.new_passphrase() if seal else None
    with run.terminal.progress({Step.EXPORT: "converting"}) as progress:
        result = convert_archive(
            path,
            target,
            key.cipher,
            seal=Seal(passphrase) if passphrase is not None else None,
            force=force,
            strict=strict,
            dated=date(run),
            progress=progress,
        )
    note_written(run, target)
    return report(run, result, strict=strict)


def _returned(run: Run, output: str, returned: Returned) -> Exit:
    """What became of a database, what somebody wrote into it, and the exit code."""
    output = named(output)
    rows = counted(returned.archive.rows, "row")
    same = "the content of the archive that the database was made from" if returned.same else "another content"
    run.terminal.result({"archive": output, **returned.to_json()}, [f"{output}: {rows}, {same}"])
    for what, tables in returned.written.to_json().items():
        for table, count in tables.items():
            run.terminal.note(f"written into the database: {counted(count, 'row')} {what} in {table}")
    if returned.not_whole:
        tables_named = ", ".join(returned.not_whole[:_MANY]) + (", …" if len(returned.not_whole) > _MANY else "")
        run.terminal.warning(f"the database did not hold all of the archive: {tables_named}")
    return Exit.LOSSES if returned.not_whole else Exit.DONE
