"""A rekeying on its way: the tables of the new archive, in order, from those of the old one.

What was ciphertext at its source is ciphertext afterwards, each value with a fresh random IV; what no key at hand opens
stays behind and is reported. One pass, table by table, in constant memory, and on all cores. What leaves: ``identity``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...archive import names
from ...archive.content import TableWriter
from ...archive.destination import Target, keep_complete, named, opened, writing
from ...archive.reader import Archive
from ...archive.writer import About, ArchiveWriter, Seal, Written
from ...crypto.fields import FieldCipher
from ...crypto.seal import SpoolFile
from ...errors import DamagedArchiveError, UsageError, WrongKeyError
from ...host.processes import InOrder, cores_for
from ...host.sorting import LineSorter
from ...host.spooling import spool_files
from ...limits import MIB
from ...model import registry
from ...model.projection import Numbering, meta_line
from ...model.registry import Table
from ...model.spaces import SpaceNumbers
from ...rows.archived import clean_rows, is_ours
from ...rows.completeness import Completeness
from ...rows.identity import ActorKinds, RowIds
from ...rows.marks import Marks
from ...rows.side_by_side import MetaLines
from ...text import jsontext
from ...text.jsonmembers import writable_members
from ...text.jsontext import JSON
from ..progress import Step, Watch, teller
from .blocks import MOST_SPACES, MisreadRowError, Piece, RekeyedBlock, Terms, pieces, rekey_block, rekey_rows
from .carried import carried_case, carried_completeness, carried_filter
from .rows import RowMaker

NOBODY = "-"
"""Stands for the user id in the manifest of an archive that does not tell it."""
_BREAK = b"\0"
"""Between a row and its meta line while they are sorted: no JSON text holds it."""
_GROWTH = 10
"""A short value grows as much when it is encrypted."""


@dataclass(frozen=True, slots=True)
class RekeyResult:
    """What became of an archive."""

    archive: Path
    written: Written
    key_fingerprint: str
    """Of the key that the fields are encrypted under now."""
    rekeyed_for: str | None
    """User id of the target account, where it is known."""
    encrypted_fields: int
    status: str
    """``partial`` when the source was, or when something was left out."""
    losses: dict[str, int]
    """What was lost on the way, kind → count."""
    notices: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The object that ``rekey --json`` prints (``formats/schemas/rekey.schema.json``)."""
        return {
            "archive": str(self.archive),
            "bytes": self.written.bytes,
            "rows": self.written.rows,
            "tables": len(self.written.row_counts),
            "dataSha256": self.written.data_sha256,
            "sealed": self.written.sealed,
            "keyFingerprint": self.key_fingerprint,
            "rekeyedFor": self.rekeyed_for,
            "encryptedFields": self.encrypted_fields,
            "status": self.status,
            "losses": self.losses,
            "notices": self.notices,
        }


