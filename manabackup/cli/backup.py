"""``pull`` and ``export``: from the servers to the mirror, and from the mirror to an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from ..archive.writer import Seal
from ..errors import NotFoundError, SignInError, UsageError
from ..host.secret_sources import secret_text
from ..mirror import UNREADABLE, LossKind, Mirror
from ..operations.account.account_data import export_source, remember_account
from ..operations.account.key import AccountKey, unlock
from ..operations.export import Selection, Source
from ..operations.export import export as write_export
from ..operations.pull import PullResult
from ..operations.pull.account import pull as pull_account
from ..remote.connection import Connection
from ..remote.session import StaticToken, user_id
from ..text.printable import one_line, printable
from ..text.timestamps import parse_timestamp
from .ages import search_words
from .connection import connect, tell_origin
from .exported import date, report, stated_date
from .files import archive_target, force_option, note_written, output_option
from .frame import command, secret_options, strict_option
from .memory import share_one_heap
from .run import Exit, Run, outcome

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
    with connect(run) as connection, open_mirror(run, connection.sync.base_url, connection.user_id) as mirror:
        result = pull_into(run, connection, mirror, full=full, extra_apps=extra_apps)
        remember_account(mirror, connection)
    lost = sum(1 for loss in result.losses if loss.kind in UNREADABLE)
    rewritten = len(result.losses) - lost
    lines = [
        f"{result.changes_new:,} new changes, {result.changes_held:,} in all in {result.collections:,} collections"
    ]
    lines += [search_words(result.searched_at, result.unsearched_apps)]
    lines += [f"unknown collection: {app}/{name}" for app, name in result.unknown_collections]
    lines += [
        f"{loss.kind.value}: {loss.app}/{loss.collection or '*'} ({loss.count:,})"
        for loss in result.losses
        if loss.kind is not LossKind.UNSEARCHED  # said already
    ]
    run.terminal.result(result.to_json(), lines)
    return outcome(losses=lost, notices=rewritten + len(result.unknown_collections), strict=strict)


@command("export")
@secret_options("passphrase", "recovery-code", "key", "token")
@output_option
@force_option
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
@click.option("--offline", is_flag=True, help="Use the mirror as it is; no server is asked.")
@click.option("--accept-new-key", is_flag=True, help="Go on though the account's key is another one than before.")
@strict_option
def export(
    run: Run,
    output: str,
    force: bool,
    apps: tuple[str, ...],
    tables: tuple[str, ...],
    spaces: tuple[str, ...],
    extra_apps: tuple[str, ...],
    include_deleted: bool,
    as_of: str | None,
    seal: bool,
    private: bool,
    offline: bool,
    accept_new_key: bool,
    strict: bool,
) -> Exit:
    """Write everything into an archive: pull, decrypt here, write.

    The archive is a ZIP of JSON Lines. It holds your private fields in clear unless it is sealed.
    """
    share_one_heap()
    if private and not seal:
        raise UsageError("--private goes with --seal")
    target = archive_target(run, output, force=force)
    selection = Selection(apps, tables, spaces, include_deleted, _instant(as_of))
    passphrase = run.new_passphrase() if seal else None
    dated = date(run)
    with (
        account_source(run, offline, accept_new_key, extra_apps) as source,
        run.terminal.progress("exporting", unit="changes") as bar,
    ):
        result = write_export(
            source,
            target,
            selection=selection,
            seal=Seal(passphrase, private=private) if passphrase is not None else None,
            force=force,
            strict=strict,
            dated=dated,
            progress=bar.reach,
        )
    note_written(run, target)
    return report(run, result, strict=strict)


@contextmanager
def account_source(run: Run, offline: bool, accept_new_key: bool, extra_apps: Sequence[str]) -> Iterator[Source]:
    """Where the rows come from: the servers and the mirror, or the mirror alone."""

    if offline:
        with open_mirror(run, run.settings.account.sync_url, known_user(run), create=False) as mirror:
            if mirror.pulled_at is None:
                run.terminal.warning(
                    "the mirror was never pulled to its end: the archive may lack what is missing there"
                )
            with export_source(mirror, unlock_mirror(run, mirror, None, accept_new_key)) as source:
                yield source
        return
    with connect(run) as connection, open_mirror(run, connection.sync.base_url, connection.user_id) as mirror:
        key = unlock_mirror(run, mirror, connection, accept_new_key)
        pull_into(run, connection, mirror, extra_apps=extra_apps)
        # The service's answer says when it was asked for; two exports of one state are to be equal.
        fixed = stated_date()
        with export_source(mirror, key, connection, account_data_at=fixed) as source:
            yield source


def unlock_mirror(run: Run, mirror: Mirror, connection: Connection | None, accept_new_key: bool) -> AccountKey:
    """The account's key, held against the one that was used before; says what its owner should know of it."""
    key = unlock(
        mirror,
        connection,
        master_key=run.master_key(),
        recovery_code=lambda: run.secret("recovery-code"),
        accept_new_key=accept_new_key,
    )
    tell_origin(run, key)
    if key.replaced is not None and key.cipher is not None:
        run.terminal.warning(f"accepted a new key: {key.cipher.fingerprint} in place of {key.replaced}")
    return key


