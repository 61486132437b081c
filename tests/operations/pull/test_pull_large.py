"""Answers that are too large as a whole: the app is read by parts, and no memory is asked for all of it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from manabackup.errors import OutputError
from manabackup.limits import MIB, Limits
from manabackup.mirror import LossKind
from manabackup.operations import pull
from manabackup.remote.sync import SyncClient
from manabackup.sandbox import StoredChange
from manabackup.text import jsontext
from tests.support.box import REGISTRY, T0, USER, Box
from tests.support.damage import full_disk


def write_large(
    box: Box, collection: str, count: int, size: int, app: str = "todo", *, since: int = T0, first: int = 0
) -> list[str]:
    events = []
    for number in range(first, first + count):
        instant = since + number * 1_000
        data = {"text": random.randbytes(size // 2).hex()}
        change = {"table": collection, "id": f"{collection}-{number}", "op": "insert", "data": data}
        events.append(f"{len(collection):08d}-0000-4000-8000-{number:012d}")
        box.log.append_many([StoredChange(USER, "another device", app, change, instant, events[-1])])
    return events


def read(box: Box, limits: Limits) -> pull.PullResult:
    box.line.requests.clear()
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
    with box.mirror():
        pass  # it is made while there is room
    with full_disk(40), box.mirror() as mirror, box.client(mirror) as client, pytest.raises(OutputError):
        pull.run(mirror, client, REGISTRY, extra_apps=apps)
    assert box.pull(extra_apps=apps).losses == ()
    for app in apps:
        assert box.held(app) == box.stored(app)


def test_an_app_too_large_as_a_whole_is_searched_in_parts(box: Box) -> None:
    tasks, unheard_of = write_large(box, "tasks", 5, 600_000), write_large(box, "unheard", 6, 600_000)
    result = read(box, Limits(attempts=2, answer_bytes=4 * MIB))
    assert box.held("todo", "tasks") == tasks
    assert box.held("todo", "unheard") == unheard_of
    assert (result.losses, result.unknown_collections) == ((), (("todo", "unheard"),))


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
    box.before = lambda method, path, _: (200, b"{}") if (method, path) == ("POST", "/sync/todo") else None
    assert [loss.kind for loss in read(box, Limits(attempts=2)).losses] == [LossKind.UNSEARCHED]
    box.before = lambda *_: None
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


# --- answers in parts, and changes that are too large ---


def test_a_page_larger_than_any_whole_answer_may_be_is_read_in_parts(box: Box) -> None:
    tasks = write_large(box, "tasks", 30, 300_000)
    notes = write_large(box, "notes", 2, 100, "notes")
    result = read(box, Limits(attempts=2, answer_bytes=2 * MIB))
    assert result.losses == ()
    assert (box.held(), box.held("notes", "notes")) == (tasks, notes)


def test_what_came_of_a_large_page_before_it_broke_off_is_held_and_stands_in_its_place(box: Box) -> None:
    tasks = write_large(box, "tasks", 40, 300_000)
    whole: list[bytes] = []

    def broken(method: str, path: str, query: str) -> tuple[int, bytes] | None:
        if method != "GET" or "collection=tasks&since=1970" not in query or not whole:
            return None
        return 200, whole[0][: len(whole[0]) * 2 // 3]

    with box.mirror() as mirror, box.client(mirror) as client:
        whole.append(_text_of(client, "todo", "tasks"))
    box.before = broken
    result = read(box, Limits(attempts=2, answer_bytes=2 * MIB))
    assert (LossKind.UNREADABLE_PAGE, "todo", "tasks") in {(one.kind, one.app, one.collection) for one in result.losses}
    held = box.held()
    assert 0 < len(held) < 40
    assert held == tasks[: len(held)]
    box.before = lambda *_: None
    assert read(box, Limits(attempts=2, answer_bytes=2 * MIB)).losses == ()
    assert box.held() == tasks


def _text_of(client: SyncClient, app: str, collection: str) -> bytes:
    """A page as the server writes it, but for spaces."""
    found = client.pull(app, collection, "1970-01-01T00:00:00Z")
    return jsontext.dumps(
        {"serverChanges": found.changes, "conflicts": [], "syncedUntil": found.synced_until, "hasMore": found.has_more}
    )


def test_a_page_that_makes_no_sense_is_named_and_all_else_is_read(box: Box) -> None:
    box.write([T0 + number for number in range(5_000)])
    notes = box.write([T0], "notes", "notes")
    lists = box.write([T0], collection="lists")
    nonsense = (200, b"<html>too busy</html>")
    box.before = lambda _, path, query: (
        nonsense if path == "/sync/todo/pull" and "collection=tasks&since=1970" in query else None
    )
    result = box.pull()
    assert [(one.kind, one.app, one.collection) for one in result.losses] == [
        (LossKind.UNREADABLE_PAGE, "todo", "tasks")
    ]
    assert (box.held("notes", "notes"), box.held("todo", "lists")) == (notes, lists)
    box.before = lambda *_: None
    assert box.pull().losses == ()
    assert box.held() == box.stored()


def test_a_change_that_is_too_large_is_a_loss_by_its_name_and_nothing_else_is(box: Box) -> None:
    small = write_large(box, "lists", 3, 100)
    tasks = write_large(box, "tasks", 5, 700_000)
    large = write_large(box, "tasks", 1, 4_000_000, first=10)
    after = write_large(box, "tasks", 1, 100, first=20)
    limits = Limits(attempts=2, change_bytes=2 * MIB, answer_bytes=2 * MIB)
    for full in (False, False, True):
        with box.mirror() as mirror, box.client(mirror, limits=limits) as client:
            result = pull.run(mirror, client, REGISTRY, full=full, limits=limits)
        (loss,) = [one for one in result.losses if one.kind is not LossKind.UNSEARCHED]
        assert (loss.kind, loss.app, loss.collection, loss.count) == (
            LossKind.UNREADABLE_CHANGE,
            "todo",
            "tasks",
            1,
        )
        assert (loss.events, loss.records) == (tuple(large), ("tasks-10",))
        assert box.held("todo", "lists") == small
        assert box.held() == [event for event in box.stored() if event not in large]
        assert set(box.held()) >= {*tasks, *after}
    assert result.to_json()["losses"][-1]["records"] == ["tasks-10"]


def test_a_change_that_is_held_is_not_lost_when_it_is_too_large_now(box: Box) -> None:
    write_large(box, "tasks", 2, 3_000_000)
    assert box.pull().losses == ()
    limits = Limits(attempts=2, change_bytes=2 * MIB, answer_bytes=2 * MIB)
    with box.mirror() as mirror, box.client(mirror, limits=limits) as client:
        result = pull.run(mirror, client, REGISTRY, full=True, limits=limits)
    assert {one.kind for one in result.losses} <= {LossKind.UNSEARCHED}
