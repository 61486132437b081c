"""What the transport waits for, what it asks again, and when it gives up."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import ServerError
from manabackup.limits import KIB, MIB, Limits
from manabackup.remote.answers import Answer, BrokenAnswerError, UnknownHostError
from manabackup.remote.deadlines import Patience
from manabackup.remote.request import Request
from manabackup.remote.transport import Transport, is_never_passing
from tests.support.patience import PATIENCE

from .scripted_server import Connect, ScriptedServer, answer


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_S9_a_passing_trouble_is_waited_out_with_growing_pauses(
    server: ScriptedServer, connect: Connect, pauses: list[float], status: int
) -> None:
    server.answers(*[answer(b"later", status)] * 4, answer(b"now"))
    assert connect(server.url).request(Request("GET", "/")).body == b"now"
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_pauses_end_at_eight_seconds_and_the_jitter_is_full(server: ScriptedServer) -> None:
    slept: list[float] = []
    shares = iter([0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.25])
    server.otherwise = answer(b"", 503)
    limits = Limits(attempts=8)
    with Transport(server.url, limits=limits, sleep=slept.append, jitter=lambda: next(shares)) as transport:
        transport.request(Request("GET", "/"))
    assert slept == [0.5, 2.0, 4.0, 8.0, 8.0, 2.0]  # and one of no length


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 431])
def test_S9_a_refusal_is_not_repeated(
    server: ScriptedServer, connect: Connect, pauses: list[float], status: int
) -> None:
    server.otherwise = answer(b"no", status)
    assert connect(server.url).request(Request("GET", "/")).status == status
    assert (len(server.requests), pauses) == (1, [])


def test_S9_a_server_that_goes_on_failing_has_the_last_word(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"storage error", 500)
    got = connect(server.url, attempts=3).request(Request("GET", "/"))
    assert (got.words(), len(server.requests)) == ("500 storage error", 3)


def test_a_request_that_must_not_be_repeated_is_sent_once(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.answers(answer(b"", 500), b"")
    transport = connect(server.url)
    assert transport.request(Request("POST", "/", body=b"x"), once=True, passing=is_never_passing).status == 500
    with pytest.raises(ServerError):
        transport.request(Request("POST", "/", body=b"x"), once=True)
    assert (len(server.requests), pauses) == (2, [])


@pytest.mark.parametrize("header", ["Retry-After: 7", "X-Retry-After: 7"])
def test_S9_a_server_that_says_when_to_come_back_is_obeyed(
    server: ScriptedServer, connect: Connect, pauses: list[float], header: str
) -> None:
    server.answers(answer(b"", 429, header), answer())
    assert connect(server.url).request(Request("GET", "/")).status == 200
    assert pauses == [7.0]


def test_a_date_to_come_back_is_understood(server: ScriptedServer, connect: Connect, pauses: list[float]) -> None:
    soon = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30), usegmt=True)
    server.answers(answer(b"", 503, f"Retry-After: {soon}"), answer())
    connect(server.url).request(Request("GET", "/"))
    assert 20 < pauses[0] <= 30


@pytest.mark.parametrize("words", ["soon", "-5", "1e9", "٣", "Thu, 01 Jan 1970 00:00:00 GMT", ""])
def test_S9_a_senseless_time_to_come_back_is_passed_over(
    server: ScriptedServer, connect: Connect, pauses: list[float], words: str
) -> None:
    server.answers(answer(b"", 503, f"Retry-After: {words}"), answer())
    connect(server.url).request(Request("GET", "/"))
    assert pauses == [0.5]


def test_S9_a_server_that_asks_for_half_an_hour_is_not_waited_for(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.otherwise = answer(b"", 429, "Retry-After: 1800")
    got = connect(server.url).request(Request("GET", "/"))
    assert (got.status, got.retry_after(), len(server.requests), pauses) == (429, 1800.0, 1, [])


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    ],
)
def test_S9_a_connection_that_breaks_anywhere_is_tried_again(
    server: ScriptedServer, connect: Connect, broken: bytes
) -> None:
    def break_off(connection: socket.socket) -> bool:
        connection.sendall(broken)
        return False

    server.answers(break_off, break_off, answer(b"whole"))
    assert connect(server.url).request(Request("GET", "/")).body == b"whole"


def test_a_server_that_never_answers_is_an_error(server: ScriptedServer, connect: Connect) -> None:
    with pytest.raises(ServerError, match="the connection broke"):
        connect(server.url, attempts=3).request(Request("GET", "/x"))
    assert len(server.requests) == 6  # one such failure says less than a bad answer


def test_a_server_that_is_not_there_is_an_error(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServerError, match="no connection"):
        connect(f"http://127.0.0.1:{port}").request(Request("GET", "/"))


@pytest.mark.parametrize(
    ("number", "kind"), [(socket.EAI_NONAME, UnknownHostError), (socket.EAI_AGAIN, BrokenAnswerError)]
)
def test_a_host_that_nobody_knows_is_told_from_one_that_cannot_be_looked_up_now(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[ServerError]
) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "in some language")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ServerError, match="no connection") as caught:
        connect("https://host.invalid").request(Request("GET", "/"))
    assert type(caught.value) is kind


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_S9_an_answer_that_drips_ends_at_the_deadline(server: ScriptedServer, connect: Connect, head: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(head)
        while not server.over.wait(0.02):
            connection.sendall(b"x")

    server.otherwise = drip
    with pytest.raises(ServerError, match="no whole answer in time"):
        connect(server.url, request_seconds=0.2, attempts=1).request(Request("GET", "/"))


def test_a_large_answer_over_a_slow_line_comes_whole_however_long_it_takes() -> None:
    now = [0.0]
    patience = Patience(120.0, 8 * KIB, clock=lambda: now[0])
    for _ in range(10_000):  # nearly four hours
        with patience.waiting():
            now[0] += 1.25
        patience.moved(10 * KIB)
    assert patience.left == pytest.approx(120.0)


@pytest.mark.parametrize(("size", "seconds"), [(0, 120), (1, 120), (4 * KIB, 240)])
def test_S9_who_drips_or_falls_silent_is_not_waited_for(size: int, seconds: int) -> None:
    now = [0.0]
    patience = Patience(120.0, 8 * KIB, clock=lambda: now[0])
    patience.moved(100 * MIB)  # what came before gives no credit
    while patience.left > 0:
        with patience.waiting():
            now[0] += 1.0
        patience.moved(size)
    assert seconds <= now[0] <= seconds + 1


def test_time_that_is_spent_here_is_not_held_against_the_server() -> None:
    now = [0.0]
    patience = Patience(1.0, 8 * KIB, clock=lambda: now[0])
    now[0] += 100.0
    assert patience.left == 1.0


def test_an_upload_that_nobody_takes_ends_at_the_deadline(server: ScriptedServer, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = connect(url, request_seconds=0.2, attempts=1)
        with pytest.raises(ServerError, match="in time"):
            transport.request(Request("POST", "/", body=bytes(32 * MIB)))


def test_closing_ends_what_other_threads_wait_for(server: ScriptedServer) -> None:
    arrived = threading.Event()

    def hang(_: socket.socket) -> None:
        arrived.set()
        server.over.wait(PATIENCE)

    server.otherwise = hang
    transport = Transport(server.url)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(transport.request, Request("GET", "/"))
        assert arrived.wait(10)
        transport.close()
        with pytest.raises(ServerError, match="closed here"):
            waiting.result(timeout=PATIENCE)


def test_closing_ends_a_pause(server: ScriptedServer) -> None:
    failed = threading.Event()

    def fail(connection: socket.socket) -> None:
        connection.sendall(answer(b"", 503, "Retry-After: 50"))
        failed.set()

    server.otherwise = fail
    transport = Transport(server.url)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(transport.request, Request("GET", "/"))
        assert failed.wait(10)
        transport.close()
        with pytest.raises(ServerError, match="closed here"):
            waiting.result(timeout=PATIENCE)


def test_a_closed_transport_opens_no_connection(server: ScriptedServer) -> None:
    server.otherwise = answer()
    transport = Transport(server.url)
    transport.request(Request("GET", "/"))
    transport.close()
    with pytest.raises(ServerError, match="closed here"):
        transport.request(Request("GET", "/"))
    assert len(server.requests) == 1


@given(words=st.text(st.characters(max_codepoint=255)) | st.from_regex(r"\A\w+, \d+ Jan \d+ \d+:\d+:\d+ [+-]?\w+\Z"))
def test_no_time_to_come_back_does_harm(words: str) -> None:
    seconds = Answer(429, {"retry-after": words}, [], b"", "GET host/").retry_after()
    assert seconds is None or seconds >= 0
