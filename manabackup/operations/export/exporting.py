"""An export on its way: tables brought together by record, their blocks on all cores, and the archive that they fill.

One pass over each table. Changes are brought together by record (``gathering``), folded and written as text a block of
records at a time, on all cores (``blocks``), and handed to the archive in order. While the blocks of one table are on
their way, the next table is brought together. What is sorted on disk is what the server sent, ciphertext included, and
encrypted once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ...archive.blobs import BinaryAssets
from ...archive.content import TableWriter
from ...archive.destination import Destination, keep_complete, named, opened, writing
from ...archive.places import Location
from ...archive.writer import ArchiveWriter, Seal
from ...crypto.spools import SpoolFile
from ...host.output import AtomicFile
from ...host.processes import InOrder, cores_for
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, KIB, MIB, Limits
from ...model.spaces import SpaceNumbers
from ...rows.actors import ActorNumbers
from ...rows.completeness import Case, Completeness
from ...text.jsontext import JSON
from ..account.source import Source
from ..files.packing import FileCounts, FileSource, Packer
from ..progress import Step, Watch, sending, teller
from .blocks import Block, Task, fold_task, numbered
from .foreign import ForeignFields
from .gathering import Gathering
from .plan import ExportPlan
from .selection import Selection
from .terms import FileTerms

_SLACK = 1.1
"""A table's text is at most this much larger than its changes' (a short record in a long log is far smaller)."""
_ROW_SLACK = 1024
_BLOCK_BYTES = 512 * KIB
"""Changes that are folded in one go."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export amounted to; ``completeness`` as in the manifest, without the cases."""

    archive: Location
    bytes: int
    rows: int
    tables: int
    data_sha256: str
    sealed: bool
    status: str
    completeness: dict[str, JSON]
    web_app_reads_it: bool
    files: FileCounts = field(default_factory=FileCounts)
    """What became of the files that rows refer to."""
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
            "files": self.files.to_json(),
            **({"previous": str(self.previous)} if self.previous is not None else {}),
        }


def export(
    source: Source,
    path: Destination,
    *,
    selection: Selection | None = None,
    seal: Seal | None = None,
    force: bool = False,
    strict: bool = False,
    files: FileSource | None = None,
    now: datetime | None = None,
    dated: datetime | None = None,
    progress: Watch | None = None,
    limits: Limits = DEFAULT_LIMITS,
    processes: int | None = None,
) -> ExportResult:
    """Write an archive of what the mirror holds.

    ``files`` says where the files come from that rows refer to; without it they are left out, and counted.

    ``force`` replaces a file. An archive that may be complete is kept beside one that is partial; with ``strict`` it is
    not replaced by such a one at all (:class:`IncompleteError`).

    ``progress`` is told of :attr:`Step.EXPORT`, and of :attr:`Step.FILES`. ``now`` is the time of the export; what lies
    in the future when the server was read is noted. ``dated`` is what the manifest says in its place, which is no
    measure for anything; the rows depend on neither. ``processes`` is how many take part, this one included; without
    it, as many as a large account can use.

    Raises :class:`UsageError` for tables and spaces that do not exist, :class:`OutputError`, :class:`LockedError`.
    """
    now = now or datetime.now(UTC)
    plan = ExportPlan.of(source, selection or Selection(), limits)
    if processes is None:
        processes = cores_for(plan.bytes)
    make_file = spool_files(path)
    packer = None
    if files is not None:
        packer = Packer(files, make_file, user_id=source.user_id, limits=limits, progress=progress)
    terms = plan.terms(now, limits, FileTerms.COUNT if packer is None else FileTerms.LIST)
    output = opened(path, force=force, tell=sending(progress))
    with (
        writing(path),
        InOrder(partial(fold_task, terms, plan.streams), processes) as folding,
        output as file,
        ArchiveWriter(
            file,
            tables=[table.name for table in source.registry.tables],
            seal=seal,
            make_spool_file=make_file,
            may_exceed_4_gib=packer is not None or int(plan.bytes * _SLACK) + MIB >= 2**32 - MIB,
            limits=limits,
        ) as writer,
    ):
        run = _Export(plan, writer, folding, make_file, packer)
        tell = teller(progress, Step.EXPORT)
        done, total = 0, plan.changes
        for count in run.tables():
            done += count
            tell(done, total)
        run.finish()
        stated = run.stated_completeness()
        keep_complete(output, path, run.completeness.status, seal, strict=strict)
        additions: dict[str, JSON] = {**plan.additions(), "completeness": stated}
        written = writer.finish(plan.about(dated or now), additions, assets=run.assets)
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
        files=packer.counts if packer is not None else FileCounts(run.references),
        previous=output.set_aside if isinstance(output, AtomicFile) else None,
    )


