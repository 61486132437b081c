"""From references to an archive: what is referred to is fetched, written under ``blobs/``, and told by the index.

Files are fetched in the order of their addresses and written in the order of their hashes, so that the same files give
the same archive whatever came first. What is known of each waits in between, sorted on disk and encrypted.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...archive import names
from ...archive.blobs import BinaryAssets
from ...archive.writer import ArchiveWriter
from ...crypto.spools import SpoolFile
from ...host.sorting import LineSorter
from ...limits import DEFAULT_LIMITS, MIB, Limits
from ...model.files import InlineFile, Leads, media_ids
from ...rows.blobs import IndexedFile, Referrer
from ...rows.completeness import Case
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Step, Watch, teller
from .fetching import Fetcher, FileToFetch, Outcome
from .gathering import SORTED_IN_MEMORY, Gatherer, Pair, Referred
from .listing import Listing
from .records import FileLossKind, FileRecord, LostFile
from .services import NOBODY, Services
from .store import FileStore

_ACCOUNT = "account"
"""In place of a table: what refers to a file is no row."""
_IN_MEMORY = 8 * MIB
"""A file of this size is checked in memory and written from there; a larger one is read twice."""
_FETCHED = frozenset({Leads.MEDIA, Leads.STORAGE, Leads.MUSIC, Leads.FOREIGN})
_CASES = {
    FileLossKind.GONE: "fileGone",
    FileLossKind.UNAVAILABLE: "fileUnavailable",
    FileLossKind.DAMAGED: "fileDamaged",
    FileLossKind.TOO_LARGE: "fileTooLarge",
    FileLossKind.FOREIGN: "fileForeign",
    FileLossKind.UNRESOLVED: "fileUnresolved",
}


@dataclass(frozen=True, slots=True)
class FileSource:
    """Where the files of an account come from."""

    store: FileStore
    services: Services = NOBODY


@dataclass(slots=True)
class FileCounts:
    """What became of the files that rows refer to."""

    references: int = 0
    """Places in rows that lead to a file of Mana's."""
    files: int = 0
    bytes: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    """Kind of loss → files."""

    @property
    def losses(self) -> int:
        """Files of Mana's that are not there. What is foreign was left alone on purpose."""
        return sum(count for kind, count in self.lost.items() if kind != FileLossKind.FOREIGN.value)

    def to_json(self) -> dict[str, JSON]:
        """As ``export --json`` and ``files pull --json`` print it."""
        return {
            "references": self.references,
            "files": self.files,
            "bytes": self.bytes,
            "lost": dict(sorted(self.lost.items())),
        }


