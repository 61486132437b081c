"""Pages that come in place of a server's answer: they say nothing of the account."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manabackup.errors import ServerError, SignInError, SubscriptionError
from manabackup.remote.account import organizations
from manabackup.remote.authorized import Authorized
from manabackup.remote.request import Request
from manabackup.remote.session import Session, SessionToken, StaticToken, sign_in
from manabackup.remote.transport import Transport

from .scripted_server import Connect, ScriptedServer, answer, jwt

PAGES = {
    "captcha": (
        b"<!DOCTYPE html><html>Just a moment...</html>",
        "Content-Type: text/html; charset=UTF-8",
    ),
    "marked": (b"{}", "cf-mitigated: challenge"),
    "without a type": (b"\n<!-- a proxy's -->\n<HTML><body>403 Forbidden</body></HTML>", "Content-Type: text/plain"),
    "with a mark": (b"\xef\xbb\xbf<html lang=de>", "Server: squid"),
}
WORDS = {
    401: (b"unauthorized: <html> is no token\n", SignInError),
    402: (b'{"error":"sync inactive"}', SubscriptionError),
    403: (b'{"error":"no <html> for you"}', SignInError),
}


def requests(transport: Transport) -> dict[str, Callable[[], object]]:
    """Everything that takes a 401 or 403 for a refusal of somebody."""
    session = Session(transport.base_url, "u-1", "a@example.org", "mana.session_token=x")
    return {
        "authorized": lambda: Authorized(transport, StaticToken(jwt())).request(Request("GET", "/x")),
        "token": lambda: SessionToken(transport, session).token(),
        "spaces": lambda: organizations(transport, session),
        "sign-in": lambda: sign_in(transport, "a@example.org", "hunter2"),
    }


@pytest.mark.parametrize("request_name", ["authorized", "token", "spaces", "sign-in"])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("page", PAGES)
def test_S9_a_page_in_place_of_an_answer_refuses_nobody(
    server: ScriptedServer, connect: Connect, request_name: str, status: int, page: str
) -> None:
    body, *headers = PAGES[page]
    server.otherwise = answer(body, status, *headers)
    with pytest.raises(ServerError, match=f"{status}, with a page for browsers") as caught:
        requests(connect(server.url))[request_name]()
    assert caught.value.exit_code == 14
    assert caught.value.hint is not None
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", WORDS)
def test_S9_a_servers_own_words_still_count(server: ScriptedServer, connect: Connect, status: int) -> None:
    body, kind = WORDS[status]
    server.otherwise = answer(body, status, "Content-Type: application/json")
    with pytest.raises(kind):
        requests(connect(server.url))["authorized"]()
