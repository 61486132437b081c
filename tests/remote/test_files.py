"""The clients of the services that keep files, where the double does not lead: redirects, limits by a server's own
clock, pages that name other servers, answers of proxies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.remote.addresses import AddressClient, upgraded
from manabackup.remote.answers import Answer
from manabackup.remote.deadlines import ForbiddenAddressError
from manabackup.remote.media import FileGoneError, FileUnavailableError, MediaClient, refusal
from manabackup.remote.transport import Transport
from manabackup.remote.web_app import ServiceAddresses, service_addresses
from manabackup.sandbox import Sandbox
from tests.support.line import Line, Reply, replying

PAGE = b"""<html><head><script>
window.__PUBLIC_MANA_MEDIA_URL__ = "https:\\/\\/media.example.org"; window.__PUBLIC_MANA_API_URL__ = "";
</script></head><body></body></html>"""
HTML = {"content-type": "text/html"}
REPLIES: dict[str, Reply] = {
    "/": (302, b"", {"location": "/welcome"}),
    "/welcome": (200, PAGE, HTML),
    "/a": (302, b"", {"location": "b?c=d%2F&e=~"}),
    "/b?c=d%2F&e=~": (200, b"picture", {"content-type": "image/png"}),
    "/loop": (302, b"", {"location": "/loop"}),
    "/away": (302, b"", {"location": "http://localhost:1/x"}),
    "/api/v1/media/00000000-0000-4000-8000-000000000000": (200, b'{"hash":"short","size":1}', {}),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Sandbox(middleware=[Line(replying(lambda method, target: REPLIES.get(target)))]) as box:
        yield box.url


def joined(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)


def test_redirects_are_followed_and_a_query_is_sent_as_it_is(url: str) -> None:
    client = AddressClient(addresses=None)
    try:
        assert client.download(f"{url}/a", joined).body == b"picture"
        with pytest.raises(FileUnavailableError) as caught:
            client.download(f"{url}/loop", joined)
        assert caught.value.reason == "redirects"
    finally:
        client.close()


def test_F2_every_redirect_is_looked_at_anew(url: str) -> None:
    """The first host is one that may be asked, and the second one is not."""
    asked: list[str] = []

    def addresses(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    client = AddressClient(addresses=addresses)
    try:
        with pytest.raises(ForbiddenAddressError):
            client.download(f"{url}/away", joined)
    finally:
        client.close()
    assert len(asked) > 1


def test_the_web_apps_page_names_the_services(url: str) -> None:
    with Transport(url) as web_app:
        assert service_addresses(web_app) == ServiceAddresses("https://media.example.org", None)


def test_an_answer_without_size_and_hash_is_none(url: str) -> None:
    from manabackup.remote.answers import MalformedAnswerError

    with Transport(url) as transport, pytest.raises(MalformedAnswerError):
        MediaClient(transport).describe("00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason"),
    [
        (404, b'{"error":"Media not found"}', {}, None),
        (404, b'{"error":"File not found"}', {}, "File not found"),
        (404, b'{"error":"Media not found"}', HTML, "404"),
        (404, b"404 Not Found", {}, "404"),
        (500, b'{"error":"Media not found"}', {}, "500"),
        (500, b"Internal Server Error", {}, "500"),
        (403, b"<html>", HTML, "403"),
    ],
)
def test_F1_a_refusal_means_gone_in_one_spelling_alone(
    status: int, body: bytes, headers: dict[str, str], reason: str | None
) -> None:
    error = refusal(Answer(status, headers, [], body, "GET x"))
    assert isinstance(error, FileGoneError) == (reason is None)
    if isinstance(error, FileUnavailableError):
        assert error.reason == reason


def test_a_limit_ends_when_the_server_says_by_its_own_clock() -> None:
    headers = {"x-ratelimit-reset": "1796002449", "date": "Mon, 30 Nov 2026 01:33:29 GMT"}
    assert Answer(429, headers, [], b"", "GET x").retry_after() == 1796002449 - 1796002409 + 1
    assert Answer(200, headers, [], b"", "GET x").retry_after() is None
    assert Answer(429, {**headers, "retry-after": "7"}, [], b"", "GET x").retry_after() == 7
    for odd in ("", "soon", "-1", "99999999999999", "1896002449"):
        assert Answer(429, {**headers, "x-ratelimit-reset": odd}, [], b"", "GET x").retry_after() is None


def test_only_pages_of_this_computer_are_asked_without_encryption() -> None:
    assert upgraded("http://x.example/a") == "https://x.example/a"
    assert upgraded("HTTP://x.example/a") == "https://x.example/a"
    assert upgraded("https://x.example/a") == "https://x.example/a"
    assert upgraded("http://127.0.0.1:1/a") == "http://127.0.0.1:1/a"
