"""The rows of an archive as converters get them: those that were asked for, without what is to be left out.

Every row comes with what its table's description says of it, and with when it was made and last changed, which most
rows do not say themselves (``formats/modules.md``, ``createdAt``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from functools import cached_property
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..archive.reader import Archive
from ..archive.rowlines import MisreadRowError
from ..crypto.spools import SpoolFile
from ..errors import UsageError
from ..host.processes import InOrder, cores_for
from ..host.sorting import LineSorter
from ..limits import KIB
from ..model import modules, spaces
from ..model.choosing import chosen_tables
from ..model.tables import TableModel
from ..rows.archived import RESERVED_META, clean_rows, is_ours
from ..rows.marks import Marks
from ..rows.side_by_side import MetaLines
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.printable import printable
from ..text.suggestions import did_you_mean
from .groups import Groups, sortable
from .left_out import KINDS, LeftOut
from .options import ConvertOptions
from .read_rows import RawRow, RowReader, is_tombstone, unpacked
from .read_rows import ReadRow as ReadRow

T = TypeVar("T")
TECHNICAL = "technical"
_BLOCK_BYTES = 384 * KIB
_MOST_ROWS = 500


class Reading:
    """The rows of an open archive under some options. ``progress`` is told (rows done, rows in all).

    ``processes`` is how many take part, this one included; without it, as many as a large table needs.
    """

    def __init__(
        self,
        archive: Archive,
        options: ConvertOptions,
        *,
        make_file: Callable[[], SpoolFile],
        progress: Callable[[int, int], object] | None = None,
        processes: int | None = None,
    ) -> None:
        self.archive = archive
        self.options = options
        self.language = options.language
        self.left_out = LeftOut()
        self.modules = modules.load()
        self.make_file = make_file
        """Makes an anonymous file; what goes into it is encrypted."""
        self._progress = progress
        self._processes = processes
        self._done = 0
        self._counted: set[str] = set()
        self._told: set[str] = set()
        self._check_selection()

    # --- tables

    @cached_property
    def tables(self) -> list[str]:
        """The archive's tables that were asked for, in its order; those of no use to a reader only on demand."""
        wanted = []
        for name in self._tables_asked_for():
            model, options = self.modules.table(name), self.options
            technical = model is not None and model.role == TECHNICAL
            if technical and not options.include_technical and name not in options.tables:
                self.left_out.note(TECHNICAL, name, self.size(name))
                continue
            wanted.append(name)
        return wanted

    def _tables_asked_for(self) -> list[str]:
        existing = {name: self._app(name) for name in self.archive.tables}
        return chosen_tables(existing, self.options.apps, self.options.tables)

    def _app(self, name: str) -> str:
        model = self.modules.table(name)
        return model.app if model is not None else name.partition(".")[0]

    def model(self, name: str) -> TableModel | None:
        """The description of a table."""
        return self.modules.table(name)

    def label(self, name: str) -> str:
        """What a table is called."""
        model = self.model(name)
        return name if model is None else model.label.of(self.language)

    def has(self, name: str) -> bool:
        """Whether rows of a table were asked for, and the archive has such a table."""
        return name in self._chosen

    def size(self, name: str) -> int:
        """How many rows a table has, as the manifest counts them."""
        count = self.archive.manifest.row_counts.get(name)
        return count if type(count) is int else 0

    def leave_out_others(self, held: Callable[[str], bool]) -> None:
        """Take down the rows of all tables that a format has no place for."""
        for name in self.tables:
            if not held(name):
                kind = "otherTable" if self.model(name) is not None else "undescribed"
                self.left_out.note(kind, name, self.size(name))

    def count_anew(self) -> LeftOut:
        """Begin another conversion: what it leaves out is counted by itself. Gives the count so far."""
        so_far, self.left_out = self.left_out, LeftOut()
        self._counted.clear()
        return so_far

    @cached_property
    def _chosen(self) -> frozenset[str]:
        return frozenset(self.tables)

    # --- rows

    def rows(self, name: str) -> Iterator[ReadRow]:
        """The rows of a table, in the archive's order; nothing for a table that was not asked for.

        What is left out is taken down once, however often the table is read.
        """
        if name not in self._chosen:
            return iter(())
        return self._selected(name)

    def thrown_away(self, name: str) -> Iterator[ReadRow]:
        """The rows of a table that lie in the bin, whether they were asked for or not."""
        model = self.model(name)
        if name not in self._chosen or model is None:
            return iter(())
        rows = self._read(name, self._row_reader(name, include_deleted=True), LeftOut())
        return (row for row in rows if model.in_bin(row.values))

    def by_id(self, name: str) -> Iterator[ReadRow]:
        """The same with ids ascending by code point, in constant memory."""
        if is_ours(self.archive) or name not in self._chosen:
            yield from self.rows(name)
            return
        sorter = LineSorter(self.make_file)
        sorter.add((row.id, row.packed()) for row in self.rows(name))
        for _, lines in sorter.groups():
            yield unpacked(lines[0])

    def grouped(
        self, name: str, key: Callable[[ReadRow], str | None], place: Callable[[ReadRow], str] | None = None
    ) -> Groups:
        """The rows of a table by what ``key`` makes of them, in constant memory; None leaves a row out.

        Among those of one key the order is that of ``place``, by code point; without it those made first come first.
        """
        sorter = LineSorter(self.make_file)
        for row in self.rows(name):
            found = key(row)
            if found is not None:
                among = (row.created or "") if place is None else place(row)
                sorter.add([(sortable(found, among), row.packed())])
        return Groups(sorter.pairs())

    def ordered(self, name: str, key: Callable[[ReadRow], str]) -> Iterator[tuple[str, ReadRow]]:
        """(key, row) of a table, by what ``key`` makes of the rows, in constant memory."""
        sorter = LineSorter(self.make_file)
        sorter.add((key(row), row.packed()) for row in self.rows(name))
        for found, line in sorter.pairs():
            yield found, unpacked(line)

    def blocks(self, name: str, make: Callable[[Iterator[ReadRow]], T]) -> Iterator[T]:
        """What ``make`` gives for the rows of a table, some at a time, in order; on all cores where they are many.

        ``make`` may run in another process: it depends on its argument, and on what is in memory by now. What it takes
        down in :attr:`left_out` counts.
        """
        if name not in self._chosen:
            return
        rows, counts = self._row_reader(name), self._is_first(name)

        def work(raw_rows: list[RawRow]) -> tuple[T, LeftOut]:
            kept, self.left_out = self.left_out, LeftOut()
            try:
                return make(rows.rows(raw_rows, self.left_out if counts else LeftOut())), self.left_out
            finally:
                self.left_out = kept

        with InOrder(work, self._processes_for(name)) as pool:
            for raw_rows in self._raw_blocks(name):
                if not pool.offer(raw_rows):
                    pool.do(raw_rows)
                yield from self._taken(name, pool.ready())
            yield from self._taken(name, pool.rest())

    def _processes_for(self, name: str) -> int:
        if not is_ours(self.archive):
            return 1
        return self._processes or cores_for(self.archive.reader.table_size(name))

    def _taken(self, name: str, done: Iterator[tuple[T, LeftOut]]) -> Iterator[T]:
        try:
            for made, left_out in done:
                self.left_out.add(left_out)
                yield made
        except MisreadRowError:
            self.archive.reader.refuse_misread(name)

    def _selected(self, name: str) -> Iterator[ReadRow]:
        left_out = self.left_out if self._is_first(name) else LeftOut()
        return self._read(name, self._row_reader(name), left_out)

    def _read(self, name: str, rows: RowReader, left_out: LeftOut) -> Iterator[ReadRow]:
        try:
            for raw_rows in self._raw_blocks(name):
                yield from rows.rows(raw_rows, left_out)
        except MisreadRowError:
            self.archive.reader.refuse_misread(name)

    def _is_first(self, name: str) -> bool:
        """Whether a table is read for the first time."""
        first = name not in self._counted
        self._counted.add(name)
        return first

    def _row_reader(self, name: str, *, include_deleted: bool = False) -> RowReader:
        model = self.model(name)
        if self.options.spaces:
            _ = self._space_types  # in memory before other processes need it
        return RowReader(
            name,
            model,
            self._marks,
            secrets=frozenset() if self.options.include_secrets else self._secrets(model),
            include_deleted=include_deleted or self.options.include_deleted,
            in_space=self._in_space if self.options.spaces else None,
        )

    def _raw_blocks(self, name: str) -> Iterator[list[RawRow]]:
        """The rows of a table as they stand there, some at a time. Tells of progress when it is read for good."""
        tells = name not in self._told
        self._told.add(name)
        block: list[RawRow] = []
        room = _BLOCK_BYTES
        for row in self._raw_rows(name):
            block.append(row)
            room -= len(row[1])
            if room <= 0 or len(block) == _MOST_ROWS:
                yield block
                if tells:
                    self._tell(len(block))
                block, room = [], _BLOCK_BYTES
        if block:
            yield block
            if tells:
                self._tell(len(block))

    def _raw_rows(self, name: str) -> Iterator[RawRow]:
        if not is_ours(self.archive):
            for clean in clean_rows(self.archive, name):
                yield clean.id, clean.line, None, clean.record
            return
        unread = self.archive.reader.unread_rows(name)
        if name in RESERVED_META:
            yield from ((identifier, line, None, None) for identifier, line in unread)
            return
        metas = MetaLines(self.archive, name)
        for identifier, line in unread:
            yield identifier, line, metas.text if metas.of(identifier) is not None else None, None
        metas.finish()

    @cached_property
    def _marks(self) -> Marks:
        return Marks.of(self.archive)

    def _secrets(self, model: TableModel | None) -> frozenset[str]:
        return model.secrets if model is not None else self.modules.secrets

    def _tell(self, more: int) -> None:
        self._done += more
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)

    @cached_property
    def _total(self) -> int:
        return sum(map(self.size, self.tables))

    # --- what was asked for

    def _in_space(self, values: Mapping[str, JSON]) -> bool:
        space = values.get("spaceId")
        if not isinstance(space, str) or spaces.is_personal(space, self._space_types):
            return spaces.PERSONAL in self.options.spaces or space in self.options.spaces
        return space in self.options.spaces

    @cached_property
    def _space_types(self) -> dict[str, str]:
        lines = self.archive.meta("spaces")
        return {
            line["id"]: line["type"] for line in lines if type(line.get("id")) is str and type(line.get("type")) is str
        }

    def _check_selection(self) -> None:
        self._tables_asked_for()
        self._check_spaces()

    def _check_spaces(self) -> None:
        """What the archive lists is mostly enough; rows of tables that nobody knows may be of other spaces."""
        wanted = set(self.options.spaces) - {spaces.PERSONAL}
        there = {line["id"] for line in self.archive.meta("spaces") if type(line.get("id")) is str} if wanted else set()
        for name in self.archive.tables:
            if wanted <= there:
                return
            for row in self.archive.rows(name):
                if type(space := row.values().get("spaceId")) is str and space:
                    there.add(space)
        for space in sorted(wanted - there):
            hint = did_you_mean(space, there) or "`personal` is your own"
            raise UsageError(f"the archive has no space {printable(space)}", hint=hint)

    # --- what other rows say

    @cached_property
    def zone(self) -> tzinfo:
        """The zone of local clocks, which no row names: the one asked for, the default calendar's, the machine's."""
        if self.options.zone is not None:
            return self.options.zone
        return self.calendar_zone or self.options.machine_zone

    @cached_property
    def calendar_zone(self) -> ZoneInfo | None:
        """The zone of the default calendar; None where it has none that is known."""
        found: ZoneInfo | None = None
        if not self.archive.reader.has_table("calendars"):
            return None
        for row in clean_rows(self.archive, "calendars"):
            values = jsontext.parse_to_rewrite(row.line)
            zone = zone_called(values.get("timezone"))
            if zone is not None and not is_tombstone(values):
                if values.get("isDefault") is True:
                    return zone
                found = found or zone
        return found


def told_by_label(reading: Reading) -> Iterator[str]:
    """A line about each kind of what was left out, for people: how many, and of what."""
    for kind, count, tables in reading.left_out.told():
        meaning = KINDS[kind].meaning(count).of(reading.language)
        yield f"{meaning}: {count:,} ({', '.join(map(reading.label, tables))})"


def zone_called(name: JSON) -> ZoneInfo | None:
    """An IANA zone by its name; None for what is none."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
