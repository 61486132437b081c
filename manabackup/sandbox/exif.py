"""What a camera writes into its pictures, and what the media service tells of it: Exif 2.32 in a TIFF structure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..text.jsontext import JSON

Rational = tuple[int, int]
Values = dict[int, object]

_MAKE, _MODEL, _ORIENTATION, _CHANGED = 0x010F, 0x0110, 0x0112, 0x0132
_EXIF, _GPS = 0x8769, 0x8825
_EXPOSURE, _APERTURE, _ISO, _TAKEN, _FOCAL = 0x829A, 0x829D, 0x8827, 0x9003, 0x920A
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
"""Bytes of a value, by type (TIFF 6.0, section 2)."""
_MOST_ENTRIES = 512


@dataclass(frozen=True, slots=True)
class Camera:
    """One picture's circumstances. ``place`` is latitude and longitude in degrees."""

    make: str
    model: str
    taken: datetime
    """By the camera's own clock."""
    focal_mm: int = 35
    aperture: Rational = (28, 10)
    iso: int = 200
    exposure: Rational = (1, 125)
    orientation: int = 1
    place: tuple[float, float] | None = None


def write_exif(camera: Camera) -> bytes:
    """The TIFF structure, little-endian, with the main, the Exif and, where the place is known, the GPS directory."""
    taken = f"{camera.taken:%Y:%m:%d %H:%M:%S}"
    main: Values = {_MAKE: camera.make, _MODEL: camera.model, _ORIENTATION: camera.orientation, _CHANGED: taken}
    inner: Values = {
        _EXPOSURE: [camera.exposure],
        _APERTURE: [camera.aperture],
        _ISO: camera.iso,
        _TAKEN: taken,
        _FOCAL: [(camera.focal_mm, 1)],
    }
    place = _place(camera.place) if camera.place is not None else {}
    pointers = {_EXIF: 0} | ({_GPS: 0} if place else {})
    start = 8
    inner_at = start + len(_directory(main | pointers, start, (*pointers,)))
    place_at = inner_at + len(_directory(inner, inner_at))
    pointers = {_EXIF: inner_at} | ({_GPS: place_at} if place else {})
    parts = [_directory(main | pointers, start, (*pointers,)), _directory(inner, inner_at)]
    if place:
        parts.append(_directory(place, place_at))
    return b"II*\0" + struct.pack("<I", start) + b"".join(parts)


def _place(place: tuple[float, float]) -> Values:
    latitude, longitude = place
    return {
        _LATITUDE_REF: "N" if latitude >= 0 else "S",
        _LATITUDE: _sexagesimal(abs(latitude)),
        _LONGITUDE_REF: "E" if longitude >= 0 else "W",
        _LONGITUDE: _sexagesimal(abs(longitude)),
    }


