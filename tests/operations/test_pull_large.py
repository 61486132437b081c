"""Answers that are too large as a whole: the app is read by parts, and no memory is asked for all of it."""

from __future__ import annotations

from manabackup.limits import MIB, Limits
from manabackup.mirror import LossKind
from manabackup.operations import pull
from manabackup.sandbox import StoredChange

from .box import REGISTRY, T0, USER, Box


def write_large(box: Box, collection: str, count: int, size: int) -> list[str]:
    events = []
    for number in range(count):
        instant = T0 + number * 1_000
        data = {"text": "x" * size}
        change = {"table": collection, "id": f"{collection}-{number}", "op": "insert", "data": data}
        events.append(f"{len(collection):08d}-0000-4000-8000-{number:012d}")
        box.log.append_many([StoredChange(USER, "another device", "todo", change, instant, events[-1])])
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
    assert read(box, Limits(attempts=2)).losses == ()
    assert box.held("todo", "lists") == lists
