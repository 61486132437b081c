"""Archives among the objects of a store that knows metadata, conditions and uploads in parts, whoever runs it.

What a store is asked says ``store``, how is its own module's affair; in which order, and what is believed of it, is the
same everywhere. An archive of some size goes in parts, which become one object at the end; a smaller one goes at once.
The last request says that nothing may be replaced. Whether the store heeds that is seen first, with a small object that
stays there.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ..archive.places import State
from ..host.set_aside import SetAside
from ..limits import GIB, MIB
from .addresses import Address, is_archive, is_shown
from .far import FarFolder, WritablePlace
from .ranges import RangedBytes
from .store import New, Opening, Store
from .writing import SILENT

_log = logging.getLogger(__name__)

AT_ONCE = 32 * MIB
"""Bytes of an archive that goes in one request."""
_LARGEST_AT_ONCE = 4 * GIB
_PART = 16 * MIB
_MOST_PARTS = 9_000
TRIAL = ".manabackup-trial"


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
                store.require_lock(path, until.replace(microsecond=0))

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
        """Those that lie there: a server may pass over what it was asked, and tell of all that it has."""
        begin = len(self._address.path)
        with self._opening(self._address.host, str(self)) as store:
            keys = [key for key in store.keys(self._address.path) if key.startswith(self._address.path)]
        return sorted(key for key in keys if "/" not in key[begin:-1])
