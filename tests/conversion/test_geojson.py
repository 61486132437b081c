"""``geojson``: read by Python's own JSON parser, and by models of RFC 7946 that others wrote."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from geojson_pydantic import FeatureCollection
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive

DEGREES = {
    **dict.fromkeys(("cities", "ccLocations", "contacts", "places", "locationLogs"), ("latitude", "longitude")),
    "socialEvents": ("locationLat", "locationLon"),
    "wetterLocations": ("lat", "lon"),
}
"""Table → the fields that say where something is."""


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "geojson", target, options=ConvertOptions(**options))


def features(path: Path) -> list[dict[str, Any]]:
    """The features, after others found nothing wrong with them."""
    data = path.read_bytes()
    FeatureCollection.model_validate_json(data)
    found: list[dict[str, Any]] = json.loads(data)["features"]
    return found


def made(tmp_path: Path, tables: Tables, **options: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "a.geojson", **options)
    return features(tmp_path / "a.geojson"), result.left_out.to_json()


def somewhere(row: dict[str, Any], names: tuple[str, str]) -> bool:
    latitude, longitude = (row.get(name) for name in names)
    if not all(type(number) in (int, float) for number in (latitude, longitude)):
        return False
    return abs(latitude) <= 90 and abs(longitude) <= 180 and bool(latitude or longitude)  # type: ignore[arg-type]


def rows_told(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(table, id) of every row that is in there."""
    told = set()
    for feature in found:
        properties = feature["properties"]
        ids = properties.get("coordinateProperties", {}).get("mana-ids") or [properties["mana-id"]]
        told |= {(properties["mana-table"], identifier) for identifier in ids}
    return told


def test_every_row_that_is_somewhere_is_there(life: Path, tmp_path: Path) -> None:
    result = convert(life, tmp_path / "a.geojson", language="de")
    found = features(tmp_path / "a.geojson")
    rows = rows_of(life)
    wanted, nowhere = set(), 0
    for table, names in DEGREES.items():
        for identifier, row in rows[table].items():
            if somewhere(row, names):
                wanted.add((table, identifier))
            else:
                nowhere += 1
    assert rows_told(found) == wanted
    assert len(wanted) > 10
    left_out = result.left_out.to_json()
    assert sum(left_out.get("noPlace", {}).values()) + sum(left_out.get("oddValue", {}).values()) == nowhere
    others = sum(len(of) for table, of in rows.items() if table not in DEGREES)
    there = left_out["otherTable"] | left_out["technical"] | left_out.get("undescribed", {})
    assert sum(there.values()) == others
    assert not left_out.keys() - {
        "noPlace",
        "oddValue",
        "otherTable",
        "technical",
        "undescribed",
        "ciphertext",
        "secret",
    }


def test_the_same_archive_gives_the_same_bytes(life: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "a.geojson")
    convert(life, tmp_path / "b.geojson")
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()


def test_a_row_keeps_what_it_says(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t", "name": "quiet"}],
        "places": [
            {
                "id": "p",
                "name": "Lake",
                "latitude": 47.36,
                "longitude": 8.54,
                "category": "leisure",
                "tagIds": ["t"],
                "title": "no title of ours",
                "unlistedToken": "tok_1",
                "address": None,
            }
        ],
    }
    found, left_out = made(tmp_path, tables, language="de")
    assert found == [
        {
            "type": "Feature",
            "id": "places/p",
            "geometry": {"type": "Point", "coordinates": [8.54, 47.36]},
            "properties": {
                "mana-title": "Lake",
                "kind": "Orte",
                "category_label": "Freizeit",
                "tags": ["quiet"],
                "created": "2026-01-01T10:00:00.000Z",
                "modified": "2026-02-01T10:00:00.000Z",
                "mana-table": "places",
                "mana-id": "p",
                "name": "Lake",
                "category": "leisure",
                "tagIds": ["t"],
                "title": "no title of ours",
            },
        }
    ]
    assert left_out == {"otherTable": {"globalTags": 1}, "secret": {"places": 1}}


def test_gatherings_stand_with_their_times(tmp_path: Path) -> None:
    tables: Tables = {
        "socialEvents": [{"id": "e", "title": "Fair", "timeBlockId": "b", "locationLat": 1, "locationLon": 2}],
        "timeBlocks": [{"id": "b", "startDate": "2026-05-01T10:00:00.000Z", "endDate": None}],
    }
    found, _ = made(tmp_path, tables)
    properties = found[0]["properties"]
    assert (properties["starts"], properties["ends"], properties["allDay"]) == ("2026-05-01T10:00:00.000Z", None, False)


def log(identifier: str, at: Any, latitude: float, longitude: float, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "timestamp": at, "latitude": latitude, "longitude": longitude, **more}


