"""Pulls from a server that is broken, hostile or gone: stopped with an error or passed over, and never half-stored."""

from __future__ import annotations

import json
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from manabackup.errors import ServerError, SignInError, SubscriptionError
from manabackup.mirror import LossKind
from manabackup.operations import pull
from manabackup.text.timestamps import FAR_FUTURE, format_timestamp, parse_timestamp
from tests.support.box import REGISTRY, T0, USER, Box, page

SECOND = 1_000_000


def asked_from(query: str) -> int:
    return parse_timestamp(parse_qs(query)["since"][0])


def of_tasks(path: str, query: str) -> bool:
    return path == "/sync/todo/pull" and "collection=tasks" in query


# --- rows that the server cannot read ---


def test_a_poisoned_row_costs_what_stood_before_it_in_its_page_and_nothing_else(box: Box) -> None:
    events = box.write([T0 + n * SECOND for n in range(3_000)])
    lists = box.write([T0 + n * SECOND + 1 for n in range(100)], collection="lists")
    box.log.poison(events[1_500])
    result = box.pull()
    found = {(loss.kind, loss.collection, loss.until) for loss in result.losses}
    assert (LossKind.UNREADABLE_PAGE, "tasks", T0 + 1_500 * SECOND) in found
    held = box.held()
    assert held[-1_499:] == events[1_501:]
    assert set(events[:500]) <= set(held)
    assert held == [event for event in events if event in set(held)]
    assert box.held("todo", "lists") == lists
    assert set(box.pull().losses) == set(result.losses)


def test_a_row_that_is_poisoned_during_a_run_costs_no_other_collection(box: Box) -> None:
    now = box.log.now_ns() // 1_000
    tasks = box.write([now - 80 * SECOND, now - 60 * SECOND])

    def before(*_: str) -> None:
        if len(box.requests) == 1 + len(REGISTRY.tables) + 1:  # the clock, and every collection was read once
            box.log.poison(box.write([now - 70 * SECOND])[0])
            box.write([now - 75 * SECOND], collection="lists")

    lists = box.write([now - 90 * SECOND], collection="lists")
    box.before = before
    result = box.pull()
    lost = [(loss.kind, loss.collection) for loss in result.losses if loss.kind is not LossKind.UNSEARCHED]
    assert lost == [(LossKind.UNREADABLE_PAGE, "tasks")]
    assert len(box.held("todo", "lists")) == len(lists) + 1
    assert box.held() == tasks
    assert box.held("todo", "lists") == box.stored("todo", "lists")


def test_several_poisoned_rows_are_passed_one_by_one(box: Box) -> None:
    events = box.write([T0 + n * SECOND for n in range(4_500)])
    for index in (10, 1_700, 4_400):
        box.log.poison(events[index])
    result = box.pull()
    assert {loss.until for loss in result.losses if loss.collection == "tasks"} >= {T0 + 4_400 * SECOND}
    held = box.held()
    assert held == [event for event in events if event in set(held)]
    assert held[-99:] == events[4_401:]


def test_a_row_that_was_mended_is_found_by_a_full_pull_which_clears_the_loss(box: Box) -> None:
    events = box.write([T0 + n * SECOND for n in range(20)])
    box.log.poison(events[10])
    assert box.pull().losses
    box.log.heal(events[10])
    assert box.pull(full=True).losses == ()
    assert box.held() == events


def test_S9_a_server_that_fails_at_everything_is_not_taken_for_a_poisoned_row(box: Box) -> None:
    box.write([T0])
    box.pull()
    box.before = lambda *_: (500, b"internal error")
    with pytest.raises(ServerError):
        box.pull()
    assert box.losses() == []


