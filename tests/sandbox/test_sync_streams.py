"""Connections that are no plain request and answer: events, WebSockets, slow uploads, clients that leave."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from manabackup.sandbox import Sandbox, StreamFault
from tests.support.patience import PATIENCE

from .sync_recordings import load, register
from .test_sync_findings import client, pull, push

RECORDED = {stream["name"]: stream for stream in load("21")["streams"]}
PUSHED = {
    "p1": (
        '{"table":"tasks","id":"p1","op":"insert","data":{"a":1},'
        '"spaceId":"team","actor":{"kind":"user"},"origin":"user"}'
    ),
    "p2": '{"table":"projects","id":"p2","op":"insert","data":{"b":2}}',
    "p3": '{"table":"tasks","id":"p3","op":"update","fields":{"a":{"value":2,"at":"2026-09-01T00:00:00Z"}}}',
    "u1": '{"table":"unlisted","id":"u1","op":"insert","data":{"c":3}}',
    "p4": '{"table":"tasks","id":"p4","op":"delete","deletedAt":"2026-09-01T00:00:00Z"}',
    "p5": '{"table":"tasks","id":"p5","op":"insert","data":{"late":18}}',
}
CURSOR = re.compile(r'"syncedUntil":"[^"]*"')


class Stream:
    """A raw connection, read event by event."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self.head = ""

    def events(self) -> Iterator[str]:
        """Events as they come in, chunk by chunk; the head is read before the first."""
        while (line := self._file.readline()) not in (b"\r\n", b""):
            self.head += line.decode()
        while size := int(self._file.readline() or b"0", 16):
            yield self._file.read(size).decode()
            self._file.readline()

    def head_of_answer(self) -> str:
        """Status line and headers."""
        return "".join(line.decode("latin-1") for line in iter(self._file.readline, b"\r\n"))

    def rest(self) -> bytes:
        return self._file.read()

    def close(self) -> None:
        self._file.close()
        self._connection.close()


@contextmanager
def opened(
    server: Sandbox, request: str, user: str = "alice", client_id: str = "r", body: bytes = b""
) -> Iterator[Stream]:
    target = urlsplit(server.url)
    assert target.hostname is not None
    assert target.port is not None
    connection = socket.create_connection((target.hostname, target.port), timeout=PATIENCE)
    head = f"{request} HTTP/1.1\r\nHost: sandbox\r\nX-Client-Id: {client_id}\r\n"
    connection.sendall(head.encode() + f"Authorization: Bearer {server.accounts.issue_token(user)}\r\n".encode() + body)
    stream = Stream(connection)
    try:
        yield stream
    finally:
        stream.close()


def recorded_events(name: str) -> list[str]:
    """The recorded stream's events, without chunk sizes and cursors, as far as it was recorded whole."""
    raw = "".join(chunk["raw"] for chunk in RECORDED[name]["chunks"]).partition("\r\n\r\n")[2]
    chunks = re.findall(r"[0-9a-f]+\r\n(.*?)\r\n", raw, re.DOTALL)
    return [CURSOR.sub("", event) for event in chunks]


def seeded(server: Sandbox) -> None:
    register(server, "alice", "team")
    register(server, "bob", "team")
    with client(server, client_id="w") as writer:
        for name in ("p1", "p2"):
            assert push(writer, "sse1", PUSHED[name]).status_code == 200


def test_a_stream_sends_first_pages_and_then_what_other_devices_push() -> None:
    recorded = RECORDED[
        "two collections with data, pushes at 2s(tasks),3s(unlisted),12s(tasks),18s(tasks), watched 42s"
    ]
    expected = recorded_events(recorded["name"])
    with Sandbox(heartbeat_seconds=60) as server, client(server, client_id="w") as writer:
        seeded(server)
        with opened(server, recorded["request"], client_id="r1", body=b"\r\n") as stream:
            events = stream.events()
            got = [next(events), next(events)]
            for name in ("p3", "u1", "p4", "p5"):
                push(writer, "sse1", PUSHED[name])
                got.append(next(events))
    assert [CURSOR.sub("", event) for event in got] == expected[:6]
    head = recorded["chunks"][0]["raw"].partition("\r\n\r\n")[0]
    assert comparable(stream.head) == comparable(head)
    assert expected[6] == "event: heartbeat\ndata: {}\n\n"


def comparable(head: str) -> set[str]:
    return {line.lower() for line in head.splitlines() if not line.lower().startswith("date:")}


@pytest.mark.parametrize("name", ["empty collection, watched 42s", "no collections param"])
def test_a_stream_without_rows_is_silent_until_a_push_and_then_sends_that_collection_from_its_start(name: str) -> None:
    expected = recorded_events(name)[:2]
    with Sandbox(heartbeat_seconds=0.05) as server, client(server, client_id="w") as writer:
        seeded(server)
        with opened(server, RECORDED[name]["request"], client_id="r2", body=b"\r\n") as stream:
            events = stream.events()
            assert next(events) == "event: heartbeat\ndata: {}\n\n"
            got = []
            for pushed in ("p3", "u1"):
                push(writer, "sse1", PUSHED[pushed])
                got.append(next(event for event in events if "heartbeat" not in event))
    assert [CURSOR.sub("", event) for event in got] == expected


