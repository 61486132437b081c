"""``geojson``, ``gpx``, ``bookmarks``, ``opml``: read by a JSON Schema, gpxpy, DuckDB, and parsers of HTML and XML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import gpxpy
from jsonschema import Draft202012Validator

from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive

_POSITION = {
    "type": "array",
    "prefixItems": [
        {"type": "number", "minimum": -180, "maximum": 180},
        {"type": "number", "minimum": -90, "maximum": 90},
    ],
    "items": {"type": "number"},
    "minItems": 2,
    "maxItems": 3,
}
_GEOMETRIES = {"Point": _POSITION, "LineString": {"type": "array", "items": _POSITION, "minItems": 2}}
GEOJSON = Draft202012Validator(
    {
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type", "geometry", "properties"],
                    "properties": {
                        "type": {"const": "Feature"},
                        "properties": {"type": "object"},
                        "geometry": {
                            "required": ["type", "coordinates"],
                            "oneOf": [
                                {
                                    "required": ["type", "coordinates"],
                                    "properties": {"type": {"const": kind}, "coordinates": form},
                                }
                                for kind, form in _GEOMETRIES.items()
                            ],
                        },
                    },
                },
            },
        },
    }
)
"""RFC 7946, as far as ours goes."""
ADDRESS = 'https://example.org/?a="b"&c'
PLACES: Tables = {
    "places": [
        {
            "id": "p",
            "name": "Lake <b>&",
            "latitude": 47.5,
            "longitude": 8.25,
            "category": "leisure",
            "description": "cold\0",
        },
        {"id": "q", "name": "Nowhere", "latitude": 0, "longitude": 0},
    ],
    "locationLogs": [
        {"id": str(number), "latitude": 47 + number / 100, "longitude": 8, "altitude": 400, "timestamp": at}
        for number, at in enumerate(
            ("2026-05-01T10:05:00.000Z", "2026-05-01T10:00:00.000Z", "2026-05-01T12:00:00.000Z", None)
        )
    ],
}


def convert(source: Path, name: str, target: Path, **options: Any) -> Converted:
    return convert_to(source, name, target, options=ConvertOptions(**options))


def test_places_and_tracks_as_geojson(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "a.mana", PLACES, times={"3": ("never", "never")})
    result = convert(source, "geojson", tmp_path / "a.json", language="de")
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    GEOJSON.validate(found)
    lake, track, alone = found["features"]
    assert lake["geometry"] == {"type": "Point", "coordinates": [8.25, 47.5]}
    assert (lake["properties"]["title"], lake["properties"]["category"]) == ("Lake <b>&", "Freizeit")
    assert track["geometry"]["coordinates"] == [[8, 47.01, 400], [8, 47, 400]]
    assert track["properties"]["times"] == ["2026-05-01T10:00:00Z", "2026-05-01T10:05:00Z"]
    assert alone["geometry"] == {"type": "Point", "coordinates": [8, 47.02, 400]}
    assert result.left_out.to_json() == {"noPlace": {"places": 1}, "noTime": {"locationLogs": 1}}


def test_places_and_tracks_as_gpx(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "a.mana", PLACES, times={"3": ("never", "never")})
    convert(source, "gpx", tmp_path / "a.gpx")
    found = gpxpy.parse((tmp_path / "a.gpx").read_text("utf-8"))
    (lake,) = found.waypoints
    assert (lake.latitude, lake.longitude, lake.name, lake.description) == (47.5, 8.25, "Lake <b>&", "cold")
    assert [[len(segment.points) for segment in track.segments] for track in found.tracks] == [[2], [1]]
    point = found.tracks[0].segments[0].points[0]
    assert point.time is not None
    assert (point.elevation, point.time.isoformat()) == (400, "2026-05-01T10:00:00+00:00")


def test_every_place_of_an_account_is_there_or_counted(life: Path, tmp_path: Path) -> None:
    rows = rows_of(life)
    for name in ("geojson", "gpx"):
        result = convert(life, name, tmp_path / name)
        told = result.left_out.to_json()
        if name == "geojson":
            found = json.loads((tmp_path / name).read_text("utf-8"))
            GEOJSON.validate(found)
            tables = [feature["properties"]["table"] for feature in found["features"]]
            for table in ("places", "contacts", "wetterLocations"):
                assert tables.count(table) + told.get("noPlace", {}).get(table, 0) == len(rows[table])
        else:
            gpxpy.parse((tmp_path / name).read_text("utf-8"))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.links.append(dict(attrs))


def test_bookmarks_are_what_browsers_import(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t", "name": "read, later"}],
        "articleTags": [{"id": "x", "articleId": "a", "tagId": "t"}],
        "articles": [
            {
                "id": "a",
                "title": "<script>",
                "originalUrl": 'https://example.org/?a="b"&c',
                "savedAt": "2026-05-01T10:00:00.000Z",
            },
            {"id": "b", "title": "Trap", "originalUrl": "javascript:alert(1)"},
        ],
        "links": [{"id": "l", "title": "Short", "originalUrl": "https://example.org/", "password": "hunter2"}],
    }
    result = convert(write_archive(tmp_path / "a.mana", tables), "bookmarks", tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text("utf-8")
    parser = _Links()
    parser.feed(text)
    assert [link["href"] for link in parser.links] == [ADDRESS, "https://example.org/"]
    assert parser.links[0] == {"href": ADDRESS, "add_date": "1777629600", "tags": "read later"}
    assert text.startswith("<!DOCTYPE NETSCAPE-Bookmark-file-1>\n")
    assert "script" not in parser.tags
    assert "hunter2" not in text
    assert result.left_out.to_json() == {"noAddress": {"articles": 1}, "secret": {"links": 1}}


def test_feeds_are_outlines(tmp_path: Path) -> None:
    feeds = [
        {"url": "https://example.org/feed.xml", "title": 'News & "more"\n'},
        {"url": "https://example.org/2"},
        {"url": "file:///etc/passwd"},
        "no feed",
    ]
    source = write_archive(tmp_path / "a.mana", {"newsPreferences": [{"id": "singleton", "customFeeds": feeds}]})
    result = convert(source, "opml", tmp_path / "a.opml")
    outlines = ET.parse(tmp_path / "a.opml").getroot().findall("./body/outline")
    assert [(outline.get("text"), outline.get("xmlUrl")) for outline in outlines] == [
        ('News & "more"', "https://example.org/feed.xml"),
        ("https://example.org/2", "https://example.org/2"),
    ]
    assert result.left_out.to_json() == {"noAddress": {"newsPreferences": 2}}
