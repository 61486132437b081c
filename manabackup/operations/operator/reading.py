"""A mirror of one user's changes, brought up to date from the database that has them.

The first run reads everything, later ones what the server says may have come since: changes show when their transaction
ends and have the time of its begin, so that a cursor is the begin of the oldest transaction that was under way, not the
newest time that was seen. What is held already is known by its id.

The mirror is of one database and of one set of memberships: where these are others, it begins anew. So rows of a space
that somebody has left go with the membership, and those of one that was joined come from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from ...crypto.spools import SpoolFile
from ...host.output import writing_to
from ...host.processes import InOrder, cores_for
from ...host.sorting import LineSorter
from ...limits import MIB
from ...mirror import Batch, Mirror
from ...mirror.witness import forget
from ...model.rawchange import RawChange, UnreadableChange
from ...sources.mana_accounts import ManaAccount
from ...sources.mana_database import ChangeDatabase
from ...text import jsontext
from .lines import SortedChange, lines_of, read_back

_CURSOR, _SPACES = "databaseCursor", "databaseSpaces"
_MOST_CHANGES = 2_000
_MOST_BYTES = 4 * MIB


def open_mirror(path: Path, identity: str, account: ManaAccount) -> Mirror:
    """The mirror of an account out of a database, begun anew where its memberships are others than before."""
    spaces = _spaces_of(account)
    mirror = _opened(path, identity, account.user.id)
    if mirror.recall(_SPACES) not in (None, spaces) or mirror.is_in_doubt or mirror.damage:
        mirror.close()
        _remove(path)
        mirror = _opened(path, identity, account.user.id)
    return mirror


def bring_up_to_date(
    mirror: Mirror,
    database: ChangeDatabase,
    account: ManaAccount,
    make_file: Callable[[], SpoolFile],
    tell: Callable[[int, int], object],
    *,
    processes: int | None = None,
) -> int:
    """Reads what the mirror does not hold; gives the number of new changes.

    ``tell`` takes how many were read. ``processes``: as many as are of use. Raises :class:`SourceError`,
    :class:`ServerError`, :class:`OutputError`; the next run begins where this one did, then.
    """
    user = account.user.id
    remembered = mirror.recall(_CURSOR)
    since = None if remembered is None else int(remembered)
    if since is not None and database.watermark.until < since:
        since = None  # the server's clock went back: what was written since may have times of before
    sorter = LineSorter(make_file)
    read = 0
    if processes is None:  # what has come since the last run is little, as a rule
        processes = cores_for(database.size()) if since is None else 1
    with InOrder(partial(lines_of, user), processes) as reading:
        for lines in reading.over(database.of_user(user, account.space_ids, since)):
            sorter.add(lines)
            read += len(lines)
            tell(read, read)
    mirror.begin_pull(compare=False)
    mirror.remember(_SPACES, _spaces_of(account))
    new = 0
    for (app, collection), changes in groupby(read_back(sorter.pairs()), key=attrgetter("app", "collection")):
        for batch in _batches(changes, from_start=since is None):
            new += mirror.store(app, {collection: batch}).new
    mirror.remember(_CURSOR, str(database.watermark.until))
    mirror.end_pull(database.watermark.until)
    return new


def _batches(changes: Iterator[SortedChange], *, from_start: bool) -> Iterator[Batch]:
    after: bytes | None = None
    readable: list[RawChange] = []
    unreadable: list[UnreadableChange] = []
    size = 0
    for _, _, change in changes:
        if isinstance(change, UnreadableChange):
            unreadable.append(change)
            continue
        if readable and (len(readable) >= _MOST_CHANGES or size + len(change.text) > _MOST_BYTES):
            yield Batch(readable, after, from_start=from_start)
            after, from_start = readable[-1].key, False
            readable, size = [], 0
        readable.append(change)
        size += len(change.text)
    yield Batch(readable, after, from_start=from_start, unreadable=unreadable)


def _opened(path: Path, identity: str, user: str) -> Mirror:
    return Mirror(path, sync_url=identity, user_id=user)


def _remove(path: Path) -> None:
    forget(path)
    with writing_to(path.parent):
        for name in (path, *_beside(path)):
            name.unlink(missing_ok=True)


def _beside(path: Path) -> Sequence[Path]:
    return [path.with_name(path.name + end) for end in ("-wal", "-shm")]


def _spaces_of(account: ManaAccount) -> str:
    return jsontext.dumps(sorted(account.space_ids)).decode()
