"""Documents and songs in their buckets: read under a key, and sent under a new one.

The API says of one that is missing what it says of all trouble, and finds none by its content: only reading tells.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from ...errors import ServerError, SignInError, SubscriptionError
from ...limits import Limits
from ...model.files import MEDIA_ID, Leads
from ...remote.addresses import AddressClient
from ...remote.media import FileUnavailableError, Upload
from ...remote.storage import StorageClient
from ...remote.transport import Receive
from .returned import BUCKETS, REFUSALS, Digest, NotReturned, ReturnedFile

IN_VAIN = 5
"""After so many files in a row about which a service said nothing, it is not asked about more."""
TROUBLE = (ServerError, SignInError, SubscriptionError)
_LOOKS = 2
"""How often an object is asked for of which the API says what it says of all that are missing."""


class Noted(Protocol):
    """What was sent before into buckets, by earlier runs too."""

    def recall(self, address: str) -> str | None:
        """The key under which the object of an address of the archive was sent."""
        ...

    def note(self, addresses: Iterable[str], key: str) -> None:
        """Keeps this, durably."""
        ...


class Objects:
    """The buckets of an account. Safe to share between threads."""

    def __init__(self, storage: StorageClient, links: AddressClient, noted: Noted | None, limits: Limits) -> None:
        self.storage = storage
        self.links = links
        self._noted = noted
        self._limits = limits
        self._in_vain = dict.fromkeys(BUCKETS, 0)
        self._turn = threading.Semaphore(limits.api_connections)

    def noted(self, file: ReturnedFile) -> Iterable[str]:
        """The places under which it was sent before."""
        found = [self._noted.recall(address) for address in file.names] if self._noted is not None else []
        return dict.fromkeys(place for place in found if place is not None)

    def is_under(self, file: ReturnedFile, key: str) -> bool:
        """Whether the file is under a key of its bucket. Where nobody can say, it is lost."""
        if file.lost is None and self._in_vain[file.leads] >= IN_VAIN:
            file.lost = NotReturned.UNAVAILABLE
        if file.lost is not None:
            return False
        try:
            held = self._holds(file, key, _LOOKS)
        except TROUBLE:
            self._in_vain[file.leads] += 1
            file.lost = NotReturned.UNAVAILABLE
            return False
        self._in_vain[file.leads] = 0
        return held

    def is_whole(self, file: ReturnedFile, key: str) -> bool:
        """Whether what was sent under a key comes back as it is in the archive."""
        try:
            return self._holds(file, key, self._limits.file_attempts)
        except TROUBLE:
            return False

    def _holds(self, file: ReturnedFile, key: str, looks: int) -> bool:
        """Whether an object is the file; what is missing is asked for so many times. Raises what servers do."""
        for attempt in range(self._limits.file_attempts):
            if attempt:
                self.storage.pause(attempt)
            read = Digest()
            with self._turn:
                is_there = self._read(file.leads, key, read.receive)
            if is_there and read.is_of(file.sha256, file.size):
                return True
            looks -= not is_there
            if looks <= 0:
                break
        return False

    def _read(self, bucket: Leads, key: str, receive: Receive) -> bool:
        """Reads an object; whether there is one."""
        storage, links = self.storage, self.links
        if bucket is Leads.STORAGE:
            return storage.look(key, receive)
        for _ in range(self._limits.file_attempts):
            try:
                links.download(storage.song_link(key), receive, redirects=0)
            except FileUnavailableError as error:
                if error.reason == "404":
                    return False
                if error.reason != "403":  # a link that came too late: another one
                    raise
                refused = error
            else:
                return True
        raise refused

    def send(self, file: ReturnedFile, upload: Upload) -> bool:
        """Sends a file into its bucket; whether it was. Then it has a place; it is lost where the API refuses it.

        Raises :class:`DamagedArchiveError`, :class:`OutputError`.
        """
        storage, links = self.storage, self.links
        for attempt in range(self._limits.file_attempts):
            if attempt:
                self.storage.pause(attempt)
            try:
                if file.leads is Leads.STORAGE:
                    file.place = storage.upload(upload)
                    self._note(file, file.place)
                    if MEDIA_ID.fullmatch(file.place):  # it was a picture by its first bytes
                        file.leads, file.place = Leads.MEDIA, file.place.lower()
                    return True
                song = storage.new_song(file.name)
                self._note(file, song.key)  # a run that is cut off now finds what came of it
                links.put(song.link, upload)
                file.place = song.key
            except FileUnavailableError as error:
                if error.reason in REFUSALS:
                    file.lost = NotReturned.REFUSED
                    return False
                if file.leads is Leads.STORAGE:  # it was tried as often as it is worth
                    return False
            except TROUBLE:
                return False
            else:
                return True
        return False

    def _note(self, file: ReturnedFile, key: str) -> None:
        if self._noted is not None:
            self._noted.note(file.names, key)
