"""``profile export --all-users``: everybody's rows, an archive for each, out of one snapshot.

Each table is read once. Its rows are told apart here, by the columns that the profile's ways upwards end at, and all
lines are brought into the order of their archives by one sort, which sets aside on the disk what does not fit into
memory, encrypted. Then one archive after the other is written, as ``profile export --user`` would have written it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ...archive.writer import Seal
from ...errors import ManabackupError, NotFoundError, OutputError, SourceError
from ...host.output import AtomicFile, writing_to
from ...host.processes import InOrder, cores_for
from ...host.sorting import LineSorter
from ...host.spooling import spool_files
from ...rows.completeness import Case
from ...sources.profile import USER, Profile
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable
from ..ledger import LEDGER, Entry, Ledger
from ..progress import Step, Watch, teller
from .making import CASE, DANGLING, LEFT_OUT, OWN, REDUCED, EverybodysMaker, make, read_case
from .person import HowToWrite, TableRows, readers_of, write_archive
from .reading import SORT_BYTES, Found, TableReader
from .stores import StorePlaces, Stores, Whose, open_stores, refuse
from .summary import LOSSES, Everybody, TableTotals

_SUMMARY = "summary.json"
_PLAIN = re.compile("[a-z0-9][a-z0-9-]{0,62}")
_ENDING = ".mana"


def export_everybody(
    profile: Profile,
    places: StorePlaces,
    folder: Path,
    *,
    derived: bool = False,
    seal: Seal | None = None,
    force: bool = False,
    dated: datetime | None = None,
    progress: Watch | None = None,
) -> Everybody:
    """Writes an archive for everybody into ``folder``, and a ledger that says what became of each.

    A run that was cut off is gone on with: archives that its ledger has are kept, though they are of its snapshot.
    What goes wrong with one archive is in the ledger, and the others are written. Raises what
    :func:`~manabackup.operations.databases.export.export_rows` raises about databases and profiles, and what
    :class:`Ledger` does.
    """
    how = HowToWrite(derived=derived, seal=seal, force=force, dated=dated)
    with open_stores(profile, places) as stores:
        refuse(stores.findings())
        about: dict[str, JSON] = {
            "profile": profile.name,
            "sha256": profile.sha256,
            "derived": derived,
            "sealed": seal is not None,
        }
        with Ledger(folder, about, anew=force) as ledger:
            _begin(folder, force=force)
            kept = ledger.written()
            run = _Run(stores, ledger, kept.keys(), folder, how)
            run.read(progress)
            people = [*kept.values(), *run.archives()]
            result = Everybody(
                folder=folder,
                people=people,
                tables=run.totals,
                not_read={
                    table.name: stores.count(table.name) for table in profile.tables.values() if not table.is_read
                },
                stores={
                    name: dict(stores.database(name).snapshot()) for name in profile.stores if stores.has_its_own(name)
                },
                kept=len(kept),
            )
            with AtomicFile(folder / _SUMMARY, force=True) as file:
                file.write(jsontext.dumps_indented(result.to_json()))
    return result


def file_of(user: str) -> str:
    """What somebody's archive is called: by their key where any file system takes that, else by its SHA-256."""
    plain = _PLAIN.fullmatch(user) is not None
    return (user if plain else f"user-{hashlib.sha256(user.encode()).hexdigest()}") + _ENDING


def _begin(folder: Path, *, force: bool) -> None:
    """What a run that came to its end has left is nothing to go on with."""
    summary = folder / _SUMMARY
    with writing_to(summary):
        if force:
            summary.unlink(missing_ok=True)
        elif summary.exists():
            raise OutputError(f"{printable(str(folder))} holds everybody's archives already", hint="--force")


