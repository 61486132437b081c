"""ZIP containers taken apart and put together with any field a lie: what no honest writer makes.

Nothing here is shared with the package, and nothing depends on a compressor: the same call gives the same bytes
everywhere. Source of the layouts: APPNOTE 6.3; of deflate: RFC 1951.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

STORED, DEFLATED = 0, 8
DESCRIBED = 0x0008
"""The flag of an entry with a data descriptor."""
ZIP64 = 0x0001
M16, M32 = 0xFFFF, 0xFFFFFFFF

Header = dict[str, Any]
"""Field → value. ``name`` and ``extra`` are bytes; a length that is given lies about them."""

_IN_BOTH = ["flags", "method", "time", "date", "crc", "compressed", "size", "name_length", "extra_length"]
"""What stands in an entry's header, and again in the directory."""
LOCAL = ("<4s5H3I2H", ["signature", "version", *_IN_BOTH])
CENTRAL = (
    "<4s6H3I5H2I",
    ["signature", "made_by", "version", *_IN_BOTH, "comment_length", "disk", "internal", "external", "offset"],
)
END = ("<4s4H2IH", ["signature", "disk", "directory_disk", "here", "count", "size", "offset", "comment_length"])
END_64 = (
    "<4sQ2H2I4Q",
    ["signature", "length", "made_by", "version", "disk", "directory_disk", "here", "count", "size", "offset"],
)
LOCATOR = ("<4sIQI", ["signature", "disk", "offset", "disks"])

Layout = tuple[str, list[str]]


@dataclass
class Part:
    """One entry. What stands in ``local`` and ``central`` takes the place of what would be honest."""

    name: bytes
    packed: bytes
    """As it lies in the container."""
    method: int = STORED
    crc: int = 0
    size: int = 0
    flags: int = 0
    descriptor: bytes = b""
    local: Header = field(default_factory=dict)
    central: Header = field(default_factory=dict)
    before: bytes = b""
    """Bytes between the entry before and this one's local header."""
    present: bool = True
    """Whether it lies in the container, and is not just listed."""
    listed: bool = True
    """Whether the central directory names it."""


def stored(name: str, content: bytes, **fields: Any) -> Part:
    """An entry as it is."""
    return Part(name.encode(), content, STORED, zlib.crc32(content), len(content), **fields)


def deflated(name: str, content: bytes, packed: bytes | None = None, **fields: Any) -> Part:
    """A deflated entry; ``packed`` is its stream, if not one of stored blocks."""
    stream = stored_blocks(content) if packed is None else packed
    return Part(name.encode(), stream, DEFLATED, zlib.crc32(content), len(content), **fields)


def described(part: Part, *, signed: bool = True, wide: bool = False) -> Part:
    """The entry with its sizes behind it."""
    layout = "<I2Q" if wide else "<3I"
    sizes = struct.pack(layout, part.crc, len(part.packed), part.size)
    part.flags |= DESCRIBED
    part.descriptor = (b"PK\7\10" if signed else b"") + sizes
    part.local = {"crc": 0, "compressed": 0, "size": 0} | part.local
    return part


def zip64_extra(*values: int) -> bytes:
    """An extra field 0x0001."""
    return struct.pack(f"<2H{len(values)}Q", ZIP64, 8 * len(values), *values)


