"""The files that an archive's rows refer to, on their way back: which of them the restore sends, and where rows lead.

Ids are the media service's choice, and are known once a file was sent. Until then rows are planned with an id that
stands for it; after the question the files are sent, and these rows are planned anew. So nothing is sent before
somebody said yes, and what reaches the outbox for good holds true ids alone.

What is known of each file is held in memory, some hundred bytes for one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...archive.reader import Archive
from ...model.file_moves import FileMoves
from ...model.files import IMAGES
from ...model.registry import Registry
from ...remote.session import TokenSource
from ...rows.blobs import IndexedFile, indexed_files
from ...text.jsontext import JSON
from ..account.settings import AccountSettings
from ..files.returning import ReturnedFile, Returner, keys_of
from ..files.services import MEDIA_URL, Addresses, Services, addresses, origin, services
from ..progress import Step, Tell, Watch, teller

_MOST_CASES = 1_000
_PROFILE, _ME = "profile", "me"


@dataclass(frozen=True, slots=True)
class FileTarget:
    """Where an account's files go."""

    services: Services
    """With ``media``."""
    address: str
    """Of the media service, as rows are to hold it: without ``/api/v1``."""


@contextmanager
def file_target(tokens: TokenSource, *, media_url: str = MEDIA_URL, api_url: str | None = None) -> Iterator[FileTarget]:
    """Where the files of an account go, until the block ends: its media service.

    ``api_url`` is Mana's API, which tells whether documents and songs are there; without it they count as lost. Raises
    :class:`UsageError` for addresses that are none.
    """
    with services(Addresses(media_url, api_url), tokens) as asked:
        yield FileTarget(asked, origin(media_url))


@contextmanager
def configured_target(settings: AccountSettings, tokens: TokenSource) -> Iterator[FileTarget]:
    """The same, as an account's settings say.

    Raises :class:`UsageError` where nobody says where its media service is, :class:`ServerError`.
    """
    where = addresses(settings)
    assert where.media is not None
    with file_target(tokens, media_url=where.media, api_url=where.api) as target:
        yield target


@dataclass(slots=True)
class FilesPlan:
    """What becomes of the files that the rows to be restored refer to. Fit for JSON."""

    asked: bool = False
    """Whether files are restored at all."""
    files: int = 0
    """Files that the archive holds and these rows refer to."""
    references: int = 0
    """Places in rows that lead to one of them."""
    present: int = 0
    """Files that the services have already."""
    to_send: int = 0
    """Files that are sent, or were."""
    to_send_bytes: int = 0
    sent: int = 0
    led_anew: int = 0
    """Files that rows which are written lead to under another id than in the archive."""
    lost: Counter[str] = field(default_factory=Counter)
    """Why files cannot be put back → files."""
    cases: list[dict[str, JSON]] = field(default_factory=list)
    """Of the first ones: SHA-256, reason, and the first row that refers to it."""

    @property
    def losses(self) -> int:
        """Files that are not where rows look for them, though that was asked for."""
        return sum(self.lost.values())

    def lose(self, file: ReturnedFile, row: tuple[str, str]) -> None:
        """A file that cannot be put back."""
        assert file.lost is not None
        self.lost[file.lost.value] += 1
        if len(self.cases) < _MOST_CASES:
            self.cases.append({"sha256": file.sha256, "reason": file.lost.value, "table": row[0], "id": row[1]})

    def to_json(self) -> dict[str, JSON]:
        """The member ``files`` of what ``restore --json`` prints."""
        return {
            "asked": self.asked,
            "files": self.files,
            "references": self.references,
            "present": self.present,
            "toSend": self.to_send,
            "toSendBytes": self.to_send_bytes,
            "sent": self.sent,
            "ledAnew": self.led_anew,
            "lost": dict(sorted(self.lost.items())),
            "lostCases": list(self.cases),
        }

    @classmethod
    def of_json(cls, record: dict[str, JSON]) -> FilesPlan:
        """What :meth:`to_json` gave; of nothing, that there are no files."""
        counts = {name: record.get(key, 0) for name, key in _COUNTS.items()}
        return cls(
            record.get("asked") is True,
            **counts,
            lost=Counter(record.get("lost", {})),
            cases=list(record.get("lostCases", [])),
        )


_COUNTS = {
    "files": "files",
    "references": "references",
    "present": "present",
    "to_send": "toSend",
    "to_send_bytes": "toSendBytes",
    "sent": "sent",
    "led_anew": "ledAnew",
}


@dataclass(frozen=True, slots=True)
class _Known:
    file: ReturnedFile
    row: tuple[str, str]


