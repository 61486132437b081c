"""Answers that do not end: heard as they come, dead when they are silent, closed from elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from manabackup.errors import ServerError, SignInError
from manabackup.limits import Limits
from manabackup.remote.answers import BrokenAnswerError
from manabackup.remote.events import CHANGES, HEARTBEAT, StreamEvent
from manabackup.remote.request import Request
from manabackup.remote.session import CommandToken, StaticToken
from manabackup.remote.sync import PushClient, SyncClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Sandbox
from tests.support.patience import PATIENCE

from .scripted_server import ScriptedServer, answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BEAT = b"1b\r\nevent: heartbeat\ndata: {}\n\n\r\n"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(heartbeat_seconds=0.05) as running:
        running.accounts.create_user("erna@example.org", "password", "erna", user_id="erna", bootstrap=False)
        yield running


@pytest.fixture
def transport(box: Sandbox) -> Iterator[Transport]:
    with Transport(box.url) as opened:
        yield opened


@pytest.fixture
def reader(box: Sandbox, transport: Transport) -> SyncClient:
    return SyncClient(transport, StaticToken(box.accounts.issue_token("erna")), "reader")


class Ears:
    """What was heard; enough at some event."""

    class EnoughError(Exception):
        pass

    def __init__(self, enough: Callable[[StreamEvent], bool]) -> None:
        self.heard: list[StreamEvent] = []
        self._enough = enough

    def __call__(self, event: StreamEvent) -> None:
        self.heard.append(event)
        if self._enough(event):
            raise self.EnoughError


def test_a_stream_tells_of_what_other_devices_push(box: Sandbox, transport: Transport, reader: SyncClient) -> None:
    ears = Ears(lambda event: event.name == CHANGES)
    writer = PushClient(transport, StaticToken(box.accounts.issue_token("erna")), "phone")

    def told(event: StreamEvent) -> None:
        if not ears.heard:
            assert writer.push("todo", [b'{"table":"tasks","id":"a","op":"insert"}']).status == 200
        ears(event)

    with pytest.raises(Ears.EnoughError):
        reader.listen("todo", "1970-01-01T00:00:00Z", told)
    assert ears.heard[0] == StreamEvent(HEARTBEAT)
    assert ears.heard[-1] == StreamEvent(CHANGES, "tasks")


def test_what_is_there_already_is_told_of_at_once_for_the_collections_that_are_named(
    box: Sandbox, reader: SyncClient
) -> None:
    box.log.append("erna", "phone", "todo", {"table": "tasks", "id": "a", "op": "insert"})
    ears = Ears(lambda _: True)
    with pytest.raises(Ears.EnoughError):
        reader.listen("todo", "1970-01-01T00:00:00Z", ears, collections=["lists", "tasks"])
    assert ears.heard == [StreamEvent(CHANGES, "tasks")]


def test_a_refused_token_is_renewed_once(box: Sandbox, transport: Transport) -> None:
    dead, live = box.accounts.issue_token("erna", lifetime=-100_000.0), box.accounts.issue_token("erna")
    given = iter([dead, live])
    renewed = SyncClient(transport, CommandToken(lambda: next(given)), "reader")
    with pytest.raises(Ears.EnoughError):
        renewed.listen("todo", "2026-01-01T00:00:00Z", Ears(bool))
    refused = SyncClient(transport, StaticToken(dead), "reader")
    with pytest.raises(SignInError, match="expired"):
        refused.listen("todo", "2026-01-01T00:00:00Z", Ears(bool))


def test_a_stream_that_the_server_ends_is_no_error(server: ScriptedServer) -> None:
    server.answers(HEAD + BEAT + b"0\r\n\r\n")
    heard: list[bytes] = []
    with Transport(server.url) as transport:
        got = transport.listen(Request("GET", "/stream"), heard.extend, silence=PATIENCE)
    assert (got.status, got.body, b"".join(heard)) == (200, b"", b"event: heartbeat\ndata: {}\n\n")


def test_a_stream_that_breaks_or_says_nothing_is_one_and_is_not_asked_for_again(server: ScriptedServer) -> None:
    def silent(connection: socket.socket) -> None:
        connection.sendall(HEAD + BEAT)
        server.over.wait(PATIENCE)

    def broken(connection: socket.socket) -> bool:
        connection.sendall(HEAD + BEAT)
        return False

    server.answers(broken, silent)
    with Transport(server.url) as transport:
        for silence, words in ((PATIENCE, "broke"), (0.2, "nothing was heard for 0.2")):
            with pytest.raises(BrokenAnswerError, match=words):
                transport.listen(Request("GET", "/stream"), list, silence=silence)
    assert len(server.requests) == 2


def test_words_now_and_then_keep_a_stream_alive_for_any_time(server: ScriptedServer) -> None:
    def slow(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        for _ in range(8):
            time.sleep(0.25)  # together twice the patience
            connection.sendall(BEAT)
        connection.sendall(b"0\r\n\r\n")

    server.answers(slow)
    with Transport(server.url) as transport:
        heard: list[bytes] = []
        transport.listen(Request("GET", "/stream"), heard.extend, silence=1.0)
    assert len(heard) == 8


def test_other_answers_are_given_as_they_are(server: ScriptedServer) -> None:
    server.answers(answer(b"it rains", 503))
    with Transport(server.url) as transport:
        got = transport.listen(Request("GET", "/stream"), list, silence=PATIENCE)
    assert (got.status, got.body) == (503, b"it rains")


def test_closing_ends_a_stream_under_its_thread_at_once(server: ScriptedServer) -> None:
    begun = threading.Event()

    def silent(connection: socket.socket) -> None:
        connection.sendall(HEAD + BEAT)
        server.over.wait(PATIENCE)

    server.answers(silent)
    raised: list[Exception] = []
    transport = Transport(server.url, limits=Limits(attempts=1))

    def listen() -> None:
        def hear(pieces: Iterator[bytes]) -> None:
            for _ in pieces:
                begun.set()

        try:
            transport.listen(Request("GET", "/stream"), hear, silence=PATIENCE)
        except ServerError as error:
            raised.append(error)

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(PATIENCE)
    transport.close()
    thread.join(PATIENCE)
    assert "closed here" in str(raised)
