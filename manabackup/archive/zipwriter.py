"""Writes ZIP containers (APPNOTE 6.3) in one pass, byte for byte the same for the same content.

Only what the format needs: stored and deflated entries, one date for all, Zip64 where it must be, no comments. Every
field that a reader could ignore has one fixed value. Where the sink can seek, sizes are put into the local header
afterwards; where it cannot (a sealed body), a data descriptor follows the entry.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ..crypto.spools import CipherSpool
from . import deflate

STORED = 0
DEFLATED = 8
MADE_BY = 0x0314  # Unix, version 2.0
EXTERNAL_ATTRIBUTES = 0o100600 << 16
FLAG_DESCRIPTOR = 0x0008
MAX_32 = 0xFFFFFFFF
MAX_16 = 0xFFFF
DATE = 1 << 5 | 1
"""1980-01-01 in the form of DOS, the first day that it has: a month 0 or a day 0 is none for many programs."""
VERSION = 20
VERSION_ZIP64 = 45
ZIP64_EXTRA = 0x0001

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END_64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR_64 = struct.Struct("<4sIQI")
LOCAL_SIGNATURE = b"PK\3\4"
CENTRAL_SIGNATURE = b"PK\1\2"
DESCRIPTOR_SIGNATURE = b"PK\7\10"
END_SIGNATURE = b"PK\5\6"
END_64_SIGNATURE = b"PK\6\6"
LOCATOR_64_SIGNATURE = b"PK\6\7"

_BUFFER = 1 << 20


class Sink(Protocol):
    """Where the container goes."""

    def write(self, data: bytes, /) -> object: ...


class SeekableSink(Sink, Protocol):
    """A sink that takes corrections."""

    def seek(self, offset: int, /) -> object: ...


@dataclass(slots=True)
class _Record:
    name: bytes
    method: int
    flags: int
    offset: int
    zip64: bool
    crc: int = 0
    compressed: int = 0
    size: int = 0

    def local_header(self) -> bytes:
        crc, compressed, size = (0, 0, 0) if self.flags & FLAG_DESCRIPTOR else (self.crc, self.compressed, self.size)
        extra = b""
        if self.zip64:
            extra = struct.pack("<2H2Q", ZIP64_EXTRA, 16, size, compressed)
            compressed = size = MAX_32
        version = VERSION_ZIP64 if self.zip64 else VERSION
        fixed = LOCAL_HEADER.pack(
            LOCAL_SIGNATURE,
            version,
            self.flags,
            self.method,
            0,
            DATE,
            crc,
            compressed,
            size,
            len(self.name),
            len(extra),
        )
        return fixed + self.name + extra

    def descriptor(self) -> bytes:
        sizes = "<4sI2Q" if self.zip64 else "<4s3I"
        return struct.pack(sizes, DESCRIPTOR_SIGNATURE, self.crc, self.compressed, self.size)

    def central_header(self) -> bytes:
        values = [value for value in (self.size, self.compressed, self.offset) if value >= MAX_32]
        extra = struct.pack(f"<2H{len(values)}Q", ZIP64_EXTRA, 8 * len(values), *values) if values else b""
        fixed = CENTRAL_HEADER.pack(
            CENTRAL_SIGNATURE,
            MADE_BY,
            VERSION_ZIP64 if self.zip64 or values else VERSION,
            self.flags,
            self.method,
            0,
            DATE,
            self.crc,
            min(self.compressed, MAX_32),
            min(self.size, MAX_32),
            len(self.name),
            len(extra),
            0,
            0,
            0,
            EXTERNAL_ATTRIBUTES,
            min(self.offset, MAX_32),
        )
        return fixed + self.name + extra


class Deflater:
    """One entry's way from content to compressed bytes: CRC-32, size, deflate. ``out`` takes what is ready.

    Each piece that is written becomes a segment of the deflate stream by itself: many small ones compress badly.
    """

    def __init__(self, method: int, out: Callable[[bytes], object]) -> None:
        self._deflated = method == DEFLATED
        self._out = out
        self.crc = 0
        self.size = 0
        self.compressed = 0

    def write(self, data: bytes) -> None:
        self.write_segment(data, deflate.segment(data) if self._deflated else data)

    def write_segment(self, data: bytes, deflated: bytes) -> None:
        """Content that has been deflated already."""
        self.crc = deflate.crc32(data, self.crc)
        self.size += len(data)
        self._put(deflated)

    def finish(self) -> None:
        if self._deflated:
            self._put(deflate.END)

    def _put(self, data: bytes) -> None:
        if data:
            self.compressed += len(data)
            self._out(data)


class EntryWriter:
    """An open entry. ``write`` buffers; :meth:`close` ends the entry and registers it."""

    def __init__(self, container: ZipWriter, record: _Record) -> None:
        self._container = container
        self._record = record
        self._deflater = Deflater(record.method, container.put)
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def write(self, data: bytes) -> int:
        """Add to the entry's content."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= _BUFFER:
            self._drain()
        return len(data)

    def write_segment(self, data: bytes, deflated: bytes) -> None:
        """Add content that :func:`deflate.segment` has been made of."""
        self._drain()
        self._deflater.write_segment(data, deflated)

    def close(self) -> None:
        """End the entry."""
        self._drain()
        self._deflater.finish()
        self._container.end(self._record, self._deflater)

    def _drain(self) -> None:
        if self._pending:
            self._deflater.write(b"".join(self._pending))
            self._pending.clear()
            self._pending_bytes = 0


