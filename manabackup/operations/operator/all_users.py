"""Everybody's account, out of Mana's databases into an archive each, in one pass over the table of changes.

The connection ends when the table has been read; the archives are written from what was set aside. A run that was cut
off reads the table again and writes the archives that are missing. One user's failure is not the others'.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ...archive.writer import Seal
from ...errors import ManabackupError
from ...host.heap import give_back
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, Limits
from ...sources.mana_accounts import ManaAccount
from ...sources.mana_change import ChangeRow
from ...sources.mana_database import opened
from ...text.jsontext import JSON
from ..export import Selection, export
from ..ledger import Entry, Ledger
from ..progress import Step, Watch, teller
from .account import Opening, source_of
from .gathering import Gathered
from .one_user import DatabasePlaces, read_from
from .user_changes import UserChanges

_FILE_NAME = re.compile("[A-Za-z0-9_-]{1,100}")
_SPOOL = "spool"
HUMAN = "human"


@dataclass(frozen=True, slots=True)
class HowWritten:
    """How every archive is written."""

    opening: Opening = field(default_factory=Opening)
    selection: Selection = field(default_factory=Selection)
    seal: Seal | None = None
    force: bool = False
    """Replace archives, and take no heed of what the ledger says is there."""
    dated: datetime | None = None
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class AllUsers:
    """What came of a run."""

    folder: Path
    entries: Sequence[Entry]
    """Of this run."""
    kept: Sequence[Entry]
    """Of users whose archives an earlier run had written."""
    left_out: Mapping[str, int]
    """Kind → users who were left out."""
    changes: int
    """In the table."""
    unclaimed: int
    """Of these, of nobody who is exported."""

    @property
    def failed(self) -> list[Entry]:
        """Users whose archive could not be written."""
        return [entry for entry in self.entries if entry.state == "failed"]

    @property
    def losses(self) -> Counter[str]:
        """Kind → count, of all archives together, those of an earlier run among them."""
        found: Counter[str] = Counter()
        for entry in (*self.entries, *self.kept):
            found.update(entry.losses)
        return found

    def to_json(self) -> dict[str, Any]:
        """The object that ``export --all-users --json`` prints."""
        done = [entry for entry in self.entries if entry.is_written]
        return {
            "folder": str(self.folder),
            "done": len(done),
            "kept": len(self.kept),
            "failed": {entry.user: entry.error for entry in self.failed},
            "leftOut": dict(self.left_out),
            "rows": sum(entry.rows for entry in done),
            "bytes": sum(entry.bytes for entry in done),
            "losses": dict(self.losses),
            "changes": self.changes,
            "unclaimedChanges": self.unclaimed,
        }


def export_everybody(
    places: DatabasePlaces,
    folder: Path,
    writing: HowWritten | None = None,
    *,
    kinds: Collection[str] = (HUMAN,),
    progress: Watch | None = None,
) -> AllUsers:
    """Writes an archive for each user of the given ``kinds`` into ``folder``, and the ledger beside them.

    Raises what reading the databases raises, :class:`UsageError` for a folder of another database,
    :class:`OutputError` where folder or ledger cannot be written. What goes wrong with one user stands in the ledger.
    """
    writing = writing or HowWritten()
    with opened(places.changes, places.accounts, kek=writing.opening.kek is not None) as (accounts, changes):
        population = accounts.accounts()
        read = read_from(changes.snapshot(), accounts.snapshot(), stated=writing.dated is None)
        run = Everybody(folder, changes.identity(), population, writing, kinds=kinds, progress=progress)
        with run:
            run.gather_copied(changes.all())
            changes.close()
            accounts.close()
            return run.write(read)


class Everybody:
    """A run on its way: gather all rows, then write. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        source: str,
        population: Iterable[ManaAccount],
        writing: HowWritten,
        *,
        kinds: Collection[str],
        progress: Watch | None,
    ) -> None:
        self._folder, self._writing, self._progress = folder, writing, progress
        population = list(population)
        wanted = [account for account in population if account.user.kind in kinds]
        writing.opening.check(wanted)
        self._left_out = Counter(account.user.kind for account in population if account.user.kind not in kinds)
        self._names = file_names([account.user.id for account in wanted])
        self._ledger = Ledger(folder, {"source": source}, anew=writing.force)
        written = self._ledger.written()
        missing = [account for account in wanted if account.user.id not in written]
        self._kept = [written[account.user.id] for account in wanted if account.user.id in written]
        self._gathered = Gathered(missing, spool_files(folder / _SPOOL))

    def __enter__(self) -> Everybody:
        return self

    def __exit__(self, *error: Any) -> None:
        self._ledger.__exit__(*error)

    def gather(self, rows: Iterable[ChangeRow]) -> None:
        """Takes the rows of the table."""
        if self._gathered.accounts:
            self._gathered.add(rows, teller(self._progress, Step.PULL))

    def gather_copied(self, blocks: Iterable[Sequence[bytes]]) -> None:
        """The same of rows as the database copies them, many at a time."""
        if self._gathered.accounts:
            self._gathered.add_copied(blocks, teller(self._progress, Step.PULL))

    def write(self, read: Mapping[str, JSON]) -> AllUsers:
        """Writes the archives; ``read`` says where the rows were."""
        tell = teller(self._progress, Step.EXPORT)
        entries = []
        for number, (account, rows) in enumerate(self._gathered.by_account(), 1):
            entry = self._one(account, rows, read)
            self._ledger.add(entry)
            entries.append(entry)
            tell(number, len(self._gathered.accounts))
        counts = self._gathered.counts
        return AllUsers(self._folder, entries, self._kept, self._left_out, counts.changes, counts.unclaimed)

    def _one(self, account: ManaAccount, rows: Iterator[ChangeRow], read: Mapping[str, JSON]) -> Entry:
        writing, name = self._writing, self._names[account.user.id]
        target = self._folder / name
        try:
            with UserChanges(rows, account.user.id, spool_files(target)) as changes:
                give_back()
                source = source_of(account, changes, writing.opening, read)
                is_ours = self._ledger.begin(account.user.id, name)
                result = export(
                    source,
                    target,
                    selection=writing.selection,
                    seal=writing.seal,
                    force=writing.force or is_ours,
                    dated=writing.dated,
                    limits=writing.limits,
                )
        except ManabackupError as error:
            return Entry(
                account.user.id,
                "failed",
                name,
                error.exit_code,
                vault=account.vault.mode,
                error=error.message,
            )
        losses: dict[str, int] = result.completeness["losses"]
        return Entry(
            account.user.id,
            "written",
            name,
            3 if losses else 0,
            status=result.status,
            rows=result.rows,
            bytes=result.bytes,
            data_sha256=result.data_sha256,
            losses=losses,
            vault=account.vault.mode,
            opened=source.cipher is not None,
        )


def file_names(users: Sequence[str]) -> dict[str, str]:
    """User → the name of their archive: the id where it makes a name, and no other does but for capitals."""
    spelled = Counter(user.lower() for user in users)
    names = {}
    for user in users:
        digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
        if not _FILE_NAME.fullmatch(user):
            names[user] = f"{digest}.mana"
        elif spelled[user.lower()] > 1:
            names[user] = f"{user}-{digest[:8]}.mana"
        else:
            names[user] = f"{user}.mana"
    return names
