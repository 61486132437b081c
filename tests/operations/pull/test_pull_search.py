"""The search for collections that nobody told of: seldom, after everything else, given up on when slow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from manabackup.errors import ServerError
from manabackup.limits import DEFAULT_LIMITS
from manabackup.mirror import LossKind
from manabackup.mirror.ledger import Holding
from manabackup.text.timestamps import EPOCH, FAR_FUTURE, format_timestamp
from tests.support.box import REGISTRY, T0, Box, page

SECOND = 1_000_000
EVERY_APP = sorted(REGISTRY.apps)
WEEK = timedelta(days=7)


def now(box: Box) -> int:
    return box.log.now_ns() // 1_000


def answering(
    app: str, answer: Callable[[], tuple[int, bytes] | None]
) -> Callable[[str, str, str], tuple[int, bytes] | None]:
    """Answers to questions for the whole of an app."""
    return lambda method, path, _: answer() if (method, path) == ("POST", f"/sync/{app}") else None


def test_the_server_is_searched_at_the_first_pull_and_then_once_a_week(box: Box) -> None:
    box.write([T0 + n for n in range(10)])
    first = box.pull()
    assert (box.asked_whole, first.searched_at) == (list(REGISTRY.apps), first.started_at)  # one after the other
    box.clock.skip(WEEK - timedelta(minutes=1))
    later = box.pull()
    assert (box.asked_whole, later.searched_at) == ([], first.started_at)
    box.clock.skip(timedelta(minutes=1))
    due = box.pull()
    assert (sorted(box.asked_whole), due.searched_at) == (EVERY_APP, due.started_at)
    assert box.pull(full=True).searched_at != due.searched_at
    assert sorted(box.asked_whole) == EVERY_APP


def test_a_later_search_looks_at_what_came_since_the_one_before(box: Box) -> None:
    box.write([T0 + n for n in range(12_000)])
    box.pull()
    box.clock.skip(WEEK)
    box.write([now(box)], collection="unheard of")
    box.pull()
    assert len(box.asked_whole) == len(EVERY_APP)
    assert box.held("todo", "unheard of") == box.stored("todo", "unheard of")


def test_what_a_search_finds_is_read_from_its_beginning(box: Box) -> None:
    box.pull()
    box.write([T0 + n * SECOND for n in range(1_200)], collection="unheard of")  # of a space that was joined
    box.clock.skip(WEEK)
    box.write([now(box)], collection="unheard of")
    assert box.pull().changes_new == 1_201
    assert box.held("todo", "unheard of") == box.stored("todo", "unheard of")


def test_S2_what_commits_late_in_an_unknown_collection_is_found_by_the_next_search(box: Box) -> None:
    box.write([T0])
    box.pull()
    box.write([now(box) - 119 * SECOND], collection="unheard of")
    box.clock.skip(WEEK)
    assert box.pull().changes_new == 1


def test_an_app_that_is_named_later_is_searched_at_once_and_no_other(box: Box) -> None:
    box.pull()
    box.write([T0], "memoro", "memos")
    assert box.pull(extra_apps=["memoro"]).changes_new == 1
    assert box.asked_whole == ["memoro"]
    box.pull()
    assert box.asked_whole == []


def test_the_search_comes_last_and_what_ends_it_does_not_end_the_pull(box: Box) -> None:
    box.write([T0 + n for n in range(10)])
    box.before = answering("todo", lambda: (404, b"not found"))
    result = box.pull()
    assert (result.changes_held, result.unsearched_apps) == (10, ("todo",))
    assert [(loss.kind, loss.collection) for loss in result.losses] == [(LossKind.UNSEARCHED, None)]
    assert [method for method, *_ in box.requests][-len(EVERY_APP) :] == ["POST"] * len(EVERY_APP)


def test_an_app_that_was_given_up_on_has_its_turn_at_the_next_search_and_first(box: Box) -> None:
    box.write([T0 + n for n in range(10)])
    box.write([T0 + 20], collection="unheard of")
    box.before = answering("todo", lambda: (404, b"not found"))
    box.pull()
    box.before = lambda *_: None
    assert box.pull().unsearched_apps == ("todo",)
    assert box.asked_whole == []
    box.clock.skip(WEEK)
    result = box.pull()
    assert (box.asked_whole[0], result.unsearched_apps, result.losses) == ("todo", (), ())
    assert result.unknown_collections == (("todo", "unheard of"),)


def test_an_app_outside_the_registry_that_was_given_up_on_is_not_forgotten(box: Box) -> None:
    box.write([T0], "memoro", "memos")
    box.before = answering("memoro", lambda: (404, b"not found"))
    assert box.pull(extra_apps=["memoro"]).unsearched_apps == ("memoro",)
    box.before = lambda *_: None
    box.pull()
    assert box.asked_whole == []
    box.clock.skip(WEEK)
    assert box.pull().changes_new == 1


@pytest.mark.parametrize("seconds", ["search_seconds", "search_answer_seconds"])
def test_a_search_that_takes_too_long_is_given_up_and_said(box: Box, seconds: str) -> None:
    """A bound that is over before any answer can be there."""
    box.write([T0 + n for n in range(10)])
    result = box.pull(limits=replace(DEFAULT_LIMITS, **{seconds: 1e-9}))  # type: ignore[arg-type]
    assert (result.changes_held, sorted(result.unsearched_apps)) == (10, EVERY_APP)
    assert len(box.asked_whole) <= len(EVERY_APP)  # what is late is not asked for again


def test_what_a_search_found_before_it_was_given_up_is_held_and_the_next_one_goes_on_from_there(box: Box) -> None:
    box.write([T0], collection="unheard of")
    box.write([T0 + SECOND + n for n in range(6_000)])
    box.write([T0 + 2 * SECOND], collection="never seen")
    box.before = answering("todo", lambda: (404, b"not found") if box.asked_whole.count("todo") > 1 else None)
    result = box.pull()
    assert (result.unknown_collections, result.unsearched_apps) == ((("todo", "unheard of"),), ("todo",))
    box.before = lambda *_: None
    box.clock.skip(WEEK)
    result = box.pull()
    assert result.unknown_collections == (("todo", "never seen"), ("todo", "unheard of"))
    assert result.losses == ()


def test_a_mirror_whose_apps_were_read_as_wholes_goes_on_from_its_cursors(box: Box) -> None:
    """As version 0.1.0 left it: cursors of apps, none of collections, and nothing said of a search."""
    box.write([T0 + n for n in range(1_500)])
    box.write([T0 + n for n in range(10)], collection="unheard of")
    box.pull()
    last = now(box)
    with box.mirror() as mirror, mirror._writing() as ledger:  # noqa: SLF001 - nothing else leads back there
        ledger.remove("collection", "pages = 0")
        for held in [Holding(*row) for row in ledger.rows("collection")]:
            held.cursor = None
            ledger.keep(held)
        ledger.remove("meta", "key LIKE 'remembered:%'")
        for app, _ in ledger.rows("app"):
            ledger.put("app", (app, last))
    late = [last - 100 * SECOND, last + 1]
    for collection in ("tasks", "lists", "unheard of", "never seen"):
        box.write(late, collection=collection)
    result = box.pull()
    assert (result.changes_new, result.losses) == (8, ())
    since = f"since={format_timestamp(last - 120 * SECOND)}".replace(":", "%3A")
    _clock, first = [query for _, _, query in box.requests if "collection=tasks" in query][:2]
    assert first.endswith(since)
    for collection in ("tasks", "lists", "unheard of", "never seen"):
        assert box.held("todo", collection) == box.stored("todo", collection)


def test_a_row_that_the_server_cannot_read_in_a_collection_that_nobody_knows_is_a_loss(box: Box) -> None:
    _, poisoned, last = box.write([T0, T0 + 1, T0 + 2], collection="unheard of")
    box.log.poison(poisoned)
    losses = {(loss.kind, loss.collection, loss.until) for loss in box.pull().losses}
    assert (LossKind.UNREADABLE_PAGE, None, T0 + 1) in losses
    assert box.held("todo", "unheard of") == [last]


def test_a_row_that_the_server_cannot_read_keeps_what_is_before_it_from_being_searched(box: Box) -> None:
    events = box.write([T0 + n for n in range(10)])
    box.log.poison(events[5])
    found = {(loss.kind, loss.collection, loss.since, loss.until) for loss in box.pull().losses}
    assert found == {
        (LossKind.UNREADABLE_PAGE, "tasks", EPOCH, T0 + 5),
        (LossKind.UNSEARCHED, None, EPOCH, T0 + 5),
    }


def test_S2_an_instant_with_more_changes_than_an_answer_holds_is_not_searched_whole_and_the_rest_is(box: Box) -> None:
    tied = [f"collection {number}" for number in range(6)]
    for collection in tied:
        box.write([T0] * 900, collection=collection)
    box.write([T0 + 1], collection="unheard of")
    for collection in tied[1:]:  # so that the one after the other comes to light
        box.write([T0 + 2], collection=collection)
    result = box.pull()
    found = [(loss.kind, loss.collection, loss.since, loss.until) for loss in result.losses]
    assert found == [(LossKind.UNSEARCHED, None, T0 - 1, T0)]
    for collection in [*tied, "unheard of"]:
        assert box.held("todo", collection) == box.stored("todo", collection)


@pytest.mark.parametrize(
    "answer",
    [
        page([], T0, more=True),
        page([{"eventId": f"e{n}", "table": "tasks", "id": "r", "op": "insert"} for n in range(5_000)], T0),
        (200, b"<html>hello</html>"),
        (200, b"[]"),
        (500, b"internal error"),
    ],
    ids=["more of nothing", "the same from everywhere", "no JSON", "no answer", "failing"],
)
def test_S3_answers_that_lead_nowhere_end_the_search_of_their_app(box: Box, answer: tuple[int, bytes]) -> None:
    box.write([T0], "notes", "unheard of")
    box.before = answering("todo", lambda: answer)
    result = box.pull()
    assert [(loss.kind, loss.app, loss.until) for loss in result.losses] == [(LossKind.UNSEARCHED, "todo", FAR_FUTURE)]
    assert result.unknown_collections == (("notes", "unheard of"),)
    assert len(box.asked_whole) < 200


def test_S3_a_search_under_a_clock_that_was_ahead_does_not_put_off_the_next_one(box: Box) -> None:
    def before(method: str, *_: str) -> tuple[int, bytes] | None:
        return page([], FAR_FUTURE - 1) if len(box.requests) == 1 else None

    box.before = before
    box.pull()
    box.before = lambda *_: None
    box.pull()
    assert sorted(box.asked_whole) == EVERY_APP


def test_an_error_of_a_known_collection_is_none_of_the_search(box: Box) -> None:
    box.before = lambda method, path, query: (404, b"no") if "collection=lists" in query else None
    with pytest.raises(ServerError, match="lists"):
        box.pull()
    assert box.asked_whole == []
