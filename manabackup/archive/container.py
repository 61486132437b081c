"""Reads ZIP containers that may have been made to do harm.

Before a byte is inflated the whole structure is checked: every byte of the file belongs to exactly one local header,
entry, descriptor, or the central directory; local and central headers agree; names, methods, flags, sizes and ratios
are what the format allows. While an entry is read, its size and CRC-32 are checked. Source: APPNOTE 6.3;
``formats/mana-v2.md``, "Reading safely".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ..crypto.seal import ByteSource
from ..host.ahead import ahead
from ..limits import DEFAULT_LIMITS, MIB, Limits
from . import deflate, names
from .behind import told
from .endrecord import End, damaged, read_end
from .inflate import InflateError, inflated
from .repacked import HINT, is_litter, original_names
from .sources import PartSource
from .zipwriter import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    DATE,
    DEFLATED,
    DESCRIPTOR_SIGNATURE,
    EXTERNAL_ATTRIBUTES,
    FLAG_DESCRIPTOR,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    MADE_BY,
    MAX_32,
    STORED,
    VERSION,
    VERSION_ZIP64,
    ZIP64_EXTRA,
)

_FLAG_UTF8 = 0x0800
_FLAGS_DEFLATE_OPTIONS = 0x0006
_ALLOWED_FLAGS = FLAG_DESCRIPTOR | _FLAG_UTF8 | _FLAGS_DEFLATE_OPTIONS
_CHUNK = MIB
_AHEAD = 2
"""Chunks that are read before they are asked for."""
_OVERLAP = "entries overlap, or bytes lie between them"
_LARGEST_DIRECTORY = 64 * MIB
_FIXED_DATES = (DATE, 0)
"""What this tool writes, and what version 0.1.0 wrote."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as the central directory has it and the local header confirms it."""

    name: str
    """As this format calls it, whatever another packer made of it."""
    kind: names.EntryKind
    raw_name: bytes
    """As it stands in the container."""
    date: int
    version: int
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    header_offset: int
    data_offset: int
    fixed: bool
    """Every field without a second copy has its one fixed value."""


