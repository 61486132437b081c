"""``s3://``: buckets of Amazon S3, and of servers that speak as it does.

What is asked is S3's own HTTP interface, over this program's own transport (decision 41). The last request by which an
object appears carries ``If-None-Match: *``, which a server refuses where something lies already; some do not know that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..archive.places import Unfinished
from ..remote.transport import Transport
from .addresses import Address, is_archive
from .asking import Connect
from .aws import Account
from .bucket import Bucket
from .objects import TRIAL, ObjectFolder
from .uploads import unfinished


def opening(connect: Connect = Transport, account: Account | None = None) -> Callable[[str, str], Bucket]:
    """By which a bucket is asked, as whom the environment says where no account is given."""
    return lambda name, shown: Bucket(name, account or Account.find(), connect, shown)


class S3Folder(ObjectFolder):
    """What lies in a bucket under keys with one beginning, up to the next slash."""

    def __init__(self, address: Address, opening: Callable[[str, str], Bucket]) -> None:
        super().__init__(address, opening)
        self._again = partial(opening, address.host, str(address))

    def unfinished(self) -> list[Unfinished]:
        """As :meth:`manabackup.archive.places.ClearableFolder.unfinished` says. Raises as :meth:`archives` does.

        Of uploads in parts nobody tells who began them: those of other names than archives have are somebody else's.
        """
        with self._again() as bucket:
            return sorted(unfinished(bucket, self.path, self._again, ours=_may_be_ours), key=lambda each: each.name)


def _may_be_ours(name: str) -> bool:
    return is_archive(name) or name == TRIAL
