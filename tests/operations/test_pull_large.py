"""Answers that are too large as a whole: the app is read by parts, and no memory is asked for all of it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from manabackup.errors import OutputError
from manabackup.limits import MIB, Limits
from manabackup.mirror import LossKind
from manabackup.operations import pull
from manabackup.sandbox import StoredChange

from .box import REGISTRY, T0, USER, Box


def write_large(box: Box, collection: str, count: int, size: int, app: str = "todo", *, since: int = T0) -> list[str]:
    events = []
    for number in range(count):
        instant = since + number * 1_000
        data = {"text": random.randbytes(size // 2).hex()}
        change = {"table": collection, "id": f"{collection}-{number}", "op": "insert", "data": data}
        events.append(f"{len(collection):08d}-0000-4000-8000-{number:012d}")
        box.log.append_many([StoredChange(USER, "another device", app, change, instant, events[-1])])
    return events


def read(box: Box, limits: Limits) -> pull.PullResult:
    box.requests.clear()
    with box.mirror() as mirror, box.client(mirror, limits=limits) as client:
        return pull.run(mirror, client, REGISTRY, limits=limits)


def test_a_larger_answer_is_asked_for_when_a_small_one_does_not_do(box: Box) -> None:
    tasks = write_large(box, "tasks", 6, 600_000)
    result = read(box, Limits(attempts=2))
    assert box.held() == tasks
    assert result.losses == ()


def test_no_answer_is_asked_for_twice_because_there_was_no_room_for_it(box: Box) -> None:
    apps = [f"app {number}" for number in range(6)]
    for app in apps:
        write_large(box, "tasks", 4, 600_000, app)
    write_large(box, "notes", 14, 600_000, "notes")
    assert box.pull(extra_apps=apps).losses == ()
    named = len(REGISTRY.tables) + len(apps)
    # The clock; each once, the six that nobody knew when the search had found them; the last questions; the search.
    assert len(box.requests) == 1 + named + 1 + len(apps) + len(REGISTRY.apps) + len(apps)
    for app in apps:
        assert box.held(app) == box.stored(app)
    assert box.held("notes", "notes") == box.stored("notes", "notes")


def test_L2_a_full_disk_ends_a_pull_whose_answers_wait_for_each_other(box: Box) -> None:
    apps = [f"app {number}" for number in range(12)]
    for app in apps:
        write_large(box, "tasks", 14 if app == apps[5] else 3, 600_000, app)
    with box.mirror() as mirror, box.client(mirror) as client:
        mirror._connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(OutputError):
            pull.run(mirror, client, REGISTRY, extra_apps=apps)
    assert box.pull(extra_apps=apps).losses == ()
    for app in apps:
        assert box.held(app) == box.stored(app)


def test_an_app_too_large_as_a_whole_is_read_by_its_collections_and_said_not_to_be_searched(box: Box) -> None:
    tasks, lists = write_large(box, "tasks", 5, 600_000), write_large(box, "lists", 6, 600_000)
    result = read(box, Limits(attempts=2, answer_bytes=4 * MIB))
    assert box.held("todo", "tasks") == tasks
    assert box.held("todo", "lists") == lists
    assert [(loss.kind, loss.app, loss.collection) for loss in result.losses] == [(LossKind.UNSEARCHED, "todo", None)]


def test_what_was_too_large_is_no_longer_missing_when_only_what_is_new_is_asked_for(box: Box) -> None:
    write_large(box, "tasks", 5, 600_000)
    lists = write_large(box, "lists", 6, 600_000)
    limits = Limits(attempts=2, answer_bytes=4 * MIB)
    read(box, limits)
    new = box.write([T0 + 10**15], collection="lists")
    read(box, limits)
    assert box.held("todo", "lists") == [*lists, *new]


def test_an_app_that_was_not_searched_is_no_longer_missing_once_it_was(box: Box) -> None:
    write_large(box, "tasks", 5, 600_000)
    lists = write_large(box, "lists", 6, 600_000)
    assert read(box, Limits(attempts=2, answer_bytes=4 * MIB)).losses
    box.clock.skip(timedelta(days=7))
    assert read(box, Limits(attempts=2)).losses == ()
    assert box.held("todo", "lists") == lists


@pytest.mark.parametrize("count", [8, 16, 17, 24])
def test_S2_as_many_changes_as_answers_hold_are_all_there_is(
    box: Box, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manabackup.sandbox.sync.ANSWER_CHANGES", 8)  # in place of 5,000
    box.write([T0 + number for number in range(count)])
    result = read(box, Limits(post_changes=8))
    assert (result.losses, result.changes_held) == ((), count)
    assert box.held() == box.stored()
