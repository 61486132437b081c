"""Whatever is written is read: each limit of the reader is one of the writer, and what does not fit is named."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive import names
from manabackup.archive.reader import open_archive
from manabackup.archive.writer import About, ArchiveWriter, Seal
from manabackup.errors import OutputError, UsageError
from manabackup.limits import DEFAULT_LIMITS, Limits
from manabackup.mirror import Batch, Mirror, prepare
from manabackup.model import registry
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.archives.verify import verify
from manabackup.operations.export import ExportResult, Source, export
from manabackup.operations.rekey import rekey
from manabackup.rows.completeness import MOST_CASE_BYTES
from manabackup.text import jsontext
from tests.support import zips
from tests.support.audited import CIPHER, HOME, NOW, TYPES, USER, T, insert, update

NEST = DEFAULT_LIMITS.nesting
PASSPHRASE = "a passphrase of some length"


META = b'%b,"at":null,"actor":null,"fields":{},"origin":null,"sealed":[]}'


def write(path: Path, tables: dict[str, list[bytes]], limits: Limits, seal: Seal | None = None, **scope: Any) -> None:
    about = About("u-1", "2026-05-01T12:00:00.000Z", {"type": "full", **scope}, fields_plaintext=True)
    with (
        path.open("w+b") as file,
        ArchiveWriter(file, tables=[], seal=seal, make_spool_file=tempfile.TemporaryFile, limits=limits) as writer,
    ):
        for name, lines in tables.items():
            table = writer.table(name)
            for line in lines:
                table.add(line, META % line[: line.index(b",")])
            table.close()
        writer.finish(about, {})


def row(identifier: str, size: int) -> bytes:
    return b'{"id":"%b","x":"%b"}' % (identifier.encode(), b"x" * size)


SMALL = Limits(
    entries=12, entry_name=40, entry_bytes=3_000, total_bytes=9_000, manifest_bytes=1_500, line_bytes=900,
    sealed_body_bytes=6_000,
)  # fmt: skip


@settings(max_examples=100)
@given(
    tables=st.dictionaries(
        st.text("abAB.%ä/", min_size=1, max_size=40), st.lists(st.integers(0, 1_000), max_size=6), max_size=7
    ),
    sealed=st.booleans(),
    scope=st.integers(0, 1_600),
)
def test_what_the_writer_writes_the_reader_takes(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, list[int]], sealed: bool, scope: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{uuid4().hex}.mana"
    rows = {name: [row(str(number), size) for number, size in enumerate(sizes)] for name, sizes in tables.items()}
    try:
        write(path, rows, SMALL, Seal(PASSPHRASE) if sealed else None, appIds=["x" * scope])
    except (OutputError, UsageError):
        return
    finally:
        content = path.read_bytes()
        path.unlink()
    again = path.with_suffix(".again")
    again.write_bytes(content)
    report = verify(again, lambda: PASSPHRASE, limits=SMALL)
    again.unlink()
    assert report.problems == []
    assert report.rows == sum(map(len, rows.values()))


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(entries=7), "more than 7 entries"),
        (Limits(entry_name=16), "a name of more than 16 bytes"),
        (Limits(entry_bytes=999), "an entry of more than 999 bytes"),
        (Limits(total_bytes=2_500), "more than 2,500 bytes"),
        (Limits(line_bytes=500), "a line of more than 500 bytes"),
        (Limits(manifest_bytes=300), "of more than 300 bytes"),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_each_limit_stops_the_writer_before_the_reader(tmp_path: Path, limits: Limits, told: str, sealed: bool) -> None:
    tables = {"notes": [row("a", 600), row("b", 600)], "tasksTasks": [row("a", 1)], "tags": []}
    kind = Seal(PASSPHRASE) if sealed else None
    with pytest.raises(OutputError, match=told) as caught:
        write(tmp_path / "a.mana", tables, limits, kind)
    assert caught.value.hint is not None
    write(tmp_path / "b.mana", tables, DEFAULT_LIMITS, kind)
    lenient = limits.line_bytes < DEFAULT_LIMITS.line_bytes  # by a chunk: lines are measured where one has no end
    assert verify(tmp_path / "b.mana", lambda: PASSPHRASE, limits=limits).ok == lenient


# --- exports ----------------------------------------------------------------------------------------------------------


def exported(
    path: Path, changes: Sequence[tuple[str, str, Any]], limits: Limits = DEFAULT_LIMITS, seal: Seal | None = None
) -> ExportResult:
    with Mirror(path.with_suffix(".sqlite"), sync_url="https://sync.example", user_id=USER) as mirror:
        mirror.begin_pull(compare=False)
        by_collection: dict[tuple[str, str], list[Any]] = {}
        for app, collection, change in changes:
            by_collection.setdefault((app, collection), []).append({"eventId": str(uuid4()), **change})
        for (app, collection), found in by_collection.items():
            mirror.store(app, {collection: Batch(prepare(found), from_start=True)})
        with mirror.snapshot() as snapshot:
            source = Source(snapshot, registry.load(), USER, CIPHER, space_types=TYPES)
            return export(source, path, seal=seal, now=NOW, limits=limits)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("depth", [1, 1_100, NEST - 2, NEST - 1])
def test_a_private_value_may_nest_as_deep_as_its_row_is_read(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a.mana"
    result = exported(path, [insert("notes", "n", {"content": CIPHER.encrypt(nested(depth))})])
    assert result.completeness["losses"] == {}
    assert verify(path).problems == []
    seal(path, tmp_path / "sealed.mana", lambda: PASSPHRASE)
    unseal(tmp_path / "sealed.mana", tmp_path / "unsealed.mana", lambda: PASSPHRASE)
    with open_archive(path) as archive:
        rekey(archive, tmp_path / "rekeyed.mana", CIPHER)
    for name in ("sealed", "unsealed", "rekeyed"):
        assert verify(tmp_path / f"{name}.mana", lambda: PASSPHRASE, cipher=CIPHER).problems == []


@pytest.mark.parametrize("depth", [NEST, NEST + 1])
def test_a_private_value_that_nests_deeper_is_a_named_loss(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a.mana"
    result = exported(path, [insert("notes", "n", {"content": CIPHER.encrypt(nested(depth))})])
    assert result.completeness["losses"] == {"undecryptable": 1}
    assert verify(path).problems == []


@pytest.mark.parametrize(("depth", "lost"), [(NEST, 0), (NEST + 1, 1), (NEST + 40, 1)])
def test_a_path_that_makes_a_row_too_deep_is_a_named_loss(tmp_path: Path, depth: int, lost: int) -> None:
    path = tmp_path / "a.mana"
    names_of_path = [f"k{number}" for number in range(50)]
    value = jsontext.parse(nested(depth - len(names_of_path)))
    changes = [insert("notes", "n", {"isPinned": True}), insert("notes", "other", {"isPinned": True})]
    result = exported(path, [*changes, update("notes", "n", {".".join(names_of_path): value}, T[1])])
    assert result.completeness["losses"] == ({"rowSetAside": 1} if lost else {})
    assert verify(path).problems == []
    assert result.rows == 2 - lost


def unknown(count: int) -> list[tuple[str, str, Any]]:
    """As many unknown collections, the later ones with more rows."""
    return [
        (
            "habitat",
            f"c{number:03}",
            {"table": f"c{number:03}", "id": f"r{each}", "op": "insert", "data": {"createdAt": T[0]}},
        )
        for number in range(count)
        for each in range(1 + number // 20)
    ]


@pytest.mark.parametrize("sealed", [False, True])
def test_unknown_collections_beyond_what_an_archive_lists_are_named_losses(tmp_path: Path, sealed: bool) -> None:
    path, known = tmp_path / "a.mana", len(registry.load().tables)
    limits = replace(DEFAULT_LIMITS, entries=2 * (known + 30) + 7)
    result = exported(path, unknown(40), limits, Seal(PASSPHRASE) if sealed else None)
    assert result.status == "partial"
    assert result.completeness["losses"] == {"tableSetAside": 10}
    assert result.completeness["notices"]["unknownCollection"] == 30
    assert verify(path, lambda: PASSPHRASE, limits=limits).problems == []
    with open_archive(path, lambda: PASSPHRASE, limits=limits) as archive:
        completeness = archive.manifest.completeness
        assert completeness is not None
        # Those that hold least make room.
        assert completeness["losses"]["tableSetAside"]["cases"] == [
            {"table": f"habitat.c{number:03}", "reason": f"habitat/c{number:03}"} for number in range(10, 20)
        ]
        assert sum(table.startswith("habitat.") for table in archive.tables) == 30


def test_a_manifest_stays_readable_whatever_the_ids_are(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    changes = [
        (
            app,
            name,
            {"table": name, "id": f"{number:05}" + "\ud800" * 300, "op": "insert", "data": {"createdAt": "2999"}},
        )
        for app, name in (("habitat", "a"), ("habitat", "b"))
        for number in range(4_000)
    ]
    limits = replace(DEFAULT_LIMITS, manifest_bytes=4 * MOST_CASE_BYTES)
    result = exported(path, changes, limits)
    assert result.completeness["notices"]["futureTime"] == 8_000
    assert verify(path, limits=limits).problems == []


def test_a_long_row_is_a_named_loss(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    limits = replace(DEFAULT_LIMITS, line_bytes=2_000)
    changes = [
        insert("notes", f"n-{size}", {"title": CIPHER.encrypt(json.dumps("x" * size).encode())})
        for size in (5, 1_700, 1_990, 4_000)
    ]
    result = exported(path, changes, limits)
    assert result.completeness["losses"]["rowSetAside"] == 2
    assert verify(path, limits=limits).problems == []


# --- names ------------------------------------------------------------------------------------------------------------


APPS, COLLECTIONS = st.text("aAbB.%/äÄ\0", max_size=4), st.text("aAbB.%/äÄ", max_size=4)


@given(st.sets(st.tuples(APPS, COLLECTIONS), max_size=12))
def test_no_two_collections_share_a_name_whatever_a_disk_makes_of_capitals(collections: set[tuple[str, str]]) -> None:
    called = names.unknown_tables(collections)
    assert called.keys() == collections
    assert len({name.lower() for name in called.values()}) == len(collections)
    assert all(names.kind(names.entry("data", name)) == "data" for name in called.values())
    assert all(len(name) <= 200 for name in called.values())


@given(st.sets(st.text("aAbB%45fF", min_size=1, max_size=5), max_size=12))
def test_no_two_names_of_another_writer_do(tables: set[str]) -> None:
    called = names.written_tables(tables)
    assert len({name.lower() for name in called.values()}) == len(called)
    alone = {table for table in tables if sum(table.lower() == other.lower() for other in tables) == 1}
    assert all(called[table] == table or "-" in called[table] for table in alone)


def test_only_names_that_differ_by_case_alone_are_changed() -> None:
    called = names.unknown_tables([("habitat", "Plants"), ("habitat", "plants"), ("habitat", "myPots"), ("A", "x")])
    assert called == {
        ("habitat", "Plants"): "habitat.%50lants",
        ("habitat", "plants"): "habitat.plants",
        ("habitat", "myPots"): "habitat.myPots",
        ("A", "x"): "A.x",
    }


def test_collections_that_differ_by_case_alone_are_files_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    data = {"createdAt": T[0], "spaceId": HOME}
    changes = [
        ("habitat", name, {"table": name, "id": f"in {name}", "op": "insert", "data": data})
        for name in ("Plants", "plants", "PLANTS")
    ]
    result = exported(path, changes)
    assert (result.status, result.rows) == ("complete", 3)
    with open_archive(path) as archive:
        listed = [*archive.reader.container.entries]
        assert len({name.lower() for name in listed}) == len(listed)
        assert [row.id for row in archive.rows("habitat.%50lants")] == ["in Plants"]


def test_entries_of_another_writer_that_differ_by_case_alone_are_written_apart(tmp_path: Path) -> None:
    source = tmp_path / "web.mana"
    tables = {"Notes": b'{"id":"1"}\n', "notes": b'{"id":"2"}\n', "Actors": b'{"id":"3"}\n', "x" * 300: b'{"id":"4"}\n'}
    parts = [zips.stored(f"data/{name}.jsonl", content) for name, content in tables.items()]
    parts += [zips.stored(f"account/{name}", b"{}") for name in ("a.json", "A.json")]
    keys = {
        "formatVersion": 2, "schemaVersion": 0, "exportedAt": "", "userId": "u", "scope": {}, "rowCounts": {},
        "fieldsPlaintext": True,
    }  # fmt: skip
    source.write_bytes(zips.build([zips.stored("manifest.json", json.dumps(keys).encode()), *parts]))
    seal(source, tmp_path / "a.mana", lambda: PASSPHRASE)
    with open_archive(tmp_path / "a.mana", lambda: PASSPHRASE) as archive:
        listed = [*archive.reader.container.entries]
        assert len({name.lower() for name in listed}) == len(listed)
        assert {row.id for table in archive.tables for row in archive.rows(table)} == {"1", "2", "3", "4"}
        assert all(len(name.rpartition("/")[2]) <= 206 for name in listed)
    assert verify(tmp_path / "a.mana", lambda: PASSPHRASE).problems == []
    with open_archive(tmp_path / "a.mana", lambda: PASSPHRASE) as archive:  # what is written stays as it is called
        rekey(archive, tmp_path / "b.mana", CIPHER)
        with open_archive(tmp_path / "b.mana") as rekeyed:
            assert rekeyed.tables == archive.tables
