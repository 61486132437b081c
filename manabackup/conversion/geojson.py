"""``geojson``: one file with everything that is somewhere (RFC 7946), for maps and geographical programs.

A row is a feature with its fields as properties. The location log is lines, cut where it has gaps; what it says of
each point stands in ``coordinateProperties``, as other programs that make GeoJSON of tracks have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from ..model.tables import TableModel
from ..text import jsontext
from ..text.jsontext import JSON
from .joined import Joined
from .places import LOG, Fix, Position, fixes, has_places, points
from .reading import Reading, ReadRow

_LONGEST: Final = 10_000
"""Points of a line; a longer one goes on in the next feature, from the point where it was cut."""
_OF_POINTS: Final = ("accuracy", "speed", "heading", "placeId", "spaceId", "authorId", "visibility")
_HALF = re.compile(rb"(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}")


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    reading.leave_out_others(lambda name: has_places(reading, name))
    file.write(b'{"type":"FeatureCollection","features":[')
    begin = b"\n"
    for table, feature in _features(reading):
        text, halves = _HALF.subn(rb"\1\\ufffd", jsontext.dumps_in_order(feature))
        reading.left_out.note("altered", table, halves)
        file.write(begin + text)
        begin = b",\n"
    file.write(b"\n]}\n")


def _features(reading: Reading) -> Iterator[tuple[str, JSON]]:
    """(table, feature) of everything."""
    joined = Joined(reading)
    for model, row, place in points(reading):
        yield model.name, _point(model, row, place, _properties(reading, joined, model, row))
    yield from ((LOG, feature) for feature in _Tracks(reading).features())


def _point(model: TableModel, row: ReadRow, place: Position, properties: dict[str, JSON]) -> JSON:
    geometry = {"type": "Point", "coordinates": _position(place)}
    return {"type": "Feature", "id": f"{model.name}/{row.id}", "geometry": geometry, "properties": properties}


def _position(place: Position) -> list[JSON]:
    """Longitude comes first (RFC 7946, 3.1.1)."""
    latitude, longitude, *altitude = map(float, place)
    return [longitude, latitude, *altitude]


def _properties(reading: Reading, joined: Joined, model: TableModel, row: ReadRow) -> dict[str, JSON]:
    """What a row says, with its title, its labels and its tags; where a field has such a name, under another one."""
    language = reading.language
    own = {name: value for name, value in row.values.items() if value is not None and name not in ("id", *model.geo)}
    told: dict[str, JSON] = {"title": model.heading(row.values, language), "kind": model.label.of(language)}
    for path in model.enums:
        label = model.value_label(path, row.values.get(path), language)
        if label is not None:
            told[f"{path}_label"] = label
    tags: list[Any] = joined.tags(model, row.id, row.values)
    if tags:
        told["tags"] = tags
    block = joined.block(row.values.get("timeBlockId"))
    if block is not None:
        told |= {"starts": block.start, "ends": block.end, "allDay": block.all_day}
    told |= {"created": row.created, "modified": row.modified, "mana-table": model.name, "mana-id": row.id}
    named = {name if own.get(name, value) == value else f"mana-{name}": value for name, value in told.items()}
    return {**named, **own}


class _Tracks:
    """The location log."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._model = reading.model(LOG)

    def features(self) -> Iterator[JSON]:
        line: list[Fix] = []
        for fix in fixes(self._reading):
            if line and (not fix.follows or len(line) >= _LONGEST):
                yield self._feature(line)
                line = line[-1:] if fix.follows else []
            line.append(fix)
        if line:
            yield self._feature(line)

    def _feature(self, line: list[Fix]) -> JSON:
        """A line; a point where there is but one."""
        assert self._model is not None
        label = self._model.label.of(self._reading.language)
        first, last = line[0], line[-1]
        properties: dict[str, JSON] = {"title": label, "kind": label}
        if first.at is not None and last.at is not None:
            local = first.at.astimezone(self._reading.zone)
            properties["title"] = f"{label} {local.replace(tzinfo=None).isoformat(' ', 'minutes')}"
            properties |= {"starts": _time(first), "ends": _time(last)}
        properties["mana-table"] = LOG
        if len(line) == 1:
            own = {name: value for name, value in first.row.values.items() if name not in ("id", *self._model.geo)}
            properties |= {"mana-id": first.row.id} | {name: value for name, value in own.items() if value is not None}
            return _point(self._model, first.row, first.place, properties)
        of_points: dict[str, JSON] = {
            name: [fix.row.values.get(name) for fix in line]
            for name in _OF_POINTS
            if any(fix.row.values.get(name) is not None for fix in line)
        }
        of_points |= {"times": [_time(fix) for fix in line], "mana-ids": [fix.row.id for fix in line]}
        self._note_others(line)
        return {
            "type": "Feature",
            "id": f"{LOG}/{first.row.id}+",
            "geometry": {"type": "LineString", "coordinates": [_position(fix.place) for fix in line]},
            "properties": {**properties, "coordinateProperties": of_points},
        }

    def _note_others(self, line: list[Fix]) -> None:
        """Fields that nobody has described have no place in a line."""
        assert self._model is not None
        held = {"id", "timestamp", "createdAt", "updatedAt", "deletedAt", *self._model.geo, *_OF_POINTS}
        for fix in line:
            others = [value for name, value in fix.row.values.items() if name not in held]
            self._reading.left_out.note("noField", LOG, sum(value is not None for value in others))


def _time(fix: Fix) -> str:
    assert fix.at is not None
    return fix.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
