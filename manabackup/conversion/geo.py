"""Places: as GeoJSON (RFC 7946), and as GPX 1.1 with the log of locations as tracks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import BinaryIO, Final
from xml.sax.saxutils import escape

from ..model.tables import TableModel
from ..model.values import first_text, moment
from ..text import jsontext
from . import prose
from .joined import Joined
from .reading import Reading, ReadRow

LOG: Final = "locationLogs"
_GAP: Final = timedelta(minutes=30)
"""Between two points of one track at most; the app takes one every five minutes."""


def models(reading: Reading) -> dict[str, TableModel]:
    """The tables that were asked for whose rows have places."""
    found = {name: reading.model(name) for name in reading.tables}
    return {name: model for name, model in found.items() if model is not None and model.geo}


def placed(reading: Reading, name: str, model: TableModel) -> Iterator[tuple[ReadRow, tuple[Decimal, ...]]]:
    """The rows of a table that have a place, and where it is."""
    for row in reading.rows(name):
        place = model.place(row.values)
        if place is None:
            reading.left_out.note("noPlace", name)
        else:
            yield row, place


def log(reading: Reading, model: TableModel) -> Iterator[tuple[datetime | None, ReadRow, tuple[Decimal, ...]]]:
    """The points of the log in the order of their times, the ones without a time first."""

    def instant(row: ReadRow) -> str:
        found = model.date(row.values) or moment(row.created)
        if not isinstance(found, datetime) or found.tzinfo is None:
            return ""
        return found.astimezone(UTC).isoformat()

    for told, row in reading.ordered(LOG, instant):
        place = model.place(row.values)
        if place is None:
            reading.left_out.note("noPlace", LOG)
        else:
            yield (datetime.fromisoformat(told) if told else None), row, place


def tracks(reading: Reading, model: TableModel) -> Iterator[tuple[bool, datetime, ReadRow, tuple[Decimal, ...]]]:
    """(whether a track begins, time, row, place) of every point with a time."""
    last: datetime | None = None
    for at, row, place in log(reading, model):
        if at is None:
            reading.left_out.note("noTime", LOG)
            continue
        yield last is None or at - last > _GAP, at, row, place
        last = at


# --- GeoJSON ----------------------------------------------------------------------------------------------------------


def geojson(reading: Reading, file: BinaryIO) -> None:
    """Write the places as features, and the log as lines cut at gaps."""
    held = models(reading)
    reading.leave_out_others(lambda name: name in held)
    joined = Joined(reading)
    file.write(b'{"type":"FeatureCollection","features":[')
    first = True
    for name, model in held.items():
        features = _lines(reading, model) if name == LOG else _points(reading, joined, name, model)
        for feature in features:
            file.write((b"\n" if first else b",\n") + feature)
            first = False
    file.write(b"\n]}\n")


def _points(reading: Reading, joined: Joined, name: str, model: TableModel) -> Iterator[bytes]:
    for row, place in placed(reading, name, model):
        properties = {
            "title": prose.clean(model.heading(row.values, reading.language)),
            "table": name,
            "id": prose.clean(row.id),
            "tags": [prose.clean(tag) for tag in joined.tags(model, row.id, row.values)],
        }
        for field in ("description", "address", "category"):
            if text := first_text(row.values, field):
                properties[field] = model.value_label(field, text, reading.language) or prose.clean(text)
        yield _feature("Point", _coordinates(place), properties)


def _lines(reading: Reading, model: TableModel) -> Iterator[bytes]:
    line: list[list[jsontext.Number]] = []
    times: list[str] = []
    for begins, at, _, place in tracks(reading, model):
        if begins and line:
            yield _line(line, times)
            line, times = [], []
        line.append(_coordinates(place))
        times.append(at.isoformat().replace("+00:00", "Z"))
    if line:
        yield _line(line, times)


def _line(line: list[list[jsontext.Number]], times: list[str]) -> bytes:
    """A line has two points at least; one alone is a point."""
    properties = {"table": LOG, "times": times}
    return _feature("LineString", line, properties) if len(line) > 1 else _feature("Point", line[0], properties)


def _feature(kind: str, coordinates: object, properties: object) -> bytes:
    return jsontext.dumps(
        {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}
    )


def _coordinates(place: tuple[Decimal, ...]) -> list[jsontext.Number]:
    """Longitude first (RFC 7946, 3.1.1)."""
    latitude, longitude, *altitude = place
    return [jsontext.Number(f"{number:f}") for number in (longitude, latitude, *altitude)]


# --- GPX --------------------------------------------------------------------------------------------------------------


def gpx(reading: Reading, file: BinaryIO) -> None:
    """Write the places as waypoints, and the log as tracks cut at gaps."""
    held = models(reading)
    reading.leave_out_others(lambda name: name in held)
    file.write(
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<gpx version="1.1" creator="manabackup" xmlns="http://www.topografix.com/GPX/1/1">\n'
    )
    for name, model in held.items():
        if name == LOG:
            continue
        for row, place in placed(reading, name, model):
            _put(file, "wpt", place, None, row, model, reading)
    model_of_log = held.get(LOG)
    if model_of_log is not None:
        open_track = False
        for begins, at, row, place in tracks(reading, model_of_log):
            if begins:
                ending = "</trkseg></trk>\n" if open_track else ""
                file.write(f"{ending}<trk><name>{at:%Y-%m-%d}</name><trkseg>\n".encode())
                open_track = True
            _put(file, "trkpt", place, at, row, None, reading)
        if open_track:
            file.write(b"</trkseg></trk>\n")
    file.write(b"</gpx>\n")


def _put(
    file: BinaryIO,
    tag: str,
    place: tuple[Decimal, ...],
    at: datetime | None,
    row: ReadRow,
    model: TableModel | None,
    reading: Reading,
) -> None:
    """A point; its parts in the order that the schema wants."""
    latitude, longitude, *altitude = place
    parts = [f'<{tag} lat="{latitude:f}" lon="{longitude:f}">']
    if altitude:
        parts.append(f"<ele>{altitude[0]:f}</ele>")
    if at is not None:
        parts.append(f"<time>{at:%Y-%m-%dT%H:%M:%SZ}</time>")
    if model is not None:
        parts.append(f"<name>{_xml(model.heading(row.values, reading.language))}</name>")
        if text := first_text(row.values, "description") or first_text(row.values, "address"):
            parts.append(f"<desc>{_xml(text)}</desc>")
        parts.append(f"<type>{_xml(model.label.of(reading.language))}</type>")
    parts.append(f"</{tag}>\n")
    file.write("".join(parts).encode())


def _xml(text: str) -> str:
    """Text as XML 1.0 has it."""
    return escape("".join(character for character in prose.clean(text) if character not in "\ufffe\uffff"))
