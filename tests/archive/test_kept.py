"""What is fetched of a far archive's sealed body is fetched once, where there is room for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.archive.kept import MOST, KeptBytes

CONTENT = bytes(range(256)) * 40
PARTS = st.lists(st.tuples(st.integers(0, len(CONTENT)), st.integers(0, 3_000)), max_size=20)


class Far:
    """A far place that counts what is asked of it."""

    def __init__(self, content: bytes, size: int | None = None) -> None:
        self.content = content
        self.size = len(content) if size is None else size
        self.asked: list[tuple[int, int]] = []

    def read_at(self, offset: int, count: int) -> bytes:
        self.asked.append((offset, count))
        return self.content[offset : offset + count]


@given(PARTS)
def test_what_is_read_is_what_lies_there_and_is_asked_for_once(parts: list[tuple[int, int]]) -> None:
    far = Far(CONTENT)
    with KeptBytes(far) as kept:
        for _ in range(2):
            for offset, count in parts:
                assert kept.read_at(offset, count) == CONTENT[offset : offset + count]
    whole = {part for part in parts if sum(part) <= len(CONTENT)}
    assert [part for part in far.asked if part in whole] == list(dict.fromkeys(p for p in parts if p in whole))


def test_without_room_for_it_it_is_asked_for_as_often_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for far, folder in ((Far(CONTENT, MOST + 1), None), (Far(CONTENT), str(tmp_path / "gone"))):
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with KeptBytes(far) as kept:
            for _ in range(2):
                assert kept.read_at(10, 100) == CONTENT[10:110]
        assert len(far.asked) == 2


def test_nothing_is_left_among_the_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with KeptBytes(Far(CONTENT)) as kept:
        kept.read_at(0, 100)
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []
