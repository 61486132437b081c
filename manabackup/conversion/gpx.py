"""``gpx``: one file with places as waypoints and the location log as a track (GPX 1.1), for devices and maps.

Speed and direction stand as Garmin's ``TrackPointExtension`` v2 has them, which programs for tracks read.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import BinaryIO, Final

from ..about import PRODUCT
from ..model.values import decimal, first_text, texts_at
from .markup import Markup
from .places import LOG, Fix, Point, Position, fixes, has_places, instant, note_unheld, points
from .reading import Reading

_BEGIN: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="{PRODUCT}" xmlns="http://www.topografix.com/GPX/1/1" \
xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2">
"""
_MOVEMENT: Final = (("speed", "speed"), ("heading", "course"))
"""Field, and what the extension calls it."""
_OF_FIX: Final = frozenset(("timestamp", "latitude", "longitude", "altitude"))


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    reading.leave_out_others(lambda name: has_places(reading, name))
    writing = _Writing(reading)
    file.write(_BEGIN.encode())
    for part in writing.parts():
        file.write(part.encode())
    file.write(b"</gpx>\n")


class _Writing:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._markup = Markup(reading)

    def parts(self) -> Iterator[str]:
        """What stands between the begin and the end."""
        exported = self._time(self._reading.archive.manifest.exported_at)
        if exported:
            yield f"<metadata>{exported}</metadata>\n"
        for point in points(self._reading):
            yield self._waypoint(point)
        open_track = False
        for fix in fixes(self._reading):
            if fix.at is None:
                yield self._untimed(fix)
                continue
            if not open_track:
                yield f"<trk><name>{self._label()}</name>\n<trkseg>\n"
                open_track = True
            elif not fix.follows:
                yield "</trkseg>\n<trkseg>\n"
            yield self._track_point(fix)
        if open_track:
            yield "</trkseg>\n</trk>\n"

    def _waypoint(self, point: Point) -> str:
        """Its elements in the order that the schema wants: time, name, desc, type."""
        reading, markup = self._reading, self._markup
        model, row, place = point
        prose = [text.path for text in model.texts if "." not in text.path and "[]" not in text.path]
        category = model.value_label("category", row.values.get("category"), reading.language)
        said = "\n\n".join(texts_at(row.values, tuple(prose)))
        kind = f"{model.label.of(reading.language)}: {category}" if category else model.label.of(reading.language)
        title = model.title(row.values)
        held = {*model.geo, *prose, *model.title_paths, *(["category"] if category else [])}
        held.update(path for path in model.title_fallback if first_text(row.values, path) == title)
        note_unheld(reading, model.name, row.values, frozenset(held))
        name = markup.line(model.heading(row.values, reading.language), model.name)
        description = f"<desc>{markup.text(said, model.name)}</desc>" if said else ""
        type_ = f"<type>{markup.line(kind, model.name)}</type>"
        return f"<wpt {_at(place)}>{self._time(row.created)}<name>{name}</name>{description}{type_}</wpt>\n"

    def _untimed(self, fix: Fix) -> str:
        """A point of the log of which nobody knows when it was is no part of a track."""
        note_unheld(self._reading, LOG, fix.row.values, _OF_FIX - {"timestamp"})
        return f"<wpt {_at(fix.place)}>{_elevation(fix.place)}<name>{self._label()}</name></wpt>\n"

    def _track_point(self, fix: Fix) -> str:
        assert fix.at is not None
        movement = {}
        for field, name in _MOVEMENT:
            number = decimal(fix.row.values.get(field))
            if number is not None and number >= 0 and (field != "heading" or number <= 360):
                movement[field] = (
                    f"<gpxtpx:{name}>{_number(number % 360 if field == 'heading' else number)}</gpxtpx:{name}>"
                )
        note_unheld(self._reading, LOG, fix.row.values, _OF_FIX.union(movement))
        inside = f"{_elevation(fix.place)}<time>{fix.at.isoformat(timespec='milliseconds')[:-6]}Z</time>"
        if movement:
            extension = "".join(movement.values())
            inside += "<extensions><gpxtpx:TrackPointExtension>" + extension
            inside += "</gpxtpx:TrackPointExtension></extensions>"
        return f"<trkpt {_at(fix.place)}>{inside}</trkpt>\n"

    def _label(self) -> str:
        model = self._reading.model(LOG)
        assert model is not None
        return self._markup.line(model.label.of(self._reading.language), LOG)

    def _time(self, value: str | None) -> str:
        found = instant(value, self._reading.zone)
        return "" if found is None else f"<time>{found.isoformat(timespec='milliseconds')[:-6]}Z</time>"


def _at(place: Position) -> str:
    """Attributes with a place; the schema ends before the 180th degree, which is the one at its begin."""
    latitude, longitude = place[:2]
    return f'lat="{_number(latitude)}" lon="{_number(Decimal(-180) if longitude == 180 else longitude)}"'


def _elevation(place: Position) -> str:
    return f"<ele>{_number(place[2])}</ele>" if len(place) > 2 else ""


def _number(number: Decimal) -> str:
    """As XML Schema's ``decimal``, which knows no exponents; no more digits than a double has."""
    return f"{Decimal(repr(float(number))):f}"
