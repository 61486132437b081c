"""Files of an archive back to their services: looked for by their hash, sent where they are not, and read back.

The media service gives the ids, so that rows have to be led to new ones where bytes are sent again. Nothing is ever
deleted. Documents and songs lie in buckets whose keys are given out anew each time, and none is found by its content;
they are looked for, and not sent.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from ...archive.reader import Archive
from ...errors import ServerError, SignInError, SubscriptionError
from ...limits import DEFAULT_LIMITS, Limits
from ...model.files import Leads
from ...remote.media import FileUnavailableError, Medium, Upload
from ...remote.transport import Receive
from ...rows.blobs import IndexedFile
from .services import Services

LARGEST_UPLOAD = 104_857_600
"""Bytes that the media service takes as one file."""
_IN_VAIN = 5
"""After so many files in a row about which a service said nothing, it is not asked about more."""
_STORAGE, _MUSIC = f"{Leads.STORAGE.value}:", f"{Leads.MUSIC.value}:"
_KEYS = (_STORAGE, _MUSIC)
_AHEAD = 4
"""Files that are looked for ahead, for each that is asked about."""
_ASKING, _SENDING, _READING = "asking", "sending", "reading"
_NO_NAME = "file"
_REFUSALS = frozenset({"400", "413", "415", "422"})


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
    """A document or song that is not under its key, to which nothing can be put back."""


@dataclass(slots=True)
class ReturnedFile:
    """A file of an archive on its way back."""

    sha256: str
    size: int
    name: str
    app: str
    """Whose lists of the media service it belongs into."""
    ids: Sequence[str]
    """Those that rows of the archive hold."""
    id: str | None = None
    """The one that it has now; None where the service does not have it."""
    lost: NotReturned | None = None

    @property
    def is_to_be_sent(self) -> bool:
        """Whether the media service does not have it, and might take it."""
        return bool(self.ids) and self.id is None and self.lost in (None, NotReturned.NO_ROUTE)

    @property
    def is_moved(self) -> bool:
        """Whether rows hold another id than the one that it has now."""
        return self.id is not None and any(old != self.id for old in self.ids)


def keys_of(file: IndexedFile) -> list[str]:
    """The addresses of a file that are keys of objects."""
    return [address for address in file.addresses if address.startswith(_KEYS)]


class Returner:
    """Looks for files of an open archive on the services, and sends them."""

    def __init__(self, archive: Archive, services: Services, user_id: str, *, limits: Limits = DEFAULT_LIMITS) -> None:
        assert services.media is not None
        self._archive = archive
        self._services = services
        self._media = services.media
        self._user_id = user_id
        self._limits = limits
        self._in_vain = dict.fromkeys((_ASKING, _SENDING, _READING, _STORAGE, _MUSIC), 0)

    def look(self, file: IndexedFile, app: str) -> ReturnedFile:
        """A file of the archive, and where it is now."""
        assert file.sha256 is not None
        found = ReturnedFile(file.sha256, file.size, _name(file), app, tuple(id_.lower() for id_ in file.ids))
        if found.ids:
            self._look_for_medium(found)
        if not all(self._holds(key, file) for key in keys_of(file)):
            found.lost = found.lost or NotReturned.NO_ROUTE
        return found

    def look_all(self, files: Iterable[tuple[IndexedFile, str]]) -> Iterator[ReturnedFile]:
        """The same for files with their apps, in their order; some are looked for ahead."""
        workers = self._limits.file_connections
        with ThreadPoolExecutor(workers, thread_name_prefix="files") as pool:
            waiting: deque[Future[ReturnedFile]] = deque()
            try:
                for file, app in files:
                    waiting.append(pool.submit(self.look, file, app))
                    if len(waiting) > workers * _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                for found in waiting:
                    found.cancel()
                self._services.stop()
                raise

    def send(self, file: ReturnedFile) -> bool:
        """Sends a file that is to be sent; whether it was. Then it has an id, else it is lost.

        Raises :class:`DamagedArchiveError` for one that is not whole in the archive.
        """
        medium = self._sent(file) if self._in_vain[_SENDING] < _IN_VAIN else None
        self._in_vain[_SENDING] = 0 if medium is not None else self._in_vain[_SENDING] + 1
        if medium is None:
            file.lost = file.lost or NotReturned.UNAVAILABLE
        elif (medium.sha256, medium.size) != (file.sha256, file.size):
            file.lost = NotReturned.ALTERED
        else:
            file.id = medium.id
        return medium is not None

    def read_back(self, file: ReturnedFile) -> None:
        """Reads a file from the service. One of which length and SHA-256 are not the archive's is lost."""
        assert file.id is not None
        if self._in_vain[_READING] < _IN_VAIN and self._is_whole(file.id, file):
            self._in_vain[_READING] = 0
            return
        self._in_vain[_READING] += 1
        file.id, file.lost = None, NotReturned.UNAVAILABLE

    # --- below

    def _look_for_medium(self, found: ReturnedFile) -> None:
        if self._in_vain[_ASKING] >= _IN_VAIN:
            found.lost = NotReturned.UNAVAILABLE
            return
        try:
            medium = self._media.find(found.sha256)
        except ServerError:
            self._in_vain[_ASKING] += 1
            found.lost = NotReturned.UNAVAILABLE
            return
        self._in_vain[_ASKING] = 0
        if medium is not None and medium.size == found.size:
            found.id = medium.id
        elif found.size > LARGEST_UPLOAD:
            found.lost = NotReturned.TOO_LARGE

    def _sent(self, file: ReturnedFile) -> Medium | None:
        """What the service has of a file once it was sent; None for nothing."""
        upload = Upload(
            file.name, file.size, lambda: self._archive.file(file.sha256), app=file.app, user_id=self._user_id
        )
        try:
            return self._media.upload(upload)
        except FileUnavailableError as error:
            if error.reason in _REFUSALS:
                file.lost = NotReturned.REFUSED
                return None
        except ServerError:
            pass
        try:
            return self._media.find(file.sha256)  # it may have it, and not have come to say so
        except ServerError:
            return None

    def _is_whole(self, identifier: str, file: ReturnedFile) -> bool:
        for attempt in range(self._limits.file_attempts):
            if attempt:
                self._media.pause(attempt)
            read = _Digest()
            try:
                self._media.download(identifier, read.receive)
            except ServerError:
                continue
            if read.is_of(file.sha256, file.size):
                return True
        return False

    def _holds(self, address: str, file: IndexedFile) -> bool:
        """Whether an object is still under its key."""
        bucket, key = next((prefix, address.removeprefix(prefix)) for prefix in _KEYS if address.startswith(prefix))
        storage, links = self._services.storage, self._services.links
        if storage is None or links is None or self._in_vain[bucket] >= _IN_VAIN:
            return False
        read = _Digest()
        try:
            if bucket == _STORAGE:
                storage.download(key, read.receive)
            else:
                links.download(storage.song_link(key), read.receive, redirects=0)
        except (ServerError, SignInError, SubscriptionError):
            self._in_vain[bucket] += 1
            return False
        self._in_vain[bucket] = 0
        return file.sha256 is not None and read.is_of(file.sha256, file.size)


class _Digest:
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


def _name(file: IndexedFile) -> str:
    """A name by whose ending the service knows the type again."""
    name = file.name or _NO_NAME
    kind = file.type.partition(";")[0].strip()
    known = mimetypes.guess_type(name.lower(), strict=False)[0]
    return name if not kind or known == kind else f"{name}{mimetypes.guess_extension(kind) or ''}"
