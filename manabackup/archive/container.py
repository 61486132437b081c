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

from ..ahead import ahead
from ..crypto.seal import Source
from ..errors import DamagedArchiveError
from ..limits import DEFAULT_LIMITS, MIB, Limits
from . import deflate, names
from .behind import told
from .inflate import InflateError, inflated
from .sources import PartSource
from .zipwriter import (
    CENTRAL_HEADER,
    CENTRAL_SIGNATURE,
    DEFLATED,
    DESCRIPTOR_SIGNATURE,
    END,
    END_64,
    END_64_SIGNATURE,
    END_SIGNATURE,
    EXTERNAL_ATTRIBUTES,
    FLAG_DESCRIPTOR,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    LOCATOR_64,
    LOCATOR_64_SIGNATURE,
    MADE_BY,
    MAX_16,
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
_LARGEST_DIRECTORY = 64 * MIB
_LONGEST_COMMENT = MAX_16


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as the central directory has it and the local header confirms it."""

    name: str
    kind: names.Kind
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

    def __init__(self, source: Source, limits: Limits = DEFAULT_LIMITS) -> None:
        self._source = source
        self._limits = limits
        self.entries: dict[str, Entry] = {}
        """By name, in the central directory's order."""
        end = _read_end(source)
        self._fixed_end = end.fixed
        self._check(end)

    def of_kind(self, kind: names.Kind) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries.values() if entry.kind == kind]

    def chunks(self, entry: Entry, raw: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
        """The content of an entry. Its size and CRC-32 have been checked when the iterator ends.

        ``raw`` is given the entry's bytes as they lie in the container, before what they hold comes out.
        """
        produced = crc = 0
        pieces = self._stored(entry) if raw is None else told(self._read_ahead(entry), raw)
        for chunk in pieces if entry.method == STORED else self._inflated(entry, pieces):
            produced += len(chunk)
            if produced > entry.size:
                raise _damaged("holds more than its header says", "size", entry.name)
            crc = deflate.crc32(chunk, crc)
            yield chunk
        if produced != entry.size:
            raise _damaged("holds less than its header says", "size", entry.name)
        if crc != entry.crc:
            raise _damaged("damaged: its CRC-32 does not match", "crc", entry.name)

    def read(self, entry: Entry, limit: int) -> bytes:
        """The whole content of an entry of at most ``limit`` bytes."""
        if entry.size > limit:
            raise _damaged(f"larger than {limit:,} bytes", "limit", entry.name)
        return b"".join(self.chunks(entry))

    def stored_part(self, entry: Entry) -> PartSource:
        """The bytes of a stored entry in place."""
        return PartSource(self._source, entry.data_offset, entry.compressed)

    def require_fixed_bytes(self) -> None:
        """Refuse the freedoms that ZIP leaves, as a sealed archive of this tool must not use them.

        Raises :class:`DamagedArchiveError`. With this, no bit of the outer container can be changed unseen.
        """
        for entry in self.entries.values():
            if not entry.fixed or entry.method != STORED:
                raise _damaged("a header field has been changed", "container", entry.name)
        if not self._fixed_end:
            raise _damaged("a field of the end record has been changed", "container")

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
            raise _damaged(f"damaged: {error}", "deflate", entry.name) from None

    # --- the check ----------------------------------------------------------------------------------------------------

    def _check(self, end: _End) -> None:
        limits = self._limits
        if end.count > limits.entries:
            raise _damaged(f"has more than {limits.entries:,} entries", "limit")
        if end.directory_size > _LARGEST_DIRECTORY:
            raise _damaged("has a central directory beyond all measure", "limit")
        directory = self._source.read_at(end.directory_offset, end.directory_size)
        if len(directory) != end.directory_size:
            raise _damaged("is cut off", "truncated")
        found: list[Entry] = []
        at = 0
        for _ in range(end.count):
            entry, at = self._central(directory, at)
            if entry.name in self.entries:
                raise _damaged("stands twice in the archive", "duplicateEntry", printable(entry.name))
            self.entries[entry.name] = entry
            found.append(entry)
        if at != len(directory):
            raise _damaged("the central directory does not end where it should", "container")
        if sum(entry.size for entry in found) > limits.total_bytes:
            raise _damaged(f"would inflate to more than {limits.total_bytes:,} bytes", "limit")
        position = 0
        for entry in sorted(found, key=lambda entry: entry.header_offset):
            if entry.header_offset != position:
                raise _damaged("entries overlap, or bytes lie between them", "container", printable(entry.name))
            located, position = self._local(entry)
            self.entries[entry.name] = located
        if position != end.directory_offset:
            raise _damaged("bytes lie between the entries and the central directory", "container")

    def _central(self, directory: bytes, at: int) -> tuple[Entry, int]:
        if len(directory) - at < CENTRAL_HEADER.size:
            raise _damaged("the central directory is cut off", "container")
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
            raise _damaged("the central directory is damaged", "container")
        start = at + CENTRAL_HEADER.size
        stop = start + name_length + extra_length + comment_length
        if stop > len(directory):
            raise _damaged("the central directory is cut off", "container")
        name = self._name(directory[start : start + name_length])
        where = printable(name)
        kind = names.kind(name)
        if kind is None:
            raise _damaged("an entry with a nested or absolute name", "entryName", where)
        if flags & 1:
            raise _damaged("encrypted in a way that this format does not know", "container", where)
        if flags & ~_ALLOWED_FLAGS:
            raise _damaged("has unknown flags", "container", where)
        if method not in (STORED, DEFLATED):
            raise _damaged(f"compressed by an unknown method ({method})", "container", where)
        if disk != 0:
            raise _damaged("says it lies on another disk", "container", where)
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
            (made_by, flags, time, date, comment_length, internal, external)
            == (MADE_BY, 0, 0, 0, 0, 0, EXTERNAL_ATTRIBUTES)
            and extra_length == (4 + 8 * len(large) if large else 0)
            and (version == VERSION_ZIP64 or not large)
        )
        return Entry(name, kind, version, flags, method, crc, compressed, size, offset, -1, fixed), stop

    def _name(self, raw: bytes) -> str:
        if not raw or len(raw) > self._limits.entry_name:
            raise _damaged("an entry with an empty or overlong name", "entryName")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise _damaged("an entry with a name that is not UTF-8", "entryName") from None

    def _check_sizes(self, where: str, method: int, compressed: int, size: int) -> None:
        limits = self._limits
        if size > limits.entry_bytes:
            raise _damaged(f"would inflate to more than {limits.entry_bytes:,} bytes", "limit", where)
        if method == STORED and compressed != size:
            raise _damaged("stored with two different sizes", "size", where)
        if size > limits.ratio * max(compressed, 1):
            raise _damaged("would inflate beyond what deflate can do", "limit", where)

    def _local(self, entry: Entry) -> tuple[Entry, int]:
        """The entry with its data's place, and where the next local header must begin."""
        where = printable(entry.name)
        header = self._source.read_at(entry.header_offset, LOCAL_HEADER.size)
        if len(header) != LOCAL_HEADER.size:
            raise _damaged("its local header is cut off", "truncated", where)
        signature, version, flags, method, time, date, crc, compressed, size, name_length, extra_length = (
            LOCAL_HEADER.unpack(header)
        )
        if signature != LOCAL_SIGNATURE:
            raise _damaged("its local header is damaged", "container", where)
        variable = self._source.read_at(entry.header_offset + LOCAL_HEADER.size, name_length + extra_length)
        if len(variable) != name_length + extra_length:
            raise _damaged("its local header is cut off", "truncated", where)
        if variable[:name_length] != entry.name.encode():
            raise _damaged("local and central header name different entries", "container", where)
        if (flags, method) != (entry.flags, entry.method):
            raise _damaged("local and central header disagree", "container", where)
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
                raise _damaged("local and central header disagree", "container", where)
        data_offset = entry.header_offset + LOCAL_HEADER.size + len(variable)
        stop = data_offset + entry.compressed
        if described:
            stop = self._after_descriptor(entry, stop, where)
        if stop > self._source.size:
            raise _damaged("is cut off", "truncated", where)
        fixed = (
            entry.fixed
            and (time, date) == (0, 0)
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
        raise _damaged("its data descriptor disagrees with the central directory", "container", where)


@dataclass(frozen=True, slots=True)
class _End:
    count: int
    directory_offset: int
    directory_size: int
    fixed: bool


def _read_end(source: Source) -> _End:
    tail_size = min(source.size, END.size + _LONGEST_COMMENT)
    tail = source.read_at(source.size - tail_size, tail_size)
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END.size:
        if source.read_at(0, 4) == LOCAL_SIGNATURE:
            raise _damaged("is cut off", "truncated")
        raise _damaged("is not a .mana archive", "notAnArchive")
    _, disk, directory_disk, here, count, size, offset, comment_length = END.unpack_from(tail, at)
    if at + END.size + comment_length != len(tail):
        raise _damaged("bytes lie behind the end of the archive, or it is cut off", "container")
    if disk or directory_disk or here != count:
        raise _damaged("is one part of several", "container")
    end_offset = source.size - tail_size + at
    fixed = comment_length == 0
    if MAX_16 in (count,) or MAX_32 in (size, offset):
        count, size, offset, end_offset, fixed_64 = _read_end_64(source, end_offset, count, size, offset)
        fixed = fixed and fixed_64
    elif source.read_at(max(0, end_offset - LOCATOR_64.size), 4) == LOCATOR_64_SIGNATURE and end_offset >= 20:
        raise _damaged("has a Zip64 end record that nothing calls for", "container")
    if offset + size != end_offset:
        raise _damaged("bytes lie before the first entry, or the central directory is damaged", "container")
    return _End(count, offset, size, fixed)


def _read_end_64(
    source: Source, end_offset: int, count: int, size: int, offset: int
) -> tuple[int, int, int, int, bool]:
    locator = source.read_at(end_offset - LOCATOR_64.size, LOCATOR_64.size) if end_offset >= LOCATOR_64.size else b""
    if not locator.startswith(LOCATOR_64_SIGNATURE):
        raise _damaged("its Zip64 end record is missing", "container")
    _, disk, record_offset, disks = LOCATOR_64.unpack(locator)
    record = source.read_at(record_offset, END_64.size)
    if disk != 0 or disks != 1 or len(record) != END_64.size or not record.startswith(END_64_SIGNATURE):
        raise _damaged("its Zip64 end record is damaged", "container")
    _, length, made_by, version, this_disk, directory_disk, here, count_64, size_64, offset_64 = END_64.unpack(record)
    if (length, this_disk, directory_disk, here) != (END_64.size - 12, 0, 0, count_64):
        raise _damaged("its Zip64 end record is damaged", "container")
    if record_offset + END_64.size + LOCATOR_64.size != end_offset:
        raise _damaged("bytes lie around the Zip64 end record", "container")
    for small, large, most in ((count, count_64, MAX_16), (size, size_64, MAX_32), (offset, offset_64, MAX_32)):
        if small not in (most, large):
            raise _damaged("the two end records disagree", "container")
    fixed = (made_by, version) == (MADE_BY & 0xFF00 | VERSION_ZIP64, VERSION_ZIP64) and (
        (count, size, offset) == (min(count_64, MAX_16), min(size_64, MAX_32), min(offset_64, MAX_32))
    )
    return count_64, size_64, offset_64, record_offset, fixed


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
    raise _damaged("its Zip64 sizes are missing", "container", where)


def printable(name: str) -> str:
    """An entry's name for a message: control characters escaped, not too long."""
    shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
    return shown if len(shown) <= 120 else shown[:117] + "..."


def _damaged(message: str, code: str, where: str | None = None) -> DamagedArchiveError:
    return DamagedArchiveError(message, code=code, where=where)
