"""``s3://``: buckets of Amazon S3, and of servers that speak as it does.

What is asked is S3's own HTTP interface, over this program's own transport (decision 41). An archive of some size goes
in parts, which become one object at the end; a smaller one goes at once. Either way the last request carries
``If-None-Match: *``, which a server refuses where something lies already. Some servers do not know that: so a small
object that stays in the bucket is written so in the same way first, which must be refused.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from ..archive.places import Output, State, Unfinished
from ..host.set_aside import Sending, SetAside
from ..limits import GIB, MIB
from ..remote.answers import RedirectedError
from ..remote.transport import Transport
from .addresses import Address, is_archive, is_shown
from .asking import Connect, ranged
from .aws import Account
from .bucket import ONLY_NEW, WRITE, Bucket, New
from .ranges import RangedBytes
from .uploads import unfinished
from .writing import SILENT

_log = logging.getLogger(__name__)

_AT_ONCE = 32 * MIB
"""Bytes of an archive that goes in one request."""
_LARGEST_AT_ONCE = 5 * GIB
_PART = 16 * MIB
_MOST_PARTS = 9_000
"""S3 ends at 10,000."""
_TRIAL = ".manabackup-trial"


class S3Place:
    """An archive in a bucket. With ``lock`` nobody can remove what is written there before that time has passed."""

    def __init__(
        self,
        address: Address,
        connect: Connect = Transport,
        *,
        account: Account | None = None,
        lock: timedelta | None = None,
        at_once: int = _AT_ONCE,
    ) -> None:
        address.require_file()
        self._address = address
        self._connect = connect
        self._account = account
        self._at_once = at_once
        self._part = min(_PART, at_once)
        self._lock = lock

    def __str__(self) -> str:
        return str(self._address)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._address.name

    def open(self) -> RangedBytes:
        """The archive, by ranges. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        bucket = self.bucket()
        try:
            return ranged(
                bucket.transport, partial(bucket.request, "GET", self._address.path), str(self), bucket.refused
            )
        except RedirectedError:
            bucket.transport.close()
            raise bucket.elsewhere() from None
        except BaseException:
            bucket.transport.close()
            raise

    def writing(self, *, force: bool) -> AbstractContextManager[Output]:
        """As :meth:`manabackup.archive.places.Place.writing` says."""
        return Sending(partial(self._send, force=force))

    def state(self) -> State | None:
        """What is there, as far as who asks may know: who may only write learns it at the end."""
        with self.bucket() as bucket:
            found = bucket.head(self._address.path, blind=True)
        return None if found is None else State(int(found.get("content-length", -1)), found.get("etag", ""))

    def remove(self) -> None:
        """Takes away what is there. Raises :class:`AccessError`, :class:`ServerError`."""
        with self.bucket() as bucket:
            bucket.delete(self._address.path)

    def bucket(self) -> Bucket:
        """Connections to the bucket. Raises :class:`AccessError`, :class:`UsageError`."""
        account = self._account or Account.find()
        return Bucket(self._address.host, account, self._connect, str(self))

    def _send(self, held: SetAside, *, force: bool) -> None:
        with self.bucket() as bucket:
            path = self._address.path
            in_parts, spares = self._way(bucket, held.size, force=force)
            mark = {WRITE: secrets.token_hex(8), "Content-Type": "application/zip", **self._locked()}
            new = New(path, mark, {} if force or not spares else ONLY_NEW, look=not spares)
            if not spares:
                _log.warning(SILENT, self)
            if in_parts:
                size = max(self._part, -(-held.size // _MOST_PARTS // MIB) * MIB)
                bucket.put_parts(new, _parts(held, size))
            else:
                bucket.put(new, held)
            if self._lock is not None:
                bucket.require_lock(path)

    def _way(self, bucket: Bucket, size: int, *, force: bool) -> tuple[bool, bool]:
        """Whether an archive goes in parts, and whether what lies there is spared for sure, or need not be."""
        in_parts, trial = size > self._at_once, self._address.folder + _TRIAL
        if force or (in_parts and bucket.spares_parts(trial)):
            return in_parts, True
        if size <= _LARGEST_AT_ONCE and bucket.spares(trial):
            return False, True
        return in_parts, False

    def _locked(self) -> dict[str, str]:
        if self._lock is None:
            return {}
        until = datetime.now(UTC) + self._lock
        return {
            "x-amz-object-lock-mode": "COMPLIANCE",
            "x-amz-object-lock-retain-until-date": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        }


class S3Folder:
    """What lies in a bucket under keys with one beginning, up to the next slash."""

    def __init__(self, address: Address, connect: Connect = Transport, *, account: Account | None = None) -> None:
        self._address = address
        self._connect = connect
        self._account = account

    def __str__(self) -> str:
        return str(self._address)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._address.folder_name

    def archives(self) -> Iterator[S3Place]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        account = self._account or Account.find()
        for key in self._keys(account):
            if is_archive(key.rsplit("/", 1)[-1]):
                yield S3Place(replace(self._address, path=key), self._connect, account=account)

    def folders(self) -> Iterator[S3Folder]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        account = self._account or Account.find()
        for key in self._keys(account):
            inner = S3Folder(replace(self._address, path=key), self._connect, account=account)
            if key.endswith("/") and key != self._address.path and is_shown(inner.name):
                yield inner

    def unfinished(self) -> list[Unfinished]:
        """As :meth:`manabackup.archive.places.ClearableFolder.unfinished` says. Raises as :meth:`archives` does.

        Of uploads in parts nobody tells who began them: those of other names than archives have are somebody else's.
        """
        account = self._account or Account.find()
        again = partial(self._bucket, account)
        with again() as bucket:
            found = unfinished(bucket, self._address.path, again, ours=lambda name: is_archive(name) or name == _TRIAL)
            return sorted(found, key=lambda each: each.name)

    def _bucket(self, account: Account) -> Bucket:
        return Bucket(self._address.host, account, self._connect, str(self))

    def _keys(self, account: Account) -> list[str]:
        with self._bucket(account) as bucket:
            return sorted(bucket.keys(self._address.path))


def _parts(held: SetAside, size: int) -> Iterator[bytes]:
    part = bytearray()
    for piece in held.sent():
        part += piece
        while len(part) >= size:
            yield bytes(part[:size])
            del part[:size]
    if part:
        yield bytes(part)
