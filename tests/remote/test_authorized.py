"""Requests under an access token: renewals and refusals."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from manabackup.errors import ServerError, SignInError, SubscriptionError
from manabackup.remote.authorized import Authorized
from manabackup.remote.request import Request
from manabackup.remote.session import CommandToken, StaticToken, TokenSource

from .scripted_server import Connect, ScriptedServer, answer, jwt

PLAIN_401 = answer(b"unauthorized: parse token: token has invalid claims: token is expired\n", 401)
NO_KEY_SET = answer(b"unauthorized: parse token: error while executing keyfunc: fetch JWKS: status 502\n", 401)


def numbered_tokens() -> tuple[CommandToken, list[str]]:
    """A source of ever new tokens, and the tokens that it gave."""
    given: list[str] = []

    def obtain() -> str:
        given.append(jwt(n=len(given)))
        return given[-1]

    return CommandToken(obtain), given


def tokens_sent(server: ScriptedServer) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in server.requests]


def test_the_token_goes_along_with_what_the_caller_sends(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"{}")
    token = jwt()
    Authorized(connect(server.url), StaticToken(f"  {token}\n")).request(
        Request("GET", "/x", headers={"X-Client-Id": "me"})
    )
    assert server.requests[0].headers["authorization"] == f"Bearer {token}"
    assert server.requests[0].headers["x-client-id"] == "me"


def test_S9_a_refused_token_is_renewed_once_and_the_request_repeated(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.answers(PLAIN_401, answer(b"in"))
    tokens, given = numbered_tokens()
    got = Authorized(connect(server.url), tokens).request(Request("POST", "/x", body=b"{}"), once=True)
    assert (got.body, pauses) == (b"in", [])
    assert tokens_sent(server) == given[:2]
    assert [request.body for request in server.requests] == [b"{}", b"{}"]


def test_a_server_that_refuses_the_fresh_token_too_is_asked_again_before_it_is_believed(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.answers(PLAIN_401, PLAIN_401, answer(b"in"))
    tokens, given = numbered_tokens()
    assert Authorized(connect(server.url), tokens).request(Request("GET", "/")).body == b"in"
    assert len(given) == 2
    assert len(pauses) == 1


def test_S9_a_server_without_its_key_set_is_waited_for_with_the_same_token(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.answers(NO_KEY_SET, NO_KEY_SET, NO_KEY_SET, NO_KEY_SET, answer(b"in"))
    tokens, given = numbered_tokens()
    assert Authorized(connect(server.url), tokens).request(Request("GET", "/")).body == b"in"
    assert len(given) == 1
    assert pauses == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("refusal", [PLAIN_401, NO_KEY_SET])
def test_S9_a_server_that_goes_on_refusing_ends_as_not_signed_in(
    server: ScriptedServer, connect: Connect, refusal: bytes
) -> None:
    server.otherwise = refusal
    tokens, given = numbered_tokens()
    with pytest.raises(SignInError, match="401 unauthorized") as caught:
        Authorized(connect(server.url), tokens).request(Request("GET", "/"))
    assert len(server.requests) <= 5
    assert not any(token in str(caught.value) for token in given)


def test_a_bare_token_that_has_expired_is_told_at_once(
    server: ScriptedServer, connect: Connect, pauses: list[float]
) -> None:
    server.otherwise = PLAIN_401
    with pytest.raises(SignInError, match="access token has expired"):
        Authorized(connect(server.url), StaticToken(jwt(exp=1_000))).request(Request("GET", "/"))
    assert (len(server.requests), pauses) == (1, [])


def test_a_bare_token_that_looks_expired_here_is_still_tried(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"in")
    assert Authorized(connect(server.url), StaticToken(jwt(exp=1_000))).request(Request("GET", "/")).body == b"in"


def test_a_command_that_gives_the_refused_token_again_does_not_loop(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = PLAIN_401
    with pytest.raises(SignInError):
        Authorized(connect(server.url), CommandToken(jwt)).request(Request("GET", "/"))
    assert len(server.requests) <= 3


def test_S9_an_inactive_subscription_is_told_apart(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b'{"error":"sync_inactive","message":"Cloud Sync ist nicht aktiv."}', 402)
    with pytest.raises(SubscriptionError, match="Cloud Sync ist nicht aktiv"):
        Authorized(connect(server.url), StaticToken(jwt())).request(Request("GET", "/"))


def test_an_account_that_the_server_refuses_is_told_apart(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b"", 403)
    with pytest.raises(SignInError, match="403 Forbidden"):
        Authorized(connect(server.url), StaticToken(jwt())).request(Request("GET", "/"))


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_everything_else_is_the_callers_business(server: ScriptedServer, connect: Connect, status: int) -> None:
    server.otherwise = answer(b"words", status)
    assert Authorized(connect(server.url), StaticToken(jwt())).request(Request("GET", "/")).status == status


def test_S8_the_token_does_not_follow_a_redirect(server: ScriptedServer, connect: Connect) -> None:
    elsewhere = ScriptedServer()
    server.otherwise = answer(b"", 307, f"Location: {elsewhere.url}/")
    with pytest.raises(ServerError, match="redirects"):
        Authorized(connect(server.url), StaticToken(jwt())).request(Request("GET", "/"))
    elsewhere.close()
    assert elsewhere.connections == 0


def test_eight_threads_that_are_refused_at_once_renew_once(server: ScriptedServer, connect: Connect) -> None:
    tokens, given = numbered_tokens()
    first = tokens.token()
    together = threading.Barrier(8)

    def refuse(connection: object) -> None:
        together.wait(10)
        connection.sendall(PLAIN_401)  # type: ignore[attr-defined]

    server.answers(*[refuse] * 8)
    server.otherwise = answer(b"in")
    authorized = Authorized(connect(server.url), tokens)
    with ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(lambda _: authorized.request(Request("GET", "/")).body, range(8)))
    assert bodies == [b"in"] * 8
    assert given == [first, tokens.token()]


def test_both_kinds_of_source_fit_the_protocol() -> None:
    sources: list[TokenSource] = [StaticToken(jwt()), CommandToken(jwt)]
    assert [source.token() for source in sources] == [jwt(), jwt()]
