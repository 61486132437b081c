"""Archives among the objects of a store that knows metadata, conditions and uploads in parts, whoever runs it.

What a store is asked is its own module's affair; in which order, and what is believed of it, is the same everywhere.
An archive of some size goes in parts, which become one object at the end; a smaller one goes at once. The last request
says that nothing may be replaced. Whether the store heeds that is seen first, with a small object that stays there.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from ..archive.places import State
from ..host.set_aside import SetAside
from ..limits import GIB, MIB
from .addresses import Address, is_archive, is_shown
from .far import FarFolder, WritablePlace
from .ranges import RangedBytes
from .writing import SILENT

_log = logging.getLogger(__name__)

AT_ONCE = 32 * MIB
"""Bytes of an archive that goes in one request."""
_LARGEST_AT_ONCE = 4 * GIB
_PART = 16 * MIB
_MOST_PARTS = 9_000
TRIAL_WORDS = b"By this object manabackup sees whether this bucket spares what lies in the way.\n"
TRIAL = ".manabackup-trial"


@dataclass(frozen=True, slots=True)
class New:
    """An object that is to appear."""

    path: str
    """Begins with the slash behind the bucket's name."""
    size: int
    run: str
    """Which run writes it: the object keeps it, and is known by it where an answer was lost."""
    spare: bool
    """Whether it may only appear where nothing is."""
    look: bool
    """Whether to look before it appears: the store does not."""
    until: datetime | None = None
    """How long nobody is to be able to remove it."""


class Store(Protocol):
    """Connections to a bucket, asked as somebody. Whatever it does raises what its place says."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def open(self, path: str) -> RangedBytes:
        """An object by ranges, which lets go of the connections when it is closed."""
        ...

    def head(self, path: str, *, blind: bool = False) -> Mapping[str, str] | None:
        """What is known of an object; None where there is none, or where that is not for ``blind`` keys to know."""
        ...

    def keys(self, folder: str) -> Iterable[str]:
        """Of the objects in a folder, each with the slash that it begins with here; and what folders in it begin with.

        The latter end with a slash.
        """
        ...

    def delete(self, path: str) -> None:
        """Takes away an object."""
        ...

    def put(self, new: New, held: SetAside) -> None:
        """The whole object in one request."""
        ...

    def put_parts(self, new: New, held: SetAside, size: int) -> None:
        """The object in parts of ``size`` bytes, a multiple of 256 KiB."""
        ...

    def spares(self, trial: str) -> bool:
        """Whether an object that is there is spared; the one that it is tried with stays."""
        ...

    def spares_parts(self, trial: str) -> bool:
        """The same where an object is put together of parts."""
        ...

    def require_lock(self, path: str) -> None:
        """Raises :class:`OutputError` where an object is not locked."""
        ...


Opening = Callable[[str, str], Store]
"""Connections to the bucket of a name, for messages that name something."""


class ObjectPlace(WritablePlace):
    """An archive in a bucket. With ``lock`` nobody can remove what is written there before that time has passed."""

    def __init__(
        self, address: Address, opening: Opening, *, lock: timedelta | None = None, at_once: int = AT_ONCE
    ) -> None:
        super().__init__(address)
        self._opening = opening
        self._lock = lock
        self._at_once = at_once
        self._part = min(_PART, at_once)

    def open(self) -> RangedBytes:
        """The archive, by ranges. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        store = self._store()
        try:
            return store.open(self._address.path)
        except BaseException:
            store.__exit__()
            raise

    def state(self) -> State | None:
        """What is there, as far as who asks may know: who may only write learns it at the end."""
        with self._store() as store:
            found = store.head(self._address.path, blind=True)
        return None if found is None else State(int(found.get("content-length", -1)), found.get("etag", ""))

    def remove(self) -> None:
        """Takes away what is there. Raises :class:`AccessError`, :class:`ServerError`."""
        with self._store() as store:
            store.delete(self._address.path)

    def _store(self) -> Store:
        return self._opening(self._address.host, str(self))

    def _send(self, held: SetAside, *, force: bool) -> None:
        with self._store() as store:
            path = self._address.path
            in_parts, spares = self._way(store, held.size, force=force)
            until = None if self._lock is None else datetime.now(UTC) + self._lock
            new = New(path, held.size, secrets.token_hex(8), spares and not force, not spares, until)
            if not spares:
                _log.warning(SILENT, self)
            if in_parts:
                size = max(self._part, -(-held.size // _MOST_PARTS // MIB) * MIB)
                store.put_parts(new, held, size)
            else:
                store.put(new, held)
            if until is not None:
                store.require_lock(path)

    def _way(self, store: Store, size: int, *, force: bool) -> tuple[bool, bool]:
        """Whether an archive goes in parts, and whether what lies there is spared for sure, or need not be."""
        in_parts, trial = size > self._at_once, self._address.folder + TRIAL
        if force or (in_parts and store.spares_parts(trial)):
            return in_parts, True
        if size <= _LARGEST_AT_ONCE and store.spares(trial):
            return False, True
        return in_parts, False


class ObjectFolder(FarFolder):
    """What lies in a bucket under keys with one beginning, up to the next slash."""

    def __init__(self, address: Address, opening: Opening) -> None:
        super().__init__(address)
        self._opening = opening

    @property
    def path(self) -> str:
        """What keys begin with there, behind the bucket's name; begins and ends with a slash."""
        return self._address.path

    def archives(self) -> Iterator[ObjectPlace]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        for key in self._keys():
            if is_archive(key.rsplit("/", 1)[-1]):
                yield ObjectPlace(replace(self._address, path=key), self._opening)

    def folders(self) -> Iterator[ObjectFolder]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        for key in self._keys():
            inner = ObjectFolder(replace(self._address, path=key), self._opening)
            if key.endswith("/") and key != self._address.path and is_shown(inner.name):
                yield inner

    def _keys(self) -> list[str]:
        with self._opening(self._address.host, str(self)) as store:
            return sorted(store.keys(self._address.path))


def parts_of(held: SetAside, size: int) -> Iterator[bytes]:
    """All of it, in parts of ``size`` bytes, the last one smaller."""
    part = bytearray()
    for piece in held.sent():
        part += piece
        while len(part) >= size:
            yield bytes(part[:size])
            del part[:size]
    if part:
        yield bytes(part)


def md5_of(pieces: Iterable[bytes]) -> str:
    """In Base64: by which a store finds what was changed on the way, not what somebody wants to change."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return base64.b64encode(digest.digest()).decode("ascii")
