"""Answers of any size cost a bounded amount of memory."""

from __future__ import annotations

import gzip
import socket
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
import zstandard

from manabackup.errors import ServerError
from manabackup.limits import MIB
from manabackup.remote.request import Request

from .scripted_server import Connect, ScriptedServer, answer


def zeros(coding: str, size: int) -> bytes:
    """A body of zeros in a content coding."""
    if coding == "zstd":
        return zstandard.compress(bytes(size))
    bits = {"gzip": 31, "deflate": 15}[coding]
    deflate = zlib.compressobj(9, wbits=bits)
    return b"".join([deflate.compress(bytes(MIB)) for _ in range(size // MIB)]) + deflate.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_S1_a_bomb_is_stopped_at_the_limit_and_costs_no_memory(
    server: ScriptedServer, connect: Connect, coding: str
) -> None:
    server.otherwise = answer(zeros(coding, 200 * MIB), 200, f"Content-Encoding: {coding}")
    transport = connect(server.url, answer_bytes=MIB)
    tracemalloc.start()
    try:
        with pytest.raises(ServerError, match="larger than 1 MiB"):
            transport.request(Request("GET", "/"))
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()
    assert len(server.requests) == 1


def test_S1_a_bomb_in_a_bomb_is_not_opened(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(gzip.compress(zeros("gzip", 50 * MIB)), 200, "Content-Encoding: gzip, gzip")
    with pytest.raises(ServerError, match="coding that was not asked for"):
        connect(server.url, attempts=1).request(Request("GET", "/"))


def test_S1_an_answer_announced_too_large_is_not_read(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = b"HTTP/1.1 200 OK\r\nContent-Length: 500000000000\r\n\r\n"
    with pytest.raises(ServerError, match="larger than 256 MiB"):
        connect(server.url).request(Request("GET", "/"))


def test_a_body_that_breaks_off_is_received_again_from_its_beginning(server: ScriptedServer, connect: Connect) -> None:
    received: list[bytes] = []

    def receive(pieces: Iterator[bytes]) -> bytes:
        received.append(b"")
        for piece in pieces:
            received[-1] += piece
        return b"made of it"

    whole = answer(b"0123456789")

    def break_off(connection: socket.socket) -> bool:
        connection.sendall(whole[:-5])
        return False

    server.answers(break_off, answer(b"busy", 503), whole)
    assert connect(server.url).request(Request("GET", "/"), receive=receive).body == b"made of it"
    assert received == [b"01234", b"0123456789"]


def test_the_words_of_an_error_are_not_received(server: ScriptedServer, connect: Connect) -> None:
    server.answers(answer(b"no such thing", 404))
    assert connect(server.url).request(Request("GET", "/"), receive=lambda pieces: b"").words() == "404 no such thing"


def test_S1_a_received_body_has_its_limit_too(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(zstandard.compress(bytes(5_000)), 200, "Content-Encoding: zstd")
    with pytest.raises(ServerError, match="larger than"):
        connect(server.url, stream_bytes=4_999).request(Request("GET", "/"), receive=lambda pieces: b"".join(pieces))


def test_S1_an_endless_answer_is_stopped_at_the_limit(server: ScriptedServer, connect: Connect) -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.over.is_set():
            connection.sendall(bytes(65_536))

    server.otherwise = pour
    with pytest.raises(ServerError, match="larger than 1 MiB"):
        connect(server.url, answer_bytes=MIB).request(Request("GET", "/"))


def test_an_answer_of_exactly_the_limit_is_taken(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(zstandard.compress(bytes(1_000)), 200, "Content-Encoding: zstd")
    assert len(connect(server.url, answer_bytes=1_000).request(Request("GET", "/")).body) == 1_000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_S1_a_compressed_answer_that_is_cut_or_damaged_is_tried_again(
    server: ScriptedServer, connect: Connect, coding: str
) -> None:
    whole = zeros(coding, MIB)
    header = f"Content-Encoding: {coding}"
    damaged = b"\0" * 8 + whole[8:]
    server.answers(answer(whole[:-3], 200, header), answer(damaged, 200, header), answer(whole, 200, header))
    assert connect(server.url).request(Request("GET", "/")).body == bytes(MIB)
