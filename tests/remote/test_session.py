"""Signing in, sessions and tokens; the answers are those that were recorded from the account service."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import ManabackupError, ServerError, SignInError
from manabackup.remote.session import (
    CommandToken,
    Session,
    SessionToken,
    StaticToken,
    read_claims,
    sign_in,
    sign_out,
    user_id,
)
from manabackup.remote.transport import Transport

from .scripted_server import Connect, ScriptedServer, answer, jwt

COOKIE = "mana.session_token=Nq7.%2FX8hPQpyr7YN%2Bab%3D"
CLEARED = "Set-Cookie: mana.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
SET = f"Set-Cookie: {COOKIE}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
SIGNED_IN = answer(b'{"redirect":false,"token":"Nq7","user":{"id":"u1"}}', 200, SET)
TOKEN = answer(json.dumps({"token": jwt("u1", email="me@example.invalid")}).encode())
TWO_FACTOR = answer(
    b'{"twoFactorRedirect":true}',
    200,
    "Set-Cookie: mana.session_token=Spoiled.abc; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax",
    CLEARED,
    "Set-Cookie: mana.two_factor=2Fa.xyz%3D; Max-Age=600; Path=/; HttpOnly; SameSite=Lax",
)


def refusal(status: int, code: str, *headers: str) -> bytes:
    return answer(json.dumps({"message": "Some words", "code": code}).encode(), status, *headers)


# --- signing in -------------------------------------------------------------------------------------------------------


def test_signing_in_keeps_the_cookie_verbatim_and_reads_the_user_from_the_token(
    server: ScriptedServer, connect: Connect
) -> None:
    server.answers(SIGNED_IN, TOKEN)
    session = sign_in(connect(server.url), "me@example.invalid", "pass wörd")
    assert session == Session(server.url, "u1", "me@example.invalid", COOKIE)
    first, second = server.requests
    assert (first.method, first.target) == ("POST", "/api/auth/sign-in/email")
    assert json.loads(first.body) == {"email": "me@example.invalid", "password": "pass wörd"}
    assert first.headers["content-type"] == "application/json"
    assert first.headers["origin"] == server.url
    assert (second.target, second.headers["cookie"]) == ("/api/auth/token", COOKIE)


def test_a_request_looks_nothing_like_a_browsers(server: ScriptedServer, connect: Connect) -> None:
    server.answers(SIGNED_IN, TOKEN)
    sign_in(connect(server.url), "e", "p")
    assert not any(name.startswith("sec-fetch") for request in server.requests for name in request.headers)
    assert "cookie" not in server.requests[0].headers


def test_the_secure_name_of_the_cookie_is_kept_too(server: ScriptedServer, connect: Connect) -> None:
    server.answers(answer(b"{}", 200, f"Set-Cookie: __Secure-{COOKIE}; Secure"), TOKEN)
    assert sign_in(connect(server.url), "e", "p").cookie == f"__Secure-{COOKIE}"


def test_an_authenticators_code_is_asked_for_only_when_it_is_needed(server: ScriptedServer, connect: Connect) -> None:
    server.answers(SIGNED_IN, TOKEN)
    sign_in(connect(server.url), "e", "p", second_factor=lambda: pytest.fail("not needed"))


def test_a_second_factor_is_given_with_the_cookie_of_the_challenge(server: ScriptedServer, connect: Connect) -> None:
    server.answers(TWO_FACTOR, SIGNED_IN, TOKEN)
    session = sign_in(connect(server.url), "e", "p", second_factor=lambda: " 012 345\n")
    challenge = server.requests[1]
    assert challenge.target == "/api/auth/two-factor/verify-totp"
    assert challenge.headers["cookie"] == "mana.two_factor=2Fa.xyz%3D"
    assert challenge.headers["origin"] == server.url
    assert json.loads(challenge.body) == {"code": "012345"}
    assert session.cookie == COOKIE


def test_a_backup_code_is_given_as_it_is_written(server: ScriptedServer, connect: Connect) -> None:
    server.answers(TWO_FACTOR, SIGNED_IN, TOKEN)
    sign_in(connect(server.url), "e", "p", backup_code=lambda: "omaPa-3yi4S\n")
    assert server.requests[1].target == "/api/auth/two-factor/verify-backup-code"
    assert json.loads(server.requests[1].body) == {"code": "omaPa-3yi4S"}


def test_a_backup_code_that_the_service_fails_on_is_not_spent_again(server: ScriptedServer, connect: Connect) -> None:
    server.answers(TWO_FACTOR, answer(b"", 500), answer(b"", 500))
    with pytest.raises(ServerError, match="500") as caught:
        sign_in(connect(server.url), "e", "p", backup_code=lambda: "omaPa-3yi4S")
    assert len(server.requests) == 2
    assert caught.value.hint is not None
    assert "authenticator" in caught.value.hint


def test_a_missing_second_factor_is_told(server: ScriptedServer, connect: Connect) -> None:
    server.answers(TWO_FACTOR)
    with pytest.raises(SignInError, match="second factor"):
        sign_in(connect(server.url), "e", "p")


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (refusal(401, "INVALID_EMAIL_OR_PASSWORD"), SignInError, "the e-mail address or the password is wrong"),
        (refusal(403, "EMAIL_NOT_VERIFIED"), SignInError, "not confirmed yet"),
        (refusal(403, "INVALID_ORIGIN"), SignInError, "sign-in refused: 403 Some words"),
        (refusal(400, "VALIDATION_ERROR"), SignInError, "sign-in refused: 400 Some words"),
        (refusal(429, "ACCOUNT_LOCKED", "Retry-After: 1800"), SignInError, "locked"),
        (answer(b'{"message":"Too many"}', 429, "X-Retry-After: 900"), ServerError, "no more sign-ins"),
        (answer(b"404 Not Found", 404), ServerError, "404 Not Found"),
        (answer(b"", 500), ServerError, "500 Internal Server Error"),
        (answer(b"{}"), ServerError, "holds no session"),
        (answer(b"[]", 200, CLEARED), ServerError, "holds no session"),
        (answer(b"nope", 200, SET), ServerError, "not JSON"),
        (answer(b'{"twoFactorRedirect":true}'), ServerError, "sets no cookie"),
        (answer(b"{}", 200, "Set-Cookie: mana.session_token=a b"), ServerError, "malformed cookie"),
        (answer(b"", 302, "Location: https://evil.invalid/"), ServerError, "redirects"),
    ],
)
def test_every_refusal_has_words_of_its_own_and_none_quotes_a_secret(
    server: ScriptedServer, connect: Connect, reply: bytes, error: type[ManabackupError], words: str
) -> None:
    server.otherwise = reply
    with pytest.raises(error, match=words) as caught:
        sign_in(connect(server.url), "me@example.invalid", "geheim", second_factor=lambda: "geheim")
    assert "geheim" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal(401, "INVALID_CODE"), "code of the second factor is wrong"),
        (refusal(401, "INVALID_TWO_FACTOR_COOKIE"), "too late"),
    ],
)
def test_a_refused_second_factor_has_words_of_its_own(
    server: ScriptedServer, connect: Connect, reply: bytes, words: str
) -> None:
    server.answers(TWO_FACTOR, reply)
    with pytest.raises(SignInError, match=words):
        sign_in(connect(server.url), "e", "p", second_factor=lambda: "123456")


def test_the_time_until_a_lock_ends_is_told_in_minutes(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = refusal(429, "ACCOUNT_LOCKED", "Retry-After: 961")
    with pytest.raises(SignInError) as caught:
        sign_in(connect(server.url), "e", "p")
    assert caught.value.hint == "try again in 17 min"


def test_a_short_rate_limit_is_waited_out(server: ScriptedServer, connect: Connect, pauses: list[float]) -> None:
    server.answers(answer(b'{"message":"Too many"}', 429, "X-Retry-After: 10"), SIGNED_IN, TOKEN)
    assert sign_in(connect(server.url), "e", "p").user_id == "u1"
    assert pauses[0] == 10.0
    assert sum(pauses[1:]) < 0.1  # and from then on in no hurry


# --- signing out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [answer(b'{"success":true}', 200, CLEARED), refusal(401, "UNAUTHORIZED")])
def test_signing_out_ends_a_session_that_lives_or_not(server: ScriptedServer, connect: Connect, reply: bytes) -> None:
    server.otherwise = reply
    sign_out(connect(server.url), Session(server.url, "u1", "e", COOKIE))
    request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/api/auth/sign-out")
    assert (request.headers["cookie"], request.headers["origin"]) == (COOKIE, server.url)


def test_a_server_that_does_not_sign_out_is_told(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = refusal(403, "INVALID_ORIGIN")
    with pytest.raises(ServerError, match="403 Some words"):
        sign_out(connect(server.url), Session(server.url, "u1", "e", COOKIE))


@pytest.mark.parametrize("use", [sign_out, SessionToken])
def test_a_session_is_used_at_its_own_service_only(
    server: ScriptedServer, connect: Connect, use: Callable[[Transport, Session], object]
) -> None:
    with pytest.raises(SignInError, match=r"signed in at https://auth\.mana\.how, not at") as caught:
        use(connect(server.url), Session("https://auth.mana.how", "u1", "e", COOKIE))
    assert "--auth-url https://auth.mana.how" in str(caught.value.hint)
    assert server.requests == []


# --- tokens -----------------------------------------------------------------------------------------------------------


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_gives_a_new_token_shortly_before_the_old_one_ends(server: ScriptedServer, connect: Connect) -> None:
    tokens = [jwt("u1", iat=5_000_000_000 + n, exp=5_000_000_900 + n) for n in range(2)]
    server.answers(*[answer(json.dumps({"token": token}).encode()) for token in tokens])
    clock = Clock()
    source = SessionToken(connect(server.url), Session(server.url, "u1", "e", COOKIE), clock=clock)
    assert source.token() == source.token() == tokens[0]
    clock.now += 839
    assert source.token() == tokens[0]
    clock.now += 2
    assert source.token() == tokens[1]
    assert [request.headers["cookie"] for request in server.requests] == [COOKIE, COOKIE]


def test_a_wrong_clock_on_this_computer_costs_no_extra_renewals() -> None:
    long_ago = jwt("u1", iat=1_000, exp=1_900)
    source = CommandToken(iter([long_ago]).__next__, clock=Clock())
    assert source.token() == source.token() == long_ago


@pytest.mark.parametrize("claims", [{}, {"exp": 5}, {"iat": 5}, {"iat": "x", "exp": 1.5}, {"iat": True, "exp": True}])
def test_a_token_without_a_lifetime_is_renewed_only_when_refused(claims: dict[str, object]) -> None:
    clock = Clock()
    given = iter([jwt("u1", **claims), jwt("u1", n=2)])
    source = CommandToken(given.__next__, clock=clock)
    first = source.token()
    clock.now += 1e9
    assert source.token() == first
    assert source.refresh(first) == source.token() == jwt("u1", n=2)


def test_a_command_is_asked_again_when_its_token_is_refused_and_its_blanks_are_cut() -> None:
    given = iter([f"{jwt(n=1)}\r\n", f"  {jwt(n=2)}"])
    source = CommandToken(given.__next__)
    assert source.token() == jwt(n=1)
    assert source.refresh(jwt(n=1)) == source.token() == jwt(n=2)


def test_a_refusal_of_a_token_that_was_renewed_meanwhile_renews_nothing() -> None:
    given = iter([jwt(n=1), jwt(n=2)])
    source = CommandToken(given.__next__)
    first = source.token()
    assert source.refresh(first) == source.refresh(first) == jwt(n=2)


def test_the_same_token_again_is_no_renewal() -> None:
    assert CommandToken(jwt).refresh(jwt()) is None
    assert StaticToken(jwt()).refresh(jwt()) is None


def test_a_session_that_has_ended_gives_way_to_the_one_that_is_kept_now(
    server: ScriptedServer, connect: Connect
) -> None:
    server.answers(refusal(401, "UNAUTHORIZED"), answer(json.dumps({"token": jwt("u1")}).encode()))
    old, new = (Session(server.url, "u1", "e", f"mana.session_token={name}") for name in ("old", "new"))
    source = SessionToken(connect(server.url), old, stored=lambda: new)
    assert (source.token(), source.session) == (jwt("u1"), new)
    assert [request.headers["cookie"] for request in server.requests] == [old.cookie, new.cookie]
    assert source.replacement(old) == new
    assert source.replacement(new) is None


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (None, "the session has ended"),
        (Session("AUTH", "u1", "e", COOKIE), "the session has ended"),
        (Session("AUTH", "u2", "other@example.invalid", "mana.session_token=new"), "other@.* is another user"),
        (Session("https://elsewhere.invalid", "u1", "e", "mana.session_token=new"), "elsewhere"),
    ],
    ids=["signed out", "the same", "another user's", "of another service"],
)
def test_a_session_that_has_ended_gives_way_to_none_that_is_not_the_same_users_at_the_same_service(
    server: ScriptedServer, connect: Connect, stored: Session | None, words: str
) -> None:
    server.otherwise = refusal(401, "UNAUTHORIZED")
    if stored is not None and stored.auth_url == "AUTH":
        stored = replace(stored, auth_url=server.url)
    source = SessionToken(connect(server.url), Session(server.url, "u1", "e", COOKIE), stored=lambda: stored)
    with pytest.raises(SignInError, match=words):
        source.token()
    assert {request.headers["cookie"] for request in server.requests} == {COOKIE}


def test_an_ended_session_asks_for_a_new_sign_in(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = refusal(401, "UNAUTHORIZED")
    with pytest.raises(SignInError, match="the session has ended") as caught:
        SessionToken(connect(server.url), Session(server.url, "u1", "e", COOKIE)).token()
    assert caught.value.hint == "sign in again with `manabackup login`"


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"token":null}', b'{"token":7}'])
def test_an_answer_without_a_token_is_the_servers_fault(server: ScriptedServer, connect: Connect, body: bytes) -> None:
    server.otherwise = answer(body)
    with pytest.raises(ServerError, match="holds no token"):
        SessionToken(connect(server.url), Session(server.url, "u1", "e", COOKIE)).token()


@given(sub=st.text(min_size=1))
def test_the_user_is_read_from_a_token_whatever_the_id(sub: str) -> None:
    assert user_id(jwt(sub)) == sub


@pytest.mark.parametrize(
    "token",
    ["", "abc", "a.b", "a.b.c", "a.b.c.d", ".e30.x", jwt(""), jwt(None), jwt(7), jwt() + "\n", "ä" + jwt(), "Bearer x"],
)
def test_what_is_no_token_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(SignInError) as caught:
        user_id(token)
    assert str(caught.value) == "this is not an access token of the account service"


@given(payload=st.binary())
def test_no_payload_does_more_than_be_refused(payload: bytes) -> None:
    token = f"e30.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode() or 'e30'}.x"
    try:
        read_claims(token)
    except SignInError:
        return
    assert b"sub" in payload


def test_a_token_knows_whether_its_life_is_over() -> None:
    now = int(time.time())
    assert read_claims(jwt(exp=now - 1)).expired()
    assert not read_claims(jwt(exp=now + 100)).expired()
    assert not read_claims(jwt()).expired()


# --- one user from beginning to end -----------------------------------------------------------------------------------


def test_S9_a_token_of_somebody_else_is_not_taken_in_the_middle() -> None:
    coming = iter([jwt("u1", n=1), jwt("u1", n=2), jwt("u2")])
    tokens = CommandToken(lambda: next(coming))
    first = tokens.token()
    second = tokens.refresh(first)
    assert second not in (None, first)
    with pytest.raises(SignInError, match="another user"):
        tokens.refresh(second)
    assert tokens.token() == second


def test_S9_a_session_takes_tokens_of_its_own_user_only(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(json.dumps({"token": jwt("u2")}).encode())
    tokens = SessionToken(connect(server.url), Session(server.url, "u1", "me@example.invalid", COOKIE))
    with pytest.raises(SignInError, match="another user"):
        tokens.token()


@pytest.mark.parametrize("sub", ["\ud800", "u1\udfff"])
def test_S1_a_user_id_that_no_database_takes_is_none(sub: str) -> None:
    with pytest.raises(SignInError, match="not an access token"):
        user_id(jwt(sub))
