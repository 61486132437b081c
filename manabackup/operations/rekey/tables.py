"""The tables of a rekeyed archive: in blocks on all cores, or row by row where ids change or nothing is sorted yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ...archive import names
from ...archive.content import TableWriter
from ...archive.reader import Archive
from ...archive.rowlines import MisreadRowError
from ...archive.writer import ArchiveWriter
from ...crypto.spools import SpoolFile
from ...errors import DamagedArchiveError
from ...host.processes import InOrder
from ...host.sorting import LineSorter
from ...model import registry
from ...model.projection import Numbering, meta_line
from ...model.registry import Table
from ...rows.archived import clean_rows, is_ours
from ...rows.side_by_side import MetaLines
from ...text.jsonmembers import writable_members
from ..progress import Tell
from .blocks import MOST_SPACES, Piece, RekeyedBlock, pieces, rekey_rows
from .rows import RowMaker

GROWTH = 10
"""A short value grows as much when it is encrypted."""
_BREAK = b"\0"
"""Between a row and its meta line while they are sorted: no JSON text holds it."""


class RekeyedTables:
    """The tables of the new archive, in order, from those of the old one, and what they share.

    ``maker`` sees the rows that no block is made of, and what blocks leave to who sees all of them in order. Rows are
    sorted, where they must be, in files that ``make_file`` makes.
    """

    def __init__(
        self,
        archive: Archive,
        maker: RowMaker,
        blocks: InOrder[Piece, RekeyedBlock | None],
        writer: ArchiveWriter,
        make_file: Callable[[], SpoolFile],
    ) -> None:
        self._archive = archive
        self._maker = maker
        self._make_file = make_file
        self._writer = writer
        self._note = maker.note
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

    def write(self, tell: Tell) -> None:
        """Writes all tables. ``tell`` takes (bytes read, bytes in all)."""
        known = registry.load().by_name
        reader = self._archive.reader
        done = 0
        for name in self._archive.tables:
            size = reader.table_size(name)
            self._table(name, known.get(name), size * GROWTH)
            done += size
            tell(done, reader.size)
        self._finish()

    def _table(self, name: str, table: Table | None, bound: int) -> None:
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
            self._maker.note = self._note
            target = self._open(name)
            for row, meta in self._by_rows(name, table):
                target.add(row, meta or None)

    def _finish(self) -> None:
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
            self._note(case)
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