@contextmanager
def open_mirror(run: Run, sync_url: str, user: str, *, create: bool = True) -> Iterator[Mirror]:
    """An account's mirror, under the lock of the state folder. Raises :class:`NotFoundError` without ``create``."""
    state = run.state
    with state.lock():
        path = state.mirror_path(sync_url, user)
        try:
            mirror = Mirror(path, sync_url=sync_url, user_id=user, create=create)
        except NotFoundError:
            raise NotFoundError("there is no mirror of this account yet", hint="run `manabackup pull` first") from None
        with mirror:
            tell_of_damage(run, mirror, offline=not create)
            yield mirror


def tell_of_damage(run: Run, mirror: Mirror, *, offline: bool) -> None:
    """Says what is wrong with a mirror, and what comes of it; ``offline``: no server is asked in this run."""
    for loss in mirror.damage:
        whose = f"of {one_line(f'{loss.app}/{loss.collection}')} " if loss.app else ""
        what = f"the mirror {whose}was damaged"
        lost = "part of it is missing" if loss.app else "nobody can tell what is missing"
        run.terminal.warning(
            f"{what}, and {lost}; `manabackup pull` reads it again" if offline else f"{what} and is read again"
        )
    repair = mirror.repair
    if repair is None:
        if offline and mirror.is_unfinished:
            run.terminal.warning("the last pull was cut off: part of what it had read may be missing")
    elif repair.damaged is None:
        run.terminal.note("the mirror was of an earlier version, and has checksums now: it is taken as it was")
    else:
        if not mirror.damage:
            run.terminal.warning("the mirror was damaged, and nothing that it held was lost")
        if repair.kept.client_id_is_new:
            run.terminal.warning("the mirror's client id was damaged; it has a new one")
        if repair.kept.remembered_is_lost:
            run.terminal.warning(
                "what the mirror knew of vault and spaces was damaged; the next login or pull asks anew"
            )
        run.terminal.note(f"the damaged file is kept as {printable(str(repair.damaged))}")


def pull_into(
    run: Run, connection: Connection, mirror: Mirror, *, full: bool = False, extra_apps: Sequence[str] = ()
) -> PullResult:
    """Brings the mirror up to date, with a bar."""
    with run.terminal.progress("pulling", unit="collections") as bar:

        def progress(done: int, total: int, changes: int) -> None:
            bar.reach(done, total, f"{changes:,} changes")

        return pull_account(mirror, connection, full=full, extra_apps=extra_apps, progress=progress)


def known_user(run: Run) -> str:
    """Whose mirror is meant, without asking anybody: from a token, else from the stored session."""
    source = run.source("token")
    if source is not None:
        return user_id(StaticToken(secret_text(source, "access token")).token())
    session = run.state.sessions(run.settings.account.profile).load()
    if session is None:
        raise SignInError("not signed in", hint="`manabackup login`, or give the token that the mirror was pulled with")
    return session.user_id


def _instant(text: str | None) -> str | None:
    if text is not None:
        try:
            parse_timestamp(text)
        except ValueError:
            raise UsageError("--as-of is not a time", hint="write it like 2026-05-01T12:00:00Z") from None
    return text
