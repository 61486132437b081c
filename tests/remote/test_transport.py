"""One HTTP transport against servers that misbehave."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import ipaddress
import logging
import socket
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from pathlib import Path

import pytest
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import ServerError, UsageError
from manabackup.limits import KIB, MIB, Limits
from manabackup.remote.answers import Answer
from manabackup.remote.deadlines import Patience
from manabackup.remote.decoding import BrokenCodingError, TooLargeError, decoded, read_body
from manabackup.remote.request import Request
from manabackup.remote.transport import Transport, is_never_passing
from tests.support.patience import PATIENCE

from .scripted_server import ScriptedServer, answer

Connect = Callable[..., Transport]


def zeros(coding: str, size: int) -> bytes:
    """A body of zeros in a content coding."""
    if coding == "zstd":
        return zstandard.compress(bytes(size))
    bits = {"gzip": 31, "deflate": 15}[coding]
    deflate = zlib.compressobj(9, wbits=bits)
    return b"".join([deflate.compress(bytes(MIB)) for _ in range(size // MIB)]) + deflate.flush()


# --- answers ----------------------------------------------------------------------------------------------------------


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


# --- where to ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_S8_a_redirect_is_an_error_that_names_the_other_host(
    server: ScriptedServer, connect: Connect, status: int
) -> None:
    server.otherwise = answer(b"", status, "Location: https://evil.invalid/x?y")
    with pytest.raises(ServerError, match=r"redirects to evil\.invalid, which is not followed"):
        connect(server.url).request(Request("GET", "/", headers={"Authorization": "Bearer secret"}))
    assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["", "/here", "http://[", "//a\x1bb", "\xff"])
def test_S8_no_redirect_is_followed_wherever_it_claims_to_lead(
    server: ScriptedServer, connect: Connect, location: str
) -> None:
    head = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n"
    server.otherwise = head.encode("latin-1")
    with pytest.raises(ServerError) as caught:
        connect(server.url, attempts=1).request(Request("GET", "/"))
    assert caught.value.message.isprintable()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://sync.mana.how",
        "http://127.0.0.1.evil.invalid",
        "http://localhost.evil.invalid",
        "http://2130706433",
        "http://[2001:db8::1]",
        "ftp://sync.mana.how",
        "sync.mana.how",
        "https://",
        "https://a:99999",
        "https://a/?q",
        "https://a/#f",
        "https://\u043c\u0430na.how",
        "",
    ],
)
def test_S8_only_https_or_loopback_is_spoken_to(url: str) -> None:
    with pytest.raises(UsageError):
        Transport(url)


@pytest.mark.parametrize("url", ["http://127.9.9.9:1", "http://[::1]:8080", "http://localhost:1", "https://a.b/c"])
def test_https_and_loopback_are_fine(url: str) -> None:
    with Transport(url) as transport:
        assert transport.base_url == url


def test_a_password_in_a_servers_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        Transport("https://me:geheim@sync.mana.how")
    assert "geheim" not in str(caught.value)


def test_two_spellings_of_one_address_are_one() -> None:
    with Transport("HTTPS://Auth.Mana.How:443/") as transport:
        assert (transport.base_url, transport.origin) == ("https://auth.mana.how", "https://auth.mana.how")


def test_the_proxy_of_the_environment_gets_no_more_than_the_hosts_name(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:geh%65im@127.0.0.1:{server.port}")
    monkeypatch.setenv("NO_PROXY", "")
    server.otherwise = answer(b"", 403)
    with pytest.raises(ServerError, match="the proxy refuses: 403"):
        connect("https://sync.invalid").request(Request("GET", "/secret", headers={"Authorization": "Bearer secret"}))
    request = server.requests[0]
    assert (request.method, request.target) == ("CONNECT", "sync.invalid:443")
    assert request.headers["proxy-authorization"] == "Basic bWU6Z2VoZWlt"
    assert "secret" not in repr(request)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://proxy.example:99999", "http://proxy.example:0", "http://proxy.example:port", "proxy.example:65536",
        "http://[::1", "http://[nowhere]:1", "socks5://proxy.example:1", "http://", "http://:8080", "http://prüfung.example:1",
    ],
)  # fmt: skip
def test_a_proxy_that_is_none_is_a_mistake_in_the_environment(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(UsageError, match="the proxy in the environment is not an http:// or https:// address"):
        Transport("https://sync.invalid")


def test_loopback_never_goes_through_a_proxy(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    server.otherwise = answer(b"direct")
    assert connect(server.url).request(Request("GET", "/")).body == b"direct"


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path: Path, pauses: list[float]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake_hands() -> None:
            connection, _ = listener.accept()
            with connection, pytest.raises(OSError), context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

        thread = threading.Thread(target=shake_hands)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with Transport(url, sleep=pauses.append) as transport, pytest.raises(ServerError, match="not trusted"):
            transport.request(Request("GET", "/"))
        thread.join()
    assert pauses == []


def test_a_certificate_authority_of_ones_own_is_trusted_when_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = _self_signed(tmp_path)
    context.load_cert_chain(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65_536)
                tls.sendall(answer(b"trusted"))

        served = threads.submit(serve)
        with Transport(f"https://127.0.0.1:{listener.getsockname()[1]}") as transport:
            assert transport.request(Request("GET", "/")).body == b"trusted"
        served.result()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "own.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        Transport("https://sync.invalid")


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return file


# --- patience ---------------------------------------------------------------------------------------------------------


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


# --- bounds -----------------------------------------------------------------------------------------------------------


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


# --- secrets ----------------------------------------------------------------------------------------------------------


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


# --- content codings, alone -------------------------------------------------------------------------------------------

codings = st.sampled_from(["", "identity", "gzip", "x-gzip", "deflate", "zstd", " GZIP "])


def encode(body: bytes, coding: str) -> bytes:
    match coding.strip().lower():
        case "gzip" | "x-gzip":
            return gzip.compress(body, 1)
        case "deflate":
            return zlib.compress(body)
        case "zstd":
            return zstandard.compress(body)
    return body


@given(parts=st.lists(st.binary(max_size=2_000), min_size=1, max_size=3), coding=codings, step=st.integers(1, 700))
def test_a_body_comes_out_as_it_went_in_whatever_the_coding_and_the_chunks(
    parts: list[bytes], coding: str, step: int
) -> None:
    wire = b"".join(encode(part, coding) for part in parts)
    chunks = [wire[at : at + step] for at in range(0, len(wire), step)]
    assert read_body(decoded(chunks, coding), 10_000) == b"".join(parts)


@given(body=st.binary(min_size=1, max_size=2_000), coding=codings, less=st.integers(1, 100))
def test_a_body_of_more_than_the_limit_is_refused_whatever_the_coding(body: bytes, coding: str, less: int) -> None:
    with pytest.raises(TooLargeError):
        read_body(decoded([encode(body, coding)], coding), max(0, len(body) - less))


@given(body=st.binary(max_size=500), coding=st.sampled_from(["gzip", "deflate", "zstd"]), data=st.data())
def test_a_compressed_body_cut_anywhere_is_noticed(body: bytes, coding: str, data: st.DataObject) -> None:
    wire = encode(body, coding)
    cut = data.draw(st.integers(1, len(wire) - 1))
    with pytest.raises(BrokenCodingError):
        read_body(decoded([wire[:cut]], coding), 10_000)


@given(noise=st.binary(min_size=1), coding=st.sampled_from(["gzip", "deflate", "zstd", "br", "compress"]))
def test_noise_is_refused_or_read_and_never_anything_else(noise: bytes, coding: str) -> None:
    try:
        read_body(decoded(io.BytesIO(noise), coding), 100)
    except (BrokenCodingError, TooLargeError):
        return
    assert coding in ("gzip", "deflate", "zstd")
