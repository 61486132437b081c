"""Files of an archive back to their services: looked for, sent where they are not, and read back.

The media service finds a file by its hash and gives the ids, so that rows have to be led to new ones where bytes are
sent again. Documents and songs lie in buckets: nothing finds them by their content, and each one that is sent gets a
key of its own. So these are looked for under every key that may lead to them (the archive's, those of an earlier run,
those that the account's rows hold) and are read there, before one is sent. Nothing is ever deleted.
"""

from __future__ import annotations

import mimetypes
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from ...archive.reader import Archive
from ...errors import ServerError
from ...limits import DEFAULT_LIMITS, Limits
from ...model.files import MEDIA_ID, Leads
from ...remote.media import FileUnavailableError, Medium, Upload
from ...rows.blobs import IndexedFile
from .objects import IN_VAIN, Noted, Objects
from .returned import BUCKETS, LARGEST_UPLOAD, REFUSALS, Digest, NotReturned, ReturnedFile
from .services import Services

_AHEAD = 4
"""Files that are looked for ahead, for each that is asked about."""
_ASKING, _SENDING, _READING = "asking", "sending", "reading"
_NO_NAME = "file"


class Returner:
    """Looks for files of an open archive on the services, and sends them."""

    def __init__(
        self,
        archive: Archive,
        services: Services,
        user_id: str,
        *,
        noted: Noted | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        assert services.media is not None
        self._archive = archive
        self._services = services
        self._media = services.media
        self._user_id = user_id
        self._limits = limits
        self._in_vain = dict.fromkeys((_ASKING, _SENDING, _READING), 0)
        self._objects: Objects | None = None
        if services.storage is not None and services.links is not None:
            self._objects = Objects(services.storage, services.links, noted, limits)

    def look(self, file: IndexedFile, app: str) -> list[ReturnedFile]:
        """A file of the archive, and where it is now: for each service that rows expect it at."""
        assert file.sha256 is not None
        found: list[ReturnedFile] = []
        if file.ids:
            ids = tuple(id_.lower() for id_ in file.ids)
            name = _named(file.name or _NO_NAME, file.type)
            medium = ReturnedFile(file.sha256, file.size, name, app, Leads.MEDIA, ids, file.type)
            self._look_for_medium(medium)
            found.append(medium)
        for bucket in BUCKETS:
            addresses = tuple(address for address in file.addresses if address.startswith(f"{bucket.value}:"))
            if addresses:
                name = _named(addresses[0].rpartition("/")[2] or _NO_NAME, file.type)
                kept = ReturnedFile(file.sha256, file.size, name, app, bucket, addresses, file.type)
                self._look_for_object(kept)
                found.append(kept)
        return found

    def look_all(self, files: Iterable[tuple[IndexedFile, str]]) -> Iterator[list[ReturnedFile]]:
        """The same for files with their apps, in their order; some are looked for ahead."""
        workers = self._limits.file_connections
        with ThreadPoolExecutor(workers, thread_name_prefix="files") as pool:
            waiting: deque[Future[list[ReturnedFile]]] = deque()
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

    def look_under(self, file: ReturnedFile, places: Iterable[str]) -> None:
        """Looks for a document or song that is to be sent at further places: keys, or ids of the media service."""
        for place in places:
            if not file.is_to_be_sent:
                return
            if MEDIA_ID.fullmatch(place):
                medium = self._found(file)
                if medium is not None and medium.id == place.lower():
                    file.leads, file.place = Leads.MEDIA, medium.id
            elif f"{file.leads.value}:{place}" not in file.names and self._objects is not None:
                file.place = place if self._objects.is_under(file, place) else None

    def send(self, file: ReturnedFile) -> bool:
        """Sends a file that is to be sent; whether it was. Then it has a place, else it is lost.

        Raises :class:`DamagedArchiveError` for one that is not whole in the archive, :class:`OutputError`.
        """
        tried = self._in_vain[_SENDING] < IN_VAIN
        sent = tried and (
            self._sent_medium(file)
            if self._objects is None or file.leads is Leads.MEDIA
            else self._objects.send(file, self._upload(file))
        )
        self._in_vain[_SENDING] = 0 if sent or file.lost is NotReturned.REFUSED else self._in_vain[_SENDING] + 1
        if not sent:
            file.lost = file.lost or NotReturned.UNAVAILABLE
        return sent

    def read_back(self, file: ReturnedFile) -> None:
        """Reads a file from the service. One of which length and SHA-256 are not the archive's is lost."""
        assert file.place is not None
        if self._in_vain[_READING] < IN_VAIN and self._is_whole(file.place, file):
            self._in_vain[_READING] = 0
            return
        self._in_vain[_READING] += 1
        file.place, file.lost = None, NotReturned.UNAVAILABLE

    # --- the media service

    def _look_for_medium(self, file: ReturnedFile) -> None:
        medium = self._found(file)
        if medium is not None:
            file.place = medium.id
        elif file.lost is None and file.size > LARGEST_UPLOAD:
            file.lost = NotReturned.TOO_LARGE

    def _found(self, file: ReturnedFile) -> Medium | None:
        """What the media service has of a file. Where nobody can say, it is lost."""
        if self._in_vain[_ASKING] < IN_VAIN:
            with suppress(ServerError):
                medium = self._media.find(file.sha256)
                self._in_vain[_ASKING] = 0
                return medium if medium is not None and medium.size == file.size else None
            self._in_vain[_ASKING] += 1
        file.lost = NotReturned.UNAVAILABLE
        return None

    def _sent_medium(self, file: ReturnedFile) -> bool:
        medium = self._uploaded(file)
        if medium is None:
            return False
        if (medium.sha256, medium.size) == (file.sha256, file.size):
            file.place = medium.id
        else:
            file.lost = NotReturned.ALTERED
        return True

    def _uploaded(self, file: ReturnedFile) -> Medium | None:
        """What the service has of a file once it was sent; None for nothing."""
        try:
            return self._media.upload(self._upload(file))
        except FileUnavailableError as error:
            if error.reason in REFUSALS:
                file.lost = NotReturned.REFUSED
                return None
        except ServerError:
            pass
        try:
            return self._media.find(file.sha256)  # it may have it, and not have come to say so
        except ServerError:
            return None

    # --- documents and songs

    def _look_for_object(self, found: ReturnedFile) -> None:
        """Looks under the archive's keys, and under those of earlier runs."""
        objects = self._objects
        if objects is None:
            found.lost = NotReturned.NO_ROUTE
            return
        missing = []
        for address in found.names:
            key = address.partition(":")[2]
            if objects.is_under(found, key):
                found.place = found.place or key
            else:
                missing.append(address)
        if found.lost is not None:
            return
        if found.place is not None:
            found.names = tuple(missing)
        elif found.type.startswith("image/") and not found.type.startswith("image/svg"):
            found.leads, found.app = Leads.MEDIA, found.leads.value
            self._look_for_medium(found)
        else:
            self.look_under(found, objects.noted(found))
            if found.is_to_be_sent:
                found.lost = found.refusal

    # --- below

    def _upload(self, file: ReturnedFile) -> Upload:
        content = self._archive.file
        return Upload(
            file.name, file.size, lambda: content(file.sha256), app=file.app, user_id=self._user_id, type=file.type
        )

    def _is_whole(self, place: str, file: ReturnedFile) -> bool:
        if self._objects is not None and file.leads is not Leads.MEDIA:
            return self._objects.is_whole(file, place)
        for attempt in range(self._limits.file_attempts):
            if attempt:
                self._media.pause(attempt)
            read = Digest()
            try:
                self._media.download(place, read.receive)
            except ServerError:
                continue
            if read.is_of(file.sha256, file.size):
                return True
        return False


def _named(name: str, told: str) -> str:
    """A name by whose ending the services know the type again."""
    kind = told.partition(";")[0].strip()
    known = mimetypes.guess_type(name.lower(), strict=False)[0]
    return name if not kind or known == kind else f"{name}{mimetypes.guess_extension(kind) or ''}"
