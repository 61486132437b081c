"""The store of fetched files: whole or absent, nothing readable on the disk, and nothing believed unread."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.crypto.fields import FieldCipher
from manabackup.errors import OutputError
from manabackup.operations.files.records import FileRecord
from manabackup.operations.files.store import FileStore

CIPHER = FieldCipher(bytes(range(32)))
OTHER = FieldCipher(bytes(32))
CONTENT = b"a picture that nobody else should see" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RECORD = FileRecord(SHA256, len(CONTENT), "image/png", "IMG 1.PNG", {"exif": {"iso": 200}})
ADDRESS = "media:7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90"


def put(store: FileStore, content: bytes = CONTENT) -> None:
    with store.incoming() as incoming:
        incoming.write(content[:100])
        incoming.begin()
        incoming.write(content[:10])
        incoming.write(content[10:])
        incoming.keep()


def the_content(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if len(path.name) == 62)
    return path


@pytest.mark.parametrize("cipher", [CIPHER, None])
def test_what_was_kept_is_there_for_the_next_run(tmp_path: Path, cipher: FieldCipher | None) -> None:
    with FileStore(tmp_path / "files", cipher) as store:
        put(store)
        store.remember(ADDRESS, RECORD)
    with FileStore(tmp_path / "files", cipher) as store:
        assert store.recall(ADDRESS) == RECORD
        assert store.recall("media:other") is None
        assert list(store.records()) == [RECORD]
        assert b"".join(store.chunks(SHA256, len(CONTENT))) == CONTENT
        assert store.is_whole(SHA256, len(CONTENT))


def test_F3_L6_nothing_on_the_disk_tells_what_the_files_are(tmp_path: Path) -> None:
    with FileStore(tmp_path / "files", CIPHER) as store:
        put(store)
        store.remember(ADDRESS, RECORD)
        found = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(found) >= 2
        for path in found:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            for secret in (CONTENT[:16], SHA256.encode(), ADDRESS.encode(), b"IMG 1", bytes.fromhex(SHA256)):
                assert secret not in path.read_bytes()
                assert secret not in str(path).encode()
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in (tmp_path / "files").rglob("*") if path.is_dir())


def test_what_was_not_kept_leaves_nothing(tmp_path: Path) -> None:
    with FileStore(tmp_path / "files", CIPHER) as store:
        with store.incoming() as incoming:
            incoming.write(CONTENT)
        assert not store.has(SHA256, len(CONTENT))
    assert not list(tmp_path.rglob("*.part"))


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    with FileStore(tmp_path / "files", CIPHER) as store:
        folder = store.folder
    (folder / "1.part").write_bytes(b"half")
    with FileStore(tmp_path / "files", CIPHER) as store:
        put(store)
    assert not list(folder.glob("*.part"))


@given(at=st.integers(0, len(CONTENT) + 15), bit=st.integers(0, 7))
def test_F3_a_flipped_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    root = tmp_path_factory.mktemp("store")
    with FileStore(root, CIPHER) as store:
        put(store)
        path = the_content(root)
        damaged = bytearray(path.read_bytes())
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        assert not store.is_whole(SHA256, len(CONTENT))
        store.forget(SHA256)
        assert not store.has(SHA256, len(CONTENT))


def test_a_note_counts_only_with_its_content(tmp_path: Path) -> None:
    with FileStore(tmp_path, CIPHER) as store:
        put(store)
        store.remember(ADDRESS, RECORD)
        path = the_content(tmp_path)
        path.write_bytes(path.read_bytes()[:-1])
        assert store.recall(ADDRESS) is None
        path.unlink()
        assert store.recall(ADDRESS) is None
        assert not store.is_whole(SHA256, len(CONTENT))


def test_another_key_has_another_store(tmp_path: Path) -> None:
    with FileStore(tmp_path, CIPHER) as store:
        put(store)
        store.remember(ADDRESS, RECORD)
    with FileStore(tmp_path, OTHER) as store:
        assert store.recall(ADDRESS) is None


@pytest.mark.parametrize("content", [b"no database at all" * 300, b""])
def test_a_damaged_index_is_made_anew(tmp_path: Path, content: bytes) -> None:
    with FileStore(tmp_path, CIPHER) as store:
        put(store)
        store.remember(ADDRESS, RECORD)
    (store.folder / "index.sqlite").write_bytes(content)
    with FileStore(tmp_path, CIPHER) as store:
        assert store.recall(ADDRESS) is None
        assert store.is_whole(SHA256, len(CONTENT))


def test_no_note_is_kept_of_what_may_be_lost_with_the_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk fails")

    store = FileStore(tmp_path, CIPHER)
    put(store)
    store.remember(ADDRESS, RECORD)
    assert store.recall(ADDRESS) == RECORD
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OutputError):
        store.close()
    monkeypatch.undo()
    with FileStore(tmp_path, CIPHER) as store:
        assert store.recall(ADDRESS) is None
        store.remember(ADDRESS, RECORD)
    with FileStore(tmp_path, CIPHER) as store:
        assert store.recall(ADDRESS) == RECORD


def test_notes_are_kept_as_they_come(tmp_path: Path) -> None:
    many = 200
    store = FileStore(tmp_path, CIPHER)
    put(store)
    for number in range(many):
        store.remember(f"media:{number}", RECORD)
    with FileStore(tmp_path, CIPHER) as other:  # as after a death: the first one was never closed
        assert many // 2 < sum(other.recall(f"media:{number}") is not None for number in range(many)) <= many
    store.close()


@given(pieces=st.lists(st.binary(max_size=70_000), max_size=20), large=st.booleans())
def test_a_content_is_what_came_in_however_it_came(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], large: bool
) -> None:
    if large:
        pieces = [bytes(700_000), *pieces]
    whole = b"".join(pieces)
    with FileStore(tmp_path_factory.mktemp("store"), CIPHER) as store:
        with store.incoming(with_md5=True) as incoming:
            for piece in pieces:
                incoming.write(piece)
            assert incoming.size == len(whole)
            assert incoming.sha256 == hashlib.sha256(whole).hexdigest()
            assert incoming.md5 == hashlib.md5(whole, usedforsecurity=False).hexdigest()
            incoming.keep()
        assert b"".join(store.chunks(hashlib.sha256(whole).hexdigest(), len(whole))) == whole
