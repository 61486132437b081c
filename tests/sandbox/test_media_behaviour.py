"""The sandbox's services that keep files: what no recording shows, and what goes wrong on a switch."""

from __future__ import annotations

import hashlib
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from manabackup.sandbox import Faults, FileFault, FileScript, Sandbox
from manabackup.sandbox.answers import ASGIApp, Message, Receive, Scope, Send
from manabackup.sandbox.files_edge import Edge
from manabackup.sandbox.filestore import FileStore, Medium
from manabackup.sandbox.media import MediaService
from manabackup.sandbox.pictures import Recipe
from manabackup.sandbox.server import HTTPServer
from manabackup.sandbox.signedlinks import Signer
from manabackup.text import jsontext
from tests.support.clock import Clock
from tests.support.patience import PATIENCE

from .media_recordings import Answer, send

BOUNDARY = "b0"
KEY = "users/x/y.pdf"
SONG = "users/x/songs/1/Lied 1 (Ä).mp3"


class Served:
    """The servers, with a picture, a document and a song."""

    def __init__(self, box: Sandbox, clock: Clock) -> None:
        self.box = box
        self.clock = clock
        self.picture = box.files.generate(Recipe("jpeg", 1, 64, 48, 5_000), "IMG_1.JPG")
        self.document = box.files.put("storage-storage", KEY, Recipe("pdf", 1, size=4_000))
        box.files.put("music-storage", SONG, Recipe("mp3", 1, size=20_000))
        box.accounts.create_user("anna@example.org", "password", "Anna", user_id="anna", bootstrap=False)
        self.login = {"Authorization": f"Bearer {box.accounts.issue_token('anna')}"}

    def media(self, what: str = "/file", method: str = "GET") -> Answer:
        return send(self.box.media_url, method, f"/api/v1/media/{self.picture.id}{what}")

    def download(self, more: str = "", login: dict[str, str] | None = None) -> Answer:
        path = f"/api/v1/storage/files/x/download?storagePath={quote(KEY, safe='')}{more}"
        return send(self.box.api_url, "GET", path, self.login if login is None else login)

    def song(self) -> str:
        path = f"/api/v1/music/songs/x/download-url?storagePath={quote(SONG, safe='')}"
        return link(send(self.box.api_url, "GET", path, self.login))

    def upload(self, body: bytes, name: str = "a.txt", **fields: str) -> Answer:
        return post(self.box.media_url, body, name, **fields)

    def fail(self, fault: FileFault) -> None:
        self.box.faults.files = FileScript(fault, times=None)


def post(url: str, body: bytes, name: str, **fields: str) -> Answer:
    content_type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return send(url, "POST", "/api/v1/media/upload", content_type, form(body, name, **fields))


def form(body: bytes, name: str, **fields: str) -> bytes:
    begin = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    more = "".join(f'{begin}{key}"\r\n\r\n{value}\r\n' for key, value in fields.items())
    file = f'{begin}file"; filename="{name}"\r\n\r\n'
    return f"{more}{file}".encode() + body + f"\r\n--{BOUNDARY}--\r\n".encode()


def link(answer: Answer) -> str:
    url: str = jsontext.parse(answer.body)["url"]
    return url


