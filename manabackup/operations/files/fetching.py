"""Fetching: each file once, several at a time, and nothing kept that was not proved to be whole.

The media service says size and SHA-256 of a file before it is asked for, and what comes is held against them: its
bodies may end as they should and be cut off all the same. The other routes say no hash. There the size that the row
tells must fit, or the MD5 that an object store calls ETag; where nothing is told, a file counts when it came twice the
same.

What is not got is told by kind (:class:`.records.FileLossKind`). Of all answers one alone means that a file is gone.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from ...errors import ServerError, SignInError, SubscriptionError
from ...limits import DEFAULT_LIMITS, Limits
from ...model.files import Leads
from ...remote.addresses import upgraded
from ...remote.answers import Answer, BrokenAnswerError, UnwieldyAnswerError
from ...remote.deadlines import ForbiddenAddressError
from ...remote.media import FileGoneError, FileUnavailableError, MediaClient
from .listing import Listing
from .records import FileLossKind, FileRecord, LostFile
from .services import Services
from .store import FileStore, Incoming

_MD5 = re.compile('"([0-9a-f]{32})"')
_AWAY_AFTER = 3
"""Files in a row that a server gave no answer to, each asked for several times: then it is left alone for this run."""
_HASTY_AFTER = 8
"""Files in a row that were not there for now: from then on each is asked for once."""
_WORKERS = 2
"""For each file that is fetched: one waits for the server, one for the disk."""
_IN_WORK = 4
"""Files that wait for their turn, for each that is fetched."""


@dataclass(frozen=True, slots=True)
class FileToFetch:
    """A file to be fetched."""

    leads: Leads
    """``MEDIA``, ``STORAGE``, ``MUSIC`` or ``FOREIGN``."""
    name: str
    """Its id, key or address."""
    size: int | None = None
    """Bytes, where a row is known to tell them truly."""

    @property
    def address(self) -> str:
        """What it is called in the store."""
        return f"{self.leads.value}:{self.name}"


Outcome: TypeAlias = FileRecord | LostFile


class _TooLongError(Exception):
    """More came than there is of the file."""


class Fetcher:
    """Gets files from ``services`` into ``store``. Safe to share between threads.

    ``listing`` is the media service's list of the account's files, for :meth:`fetch_all`. ``moved`` is told of bytes:
    how many more there are to come, and how many more have come; one call at a time.
    """

    def __init__(
        self,
        store: FileStore,
        services: Services,
        *,
        listing: Listing | None = None,
        limits: Limits = DEFAULT_LIMITS,
        moved: Callable[[int, int], object] = lambda expected, came: None,
    ) -> None:
        self._store = store
        self._listing = listing
        self._services = services
        self._limits = limits
        self._moved = moved
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(limits.file_connections)
        """To be taken while a file comes, and not while the disk is waited for."""
        self._question = threading.Semaphore(limits.file_connections)
        """To be taken while the media service is asked what a file is: meanwhile others come."""
        self._api_turn = threading.Semaphore(limits.api_connections)
        self._unanswered: dict[Leads, int] = {}
        self._absent = 0

    def fetch_all(self, targets: Iterable[FileToFetch]) -> Iterator[tuple[FileToFetch, Outcome]]:
        """What becomes of each target, in their order, which for media is that of their ids; some are fetched ahead."""
        workers = self._limits.file_connections * _WORKERS
        with ThreadPoolExecutor(workers, thread_name_prefix="files") as pool:
            waiting: deque[tuple[FileToFetch, Future[Outcome]]] = deque()
            future: Future[Outcome]
            try:
                for target in targets:
                    held = self._store.recall(target.address)
                    if held is None:
                        future = pool.submit(self._asked, target, self._listed(target))
                    else:
                        future = Future()
                        future.set_result(held)
                    waiting.append((target, future))
                    if len(waiting) > workers * _IN_WORK:
                        first, outcome = waiting.popleft()
                        yield first, outcome.result()
                while waiting:
                    first, outcome = waiting.popleft()
                    yield first, outcome.result()
            except BaseException:
                for _, outcome in waiting:
                    outcome.cancel()
                self._services.stop()
                raise

    def fetch(self, target: FileToFetch) -> Outcome:
        """What becomes of one target: what is held already is not asked for again. Raises :class:`OutputError`."""
        return self._store.recall(target.address) or self._asked(target)

    def _listed(self, target: FileToFetch) -> FileRecord | None:
        return self._listing.find(target.name) if self._listing is not None and target.leads is Leads.MEDIA else None

    def _asked(self, target: FileToFetch, told: FileRecord | None = None) -> Outcome:
        """What becomes of a target that is not held; ``told``: what the media service said of it some time ago."""
        if self._unanswered.get(target.leads, 0) >= _AWAY_AFTER:
            return LostFile(FileLossKind.UNAVAILABLE, "no answer")
        try:
            outcome = self._fetched(target, told)
        except FileGoneError:
            outcome = LostFile(FileLossKind.GONE, "Media not found")
        except FileUnavailableError as error:
            outcome = LostFile(FileLossKind.UNAVAILABLE, error.reason)
        except ForbiddenAddressError:
            outcome = LostFile(FileLossKind.FOREIGN, "private address")
        except (SignInError, SubscriptionError):
            outcome = LostFile(FileLossKind.UNAVAILABLE, "not admitted")
        except UnwieldyAnswerError as error:
            large = "larger" in error.message
            outcome = LostFile(
                FileLossKind.TOO_LARGE if large else FileLossKind.UNAVAILABLE, "limit" if large else "no answer"
            )
        except ServerError:
            outcome = LostFile(FileLossKind.UNAVAILABLE, "no answer")
        self._note(target, outcome)
        if isinstance(outcome, FileRecord):
            self._store.remember(target.address, outcome)
        return outcome

    def _note(self, target: FileToFetch, outcome: Outcome) -> None:
        """How the servers are: of strangers there are many, and one says nothing of the others."""
        with self._lock:
            silent = isinstance(outcome, LostFile) and outcome.reason == "no answer"
            if target.leads is not Leads.FOREIGN:
                self._unanswered[target.leads] = self._unanswered.get(target.leads, 0) + 1 if silent else 0
            if target.leads is Leads.MEDIA:
                absent = isinstance(outcome, LostFile) and outcome.reason == "File not found"
                self._absent = self._absent + 1 if absent else 0

    def _fetched(self, target: FileToFetch, told: FileRecord | None) -> Outcome:
        if target.leads is Leads.MEDIA:
            return self._medium(target, told)
        if target.leads is Leads.FOREIGN:
            return self._foreign(target)
        if self._services.storage is None:
            return LostFile(FileLossKind.UNAVAILABLE, "not asked")
        with self._api_turn:
            return self._stored(target) if target.leads is Leads.STORAGE else self._song(target)

    # --- the media service ---

    def _medium(self, target: FileToFetch, told: FileRecord | None) -> Outcome:
        media = self._services.media
        if media is None:
            return LostFile(FileLossKind.UNAVAILABLE, "not asked")
        attempts = 1 if self._absent >= _HASTY_AFTER else self._limits.file_attempts
        lost: Outcome | None = None
        if told is not None:
            with suppress(FileGoneError):  # it has another id now, or none: nothing but the question about it tells
                lost = self._downloaded(media, target.name, told, attempts=1)
            if isinstance(lost, FileRecord):
                return lost
        with self._question:
            record = FileRecord.of(media.describe(target.name))
        if lost is None or record != told:
            return self._downloaded(media, target.name, record, attempts)
        if attempts == 1:
            return lost
        media.pause(1)
        return self._downloaded(media, target.name, record, attempts - 1)

    def _downloaded(self, media: MediaClient, identifier: str, record: FileRecord, attempts: int) -> Outcome:
        """What becomes of a medium that is to be what ``record`` says of it."""
        if record.size > self._limits.file_bytes:
            return LostFile(FileLossKind.TOO_LARGE, "limit")
        if self._store.has(record.sha256, record.size):
            return record
        self._tell(record.size, 0)
        lost = LostFile(FileLossKind.DAMAGED, "size or SHA-256")
        for attempt in range(1, attempts + 1):
            with self._store.incoming() as incoming:
                lost = LostFile(FileLossKind.DAMAGED, "size or SHA-256")
                try:
                    with self._turn:
                        answer = media.download(identifier, self._receiver(incoming, record.size))
                except _TooLongError:
                    pass
                except FileUnavailableError as error:
                    lost = LostFile(FileLossKind.UNAVAILABLE, error.reason)
                except ServerError:
                    self._tell(-record.size, -incoming.size)
                    raise
                else:
                    if (incoming.size, incoming.sha256) == (record.size, record.sha256):
                        incoming.keep()
                        return record
                    if _is_page(answer, record.type):
                        lost = LostFile(FileLossKind.UNAVAILABLE, "a page in its place")
                self._tell(0, -incoming.size)
            if attempt < attempts:
                media.pause(attempt)
        self._tell(-record.size, 0)
        return lost

    # --- files and songs ---

    def _stored(self, target: FileToFetch) -> Outcome:
        storage = self._services.storage
        assert storage is not None
        return self._proved(target, lambda incoming: storage.download(target.name, self._receiver(incoming)))

    def _song(self, target: FileToFetch) -> Outcome:
        storage, links = self._services.storage, self._services.links
        assert storage is not None
        assert links is not None

        def download(incoming: Incoming) -> Answer:
            # Each attempt with a link of its own: they are good for a while.
            return links.download(storage.song_link(target.name), self._receiver(incoming), redirects=0)

        return self._proved(target, download, told_by_store=True)

    def _foreign(self, target: FileToFetch) -> Outcome:
        foreign = self._services.foreign
        if foreign is None:
            return LostFile(FileLossKind.FOREIGN, "not asked")
        with self._store.incoming() as incoming:
            with self._turn:
                answer = foreign.download(upgraded(target.name), self._receiver(incoming))
            if _is_page(answer, ""):
                return LostFile(FileLossKind.UNAVAILABLE, "a page in its place")
            return self._kept(incoming, answer)

    def _proved(
        self, target: FileToFetch, download: Callable[[Incoming], Answer], *, told_by_store: bool = False
    ) -> Outcome:
        """What comes, once something says that it is whole; ``told_by_store``: the answer's headers may."""
        seen: set[str] = set()
        lost = LostFile(FileLossKind.DAMAGED, "size")
        for _ in range(self._limits.file_attempts):
            with self._store.incoming(with_md5=told_by_store) as incoming:
                try:
                    answer = download(incoming)
                except FileUnavailableError as error:
                    lost = LostFile(FileLossKind.UNAVAILABLE, error.reason)
                    continue
                except BrokenAnswerError:
                    lost = LostFile(FileLossKind.UNAVAILABLE, "no answer")
                    continue
                if _is_page(answer, ""):
                    lost = LostFile(FileLossKind.UNAVAILABLE, "a page in its place")
                    continue
                if told_by_store and _has_tag(answer, incoming):
                    is_whole = True
                elif target.size is not None:
                    is_whole = incoming.size == target.size
                else:
                    is_whole = (told_by_store and _has_length(answer, incoming)) or incoming.sha256 in seen
                if is_whole:
                    return self._kept(incoming, answer)
                seen.add(incoming.sha256)
                lost = LostFile(FileLossKind.DAMAGED, "size")
        return lost

    def _kept(self, incoming: Incoming, answer: Answer) -> FileRecord:
        record = FileRecord(incoming.sha256, incoming.size, _type(answer))
        if not self._store.has(record.sha256, record.size):
            incoming.keep()
        return record

    # --- below

    def _receiver(self, incoming: Incoming, size: int | None = None) -> Callable[[Iterator[bytes]], bytes]:
        """Takes a body in, from its beginning each time one comes."""

        def receive(pieces: Iterator[bytes]) -> bytes:
            self._tell(-incoming.size if size is None else 0, -incoming.size)
            incoming.begin()
            for piece in pieces:
                if size is not None and incoming.size + len(piece) > size:
                    raise _TooLongError
                incoming.write(piece)
                self._tell(0 if size is not None else len(piece), len(piece))
            return b""

        return receive

    def _tell(self, expected: int, came: int) -> None:
        if expected or came:
            with self._lock:
                self._moved(expected, came)


def _has_tag(answer: Answer, incoming: Incoming) -> bool:
    """Whether what came has the MD5 that the object store calls ETag. Not every ETag is one."""
    match = _MD5.fullmatch(answer.headers.get("etag", "").strip())
    return match is not None and match[1] == incoming.md5


def _has_length(answer: Answer, incoming: Incoming) -> bool:
    """Whether a length was announced. With fewer bytes there would be no answer."""
    plain = answer.headers.get("content-encoding", "identity").strip().lower() == "identity"
    return plain and answer.headers.get("content-length", "").strip() == str(incoming.size)


def _is_page(answer: Answer, kind: str) -> bool:
    """Whether something between here and the server answered with a page of its own."""
    return _type(answer) == "text/html" and not kind.startswith("text/html")


def _type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()
