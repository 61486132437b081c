"""Files for invented accounts: small real pictures, documents and recordings, made anew whenever they are asked for.

A :class:`Recipe` stands for some bytes, always the same, so that ten thousand pictures of 300 kB need no room. Pictures
are mosaics in a few colours; where a size is asked for, a part that viewers pass over fills them up with bytes that do
not compress. Encoders: JPEG baseline (ITU-T T.81) with DC coefficients alone, PNG (RFC 2083), WebP lossless
(developers.google.com/speed/webp/docs/webp_lossless_bitstream_specification) with one bit for a pixel.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any, Final, Literal

from ..text import jsontext
from .exif import Camera, write_exif

Kind = Literal["jpeg", "png", "webp", "pdf", "mp3"]
TYPES: Final[dict[Kind, str]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "mp3": "audio/mpeg",
}

_COLUMNS, _ROWS = 6, 4
_FILLING = 1 << 20
_COMMENT_BYTES = 65_533
_MP3_FRAME: Final = b"\xff\xfb\x90\x00" + bytes(413)
"""A frame of silence: MPEG-1 layer III, 128 kbit/s, 44.1 kHz, 26 ms."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A file that can be made at any time. ``width`` and ``height`` are a picture's, in pixels."""

    kind: Kind
    seed: int
    width: int = 0
    height: int = 0
    size: int = 0
    """Of the whole file, in bytes; 0: as it comes."""
    alpha: bool = False
    """With transparency; PNG and WebP."""
    camera: Camera | None = None
    """Of JPEG alone."""
    look: int | None = None
    """What is to be seen; as ``seed`` says, unless files are to differ that look the same, and are made sooner."""

    @property
    def shown(self) -> int:
        """The seed of the picture itself."""
        return self.seed if self.look is None else self.look

    def make(self) -> bytes:
        """The bytes. Raises :class:`ValueError` where they cannot be as few as ``size``."""
        return _MAKERS[self.kind](self)

    def text(self) -> str:
        """The recipe as text, for :func:`recipe`."""
        values: dict[str, Any] = asdict(self)
        if self.camera is not None:
            values["camera"]["taken"] = self.camera.taken.isoformat()
            values["camera"]["place"] = None if self.camera.place is None else [str(one) for one in self.camera.place]
        return jsontext.dumps(values).decode()


def recipe(text: str) -> Recipe:
    """The recipe that :meth:`Recipe.text` wrote down."""
    values: dict[str, Any] = jsontext.parse(text.encode())
    camera = values.pop("camera")
    if camera is not None:
        taken, place = datetime.fromisoformat(camera["taken"]), camera["place"]
        exact = {name: tuple(camera[name]) for name in ("aperture", "exposure")}
        where = None if place is None else (float(place[0]), float(place[1]))
        camera = Camera(**{**camera, **exact, "taken": taken, "place": where})
    return Recipe(**values, camera=camera)


# --- what fills up ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _block() -> bytes:
    return Random("filling").randbytes(_FILLING)  # noqa: S311 - bytes that do not compress, and the same in each run


def _filling(seed: int, length: int) -> bytes:
    """So many bytes that do not compress; other ones for another seed."""
    begin = seed * 7_919 % _FILLING
    found = _block()[begin : begin + length]
    while len(found) < length:
        found += _block()[: length - len(found)]
    return found


def _missing(made: int, wanted: int, least: int) -> int:
    """How many bytes are missing up to ``wanted``; ``least`` is what a part that fills takes by itself."""
    missing = wanted - made if wanted else 0
    if missing < 0 or 0 < missing < least:
        raise ValueError(f"{wanted} bytes are too few: {made}")
    return missing