def _sexagesimal(degrees: float) -> list[Rational]:
    hundredths = round(degrees * 360_000)
    minutes, seconds = divmod(hundredths, 6_000)
    return [(minutes // 60, 1), (minutes % 60, 1), (seconds, 100)]


def _directory(values: Values, at: int, pointers: tuple[int, ...] = ()) -> bytes:
    """A directory at that offset, its longer values behind it."""
    behind = at + 2 + 12 * len(values) + 4
    entries, data = b"", b""
    for tag, value in sorted(values.items()):
        kind, count, raw = _field(value, pointer=tag in pointers)
        if len(raw) > 4:
            place = behind + len(data)
            data += raw + bytes(len(raw) % 2)
            raw = struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, kind, count) + raw.ljust(4, b"\0")
    return struct.pack("<H", len(values)) + entries + bytes(4) + data


def _field(value: object, *, pointer: bool) -> tuple[int, int, bytes]:
    """Type, count and bytes of a value."""
    if isinstance(value, str):
        raw = value.encode("ascii", "replace") + b"\0"
        return 2, len(raw), raw
    if isinstance(value, int):
        return (4, 1, struct.pack("<I", value)) if pointer else (3, 1, struct.pack("<H", value))
    assert isinstance(value, list)
    return 5, len(value), b"".join(struct.pack("<II", *one) for one in value)


# --- reading ----------------------------------------------------------------------------------------------------------


def told_of(tiff: bytes) -> dict[str, JSON]:
    """The ``exif`` member that the media service makes of such a structure; empty where it makes none.

    It makes none without a maker, a date or a place. What cannot be read counts as not there.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return {}
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        main = dict(_entries(tiff, start, order))
        inner = dict(_entries(tiff, _pointer(main, _EXIF), order))
        place = dict(_entries(tiff, _pointer(main, _GPS), order))
    except struct.error:
        return {}
    found: dict[str, JSON] = {
        "cameraMake": _text(main.get(_MAKE)),
        "cameraModel": _text(main.get(_MODEL)),
        "dateTaken": _moment(_text(inner.get(_TAKEN))),
        "focalLength": _focal(inner.get(_FOCAL)),
        "aperture": _decimal(inner.get(_APERTURE)),
        "iso": _whole(inner.get(_ISO)),
        "exposureTime": _exposure(inner.get(_EXPOSURE)),
        "gpsLatitude": _degrees(place.get(_LATITUDE), _text(place.get(_LATITUDE_REF)) == "S"),
        "gpsLongitude": _degrees(place.get(_LONGITUDE), _text(place.get(_LONGITUDE_REF)) == "W"),
    }
    known = {name: value for name, value in found.items() if value is not None}
    return known if known.keys() & {"cameraMake", "dateTaken", "gpsLatitude"} else {}


def _pointer(values: Values, tag: int) -> int:
    value = values.get(tag)
    return value[0] if isinstance(value, list) and value and isinstance(value[0], int) else 0


def _entries(tiff: bytes, at: int, order: str) -> Iterator[tuple[int, object]]:
    if not at:
        return
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for index in range(min(count, _MOST_ENTRIES)):
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, at + 2 + 12 * index)
        length = _SIZES.get(kind, 0) * number
        where = at + 2 + 12 * index + 8
        if length > 4:
            (where,) = struct.unpack_from(f"{order}I", tiff, where)
        raw = tiff[where : where + length]
        if length and len(raw) == length:
            yield tag, _value(raw, kind, order)


def _value(raw: bytes, kind: int, order: str) -> object:
    if kind == 2:
        return raw.partition(b"\0")[0].decode("utf-8", "replace").strip()
    if kind in (5, 10):
        numbers = struct.unpack(f"{order}{len(raw) // 4}{'I' if kind == 5 else 'i'}", raw)
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    letter = {1: "B", 3: "H", 4: "I", 7: "B", 9: "i"}[kind]
    return list(struct.unpack(f"{order}{len(raw) // _SIZES[kind]}{letter}", raw))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], int) else None


def _ratios(value: object) -> Sequence[float]:
    if not isinstance(value, list):
        return ()
    pairs = [one for one in value if isinstance(one, tuple)]
    return [above / below for above, below in pairs if below] if len(pairs) == len(value) else ()


def _decimal(value: object) -> str | None:
    ratios = _ratios(value)
    return _shortest(ratios[0]) if ratios else None


def _focal(value: object) -> str | None:
    told = _decimal(value)
    return None if told is None else f"{told}mm"


def _exposure(value: object) -> str | None:
    ratios = _ratios(value)
    if not ratios or ratios[0] <= 0:
        return None
    return f"1/{round(1 / ratios[0])}" if ratios[0] < 1 else _shortest(ratios[0])


def _degrees(value: object, negative: bool) -> str | None:
    ratios = _ratios(value)
    if len(ratios) != 3:
        return None
    degrees = ratios[0] + ratios[1] / 60 + ratios[2] / 3_600
    return _shortest(-degrees if negative else degrees)


def _moment(text: str | None) -> str | None:
    """The camera's clock, taken for the server's, which is UTC."""
    try:
        moment = datetime.strptime(text or "", "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - no zone is told
    except ValueError:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def _shortest(number: float) -> str:
    return f"{number:.8f}".rstrip("0").rstrip(".")