def follow(url: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(url)
    return send(f"{parts.scheme}://{parts.netloc}", method, f"{parts.path}?{parts.query}", headers)


@contextmanager
def serving(**options: float) -> Iterator[Served]:
    clock = Clock()
    with Sandbox(clock=clock, **options) as box:  # type: ignore[arg-type]
        yield Served(box, clock)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as found:
        yield found


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_short_body_looks_like_a_whole_one(served: Served) -> None:
    served.fail(FileFault.SHORT)
    answer = served.media()
    assert (answer.status, len(answer.body), answer.whole) == (200, 2_500, True)
    assert "content-length" not in answer.named
    told = jsontext.parse(served.media("").body)
    assert (told["size"], told["hash"]) == (5_000, served.picture.sha256)


@pytest.mark.parametrize("share", [0.0, 0.999_999, 1.0])
def test_a_short_body_is_never_whole(served: Served, share: float) -> None:
    served.fail(FileFault.SHORT)
    served.box.faults.short = share
    assert len(served.media().body) in (0, 4_999)


def test_a_cut_body_ends_without_its_end(served: Served) -> None:
    served.fail(FileFault.CUT)
    for answer in (served.media(), served.media(""), served.download()):
        assert answer.status == 200
        assert not answer.whole


def test_wrong_bytes_are_as_many_as_there_should_be(served: Served) -> None:
    served.fail(FileFault.WRONG)
    body = served.media().body
    assert len(body) == 5_000
    assert hashlib.sha256(body).hexdigest() != served.picture.sha256
    assert len(served.download().body) == 4_000
    assert hashlib.sha256(served.download().body).hexdigest() != served.document.sha256


@pytest.mark.parametrize(
    ("fault", "json", "file", "download"),
    [
        (FileFault.STORE_AWAY, 200, 404, 500),
        (FileFault.STORE_UNSET, 200, 200, 500),
        (FileFault.DATABASE_AWAY, 500, 500, 200),
        (FileFault.SILENT, None, None, None),
        (FileFault.BAD_GATEWAY, 502, 502, 502),
        (FileFault.ORIGIN_AWAY, 530, 530, 530),
        (FileFault.TOO_MANY, 200, 200, 429),
        (FileFault.EXPIRED, 200, 200, 401),
        (FileFault.QUEUE_AWAY, 200, 200, 200),
    ],
)
def test_each_fault_shows_where_it_shows_with_the_real_services(
    served: Served, fault: FileFault, json: int | None, file: int | None, download: int | None
) -> None:
    served.box.faults.silence_seconds = 0.01
    served.fail(fault)
    assert (served.media("").status, served.media().status, served.download().status) == (json, file, download)
    served.box.faults.files = lambda method, target: None
    assert (served.media("").status, served.media().status, served.download().status) == (200, 200, 200)


def test_a_medium_that_is_gone_and_one_whose_bytes_are_away_say_different_things(served: Served) -> None:
    served.box.files.lose(served.picture.id)
    assert (served.media("").status, served.media().body) == (200, b'{"error":"File not found"}')
    served.box.files.lose(served.picture.id, lost=False)
    assert served.media().status == 200
    served.box.files.delete(served.picture.id)
    assert served.media().body == b'{"error":"Media not found"}'


def test_a_fault_comes_at_the_request_that_was_named(served: Served) -> None:
    served.box.faults.files = script = FileScript(FileFault.STORE_AWAY, part="/file", first=2, times=2)
    statuses = [answer.status for _ in range(4) for answer in (served.media(""), served.media())]
    assert statuses == [200, 200, 200, 404, 200, 404, 200, 200]
    assert script.seen == 4


def test_an_upload_without_its_queue_is_stored_and_not_answered(served: Served) -> None:
    served.fail(FileFault.QUEUE_AWAY)
    assert served.upload(b"one").status is None
    assert served.upload(b"two", skipProcessing="true").status == 201
    assert served.box.files.has(b"one")


def test_nothing_is_stored_or_deleted_without_the_database(served: Served) -> None:
    served.fail(FileFault.DATABASE_AWAY)
    assert served.upload(b"one").status == 500
    assert served.media("", "DELETE").status == 500
    assert not served.box.files.has(b"one")
    assert served.box.files.medium(served.picture.id) is not None


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_signature_is_the_one_that_its_documentation_shows() -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "Example"."""
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    signer = Signer("AKIAIOSFODNN7EXAMPLE", secret, seconds=86_400)
    signed = signer.link("GET", "https://examplebucket.s3.amazonaws.com/test.txt", datetime(2013, 5, 24, tzinfo=UTC))
    assert "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404" in signed


def test_a_link_gives_the_song_and_parts_of_it(served: Served) -> None:
    url = served.song()
    assert url.startswith(served.box.store_url)
    whole = follow(url)
    assert (whole.status, len(whole.body), whole.named["content-type"]) == (200, 20_000, "audio/mpeg")
    for wanted, length in (("bytes=0-9", 10), ("bytes=19990-", 10), ("bytes=-7", 7), ("bytes=5-99999", 19_995)):
        answer = follow(url, Range=wanted)
        assert (answer.status, len(answer.body)) == (206, length)
    assert follow(url, Range="bytes=20000-").status == 416
    assert follow(url, "HEAD").status == 403


def test_a_link_is_good_for_an_hour(served: Served) -> None:
    url = served.song()
    served.clock.skip(timedelta(minutes=59))
    assert follow(url).status == 200
    served.clock.skip(timedelta(minutes=2))
    assert follow(url).status == 403


def test_a_link_may_be_over_or_lead_nowhere(served: Served) -> None:
    served.fail(FileFault.LINK_EXPIRED)
    url = served.song()
    assert b"Request has expired" in follow(url).body
    served.fail(FileFault.LINK_DEAD)
    with pytest.raises(ConnectionRefusedError):
        follow(served.song())
    assert link(served.download("&url=true")).startswith("http://127.0.0.1:9/storage-storage/")


def test_a_song_is_put_where_the_link_says(served: Served) -> None:
    answer = send(
        served.box.api_url, "POST", "/api/v1/music/songs/upload", served.login, '{"filename":"Lied (Ä).mp3"}'.encode()
    )
    told = jsontext.parse(answer.body)
    url = urlsplit(told["uploadUrl"])
    headers = {"Content-Type": "audio/mpeg"}
    assert send(served.box.store_url, "PUT", f"{url.path}?{url.query}", headers, b"song").status == 200
    assert send(served.box.store_url, "GET", f"{url.path}?{url.query}").status == 403
    path = f"/api/v1/music/songs/x/download-url?storagePath={quote(told['song']['storagePath'])}"
    assert follow(link(send(served.box.api_url, "GET", path, served.login))).body == b"song"


def test_the_limit_is_over_after_a_minute(served: Served) -> None:
    statuses = [served.download("&url=true").status for _ in range(201)]
    assert statuses == [200] * 200 + [429]
    served.clock.skip(timedelta(minutes=1))
    assert served.download().status == 200


# --- uploads and connections ------------------------------------------------------------------------------------------


def test_the_largest_file_is_taken_and_the_next_is_not() -> None:
    with closing(FileStore()) as files:
        media = MediaService(files, most_bytes=1_000)
        server = HTTPServer(Edge(media.answer, faults=Faults(), idle_seconds=PATIENCE), port=0, on_stop=lambda: None)
        server.start()
        try:
            url = f"http://127.0.0.1:{server.port}"
            assert post(url, bytes(1_000), "a.bin").status == 201
            answer = post(url, bytes(1_001), "a.bin")
            assert (answer.status, answer.body) == (400, b'{"error":"File too large (max 100MB)"}')
        finally:
            server.close()


def test_what_is_announced_too_large_is_not_read(served: Served) -> None:
    content_type = {"Content-Type": "multipart/form-data; boundary=b"}
    path = "/api/v1/media/upload"
    answer = send(served.box.media_url, "POST", path, content_type, length=(128 << 20) + 1)
    assert (answer.status, answer.body, answer.named.get("connection")) == (413, b"", "close")


def test_uploads_may_come_in_chunks_and_ask_first(served: Served) -> None:
    parts = urlsplit(served.box.media_url)
    body = form(b"chunked", "c.bin", skipProcessing="true")
    head = (
        f"POST /api/v1/media/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    )
    assert parts.hostname is not None
    for more, sent in (
        ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)),
        (f"Content-Length: {len(body)}\r\nExpect: 100-continue", body),
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as connection:
            connection.sendall(f"{head}{more}\r\nConnection: close\r\n\r\n".encode())
            if "Expect" in more:
                assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            connection.sendall(sent)
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        assert b" 201 " in answer
        assert hashlib.sha256(b"chunked").hexdigest().encode() in answer


def test_a_picture_is_being_processed_first(served: Served) -> None:
    body = Recipe("png", 1, 1_000, 700).make()
    told = jsontext.parse(served.upload(body, "a.png").body)
    assert (told["status"], list(told["urls"])) == ("processing", ["original"])
    path = f"/api/v1/media/{told['id']}"
    assert send(served.box.media_url, "GET", f"{path}/file/thumb").named["content-type"] == "image/png"
    served.clock.skip(timedelta(seconds=1))
    told = jsontext.parse(send(served.box.media_url, "GET", path).body)
    assert (told["status"], list(told["urls"])) == ("ready", ["original", "thumbnail", "medium"])
    assert send(served.box.media_url, "GET", f"{path}/file/thumb").named["content-type"] == "image/webp"


def test_one_connection_serves_many_requests(served: Served) -> None:
    parts = urlsplit(served.box.media_url)
    paths = [served.picture.id, "not-a-uuid", "00000000-0000-4000-8000-000000000000/file", f"{served.picture.id}/file"]
    with closing(http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)) as connection:
        connection.connect()
        used = connection.sock
        statuses = []
        for path in (*paths, *paths):
            connection.request("GET", f"/api/v1/media/{path}")
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        assert statuses == [200, 500, 404, 200] * 2
        assert connection.sock is used


def test_an_idle_connection_is_closed() -> None:
    with serving(idle_seconds=0.2) as served:
        parts = urlsplit(served.box.media_url)
        with closing(http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)) as connection:
            connection.request("GET", "/health")
            connection.getresponse().read()
            assert connection.sock.recv(1) == b""


def test_a_client_that_waits_in_vain_ends_the_silence_by_leaving(served: Served) -> None:
    served.fail(FileFault.SILENT)
    served.box.faults.silence_seconds = PATIENCE
    parts = urlsplit(served.box.media_url)
    with socket.create_connection((str(parts.hostname), parts.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    served.box.faults.files = lambda method, target: None
    assert served.media().status == 200


def test_a_client_that_stands_still_is_cut_off() -> None:
    given_up = threading.Event()

    def watched(application: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            async def received() -> Message:
                given_up.set()  # of a download nothing is read until its connection was closed
                return await receive()

            await application(scope, received, send)

        return wrapped

    with Sandbox(idle_seconds=0.2, middleware=[watched]) as box:
        large = box.files.upload(bytes(64 << 20), "large.bin")
        parts = urlsplit(box.media_url)
        with socket.create_connection((str(parts.hostname), parts.port), timeout=PATIENCE) as connection:
            connection.sendall(f"GET /api/v1/media/{large.id}/file HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert given_up.wait(PATIENCE)
            got = sum(len(part) for part in iter(lambda: connection.recv(1 << 20), b""))
        assert 0 < got < large.size


def test_an_upload_that_stands_still_is_cut_off() -> None:
    with serving(idle_seconds=0.2) as served:
        parts = urlsplit(served.box.media_url)
        with socket.create_connection((str(parts.hostname), parts.port), timeout=PATIENCE) as connection:
            connection.sendall(b"POST /api/v1/media/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
            assert connection.recv(100) == b""


# --- the whole --------------------------------------------------------------------------------------------------------


def test_each_service_has_an_origin_of_its_own_and_the_page_names_them(served: Served) -> None:
    box = served.box
    urls = {box.url, box.media_url, box.api_url, box.store_url, box.web_url}
    assert len(urls) == 5
    page = send(box.web_url, "GET", "/todo").body.decode()
    assert f'window.__PUBLIC_MANA_MEDIA_URL__ = "{box.media_url}";' in page
    assert f'window.__PUBLIC_MANA_API_URL__ = "{box.api_url}";' in page
    assert page.index("__PUBLIC_") < page.index("<title>")


def test_files_stay_in_a_folder_between_runs(tmp_path: Path) -> None:
    kept: list[Medium] = []
    with Sandbox(folder=tmp_path) as box:
        kept.append(box.files.upload(b"bytes", "a.bin"))
        kept.append(box.files.generate(Recipe("jpeg", 1, 8, 8), "b.jpg"))
    assert (tmp_path / "files.sqlite3").stat().st_mode & 0o777 == 0o600
    with Sandbox(folder=tmp_path) as box:
        for medium in kept:
            answer = send(box.media_url, "GET", f"/api/v1/media/{medium.id}/file")
            assert hashlib.sha256(answer.body).hexdigest() == medium.sha256
