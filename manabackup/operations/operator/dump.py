"""Accounts out of a dump: last night's is enough, and no server is asked.

A dump is one snapshot of each database. The accounts have to be known before rows can be given to them; where they
stand behind the table of changes, the file is read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ...archive.destination import Destination
from ...errors import NotFoundError, SourceError, UsageError
from ...host.spooling import spool_files
from ...sources.mana_accounts import TABLES, WRAPPED, ManaAccount, Values, accounts_of
from ...sources.mana_change import COLUMNS, FIELD_TIMES_OF_OLD, ChangeRow
from ...sources.postgresql_dump import Block, PostgresqlDump
from ...text.jsontext import JSON
from ..export import ExportResult, export
from ..progress import Step, Watch, teller
from .account import source_of
from .all_users import HUMAN, AllUsers, Everybody, HowWritten
from .gathering import Gathered
from .user_changes import UserChanges

_CHANGES: Final = "public.sync_changes"
_ACCOUNTS: Final = {f"auth.{table}": columns for table, columns in TABLES.items()}
_VAULTS: Final = "auth.encryption_vaults"
_FIELD_META: Final = "field_meta"
_CREATED_AT: Final = COLUMNS.index("created_at")


class Dump:
    """One dump of both databases, or one of each."""

    def __init__(self, paths: Sequence[Path | None], *, kek: bool) -> None:
        """``paths`` to files; None is the standard input. ``kek``: the keys that it opens are read."""
        wanted = [_CHANGES, *_ACCOUNTS]
        self._parts = [PostgresqlDump(path, wanted) for path in paths]
        self._kek = kek
        self._rows: dict[str, list[Values]] = {}
        self._where: dict[str, str] = {}
        self.source = "mana-dump:" + ":".join("-" if path is None else path.name for path in paths)

    def accounts(self, take: Callable[[list[ManaAccount], Iterator[ChangeRow]], object]) -> None:
        """Has ``take`` take all accounts and then all rows, once.

        Raises :class:`SourceError` where tables or columns are missing, and what reading a dump raises.
        """
        taken = False
        for part in self._parts:
            for block in part.blocks():
                self._note(block)
                if block.table in _ACCOUNTS:
                    self._rows[block.table] = list(self._account_rows(block))
                elif not taken and self._rows.keys() == _ACCOUNTS.keys():
                    take(self._known(), _change_rows(block))
                    taken = True
        missing = sorted({_CHANGES, *_ACCOUNTS} - self._where.keys())
        if missing:
            raise SourceError(
                f"the dump has no table {', '.join(missing)}", hint="give the dumps of both databases: --dump twice"
            )
        if not taken:
            self._again(take)

    def stated(self) -> dict[str, JSON]:
        """What the manifest says of where the changes were read."""
        versions = [part.version for part in self._parts if part.version is not None]
        return {"kind": "dump", "server": versions[0] if versions else None}

    def _again(self, take: Callable[[list[ManaAccount], Iterator[ChangeRow]], object]) -> None:
        for part in self._parts:
            if not part.can_be_read_again:
                raise UsageError(
                    "the accounts stand behind the changes, and the standard input can be read once only",
                    hint="write the dump into a file first, or give the dump of the accounts before the other",
                )
        for part in self._parts:
            for block in part.blocks():
                if block.table == _CHANGES:
                    take(self._known(), _change_rows(block))

    def _note(self, block: Block) -> None:
        """Raises :class:`SourceError` for a table that two databases have: nobody can tell which is meant."""
        if block.table in self._where:
            raise SourceError(
                f"the dump has {block.table} twice ({self._where[block.table]}, {block.database or 'unnamed'})",
                hint="dump the two databases that are meant by themselves: pg_dump mana_platform, pg_dump mana_sync",
            )
        self._where[block.table] = block.database or "unnamed"

    def _known(self) -> list[ManaAccount]:
        users, spaces, members, vaults = (self._rows[table] for table in _ACCOUNTS)
        return accounts_of(users, spaces, members, vaults)

    def _account_rows(self, block: Block) -> Iterator[Values]:
        wanted = _ACCOUNTS[block.table]
        if block.table == _VAULTS and self._kek:
            wanted = (*wanted, *WRAPPED)
        places = _places(block, wanted)
        for row in block.rows:
            yield {name: row[place] for name, place in zip(wanted, places, strict=True)}


def export_user_of_dump(
    dump: Dump,
    who: str,
    target: Destination,
    writing: HowWritten,
    *,
    strict: bool = False,
    progress: Watch | None = None,
) -> tuple[ExportResult, ManaAccount]:
    """One user's account. Raises :class:`NotFoundError` for somebody who is not there, and what reading raises."""
    make_file = spool_files(target)
    gathered = Gathered([], make_file)

    def take(everybody: list[ManaAccount], rows: Iterator[ChangeRow]) -> None:
        nonlocal gathered
        gathered = Gathered(_named(everybody, who), make_file)
        gathered.add(rows, teller(progress, Step.PULL))

    dump.accounts(take)
    _require_one(gathered.accounts)
    for account, rows in gathered.by_account():
        with UserChanges(rows, account.user.id, make_file) as changes:
            result = export(
                source_of(account, changes, writing.opening, dump.stated()),
                target,
                selection=writing.selection,
                seal=writing.seal,
                force=writing.force,
                strict=strict,
                dated=writing.dated,
                progress=progress,
                limits=writing.limits,
            )
            return result, account
    raise AssertionError("there is one account")