def test_S9_a_server_that_fails_for_a_while_loses_nothing(box: Box) -> None:
    box.write([T0 + n for n in range(1_200)])
    rng = random.Random(7)
    failures: dict[tuple[str, str], int] = {}

    def before(_: str, path: str, query: str) -> tuple[int, bytes] | None:
        of = (path, query.split("&")[0])
        failures[of] = failures.get(of, rng.randrange(6)) - 1
        return (503, b"busy") if failures[of] >= 0 else None

    box.before = before
    for _ in range(20):
        try:
            box.pull()
            break
        except ServerError:
            continue
    box.before = lambda *_: None
    losses = box.losses()
    box.pull(full=True)
    assert box.held() == box.stored()
    assert losses == box.losses() == []


# --- answers that are none ---

_CHANGE: dict[str, Any] = {"eventId": "e", "table": "tasks", "id": "r", "op": "insert"}
_BROKEN = {
    "cut": b'{"serverChanges":[{"eventId":"e","tab',
    "html": b"<html>hello</html>",
    "empty": b"",
    "an array": b"[]",
    "no changes": b'{"syncedUntil":"2026-01-01T00:00:00Z"}',
    "changes no list": b'{"serverChanges":{},"syncedUntil":"2026-01-01T00:00:00Z"}',
    "no time": b'{"serverChanges":[]}',
    "a time that is none": b'{"serverChanges":[],"syncedUntil":"yesterday"}',
    "a time that is a number": b'{"serverChanges":[],"syncedUntil":5}',
    "hasMore in words": b'{"serverChanges":[],"syncedUntil":"2026-01-01T00:00:00Z","hasMore":"yes"}',
    "nested too deep": b'{"serverChanges":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b',"syncedUntil":"2026-01-01T00:00:00Z"}',
    "two values": page([], T0)[1] * 2,
    "not UTF-8": page([], T0)[1][:-1] + b',"x":"\xff"}',
}


@pytest.mark.parametrize("body", _BROKEN.values(), ids=_BROKEN.keys())
def test_S1_answers_that_are_none_whatever_is_asked_are_an_error_that_names_the_place(box: Box, body: bytes) -> None:
    box.write([T0 + n for n in range(10)])
    box.before = lambda method, path, _: (200, body) if (method, path) == ("GET", "/sync/todo/pull") else None
    with pytest.raises(ServerError, match="todo"):
        box.pull()
    box.before = lambda *_: None
    assert box.pull().changes_held == 10
    assert box.held() == box.stored()


@pytest.mark.parametrize("body", _BROKEN.values(), ids=_BROKEN.keys())
def test_S1_an_answer_that_is_none_ends_the_search_of_its_app(box: Box, body: bytes) -> None:
    box.write([T0 + n for n in range(10)])
    box.before = lambda method, path, _: (200, body) if (method, path) == ("POST", "/sync/todo") else None
    result = box.pull()
    assert (result.changes_held, result.unsearched_apps) == (10, ("todo",))


@pytest.mark.parametrize("body", _BROKEN.values(), ids=_BROKEN.keys())
def test_S1_one_answer_that_is_none_is_a_loss_that_the_next_pull_makes_good(box: Box, body: bytes) -> None:
    box.write([T0 + n for n in range(10)])
    lists = box.write([T0 + n for n in range(10)], collection="lists")
    box.before = lambda _, path, query: (200, body) if of_tasks(path, query) and "since=1970" in query else None
    losses = box.pull().losses
    assert [(loss.kind, loss.app, loss.collection) for loss in losses] == [(LossKind.UNREADABLE_PAGE, "todo", "tasks")]
    assert box.held("todo", "lists") == lists
    box.before = lambda *_: None
    assert box.pull().losses == ()
    assert box.held() == box.stored()


@pytest.mark.parametrize("status", [400, 404, 405, 413, 429])
def test_a_refusal_quotes_the_server(box: Box, status: int) -> None:
    box.before = lambda *_: (status, b"the \x1b[31mserver's words")
    with pytest.raises(ServerError, match=rf"{status} the \\x1b\[31mserver's words"):
        box.pull()


