"""The files that an archive's rows refer to, on their way back: which of them the restore sends, and where rows lead.

Ids and keys are the services' choice, and are known once a file was sent. Until then rows are planned with one that
stands for it; after the question the files are sent, and these rows are planned anew. So nothing is sent before
somebody said yes, and what reaches the outbox for good holds true ids and keys alone.

What is known of each file is held in memory, some hundred bytes for one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...archive.reader import Archive
from ...model.file_moves import FileMoves
from ...model.files import IMAGES, Leads, references
from ...model.registry import Registry
from ...remote.session import TokenSource
from ...rows.blobs import IndexedFile, indexed_files
from ...text.jsontext import JSON
from ..account.settings import AccountSettings
from ..files.objects import Noted
from ..files.returned import BUCKETS, ReturnedFile, has_keys
from ..files.returning import Returner
from ..files.services import MEDIA_URL, Addresses, Services, addresses, origin, services
from ..progress import Step, Tell, Watch, teller
from .files_plan import FilesPlan, Row
from .target import RestoreTarget

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

    ``api_url`` is Mana's API, which takes documents and songs; without it they count as lost. Raises
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


@dataclass(frozen=True, slots=True)
class _Known:
    file: ReturnedFile
    rows: Sequence[Row]
    """Those that refer to it and are chosen; of a file of the media service the first one alone."""


class RestoredFiles:
    """The files of one restore. ``target`` is None where files stay where they are.

    ``sent`` has notes of what earlier runs sent.
    """

    def __init__(
        self,
        archive: Archive,
        target: FileTarget | None,
        registry: Registry,
        user_id: str,
        sent: Noted | None = None,
    ) -> None:
        self._archive = archive
        self._target = target
        self._registry = registry
        self._returner = Returner(archive, target.services, user_id, noted=sent) if target is not None else None
        self._known: list[_Known] = []
        self._by_name: dict[str, _Known] = {}
        self._image_rows: frozenset[str] = frozenset()
        self._used: dict[int, _Known] = {}
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
        waiting: deque[Sequence[Row]] = deque()
        tell = teller(progress, Step.LOOK)
        total = len(self._archive.files)

        def files() -> Iterator[tuple[IndexedFile, str]]:
            for indexed, rows in self._chosen(is_chosen):
                waiting.append(rows)
                yield indexed, self._app(rows[0][0])

        for done, found in enumerate(self._returner.look_all(files()), start=1):
            rows = waiting.popleft()
            for file in found:
                self._add(_Known(file, rows if file.leads in BUCKETS else rows[:1]))
            self.plan.files += len(found) - 1
            tell(done, total)
        tell(total, total)
        if self._by_name and IMAGES in self._archive.tables:
            ids = (row.id.lower() for row in self._archive.rows(IMAGES))
            self._image_rows = frozenset(id_ for id_ in ids if id_ in self._by_name)

    def look_in_rows(self, target: RestoreTarget, progress: Watch | None = None) -> None:
        """Looks for what is to be sent into buckets under the keys that the account's rows hold for it by now.

        ``progress`` is told of :attr:`Step.LOOK`.
        """
        wanted: dict[str, dict[str, list[_Known]]] = {}
        for known in self._known:
            if known.file.is_to_be_sent and known.file.leads in BUCKETS:
                for table, record in known.rows:
                    wanted.setdefault(table, {}).setdefault(record, []).append(known)
        if not wanted:
            return
        tell = teller(progress, Step.LOOK)
        done, total = 0, sum(map(len, wanted.values()))
        for name, rows in wanted.items():
            stored = self._registry.by_name.get(name)
            for record, lines in target.records(stored) if stored is not None else ():
                if record in rows and stored is not None:
                    done += 1
                    self._look_under(name, target.row(stored, lines).record.values, rows[record])
                    tell(done, total)
        tell(total, total)

    def _look_under(self, table: str, values: Mapping[str, JSON], wanted: Iterable[_Known]) -> None:
        """The same in one row."""
        assert self._returner is not None
        held = list(references(table, values))
        for known in wanted:
            if known.file.is_to_be_sent:
                leads = (known.file.leads, Leads.MEDIA, Leads.ID)
                places = dict.fromkeys(one.target for one in held if one.leads in leads)
                self._returner.look_under(known.file, places)
                self._count(known)

    @property
    def looked(self) -> bool:
        """Whether files were looked for."""
        return self._looked

    def moves(self, *, planned: bool = True) -> FileMoves | None:
        """Where rows are to lead; None where they are to stay as they are.

        ``planned``: what is to be sent has an id or key that stands for its own.
        """
        if self._target is None:
            return None
        ids: dict[str, str] = {}
        keys: dict[str, str] = {}
        for name, known in self._by_name.items():
            file = known.file
            now = file.place or (_stand_in(file) if planned and file.is_to_be_sent else None)
            if now is not None and now != name:
                (keys if ":" in name else ids)[name] = now
        return FileMoves(ids, self._target.address, self._image_rows, keys) if ids or keys else None

    def use(self, table: str, record: str, names: Collection[str]) -> None:
        """A row that is to be written holds these ids and addresses, and will hold others."""
        if not names:
            return
        self._rows.setdefault(table, []).append(record)
        for known in [self._by_name[name] for name in names]:
            if id(known) not in self._used:
                self._used[id(known)] = known
                self.plan.led_anew += 1
                if known.file.is_to_be_sent:
                    self.plan.to_send += 1
                    self.plan.to_send_bytes += known.file.size

    def send(self, tell: Tell) -> dict[str, list[str]]:
        """Sends what rows need that are to be written, reads it back, and gives the rows that are to be planned anew.

        ``tell`` is told of bytes. Raises :class:`DamagedArchiveError`, :class:`OutputError`.
        """
        assert self._returner is not None or not self._used
        anew = False
        done, total = 0, sum(known.file.size for known in self._used.values())
        for known in sorted(self._used.values(), key=lambda known: (known.file.sha256, known.file.leads)):
            file = known.file
            assert self._returner is not None
            before, was_there = file.lost, file.place is not None
            if file.is_to_be_sent:
                anew = True
                self.plan.sent += self._returner.send(file)
            if file.place is not None and not (was_there and file.leads in BUCKETS):  # that was read when it was found
                self._returner.read_back(file)
            if file.lost is not before:
                anew = True
                self.plan.led_anew -= 1
                self.plan.present -= was_there and before is None
                self.plan.lose(file, known.rows[0])
            done += file.size
            tell(done, total)
        return self._rows if anew else {}

    def _chosen(self, is_chosen: Callable[[str, str], bool]) -> Iterator[tuple[IndexedFile, Sequence[Row]]]:
        """Counts the files that are restored, and gives each with the rows that refer to it."""
        for indexed in indexed_files(self._archive):
            rows = [(row.table, row.id) for row in indexed.rows if is_chosen(row.table, row.id)]
            if indexed.sha256 is not None and rows and (indexed.ids or has_keys(indexed)):
                self.plan.files += 1
                self.plan.references += len(rows)
                yield indexed, rows

    def _app(self, table: str) -> str:
        """Whose lists of the media service the files of a table belong into."""
        known = self._registry.by_name.get(table)
        app = known.app if known is not None else ""
        return _ME if app == _PROFILE else app

    def _add(self, known: _Known) -> None:
        self._known.append(known)
        self._by_name |= dict.fromkeys(known.file.names, known)
        self._count(known)

    def _count(self, known: _Known) -> None:
        """What became of a file that was looked for; one that is to be sent is counted once a row needs it."""
        if known.file.lost is not None:
            self.plan.lose(known.file, known.rows[0])
        elif not known.file.is_to_be_sent:
            self.plan.present += 1


def _stand_in(file: ReturnedFile) -> str:
    """What has the form of an id, or of a key, and is the same for the same file."""
    sha256 = file.sha256
    text = f"{sha256[:8]}-{sha256[8:12]}-{sha256[12:16]}-{sha256[16:20]}-{sha256[20:32]}"
    return f"planned/{text}" if file.leads in BUCKETS else text