class _Export:
    """One export on its way."""

    def __init__(
        self,
        plan: ExportPlan,
        writer: ArchiveWriter,
        folding: InOrder[Task, Block],
        make_file: Callable[[], SpoolFile],
        packer: Packer | None,
    ) -> None:
        self._plan = plan
        self._packer = packer
        self.references = 0
        """Places in rows that lead to a file of Mana's."""
        self.assets: BinaryAssets | None = None
        """What the manifest says of files."""
        self._gathered = [Gathering(plan.source.mirror, stream, make_file) for stream in plan.streams]
        self._writer = writer
        self._table: TableWriter | None = None
        self._opened = -1
        """The number of the stream whose table is open."""
        self._folding = folding
        self._problem_lines = writer.spool("meta/problems.jsonl")
        self._actor_lines = writer.spool("meta/actors.jsonl")
        self._actors = ActorNumbers()
        self._spaces = SpaceNumbers(types=plan.source.space_types)
        self.completeness = Completeness(self._problem_lines.add)
        self._foreign = ForeignFields(self.completeness.note)
        self._changes = self._live = self._deleted = 0
        self._left_closed: Counter[int] = Counter()
        """Stream → private fields that nobody was to open."""
        self._spaces_without_rows = set(plan.selection.spaces)
        self._spaces_seen: set[str] = set()

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
        self._open(len(self._plan.streams))

    def _fold(self, task: Task, following: Gathering | None) -> Iterator[int]:
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
        self._left_closed[block.stream] += block.left_closed
        self._deleted += block.deleted
        self._spaces_without_rows -= block.named
        self._spaces_seen |= block.seen
        self._foreign.take(block.cases, opened=block.opened)
        self.references += block.references
        if self._packer is not None:
            self._packer.add(block.found, block.inline, block.references)
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
            if self._opened == len(self._plan.streams):
                break
            stream = self._plan.streams[self._opened]
            for reason in self._gathered[self._opened].nameless:  # changes without a record id belong to no row
                self.completeness.note(Case("malformedChange", stream.name, reason=reason))
            bound = int(stream.bytes * _SLACK) + _ROW_SLACK * stream.changes
            self._table = self._writer.table(stream.name, bound=bound)

    def finish(self) -> None:
        """Everything that comes after the tables. Raises :class:`UsageError` for a space that nobody knows of."""
        self._plan.require_spaces(self._spaces_seen)
        self._foreign.finish()
        for number, count in sorted(self._left_closed.items()):
            if count:
                self.completeness.note(Case("leftSealed", self._plan.streams[number].name, count=count))
        for case in self._plan.cases():
            self.completeness.note(case)
        for space in sorted(self._spaces_without_rows):
            self.completeness.note(Case("spaceWithoutRows", "account", reason=space))
        self._pack()
        self._problem_lines.close()
        self._actor_lines.close()
        spaces = self._spaces.lines()
        if spaces:
            self._writer.add("meta/spaces.jsonl", b"\n".join([*spaces, b""]))
        for name, content in self._plan.source.account.items():
            self._writer.add(f"account/{name}", content)

    def _pack(self) -> None:
        """Fetches and writes the files, or says how many references there are to files that are left out."""
        if self._packer is None:
            self.assets = BinaryAssets(self.references, self.references) if self.references else None
            return
        self._packer.add_account(self._plan.source.account)
        self._packer.fetch()
        self.assets = self._packer.write(self._writer, self.completeness.note)

    def stated_completeness(self) -> dict[str, JSON]:
        """The manifest's ``completeness``."""
        source = self._plan.source
        return {
            "status": self.completeness.status,
            "changes": self._changes,
            "rows": self._live + self._deleted,
            "live": self._live,
            "deleted": self._deleted,
            **({"pulledAt": source.pulled_at} if source.pulled_at is not None else {}),
            **({"searchedAt": source.searched_at} if source.searched_at is not None else {}),
            **self.completeness.cases(),
            "unknowable": source.unknowable,
        }
