"""What becomes of a file of an archive on its way back to its service."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ...model.files import Leads
from ...remote.transport import Receive
from ...rows.blobs import IndexedFile

LARGEST_UPLOAD = 104_857_600
"""Bytes that the media service and the API take as one file."""
LARGEST_SONG = 5 << 30
"""Bytes that object stores take by one link."""
BUCKETS = (Leads.STORAGE, Leads.MUSIC)
REFUSALS = frozenset({"400", "413", "415", "422"})
"""What a service answers that does not take a file."""


class NotReturned(StrEnum):
    """Why a file is not on its service as the archive has it."""

    TOO_LARGE = "tooLarge"
    """Larger than the service takes."""
    REFUSED = "refused"
    """The service answered, and did not take it."""
    ALTERED = "altered"
    """The service made something else of it, as it does of HEIC."""
    UNAVAILABLE = "unavailable"
    """The service could not be asked, or did not give back what it has."""
    NO_ROUTE = "noRoute"
    """A document or song, and nobody says where the API is that takes those."""


@dataclass(slots=True)
class ReturnedFile:
    """A file of an archive on its way back to one of the services."""

    sha256: str
    size: int
    name: str
    app: str
    """Whose lists of the media service it belongs into."""
    leads: Leads
    """``MEDIA``, ``STORAGE`` or ``MUSIC``: what takes it. A picture in a bucket goes to the media service, as it would
    through the API."""
    names: Sequence[str]
    """What rows of the archive hold that does not lead there by itself: ids, and addresses of objects (``storage:`` or
    ``music:`` and a key)."""
    type: str = ""
    place: str | None = None
    """The id or key that it has now; None where the service does not have it."""
    lost: NotReturned | None = None

    @property
    def is_to_be_sent(self) -> bool:
        """Whether the service does not have it, and might take it."""
        return self.place is None and self.lost is None

    @property
    def refusal(self) -> NotReturned | None:
        """Why a bucket does not take it, as far as that is known."""
        if self.size > (LARGEST_UPLOAD if self.leads is Leads.STORAGE else LARGEST_SONG):
            return NotReturned.TOO_LARGE
        return NotReturned.REFUSED if not self.size and self.leads is Leads.STORAGE else None


def has_keys(file: IndexedFile) -> bool:
    """Whether rows lead to a file as to an object in a bucket."""
    return any(address.startswith(tuple(f"{bucket.value}:" for bucket in BUCKETS)) for address in file.addresses)


class Digest:
    """What came, as length and SHA-256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def receive(self) -> Receive:
        """Takes a body in, from its beginning each time one comes."""
        return self._receive

    def _receive(self, pieces: Iterator[bytes]) -> bytes:
        self._hash, self._size = hashlib.sha256(), 0
        for piece in pieces:
            self._hash.update(piece)
            self._size += len(piece)
        return b""

    def is_of(self, sha256: str, size: int) -> bool:
        """Whether these were the bytes."""
        return self._size == size and self._hash.hexdigest() == sha256
