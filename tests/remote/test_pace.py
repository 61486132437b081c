"""How fast a server is asked: as it lets, without asking much in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from manabackup.limits import Limits
from manabackup.remote.pace import Pace
from manabackup.remote.request import Request
from manabackup.remote.transport import Transport
from tests.support.patience import PATIENCE

from .scripted_server import ScriptedServer, answer


class Time:
    """Passes in pauses alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def test_nobody_waits_for_a_server_that_has_not_complained() -> None:
    pace = Pace(Time())
    assert [pace.turn() for _ in range(100)] == [0.0] * 100
    assert pace.turn(0.5) == 0.5
    assert pace.turn() == 0.0


def test_a_time_to_come_back_holds_everybody_back_and_then_they_come_one_by_one() -> None:
    pace = Pace(Time())
    pace.note_refusal(0.0, 7.0)
    turns = [pace.turn() for _ in range(8)]
    assert turns[0] == 7.0
    assert all(later - earlier >= 0.04 for earlier, later in pairwise(turns))


def test_complaints_about_what_was_under_way_count_once() -> None:
    time = Time()
    pace = Pace(time)
    time.pass_by(1.0)
    for _ in range(8):
        pace.note_refusal(0.5, 0.0)
    turns = [pace.turn() for _ in range(3)]
    assert turns == pytest.approx([0.05, 0.1, 0.15])


def test_answers_make_it_faster_until_nobody_waits_again() -> None:
    time = Time()
    pace = Pace(time)
    pace.note_refusal(0.0, 1.0)
    for _ in range(200):
        time.pass_by(pace.turn())
        pace.note_answer()
    assert pace.turn() == 0.0


@pytest.mark.parametrize("connections", [1, 8])
@pytest.mark.parametrize("allowed", [2, 10, 50])
@pytest.mark.parametrize("told", [True, False])
def test_a_server_with_a_limit_is_asked_about_as_fast_as_it_lets_and_seldom_in_vain(
    connections: int, allowed: int, told: bool
) -> None:
    """A bucket of ``allowed`` requests, as many again each second; connections that ask as soon as they may."""
    time = Time()
    pace = Pace(time)
    bucket, filled = float(allowed), 0.0
    due = [(0.0, number) for number in range(connections)]
    failed = [0] * connections
    answered = refused = most_in_a_row = 0
    while answered < 500:
        due.sort()
        at, number = due.pop(0)
        time.now = max(time.now, at)
        bucket, filled = min(float(allowed), bucket + (time.now - filled) * allowed), time.now
        if bucket >= 1:
            bucket, answered, failed[number] = bucket - 1, answered + 1, 0
            pace.note_answer()
        else:
            refused, failed[number] = refused + 1, failed[number] + 1
            pace.note_refusal(time.now - 0.001, 1.0 if told else 0.0)
        most_in_a_row = max(most_in_a_row, failed[number])
        due.append((time.now + 0.02 + pace.turn(0.25 if failed[number] else 0.0), number))
    assert refused < answered / 2
    assert most_in_a_row < 20
    assert time.now < 500 / allowed * 2


def test_a_server_that_refuses_one_request_in_twenty_whatever_the_pace_is_not_asked_slowly() -> None:
    time = Time()
    pace = Pace(time)
    for number in range(1, 2_001):
        time.pass_by(pace.turn())
        if number % 20:
            pace.note_answer()
        else:
            pace.note_refusal(time.now, 0.0)
        time.pass_by(0.001)
    assert time.now < 2_000 * 0.05


def test_S9_a_time_to_come_back_counts_for_all_connections(server: ScriptedServer) -> None:
    time, lock = Time(), threading.Lock()
    arrived: list[float] = []
    refused = threading.Event()

    def sleep(seconds: float) -> None:
        with lock:
            time.now = max(time.now, round(time.now + seconds, 6))

    def refuse(connection: object) -> None:
        connection.sendall(answer(b"", 429, "Retry-After: 30"))  # type: ignore[attr-defined]

    server.answers(refuse)
    server.otherwise = answer(b"well")
    transport = Transport(server.url, sleep=sleep, jitter=lambda: 1.0, clock=time)

    def ask(_: int) -> None:
        refused.wait(PATIENCE)
        transport.request(Request("GET", "/"))
        arrived.append(time.now)

    with transport, ThreadPoolExecutor(4) as threads:
        asking = threads.submit(transport.request, Request("GET", "/first"))
        while time.now < 30:  # until it waits
            pass
        refused.set()
        list(threads.map(ask, range(3)))
        asking.result()
    assert min(arrived) >= 30


def limited(time: Callable[[], float], allowed: int, retry_after: str | None) -> Callable[[object], None]:
    """A server's reaction: so many answers a second, and 429 for the rest."""
    lock = threading.Lock()
    state = [float(allowed), 0.0]

    def react(connection: object) -> None:
        with lock:
            now = time()
            state[0], state[1] = min(float(allowed), state[0] + (now - state[1]) * allowed), now
            fine = state[0] >= 1
            state[0] -= fine
        headers = () if retry_after is None else (f"Retry-After: {retry_after}",)
        connection.sendall(answer(b"well") if fine else answer(b"later", 429, *headers))  # type: ignore[attr-defined]

    return react


@pytest.mark.parametrize("retry_after", [None, "1", "0"])
def test_S9_ten_requests_a_second_do_for_a_thousand_requests(server: ScriptedServer, retry_after: str | None) -> None:
    time, lock = Time(), threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            time.now += seconds

    def tick() -> float:
        with lock:
            time.now += 0.0005  # a request takes time, too
            return time.now

    server.otherwise = limited(lambda: time.now, 10, retry_after)
    with Transport(server.url, limits=Limits(attempts=3), sleep=sleep, clock=tick) as transport:
        for _ in range(1_000):
            assert transport.request(Request("GET", "/")).body == b"well"
    assert len(server.requests) < 2_000


def test_S9_a_server_that_refuses_everything_has_the_last_word(server: ScriptedServer, pauses: list[float]) -> None:
    server.otherwise = answer(b"enough", 429)
    with Transport(server.url, limits=Limits(attempts=3), sleep=pauses.append, clock=lambda: sum(pauses)) as transport:
        assert transport.request(Request("GET", "/")).words() == "429 enough"
    assert len(server.requests) == 6


def test_S9_one_broken_connection_in_ten_stops_nothing(server: ScriptedServer, pauses: list[float]) -> None:
    count = iter(range(10**6))

    def react(connection: object) -> bool:
        number = next(count)
        whole = answer(b"well")
        connection.sendall(whole if number % 10 else whole[:-2])  # type: ignore[attr-defined]
        return bool(number % 10)

    server.otherwise = react
    with Transport(server.url, sleep=pauses.append, clock=lambda: sum(pauses)) as transport:
        for _ in range(300):
            assert transport.request(Request("GET", "/")).body == b"well"
