"""Archives of version 1 that are refused: truncated, altered, newer, or none."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from manabackup.archive.container import Container
from manabackup.archive.sources import FileBytes
from manabackup.archive.v1 import holds_events, open_events
from manabackup.errors import DamagedArchiveError, NotFoundError
from manabackup.limits import Limits
from manabackup.operations.archives.event_log import EventLog
from manabackup.text import jsontext
from tests.support import v1_exports as v1

from .v1_changes import LIFE, changes, damage


def test_a_missing_manifest_means_a_truncated_export() -> None:
    with pytest.raises(DamagedArchiveError, match="cut off") as raised:
        open_events(v1.FOLDER / "no-manifest.mana")
    assert raised.value.code == "truncated"


def test_altered_events_are_found_by_their_hash() -> None:
    with pytest.raises(DamagedArchiveError) as raised:
        changes(v1.FOLDER / "altered.mana")
    assert (raised.value.code, raised.value.where) == ("eventsSha256", "events.jsonl")


def test_a_log_is_never_made_of_altered_events() -> None:
    with open_events(v1.FOLDER / "altered.mana") as archive, pytest.raises(DamagedArchiveError):
        EventLog(archive, tempfile.TemporaryFile)


def test_events_of_a_newer_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedArchiveError, match="schema 2") as raised:
        open_events(v1.FOLDER / "newer-schema.mana")
    assert raised.value.code == "schemaVersion"
    lying = [v1.life_lines()[0].replace(b'"schemaVersion":1', b'"schemaVersion":2')]
    error = damage(v1.export(lying, ["todo"]), tmp_path)
    assert (error.code, error.where) == ("schemaVersion", "events.jsonl:1")


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"formatVersion": 2}, "formatVersion"),
        ({"formatVersion": "1"}, "formatVersion"),
        ({"formatVersion": None}, "formatVersion"),
        ({"userId": ""}, "manifest"),
        ({"userId": None}, "manifest"),
        ({"createdAt": 1}, "manifest"),
        ({"eventCount": -1}, "manifest"),
        ({"eventCount": "15"}, "manifest"),
        ({"eventCount": True}, "manifest"),
        ({"eventCount": 14}, "counts"),
        ({"eventsSha256": None}, "manifest"),
        ({"eventsSha256": "0" * 63}, "manifest"),
        ({"eventsSha256": "0" * 64}, "eventsSha256"),
        ({"apps": "todo"}, "manifest"),
        ({"apps": [1]}, "manifest"),
        ({"schemaVersion": 2}, "schemaVersion"),
        ({"schemaVersionMax": 1.5}, "manifest"),
        ({"schemaVersionMin": "1"}, "manifest"),
    ],
)
def test_a_manifest_that_is_none_is_refused(overrides: dict[str, object], code: str, tmp_path: Path) -> None:
    assert damage(v1.export(v1.life_lines(), ["todo"], **overrides), tmp_path).code == code


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b'{"a":NaN}',
        b'"\xff"',
        b'{"appId":"a","table":"t","id":"i","op":"insert","createdAt":"2026-04-14T00:00:00Z"}',
        b'{"eventId":"e","appId":"","table":"t","id":"i","op":"insert","createdAt":"2026-04-14T00:00:00Z"}',
        b'{"eventId":"e","appId":"a","table":7,"id":"i","op":"insert","createdAt":"2026-04-14T00:00:00Z"}',
        b'{"eventId":"e","appId":"a","table":"t","id":"i","op":"insert","createdAt":"yesterday"}',
        b'{"eventId":"e","appId":"a","table":"t","id":"i","op":"insert","data":[],"createdAt":"2026-04-14T00:00:00Z"}',
        b'{"eventId":"e","appId":"a","table":"t","id":"i","op":"update","fieldTimestamps":7,'
        b'"createdAt":"2026-04-14T00:00:00Z"}',
    ],
)
def test_a_line_that_is_no_event_is_refused_by_its_number_without_its_content(line: bytes, tmp_path: Path) -> None:
    error = damage(v1.export([v1.life_lines()[0], line], ["todo"]), tmp_path)
    assert (error.code, error.where) == ("line", "events.jsonl:2")
    assert "yesterday" not in str(error)


def test_lines_and_events_stay_under_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    line = v1.event_line("a", {"table": "t", "id": "r", "op": "insert", "data": {"x": "y" * 3_000_000}}, 1)
    path.write_bytes(v1.export([line], ["a"]))
    for limits in (Limits(line_bytes=1_000_000), Limits(entry_bytes=1_000_000), Limits(manifest_bytes=10)):
        with pytest.raises(DamagedArchiveError) as raised, open_events(path, limits) as archive:
            list(archive.events())
        assert raised.value.code == "limit"


def test_no_byte_can_be_altered_unseen(tmp_path: Path) -> None:
    """But for what a streamed ZIP leaves open: times, attributes, versions. The events themselves have a hash."""
    whole = LIFE.read_bytes()
    expected = jsontext.dumps(changes(LIFE))
    path = tmp_path / "altered.mana"
    for at in range(len(whole)):
        altered = bytearray(whole)
        altered[at] ^= 0xFF
        path.write_bytes(altered)
        try:
            found = changes(path)
        except DamagedArchiveError:
            continue
        assert jsontext.dumps(found) == expected, at


def test_a_file_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    whole = LIFE.read_bytes()
    for at in range(0, len(whole), 7):
        damage(whole[:at], tmp_path)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_events(tmp_path / "none.mana")
    manifest = json.dumps(v1.manifest_of([], [])).encode()
    assert damage(v1.container([("manifest.json", manifest)]), tmp_path).code == "missing"
    assert damage(v1.container([("letter.txt", b"hi")]), tmp_path).code == "notAnArchive"
    vectors = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives"
    assert damage((vectors / "plain-small.mana").read_bytes(), tmp_path).code == "formatVersion"


def test_bombs_overlaps_and_prefixes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    whole = LIFE.read_bytes()
    assert damage(b"#!/bin/sh\n" + whole, tmp_path).code == "container"
    assert damage(whole + b"tail", tmp_path).code == "container"
    central = whole.index(b"PK\1\2")
    forged = bytearray(whole)
    forged[central + 24 : central + 28] = (4_000_000_000).to_bytes(4, "little")
    assert damage(bytes(forged), tmp_path).code == "limit"


def test_a_v1_archive_is_told_from_a_v2_one(tmp_path: Path) -> None:
    vectors = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives"
    answers = {}
    for path in (LIFE, v1.FOLDER / "no-manifest.mana", vectors / "plain-small.mana", vectors / "sealed-small.mana"):
        with FileBytes(path) as source:
            answers[path.name] = holds_events(Container(source))
    assert answers == {
        "life.mana": True,
        "no-manifest.mana": True,
        "plain-small.mana": False,
        "sealed-small.mana": False,
    }
