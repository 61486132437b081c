"""``s3://``: buckets of Amazon S3, and of servers that speak as it does.

What is asked is S3's own HTTP interface, over this program's own transport (decision 41). The last request by which an
object appears carries ``If-None-Match: *``, which a server refuses where something lies already; some do not know that.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from ..archive.places import Unfinished
from ..remote.transport import Transport
from .addresses import Address, is_archive
from .asking import Connect
from .aws import Account
from .bucket import Bucket
from .objects import AT_ONCE, TRIAL, ObjectFolder, ObjectPlace
from .uploads import unfinished


def s3_place(
    address: Address,
    connect: Connect = Transport,
    *,
    account: Account | None = None,
    lock: timedelta | None = None,
    at_once: int = AT_ONCE,
) -> ObjectPlace:
    """An archive in a bucket."""
    return ObjectPlace(address, partial(_opened, connect, account), lock=lock, at_once=at_once)


class S3Folder(ObjectFolder):
    """What lies in a bucket under keys with one beginning, up to the next slash."""

    def __init__(self, address: Address, connect: Connect = Transport, *, account: Account | None = None) -> None:
        super().__init__(address, partial(_opened, connect, account))
        self._again = partial(_opened, connect, account, address.host, str(address))

    def unfinished(self) -> list[Unfinished]:
        """As :meth:`manabackup.archive.places.ClearableFolder.unfinished` says. Raises as :meth:`archives` does.

        Of uploads in parts nobody tells who began them: those of other names than archives have are somebody else's.
        """
        with self._again() as bucket:
            return sorted(unfinished(bucket, self.path, self._again, ours=_may_be_ours), key=lambda each: each.name)


def _may_be_ours(name: str) -> bool:
    return is_archive(name) or name == TRIAL


def _opened(connect: Connect, account: Account | None, name: str, shown: str) -> Bucket:
    return Bucket(name, account or Account.find(), connect, shown)
