"""Where the transport goes, over which proxies, and whose certificates it believes."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from manabackup.errors import ServerError, UsageError
from manabackup.remote.request import Request
from manabackup.remote.transport import Transport

from .scripted_server import Connect, ScriptedServer, answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_S8_a_redirect_is_an_error_that_names_the_other_host(
    server: ScriptedServer, connect: Connect, status: int
) -> None:
    server.otherwise = answer(b"", status, "Location: https://evil.invalid/x?y")
    with pytest.raises(ServerError, match=r"redirects to evil\.invalid, which is not followed"):
        connect(server.url).request(Request("GET", "/", headers={"Authorization": "Bearer secret"}))
    assert len(server.requests) == 1


def test_how_far_an_upload_has_come_is_no_redirect(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"", 308, "Range: bytes=0-262143")
    told = connect(server.url).request(Request("PUT", "/", headers={"Content-Length": "3"}, body=b"abc"))
    assert (told.status, told.headers["range"]) == (308, "bytes=0-262143")


def test_the_address_of_a_clouds_own_machines_is_for_who_asks_for_it() -> None:
    with pytest.raises(UsageError, match="without encryption"):
        Transport("http://169.254.169.254")
    Transport("http://169.254.169.254", link_local=True).close()
    for url in ("http://169.254.169.253", "http://metadata.google.internal", "http://169.254.169.254.evil.invalid"):
        with pytest.raises(UsageError, match="without encryption"):
            Transport(url, link_local=True)


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