class Packer:
    """The files of one export, or of one ``files pull``, on their way; ``user_id``: whose account it is."""

    def __init__(
        self,
        source: FileSource,
        make_file: Callable[[], SpoolFile],
        *,
        user_id: str,
        limits: Limits = DEFAULT_LIMITS,
        progress: Watch | None = None,
    ) -> None:
        self._source = source
        self._gatherer = Gatherer(make_file)
        self._found = LineSorter(make_file, budget=SORTED_IN_MEMORY)
        self._progress = progress
        self._expected = self._came = 0
        self._tell: Callable[[int, int], object] | None = None
        media = source.services.media
        listing = Listing(media, user_id, make_file, limits=limits) if media is not None and user_id else None
        self._fetcher = Fetcher(source.store, source.services, listing=listing, limits=limits, moved=self._moved)
        self.counts = FileCounts()

    def add(self, pairs: Iterable[Pair], inline: Iterable[InlineFile], references: int) -> None:
        """What some rows refer to, and which files stand in them."""
        self._gatherer.add(pairs)
        self.counts.references += references
        for file in inline:
            if not self._source.store.has(file.sha256, len(file.content)):
                with self._source.store.incoming() as incoming:
                    incoming.write(file.content)
                    incoming.keep()
            self._source.store.remember(_address(Leads.INLINE, file.sha256), _inline_record(file))

    def add_account(self, entries: Mapping[str, bytes]) -> None:
        """What the account's own data refers to: entries under ``account/``, name → content."""
        for name, content in entries.items():
            for identifier in dict.fromkeys(media_ids(jsontext.parse_inexact(content))):
                self.counts.references += 1
                self._gatherer.add_media(identifier, Referrer(_ACCOUNT, name, "", private=True))

    def fetch(self) -> None:
        """Gets everything that is referred to; ``progress`` is told of :attr:`Step.FILES`."""
        self._tell = teller(self._progress, Step.FILES)
        waiting: deque[Referred] = deque()

        def targets() -> Iterator[FileToFetch]:
            for referred in self._gatherer.files():
                if referred.leads in _FETCHED:
                    waiting.append(referred)
                    yield FileToFetch(referred.leads, referred.target, referred.size)
                else:
                    self._note(referred, referred.lost or self._inline(referred))

        for _, outcome in self._fetcher.fetch_all(targets()):
            self._note(waiting.popleft(), outcome)

    def outcomes(self) -> Iterator[IndexedFile]:
        """What became of each file: those that there are by SHA-256, then the lost ones; ends the packer."""
        for key, lines in self._found.groups():
            found = [IndexedFile.of(jsontext.parse(line)) for line in lines]
            yield from found if key.startswith(_LOST) else [_merged(found)]

    def count(self, file: IndexedFile) -> None:
        """Counts a file, or a lost one."""
        if file.lost is not None:
            self.counts.lost[file.lost] = self.counts.lost.get(file.lost, 0) + 1
        else:
            self.counts.files += 1
            self.counts.bytes += file.size

    def write(self, writer: ArchiveWriter, note: Callable[[Case], object]) -> BinaryAssets:
        """Writes files and index; ``note`` takes a case for each row whose file is lost."""
        index = writer.spool(names.entry("meta", "blobs"))
        left_out = 0
        lost_here: list[IndexedFile] = []
        for found in self.outcomes():
            file = found if found.lost is not None else self._packed(writer, found)
            if file.lost is None:
                self.count(file)
                index.add(file.text())
            elif found.lost is None:
                lost_here.append(file)  # they come behind all that there are
            else:
                left_out += self._note_lost(file, note)
                index.add(file.text())
        for file in lost_here:
            left_out += self._note_lost(file, note)
            index.add(file.text())
        index.close()
        return BinaryAssets(self.counts.references, min(left_out, self.counts.references))

    # --- below

    def _note(self, referred: Referred, outcome: Outcome) -> None:
        """Sets aside what became of a file."""
        ids = (referred.target,) if referred.leads is Leads.MEDIA else ()
        addresses = () if ids else (_shown(referred),)
        if isinstance(outcome, LostFile):
            lost = IndexedFile(referred.rows, ids, addresses, lost=outcome.kind.value, reason=outcome.reason)
            self._found.add([(f"{_LOST}{referred.leads.value}:{referred.target}", lost.text())])
            return
        file = IndexedFile(
            referred.rows, ids, addresses, outcome.sha256, outcome.size, outcome.type, outcome.name, outcome.told
        )
        self._found.add([(outcome.sha256, file.text())])

    def _inline(self, referred: Referred) -> Outcome:
        held = self._source.store.recall(_address(Leads.INLINE, referred.target))
        return held or LostFile(FileLossKind.UNRESOLVED, "not decoded")

    def _packed(self, writer: ArchiveWriter, file: IndexedFile) -> IndexedFile:
        """Writes a file, fetched once more if the store has not kept it as it was."""
        assert file.sha256 is not None
        if file.size > writer.room():
            return _lost(file, LostFile(FileLossKind.TOO_LARGE, "the archive is full"))
        for attempt in range(2):
            if self._written(writer, file.sha256, file.size):
                return file
            self._source.store.forget(file.sha256)
            if not attempt:
                for identifier in file.ids:
                    self._fetcher.fetch(FileToFetch(Leads.MEDIA, identifier))
        return _lost(file, LostFile(FileLossKind.DAMAGED, "on this disk"))

    def _written(self, writer: ArchiveWriter, sha256: str, size: int) -> bool:
        store = self._source.store
        if size <= _IN_MEMORY:
            try:
                content = b"".join(store.chunks(sha256, size))
            except FileNotFoundError:
                return False
            if not is_content(content, sha256):
                return False
            writer.file(sha256, size, [content], is_proved=True)
        elif not store.is_whole(sha256, size):
            return False
        else:
            writer.file(sha256, size, store.chunks(sha256, size))
        return True

    def _note_lost(self, file: IndexedFile, note: Callable[[Case], object]) -> int:
        self.count(file)
        kind = _CASES[FileLossKind(str(file.lost))]
        for row in file.rows:
            note(Case(kind, row.table, row.id, row.field, file.reason))
        return 0 if file.lost == FileLossKind.FOREIGN.value else len(file.rows)

    def _moved(self, expected: int, came: int) -> None:
        self._expected += expected
        self._came += came
        if self._tell is not None:
            self._tell(self._came, self._expected)


_LOST = "~"
"""What the keys of lost files begin with: behind all hashes."""


def is_content(content: bytes, sha256: str) -> bool:
    """Whether bytes are those that a hash names."""
    return hashlib.sha256(content).hexdigest() == sha256


def _merged(found: list[IndexedFile]) -> IndexedFile:
    """One file, under all addresses that led to it."""
    first = next((file for file in found if file.told), found[0])
    return IndexedFile(
        tuple(dict.fromkeys(row for file in found for row in file.rows)),
        tuple(dict.fromkeys(identifier for file in found for identifier in file.ids)),
        tuple(dict.fromkeys(address for file in found for address in file.addresses)),
        first.sha256,
        first.size,
        first.type,
        first.name,
        first.told,
    )


def _lost(file: IndexedFile, lost: LostFile) -> IndexedFile:
    return IndexedFile(file.rows, file.ids, file.addresses, lost=lost.kind.value, reason=lost.reason)


def _shown(referred: Referred) -> str:
    """An address as the index has it."""
    if referred.leads is Leads.INLINE:
        return "data:"
    if referred.leads in (Leads.FOREIGN, Leads.UNRESOLVED):
        return referred.target
    return f"{referred.leads.value}:{referred.target}"


def _address(leads: Leads, target: str) -> str:
    return f"{leads.value}:{target}"


def _inline_record(file: InlineFile) -> FileRecord:
    return FileRecord(file.sha256, len(file.content), file.type)
