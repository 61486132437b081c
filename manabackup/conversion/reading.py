"""The rows of an archive as converters get them: those that were asked for, without what is to be left out.

Every row comes with what its table's description says of it, and with when it was made and last changed, which most
rows do not say themselves (``formats/modules.md``, ``createdAt``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..archive.reader import Archive
from ..archive.rowlines import Row
from ..crypto.fields import PREFIX, is_encrypted
from ..crypto.spools import SpoolFile
from ..errors import UsageError
from ..host.sorting import LineSorter
from ..model import modules, spaces
from ..model.projection import Record
from ..model.tables import TableModel
from ..rows.archived import RESERVED_META, CleanRow, clean_rows, is_ours
from ..rows.side_by_side import MetaLines
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.printable import printable
from ..text.suggestions import did_you_mean
from .left_out import LeftOut
from .options import ConvertOptions

_PREFIX = PREFIX.encode()
_STEP = 500
"""Rows between two words about progress."""
TECHNICAL = "technical"


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row, fit to be read."""

    id: str
    values: dict[str, JSON]
    """Without secrets and without what is still ciphertext, unless that was asked for; ``id`` included."""
    line: bytes
    """The whole row's canonical text; empty in rows that were set aside."""
    created: str | None
    """When it was made, as far as anybody knows: by what it says itself, else the first time that a writer gave."""
    modified: str | None
    """The last such time."""
    closed: Mapping[str, JSON] = field(default_factory=dict)
    """Fields that are still ciphertext: they are not among ``values``."""
    meta: bytes | None = None
    """Its line of ``meta/``, if it has one."""
    secrets: int = 0
    """How many fields were taken out because they let somebody in."""

    def packed(self) -> bytes:
        """All of it that :func:`unpacked` gives back."""
        text = jsontext.dumps([self.id, self.values, self.created, self.modified])
        return bytes(memoryview(text))  # what the fast writer gives keeps 4 KiB for itself while it is kept


def unpacked(line: bytes) -> ReadRow:
    """A row that was set aside to be brought into order."""
    identifier, values, created, modified = jsontext.parse_to_rewrite(line)
    return ReadRow(identifier, values, b"", created, modified)