def test_a_stream_sends_only_the_first_page_of_a_large_collection() -> None:
    recorded = next(stream for name, stream in RECORDED.items() if name.startswith("1500 rows"))
    with Sandbox() as server:
        for n in range(1, 1501):
            change = {"table": "big", "id": f"r{n:06d}", "op": "insert", "data": {"n": n}}
            server.log.append("alice", "w", "sse2", change, created_at_us=n)
        with opened(server, recorded["request"], client_id="r3", body=b"\r\n") as stream:
            event = next(stream.events())
    start = recorded["chunks"][0]["raw"].partition("\r\n\r\n")[2].partition("\r\n")[2].partition("…")[0]
    assert event.startswith(start[: start.rindex("},{")])
    assert event.endswith('"hasMore":true,"syncedUntil":"1970-01-01T00:00:00.001Z","table":"big"}\n\n')
    assert event.count('"op"') == 1000


@pytest.mark.parametrize(("user", "client_id"), [("alice", "w"), ("bob", "rb")])
def test_neither_the_own_device_nor_co_members_are_woken_by_a_push(user: str, client_id: str) -> None:
    with Sandbox(heartbeat_seconds=0.05) as server, client(server, client_id="w") as writer:
        seeded(server)
        request = "GET /sync/sse1/stream?collections=none"
        with opened(server, request, user, client_id, body=b"\r\n") as stream:
            events = stream.events()
            next(events)
            push(writer, "sse1", PUSHED["p1"])
            assert {next(events), next(events)} == {"event: heartbeat\ndata: {}\n\n"}


def test_closing_the_server_ends_open_streams() -> None:
    with Sandbox(heartbeat_seconds=0.05) as server:
        stream_of = opened(server, "GET /sync/sse1/stream?collections=x", body=b"\r\n")
        stream = stream_of.__enter__()
        next(stream.events())
    assert b"\r\n0\r\n\r\n" in b"\r\n" + stream.rest()
    stream_of.__exit__(None, None, None)


@pytest.mark.parametrize("path", ["/ws", "/ws/todo"])
def test_a_websocket_is_closed_right_after_the_handshake(path: str) -> None:
    handshake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    handshake += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    with Sandbox() as server, opened(server, f"GET {path}", body=handshake) as stream:
        head, _, frames = stream.rest().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455, 1.3
    assert frames == b"\x88\x09\x03\xe8closing"


def test_a_slow_upload_is_refused_with_a_timeout() -> None:
    recorded = load("22")["findings"]["slow body 17s (ReadTimeout 15s)"]["recv"]
    with Sandbox(upload_seconds=0.1) as server:
        body = b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"changes":['
        with opened(server, "POST /sync/slow", body=body) as stream:
            got = stream.rest().decode()
    ports = re.compile(r"127\.0\.0\.1:[0-9]+")
    head, _, text = got.partition("\r\n\r\n")
    recorded_head, _, recorded_text = recorded.partition("\r\n\r\n")
    assert ports.sub("", text) == ports.sub("", recorded_text)
    length = re.compile("content-length: [0-9]+")
    assert comparable(length.sub("", head.lower())) == comparable(length.sub("", recorded_head.lower()))


def test_a_client_that_leaves_in_the_middle_of_its_upload_stores_nothing() -> None:
    change = '{"table":"t","id":"1","op":"insert"}'
    with Sandbox() as server, client(server) as http:
        body = f'Content-Length: 500\r\n\r\n{{"changes":[{change}]}}'.encode()
        with opened(server, "POST /sync/left", body=body):
            pass
        assert pull(http, "left", "t")["serverChanges"] == []
        assert server.log.count() == 0


@pytest.mark.parametrize("fault", list(StreamFault))
def test_a_fault_takes_one_event_or_the_whole_stream(fault: StreamFault) -> None:
    faults: list[StreamFault | None] = [fault, None]
    was_hit = threading.Event()

    def next_fault(app: str, name: str) -> StreamFault | None:
        if (app, name) != ("sse1", "changes") or not faults:
            return None
        if len(faults) == 1:
            was_hit.set()
        return faults.pop()

    with Sandbox(heartbeat_seconds=PATIENCE) as server, client(server, client_id="w") as writer:
        seeded(server)
        server.faults.streams = next_fault
        stream_of = opened(server, "GET /sync/sse1/stream?collections=tasks", client_id="r1", body=b"\r\n")
        stream = stream_of.__enter__()
        events = stream.events()
        assert '"id":"p1"' in next(events)
        push(writer, "sse1", PUSHED["p3"])
        assert was_hit.wait(PATIENCE), "or both changes would be one event"
        push(writer, "sse1", PUSHED["p4"])
        if fault is StreamFault.LOST:
            assert '"id":"p4"' in next(events)
        elif fault is StreamFault.END:
            assert list(events) == []
        elif fault is StreamFault.CUT:
            rest = stream.rest()
            assert b'"changes"' in rest
            assert b'"p4"' not in rest
    if fault is StreamFault.SILENT:
        assert list(events) == []  # but for the end that the server's own end makes
    stream_of.__exit__(None, None, None)
