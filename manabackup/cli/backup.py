"""``pull`` and ``export``: from the servers to the mirror, and from the mirror to an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ManabackupError, UsageError
from ..operations.account.last_backup import LastBackup, remember_backup
from ..operations.archives import Seal
from ..operations.export import ExportResult, Selection, Source, check_apps
from ..operations.export import export as write_export
from ..operations.progress import Step
from ..text.printable import counted
from ..text.timestamps import parse_timestamp
from .access import account_access, pull_into
from .ages import search_words
from .exported import date, report, stated_date
from .file_options import file_settings, foreign_option
from .files import STDOUT, archive_target, force_option, note_written, retain_option
from .frame import command, secret_options, strict_option
from .memory import share_one_heap
from .operator import Writing, export_from_database, operator_options, refuse_beside_database, wants_database
from .run import Exit, Run, outcome

if TYPE_CHECKING:
    from ..archive.destination import Destination
    from ..operations.account.access import AccountAccess, OpenAccount
    from ..operations.files.packing import FileSource

extra_app_option = click.option(
    "--extra-app",
    "extra_apps",
    multiple=True,
    metavar="APP",
    help="Read this app too, which the registry does not know.",
)


@command("pull")
@secret_options("token")
@extra_app_option
@click.option("--full", is_flag=True, help="Read everything again and compare it with what is held.")
@strict_option
def pull(run: Run, extra_apps: tuple[str, ...], full: bool, strict: bool) -> Exit:
    """Bring the local mirror up to date.

    Only what is new is read. An interrupted run goes on where it stopped. The mirror holds what the server sends:
    private fields stay encrypted.

    When a mirror is pulled first, then once a week and with --full, the server is searched for collections that nobody
    told of. That is slow where many people use the server, and is given up on after two minutes.
    """
    share_one_heap()
    with account_access(run).open(without_key=True) as account:
        result = pull_into(run, account, full=full, extra_apps=extra_apps)
        assert result is not None
        account.remember()
    lines = [
        f"{counted(result.changes_new, 'new change')}, {result.changes_held:,} in all "
        f"in {counted(result.collections, 'collection')}"
    ]
    lines += [search_words(result.searched_at, result.unsearched_apps)]
    lines += [f"unknown collection: {app}/{name}" for app, name in result.unknown_collections]
    lines += [f"{loss.kind.value}: {loss.app}/{loss.collection or '*'} ({loss.count:,})" for loss in result.read_losses]
    run.terminal.result(result.to_json(), lines)
    return outcome(
        losses=result.unreadable,
        notices=len(result.losses) - result.unreadable + len(result.unknown_collections),
        strict=strict,
    )


@command("export")
@secret_options("passphrase", "recovery-code", "key", "token")
@click.option(
    "-o", "--output", metavar="FILE", help="The archive to write, a file or an address; - is the standard output."
)
@force_option
@retain_option
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app. May be given several times.")
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table. May be given several times.")
@click.option(
    "--space",
    "spaces",
    multiple=True,
    metavar="ID",
    help="Only rows of this space; `personal` is your own, with settings.",
)
@extra_app_option
@click.option("--include-deleted", is_flag=True, help="Also rows in the bin.")
@click.option("--as-of", metavar="TIME", help="Rows as they stood at this time, e.g. 2026-05-01T12:00:00Z.")
@click.option("--seal", is_flag=True, help="Encrypt the archive under a passphrase.")
@click.option("--private", is_flag=True, help="With --seal: tell nothing outside the seal.")
@click.option("--view", is_flag=True, help="Also write FILE.html, a page that opens the archive by itself.")
@click.option("--files", is_flag=True, help="Also fetch the files that rows refer to: pictures, songs, documents.")
@foreign_option
@file_settings
@click.option("--offline", is_flag=True, help="Use the mirror as it is; no server is asked.")
@click.option("--accept-new-key", is_flag=True, help="Go on though the account's key is another one than before.")
@strict_option
@operator_options
def export(
    run: Run,
    /,
    output: str | None,
    force: bool,
    retain: str | None,
    apps: tuple[str, ...],
    tables: tuple[str, ...],
    spaces: tuple[str, ...],
    extra_apps: tuple[str, ...],
    include_deleted: bool,
    as_of: str | None,
    seal: bool,
    private: bool,
    view: bool,
    files: bool,
    foreign_files: bool,
    offline: bool,
    accept_new_key: bool,
    strict: bool,
    **operator: Any,
) -> Exit:
    """Write everything into an archive: pull, decrypt here, write.

    The archive is a ZIP of JSON Lines. It holds your private fields in clear unless it is sealed.

    Those who run Mana take accounts out of its databases: --from-database with --user WHO or --all-users DIR, or --dump
    FILE in place of a server. Private fields stay encrypted then, as they stand there, and `unlock` opens the archive
    for its owner. With --kek-file those of accounts that are not zero-knowledge are opened.
    """
    share_one_heap()
    if private and not seal:
        raise UsageError("--private goes with --seal")
    if foreign_files and not files:
        raise UsageError("--foreign-files goes with --files")
    selection = Selection(apps, tables, spaces, include_deleted, _instant(as_of))
    if wants_database(operator):
        refused = {"--files": files, "--view": view, "--offline": offline, "--extra-app": bool(extra_apps)}
        refuse_beside_database([name for name, is_given in refused.items() if is_given])
        writing = Writing(output, selection, seal, private, force, strict, retain)
        return export_from_database(run, operator, writing)
    if output is None:
        raise UsageError("-o FILE is missing", hint="it says where the archive is to be written")
    target = archive_target(run, output, force=force, retain=retain)
    if view:
        from .view import check_page_beside  # and the page's templates, which no other export needs

        check_page_beside(target, force=force)
    dated = date(run)
    access = _access(run)
    with access.open(offline=offline, accept_new_key=accept_new_key) as account:
        check_apps(selection, account.mirror, extra_apps)
        # Not before: who is not signed in would have typed it for nothing. Not after what takes long, either.
        passphrase = run.new_passphrase() if seal else None
        pull_into(run, account, extra_apps=extra_apps)
        with (
            _source(account) as source,
            _files(access, account, wanted=files, foreign=foreign_files) as held,
            run.terminal.progress({Step.EXPORT: "exporting", Step.FILES: "fetching files"}) as progress,
        ):
            result = write_export(
                source,
                target,
                files=held,
                selection=selection,
                seal=Seal(passphrase, private=private) if passphrase is not None else None,
                force=force,
                strict=strict,
                dated=dated,
                progress=progress,
            )
    note_written(run, target)
    if selection.is_everything:
        _remember(run, target, result)
    if view:
        from .view import write_page_beside

        write_page_beside(run, target, force=force)
    return report(run, result, strict=strict)


def _remember(run: Run, target: Destination, result: ExportResult) -> None:
    """So that a bare ``manabackup`` can say how old the last backup is; the backup is there either way."""
    archive = target.absolute() if isinstance(target, Path) else None
    address = None if archive is not None or str(target) == STDOUT else str(target)
    backup = LastBackup(archive, datetime.now(UTC), result.status, result.sealed, address)
    try:
        remember_backup(run.state, run.settings.account.profile, backup)
    except ManabackupError as error:
        run.terminal.warning(f"when this backup was made is not remembered: {error.message}")


@contextmanager
def account_source(run: Run, offline: bool, accept_new_key: bool, extra_apps: Sequence[str]) -> Iterator[Source]:
    """Where the rows come from: the servers and the mirror, or the mirror alone."""
    with _access(run).open(offline=offline, accept_new_key=accept_new_key) as account:
        pull_into(run, account, extra_apps=extra_apps)
        with _source(account) as source:
            yield source


def _access(run: Run) -> AccountAccess:
    return account_access(run, never_pulled="the archive may lack what is missing there")


def _source(account: OpenAccount) -> AbstractContextManager[Source]:
    # The service's answer says when it was asked for; two exports of one state are to be equal.
    return account.source(account_data_at=None if account.connection is None else stated_date())


def _files(
    access: AccountAccess, account: OpenAccount, *, wanted: bool, foreign: bool
) -> AbstractContextManager[FileSource | None]:
    if not wanted:
        return nullcontext()
    from ..operations.files.access import configured_files  # and the clients of services that are seldom asked

    return configured_files(access, account, foreign=foreign)


def _instant(text: str | None) -> str | None:
    if text is not None:
        try:
            parse_timestamp(text)
        except ValueError:
            raise UsageError("--as-of is not a time", hint="write it like 2026-05-01T12:00:00Z") from None
    return text
