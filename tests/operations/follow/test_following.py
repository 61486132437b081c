"""Following an account through all that happens to a stream: nothing missed, nothing twice."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from manabackup.errors import LockedError, NotFoundError, ServerError, SignInError, SubscriptionError
from manabackup.mirror import Mirror
from manabackup.operations.follow.events import Happening
from manabackup.operations.follow.exports import Exported, NotExported
from manabackup.operations.follow.settings import Surroundings
from manabackup.remote.session import CommandToken, StaticToken
from manabackup.sandbox import StreamFault
from tests.support.box import REGISTRY, T0, USER
from tests.support.line import Act, Call, Request, says
from tests.support.patience import PATIENCE

from .following import QUICK, Account, Following, account, records

EVENTS = int(os.environ.get("MANABACKUP_FOLLOW_EVENTS", "300"))
"""Changes for each kind of fault; 10,000 take two minutes each on a busy machine."""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Account]:
    with account(tmp_path) as made:
        made.write([T0], told=True)
        yield made


def stored(box: Account, app: str = "todo", collection: str = "tasks") -> list[str]:
    return sorted(box.stored(app, collection))


def held(box: Account, app: str = "todo", collection: str = "tasks") -> list[str]:
    with box.lock:
        return sorted(box.held(app, collection))


def test_what_another_device_writes_is_pulled_because_the_stream_tells_of_it(box: Account) -> None:
    with Following(box) as following:
        following.wait_for(Happening.CONNECTED)
        for name in ("a", "b", "c"):
            box.push(name)
            following.wait_until_held(name)
        assert following.count(Happening.LOOKED) == 0
    assert held(box) == stored(box)
    assert following.follower is not None
    summary = following.follower.summary().facts
    assert (summary["new"], summary["looks"], summary["pending"]) == (4, 1, False)


def test_a_collection_that_nobody_has_heard_of_is_pulled_when_the_stream_names_it(box: Account) -> None:
    with Following(box) as following:
        following.wait_for(Happening.CONNECTED)
        box.push("x", collection="unheard of")
        following.wait(lambda _: records(box, collection="unheard of") == ["x"])


def test_only_the_apps_that_streams_name_are_asked_for(box: Account) -> None:
    with Following(box) as following:
        following.wait_for(Happening.CONNECTED)
        following.wait(lambda told: following.count(Happening.PULLED))  # for what came before the stream was heard
        box.line.requests.clear()
        box.push("a")
        following.wait_until_held("a")
        pulled = {target.split("&")[0] for method, target in box.line.asked if method == "GET" and "/pull" in target}
    assert pulled == {"/sync/todo/pull?collection=tasks", "/sync/todo/pull?collection=lists"}


def test_an_app_is_listened_to_once_there_is_something_of_it(box: Account) -> None:
    with Following(box, replace(QUICK, look_every=0.05)) as following:
        following.wait_for(Happening.CONNECTED)
        box.push("n", app="notes", collection="notes")  # no stream tells of it
        following.wait(lambda told: any(one.facts.get("app") == "notes" for one in told))
    assert held(box, "notes", "notes") == stored(box, "notes", "notes")


def test_more_apps_than_there_may_be_streams_are_found_by_looking(box: Account) -> None:
    box.write([T0], "notes", "notes", told=True)
    with Following(box, replace(QUICK, most_streams=1, look_every=0.05)) as following:
        following.wait_for(Happening.CONNECTED)
        box.push("n", app="notes", collection="notes")
        box.push("t")
        following.wait(lambda _: records(box, "notes", "notes")[1:] == ["n"])
        following.wait_until_held("t")
    assert {one.facts["app"] for one in following.told if one.what is Happening.CONNECTED} <= {"notes", "todo"}
    assert len({target.split("/")[2] for _, target in box.line.asked if "/stream" in target}) == 1


# --- streams that lose, break, end, fall silent -----------------------------------------------------------------------


def every(number: int, fault: StreamFault, name: str = "changes") -> Callable[[str, str], StreamFault | None]:
    count = itertools.count(1)
    return lambda _, event: fault if event == name and next(count) % number == 0 else None


@pytest.mark.parametrize("fault", list(StreamFault))
def test_nothing_is_missed_and_nothing_is_twice_whatever_the_streams_do(box: Account, fault: StreamFault) -> None:
    box.faults.streams = every(3, fault)
    settings = replace(QUICK, silence=0.5, look_every=0.5)
    with Following(box, settings) as following:
        following.wait_for(Happening.CONNECTED)
        names = [f"e{number}" for number in range(EVENTS)]
        for begin in range(0, EVENTS, 10):
            box.push(*names[begin : begin + 10])
        following.wait_until_held(*names)
    assert held(box) == stored(box)
    ids = records(box)
    assert len(ids) == len(set(ids)) == EVENTS + 1


def test_a_lost_event_is_found_by_the_next_look(box: Account) -> None:
    box.faults.streams = lambda _, name: StreamFault.LOST if name == "changes" else None
    with Following(box, replace(QUICK, look_every=0.2)) as following:
        following.wait_for(Happening.CONNECTED)
        box.push("a")
        following.wait_until_held("a")


def test_what_is_written_while_a_stream_is_down_is_pulled_when_it_speaks_again(box: Account) -> None:
    with Following(box, replace(QUICK, silence=0.5)) as following:
        following.wait_for(Happening.CONNECTED)
        box.faults.streams = every(1, StreamFault.CUT, "heartbeat")
        following.wait_for(Happening.DISCONNECTED)
        with box.line.holding("/stream"):
            box.push("a")
        box.faults.streams = lambda *_: None
        following.wait_until_held("a")
        following.wait_for(Happening.CONNECTED, 2)
    assert following.follower is not None
    assert following.follower.chronicle.breaks >= 1


def test_a_stream_that_says_nothing_is_dead_and_opened_again(box: Account) -> None:
    with Following(box, replace(QUICK, silence=0.4)) as following:
        following.wait_for(Happening.CONNECTED)
        box.faults.streams = lambda *_: StreamFault.SILENT
        broken = following.wait_for(Happening.DISCONNECTED)
        assert "nothing was heard" in str(broken.facts["reason"])
        box.faults.streams = lambda *_: None
        following.wait_for(Happening.CONNECTED, 2)


def test_streams_that_say_nothing_yet_are_being_connected_to(tmp_path: Path) -> None:
    with account(tmp_path, heartbeat=PATIENCE) as quiet:
        quiet.write([T0], told=True)
        kept: list[tuple[int, int, int]] = []
        around = Surroundings(
            registry=REGISTRY,
            jitter=lambda: 0.0,
            keep=lambda record: kept.append((record.streams, record.streams_connecting, record.streams_wanted)),
        )
        with Following(quiet, replace(QUICK, silence=PATIENCE), around) as following:
            following.wait_for(Happening.STARTED)
            assert (kept[0], kept[-1]) == ((0, 0, 0), (0, 1, 1))
            quiet.push("a")
            following.wait_for(Happening.CONNECTED)
            following.wait(lambda _: kept[-1] == (1, 0, 1))


def test_a_server_that_restarts_is_waited_for(tmp_path: Path) -> None:
    with account(tmp_path) as first:
        first.write([T0], told=True)
        port = int(first.url.rpartition(":")[2])
        following = Following(
            first, replace(QUICK, look_every=0.3), tokens=StaticToken(first.accounts.issue_token(USER))
        )
        following.__enter__()
        following.wait_for(Happening.CONNECTED)
    following.wait_for(Happening.DELAYED)
    with account(tmp_path, port=port) as second:
        second.push("after")
        following.account = second
        second.lock = first.lock
        following.wait_until_held("after")
        following.__exit__(None, None, None)
        assert held(second) == stored(second)


def test_a_server_that_goes_before_a_stream_has_said_anything_is_told_of(tmp_path: Path) -> None:
    with account(tmp_path, heartbeat=PATIENCE) as first:
        first.write([T0], told=True)
        port = int(first.url.rpartition(":")[2])
        tokens = StaticToken(first.accounts.issue_token(USER))
        following = Following(first, replace(QUICK, silence=PATIENCE), tokens=tokens)
        following.__enter__()
        following.wait_for(Happening.STARTED)
    told = following.wait_for(Happening.DISCONNECTED)
    assert following.follower is not None
    record = following.follower.chronicle.record
    assert (told.facts["streams"], record.streams_problem) == (0, told.facts["reason"])
    with account(tmp_path, port=port) as second:
        following.account, second.lock = second, first.lock
        following.wait_for(Happening.CONNECTED)
        assert record.streams_problem is None
        following.__exit__(None, None, None)
    assert following.count(Happening.DISCONNECTED) == 1


@pytest.mark.parametrize("cut", range(12))
def test_a_connection_that_breaks_at_any_request_is_nothing_but_a_delay(box: Account, cut: int) -> None:
    asked: list[str] = []

    async def break_off(call: Call) -> None:
        await call.close(reset=True)

    def judge(request: Request) -> Act | None:
        if request.method == "GET":
            asked.append(request.target)
        return break_off if request.method == "GET" and len(asked) == cut + 1 else None

    with Following(box, replace(QUICK, look_every=0.3)) as following:
        following.wait_for(Happening.CONNECTED)
        with box.line.under(judge):
            box.push("a")
            following.wait_until_held("a")
            following.wait(lambda _: len(asked) > cut)
    assert held(box) == stored(box)


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_a_computers_clock_that_jumps_changes_nothing(box: Account) -> None:
    jumps = itertools.cycle([timedelta(days=400), timedelta(days=-4000), timedelta()])
    around = Surroundings(registry=REGISTRY, jitter=lambda: 0.0, now=lambda: datetime.now(UTC) + next(jumps))
    with Following(box, around=around) as following:
        following.wait_for(Happening.CONNECTED)
        for number in range(5):
            box.push(f"e{number}")
            following.wait_until_held(f"e{number}")
    assert held(box) == stored(box)


@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(hours=-3)], ids=["ahead", "back"])
def test_a_servers_clock_that_jumps_hides_nothing(box: Account, jump: timedelta) -> None:
    with Following(box) as following:
        following.wait_for(Happening.CONNECTED)
        box.push("before")
        following.wait_until_held("before")
        box.clock.skip(jump)
        box.push("after")
        following.wait_until_held("before", "after")
        box.push("later")
        following.wait_until_held("later")
    assert held(box) == stored(box)


# --- tokens and refusals ----------------------------------------------------------------------------------------------


def test_a_mirror_that_was_damaged_is_pulled_whole_whatever_the_streams_name(box: Account) -> None:
    with Following(box) as following:
        following.wait_for(Happening.CONNECTED)
        box.push("a")
        following.wait_until_held("a")
        with box.lock, closing(sqlite3.connect(box.folder / f"{USER}.sqlite")) as mirror, mirror:
            mirror.execute("UPDATE page SET body = x'00'")
        box.push("b")
        told = following.wait_for(Happening.LOOKED)
    assert told.facts.keys() == {"new", "held", "unreadable"}
    assert held(box) == stored(box)


def test_a_token_that_ends_is_renewed_while_it_follows(box: Account) -> None:
    given: list[str] = []

    def obtain() -> str:
        given.append(box.accounts.issue_token(USER, lifetime=900.0))
        return given[-1]

    with Following(box, replace(QUICK, look_every=0.1), tokens=CommandToken(obtain)) as following:
        following.wait_for(Happening.CONNECTED)
        box.clock.skip(timedelta(hours=1))
        following.wait_for(Happening.LOOKED, following.count(Happening.LOOKED) + 2)
        box.push("a")
        following.wait_until_held("a")
    assert len(given) >= 2


def test_a_token_that_cannot_be_renewed_ends_it_after_a_while(box: Account) -> None:
    passed = itertools.count()
    around = Surroundings(registry=REGISTRY, jitter=lambda: -0.99, clock=lambda: next(passed) * 20.0)
    following = Following(box, replace(QUICK, look_every=100.0), around, StaticToken(box.accounts.issue_token(USER)))
    following.start()
    following.wait_for(Happening.STARTED)
    box.clock.skip(timedelta(hours=1))
    following.wait(lambda _: following.over)
    assert isinstance(following.error, SignInError)
    assert following.count(Happening.DELAYED) >= 1
    assert following.follower is not None
    assert following.follower.chronicle.record.ended_by == following.error.message


def test_a_subscription_that_ends_is_the_end(box: Account) -> None:
    following = Following(box, replace(QUICK, look_every=0.1))
    following.start()
    following.wait_for(Happening.CONNECTED)
    box.accounts.set_subscription(USER, active=False)
    following.wait(lambda _: following.over)
    assert isinstance(following.error, SubscriptionError)


def test_what_goes_wrong_at_the_beginning_is_raised(box: Account) -> None:
    with box.line.under(lambda _: says(500, "it rains")):
        following = Following(box)
        following.start()
        following.wait(lambda _: following.over)
    assert isinstance(following.error, ServerError)


# --- beside others ----------------------------------------------------------------------------------------------------


def test_a_mirror_that_another_run_works_with_is_waited_for(box: Account) -> None:
    taken = threading.Event()

    class Elsewhere:
        def __enter__(self) -> None:
            raise LockedError("another run works with it")

        def __exit__(self, *_: object) -> None: ...

    alone = box.mirror_alone
    box.mirror_alone = lambda: Elsewhere() if taken.is_set() else alone()  # type: ignore[assignment, return-value]
    around = Surroundings(registry=REGISTRY, jitter=lambda: -0.999, keep=lambda _: None)
    with Following(box, around=around) as following:
        following.wait_for(Happening.CONNECTED)
        taken.set()
        box.push("a")
        following.wait_for(Happening.DELAYED)
        taken.clear()
        following.wait_for(Happening.PULLED, following.count(Happening.PULLED) + 1)
    box.mirror_alone = alone  # type: ignore[method-assign]
    assert "a" in records(box)


def test_a_run_that_is_there_before_it_is_waited_for_and_so_is_an_archive_that_it_holds_up(box: Account) -> None:
    alone, entered = box.mirror_alone, itertools.count()

    def taken_at_first() -> AbstractContextManager[Mirror]:
        if next(entered) == 0:
            raise LockedError("another run works with it")
        return alone()

    box.mirror_alone = taken_at_first  # type: ignore[method-assign, assignment]
    made = Exported("a.mana", 1, "complete", {})
    answers: Iterator[Exported | NotExported] = iter(
        [NotExported(ServerError("no server")), made, NotExported(NotFoundError("no folder")), made]
    )
    around = Surroundings(registry=REGISTRY, jitter=lambda: 0.0, export=lambda _: next(answers))
    settings = replace(QUICK, export_every=0.2, look_every=0.1)
    with Following(box, settings, around) as following:
        following.wait_for(Happening.EXPORTED)
        box.push("a")
        following.wait_for(Happening.EXPORTED, 2)
    box.mirror_alone = alone  # type: ignore[method-assign]
    assert following.told[0].what is Happening.DELAYED
    told = [one.what for one in following.told if "xport" in one.what.value]
    assert told[:4] == [Happening.EXPORT_FAILED, Happening.EXPORTED] * 2


def test_an_archive_that_cannot_be_written_is_told_of_until_one_is_written_whatever_is_pulled_meanwhile(
    box: Account,
) -> None:
    down = threading.Event()

    def export(now: datetime) -> Exported | NotExported:
        return NotExported(ServerError("the place is down")) if down.is_set() else Exported("a", 1, "complete", {})

    around = Surroundings(registry=REGISTRY, jitter=lambda: 0.0, export=export)
    with Following(box, replace(QUICK, export_every=0.1, look_every=0.1), around) as following:
        following.wait_for(Happening.EXPORTED)
        assert following.follower is not None
        record = following.follower.chronicle.record
        down.set()
        box.push("a")
        following.wait_for(Happening.EXPORT_FAILED)
        following.wait_for(Happening.LOOKED, following.count(Happening.LOOKED) + 2)
        assert (record.problem, record.archive_problem) == (None, "the place is down")
        down.clear()
        following.wait_for(Happening.EXPORTED, 2)
        following.wait_for(Happening.LOOKED, following.count(Happening.LOOKED) + 1)
        assert record.archive_problem is None


@pytest.mark.parametrize("error", [ServerError("the place is slow"), NotFoundError("no folder")])
def test_an_archive_that_fails_for_longer_than_its_interval_keeps_nothing_from_being_pulled(
    box: Account, error: ServerError | NotFoundError
) -> None:
    later = [0.0]

    def export(now: datetime) -> Exported | NotExported:
        if not later[0]:
            return Exported("a", 1, "complete", {})
        later[0] += 400.0
        return NotExported(error)

    around = Surroundings(
        registry=REGISTRY, jitter=lambda: 0.0, export=export, clock=lambda: time.monotonic() + later[0]
    )
    with Following(box, replace(QUICK, export_every=60.0), around) as following:
        following.wait_for(Happening.EXPORTED)
        box.push("a")
        following.wait_until_held("a")
        later[0] = 61.0
        box.push("b")  # it wakes, and finds the next archive due
        following.wait_for(Happening.EXPORT_FAILED)
        box.push("c")
        following.wait_until_held("a", "b", "c")


def test_without_anything_new_no_archive_is_written(box: Account) -> None:
    around = Surroundings(registry=REGISTRY, jitter=lambda: 0.0, export=lambda _: Exported("a.mana", 1, "complete", {}))
    with Following(box, replace(QUICK, export_every=0.1, look_every=0.1), around) as following:
        following.wait_for(Happening.EXPORTED)
        following.wait_for(Happening.LOOKED, following.count(Happening.LOOKED) + 6)
        assert following.count(Happening.EXPORTED) == 1


def test_it_ends_by_itself_and_up_to_date(box: Account) -> None:
    with Following(box, replace(QUICK, duration=0.3)) as following:
        following.wait_for(Happening.STARTED)
        box.push("a")
        following.wait(lambda _: following.over)
    assert following.follower is not None
    assert following.follower.chronicle.record.ended_at is not None
    assert following.follower.chronicle.record.pending_since is None