def test_the_log_is_lines_cut_where_it_has_gaps(tmp_path: Path) -> None:
    rows = [
        log("e", "2026-05-01T10:10:00.000Z", 47.2, 8.2, accuracy=5, altitude=400.5, unheard=1),
        log("d", "2026-05-01T10:05:00.000Z", 47.1, 8.1, speed=1.5),
        log("c", "2026-05-01T10:41:00.000Z", 47.3, 8.3),
        log("b", "2026-05-01T13:00:00+02:00", 47.4, 8.4, placeId="p"),
        log("a", "once", 47.5, 8.5),
    ]
    found, left_out = made(tmp_path, {"locationLogs": rows}, zone=ZoneInfo("Europe/Zurich"))
    untimed, line, later = found
    assert untimed["geometry"] == {"type": "Point", "coordinates": [8.5, 47.5]}
    assert line["geometry"] == {"type": "LineString", "coordinates": [[8.1, 47.1], [8.2, 47.2, 400.5]]}
    assert line["properties"] == {
        "title": "Location log 2026-05-01 12:05",
        "kind": "Location log",
        "starts": "2026-05-01T10:05:00.000Z",
        "ends": "2026-05-01T10:10:00.000Z",
        "mana-table": "locationLogs",
        "coordinateProperties": {
            "accuracy": [None, 5],
            "speed": [1.5, None],
            "times": ["2026-05-01T10:05:00.000Z", "2026-05-01T10:10:00.000Z"],
            "mana-ids": ["d", "e"],
        },
    }
    assert later["geometry"] == {"type": "LineString", "coordinates": [[8.3, 47.3], [8.4, 47.4]]}
    assert later["properties"]["coordinateProperties"]["placeId"] == [None, "p"]
    assert left_out == {"noField": {"locationLogs": 1}}


def test_a_line_does_not_lead_around_the_world_nor_go_on_for_ever(tmp_path: Path) -> None:
    around = [log("a", "2026-05-01T10:00:00Z", 0.5, 179.9), log("b", "2026-05-01T10:05:00Z", 0.5, -179.9)]
    found, _ = made(tmp_path, {"locationLogs": around})
    assert [feature["geometry"]["type"] for feature in found] == ["Point", "Point"]
    many = [
        log(f"{number:05}", f"2026-05-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00Z", 1, 2)
        for number in range(10_002)
    ]
    convert(write_archive(tmp_path / "many.mana", {"locationLogs": many}), tmp_path / "many.geojson")
    found = features(tmp_path / "many.geojson")
    first, second = (feature["properties"]["coordinateProperties"]["mana-ids"] for feature in found)
    assert (len(first), second) == (10_000, ["09999", "10000", "10001"])


def test_what_is_nowhere_is_told_from_what_is_wrong(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "no-fix", "latitude": 0, "longitude": 0},
        {"id": "nothing"},
        {"id": "half", "latitude": 47.1, "longitude": None},
        {"id": "off", "latitude": 91, "longitude": 8},
        {"id": "text", "latitude": "47.1", "longitude": "8.1"},
        {"id": "pole", "latitude": 90, "longitude": -180},
    ]
    found, left_out = made(tmp_path, {"places": rows})
    assert [feature["id"] for feature in found] == ["places/pole"]
    assert left_out == {"noPlace": {"places": 2}, "oddValue": {"places": 3}}


HOSTILE = [
    "<script>",
    "a\0b",
    "\u202eexe",
    "half \ud83d",
    'say "so"\\',
    "\\ud83d",
    "\U0001f468‍\U0001f469",
    "x" * 100_000,
]


def test_hostile_words_come_through(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "name": name, "latitude": 1, "longitude": n} for n, name in enumerate(HOSTILE)]
    found, left_out = made(tmp_path, {"places": rows})
    told = [feature["properties"]["name"] for feature in found]
    assert told == [name.replace("\ud83d", "\ufffd") for name in HOSTILE]
    assert left_out == {"altered": {"places": 2}}  # once in the name, once in the title


NUMBERS = st.one_of(
    st.none(),
    st.integers(-200, 200),
    st.floats(-200, 200).map(lambda number: round(number, 9)),
    st.text(max_size=3),
)
TIMES = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat()),
    st.sampled_from(["2026-05-01T10:00:00Z", "2026-05-01T10:20:00Z", "2026-05-01T10:45:00Z", "", None, "2026-13-01"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, TIMES), max_size=8))
def test_no_point_of_the_log_gets_lost(drawn: list[tuple[Any, Any, Any]]) -> None:
    rows = [log(f"{n}", at, latitude, longitude) for n, (latitude, longitude, at) in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as folder:
        found, left_out = made(Path(folder), {"locationLogs": rows})
    wanted = {("locationLogs", row["id"]) for row in rows if somewhere(row, DEGREES["locationLogs"])}
    assert rows_told(found) == wanted
    assert sum(sum(tables.values()) for tables in left_out.values()) == len(rows) - len(wanted)