def export_everybody_of_dump(
    dump: Dump, folder: Path, writing: HowWritten, *, kinds: Sequence[str] = (HUMAN,), progress: Watch | None = None
) -> AllUsers:
    """Everybody's account, as :func:`~manabackup.operations.operator.all_users.export_everybody` does."""
    runs: list[Everybody] = []

    def take(population: list[ManaAccount], rows: Iterator[ChangeRow]) -> None:
        runs.append(Everybody(folder, dump.source, population, writing, kinds=kinds, progress=progress))
        runs[0].gather(rows)

    try:
        dump.accounts(take)
        return runs[0].write(dump.stated())
    finally:
        for run in runs:
            run.__exit__(None, None, None)


def _named(population: Sequence[ManaAccount], who: str) -> list[ManaAccount]:
    by_id = [account for account in population if account.user.id == who]
    return by_id or [account for account in population if account.user.email.lower() == who.lower()]


def _require_one(found: Sequence[ManaAccount]) -> None:
    """Not before the dump has been read: whether it is one that can be read comes first."""
    if not found:
        raise NotFoundError("no user of that id or e-mail address is in the dump")
    if len(found) > 1:
        raise SourceError("several users have that e-mail address", hint="name one by id")


def _places(block: Block, wanted: Sequence[str]) -> list[int]:
    missing = [name for name in wanted if name not in block.columns]
    if missing:
        raise SourceError(f"{block.table} has no column {', '.join(missing)}: it is of another version of Mana")
    return [block.columns.index(name) for name in wanted]


def _change_rows(block: Block) -> Iterator[ChangeRow]:
    times = _FIELD_META if _FIELD_META in block.columns else FIELD_TIMES_OF_OLD
    places = _places(block, [times if name == _FIELD_META else name for name in COLUMNS])
    for row in block.rows:
        values = [row[place] for place in places]
        values[_CREATED_AT] = in_utc(values[_CREATED_AT] or b"")
        yield ChangeRow.of(values)


def in_utc(time: bytes) -> bytes:
    """A time as PostgreSQL writes it in UTC; a dump has the server's own time zone."""
    if time.endswith(b"+00"):
        return time
    try:
        moment = datetime.fromisoformat(time.decode("ascii")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SourceError("a row of sync_changes has a time that is none") from None
    text = moment.replace(tzinfo=None).isoformat(" ")
    return f"{text.rstrip('0') if '.' in text else text}+00".encode()
