"""An export on its way: tables brought together by record, their blocks on all cores, and the archive that they fill.

One pass over each table. Changes are brought together by record (``gathering``), folded and written as text a block of
records at a time, on all cores (``blocks``), and handed to the archive in order. While the blocks of
one table are on their way, the next table is brought together. What is sorted on disk is what the server sent,
ciphertext included, and encrypted once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from ...archive.content import TableWriter
from ...archive.destination import Target, keep_complete, named, opened, writing
from ...archive.writer import About, ArchiveWriter, Seal
from ...crypto.seal import SpoolFile
from ...host.output import AtomicFile
from ...host.processes import WORTH_PROCESSES, InOrder, cores_for
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, KIB, MIB, Limits
from ...mirror import Loss
from ...model.spaces import SpaceNumbers
from ...rows.actors import ActorNumbers
from ...rows.completeness import Case, Completeness
from ...text.jsontext import JSON
from ...text.timestamps import SECOND, format_timestamp, parse_timestamp
from ..account.source import Source
from ..progress import Step, Watch, teller
from .blocks import Block, fold_block, numbered
from .gathering import Gathering
from .selection import Selection, streams_of, with_room
from .terms import Stream, Terms

_SLACK = 1.1
"""A table's text is at most this much larger than its changes' (a short record in a long log is far smaller)."""
_ROW_SLACK = 1024
_BLOCK_BYTES = 512 * KIB
"""Of changes that are folded in one go."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export amounted to; ``completeness`` as in the manifest, without the cases."""

    archive: Path
    bytes: int
    rows: int
    tables: int
    data_sha256: str
    sealed: bool
    status: str
    completeness: dict[str, JSON]
    web_app_reads_it: bool
    previous: Path | None = None
    """Where a complete archive is kept whose place this one took."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``export --json`` prints (``formats/schemas/export.schema.json``)."""
        return {
            "archive": str(self.archive),
            "bytes": self.bytes,
            "rows": self.rows,
            "tables": self.tables,
            "dataSha256": self.data_sha256,
            "sealed": self.sealed,
            "status": self.status,
            "completeness": self.completeness,
            **({"previous": str(self.previous)} if self.previous is not None else {}),
        }


def export(
    source: Source,
    path: Target,
    *,
    selection: Selection | None = None,
    seal: Seal | None = None,
    force: bool = False,
    strict: bool = False,
    now: datetime | None = None,
    dated: datetime | None = None,
    progress: Watch | None = None,
    limits: Limits = DEFAULT_LIMITS,
    processes: int | None = None,
) -> ExportResult:
    """Write an archive of what the mirror holds.

    ``force`` replaces a file. An archive that may be complete is kept beside one that is partial; with ``strict`` it is
    not replaced by such a one at all (:class:`IncompleteError`).

    ``progress`` is told of :attr:`Step.EXPORT`. ``now`` is the time of the export; what lies in the future when
    the server was read is noted. ``dated`` is what the manifest says in its place, which is no measure for anything;
    the rows depend on neither. ``processes`` is how many take part, this one included; without it, as many as a large
    account can use.

    Raises :class:`UsageError` for tables that do not exist, :class:`OutputError`, :class:`LockedError`.
    """
    selection = selection or Selection()
    now = now or datetime.now(UTC)
    wanted = streams_of(source.mirror.collections(), source.registry, selection)
    streams, set_aside = with_room(wanted, limits.entries - len(source.account))
    size = sum(stream.bytes for stream in streams)
    if size >= WORTH_PROCESSES:
        # While a table is gathered, all others have that before it to do: a small one does not keep them waiting.
        streams.sort(key=lambda stream: stream.bytes)
    bound = int(size * _SLACK) + MIB
    if processes is None:
        processes = cores_for(size)
    terms = Terms(
        cipher=source.cipher,
        space_types=source.space_types,
        spaces=selection.spaces,
        include_deleted=selection.include_deleted,
        as_of=selection.as_of,
        tomorrow=_tomorrow(source.pulled_at, now),
        line_bytes=limits.line_bytes,
    )
    make_file = spool_files(path)
    output = opened(path, force=force)
    with (
        writing(path),
        InOrder(partial(_fold_task, terms, streams), processes) as folding,
        output as file,
        ArchiveWriter(
            file,
            tables=[table.name for table in source.registry.tables],
            seal=seal,
            make_spool_file=make_file,
            may_exceed_4_gib=bound >= 2**32 - MIB,
            limits=limits,
        ) as writer,
    ):
        run = _Export(source, selection, streams, set_aside, writer, make_file, dated or now, folding)
        tell = teller(progress, Step.EXPORT)
        done, total = 0, sum(stream.changes for stream in streams)
        for count in run.tables():
            done += count
            tell(done, total)
        run.finish()
        stated = run.stated_completeness()
        keep_complete(output, run.completeness.status, seal, strict=strict)
        written = writer.finish(run.about(), {**run.additions(), "completeness": stated})
    counted = {key: value for key, value in stated.items() if key not in ("losses", "notices")}
    return ExportResult(
        archive=named(path),
        bytes=written.bytes,
        rows=written.rows,
        tables=len(written.row_counts),
        data_sha256=written.data_sha256,
        sealed=written.sealed,
        status=run.completeness.status,
        completeness={**counted, **run.completeness.counts()},
        web_app_reads_it=written.web_app_reads_it,
        previous=output.set_aside if isinstance(output, AtomicFile) else None,
    )


