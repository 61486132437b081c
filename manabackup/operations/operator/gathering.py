"""The changes of many users, taken from one pass over the table and given back user by user.

Each row goes to everybody who may see it: its author, and the members of its space. So what is set aside is what the
archives will hold, and no more; it is encrypted under a key that lives in memory alone. Rows are carried as the
database wrote them. When their user's turn comes they are put into their order and become changes: the database waits
for what the pass does, and for nothing that can be done after it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from ...crypto.spools import SpoolFile
from ...errors import SourceError
from ...host.heap import give_back
from ...host.sorting import LineSorter
from ...limits import MIB
from ...sources.copied import NULL, cell_of
from ...sources.mana_accounts import ManaAccount
from ...sources.mana_change import ODD_TIME, ChangeRow, copied_place

_SORT_BYTES = 24 * MIB
_USER_BYTES = 8 * MIB
_LENGTHS = struct.Struct("<13i")
_NULL = -1
_AT_ONCE = 256
_DIGITS = 8

_Claimed = tuple[bytes, bytes, bytes]
"""Author and space of a row, each as a cell that was copied, and the row's line."""


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
        self._make_file = make_file
        self._sorter = LineSorter(make_file, budget=_SORT_BYTES)
        self._blocks = 0
        self._numbers = {cell_of(account.user.id.encode()): _number(at) for at, account in enumerate(accounts)}
        self._members: dict[bytes, list[str]] = {}
        self._row_of: Callable[[bytes], ChangeRow] = unpack
        self._place_of: Callable[[bytes], str] = _place_of_packed
        for at, account in enumerate(accounts):
            for space in account.space_ids:
                self._members.setdefault(cell_of(space.encode()), []).append(_number(at))

    def add(self, rows: Iterable[ChangeRow], tell: Callable[[int, int], object]) -> None:
        """Takes all rows of the table, in its order."""
        coming = iter(rows)
        while some := list(islice(coming, _AT_ONCE)):
            self._add([(cell_of(row.author), cell_of(row.space) if row.space else NULL, pack(row)) for row in some])
            tell(self.counts.changes, self.counts.changes)

    def add_copied(self, blocks: Iterable[Sequence[bytes]], tell: Callable[[int, int], object]) -> None:
        """The same of rows as :meth:`~manabackup.sources.mana_change.ChangeRow.of_copied` takes them, many at a time.

        Everybody's run does this with every change there is: so it leaves the most of a row alone.
        """
        self._row_of, self._place_of = ChangeRow.of_copied, _PlacesOfCopied().of
        for lines in blocks:
            self._add([_claimed(line) for line in lines])
            tell(self.counts.changes, self.counts.changes)

    def _add(self, rows: Sequence[_Claimed]) -> None:
        # The number of the block keeps keys apart: what has one key is in memory together.
        numbers, members = self._numbers, self._members
        pairs: list[tuple[str, bytes]] = []
        self._blocks += 1
        block = f"{self._blocks:012}"
        for user, space, line in rows:
            author = numbers.get(user)
            if author is not None:
                pairs.append((author + block, line))
            if space in members:
                pairs += [(other + block, line) for other in members[space] if other != author]
            elif author is None:
                self.counts.unclaimed += 1
        self.counts.changes += len(rows)
        self._sorter.add(pairs)

    def by_account(self) -> Iterator[tuple[ManaAccount, Iterator[ChangeRow]]]:
        """Every account with its rows, by collection and in the order of the table; ends this.

        The rows are to be taken before the next account is asked for. Taking them raises :class:`SourceError` where one
        makes no sense.
        """
        self._sorter.settle()
        give_back()
        groups = groupby(self._sorter.pairs(), key=lambda pair: pair[0][:_DIGITS])
        number, pairs = next(groups, (None, None))
        for at, account in enumerate(self.accounts):
            if number != _number(at) or pairs is None:
                yield account, iter(())
                continue
            yield account, self._in_order(pairs)
            number, pairs = next(groups, (None, None))

    def _in_order(self, pairs: Iterable[tuple[str, bytes]]) -> Iterator[ChangeRow]:
        sorter = LineSorter(self._make_file, budget=_USER_BYTES)
        # What has one key is in memory together, and a server's job may write many changes in one instant.
        sorter.add((f"{self._place_of(line)}\0{number:012}", line) for number, (_, line) in enumerate(pairs))
        for _, line in sorter.pairs():
            yield self._row_of(line)


def _number(at: int) -> str:
    return f"{at:0{_DIGITS}}"


def _claimed(line: bytes) -> _Claimed:
    user, space, _ = line.split(b"\t", 2)
    return user, space, line


class _PlacesOfCopied:
    """:attr:`ChangeRow.place` of rows as they are copied, with few calls for many rows."""

    def __init__(self) -> None:
        self._collections: dict[tuple[bytes, bytes], str] = {}

    def of(self, line: bytes) -> str:
        """Raises :class:`SourceError` for a time that would sort otherwise than its text."""
        _, _, app, collection, at, _ = line.split(b"\t", 5)
        try:
            place = self._collections[app, collection]
        except KeyError:
            place = self._collections[app, collection] = copied_place(app, collection)
        if at[4:5] != b"-" or at[-3:] != b"+00":
            raise SourceError(ODD_TIME)
        return place + at.decode("ascii")


def _place_of_packed(line: bytes) -> str:
    return unpack(line).place


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
