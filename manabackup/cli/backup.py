"""``pull`` and ``export``: from the servers to the mirror, and from the mirror to an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from .. import jsontext, registry
from ..archive.writer import Seal
from ..crypto.fields import FieldCipher
from ..errors import KeyChangedError, ManabackupError, NotFoundError, OutputError, SignInError, UsageError
from ..jsontext import JSON
from ..mirror import Mirror
from ..operations import pull as pulling
from ..operations.export import ExportResult, Selection, Source
from ..operations.export import export as write_export
from ..remote.account import data_export, organizations
from ..remote.session import StaticToken, user_id
from ..remote.sync import SyncClient
from ..remote.vault import VaultClient, VaultKey
from ..secret_sources import secret_text
from ..state import StateFolder
from ..timestamps import format_timestamp, parse_timestamp
from .archives import force_option, new_passphrase, output_option
from .connection import Connection, connect, unlock
from .frame import command, secret_options, strict_option
from .run import Exit, Run, outcome

_VAULT, _SPACES = "vault", "spaces"
_MANY = 5
"""Kinds of notices that are worth a line each; more are summed up."""

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
    """
    with connect(run) as connection, _mirror(run, connection.sync.base_url, connection.user_id) as mirror:
        result = _pull(run, connection, mirror, full=full, extra_apps=extra_apps)
    lost = sum(1 for loss in result.losses if loss.kind.value.startswith("unreadable"))
    rewritten = len(result.losses) - lost
    lines = [
        f"{result.changes_new:,} new changes, {result.changes_held:,} in all in {result.collections:,} collections"
    ]
    lines += [f"unknown collection: {app}/{name}" for app, name in result.unknown_collections]
    lines += [f"{loss.kind.value}: {loss.app}/{loss.collection or '*'} ({loss.count:,})" for loss in result.losses]
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
    if private and not seal:
        raise UsageError("--private goes with --seal")
    path = Path(output)
    if path.exists() and not force:
        # Found before secrets are asked for and servers are read; AtomicFile finds it again.
        raise _exists(path)
    selection = Selection(apps, tables, spaces, include_deleted, _instant(as_of))
    passphrase = new_passphrase(run) if seal else None
    with (
        _source(run, offline, accept_new_key, extra_apps) as source,
        run.terminal.progress("exporting", unit="changes") as bar,
    ):
        result = write_export(
            source,
            path,
            selection=selection,
            seal=Seal(passphrase, private=private) if passphrase is not None else None,
            force=force,
            now=_now(),
            progress=bar.reach,
        )
    _report(run, result)
    losses, notices = (_total(result.completeness[group]) for group in ("losses", "notices"))
    return outcome(losses=losses, notices=notices, strict=strict)


@contextmanager
def _source(run: Run, offline: bool, accept_new_key: bool, extra_apps: Sequence[str]) -> Iterator[Source]:
    """Where the rows come from: the servers and the mirror, or the mirror alone."""
    account = run.settings.account
    if offline:
        user = _known_user(run)
        with _mirror(run, account.sync_url, user, create=False) as mirror:
            if mirror.pulled_at is None:
                run.terminal.warning(
                    "the mirror was never pulled to its end: the archive may lack what is missing there"
                )
            cipher = unlock(run, account, lambda: _remembered_vault(mirror))
            _check_key(run, mirror, cipher, accept_new_key)
            pulled_at = None if mirror.pulled_at is None else format_timestamp(mirror.pulled_at)
            with mirror.snapshot() as snapshot:
                yield Source(snapshot, registry.load(), user, cipher, pulled_at, _remembered_spaces(mirror))
        return
    with connect(run) as connection, _mirror(run, connection.sync.base_url, connection.user_id) as mirror:
        cipher = unlock(run, account, lambda: _ask_vault(connection, mirror))
        _check_key(run, mirror, cipher, accept_new_key)
        _pull(run, connection, mirror, extra_apps=extra_apps)
        notices: list[tuple[str, str]] = []
        space_types = _ask_spaces(connection, mirror, notices)
        account_data = _ask_account_data(connection, notices)
        with mirror.snapshot() as snapshot:
            user = connection.user_id
            yield Source(snapshot, registry.load(), user, cipher, None, space_types, account_data, notices)


@contextmanager
def _mirror(run: Run, sync_url: str, user: str, *, create: bool = True) -> Iterator[Mirror]:
    state = StateFolder(run.settings.state_dir)
    with state.lock():
        path = state.mirror_path(sync_url, user)
        try:
            mirror = Mirror(path, sync_url=sync_url, user_id=user, create=create)
        except NotFoundError:
            raise NotFoundError("there is no mirror of this account yet", hint="run `manabackup pull` first") from None
        with mirror:
            yield mirror


def _pull(
    run: Run, connection: Connection, mirror: Mirror, *, full: bool = False, extra_apps: Sequence[str] = ()
) -> pulling.PullResult:
    client = SyncClient(connection.sync, connection.tokens, mirror.client_id)
    with run.terminal.progress("pulling", unit="collections") as bar:

        def progress(done: int, total: int, changes: int) -> None:
            bar.reach(done, total, f"{changes:,} changes")

        return pulling.run(mirror, client, registry.load(), full=full, extra_apps=extra_apps, progress=progress)


def _known_user(run: Run) -> str:
    """Whose mirror is meant, without asking anybody: from a token, else from the stored session."""
    source = run.source("token")
    if source is not None:
        return user_id(StaticToken(secret_text(source, "access token")).token())
    session = StateFolder(run.settings.state_dir).sessions(run.settings.account.profile).load()
    if session is None:
        raise SignInError("not signed in", hint="`manabackup login`, or give the token that the mirror was pulled with")
    return session.user_id


