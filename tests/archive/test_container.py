"""Hostile containers (threat A1, A5): refused before a byte is inflated beyond its limits."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.container import Container
from manabackup.archive.reader import open_archive
from manabackup.archive.sources import BytesSource, FileBytes, PartSource
from manabackup.archive.zipwriter import STORED, ZipWriter
from manabackup.errors import DamagedArchiveError
from manabackup.limits import MIB, Limits
from tests.support import zips

from .conftest import Maker

CONTENT = b'{"id":"a"}\n' * 50


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    """A container made by Python's zipfile."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as container:
        warnings.simplefilter("ignore")
        for name, content in entries.items():
            container.writestr(name, content)
    return bytearray(file.getvalue())


def ours(entries: dict[str, bytes], **options: Any) -> bytes:
    """A container made by our writer, into a sink that cannot seek."""
    chunks: list[bytes] = []

    class Sink:
        def write(self, data: bytes) -> None:
            chunks.append(data)

    writer = ZipWriter(Sink())
    for name, content in entries.items():
        entry = writer.open(name, **options)
        entry.write(content)
        entry.close()
    writer.finish(lambda name: name)
    return b"".join(chunks)


def read_all(blob: bytes | bytearray, limits: Limits | None = None) -> dict[str, bytes]:
    container = Container(BytesSource(bytes(blob)), limits or Limits())
    return {name: b"".join(container.chunks(entry)) for name, entry in container.entries.items()}


def refused(blob: bytes | bytearray, code: str, limits: Limits | None = None) -> None:
    with pytest.raises(DamagedArchiveError) as caught:
        read_all(blob, limits)
    assert caught.value.code == code


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_reads_what_others_write(method: int) -> None:
    entries = {"manifest.json": b"{}", "data/notes.jsonl": CONTENT, "data/leer.jsonl": b""}
    assert read_all(zipped(entries, method)) == entries


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("method", [8, STORED])
def test_others_read_what_we_write(method: int, zip64: bool, tmp_path: Path) -> None:
    entries = {"data/notes.jsonl": CONTENT, "data/empty.jsonl": b"", "manifest.json": b"{}"}
    blob = ours(entries, method=method, may_exceed_4_gib=zip64)
    assert read_all(blob) == entries
    (tmp_path / "x.zip").write_bytes(blob)
    with zipfile.ZipFile(tmp_path / "x.zip") as container:
        assert container.testzip() is None
        assert {name: container.read(name) for name in container.namelist()} == entries
    subprocess.run([sys.executable, "-m", "zipfile", "-t", tmp_path / "x.zip"], check=True, capture_output=True)


def test_zip64_appears_only_where_it_must() -> None:
    assert struct.pack("<H", 45) not in ours({"data/notes.jsonl": CONTENT})
    assert b"PK\6\6" in ours({f"data/t{number}.jsonl": b"" for number in range(70_000)})


@pytest.mark.parametrize("behind", [1, 70_000])
def test_A1_bytes_behind_a_deflate_stream_are_refused_where_the_reader_stops_too(behind: int) -> None:
    """The stream fills exactly the piece that is read at a time, so that nothing is left over in it."""
    length = 32_768 - 5
    block = struct.pack("<2H", length, length ^ 0xFFFF) + bytes(length)
    stream = b"".join(bytes([number == 31]) + block for number in range(32))  # RFC 1951, 3.2.4; the last one is final
    content = bytes(32 * length)
    assert len(stream) == MIB
    chunks: list[bytes] = []
    writer = ZipWriter(SimpleNamespace(write=chunks.append))
    size = {"crc": zlib.crc32(content), "size": len(content)}
    writer.begin_finished("data/a.jsonl", 8, compressed=MIB + behind, **size)
    writer.put(stream + b"x" * behind)
    writer.finish(lambda name: name)
    refused(b"".join(chunks), "deflate")


def test_A1_entries_that_overlap_are_refused() -> None:
    """The kind of bomb that inflates the same bytes under many names."""
    blob = zipped({"data/a.jsonl": CONTENT, "data/b.jsonl": CONTENT})
    directory = blob.index(b"PK\1\2")
    second = blob.index(b"PK\1\2", directory + 4)
    blob[second + 42 : second + 46] = struct.pack("<I", 0)  # both at the first local header
    refused(blob, "container")


def test_A1_two_entries_with_one_name_are_refused() -> None:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as container:
        warnings.simplefilter("ignore")
        container.writestr("data/a.jsonl", b"1")
        container.writestr("data/a.jsonl", b"2")
    refused(file.getvalue(), "duplicateEntry")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../data/a.jsonl",
        "data/../a.jsonl",
        "data/a/b.jsonl",
        "C:/a",
        "a\\b",
        "data/..",
        "..",
        "x" * 1025,
    ],
)
def test_A1_names_that_could_form_a_path_are_refused(name: str) -> None:
    refused(zipped({name: b""}), "entryName")


@pytest.mark.parametrize(
    "name", ["notes.txt", "data/a.csv", "data/.hidden.jsonl", "Data/a.jsonl", "other/file", "ä.txt"]
)
def test_A1_other_plain_names_are_noted_and_ignored(name: str) -> None:
    container = Container(BytesSource(bytes(zipped({name: b"x"}))))
    assert container.entries[name].kind == "other"


