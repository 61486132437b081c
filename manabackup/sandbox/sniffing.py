"""What the media service finds out about bytes: their type, and of pictures size, format and Exif.

It reads a head, and no picture as a whole: what the real service finds broken only when it decodes the pixels is whole
here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ..text.jsontext import JSON
from .exif import told_of

HEIC = "image/heic"
PROCESSED: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
"""Types that get variants."""
_EXTENSIONS: Final = {
    "aac": "audio/aac",
    "avi": "video/x-msvideo",
    "bin": "application/octet-stream",
    "bmp": "image/bmp",
    "css": "text/css;charset=utf-8",
    "csv": "text/csv;charset=utf-8",
    "flac": "audio/x-flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": HEIC,
    "heif": HEIC,
    "html": "text/html;charset=utf-8",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json;charset=utf-8",
    "m4a": "audio/x-m4a",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "txt": "text/plain;charset=utf-8",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "xml": "text/xml;charset=utf-8",
    "zip": "application/zip",
}
"""By the end of a name, in small letters only; recorded are bin, html, json, m4a, mp3, mp4, pdf, svg and txt."""
_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"heif")


@dataclass(frozen=True, slots=True)
class Look:
    """What the service tells of a picture."""

    width: int
    height: int
    format: str
    alpha: bool = False
    exif: dict[str, JSON] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, JSON]:
        """The JSON's member."""
        told: dict[str, JSON] = {"width": self.width, "height": self.height, "format": self.format}
        return {**told, "hasAlpha": True} if self.alpha else told


def by_magic(body: bytes) -> str:
    """The type that a picture's first bytes say; empty for anything else."""
    if body[4:8] == b"ftyp":
        brand = body[8:12]
        return "image/avif" if brand == b"avif" else HEIC if brand in _HEIC_BRANDS else ""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    for magic, kind in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
    ):
        if body.startswith(magic):
            return kind
    return ""


def by_name(name: str) -> str:
    """The type that belongs to a name's end; empty where nothing is known of it."""
    return _EXTENSIONS.get(name.rpartition(".")[2], "") if "." in name else ""


def look(body: bytes, kind: str) -> Look | None:
    """What is to be seen in a picture's head; None where it is broken, or of a type that is not looked at."""
    reader = _READERS.get(kind)
    if reader is None:
        return None
    try:
        return reader(body)
    except (struct.error, IndexError):
        return None


def heic_size(body: bytes) -> tuple[int, int] | None:
    """Width and height of a HEIC picture as it is shown; None where there is none in it."""
    found = _extents(body)
    return (found[1], found[0]) if found is not None and _turned(body) else found


def _jpeg(body: bytes) -> Look | None:
    exif: dict[str, JSON] = {}
    at = 2
    while body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", body, at + 2)
        if marker == 0xE1 and body[at + 4 : at + 10] == b"Exif\0\0":
            exif = told_of(body[at + 10 : at + 2 + length])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", body, at + 5)
            return Look(width, height, "jpeg", exif=exif)
        at += 2 + length
    return None


def _png(body: bytes) -> Look | None:
    if body[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", body, 16)
    exif = next((told_of(data) for name, data in _png_chunks(body) if name == b"eXIf"), {})
    return Look(width, height, "png", body[25] in (4, 6), exif)


def _png_chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(body):
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 4 : at + 8], body[at + 8 : at + 8 + length]
        at += 12 + length


def _webp(body: bytes) -> Look | None:
    chunks = dict(_riff_chunks(body))
    exif = told_of(chunks[b"EXIF"].removeprefix(b"Exif\0\0")) if b"EXIF" in chunks else {}
    if (data := chunks.get(b"VP8X")) is not None:
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7))
        return Look(width, height, "webp", bool(data[0] & 0x10), exif)
    if (data := chunks.get(b"VP8L")) is not None:
        (bits,) = struct.unpack_from("<I", data, 1)
        return Look((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, "webp", bool(bits >> 28 & 1))
    if (data := chunks.get(b"VP8 ")) is not None:
        width, height = struct.unpack_from("<HH", data, 6)
        return Look(width & 0x3FFF, height & 0x3FFF, "webp")
    return None


def _riff_chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(body):
        (length,) = struct.unpack_from("<I", body, at + 4)
        yield body[at : at + 4], body[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _gif(body: bytes) -> Look:
    width, height = struct.unpack_from("<HH", body, 6)
    return Look(width, height, "gif", alpha=True)


def _avif(body: bytes) -> Look | None:
    extents = _extents(body)
    return None if extents is None else Look(*extents, "heif")


def _extents(body: bytes) -> tuple[int, int] | None:
    """The first box ``ispe`` (ISO/IEC 23008-12, 6.5.3) that is larger than a tile; the boxes around it are not read."""
    found, at = [], body.find(b"ispe")
    while at >= 0:
        found.append(struct.unpack_from(">II", body, at + 8))
        at = body.find(b"ispe", at + 4)
    width, height = max(found, default=(0, 0))
    return (width, height) if width and height else None


def _turned(body: bytes) -> bool:
    """Whether the box ``irot`` (6.5.10) turns the picture by a quarter."""
    at = body.find(b"irot")
    return at >= 0 and at + 4 < len(body) and body[at + 4] % 2 == 1


_READERS: Final[dict[str, Callable[[bytes], Look | None]]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/webp": _webp,
    "image/gif": _gif,
    "image/avif": _avif,
}
