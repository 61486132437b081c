"""The older archives: what a pull of the same changes would have given, and nothing from a damaged file."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.archive.v1 import open_events
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError
from manabackup.limits import Limits
from manabackup.mirror import Batch, Mirror, prepare
from manabackup.model import registry
from manabackup.operations.archives import event_log
from manabackup.operations.archives.event_log import EventLog
from manabackup.operations.export import Source, export
from manabackup.text import jsontext
from tests.support import v1_exports as v1

from .v1_changes import LIFE, changes

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def export_of(log: Any, path: Path) -> tuple[dict[str, list[Any]], Any]:
    """(rows by table, the manifest) of an export of ``log``."""
    source = Source(mirror=log, registry=registry.load(), user_id=v1.USER, pulled_at=None, cipher=FieldCipher(v1.KEY))
    export(source, path, now=NOW)
    with open_archive(path) as archive:
        rows = {table: [row.values() for row in archive.rows(table)] for table in archive.tables}
        return {table: found for table, found in rows.items() if found}, archive.manifest


@pytest.fixture
def log_of() -> Iterator[Any]:
    opened: list[Any] = []

    def make(path: Path, **options: Any) -> EventLog:
        archive = open_events(path)
        opened.append(archive)
        log = EventLog(archive, tempfile.TemporaryFile, **options)
        opened.append(log)
        return log

    yield make
    for resource in reversed(opened):
        resource.close()


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_events_become_the_changes_that_a_pull_gives() -> None:
    expected = []
    for number, (app, change) in enumerate(v1.life(), 1):
        event_id = json.loads(v1.life_lines()[number - 1])["eventId"]
        expected.append((app, change["table"], {"eventId": event_id, "schemaVersion": 1, **change}))
    assert [
        (app, collection, json.loads(jsontext.dumps(change))) for app, collection, change in changes(LIFE)
    ] == expected


def test_the_manifest_says_whose_it_is_and_when_it_was_made() -> None:
    with open_events(LIFE) as archive:
        assert archive.manifest.user_id == v1.USER
        assert archive.manifest.created_at == "2026-04-20T09:30:15Z"
        assert archive.manifest.event_count == len(v1.life())
        assert archive.manifest.apps == ("articles", "habitat", "notes", "times", "todo", "wetter")
        assert archive.manifest.produced_by == "mana-sync"
        assert archive.notes == []


def test_an_account_without_events_is_an_archive_without_events() -> None:
    assert changes(v1.FOLDER / "empty.mana") == []


def test_a_list_of_no_apps_may_be_null(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    raw = {**v1.manifest_of([], []), "apps": None}
    path.write_bytes(v1.container([("events.jsonl", b""), ("manifest.json", json.dumps(raw).encode())]))
    with open_events(path) as archive:
        assert archive.manifest.apps == ()


def test_a_field_with_a_time_and_no_value_was_removed(tmp_path: Path) -> None:
    line = json.dumps(
        {
            "eventId": "e",
            "appId": "notes",
            "table": "notes",
            "id": "n",
            "op": "update",
            "data": {"untimed": 1},
            "fieldTimestamps": {"gone": "2026-04-14T00:00:00Z"},
            "createdAt": "2026-04-14T00:00:00Z",
        }
    ).encode()
    path = tmp_path / "a.mana"
    path.write_bytes(v1.export([line], ["notes"]))
    ((_, _, change),) = changes(path)
    assert change["fields"] == {"gone": {"value": None, "at": "2026-04-14T00:00:00Z"}, "untimed": {"value": 1}}


def test_numbers_and_lone_surrogates_survive(tmp_path: Path) -> None:
    line = v1.event_line("notes", {"table": "notes", "id": "n", "op": "insert", "data": {"x": 0}}, 1)
    odd = b'{"big":123456789012345678901234567890,"lone":"\\ud83d"}'
    path = tmp_path / "a.mana"
    path.write_bytes(v1.export([line.replace(b'{"x":0}', odd)], ["notes"]))
    ((_, _, change),) = changes(path)
    assert jsontext.dumps(change["data"]) == odd


def test_events_that_stand_twice_count_once_and_are_noted(tmp_path: Path) -> None:
    lines = v1.life_lines()
    path = tmp_path / "a.mana"
    path.write_bytes(v1.export([*lines, lines[3], lines[0]], ["todo"]))
    with open_events(path) as archive:
        assert len(list(archive.events())) == len(lines)
        assert archive.notes == ["2 events stand twice and count once"]


def test_other_entries_are_noted(tmp_path: Path) -> None:
    manifest = json.dumps(v1.manifest_of([], [])).encode()
    path = tmp_path / "a.mana"
    path.write_bytes(v1.container([("events.jsonl", b""), ("manifest.json", manifest), ("README.md", b"hi")]))
    with open_events(path) as archive:
        assert archive.notes == ["unknown entry README.md"]


# --- from v1 to v2 ----------------------------------------------------------------------------------------------------


def test_an_export_of_the_events_equals_an_export_of_a_mirror_that_pulled_them(tmp_path: Path, log_of: Any) -> None:
    pulled = defaultdict(list)
    for app, collection, change in changes(LIFE):
        pulled[app, collection].append(change)
    with Mirror(tmp_path / "mirror.sqlite", sync_url="https://sync.example", user_id=v1.USER) as mirror:
        for (app, collection), found in pulled.items():
            mirror.store(app, {collection: Batch(prepare(found))})
        with mirror.snapshot() as snapshot:
            _, of_mirror = export_of(snapshot, tmp_path / "mirror.mana")
    _, of_events = export_of(log_of(LIFE), tmp_path / "events.mana")
    assert of_events.data_sha256 == of_mirror.data_sha256
    assert of_events.completeness == of_mirror.completeness


def test_the_rows_are_what_the_user_last_saw(tmp_path: Path, log_of: Any) -> None:
    rows, manifest = export_of(log_of(LIFE), tmp_path / "events.mana")
    # The edit is older than the server's receipt of the insert and must win nevertheless.
    assert [row["title"] for row in rows["tasks"]] == ["Hafermilch kaufen"]
    assert rows["notes"][0]["title"] == "<Liebes> Tagebuch & Co.\u2028"
    assert rows["notes"][0]["content"] == 'a\n"b" 🔑'
    assert rows["todoProjects"][0] == {
        "id": "p-1",
        "color": None,
        "createdAt": "2026-04-13T19:00:00.000Z",
        "name": "<b>Haus</b> & Hof\u2029",
    }
    assert rows["timeSettings"][0]["theme"] == {"color": "blue"}
    assert rows["articleImportJobs"][0]["url"] == "https://example.org/?a=1&b=<2>"
    assert rows["habitat.plants"][0]["name"] == "Farn"
    completeness = manifest.completeness
    assert (completeness["status"], completeness["changes"]) == ("complete", len(v1.life()))
    assert completeness["deleted"] == 1


def test_pages_that_were_set_aside_come_back_in_order_and_tell_nothing_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_BUDGET", 20_000)
    lines = [
        v1.event_line(app, {"table": table, "id": f"r{n % 7}", "op": "insert", "data": {"n": n, "t": "Tagebuch"}}, n)
        for n in range(1, 2_000)
        for app, table in [(("notes", "notes"), ("todo", "tasks"), ("todo", "projects"))[n % 3]]
    ]
    path = tmp_path / "a.mana"
    path.write_bytes(v1.export(lines, ["notes", "todo"]))
    disk = (tmp_path / "spool").open("w+b")
    with open_events(path) as archive, EventLog(archive, lambda: disk) as log:
        held = {(found.app, found.name): found.changes for found in log.collections()}
        assert held == {("notes", "notes"): 666, ("todo", "projects"): 666, ("todo", "tasks"): 667}
        for app, collection in held:
            for _ in range(2):  # a reading leaves everything in place
                numbers = [
                    jsontext.parse(line)["data"]["n"] for page in log.read(app, collection) for line in page.lines()
                ]
                assert numbers == sorted(numbers)
                assert len(numbers) == held[app, collection]
        assert sum(1 for _ in log.read("notes", "notes")) > 1
        assert list(log.read("notes", "nothing")) == []
        assert log.losses() == []
        spooled = (tmp_path / "spool").read_bytes()
        assert len(spooled) > 10_000
        assert b"Tagebuch" not in spooled
        assert b"\x28\xb5\x2f\xfd" not in spooled  # what zstd frames begin with


def test_a_log_of_too_many_collections_is_refused(tmp_path: Path) -> None:
    lines = [
        v1.event_line("a", {"table": f"c{n}", "id": "r", "op": "insert", "data": {"n": n}}, n) for n in range(1, 12)
    ]
    path = tmp_path / "a.mana"
    path.write_bytes(v1.export(lines, ["a"]))
    with open_events(path) as archive, pytest.raises(DamagedArchiveError) as raised:
        EventLog(archive, tempfile.TemporaryFile, limits=Limits(entries=10))
    assert raised.value.code == "limit"


def test_what_the_server_would_never_have_stored_is_set_aside_not_fatal(tmp_path: Path, log_of: Any) -> None:
    lines = [
        b'{"eventId":"1","appId":"notes","table":"notes","id":7,"op":"insert","createdAt":"2026-04-14T00:00:01Z"}',
        b'{"eventId":"2","appId":"notes","table":"notes","id":"n","op":"upsert","createdAt":"2026-04-14T00:00:02Z"}',
        b'{"eventId":"3","appId":"notes","table":"notes","id":"n","op":"delete","data":{"deletedAt":5},'
        b'"createdAt":"2026-04-14T00:00:03Z"}',
        b'{"eventId":"4","appId":"notes","table":"notes","id":"n","op":"update","data":{"a":1},'
        b'"fieldTimestamps":{"a":5},"createdAt":"2026-04-14T00:00:04Z"}',
    ]
    path = tmp_path / "a.mana"
    path.write_bytes(v1.export(lines, ["notes"]))
    rows, manifest = export_of(log_of(path), tmp_path / "b.mana")
    assert rows == {}
    reasons = sorted(case["reason"] for case in manifest.completeness["losses"]["malformedChange"]["cases"])
    assert reasons == ["badDeletedAt", "badFields", "badId", "badOp"]


# --- any events -------------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "b.c", "deletedAt", "__proto__", "ü", "id"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=5,
)
_FIELDS = st.fixed_dictionaries({"value": _VALUES}, optional={"at": st.text(max_size=30)})
_CHANGES = st.one_of(
    st.fixed_dictionaries({"op": st.just("insert"), "data": st.dictionaries(_NAMES, _VALUES, min_size=1)}),
    st.fixed_dictionaries({"op": st.just("update"), "fields": st.dictionaries(_NAMES, _FIELDS, min_size=1)}),
    st.fixed_dictionaries({"op": st.just("delete")}, optional={"deletedAt": st.text(max_size=30)}),
).flatmap(
    lambda change: st.builds(
        lambda table, record: {**change, "table": table, "id": record},
        st.sampled_from(["notes", "tasks", "ä/../b"]),
        st.text(min_size=1, max_size=5),
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_CHANGES, max_size=8))
def test_whatever_the_server_stored_comes_out_as_it_would_be_pulled(
    tmp_path_factory: pytest.TempPathFactory, stored: list[v1.Change]
) -> None:
    path = tmp_path_factory.mktemp("v1") / "a.mana"
    lines = [v1.event_line("app", change, number) for number, change in enumerate(stored, 1)]
    path.write_bytes(v1.export(lines, ["app"]))
    found = changes(path)
    assert [json.loads(jsontext.dumps(change)) for _, _, change in found] == [
        {"eventId": json.loads(line)["eventId"], "schemaVersion": 1, **change}
        for line, change in zip(lines, stored, strict=True)
    ]