def build(
    parts: Sequence[Part],
    *,
    order: Sequence[int] | None = None,
    end: Header | None = None,
    end_64: Header | None = None,
    locator: Header | None = None,
    gap: bytes = b"",
    before_end: bytes = b"",
    comment: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """The container.

    ``order`` is that of the central directory. ``end_64`` (perhaps empty) asks for a Zip64 end record with its locator;
    the end record itself stays honest unless ``end`` says otherwise. ``gap`` lies before the central directory.
    """
    blob = bytearray()
    offsets: list[int] = []
    for part in parts:
        blob += part.before
        offsets.append(len(blob))
        if part.present:
            blob += _header(LOCAL, b"PK\3\4", _honest(part) | part.local) + part.packed + part.descriptor
    blob += gap
    start, count = len(blob), 0
    for number in order if order is not None else range(len(parts)):
        part = parts[number]
        if part.listed:
            count += 1
            known = _honest(part) | {"made_by": 0x0314, "external": 0o100600 << 16, "offset": offsets[number]}
            blob += _header(CENTRAL, b"PK\1\2", known | part.central)
    size = len(blob) - start
    if end_64 is not None:
        known = {"length": 44, "made_by": 0x032D, "version": 45, "here": count, "count": count}
        place = len(blob)
        blob += _record(END_64, b"PK\6\6", known | {"size": size, "offset": start} | end_64)
        blob += _record(LOCATOR, b"PK\6\7", {"offset": place, "disks": 1} | (locator or {}))
    blob += before_end
    known = {"here": count, "count": count, "size": size, "offset": start, "comment_length": len(comment)}
    return bytes(blob) + _record(END, b"PK\5\6", known | (end or {})) + comment + behind


def taken_apart(blob: bytes) -> list[Part]:
    """The entries of an honest container, every field as it stands there."""
    end = _unpacked(END, blob, blob.rindex(b"PK\5\6"))
    at, parts = end["offset"], []
    for _ in range(end["count"]):
        central = _unpacked(CENTRAL, blob, at)
        at += struct.calcsize(CENTRAL[0])
        name, extra = _variable(blob, at, central)
        at += central["name_length"] + central["extra_length"] + central["comment_length"]
        local = _unpacked(LOCAL, blob, central["offset"])
        place = central["offset"] + struct.calcsize(LOCAL[0])
        _, local_extra = _variable(blob, place, local)
        place += local["name_length"] + local["extra_length"]
        stop = place + central["compressed"]
        descriptor = blob[stop : stop + 16] if central["flags"] & DESCRIBED else b""
        kept = ("version", "time", "date")
        parts.append(
            Part(
                name,
                blob[place:stop],
                central["method"],
                central["crc"],
                central["size"],
                central["flags"],
                descriptor,
                {key: local[key] for key in ("crc", "compressed", "size", *kept)} | {"extra": local_extra},
                {key: central[key] for key in ("made_by", "internal", "external", *kept)} | {"extra": extra},
            )
        )
    return parts


# --- deflate by hand --------------------------------------------------------------------------------------------------


def stored_blocks(content: bytes, *, final: bool = True) -> bytes:
    """A deflate stream that compresses nothing (RFC 1951, 3.2.4)."""
    pieces = [content[at : at + M16] for at in range(0, len(content), M16)] or [b""]
    return b"".join(
        struct.pack("<B2H", final and number == len(pieces), len(piece), len(piece) ^ M16) + piece
        for number, piece in enumerate(pieces, 1)
    )


def bomb(byte: int, length: int) -> bytes:
    """A deflate stream of ``length`` times ``byte``, two bits for 258 of them: the most that deflate can do.

    ``length`` is 1 and a multiple of 258; ``byte`` is none of the first and last eleven.
    """
    copies, rest = divmod(length - 1, 258)
    if rest or not 11 <= byte <= 244:
        raise ValueError("this stream has no such bytes")
    bits = _Bits()
    bits.put(1, 1)  # the final block
    bits.put(2, 2)  # of dynamic codes
    bits.put(29, 5)  # 286 codes of literals and lengths
    bits.put(0, 5)  # one of distances
    bits.put(14, 4)  # 18 lengths of codes of lengths, in the order of RFC 1951, 3.2.7
    used = {18: 1, 1: 2, 2: 2}
    for code in (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1):
        bits.put(used.get(code, 0), 3)
    # Canonical codes of those: 18 is 0, 1 is 10, 2 is 11.
    repeat, one, two = (0, 1), (2, 2), (3, 2)

    def zeros(count: int) -> None:
        while count:
            step = count if count <= 138 else min(138, count - 11)  # a run of zeros has 11 or more
            bits.code(*repeat)
            bits.put(step - 11, 7)
            count -= step

    zeros(byte)
    bits.code(*two)  # the literal
    zeros(255 - byte)
    bits.code(*two)  # 256, the end of the block
    zeros(28)
    bits.code(*one)  # 285, a length of 258
    bits.code(*one)  # the distance 1
    # Canonical codes of the data: 285 is 0, the literal 10, 256 is 11; the only distance is 0.
    bits.code(2, 2)
    bits.zeros(2 * copies)
    bits.code(3, 2)
    return bits.bytes()


class _Bits:
    """Bits in the order of RFC 1951, 3.1.1."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def put(self, value: int, count: int) -> None:
        """A number, its lowest bit first."""
        self._value |= value << self._count
        self._count += count

    def code(self, value: int, count: int) -> None:
        """A Huffman code, its highest bit first."""
        for bit in reversed(range(count)):
            self.put(value >> bit & 1, 1)

    def zeros(self, count: int) -> None:
        """So many bits that are 0."""
        self._count += count

    def bytes(self) -> bytes:
        """All of them."""
        return self._value.to_bytes(-(-self._count // 8), "little")


# --- layouts ----------------------------------------------------------------------------------------------------------


def _honest(part: Part) -> Header:
    return {
        "version": 20,
        "flags": part.flags,
        "method": part.method,
        "crc": part.crc,
        "compressed": len(part.packed),
        "size": part.size,
        "name": part.name,
    }


def _header(layout: Layout, signature: bytes, fields: Header) -> bytes:
    name, extra, comment = fields.get("name", b""), fields.get("extra", b""), fields.get("comment", b"")
    lengths = {"name_length": len(name), "extra_length": len(extra), "comment_length": len(comment)}
    return b"".join([_record(layout, signature, lengths | fields), name, extra, comment])


def _record(layout: Layout, signature: bytes, fields: Header) -> bytes:
    shape, names = layout
    values = {"signature": signature} | fields
    return struct.pack(shape, *(values.get(name, 0) for name in names))


def _unpacked(layout: Layout, blob: bytes, at: int) -> Header:
    shape, names = layout
    return dict(zip(names, struct.unpack_from(shape, blob, at), strict=True))


def _variable(blob: bytes, at: int, header: Header) -> tuple[bytes, bytes]:
    middle = at + header["name_length"]
    return blob[at:middle], blob[middle : middle + header["extra_length"]]
