"""Web servers: archives are read from there by ranges, and nothing is written."""

from __future__ import annotations

import gzip
import os
import tempfile
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.errors import DamagedArchiveError, ManabackupError, ServerError
from manabackup.storage.addresses import Address
from manabackup.storage.logins import authorization
from manabackup.storage.web import WebPlace
from tests.support.archives import ours
from tests.support.processes import CommandLine
from tests.support.scripted import Asked, Said, scripted

from .conftest import PASSPHRASE, hurried


class Server:
    """Serves one content; ``ranges`` says whether in parts."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges = True
        self.etag = "1"
        self.lie = (0, 0)
        """Bytes by which the part that it says it gives begins and ends elsewhere than the one that it gives."""
        self.asked: list[tuple[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Authorization") or ""))
                if self.path.startswith("/moved"):
                    self.send_response(302)
                    self.send_header("Location", f"http://127.0.0.1:{server.port}/x.mana?sig=geheim")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                size = len(server.content)
                first, _, last = (self.headers.get("Range") or "").removeprefix("bytes=").partition("-")
                begin, stop = 0, size
                if server.ranges:
                    begin = int(first) if first else max(0, size - int(last))
                    stop = int(last) + 1 if first else size
                self.send_response(206 if server.ranges else 200)
                if server.ranges:
                    self.send_header(
                        "Content-Range", f"bytes {begin + server.lie[0]}-{stop - 1 + server.lie[1]}/{size}"
                    )
                self.send_header("ETag", server.etag)
                self.send_header("Content-Length", str(stop - begin))
                self.end_headers()
                self.wfile.write(server.content[begin:stop])

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def place(self, path: str) -> WebPlace:
        return WebPlace(Address.parse(f"http://127.0.0.1:{self.port}{path}"), hurried)


@pytest.fixture
def server(large_plain: Path) -> Iterator[Server]:
    server = Server(large_plain.read_bytes())
    yield server
    server.close()


def test_P4_a_redirect_is_followed_without_the_password_and_no_signature_is_shown(
    manabackup: CommandLine, server: Server
) -> None:
    told = manabackup("info", f"http://127.0.0.1:{server.port}/moved?token=geheim")
    assert told.code == 0, told.err
    assert "geheim" not in told.out + told.err
    (moved, first), *others = server.asked
    assert (moved, first != "") == ("/moved?token=geheim", True)
    assert set(others) == {("/x.mana?sig=geheim", "")}


def test_P3_a_server_that_gives_no_parts_is_told_unless_the_archive_is_small(server: Server, plain: Path) -> None:
    server.ranges = False
    with pytest.raises(ServerError, match="gives no parts"):
        open_archive(server.place("/x.mana"))
    server.content = plain.read_bytes()
    with open_archive(server.place("/x.mana")) as archive:
        assert sum(1 for _ in archive.rows("notes")) == 200


def test_P3_an_archive_that_changes_while_it_is_read_is_no_archive(server: Server) -> None:
    with open_archive(server.place("/x.mana")) as archive:
        server.etag = "2"
        with pytest.raises(ServerError, match="changed while it was read"):
            list(archive.rows("t0"))


@pytest.mark.parametrize("lie", [(1, 0), (1, 1), (0, -1), (-1, -1)])
def test_P3_a_server_that_gives_another_part_than_it_says_or_was_asked_for_is_not_believed(
    lie: tuple[int, int], server: Server
) -> None:
    server.lie = lie
    with pytest.raises(ServerError, match=r"another part|which part"):
        open_archive(server.place("/x.mana"))
    server.lie = (0, 0)
    with open_archive(server.place("/x.mana")) as archive:
        server.lie = lie
        with pytest.raises(ServerError, match=r"another part|which part"):
            list(archive.rows("t0"))


@pytest.mark.parametrize("room", [True, False])
def test_P3_of_a_sealed_archive_there_are_the_rows_that_were_proved_or_none(
    room: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Larger than what is held of it in memory: without room among the temporary files it is fetched again.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path if room else tmp_path / "no such folder"))
    rows = [{"id": f"r-{number:03}", "text": os.urandom(100_000).hex()} for number in range(400)]
    server.content = ours(tmp_path / "larger.mana", {"notes": rows}, seal=Seal(PASSPHRASE)).read_bytes()
    with open_archive(server.place("/x.mana"), lambda: PASSPHRASE) as archive:
        other = bytearray(server.content)
        other[len(other) // 2] ^= 1
        server.content = bytes(other)
        if room:
            asked = len(server.asked)
            assert sum(1 for _ in archive.rows("notes")) == 400
            assert len(server.asked) == asked
            return
        with pytest.raises(DamagedArchiveError):
            list(archive.rows("notes"))


def test_nothing_is_written_there(manabackup: CommandLine, server: Server, plain: Path) -> None:
    refused = manabackup("seal", str(plain), "-o", f"http://127.0.0.1:{server.port}/y.mana?sig=geheim")
    assert (refused.code, "not written" in refused.err, "geheim" in refused.err) == (2, True, False)


def test_an_error_of_an_archive_names_its_address(server: Server) -> None:
    server.content = b"no archive" * 100
    with pytest.raises(ManabackupError) as told:
        open_archive(server.place("/x.mana?sig=geheim"))
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    "location", ["http://[", "http://h\nx/", "ftp://127.0.0.1/x", "https://anna:geheim@127.0.0.1/x", ""]
)
def test_a_redirect_to_what_is_no_page_is_an_error(location: str) -> None:
    with scripted(lambda asked: Said(302, headers={"Location": location.replace("\n", "\t")})) as (port, _):
        there = WebPlace(Address.parse(f"http://127.0.0.1:{port}/x.mana"), hurried)
        with pytest.raises(ServerError, match="redirect") as told:
            there.open()
    assert "geheim" not in str(told.value)


def test_a_part_of_an_address_that_a_redirect_points_at_is_not_asked_for() -> None:
    def answer(asked: Asked) -> Said:
        if asked.path == "/x.mana":
            return Said(302, headers={"Location": "/y.mana#part"})
        return Said(206, b"yy", {"Content-Range": "bytes 0-1/2"})

    with scripted(answer) as (port, asked):
        source = WebPlace(Address.parse(f"http://127.0.0.1:{port}/x.mana"), hurried).open()
        source.close()
    assert [each.path for each in asked] == ["/x.mana", "/y.mana"]


def test_P5_a_password_that_others_can_read_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login anna password geheim\n")
    monkeypatch.setenv("NETRC", str(path))
    for mode, warnings in ((0o600, 0), (0o644, 1), (0o644, 1)):
        path.chmod(mode)
        assert authorization(Address.parse("https://127.0.0.1/x"), with_variable=False)
        assert caplog.text.count("other users of this computer can read") == warnings


@pytest.mark.parametrize("suffix", [200, 416])
def test_a_server_that_knows_no_ranges_from_the_end_is_asked_for_others(suffix: int) -> None:
    content = os.urandom(20 * 2**20)

    def answer(asked: Asked) -> Said:
        first, _, last = asked.headers["Range"].removeprefix("bytes=").partition("-")
        if not first:
            return Said(suffix, content if suffix == 200 else b"")
        part = content[int(first) : int(last) + 1]
        return Said(206, part, {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": "1"})

    with scripted(answer) as (port, _):
        source = WebPlace(Address.parse(f"http://127.0.0.1:{port}/x.mana"), hurried).open()
        try:
            assert (source.size, source.read_at(source.size // 2, 10)) == (len(content), content[10 * 2**20 :][:10])
        finally:
            source.close()


def test_P5_a_server_that_quotes_what_it_was_sent_gives_no_password_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login anna password geheim-wort\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))

    def answer(asked: Asked) -> Said:
        sent = asked.headers["Authorization"]
        return Said(400, f"cannot do with {sent}, {b64decode(sent.removeprefix('Basic ')).decode()}".encode())

    quoted = r"cannot do with \(hidden\), \(hidden\)"
    with scripted(answer) as (port, asked), pytest.raises(ServerError, match=quoted):
        WebPlace(Address.parse(f"http://127.0.0.1:{port}/x.mana"), hurried).open()
    assert "Basic" in asked[0].headers["Authorization"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Range": "bytes 0-9/10", "Content-Encoding": "gzip"}, gzip.compress(b"0123456789", mtime=0)[:-4]),
        (
            {"Content-Range": "bytes 0-9/10", "Content-Encoding": "gzip"},
            gzip.compress(b"01234567890123456789", mtime=0),
        ),
        ({"Content-Range": "bytes 0-9/10", "Content-Encoding": "br"}, b"0123456789"),
        ({"Content-Range": "bytes 0-9/*"}, b"0123456789"),
        ({"Content-Range": "bytes 0-9/20"}, b"0123456789"),
        ({"Content-Range": "bytes 9-0/10"}, b""),
        ({"Content-Type": "multipart/byteranges; boundary=x"}, b"--x\r\n\r\n0123456789\r\n--x--"),
        ({}, b"0123456789"),
    ],
    ids=["packed and cut", "packed", "unknown", "no size", "not the end", "backwards", "several", "not told"],
)
def test_P3_a_part_that_was_packed_or_is_not_the_one_that_was_asked_for_is_an_error(
    headers: dict[str, str], body: bytes
) -> None:
    with scripted(lambda asked: Said(206, body, headers)) as (port, _):
        there = WebPlace(Address.parse(f"http://127.0.0.1:{port}/x.mana"), hurried)
        with pytest.raises(ServerError):
            there.open()