class _Export:
    """One export on its way."""

    def __init__(
        self,
        source: Source,
        selection: Selection,
        streams: Sequence[Stream],
        set_aside: Sequence[Stream],
        writer: ArchiveWriter,
        make_file: Callable[[], SpoolFile],
        dated: datetime,
        folding: InOrder[_Task, Block],
    ) -> None:
        self._source = source
        self._selection = selection
        self._streams = streams
        self._set_aside = set_aside
        self._gathered = [Gathering(source.mirror, stream, make_file) for stream in streams]
        self._writer = writer
        self._table: TableWriter | None = None
        self._opened = -1
        """The number of the stream whose table is open."""
        self._dated = dated
        self._folding = folding
        self._problem_lines = writer.spool("meta/problems.jsonl")
        self._actor_lines = writer.spool("meta/actors.jsonl")
        self._actors = ActorNumbers()
        self._spaces = SpaceNumbers(types=source.space_types)
        self.completeness = Completeness(self._problem_lines.add)
        self._changes = self._live = self._deleted = 0
        self._spaces_without_rows = set(selection.spaces)

    def tables(self) -> Iterator[int]:
        """Write all tables; yields the number of changes read, now and then."""
        for number, gathering in enumerate(self._gathered):
            while (read := gathering.step()) is not None:
                yield read
            self._changes += gathering.changes
            following = self._gathered[number + 1] if number + 1 < len(self._gathered) else None
            for pairs in gathering.sorter.blocks(_BLOCK_BYTES):
                yield from self._fold((number, pairs), following)
        for block in self._folding.rest():
            self._add(block)
        self._open(len(self._streams))

    def _fold(self, task: _Task, following: Gathering | None) -> Iterator[int]:
        """Has the task done by whoever has time, and writes what is done."""
        while not self._folding.offer(task):
            # All others have enough to do: time for the next table, else for a hand.
            read = None if self._folding.alone or following is None else following.step()
            if read is None:
                self._folding.do(task)
                break
            yield read
        for block in self._folding.ready():
            self._add(block)

    def _add(self, block: Block) -> None:
        """Writes a block, the next in order."""
        self._open(block.stream)
        self._live += block.live
        self._deleted += block.deleted
        self._spaces_without_rows -= block.named
        for case in block.cases:
            self.completeness.note(case)
        if block.rows:
            assert self._table is not None
            actors = [self._actors.number(actor) for actor in block.actors]
            meta = numbered(block.meta, actors, [self._spaces(space) for space in block.spaces])
            self._table.add_block(block.text, block.deflated, meta, block.rows)

    def _open(self, number: int) -> None:
        """Ends the tables before a stream's and begins that one, if there is one."""
        while self._opened < number:
            if self._table is not None:
                self._table.close()
                self._table = None
                for line in self._actors.take():
                    self._actor_lines.add(line)
            self._opened += 1
            if self._opened == len(self._streams):
                break
            stream = self._streams[self._opened]
            for reason in self._gathered[self._opened].nameless:  # changes without a record id belong to no row
                self.completeness.note(Case("malformedChange", stream.name, reason=reason))
            bound = int(stream.bytes * _SLACK) + _ROW_SLACK * stream.changes
            self._table = self._writer.table(stream.name, bound=bound)

    def finish(self) -> None:
        """Everything that comes after the tables."""
        source = self._source
        for stream in self._streams:
            if stream.table is None:
                self.completeness.note(
                    Case("unknownCollection", stream.name, reason=f"{stream.app}/{stream.collections[0]}")
                )
        for stream in self._set_aside:
            self.completeness.note(Case("tableSetAside", stream.name, reason=f"{stream.app}/{stream.collections[0]}"))
        apps = {stream.app for stream in self._streams}
        for loss in source.mirror.losses():
            if loss.app in apps or not loss.app:
                self._note(loss)
        for kind, reason in source.notices:
            self.completeness.note(Case(kind, "account", reason=reason))
        for space in sorted(self._spaces_without_rows):
            self.completeness.note(Case("spaceWithoutRows", "account", reason=space))
        self._problem_lines.close()
        self._actor_lines.close()
        spaces = self._spaces.lines()
        if spaces:
            self._writer.add("meta/spaces.jsonl", b"\n".join([*spaces, b""]))
        for name, content in source.account.items():
            self._writer.add(f"account/{name}", content)

    def _note(self, loss: Loss) -> None:
        place = (loss.app or "mirror") if loss.collection is None else f"{loss.app}/{loss.collection}"
        for event, record in zip(loss.events, loss.records, strict=False):
            self.completeness.note(Case(loss.kind.value, place, record, reason=event))
        if loss.count > len(loss.records):
            self.completeness.note(
                Case(loss.kind.value, place, reason=_stretch(loss), count=loss.count - len(loss.records))
            )

    def about(self) -> About:
        """The manifest's keys that the web app knows."""
        return About(
            user_id=self._source.user_id,
            exported_at=_iso(self._dated),
            scope=self._scope(),
            fields_plaintext=True,
        )

    def additions(self) -> dict[str, JSON]:
        """The manifest's keys that only this tool knows, but for ``completeness``."""
        stated = self._selection.filter()
        return {
            "registryVersion": self._source.registry.version,
            "ciphertextMarked": True,
            **({"filter": stated} if stated else {}),
        }

    def stated_completeness(self) -> dict[str, JSON]:
        """The manifest's ``completeness``."""
        return {
            "status": self.completeness.status,
            "changes": self._changes,
            "rows": self._live + self._deleted,
            "live": self._live,
            "deleted": self._deleted,
            **({"pulledAt": self._source.pulled_at} if self._source.pulled_at is not None else {}),
            **({"searchedAt": self._source.searched_at} if self._source.searched_at is not None else {}),
            **self.completeness.cases(),
            "unknowable": "apps outside the registry that were not named with --extra-app",
        }

    def _scope(self) -> dict[str, JSON]:
        if self._selection.apps:
            return {"type": "filtered", "appIds": list(dict.fromkeys(self._selection.apps))}
        if self._selection.tables:
            apps, known = {stream.app for stream in self._streams}, self._source.registry.apps
            # In the registry's order, whichever of the tables came first.
            return {"type": "filtered", "appIds": [*filter(apps.__contains__, known), *sorted(apps.difference(known))]}
        return {"type": "full"}


_Task: TypeAlias = tuple[int, list[tuple[str, bytes]]]
"""A stream's number, and all changes of some of its records."""


def _fold_task(terms: Terms, streams: Sequence[Stream], task: _Task) -> Block:
    return fold_block(terms, streams, *task)


def _stretch(loss: Loss) -> str | None:
    """The stretch of time of an unreadable tie or page."""
    if loss.until is None:
        return None
    until = format_timestamp(loss.until)
    return until if loss.since is None else f"{format_timestamp(loss.since)} to {until}"


def _tomorrow(pulled_at: str | None, now: datetime) -> str:
    """What is later lay in the future when the server was read: by its clock where that is known, else by this one."""
    seen = now
    if pulled_at is not None:
        with suppress(ValueError):
            seen = min(now, datetime.fromtimestamp(parse_timestamp(pulled_at) / SECOND, UTC))
    return _iso(seen + timedelta(days=1))


def _iso(moment: datetime) -> str:
    """A time as the web app writes it: UTC, milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
