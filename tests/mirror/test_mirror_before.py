"""Mirrors of earlier versions."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from manabackup.errors import MirrorError
from manabackup.mirror import Batch, Mirror
from manabackup.mirror.witness import Witness
from tests.support.damage import KEY, changes, opened, rows

from .healing import FIXTURE, beside


def test_a_mirror_of_version_0_1_0_is_brought_up_to_date(path: Path) -> None:
    shutil.copy(FIXTURE, path)
    with opened(path) as mirror:
        assert mirror.repair is not None
        assert mirror.repair.damaged is None
        assert mirror.damage == []
        check_content_of_0_1_0(mirror)
    assert Witness.read(path) is not None
    with opened(path) as mirror:
        assert mirror.repair is None
        check_content_of_0_1_0(mirror)
        stored = mirror.store("todo", {"tasks": Batch(changes("tasks", 9, 40))})
        assert (stored.new, stored.held) == (1, 1)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.sums"]


def check_content_of_0_1_0(mirror: Mirror) -> None:
    with mirror.snapshot() as snapshot:
        held = [(one.app, one.name, one.changes, one.cursor) for one in snapshot.collections()]
        losses = [(loss.kind.value, loss.app, loss.collection) for loss in snapshot.losses()]
    start = 1_767_225_600_000_000
    assert held == [
        ("notes", "notes", 3, start + 23_000_000),
        ("todo", "lists", 4, start + 14_000_000),
        ("todo", "tasks", 10, start + 10_000_000),
    ]
    assert losses == [("unreadableTie", "notes", "notes"), ("eventChanged", "todo", "lists")]
    assert (mirror.key_fingerprint, mirror.recall("spaces")) == (KEY, '{"s1":"personal"}')
    assert mirror.pulled_at == start + 30_000_000
    assert [len(lines) for lines in rows(mirror).values()] == [3, 4, 10]


def test_damage_of_a_mirror_of_version_0_1_0_is_found_as_far_as_it_can_be(path: Path) -> None:
    for edit in (
        "UPDATE page SET body = x'00' || body WHERE collection = 1",
        "DELETE FROM page WHERE collection = 1",
        "DELETE FROM event WHERE collection = 1 AND key = (SELECT min(key) FROM event WHERE collection = 1)",
        "UPDATE page SET last = x'00' WHERE collection = 1",
    ):
        shutil.copy(FIXTURE, path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(edit)
            connection.commit()
        with opened(path) as mirror:
            assert [(loss.app, loss.collection) for loss in mirror.damage] == [("todo", "tasks")]
            assert mirror.cursor("todo", "tasks") == 0 or mirror.cursor("todo", "tasks") is None
            assert mirror.cursor("todo", "lists")
        beside(path, ".sums").unlink()
        path.unlink()


def test_a_mirror_of_an_earlier_version_is_not_changed_by_who_only_looks(path: Path) -> None:
    shutil.copy(FIXTURE, path)
    with pytest.raises(MirrorError, match="older version"):
        opened(path, guarded=False)
    assert path.read_bytes() == FIXTURE.read_bytes()