def test_A1_bytes_before_between_and_behind_are_refused() -> None:
    blob = bytes(zipped({"data/a.jsonl": CONTENT, "data/b.jsonl": CONTENT}))
    refused(b"#!/bin/sh\n" + blob, "container")
    refused(blob + b"x", "container")
    second = blob.index(b"PK\3\4", 4)
    refused(blob[:second] + b"gap" + blob[second:], "container")


def test_A1_a_bomb_is_refused_before_it_is_inflated() -> None:
    bomb = zipped({"data/a.jsonl": b"\0" * 50_000_000})
    refused(bomb, "limit", Limits(entry_bytes=1_000_000))
    refused(bomb, "limit", Limits(ratio=100))
    refused(bomb, "limit", Limits(total_bytes=1_000_000))
    refused(zipped({f"data/{number}.jsonl": b"" for number in range(20)}), "limit", Limits(entries=10))


def test_A1_an_entry_is_never_inflated_beyond_what_its_header_says() -> None:
    blob = zipped({"data/a.jsonl": b"\0" * 50_000_000})
    directory = blob.index(b"PK\1\2")
    for at in (22, directory + 24):
        blob[at : at + 4] = struct.pack("<I", 60_000)
    container = Container(BytesSource(bytes(blob)))
    read: list[int] = []
    with pytest.raises(DamagedArchiveError, match="more than its header says"):
        read.extend(len(chunk) for chunk in container.chunks(container.entries["data/a.jsonl"]))
    assert sum(read) <= 60_000


def test_A1_encryption_unknown_methods_and_unknown_flags_are_refused() -> None:
    for offset, value in ((6, 1), (6, 0x2000), (8, 12), (8, 99)):
        blob = zipped({"data/a.jsonl": CONTENT})
        directory = blob.index(b"PK\1\2")
        for at in (offset, directory + offset + 2):
            blob[at : at + 2] = struct.pack("<H", value)
        refused(blob, "container")


@pytest.mark.parametrize("at", [4, 8, 10, 12, 16, 20])
def test_A1_an_end_record_that_lies_is_refused(at: int) -> None:
    blob = zipped({"data/a.jsonl": CONTENT})
    end = blob.rindex(b"PK\5\6")
    blob[end + at] ^= 1
    with pytest.raises(DamagedArchiveError):
        read_all(blob)


@pytest.mark.parametrize("place", [2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_A1_an_offset_that_no_file_has_is_refused_as_the_lie_it_is(tmp_path: Path, place: int) -> None:
    """Read from a file: the system takes no such offsets."""
    parts = [zips.stored("data/a.jsonl", CONTENT)]
    lies = {
        "locator": zips.build(parts, end={"offset": zips.M32}, end_64={}, locator={"offset": place}),
        "record": zips.build(parts, end={"offset": zips.M32}, end_64={"offset": place}),
        "entry": zips.build(
            [replace(parts[0], central={"offset": zips.M32, "extra": zips.zip64_extra(place)})], end_64=None
        ),
        "sizes": zips.build(
            [
                zips.described(
                    replace(
                        parts[0],
                        central={"size": zips.M32, "compressed": zips.M32, "extra": zips.zip64_extra(1, place)},
                        method=zips.DEFLATED,
                    )
                )
            ]
        ),
    }
    for name, blob in lies.items():
        (tmp_path / name).write_bytes(blob)
        with FileBytes(tmp_path / name) as source, pytest.raises(DamagedArchiveError) as caught:
            Container(source)
        assert caught.value.code == "container", name


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_A1_damage_anywhere_raises_our_error_or_changes_nothing(data: st.DataObject) -> None:
    entries = {"manifest.json": b"{}", "data/notes.jsonl": CONTENT, "meta/notes.jsonl": b'{"id":"a"}\n'}
    blob = bytearray(zipped(entries)) if data.draw(st.booleans()) else bytearray(ours(entries))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(blob) - 1))
        action = data.draw(st.sampled_from(["flip", "cut", "insert", "replace"]))
        if action == "flip":
            blob[at] ^= 1 << data.draw(st.integers(0, 7))
        elif action == "cut":
            del blob[at : at + data.draw(st.integers(1, 40))]
        elif action == "insert":
            blob[at:at] = data.draw(st.binary(min_size=1, max_size=40))
        else:
            blob[at : at + 4] = data.draw(st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"PK\5\6", b"PK\1\2"]))
    try:
        found = read_all(blob)
    except DamagedArchiveError:
        return
    for content in found.values():
        assert content in entries.values()


def test_A3_any_single_flip_in_a_plain_archive_is_found_or_harmless(tmp_path: Path, make_archive: Maker) -> None:
    """What a flip in a plain archive may still do is change a field that nobody reads; never a row."""
    path = tmp_path / "plain.mana"
    rows = [b'{"id":"%03d","t":"x"}' % number for number in range(30)]
    make_archive(path, {"notes": rows})
    whole = bytearray(path.read_bytes())
    for at in range(len(whole)):
        whole[at] ^= 1 << at % 8
        path.write_bytes(whole)
        try:
            with open_archive(path) as archive:
                assert [row.line for row in archive.rows("notes")] == rows
        except DamagedArchiveError:
            pass
        whole[at] ^= 1 << at % 8


def test_a_part_of_a_source_ends_where_it_says() -> None:
    part = PartSource(BytesSource(b"0123456789"), 2, 5)
    assert part.read_at(0, 100) == b"23456"
    assert part.read_at(4, 3) == b"6"