def _tiles(length: int, parts: int) -> Iterator[tuple[int, int]]:
    """Index and length of each of ``parts`` pieces of a line, those without a length left out."""
    bounds = [length * at // parts for at in range(parts + 1)]
    yield from ((at, upper - lower) for at, (lower, upper) in enumerate(pairwise(bounds)) if upper > lower)


# --- JPEG -------------------------------------------------------------------------------------------------------------

_DC_CODES: Final = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")
"""By category; T.81, table K.3."""
_DC_TABLE: Final = bytes((0, 1, 5, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, *range(9)))
_AC_TABLE: Final = bytes((1, *bytes(15), 0))
"""One code, "0": the end of a block."""


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jpeg(of: Recipe) -> bytes:
    head = b"\xff\xd8" + _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    if of.camera is not None:
        head += _segment(0xE1, b"Exif\0\0" + write_exif(of.camera))
    components = b"".join(bytes((at, 0x11, 0)) for at in (1, 2, 3))
    tail = _segment(0xDB, b"\0" + bytes((8,)) * 64)
    tail += _segment(0xC0, struct.pack(">BHHB", 8, of.height, of.width, 3) + components)
    tail += _segment(0xC4, b"\x00" + _DC_TABLE) + _segment(0xC4, b"\x10" + _AC_TABLE)
    tail += _segment(0xDA, b"\3\1\0\2\0\3\0\0\x3f\0") + _scan(of.shown, of.width, of.height) + b"\xff\xd9"
    missing = _missing(len(head) + len(tail), of.size, 4)
    return head + b"".join(_comments(_filling(of.seed, missing))) + tail


def _comments(filling: bytes) -> Iterator[bytes]:
    """Comments as long as ``filling`` with their heads, of four bytes each."""
    at = 0
    while at < len(filling):
        length = min(len(filling) - at, _COMMENT_BYTES + 2)
        if 0 < len(filling) - at - length < 4:
            length -= 4
        yield _segment(0xFE, filling[at + 4 : at + length])
        at += length


@lru_cache(maxsize=64)
def _scan(seed: int, width: int, height: int) -> bytes:
    """The picture's own data: blocks of 8 by 8, each in one colour."""
    rng = Random(seed)  # noqa: S311 - a picture, the same for the same seed
    colours = [
        [(rng.randint(-90, 110), rng.randint(-50, 50), rng.randint(-50, 50)) for _ in range(_COLUMNS)]
        for _ in range(_ROWS)
    ]
    columns = list(_tiles(-(-width // 8), _COLUMNS))
    bits, last = [], (0, 0, 0)
    for row, count in _tiles(-(-height // 8), _ROWS):
        for _ in range(count):
            for column, blocks in columns:
                colour = colours[row][column]
                bits.append(_change(last, colour) + "000" * 3 * (blocks - 1))
                last = colour
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def _change(before: tuple[int, ...], after: tuple[int, ...]) -> str:
    return "".join(_coded(new - old) + "0" for old, new in zip(before, after, strict=True))


def _coded(difference: int) -> str:
    category = abs(difference).bit_length()
    if not category:
        return _DC_CODES[0]
    value = difference if difference > 0 else difference + (1 << category) - 1
    return f"{_DC_CODES[category]}{value:0{category}b}"


# --- PNG --------------------------------------------------------------------------------------------------------------


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(of: Recipe) -> bytes:
    head = b"\x89PNG\r\n\x1a\n"
    head += _chunk(b"IHDR", struct.pack(">IIBBBBB", of.width, of.height, 8, 6 if of.alpha else 2, 0, 0, 0))
    tail = _chunk(b"IDAT", _scanlines(of.shown, of.width, of.height, of.alpha)) + _chunk(b"IEND", b"")
    missing = _missing(len(head) + len(tail), of.size, 12)
    return head + (_chunk(b"fiLl", _filling(of.seed, missing - 12)) if missing else b"") + tail


@lru_cache(maxsize=64)
def _scanlines(seed: int, width: int, height: int, alpha: bool) -> bytes:
    rng = Random(seed)  # noqa: S311 - a picture, the same for the same seed
    deflate = zlib.compressobj(6)
    samples = 4 if alpha else 3
    parts = []
    for _, rows in _tiles(height, _ROWS):
        line = b"".join(rng.randbytes(samples) * pixels for _, pixels in _tiles(width, _COLUMNS))
        parts.append(deflate.compress(b"\0" + line))
        parts.append(deflate.compress((b"\2" + bytes(len(line))) * (rows - 1)))  # as the line above
    return b"".join(parts) + deflate.flush()


# --- WebP -------------------------------------------------------------------------------------------------------------


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _webp(of: Recipe) -> bytes:
    pixels = _riff(b"VP8L", _lossless(of.shown, of.width, of.height, of.alpha))
    wide, high = struct.pack("<I", of.width - 1)[:3], struct.pack("<I", of.height - 1)[:3]
    extended = _riff(b"VP8X", bytes((0x10 if of.alpha else 0, 0, 0, 0)) + wide + high)
    size = of.size - of.size % 2
    made = 12 + len(extended) + len(pixels)
    if size and (missing := _missing(made, size, 8)):
        parts = extended + pixels + _riff(b"fiLl", _filling(of.seed, missing - 8))
    else:
        parts = extended + pixels
    return _riff(b"RIFF", b"WEBP" + parts) + bytes(of.size % 2)


@lru_cache(maxsize=64)
def _lossless(seed: int, width: int, height: int, alpha: bool) -> bytes:
    """Two shades: a bit for each pixel's green, and none for its other channels, which are the same throughout."""
    rng = Random(seed)  # noqa: S311 - a picture, the same for the same seed
    fields = [(0x2F, 8), (width - 1, 14), (height - 1, 14), (int(alpha), 1), (0, 3), (0, 3)]
    fields += [(1, 1), (1, 1), (1, 1), (rng.randint(0, 100), 8), (rng.randint(130, 255), 8)]
    for value in (rng.randint(0, 255), rng.randint(0, 255), 128 if alpha else 255):
        fields += [(1, 1), (0, 1), (1, 1), (value, 8)]
    fields += [(1, 1), (0, 1), (0, 1), (0, 1)]
    lines = []
    for _, rows in _tiles(height, _ROWS):
        line = "".join("01"[rng.random() < 0.5] * pixels for _, pixels in _tiles(width, _COLUMNS))
        lines.append(line * rows)
    text = "".join(f"{value:0{length}b}"[::-1] for value, length in fields) + "".join(lines)
    return int(text[::-1], 2).to_bytes(-(-len(text) // 8), "little")


# --- documents and recordings -----------------------------------------------------------------------------------------


def _pdf(of: Recipe) -> bytes:
    """One empty page, and an attached stream that nothing refers to."""
    bare = _document(b"")
    missing = _missing(len(bare), of.size, 0)
    while missing and len(whole := _document(_filling(of.seed, missing))) != of.size:
        missing -= len(whole) - of.size
    return _document(_filling(of.seed, missing)) if missing else bare


def _document(stream: bytes) -> bytes:
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
    )
    text, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(text)
    return text + b"xref\n0 5\n0000000000 65535 f \n" + table + tail


def _mp3(of: Recipe) -> bytes:
    """A tag that fills up (ID3v2.4, PRIV), then half a second of silence."""
    frames = _MP3_FRAME * 20
    missing = _missing(len(frames), of.size, 24) or 24
    private = b"PRIV" + _synchsafe(missing - 20) + bytes(2) + b"x\0" + _filling(of.seed, missing - 22)
    return b"ID3\4\0\0" + _synchsafe(missing - 10) + private + frames


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


_MAKERS: Final = {"jpeg": _jpeg, "png": _png, "webp": _webp, "pdf": _pdf, "mp3": _mp3}
