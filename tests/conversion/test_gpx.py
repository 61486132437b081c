"""``gpx``: checked against the schema of GPX 1.1 by one program of others, and read by a second one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gpx
import gpxpy
import gpxpy.gpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive
from .test_geojson import DEGREES, HOSTILE, log, somewhere


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "gpx", target, options=ConvertOptions(**options))


def read(path: Path) -> gpxpy.gpx.GPX:
    """The file, after others found nothing wrong with it."""
    checked = gpx.validate(path)
    assert [issue for issue in checked.issues if "extension" not in str(issue).lower()] == []
    return gpxpy.parse(path.read_text("utf-8"))


def made(tmp_path: Path, tables: Tables, **options: Any) -> tuple[gpxpy.gpx.GPX, dict[str, Any]]:
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "a.gpx", **options)
    return read(tmp_path / "a.gpx"), result.left_out.to_json()


def test_every_row_that_is_somewhere_is_there(life: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "a.gpx", language="de")
    found = read(tmp_path / "a.gpx")
    places = [(point.latitude, point.longitude) for point in found.waypoints]
    places += [(point.latitude, point.longitude) for point in found.walk(only_points=True)]
    rows = rows_of(life)
    wanted = [
        (float(row[latitude]), float(row[longitude]))
        for table, (latitude, longitude) in DEGREES.items()
        for row in rows[table].values()
        if somewhere(row, (latitude, longitude))
    ]
    assert sorted(places) == sorted(wanted)
    assert len(wanted) > 10


def test_the_same_archive_gives_the_same_bytes(life: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "a.gpx")
    convert(life, tmp_path / "b.gpx")
    assert (tmp_path / "a.gpx").read_bytes() == (tmp_path / "b.gpx").read_bytes()


def test_places_are_waypoints_with_what_they_say(tmp_path: Path) -> None:
    place = {"id": "p", "name": "Lake", "latitude": 47.36, "longitude": 8.54, "category": "leisure", "visitCount": 3}
    person = {"id": "c", "company": "Bakery", "latitude": 1e-07, "longitude": 180, "notes": "closed on\nMonday"}
    found, left_out = made(tmp_path, {"contacts": [person], "places": [{**place, "address": "At the shore"}]})
    bakery, lake = found.waypoints
    assert (lake.name, lake.type, lake.description) == ("Lake", "Places: Leisure", "At the shore")
    assert (lake.latitude, lake.longitude) == (47.36, 8.54)
    assert lake.time.isoformat() == "2026-01-01T10:00:00+00:00"  # type: ignore[union-attr]
    assert (bakery.name, bakery.description, bakery.type) == ("Bakery", "closed on\nMonday", "Contacts")
    assert (bakery.latitude, bakery.longitude) == (1e-07, -180.0)
    assert found.time.isoformat() == "2026-05-01T12:00:00+00:00"  # type: ignore[union-attr]
    assert left_out == {"noField": {"places": 1}}


def test_the_log_is_a_track_cut_where_it_has_gaps(tmp_path: Path) -> None:
    rows = [
        log("e", "2026-05-01T10:10:00.000Z", 47.2, 8.2, altitude=400.5, accuracy=5),
        log("d", "2026-05-01T10:05:00.250Z", 47.1, 8.1, speed=1.5, heading=360),
        log("c", "2026-05-01T10:41:00.000Z", 47.3, 8.3, speed=-1, heading=-1),
        log("a", "once", 47.5, 8.5, altitude=7),
    ]
    found, left_out = made(tmp_path, {"locationLogs": rows})
    (untimed,) = found.waypoints
    assert (untimed.latitude, untimed.longitude, untimed.elevation, untimed.time) == (47.5, 8.5, 7.0, None)
    (track,) = found.tracks
    first, second = track.segments
    assert [(point.latitude, point.elevation) for point in first.points] == [(47.1, None), (47.2, 400.5)]
    assert first.points[0].time.isoformat() == "2026-05-01T10:05:00.250000+00:00"  # type: ignore[union-attr]
    assert [point.latitude for point in second.points] == [47.3]
    (extension,) = first.points[0].extensions
    assert {child.tag.rpartition("}")[2]: child.text for child in extension} == {"speed": "1.5", "course": "0.0"}
    assert left_out == {"noField": {"locationLogs": 4}}  # an accuracy, a speed, a direction, and a time that is none


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_break_nothing(tmp_path: Path, name: str) -> None:
    rows = [{"id": "p", "name": name, "latitude": 1, "longitude": 2, "description": f"]]></desc>&amp;{name}\r\nend"}]
    found, left_out = made(tmp_path, {"places": rows})
    (point,) = found.waypoints
    seen = name.replace("\0", "\ufffd").replace("\u202e", "\ufffd").replace("\ud83d", "\ufffd")
    assert point.name == seen
    assert point.description == f"]]></desc>&amp;{seen}\nend"
    assert left_out == ({} if seen == name else {"altered": {"places": 2}})


DEGREES_NORTH, DEGREES_EAST = (st.floats(-most, most).map(lambda number: round(number, 9)) for most in (90, 180))
TEXTS = st.text(st.characters(codec=None), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, DEGREES_NORTH, DEGREES_EAST), max_size=6))
def test_no_place_gets_lost(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str, float, float]]
) -> None:
    rows = [
        {"id": f"{n}", "name": name, "description": said, "latitude": latitude, "longitude": longitude}
        for n, (name, said, latitude, longitude) in enumerate(drawn)
    ]
    found, left_out = made(tmp_path_factory.mktemp("gpx"), {"places": rows})
    assert len(found.waypoints) + left_out.get("noPlace", {}).get("places", 0) == len(rows)
    kept = [row for row in rows if row["latitude"] or row["longitude"]]
    for point, row in zip(found.waypoints, kept, strict=True):
        longitude = float(row["longitude"])  # type: ignore[arg-type]
        assert (point.latitude, point.longitude) == (row["latitude"], -180.0 if longitude == 180 else longitude)
