"""A pull into a mirror that a disk altered: what is missing is read again from its beginning, and nothing else is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from manabackup.mirror import LossKind
from tests.support.box import REGISTRY, T0, Box

SECOND = 1_000_000


@pytest.fixture
def full(box: Box) -> Box:
    """Some pages of what is known, and a collection that no registry knows."""
    box.write([T0 + n * SECOND for n in range(2_500)])
    box.write([T0 + n * SECOND for n in range(30)], collection="lists")
    box.write([T0 + n * SECOND for n in range(20)], collection="drafts")
    box.write([T0], "notes", "notes")
    box.clock.skip(timedelta(hours=1))  # so that none of it is recent
    box.pull()
    return box


def edit(box: Box, statement: str) -> None:
    with closing(sqlite3.connect(box.folder / "erna.sqlite")) as connection:
        connection.executescript(statement)


def check_whole(box: Box) -> None:
    for app, collection in (("todo", "tasks"), ("todo", "lists"), ("todo", "drafts"), ("notes", "notes")):
        assert box.held(app, collection) == box.stored(app, collection)
    assert box.losses() == []


@pytest.mark.parametrize("collection", ["tasks", "drafts"])
def test_a_damaged_collection_is_read_again_and_no_other(full: Box, collection: str) -> None:
    edit(
        full,
        "DELETE FROM page WHERE id = (SELECT max(page.id) FROM page JOIN collection ON collection.id = page.collection"
        f" WHERE name = CAST('{collection}' AS BLOB))",
    )
    with full.mirror() as mirror:
        assert [(loss.app, loss.collection) for loss in mirror.damage] == [("todo", collection)]
    result = full.pull()
    assert (result.full, result.losses) == (False, ())
    assert full.asked_whole == []
    begun = [query for _, _, query in full.requests if "since=1970" in query]
    assert len(begun) == 1
    assert f"collection={collection}" in begun[0]
    check_whole(full)


def test_where_nobody_can_tell_what_is_missing_everything_is_read_and_searched(full: Box) -> None:
    edit(
        full,
        "DELETE FROM page WHERE collection = (SELECT id FROM collection WHERE name = x'647261667473');"
        "DELETE FROM collection WHERE name = x'647261667473'",
    )
    # Before it was searched nobody knows of the collection.
    result = full.pull(search=False)
    assert (result.full, [(loss.kind, loss.app) for loss in result.losses]) == (True, [(LossKind.MIRROR_DAMAGED, "")])
    result = full.pull()
    assert (result.full, result.losses) == (True, ())
    assert sorted(full.asked_whole) == sorted(REGISTRY.apps)
    check_whole(full)
    assert full.pull().full is False


def test_a_lost_cursor_of_an_app_is_nothing_lost_and_the_app_is_searched_again(full: Box) -> None:
    edit(full, "DELETE FROM app WHERE name = x'746f646f'")
    with full.mirror() as mirror:
        assert mirror.damage == []
    result = full.pull()
    assert (result.full, result.losses) == (False, ())
    assert "todo" in full.asked_whole
    check_whole(full)
