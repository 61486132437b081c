"""The changes of many users, taken from one pass over the table and given back user by user.

Each row goes to everybody who may see it: its author, and the members of its space. So what is set aside is what the
archives will hold, and no more; it is encrypted under a key that lives in memory alone. Rows are carried as the
database wrote them and become changes when their user's turn comes, so that the pass is short.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...crypto.spools import SpoolFile
from ...errors import SourceError
from ...host.sorting import LineSorter
from ...limits import MIB
from ...sources.copied import cell_of
from ...sources.mana_accounts import ManaAccount
from ...sources.mana_change import ODD_TIME, ChangeRow, copied_place

_SORT_BYTES = 24 * MIB
_LENGTHS = struct.Struct("<13i")
_NULL = -1
_AT_ONCE = 256


@dataclass(slots=True)
class Counts:
    """What a pass met."""

    changes: int = 0
    """In the table."""
    unclaimed: int = 0
    """Of these, of authors who are none of the users that are exported, in no space of theirs."""


class Gathered:
    """The changes of some users, brought together by user. ``accounts`` are those whose changes are wanted."""

    def __init__(self, accounts: Sequence[ManaAccount], make_file: Callable[[], SpoolFile]) -> None:
        self.accounts = accounts
        self.counts = Counts()
        self._sorter = LineSorter(make_file, budget=_SORT_BYTES)
        self._numbers = {account.user.id.encode(): f"{at:08}" for at, account in enumerate(accounts)}
        self._members: dict[bytes, list[str]] = {}
        self._unpack: Callable[[bytes], ChangeRow] = unpack
        for account in accounts:
            for space in account.space_ids:
                self._members.setdefault(space.encode(), []).append(self._numbers[account.user.id.encode()])

    def add(self, rows: Iterable[ChangeRow], tell: Callable[[int, int], object]) -> None:
        """Takes all rows of the table, in its order. Raises :class:`SourceError` for one that makes no sense."""
        numbers, members, counts = self._numbers, self._members, self.counts
        pairs: list[tuple[str, bytes]] = []
        for row in rows:
            counts.changes += 1
            author = numbers.get(row.author)
            others = members.get(row.space) if row.space else None
            if author is None and others is None:
                counts.unclaimed += 1
                continue
            line, place = pack(row), row.place
            if author is not None:
                pairs.append((f"{author}\0{place}", line))
            if others is not None:
                pairs += [(f"{other}\0{place}", line) for other in others if other != author]
            if len(pairs) >= _AT_ONCE:
                self._sorter.add(pairs)
                tell(counts.changes, counts.changes)
                pairs = []
        self._sorter.add(pairs)

    def add_copied(self, lines: Iterable[bytes], tell: Callable[[int, int], object]) -> None:
        """The same of rows as :meth:`~manabackup.sources.mana_change.ChangeRow.of_copied` takes them.

        Everybody's run does this with every change there is: so it compares cells as they are spelled, calls nothing
        that it need not, and leaves the rest of a row alone.
        """
        self._unpack = ChangeRow.of_copied
        numbers = {cell_of(user): number for user, number in self._numbers.items()}
        members = {cell_of(space): others for space, others in self._members.items()}
        places: dict[tuple[bytes, bytes], str] = {}
        pairs: list[tuple[str, bytes]] = []
        unclaimed = changes = 0
        for line in lines:
            changes += 1
            user, space, app, collection, at, _ = line.split(b"\t", 5)
            author, others = numbers.get(user), members.get(space)
            if author is None and others is None:
                unclaimed += 1
                continue
            try:
                place = places[app, collection]
            except KeyError:
                place = places[app, collection] = copied_place(app, collection)
            if at[4:5] != b"-" or at[-3:] != b"+00":
                raise SourceError(ODD_TIME)
            place += at.decode("ascii")
            if author is not None:
                pairs.append((f"{author}\0{place}", line))
            if others is not None:
                pairs += [(f"{other}\0{place}", line) for other in others if other != author]
            if len(pairs) >= _AT_ONCE:
                self._sorter.add(pairs)
                tell(changes, changes)
                pairs = []
        self._sorter.add(pairs)
        self.counts.changes += changes
        self.counts.unclaimed += unclaimed

    def by_account(self) -> Iterator[tuple[ManaAccount, Iterator[ChangeRow]]]:
        """Every account with its rows, by collection and in the order of the table; ends this.

        The rows are to be taken before the next account is asked for.
        """
        groups = groupby(self._sorter.pairs(), key=lambda pair: int(pair[0][:8]))
        number, rows = next(groups, (None, None))
        for at, account in enumerate(self.accounts):
            if number != at or rows is None:
                yield account, iter(())
                continue
            yield account, (self._unpack(line) for _, line in rows)
            number, rows = next(groups, (None, None))


def pack(row: ChangeRow) -> bytes:
    """A row as one line."""
    lengths = [_NULL if value is None else len(value) for value in row]
    return _LENGTHS.pack(*lengths) + b"".join([value for value in row if value])


def unpack(line: bytes) -> ChangeRow:
    """The row that :func:`pack` took."""
    values: list[bytes | None] = []
    at = _LENGTHS.size
    for length in _LENGTHS.unpack_from(line):
        if length == _NULL:
            values.append(None)
            continue
        values.append(line[at : at + length])
        at += length
    return ChangeRow.of(values)