class Reading:
    """The rows of an open archive under some options. ``progress`` is told (rows done, rows in all)."""

    def __init__(
        self,
        archive: Archive,
        options: ConvertOptions,
        *,
        make_file: Callable[[], SpoolFile],
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self.archive = archive
        self.options = options
        self.language = options.language
        self.left_out = LeftOut()
        self.modules = modules.load()
        self.make_file = make_file
        """Makes an anonymous file; what goes into it is encrypted."""
        self._progress = progress
        self._done = 0
        self._counted: set[str] = set()
        self._check_selection()

    # --- tables

    @cached_property
    def tables(self) -> list[str]:
        """The archive's tables that were asked for, in its order; those of no use to a reader only on demand."""
        chosen = []
        for name in self.archive.tables:
            model, app, options = self.modules.table(name), self._app(name), self.options
            if (options.apps and app not in options.apps) or (options.tables and name not in options.tables):
                continue
            technical = model is not None and model.role == TECHNICAL
            if technical and not options.include_technical and name not in options.tables:
                self.left_out.note(TECHNICAL, name, self.size(name))
                continue
            chosen.append(name)
        return chosen

    def _app(self, name: str) -> str:
        model = self.modules.table(name)
        return model.app if model is not None else name.partition(".")[0]

    def model(self, name: str) -> TableModel | None:
        """The description of a table."""
        return self.modules.table(name)

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
                sorter.add([(_sortable(found) + _END + among, row.packed())])
        return Groups(sorter.pairs())

    def ordered(self, name: str, key: Callable[[ReadRow], str]) -> Iterator[tuple[str, ReadRow]]:
        """(key, row) of a table, by what ``key`` makes of the rows, in constant memory."""
        sorter = LineSorter(self.make_file)
        sorter.add((key(row), row.packed()) for row in self.rows(name))
        for found, line in sorter.pairs():
            yield found, unpacked(line)

    def _selected(self, name: str) -> Iterator[ReadRow]:
        options, left_out = self.options, self.left_out
        model = self.model(name)
        first = name not in self._counted
        self._counted.add(name)
        metas = None
        if is_ours(self.archive) and name not in RESERVED_META:
            metas = MetaLines(self.archive, name)
        secrets = frozenset() if options.include_secrets else self._secrets(model)
        in_bin = model.in_bin if model is not None else _is_tombstone
        for number, (row, values) in enumerate(self._parsed(name)):
            if first and number % _STEP == 0:
                self._tell(_STEP)
            if options.spaces and not self._in_space(values):
                continue
            if not options.include_deleted and in_bin(values):
                if first:
                    left_out.note("bin", name)
                continue
            taken = 0
            if not secrets.isdisjoint(values):
                for secret in [secret for secret in values if secret in secrets and values[secret]]:
                    del values[secret]
                    taken += 1
                if first:
                    left_out.note("secret", name, taken)
            closed = _take_ciphertext(values) if _PREFIX in row.line else {}
            if closed and first:
                left_out.note("ciphertext", name, len(closed))
            meta = metas.of(row.id) if metas is not None else None
            text = metas.text if meta is not None and metas is not None else None
            yield ReadRow(
                row.id, values, row.line, *_times(values, meta, getattr(row, "record", None)), closed, text, taken
            )

    def _parsed(self, name: str) -> Iterator[tuple[Row | CleanRow, dict[str, JSON]]]:
        """The rows of a table, clean, and their values."""
        if is_ours(self.archive):
            for row in self.archive.reader.unread_rows(name):
                values = jsontext.parse_to_rewrite(row.line)
                if type(values) is not dict or values.get("id") != row.id:
                    self.archive.reader.refuse_misread(name)
                yield row, values
        else:
            for clean in clean_rows(self.archive, name):
                yield clean, jsontext.parse_to_rewrite(clean.line)

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
        there = self.archive.tables
        apps, tables = self.options.apps, self.options.tables
        _require("app", apps, {self._app(name) for name in there})
        _require("table", tables, set(there))
        if apps and tables and not any(self._app(name) in apps for name in tables):
            raise UsageError("none of the tables belongs to one of the apps")
        self._check_spaces()

    def _check_spaces(self) -> None:
        """What the archive lists is mostly enough; rows of tables that nobody knows may be of other spaces."""
        wanted = set(self.options.spaces) - {spaces.PERSONAL}
        there = {line["id"] for line in self.archive.meta("spaces") if type(line.get("id")) is str} if wanted else set()
        for name in self.archive.tables:
            if wanted <= there:
                return
            for _, values in self._parsed(name):
                if type(space := values.get("spaceId")) is str and space:
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
            if zone is not None and not _is_tombstone(values):
                if values.get("isDefault") is True:
                    return zone
                found = found or zone
        return found


_END = "\0"


def _sortable(key: str) -> str:
    """The same key without the character that ends it, in an order with others that is the same too."""
    return key.replace("\1", "\1\2").replace("\0", "\1\1")


class Groups:
    """Rows in groups, asked for with keys ascending by code point.

    Rows of groups that nobody asks for are set aside, packed, for :meth:`unasked`.
    """

    def __init__(self, pairs: Iterator[tuple[str, bytes]]) -> None:
        self._pairs = pairs
        self._next = next(pairs, None)
        self._passed: list[bytes] = []

    def of(self, key: str) -> Iterator[ReadRow]:
        """The rows of a group, those made first at the begin. Read it to its end before the next one is asked for."""
        wanted = _sortable(key)
        while self._next is not None and (found := self._next[0].partition(_END)[0]) <= wanted:
            line = self._next[1]
            self._next = next(self._pairs, None)
            if found == wanted:
                yield unpacked(line)
            else:
                self._passed.append(line)

    def unasked(self) -> Iterator[ReadRow]:
        """The rows of groups that nobody asked for; at the end."""
        while self._passed:
            yield unpacked(self._passed.pop(0))
        while self._next is not None:
            line = self._next[1]
            self._next = next(self._pairs, None)
            yield unpacked(line)


def zone_called(name: JSON) -> ZoneInfo | None:
    """An IANA zone by its name; None for what is none."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _take_ciphertext(values: dict[str, JSON]) -> dict[str, JSON]:
    closed = {field: value for field, value in values.items() if type(value) is str and is_encrypted(value)}
    for name in closed:
        del values[name]
    return closed


def _is_tombstone(values: Mapping[str, JSON]) -> bool:
    return bool(values.get("deletedAt"))


def _times(
    values: Mapping[str, JSON], meta: Mapping[str, JSON] | None, record: Record | None
) -> tuple[str | None, str | None]:
    """When a row was made and last changed. Times of writers are compared as strings, as every web client does."""
    stamps: list[str] = []
    if meta is not None:
        fields = meta.get("fields")
        stamps = [field["at"] for field in fields.values() if field.get("at")] if fields else []
        if meta.get("at"):
            stamps.append(meta["at"])
    elif record is not None:
        stamps = [stamp.at for stamp in record.stamps.values() if stamp.at]
    own = values.get("createdAt")
    created = own if isinstance(own, str) and own else min(stamps, default=None)
    changed = values.get("updatedAt")
    if not stamps and isinstance(changed, str) and changed:
        return created, changed
    return created, max(stamps, default=created)


def _require(what: str, wanted: object, there: set[str]) -> None:
    assert isinstance(wanted, list | tuple)
    for name in wanted:
        if name not in there:
            raise UsageError(f"the archive has no {what} {printable(name[:64])}", hint=did_you_mean(name, there))