class RestoredFiles:
    """The files of one restore. ``target`` is None where files stay where they are."""

    def __init__(self, archive: Archive, target: FileTarget | None, registry: Registry, user_id: str) -> None:
        self._archive = archive
        self._target = target
        self._registry = registry
        self._returner = Returner(archive, target.services, user_id) if target is not None else None
        self._known: dict[str, _Known] = {}
        self._by_id: dict[str, str] = {}
        self._image_rows: frozenset[str] = frozenset()
        self._used: set[str] = set()
        self._rows: dict[str, list[str]] = {}
        self._looked = False
        self.plan = FilesPlan(asked=target is not None)

    def look(self, is_chosen: Callable[[str, str], bool], progress: Watch | None = None) -> None:
        """Looks for every file that rows refer to which are chosen (by table and id in the archive).

        ``progress`` is told of :attr:`Step.LOOK` where the services are asked. Raises :class:`DamagedArchiveError`.
        """
        self._looked = True
        if self._returner is None:
            for _ in self._chosen(is_chosen):
                pass
            return
        rows: deque[tuple[str, str]] = deque()
        tell = teller(progress, Step.LOOK)
        total = len(self._archive.files)

        def files() -> Iterator[tuple[IndexedFile, str]]:
            for indexed, row in self._chosen(is_chosen):
                rows.append(row)
                yield indexed, self._app(row[0])

        for done, file in enumerate(self._returner.look_all(files()), start=1):
            self._add(file, rows.popleft())
            tell(done, total)
        tell(total, total)
        if self._by_id and IMAGES in self._archive.tables:
            ids = (row.id.lower() for row in self._archive.rows(IMAGES))
            self._image_rows = frozenset(id_ for id_ in ids if id_ in self._by_id)

    @property
    def looked(self) -> bool:
        """Whether files were looked for."""
        return self._looked

    def moves(self, *, planned: bool = True) -> FileMoves | None:
        """Where rows are to lead; None where they are to stay as they are.

        ``planned``: what is to be sent has an id that stands for its own.
        """
        if self._target is None:
            return None
        ids = {}
        for old, sha256 in self._by_id.items():
            file = self._known[sha256].file
            now = file.id or (_stand_in(sha256) if planned and file.is_to_be_sent else None)
            if now is not None and now != old:
                ids[old] = now
        return FileMoves(ids, self._target.address, self._image_rows) if ids else None

    def use(self, table: str, record: str, ids: Collection[str]) -> None:
        """A row that is to be written holds these ids, and will hold others."""
        if not ids:
            return
        used = {self._by_id[old] for old in ids}
        self._rows.setdefault(table, []).append(record)
        for sha256 in used - self._used:
            file = self._known[sha256].file
            self.plan.led_anew += 1
            if file.is_to_be_sent:
                self.plan.to_send += 1
                self.plan.to_send_bytes += file.size
        self._used |= used

    def send(self, tell: Tell) -> dict[str, list[str]]:
        """Sends what rows need that are to be written, reads it back, and gives the rows that are to be planned anew.

        ``tell`` is told of bytes. Raises :class:`DamagedArchiveError`.
        """
        assert self._returner is not None or not self._used
        anew = False
        done, total = 0, sum(self._known[sha256].file.size for sha256 in self._used)
        for sha256 in sorted(self._used):
            known = self._known[sha256]
            assert self._returner is not None
            before, was_there = known.file.lost, known.file.id is not None
            if known.file.is_to_be_sent:
                anew = True
                self.plan.sent += self._returner.send(known.file)
            if known.file.id is not None:
                self._returner.read_back(known.file)
            if known.file.lost is not before:
                anew = True
                self.plan.led_anew -= 1
                self.plan.present -= was_there and before is None
                self.plan.lose(known.file, known.row)
            done += known.file.size
            tell(done, total)
        return self._rows if anew else {}

    def _chosen(self, is_chosen: Callable[[str, str], bool]) -> Iterator[tuple[IndexedFile, tuple[str, str]]]:
        """Counts the files that are restored, and gives each with the first row that refers to it."""
        for indexed in indexed_files(self._archive):
            rows = [(row.table, row.id) for row in indexed.rows if is_chosen(row.table, row.id)]
            if indexed.sha256 is not None and rows and (indexed.ids or keys_of(indexed)):
                self.plan.files += 1
                self.plan.references += len(rows)
                yield indexed, rows[0]

    def _app(self, table: str) -> str:
        """Whose lists of the media service the files of a table belong into."""
        known = self._registry.by_name.get(table)
        app = known.app if known is not None else ""
        return _ME if app == _PROFILE else app

    def _add(self, file: ReturnedFile, row: tuple[str, str]) -> None:
        self._known[file.sha256] = _Known(file, row)
        self._by_id |= dict.fromkeys(file.ids, file.sha256)
        if file.lost is not None:
            self.plan.lose(file, row)
        elif not file.is_to_be_sent:
            self.plan.present += 1


def _stand_in(sha256: str) -> str:
    """What has the form of an id, and is the same for the same file."""
    return f"{sha256[:8]}-{sha256[8:12]}-{sha256[12:16]}-{sha256[16:20]}-{sha256[20:32]}"