def _ask_vault(connection: Connection, mirror: Mirror) -> VaultKey | None:
    key = VaultClient(connection.auth, connection.tokens).key()
    if key is None:
        mirror.remember(_VAULT, "{}")
    elif key.zero_knowledge:
        # The wrapped key opens with the recovery code alone, so that an export without the servers can be unlocked.
        mirror.remember(_VAULT, jsontext.dumps({"wrapped": key.wrapped, "iv": key.iv}).decode())
    else:
        mirror.remember(_VAULT, '{"standard":true}')
    return key


def _remembered_vault(mirror: Mirror) -> VaultKey | None:
    known: JSON = jsontext.parse(mirror.recall(_VAULT) or '{"standard":true}')
    if not known:
        return None
    if "wrapped" not in known:
        raise UsageError(
            "the account's key is not known here", hint="give it with --key-file, or export without --offline"
        )
    return VaultKey(wrapped=known["wrapped"], iv=known["iv"])


def _check_key(run: Run, mirror: Mirror, cipher: FieldCipher | None, accept_new_key: bool) -> None:
    """The key's fingerprint is remembered with the mirror; another key stops the run until it is accepted."""
    pinned = mirror.key_fingerprint
    fingerprint = cipher.fingerprint if cipher is not None else None
    if pinned is not None and fingerprint != pinned:
        if fingerprint is None:
            raise KeyChangedError("the account had a key before, and its vault is gone", hint=_GONE_HINT)
        if not accept_new_key:
            raise KeyChangedError(
                f"the account's key is another one than before ({pinned} was known, {fingerprint} is given)"
            )
        run.terminal.warning(f"accepted a new key: {fingerprint} in place of {pinned}")
    if fingerprint is not None and fingerprint != pinned:
        mirror.pin_key(fingerprint)


_GONE_HINT = "if you have the key, give it with --key-file; if not, ask who removed the vault"


def _ask_spaces(connection: Connection, mirror: Mirror, notices: list[tuple[str, str]]) -> Mapping[str, str]:
    if connection.session is None:
        notices.append(("spaceTypesUnknown", "an access token does not tell them; a login does"))
        return _remembered_spaces(mirror)
    try:
        spaces = organizations(connection.auth, connection.session)
    except ManabackupError as error:
        notices.append(("spaceTypesUnknown", error.message))
        return _remembered_spaces(mirror)
    types = {space.id: space.type or "personal" for space in spaces}
    mirror.remember(_SPACES, jsontext.dumps(types).decode())
    return types


def _remembered_spaces(mirror: Mirror) -> Mapping[str, str]:
    types: dict[str, str] = jsontext.parse(mirror.recall(_SPACES) or "{}")
    return types


def _ask_account_data(connection: Connection, notices: list[tuple[str, str]]) -> Mapping[str, bytes]:
    try:
        content = data_export(connection.auth, connection.tokens)
    except ManabackupError as error:
        notices.append(("accountDataMissing", error.message))
        return {}
    if content is None:
        notices.append(("accountDataMissing", "the account service has none"))
        return {}
    if "SOURCE_DATE_EPOCH" in os.environ:
        # The answer says when it was asked for; two exports of one state are to be equal.
        answer = jsontext.parse(content)
        if isinstance(answer, dict) and "exportedAt" in answer:
            content = jsontext.dumps({**answer, "exportedAt": _now().isoformat()})
    return {"data.json": content}


def _report(run: Run, result: ExportResult) -> None:
    kind = "sealed" if result.sealed else "not sealed"
    amount = f"{result.rows:,} rows in {result.tables:,} tables, {result.bytes:,} bytes"
    lines = [f"{result.archive}: {result.status}, {amount}, {kind}"]
    run.terminal.result(result.to_json(), lines)
    for kind, count in result.completeness["losses"].items():
        run.terminal.warning(f"{kind}: {count:,} ({_MEANINGS.get(kind, 'see meta/problems.jsonl in the archive')})")
    notices: dict[str, int] = result.completeness["notices"]
    for kind, count in list(notices.items())[: None if run.settings.verbosity else _MANY]:
        run.terminal.note(f"noted: {kind}: {count:,}{f' ({_MEANINGS[kind]})' if kind in _MEANINGS else ''}")
    if len(notices) > _MANY and not run.settings.verbosity:
        run.terminal.note(f"noted: {len(notices) - _MANY} more kinds; -v shows them, the archive lists all cases")
    if not result.sealed:
        run.terminal.note("the archive is not encrypted: who holds it can read it")
    if not result.web_app_reads_it:
        run.terminal.warning("larger than 4 GiB: the web app's import does not read it; export fewer apps at a time")


_MEANINGS = {
    "undecryptable": "fields that your key does not open",
    "malformedChange": "changes that make no sense; what they would have done is not in the archive",
    "unreadableTie": "more changes in one microsecond than the server gives out",
    "unreadablePage": "a page that the server cannot read itself",
    "plaintextField": "private fields that the server holds in clear",
    "foreignCiphertext": "fields of other members of shared spaces, under their keys",
    "unknownCollection": "data that this version knows nothing of; it is in the archive",
    "futureTime": "rows with times in the future",
    "accountDataMissing": "the account service's own data could not be had",
}


def _total(kinds: Mapping[str, int]) -> int:
    return sum(kinds.values())


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path} exists already", hint="--force replaces it")


def _instant(text: str | None) -> str | None:
    if text is not None:
        try:
            parse_timestamp(text)
        except ValueError:
            raise UsageError("--as-of is not a time", hint="write it like 2026-05-01T12:00:00Z") from None
    return text


def _now() -> datetime:
    """The time of the run, or the one that makes builds reproducible (reproducible-builds.org, SOURCE_DATE_EPOCH)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError("SOURCE_DATE_EPOCH is not a number of seconds") from None
