"""Rows as they are read and written: checks on each line, the format's text, sums that others verify."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from manabackup.archive import names
from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.errors import DamagedArchiveError
from manabackup.limits import Limits

from .conftest import Maker

MANIFEST = (
    '{"formatVersion":2,"schemaVersion":0,"userId":"u","exportedAt":"",'
    '"scope":{},"rowCounts":{},"fieldsPlaintext":true}'
)


def archive_with(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as container:
        container.writestr("manifest.json", MANIFEST)
        container.writestr("data/notes.jsonl", content)
    return path


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b'{"id":"a"}\n[1]\n', 2, "not a JSON object"),
        (b'{"id":"a"}\n\n{"x":1}\n', 3, "no string id"),
        (b'{"id":7}\n', 1, "no string id"),
        (b'{"id":"b"}\n{"id":"a"}\n{"id":"b"}\n', 3, "stands in the table already"),
        (b'{"id":"a"}\n{"id":"a"}', 2, "stands in the table already"),
        (b'{"id":"\xff"}\n', 1, "not one JSON value in UTF-8"),
        (b'{"id":"a","x":NaN}\n', 1, "not one JSON value in UTF-8"),
        (b'{"id":"a"}{"id":"b"}\n', 1, "not one JSON value in UTF-8"),
        (b'{"id":"a","x":[{}\n{}]}\n', 1, "not one JSON value in UTF-8"),
    ],
)
def test_A6_a_bad_line_is_named_by_table_and_line_and_never_quoted(
    tmp_path: Path, content: bytes, line: int, words: str
) -> None:
    with (
        open_archive(archive_with(tmp_path / "x.mana", content)) as archive,
        pytest.raises(DamagedArchiveError) as caught,
    ):
        list(archive.rows("notes"))
    assert caught.value.where == f"data/notes.jsonl:{line}"
    assert words in str(caught.value)
    assert '"id"' not in str(caught.value)


def test_rows_in_any_order_blank_lines_and_missing_final_line_ends_are_fine(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"id":"b"}\r\n\n  {"id":"a"}\t\n{"id":"c"}'
    with open_archive(archive_with(tmp_path / "x.mana", content)) as archive:
        assert [row.id for row in archive.rows("notes")] == ["b", "a", "c"]


def test_lone_surrogates_deep_nesting_and_long_numbers_do_not_disturb(tmp_path: Path) -> None:
    deep = b"[" * 9_996 + b"]" * 9_996
    content = rb'{"id":"\ud83d","deep":' + deep + b',"n":' + b"9" * 5_000 + b',"z":-0}' + b"\n"
    with open_archive(archive_with(tmp_path / "x.mana", content)) as archive:
        (row,) = archive.rows("notes")
    assert row.id == "\ud83d"
    assert row.line == content.strip()


def test_A1_a_line_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    path = archive_with(tmp_path / "x.mana", b'{"id":"' + b"a" * 3_000_000)
    with (
        open_archive(path, limits=Limits(line_bytes=100_000)) as archive,
        pytest.raises(DamagedArchiveError, match="beyond all measure"),
    ):
        list(archive.rows("notes"))


def test_sha256sum_agrees_and_names_the_content(tmp_path: Path, make_archive: Maker) -> None:
    path = tmp_path / "x.mana"
    written = make_archive(path, {"tasks": [b'{"id":"1"}'], "notes": [b'{"id":"a"}', b'{"id":"b"}'], "empty": []})
    with zipfile.ZipFile(path) as container:
        container.extractall(tmp_path / "out")
        assert container.namelist() == [
            "manifest.json",
            "data/tasks.jsonl",
            "data/notes.jsonl",
            "data/empty.jsonl",
            "meta/tasks.jsonl",
            "meta/notes.jsonl",
            "SHA256SUMS",
            "README.md",
        ]
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == 5
    sums = (tmp_path / "out" / "SHA256SUMS").read_bytes().splitlines(keepends=True)
    data = b"".join(line for line in sums if b"  data/" in line)
    assert [line.split()[1] for line in sums] == sorted(
        (line.split()[1] for line in sums), key=lambda name: (not name.startswith(b"data/"), name)
    )
    assert written.data_sha256 == hashlib.sha256(data).hexdigest()


def test_the_content_has_one_name_whatever_coat_it_wears(tmp_path: Path, make_archive: Maker) -> None:
    rows = {"notes": [b'{"id":"a"}']}
    plain = make_archive(tmp_path / "a.mana", rows)
    sealed = make_archive(tmp_path / "b.mana", rows, seal=Seal("x"))
    large = make_archive(tmp_path / "c.mana", rows, may_exceed_4_gib=True, seal=Seal("x"))
    assert plain.data_sha256 == sealed.data_sha256 == large.data_sha256
    with open_archive(tmp_path / "c.mana", lambda: "x") as archive:
        assert [row.line for row in archive.rows("notes")] == rows["notes"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, make_archive: Maker) -> None:
    rows = {"notes": [b'{"id":"%d"}' % number for number in range(10)]}
    make_archive(tmp_path / "a.mana", rows)
    make_archive(tmp_path / "b.mana", rows)
    assert (tmp_path / "a.mana").read_bytes() == (tmp_path / "b.mana").read_bytes()


def edited(path: Path, name: str, change: tuple[bytes, bytes] | None) -> None:
    """The archive with an entry changed (or left out), every CRC-32 in order."""
    with zipfile.ZipFile(path) as container:
        parts = {entry: container.read(entry) for entry in container.namelist()}
    if change is None:
        del parts[name]
    else:
        assert change[0] in parts[name]
        parts[name] = parts[name].replace(*change)
    with zipfile.ZipFile(path, "w") as container:
        for entry, content in parts.items():
            container.writestr(entry, content)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("data/notes.jsonl", (b'"a"', b'"b"')),
        ("meta/notes.jsonl", (b"{", b" {")),
        ("SHA256SUMS", (b"data/notes", b"data/other")),
        ("SHA256SUMS", (b"  ", b" ")),
        ("SHA256SUMS", None),
        ("data/notes.jsonl", None),
        ("manifest.json", (b'"dataSha256": "', b'"dataSha256": "0')),
    ],
)
def test_A3_edits_without_new_sums_are_found(
    tmp_path: Path, make_archive: Maker, name: str, change: tuple[bytes, bytes] | None
) -> None:
    path = tmp_path / "x.mana"
    make_archive(path, {"notes": [b'{"id":"a"}']})
    edited(path, name, change)

    def read() -> None:
        with open_archive(path) as archive:
            for entry in archive.reader.container.entries:
                list(archive.reader.chunks(entry))

    with pytest.raises(DamagedArchiveError):
        read()


@pytest.mark.parametrize(
    ("app", "collection", "expected"),
    [
        ("articles", "articleImportJobs", "articles.articleImportJobs"),
        ("a.b", "c", "a%2Eb.c"),
        ("a", "b.c", "a.b.c"),
        ("news", "../x/y", "news...%2Fx%2Fy"),
        ("ä", "\0\x1b[31m", "%C3%A4.%00%1B%5B31m"),
    ],
)
def test_S11_a_collection_outside_the_registry_gets_a_safe_name(app: str, collection: str, expected: str) -> None:
    assert names.unknown_table(app, collection) == expected
    assert names.kind(names.entry("data", expected)) == "data"


def test_S11_very_long_names_are_shortened_and_stay_apart() -> None:
    one, two = (names.unknown_table("app", "x" * 10_000 + end) for end in "ab")
    assert one != two
    assert len(one) <= 200