class Container:
    """A checked container. Raises :class:`DamagedArchiveError` when constructed from anything else."""

    def __init__(self, source: ByteSource, limits: Limits = DEFAULT_LIMITS, *, at_once: bool = True) -> None:
        self._source = source
        self._limits = limits
        self.at_once = at_once
        """Whether all local headers were checked first. Far away each costs a request: then each when it is used."""
        self._ends: dict[str, int] = {}
        """By name, where the next entry must begin; of those whose local header is not checked yet."""
        self.entries: dict[str, Entry] = {}
        """By name, in the central directory's order."""
        self.renamed = False
        """Whether another program packed the entries again, under other names."""
        end = read_end(source)
        self._fixed_end = end.fixed
        self._check(end)

    def of_kind(self, kind: names.EntryKind) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries.values() if entry.kind == kind]

    def chunks(self, entry: Entry, raw: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
        """The content of an entry. Its size and CRC-32 have been checked when the iterator ends.

        ``raw`` is given the entry's bytes as they lie in the container, before what they hold comes out.
        """
        entry = self._checked(entry)
        produced = crc = 0
        pieces = self._stored(entry) if raw is None else told(self._read_ahead(entry), raw)
        for chunk in pieces if entry.method == STORED else self._inflated(entry, pieces):
            produced += len(chunk)
            if produced > entry.size:
                raise damaged("holds more than its header says", "size", entry.name)
            crc = deflate.crc32(chunk, crc)
            yield chunk
        if produced != entry.size:
            raise damaged("holds less than its header says", "size", entry.name)
        if crc != entry.crc:
            raise damaged("damaged: its CRC-32 does not match", "crc", entry.name)

    def read(self, entry: Entry, limit: int) -> bytes:
        """The whole content of an entry of at most ``limit`` bytes."""
        if entry.size > limit:
            raise damaged(f"larger than {limit:,} bytes", "limit", entry.name)
        return b"".join(self.chunks(entry))

    def stored_part(self, entry: Entry) -> PartSource:
        """The bytes of a stored entry in place."""
        entry = self._checked(entry)
        return PartSource(self._source, entry.data_offset, entry.compressed)

    def require_fixed_bytes(self) -> None:
        """Refuse the freedoms that ZIP leaves, as a sealed archive of this tool must not use them.

        Raises :class:`DamagedArchiveError`. With this, no bit of the outer container can be changed unseen.
        """
        self._check_all()
        for entry in self.entries.values():
            if not entry.fixed:
                raise damaged("a header field has been changed", "container", printable(entry.name))
        if not self._fixed_end or len({entry.date for entry in self.entries.values()}) > 1:
            raise damaged("a field of the end record has been changed", "container")

    def is_packed_again(self) -> bool:
        """Whether another program made this container of a sealed archive's entries, whose contents vouch for it.

        No such program writes any header as this tool does. Damage leaves some of them.
        """
        self._check_all()
        return self.renamed or not any(entry.fixed for entry in self.entries.values())

    def _stored(self, entry: Entry) -> Iterator[bytes]:
        at, stop = entry.data_offset, entry.data_offset + entry.compressed
        while at < stop:
            # A sealed body gives whole blocks without putting them together from parts.
            count = min(_CHUNK - at % _CHUNK, stop - at)
            yield self._source.read_at(at, count)
            at += count

    def _read_ahead(self, entry: Entry) -> Iterator[bytes]:
        return ahead(self._stored(entry), most=_AHEAD) if entry.compressed > _AHEAD * _CHUNK else self._stored(entry)

    def _inflated(self, entry: Entry, pieces: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from inflated(pieces, _CHUNK)
        except InflateError as error:
            raise damaged(f"damaged: {error}", "deflate", entry.name) from None

    # --- the check ----------------------------------------------------------------------------------------------------

    def _check(self, end: End) -> None:
        limits = self._limits
        if end.count > limits.entries + limits.blobs:
            raise damaged(f"has more than {limits.entries + limits.blobs:,} entries", "limit")
        if end.directory_size > _LARGEST_DIRECTORY:
            raise damaged("has a central directory beyond all measure", "limit")
        directory = self._source.read_at(end.directory_offset, end.directory_size)
        if len(directory) != end.directory_size:
            raise damaged("is cut off", "truncated")
        found: list[Entry] = []
        at = 0
        for _ in range(end.count):
            entry, at = self._central(directory, at)
            found.append(entry)
        if at != len(directory):
            raise damaged("the central directory does not end where it should", "container")
        found = self._called(found)
        blobs = sum(entry.kind == "blob" for entry in found)
        if blobs > limits.blobs or len(found) - blobs > limits.entries:
            raise damaged(f"has more than {limits.entries:,} entries, or {limits.blobs:,} files", "limit")
        if sum(entry.size for entry in found) > limits.total_bytes:
            raise damaged(f"would inflate to more than {limits.total_bytes:,} bytes", "limit")
        if not self.at_once:
            self._expect(found, end.directory_offset)
            return
        position = 0
        for entry in sorted(found, key=lambda entry: entry.header_offset):
            if entry.header_offset != position:
                raise damaged(_OVERLAP, "container", printable(entry.name))
            located, position = self._local(entry)
            self.entries[entry.name] = located
        if position != end.directory_offset:
            raise damaged("bytes lie between the entries and the central directory", "container")

    def _expect(self, found: list[Entry], directory_offset: int) -> None:
        """Take down where each entry must end; as far as the directory tells, there is room for it."""
        position = 0
        following = sorted(found, key=lambda entry: entry.header_offset)
        for entry in reversed(following):
            stop = directory_offset
            directory_offset = entry.header_offset
            if entry.header_offset + LOCAL_HEADER.size + len(entry.raw_name) + entry.compressed > stop:
                raise damaged(_OVERLAP, "container", printable(entry.name))
            self._ends[entry.name] = stop
            position = entry.header_offset
        if position != 0:
            raise damaged(_OVERLAP, "container", printable(following[0].name))

    def _checked(self, entry: Entry) -> Entry:
        """An entry whose local header has been checked."""
        stop = self._ends.get(entry.name)
        if stop is not None:
            located, position = self._local(self.entries[entry.name])
            if position != stop:
                raise damaged(_OVERLAP, "container", printable(entry.name))
            self.entries[entry.name] = located
            self._ends.pop(entry.name, None)
        return self.entries[entry.name]

    def _check_all(self) -> None:
        for entry in [*self.entries.values()]:
            self._checked(entry)

    def _called(self, found: list[Entry]) -> list[Entry]:
        """The entries under the names that this format has for them, which are checked."""
        originals = original_names([entry.name for entry in found])
        self.renamed = bool(originals)
        called: list[Entry] = []
        for entry in found:
            name = originals.get(entry.name, entry.name)
            kind = names.kind(name)
            if is_litter(entry.name) or (self.renamed and name == ""):  # the folder that was packed
                name, kind = entry.name, "other"
            if kind is None:
                raise damaged("an entry with a nested or absolute name", "entryName", printable(entry.name))
            if name in self.entries:
                raise damaged("stands twice in the archive", "duplicateEntry", printable(entry.name))
            called.append(replace(entry, name=name, kind=kind))
            self.entries[name] = called[-1]
        return called

    def _central(self, directory: bytes, at: int) -> tuple[Entry, int]:
        if len(directory) - at < CENTRAL_HEADER.size:
            raise damaged("the central directory is cut off", "container")
        (
            signature,
            made_by,
            version,
            flags,
            method,
            time,
            date,
            crc,
            compressed,
            size,
            name_length,
            extra_length,
            comment_length,
            disk,
            internal,
            external,
            offset,
        ) = CENTRAL_HEADER.unpack_from(directory, at)
        if signature != CENTRAL_SIGNATURE:
            raise damaged("the central directory is damaged", "container")
        start = at + CENTRAL_HEADER.size
        stop = start + name_length + extra_length + comment_length
        if stop > len(directory):
            raise damaged("the central directory is cut off", "container")
        raw_name = directory[start : start + name_length]
        name = self._name(raw_name)
        where = printable(name)
        if disk != 0:
            raise damaged("says it lies on another disk", "container", where)
        extra = directory[start + name_length : start + name_length + extra_length]
        large = [
            label
            for label, value in (("size", size), ("compressed", compressed), ("offset", offset))
            if value == MAX_32
        ]
        values = _zip64_values(extra, len(large), where) if large else {}
        numbers = dict(zip(large, values, strict=False))
        size, compressed = numbers.get("size", size), numbers.get("compressed", compressed)
        offset = numbers.get("offset", offset)
        self._check_sizes(where, method, compressed, size)
        fixed = (
            (made_by, flags, method, time, comment_length, internal, external)
            == (MADE_BY, 0, STORED, 0, 0, 0, EXTERNAL_ATTRIBUTES)
            and date in _FIXED_DATES
            and extra_length == (4 + 8 * len(large) if large else 0)
            and (version == VERSION_ZIP64 or not large)
        )
        entry = Entry(name, "other", raw_name, date, version, flags, method, crc, compressed, size, offset, -1, fixed)
        return entry, stop

    def _name(self, raw: bytes) -> str:
        if not raw or len(raw) > self._limits.entry_name:
            raise damaged("an entry with an empty or overlong name", "entryName")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise damaged("an entry with a name that is not UTF-8", "entryName") from None

    def _check_sizes(self, where: str, method: int, compressed: int, size: int) -> None:
        limits = self._limits
        if size > limits.entry_bytes:
            raise damaged(f"would inflate to more than {limits.entry_bytes:,} bytes", "limit", where)
        if method == STORED and compressed != size:
            raise damaged("stored with two different sizes", "size", where)
        if size > limits.ratio * max(compressed, 1):
            raise damaged("would inflate beyond what deflate can do", "limit", where)

    def _local(self, entry: Entry) -> tuple[Entry, int]:
        """The entry with its data's place, and where the next local header must begin."""
        where = printable(entry.name)
        header = self._source.read_at(entry.header_offset, LOCAL_HEADER.size)
        if len(header) != LOCAL_HEADER.size:
            raise damaged("its local header is cut off", "truncated", where)
        signature, version, flags, method, time, date, crc, compressed, size, name_length, extra_length = (
            LOCAL_HEADER.unpack(header)
        )
        if signature != LOCAL_SIGNATURE:
            raise damaged("its local header is damaged", "container", where)
        variable = self._source.read_at(entry.header_offset + LOCAL_HEADER.size, name_length + extra_length)
        if len(variable) != name_length + extra_length:
            raise damaged("its local header is cut off", "truncated", where)
        if variable[:name_length] != entry.raw_name:
            raise damaged("local and central header name different entries", "container", where)
        if (flags, method) != (entry.flags, entry.method):
            raise damaged("local and central header disagree", "container", where)
        if flags & 1:
            raise damaged("encrypted in a way that this format does not have", "container", where, HINT)
        if flags & ~_ALLOWED_FLAGS:
            raise damaged("has unknown flags", "container", where)
        if method not in (STORED, DEFLATED):
            raise damaged(f"compressed by a method that this format does not have ({method})", "container", where, HINT)
        extra = variable[name_length:]
        zip64 = MAX_32 in (compressed, size)
        if zip64:
            values = iter(_zip64_values(extra, (size == MAX_32) + (compressed == MAX_32), where))
            size = next(values) if size == MAX_32 else size
            compressed = next(values) if compressed == MAX_32 else compressed
        described = bool(flags & FLAG_DESCRIPTOR)
        for found, true in ((crc, entry.crc), (compressed, entry.compressed), (size, entry.size)):
            # What a writer did not know yet is 0 where a descriptor follows; Info-ZIP knows one of the three.
            if found != true and not (described and found == 0):
                raise damaged("local and central header disagree", "container", where)
        data_offset = entry.header_offset + LOCAL_HEADER.size + len(variable)
        stop = data_offset + entry.compressed
        if described:
            stop = self._after_descriptor(entry, stop, where)
        if stop > self._source.size:
            raise damaged("is cut off", "truncated", where)
        fixed = (
            entry.fixed
            and (time, date) == (0, entry.date)
            and extra_length == (20 if zip64 else 0)
            and version == (VERSION_ZIP64 if zip64 else VERSION)
            and entry.version == (VERSION_ZIP64 if zip64 or entry.header_offset >= MAX_32 else VERSION)
        )
        return replace(entry, data_offset=data_offset, fixed=fixed), stop

    def _after_descriptor(self, entry: Entry, at: int, where: str) -> int:
        """A data descriptor has a signature or not, and sizes of 4 or 8 bytes; its content decides which."""
        raw = self._source.read_at(at, 24)
        for signature in (DESCRIPTOR_SIGNATURE, b""):
            for sizes in ("<I2Q", "<3I"):
                layout = struct.Struct(sizes)
                length = len(signature) + layout.size
                if len(raw) >= length and raw.startswith(signature):
                    described = layout.unpack_from(raw, len(signature))
                    if described == (entry.crc, entry.compressed, entry.size):
                        return at + length
        raise damaged("its data descriptor disagrees with the central directory", "container", where)


def _zip64_values(extra: bytes, count: int, where: str) -> tuple[int, ...]:
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        if at + 4 + length > len(extra):
            break
        if tag == ZIP64_EXTRA and length >= 8 * count:
            values: tuple[int, ...] = struct.unpack_from(f"<{count}Q", extra, at + 4)
            return values
        at += 4 + length
    raise damaged("its Zip64 sizes are missing", "container", where)


def printable(name: str) -> str:
    """An entry's name for a message: control characters escaped, not too long."""
    shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
    return shown if len(shown) <= 120 else shown[:117] + "..."