class _Run:
    """Everybody's rows on their way."""

    def __init__(self, stores: Stores, ledger: Ledger, done: Collection[str], folder: Path, how: HowToWrite) -> None:
        self._stores = stores
        self._ledger = ledger
        self._done = done
        self._folder = folder
        self._how = how
        self._people = stores.people()
        self._readers = readers_of(stores, derived=how.derived)
        self._questions = [reader.ask.of_everybody(reader.lines.columns, reader.loose) for reader in self._readers]
        self._make_file = spool_files(folder / LEDGER)
        self._sorter = LineSorter(self._make_file, budget=SORT_BYTES)
        self._bounds: list[int] = []
        self.totals: dict[str, TableTotals] = {}

    def read(self, progress: Watch | None) -> None:
        """All tables, each once. Raises :class:`SourceError` where a table's rows are not as many as it says."""
        done = self._done
        makers = [
            EverybodysMaker(
                number,
                reader.lines,
                reader.others_lines,
                reader.database.cells,
                reader.archived_as,
                question,
                self._people,
                lambda key: key not in done,
                len(reader.loose),
            )
            for number, (reader, question) in enumerate(zip(self._readers, self._questions, strict=True))
        ]
        tell = teller(progress, Step.EXPORT)
        with InOrder(partial(make, makers), cores_for(self._stores.size())) as making:
            for number, (reader, question) in enumerate(zip(self._readers, self._questions, strict=True)):
                rows = owned = nobodys = size = 0
                for made in making.over((number, block) for block in reader.database.blocks(question.query, [])):
                    rows += made.rows
                    owned += made.owned
                    nobodys += made.nobodys
                    size += made.size
                    self._sorter.add(made.pairs)
                if rows != self._stores.count(reader.table.name):
                    raise SourceError(f"{reader.table.name}: a row has several parents where the profile says one")
                self._bounds.append(size)
                self.totals[reader.table.name] = TableTotals(rows, owned, nobodys)
                tell(number + 1, len(self._readers))

    def archives(self) -> Iterator[Entry]:
        """Writes everybody's; gives what became of each."""
        placed = (_placed(key, line) for key, line in self._sorter.pairs())
        for user, rows in groupby(placed, key=itemgetter(0)):
            entry = self._archive(user, _Coming(rows))
            if entry is not None:
                self._ledger.add(entry)
                yield entry

    def _archive(self, user: str, coming: _Coming) -> Entry | None:
        """One; None where nothing is theirs after all, since they are gone and others' rows alone lead to them."""
        file = file_of(user)
        found = user in self._people.keys[USER]
        is_ours = self._ledger.begin(user, file)
        try:
            result = write_archive(
                self._stores,
                Whose({USER: user}, found=found),
                self._readers,
                partial(self._rows, coming),
                self._folder / file,
                make_file=self._make_file,
                how=replace(self._how, force=self._how.force or is_ours),
            )
        except NotFoundError:
            if found:
                raise
            return None
        except ManabackupError as error:
            return Entry(user, "failed", file, error.exit_code, error=error.message)
        return Entry(
            user,
            "written",
            file,
            LOSSES if result.losses else 0,
            status=result.status,
            rows=result.rows,
            bytes=result.bytes,
            data_sha256=result.data_sha256,
            losses=result.losses,
        )

    def _rows(self, coming: _Coming, reader: TableReader, note: Callable[[Case], object]) -> TableRows:
        number = self._readers.index(reader)
        count: Counter[bytes] = Counter()
        dangling: Counter[int] = Counter()
        size = 0

        def pairs() -> Iterator[tuple[str, bytes]]:
            nonlocal size
            for identifier, line in coming.of(number):
                kind, text = line[:1], line[1:]
                if kind == CASE:
                    note(read_case(text))
                elif kind == DANGLING:
                    place, loose = map(int, text.split())
                    dangling[place] += loose
                elif kind == LEFT_OUT:
                    count[kind] += int(text)
                else:
                    count[kind] += 1
                    if text:  # else it is set aside, and a case says so
                        size += len(text) + 1
                        yield identifier, text

        def found() -> Found:
            nobodys = self.totals[reader.table.name].nobodys
            return Found(count[OWN], count[REDUCED], count[LEFT_OUT], nobodys, size, reader.named(dangling))

        return TableRows(self._bounds[number], reader.unlike(pairs()), found)


class _Coming:
    """The lines of one archive, in their order: of a table after the other."""

    def __init__(self, rows: Iterator[tuple[str, str, str, bytes]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of(self, number: int) -> Iterator[tuple[str, bytes]]:
        """(id, line) of a table, which must be asked for in the order of their numbers."""
        while self._next is not None and int(self._next[1]) == number:
            _, _, identifier, line = self._next
            yield identifier, line
            self._next = next(self._rows, None)


def _placed(key: str, line: bytes) -> tuple[str, str, str, bytes]:
    user, number, identifier = key.split("\0", 2)
    return user, number, identifier, line