def test_S4_odd_changes_are_kept_as_they_came(box: Box) -> None:
    odd: list[Any] = [
        7,
        None,
        [],
        {},
        {"table": "tasks"},
        {"table": "tasks", "id": 3},
        {"eventId": 5, "table": "tasks", "id": "a"},
    ]
    text = json.dumps({"serverChanges": odd, "syncedUntil": format_timestamp(box.log.now_ns() // 1_000)}).encode()
    nested = b"[" * 5_000 + b"1" + b"]" * 5_000
    number = b"1" * 200_000
    text = text.replace(
        b'"serverChanges": [', b'"serverChanges": [{"table":"tasks","data":' + nested + b',"n":' + number + b"},"
    )
    box.before = lambda _, path, query: (200, text) if of_tasks(path, query) else None
    result = box.pull()
    assert result.changes_new == len(odd) + 1
    assert box.pull().changes_new == 0
    with box.mirror() as mirror, mirror.snapshot() as snapshot:
        tasks = [line for one in snapshot.read("todo", "tasks") for line in one.lines()]
    assert number in tasks[0]
    assert nested in tasks[0]
    assert tasks[1:5] == [b"7", b"null", b"[]", b"{}"]


def test_S4_changes_of_a_collection_that_cannot_be_asked_for_are_kept_as_they_came(box: Box) -> None:
    odd: list[Any] = [7, None, [], {}, {"table": "a\nb", "id": "r"}, {"table": "tasks", "id": 3}]
    box.before = lambda method, path, _: (
        page(odd, box.log.now_ns() // 1_000) if (method, path) == ("POST", "/sync/todo") else None
    )
    assert box.pull().changes_new == 5
    assert box.pull(full=True).changes_new == 0
    with box.mirror() as mirror, mirror.snapshot() as snapshot:
        nameless = [line for one in snapshot.read("todo", "") for line in one.lines()]
        assert nameless == [b"7", b"null", b"[]", b"{}"]
        assert [len(one.changes) for one in snapshot.read("todo", "a\nb")] == [1]


# --- cursors that lead nowhere ---


def changes(*numbers: int) -> list[dict[str, Any]]:
    return [{**_CHANGE, "eventId": f"event {n}", "id": f"r{n}"} for n in numbers]


def test_S3_more_without_changes_is_stopped(box: Box) -> None:
    box.before = lambda _, path, query: page([], T0, more=True) if of_tasks(path, query) else None
    with pytest.raises(ServerError, match="gives nothing"):
        box.pull()


def test_S3_a_cursor_that_stands_still_is_stopped(box: Box) -> None:
    far = FAR_FUTURE - 1
    box.before = lambda _, path, query: page(changes(1, 2), far, more=True) if of_tasks(path, query) else None
    with pytest.raises(ServerError, match="goes back"):
        box.pull()
    assert len(box.requests) < 50


def test_S3_a_cursor_that_goes_back_is_stopped(box: Box) -> None:
    box.before = lambda _, path, query: page(changes(1, 2), T0, more=True) if of_tasks(path, query) else None
    with pytest.raises(ServerError, match="goes back"):
        box.pull()


@pytest.mark.parametrize("cycle", [1, 2, 5])
def test_S3_more_for_ever_is_stopped(box: Box, cycle: int) -> None:

    def before(_: str, path: str, query: str) -> tuple[int, bytes] | None:
        if not of_tasks(path, query):
            return None
        turn = len(box.requests) % cycle
        return page(changes(*range(turn * 10, turn * 10 + 10)), asked_from(query) + 10, more=True)

    box.before = before
    with pytest.raises(ServerError, match=r"again|over and over"):
        box.pull()
    assert len(box.requests) < 100


def test_S3_a_server_whose_clock_went_back_is_stopped_until_a_full_pull(box: Box) -> None:
    box.write([T0])
    box.pull()
    with box.mirror() as mirror:
        mirror.store("todo", {}, cursor=box.log.now_ns() // 1_000 + 3_600 * SECOND)
    with pytest.raises(ServerError, match="clock") as raised:
        box.pull()
    assert "--full" in (raised.value.hint or "")
    box.pull(full=True)
    assert box.pull().changes_held == 1


@pytest.mark.parametrize("clock", ["2998-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"])
def test_S3_a_clock_that_jumps_ahead_for_one_answer_moves_no_cursor(box: Box, clock: str) -> None:
    box.write([T0])

    def before(method: str, path: str, query: str) -> tuple[int, bytes] | None:
        ahead = json.dumps({"serverChanges": [], "conflicts": [], "syncedUntil": clock}).encode()
        return (200, ahead) if path == "/sync/notes" or "lists" in query else None

    box.before = before
    box.pull()
    box.before = lambda *_: None
    for place in (("notes", "notes"), ("todo", "lists"), ("notes", "unheard of")):
        box.write([box.log.now_ns() // 1_000], *place)
    assert box.pull().changes_held == 3
    box.clock.skip(timedelta(days=7))
    assert box.pull().changes_held == 4


# --- who may not ---


def test_S9_an_inactive_subscription_is_told(box: Box) -> None:
    box.accounts.set_subscription(USER, active=False)
    with pytest.raises(SubscriptionError):
        box.pull()


def test_a_token_that_is_refused_is_told(box: Box) -> None:
    token = box.accounts.issue_token(USER)
    tampered = token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)
    with box.mirror() as mirror, box.client(mirror, token=tampered) as client, pytest.raises(SignInError):
        pull.run(mirror, client, REGISTRY)


# --- ends in the middle ---


def test_what_was_pulled_before_the_connection_broke_is_held_and_the_next_pull_goes_on(box: Box) -> None:
    box.write([T0 + n * SECOND for n in range(9_000)])
    count = iter(range(10**6))

    def before(_: str, path: str, query: str) -> tuple[int, bytes] | None:
        return (400, b"no") if of_tasks(path, query) and next(count) == 5 else None

    box.before = before
    with pytest.raises(ServerError):
        box.pull()
    box.before = lambda *_: None
    held = len(box.held())
    assert 0 < held < 9_000
    assert box.pull().changes_new == 9_000 - held
    assert box.held() == box.stored()


@pytest.mark.parametrize(
    ("path", "count"), [("/sync/notes/pull", 2), ("/sync/notes", 1)], ids=["last question", "search"]
)
def test_an_interrupt_ends_a_pull_at_once_and_keeps_what_was_stored(box: Box, path: str, count: int) -> None:
    box.write([T0 + n * SECOND for n in range(3_000)])
    box.write([T0], "notes", "notes")
    waiting, over = threading.Event(), threading.Event()

    def before(*request: str) -> None:
        if request[1] == path and [asked for _, asked, _ in box.requests].count(path) == count:
            waiting.set()
            # No answer comes before the pull has ended, or a signal that came as Python was about to wait for a lock
            # would not be seen before that lock is free.
            over.wait(10)

    def interrupt() -> None:
        waiting.wait()
        if not over.is_set():  # else nobody would catch it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    box.before = before
    with box.mirror() as mirror, box.client(mirror) as client, ThreadPoolExecutor(1) as interrupter:
        interrupter.submit(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                pull.run(mirror, client, REGISTRY)
        finally:
            over.set()
            waiting.set()
    box.before = lambda *_: None
    assert len(box.held()) == 3_000
    assert box.pull().changes_held == 3_001


# --- writers at the same time ---


@pytest.mark.parametrize("seed", range(3))
def test_S2_no_change_that_others_commit_late_between_the_requests_is_lost_or_doubled(box: Box, seed: int) -> None:
    rng = random.Random(seed)

    def before(*_: str) -> None:
        now = box.log.now_ns() // 1_000
        for collection in ("tasks", "lists"):
            box.write([now - rng.randrange(60 * SECOND) for _ in range(rng.randrange(25))], collection=collection)

    now = box.log.now_ns() // 1_000
    box.write([now - 100 * SECOND + n * 7_000 for n in range(5_100)], told=bool(seed % 2))
    box.before = before
    for _ in range(3):
        box.pull()
    box.before = lambda *_: None
    box.pull()
    for collection in ("tasks", "lists"):
        assert box.held("todo", collection) == box.stored("todo", collection)
    assert box.losses() == []