def rekey(
    archive: Archive,
    target: Target,
    cipher: FieldCipher,
    *,
    opener: FieldCipher | None = None,
    user_id: str | None = None,
    home: str | None = None,
    seal: Seal | None = None,
    keep_visibility: bool = False,
    force: bool = False,
    strict: bool = False,
    progress: Watch | None = None,
    processes: int | None = None,
) -> RekeyResult:
    """Write an open archive to ``target``, its private fields encrypted under ``cipher``.

    ``opener`` opens what is encrypted in the archive: all private fields when it was rekeyed itself, else what was left
    encrypted when it was made. ``user_id`` is the target account's, for the manifest, and ``home`` its personal space,
    by which the web app's import finds the rows that it has one of. ``progress`` is told of :attr:`Step.REKEY`.
    ``processes`` is how many take part, this one included; without it, as many as a large archive needs.

    ``force`` and ``strict`` are as for an export.

    Raises :class:`WrongKeyError` when the archive is encrypted under another key than ``opener``'s,
    :class:`UsageError` when it is encrypted and there is no ``opener``, :class:`DamagedArchiveError`,
    :class:`OutputError`, :class:`LockedError`.
    """
    check_opener(archive, opener)
    size = archive.reader.size
    make_file = spool_files(target)
    known = registry.load()
    if processes is None:
        processes = cores_for(size)
    terms = Terms(
        cipher,
        opener,
        archive.manifest.user_id,
        home,
        Marks.of(archive),
        keep_visibility,
        list(archive.meta("spaces")),
        ActorKinds(archive.meta("actors")),
    )
    output = opened(target, force=force)
    with (
        writing(target),
        InOrder(partial(rekey_block, terms), processes) as blocks,
        output as file,
        ArchiveWriter(
            file,
            tables=[table.name for table in known.tables],
            seal=seal,
            make_spool_file=make_file,
            rewritten=archive,
            may_exceed_4_gib=size * _GROWTH >= 2**32 - MIB,
        ) as writer,
    ):
        problem_lines = writer.spool(names.entry("meta", "problems"))
        problems = Completeness(problem_lines.add)
        maker = terms.maker(problems.note)
        spaces, actors, ids = maker.spaces, maker.actors, maker.ids
        for line in _problem_lines(archive, ids):
            problem_lines.add(line)
        run = _Run(archive, maker, make_file, writer, problems, blocks)
        tell = teller(progress, Step.REKEY)
        done = 0
        for name in archive.tables:
            table_size = archive.reader.table_size(name)
            run.table(name, known.by_name.get(name), table_size * _GROWTH)
            done += table_size
            tell(done, size)
        run.finish()
        problem_lines.close()
        if actors.used:
            writer.add(names.entry("meta", "actors"), _text(actors.lines()))
        if len(spaces):
            writer.add(names.entry("meta", "spaces"), _text(spaces.lines_without_ids()))
        completeness = carried_completeness(archive.manifest, ids, problems)
        status = problems.status if completeness is None else completeness["status"]
        keep_complete(output, status, seal, strict=strict)
        written = writer.finish(_about(archive), _additions(archive, spaces, completeness, cipher, user_id))
    counts = problems.counts()
    return RekeyResult(
        archive=named(target),
        written=written,
        key_fingerprint=cipher.fingerprint,
        rekeyed_for=user_id,
        encrypted_fields=run.encrypted_fields,
        status=status,
        losses=counts["losses"],
        notices=counts["notices"],
    )


def check_opener(archive: Archive, opener: FieldCipher | None) -> None:
    """Whether a key is the one that an encrypted archive names.

    Raises :class:`WrongKeyError` for another one, :class:`UsageError` where one is needed and there is none.
    """
    manifest = archive.manifest
    if manifest.fields_plaintext:
        return
    if opener is None:
        raise UsageError("the archive is encrypted, and its key was not given")
    stated = manifest.key_fingerprint
    if stated is not None and stated != opener.fingerprint:
        raise WrongKeyError(
            f"the archive is encrypted under another key ({stated}) than the one given ({opener.fingerprint})"
        )