class SpooledEntry:
    """An entry that is written while another one is open: its compressed bytes wait in an encrypted spool."""

    def __init__(self, container: ZipWriter, name: str, spool: CipherSpool) -> None:
        self._container = container
        self.name = name
        self._spool = spool
        self._deflater = Deflater(DEFLATED, spool.write)

    def write(self, data: bytes) -> int:
        """Add to the entry's content."""
        self._deflater.write(data)
        return len(data)

    def write_segment(self, data: bytes, deflated: bytes) -> None:
        """Add content that :func:`deflate.segment` has been made of."""
        self._deflater.write_segment(data, deflated)

    def close(self) -> None:
        """Append the finished entry to the container; no other entry may be open."""
        self._deflater.finish()
        self._container.append(self.name, DEFLATED, self._deflater, self._spool.chunks())

    def discard(self) -> None:
        """Forget the entry."""
        self._spool.close()


class ZipWriter:
    """A container being written to ``sink``. One entry is open at a time, besides any number of spooled ones.

    ``seekable`` is the same place as ``sink`` where corrections can be made, if they can.
    """

    def __init__(self, sink: Sink, *, seekable: SeekableSink | None = None) -> None:
        self._sink = sink
        self._seekable = seekable
        self._records: list[_Record] = []
        self.position = 0

    def open(self, name: str, *, method: int = DEFLATED, may_exceed_4_gib: bool = False) -> EntryWriter:
        """Begin an entry. ``may_exceed_4_gib`` reserves the Zip64 field that such an entry needs."""
        flags = 0 if self._seekable is not None else FLAG_DESCRIPTOR
        record = _Record(name.encode("ascii"), method, flags, self.position, zip64=may_exceed_4_gib)
        self.put(record.local_header())
        return EntryWriter(self, record)

    def add(self, name: str, content: bytes, *, method: int = DEFLATED) -> None:
        """A whole entry at once."""
        chunks: list[bytes] = []
        deflater = Deflater(method, chunks.append)
        deflater.write(content)
        deflater.finish()
        self.append(name, method, deflater, chunks)

    def spooled(self, name: str, spool: CipherSpool) -> SpooledEntry:
        """Begin an entry beside the open one; it lands in the container when it is closed."""
        return SpooledEntry(self, name, spool)

    def finish(self, order: Callable[[str], Any]) -> None:
        """Write the central directory, listing the entries by the sort key ``order``."""
        start = self.position
        for record in sorted(self._records, key=lambda record: order(record.name.decode("ascii"))):
            self.put(record.central_header())
        size, count = self.position - start, len(self._records)
        if start >= MAX_32 or size >= MAX_32 or count >= MAX_16:
            end_64 = self.position
            made_by = MADE_BY & 0xFF00 | VERSION_ZIP64
            self.put(END_64.pack(END_64_SIGNATURE, 44, made_by, VERSION_ZIP64, 0, 0, count, count, size, start))
            self.put(LOCATOR_64.pack(LOCATOR_64_SIGNATURE, 0, end_64, 1))
        counted = min(count, MAX_16)
        self.put(END.pack(END_SIGNATURE, 0, 0, counted, counted, min(size, MAX_32), min(start, MAX_32), 0))

    def append(self, name: str, method: int, deflater: Deflater, chunks: Iterable[bytes]) -> None:
        """An entry whose content has gone through ``deflater`` already and is given in ``chunks``."""
        self.begin_finished(name, method, crc=deflater.crc, compressed=deflater.compressed, size=deflater.size)
        for chunk in chunks:
            self.put(chunk)

    def begin_finished(self, name: str, method: int, *, crc: int, compressed: int, size: int) -> None:
        """Begin an entry of which everything is known already: :meth:`put` must get ``compressed`` bytes for it."""
        large = max(size, compressed) >= MAX_32
        record = _Record(
            name.encode("ascii"), method, 0, self.position, zip64=large, crc=crc, compressed=compressed, size=size
        )
        self.put(record.local_header())
        self._records.append(record)

    def end(self, record: _Record, deflater: Deflater) -> None:
        """Called by an open entry: write down what is known of it now."""
        record.crc, record.size, record.compressed = deflater.crc, deflater.size, deflater.compressed
        if max(record.size, record.compressed) >= MAX_32 and not record.zip64:
            raise OverflowError(f"{record.name.decode()} passed 4 GiB without room for it in its header")
        if self._seekable is not None:
            self._seekable.seek(record.offset)
            self._sink.write(record.local_header())
            self._seekable.seek(self.position)
        else:
            self.put(record.descriptor())
        self._records.append(record)

    def put(self, data: bytes) -> None:
        """Raw bytes of the container."""
        self._sink.write(data)
        self.position += len(data)
