"""One HTTP transport: what is asked and what is answered."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from manabackup.errors import ServerError
from manabackup.remote.request import Request

from .scripted_server import Connect, ScriptedServer, answer


def test_an_answer_has_lower_case_headers_and_its_cookies_apart(server: ScriptedServer, connect: Connect) -> None:
    server.answers(answer(b'{"a":1}', 201, "X-Thing: b", "X-THING: c", "Set-Cookie: m=1; Path=/", "set-cookie: n=2"))
    got = connect(server.url).request(Request("GET", "/x"))
    assert (got.status, got.json(), got.headers["x-thing"]) == (201, {"a": 1}, "b, c")
    assert got.set_cookies == ["m=1; Path=/", "n=2"]
    assert "set-cookie" not in got.headers


def test_parameters_are_escaped_and_a_path_prefix_of_the_server_is_kept(
    server: ScriptedServer, connect: Connect
) -> None:
    server.otherwise = answer()
    connect(server.url + "/mana/").request(
        Request("GET", "/sync/a%2Fb/pull", params={"since": "2026-01-01T00:00:00+01:00"})
    )
    assert server.requests[0].target == "/mana/sync/a%2Fb/pull?since=2026-01-01T00%3A00%3A00%2B01%3A00"


def test_a_line_break_in_a_path_never_reaches_the_wire(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer()
    connect(server.url).request(Request("GET", "/a\r\nX-Evil: 1\r\n"))
    assert server.requests[0].target == "/a%0D%0AX-Evil:%201%0D%0A"


def test_cookies_that_the_server_sets_are_not_sent_back(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"", 200, "Set-Cookie: m=1")
    transport = connect(server.url)
    transport.request(Request("GET", "/"))
    transport.request(Request("GET", "/"))
    assert all("cookie" not in request.headers for request in server.requests)


def test_an_answer_that_is_no_json_is_the_servers_fault(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"<html>")
    with pytest.raises(ServerError, match=r"GET 127.0.0.1:\d+/x: the answer is not JSON"):
        connect(server.url).request(Request("GET", "/x")).json()


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b'{"message":"no\\nway","code":"X"}', (), "400 no way"),
        (b'{"error":"sync_inactive"}', (), "400 sync_inactive"),
        (b"red \x1b[31m and \xe2\x80\xae back\r\n", (), r"400 red \x1b[31m and \u202e back"),
        (b"<html>long page</html>", ("Content-Type: text/html",), "400 Bad Request"),
        (b"", (), "400 Bad Request"),
        (b"x" * 5_000, (), "400 " + "x" * 199 + "…"),
        (b"\xff", (), "400 \ufffd"),
    ],
)
def test_a_servers_words_become_one_short_printable_line(
    server: ScriptedServer, connect: Connect, body: bytes, headers: tuple[str, ...], words: str
) -> None:
    server.otherwise = answer(body, 400, *headers)
    assert connect(server.url).request(Request("GET", "/")).words() == words


def test_eight_threads_share_a_transport(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"[1]")
    transport = connect(server.url)
    with ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(lambda _: transport.request(Request("GET", "/")).json(), range(80)))
    assert bodies == [[1]] * 80
    assert server.connections <= 8


def test_a_kept_connection_that_the_server_closed_meanwhile_is_replaced(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    closed = threading.Event()

    def answer_and_close(connection: socket.socket) -> bool:
        connection.sendall(answer(b"1"))
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()
        return False

    server.answers(answer_and_close, answer(b"2"))
    transport = connect(server.url)
    transport.request(Request("POST", "/", body=b"x"), once=True)
    assert closed.wait(10)
    assert transport.request(Request("POST", "/", body=b"x"), once=True).body == b"2"
    assert pauses == []


def test_a_header_that_http_does_not_allow_is_refused_without_being_quoted(
    server: ScriptedServer, connect: Connect
) -> None:
    with pytest.raises(ServerError) as caught:
        connect(server.url).request(Request("GET", "/", headers={"Authorization": "Bearer geheim\r\nX-Evil: 1"}))
    assert "geheim" not in str(caught.value)
    assert server.requests == []


def test_neither_tokens_nor_cookies_are_logged(
    server: ScriptedServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers(answer(b"", 503, "Set-Cookie: m=geheim"), answer(b"geheim", 200, "Set-Cookie: m=geheim"))
    headers = {"Authorization": "Bearer geheim", "Cookie": "geheim"}
    got = connect(server.url).request(Request("POST", "/x", headers=headers, body=b"geheim"))
    assert "/x: 503 (attempt 1)" in caplog.text
    assert "geheim" not in caplog.text + repr(got)