class _Run:
    """The tables of the new archive, in order, from those of the old one."""

    def __init__(
        self,
        archive: Archive,
        maker: RowMaker,
        make_file: Callable[[], SpoolFile],
        writer: ArchiveWriter,
        problems: Completeness,
        blocks: InOrder[Piece, RekeyedBlock | None],
    ) -> None:
        self._archive = archive
        self._maker = maker
        self._make_file = make_file
        self._writer = writer
        self._problems = problems
        self._blocks = blocks
        self._ours = is_ours(archive)
        self._in_blocks = self._ours and len(maker.spaces) <= MOST_SPACES
        self._encrypted_in_blocks = 0
        self._tables: deque[tuple[str, int]] = deque()
        """Those that are read and not begun to be written: name, and bound of their bytes."""
        self._given: deque[Piece] = deque()
        """Those whose blocks are not written yet."""
        self._target: TableWriter | None = None
        self._opened = ""

    @property
    def encrypted_fields(self) -> int:
        """Fields that are ciphertext now."""
        return self._encrypted_in_blocks + self._maker.encrypted_fields

    def table(self, name: str, table: Table | None, bound: int) -> None:
        """Writes a table, or reads it and has it written while the next ones are read."""
        self._tables.append((name, bound))
        if self._in_blocks and not self._maker.ids.in_table(name):
            for piece in self._pieces(name):
                self._given.append(piece)
                if not self._blocks.offer(piece):
                    self._blocks.do(piece)
                self._take(self._blocks.ready())
        else:
            self._take(self._blocks.rest())
            self._maker.note = self._problems.note
            target = self._open(name)
            for row, meta in self._by_rows(name, table):
                target.add(row, meta or None)

    def finish(self) -> None:
        """Writes what is still to be written."""
        self._take(self._blocks.rest())
        while self._tables:
            self._open(self._tables[0][0])
        self._close()

    def _take(self, blocks: Iterator[RekeyedBlock | None]) -> None:
        try:
            for block in blocks:
                self._add(self._given[0], block)
                self._given.popleft()
        except MisreadRowError:
            self._archive.reader.refuse_misread(self._given[0].table)

    def _open(self, name: str) -> TableWriter:
        """The open table; those before it end, as they have all their rows."""
        while self._target is None or self._opened != name:
            self._close()
            self._opened, bound = self._tables.popleft()
            self._target = self._writer.table(self._opened, bound=bound)
        return self._target

    def _close(self) -> None:
        if self._target is not None:
            self._target.close()
            self._target = None

    def _pieces(self, name: str) -> Iterator[Piece]:
        try:
            yield from pieces(self._archive, name)
        except DamagedArchiveError:
            self._take(self._blocks.rest())  # what is wrong before is said first, however far behind the others are
            raise

    def _add(self, piece: Piece, block: RekeyedBlock | None) -> None:
        if block is None:
            before = self._maker.encrypted_fields
            block = rekey_rows(self._maker, piece)
            self._maker.encrypted_fields = before
        self._encrypted_in_blocks += block.encrypted_fields
        self._maker.actors.used |= block.actors
        for case in block.cases:
            self._problems.note(case)
        self._open(piece.table).add_block(block.text, block.deflated, block.meta, block.rows)

    def _by_rows(self, name: str, table: Table | None) -> Iterator[tuple[bytes, bytes]]:
        """(line, meta line) of each row of a table, ids ascending."""
        rows = self._own_rows(name, table) if self._ours else self._foreign_rows(name, table)
        if self._ours and not self._maker.ids.in_table(name):
            for _, line, meta in rows:
                yield line, meta
            return
        sorter = LineSorter(self._make_file)
        sorter.add((identifier, line + _BREAK + meta) for identifier, line, meta in rows)
        for _, lines in sorter.groups():
            if len(lines) > 1:  # somebody has called a row what another one is to be called
                raise DamagedArchiveError("two rows would have one id", code="line", where=names.entry("data", name))
            line, _, meta = lines[0].partition(_BREAK)
            yield line, meta

    def _own_rows(self, name: str, table: Table | None) -> Iterator[tuple[str, bytes, bytes]]:
        metas = MetaLines(self._archive, name)
        for row in self._archive.reader.rows(name, ordered=True):
            meta = metas.of(row.id)
            translated = None if meta is None else self._maker.translated(meta, metas.where)
            yield self._maker.make(name, table, row.id, writable_members(row.line), translated)
        metas.finish()

    def _foreign_rows(self, name: str, table: Table | None) -> Iterator[tuple[str, bytes, bytes]]:
        for row in clean_rows(self._archive, name):
            meta = None
            if row.record is not None and row.record.stamps:
                meta = meta_line(row.record, table, Numbering(self._maker.actors, self._maker.spaces))
            yield self._maker.make(name, table, row.id, writable_members(row.line), meta)


def _problem_lines(archive: Archive, ids: RowIds) -> Iterator[bytes]:
    """The source's own problems, which are the new archive's as well."""
    for line in archive.meta("problems"):
        yield jsontext.dumps(carried_case(line, ids))


def _about(archive: Archive) -> About:
    manifest = archive.manifest
    schema_version = manifest.raw["schemaVersion"]
    return About(
        user_id=NOBODY,
        exported_at=manifest.exported_at,
        scope=manifest.raw["scope"],
        fields_plaintext=False,
        schema_version=schema_version if isinstance(schema_version, int) else 0,
    )


def _additions(
    archive: Archive,
    spaces: SpaceNumbers,
    completeness: dict[str, JSON] | None,
    cipher: FieldCipher,
    user_id: str | None,
) -> dict[str, JSON]:
    """The manifest's keys that the web app does not know."""
    stated = carried_filter(archive.manifest, spaces)
    return {
        "registryVersion": registry.load().version,
        "ciphertextMarked": True,
        **({"filter": stated} if stated else {}),
        **({"completeness": completeness} if completeness is not None else {}),
        "keyFingerprint": cipher.fingerprint,
        **({"rekeyedFor": user_id} if user_id is not None else {}),
    }


def _text(lines: Iterable[bytes]) -> bytes:
    return b"\n".join([*lines, b""])
