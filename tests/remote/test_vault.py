"""The vault and the account, read only; the answers are those that were recorded from the account service."""

from __future__ import annotations

import base64
import json

import pytest

from manabackup.errors import ServerError, SignInError
from manabackup.remote.account import Space, Subscription, data_export, organizations, subscription
from manabackup.remote.session import Session, StaticToken
from manabackup.remote.vault import VaultClient, VaultKey, VaultStatus

from .scripted_server import Connect, ScriptedServer, answer, jwt

TOKEN = StaticToken(jwt("u1"))
KEY = bytes(range(32))


def body(**members: object) -> bytes:
    return answer(json.dumps(members).encode())


# --- vault ------------------------------------------------------------------------------------------------------------


def test_the_status_says_how_the_vault_is_kept(server: ScriptedServer, connect: Connect) -> None:
    server.answers(
        body(vaultExists=True, hasRecoveryWrap=True, zeroKnowledge=True, recoverySetAt="2026-11-20T13:23:17.086Z"),
        body(vaultExists=False, hasRecoveryWrap=False, zeroKnowledge=False, recoverySetAt=None),
    )
    vault = VaultClient(connect(server.url), TOKEN)
    assert vault.status() == VaultStatus(True, True, True, "2026-11-20T13:23:17.086Z")
    assert vault.status() == VaultStatus(False, False, False, None)
    assert server.requests[0].target == "/api/v1/me/encryption-vault/status"


def test_in_standard_mode_the_server_gives_the_key(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = body(masterKey=base64.b64encode(KEY).decode(), formatVersion=1, kekId="env-v1")
    key = VaultClient(connect(server.url), TOKEN).key()
    assert key == VaultKey(KEY)
    assert not key.zero_knowledge
    assert "\\x01" not in repr(key)


def test_in_zero_knowledge_mode_the_key_comes_wrapped(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = body(requiresRecoveryCode=True, recoveryWrappedMk="AAA=", recoveryIv="AAAA", formatVersion=1)
    key = VaultClient(connect(server.url), TOKEN).key()
    assert key == VaultKey(wrapped="AAA=", iv="AAAA")
    assert key.zero_knowledge


def test_without_a_vault_there_is_no_key(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b'{"error":"vault not initialised","code":"VAULT_NOT_INITIALISED"}', 404)
    assert VaultClient(connect(server.url), TOKEN).key() is None


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"404 Not Found", 404),
        answer(b'{"code":"NOT_FOUND"}', 404),
        answer(b'{"statusCode":500,"message":"Internal server error"}', 500),
        answer(b"[]"),
        answer(b"nope"),
        body(masterKey=base64.b64encode(KEY).decode(), formatVersion=2),
        body(masterKey=base64.b64encode(KEY).decode()),
        body(masterKey=base64.b64encode(KEY[:31]).decode(), formatVersion=1),
        body(masterKey="!" * 44, formatVersion=1),
        body(masterKey=None, formatVersion=1),
        body(requiresRecoveryCode=True, recoveryWrappedMk=None, recoveryIv="AAAA", formatVersion=1),
        body(requiresRecoveryCode=True, recoveryWrappedMk="AAAA", formatVersion=1),
    ],
)
def test_a_trouble_with_the_vault_is_never_taken_for_no_vault(
    server: ScriptedServer, connect: Connect, reply: bytes
) -> None:
    server.otherwise = reply
    with pytest.raises(ServerError) as caught:
        VaultClient(connect(server.url), TOKEN).key()
    assert base64.b64encode(KEY).decode() not in str(caught.value)


@pytest.mark.parametrize("reply", [body(), body(vaultExists="yes", hasRecoveryWrap=True, zeroKnowledge=True)])
def test_a_senseless_status_is_the_servers_fault(server: ScriptedServer, connect: Connect, reply: bytes) -> None:
    server.otherwise = reply
    with pytest.raises(ServerError, match="not a vault's status"):
        VaultClient(connect(server.url), TOKEN).status()


def test_the_vault_is_only_ever_read(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b'{"error":"vault not initialised","code":"VAULT_NOT_INITIALISED"}', 404)
    vault = VaultClient(connect(server.url), TOKEN)
    vault.key()
    with pytest.raises(ServerError):
        vault.status()
    assert {request.method for request in server.requests} == {"GET"}
    assert {request.target.rsplit("/", 1)[1] for request in server.requests} == {"key", "status"}


# --- spaces -----------------------------------------------------------------------------------------------------------


def session(server: ScriptedServer) -> Session:
    return Session(server.url, "u1", "e", "mana.session_token=abc")


def test_spaces_are_listed_with_their_types_however_the_metadata_is_written(
    server: ScriptedServer, connect: Connect
) -> None:
    spaces = [
        {"id": "s1", "name": "Olga", "slug": "o", "metadata": {"tier": "public", "type": "personal"}},
        {"id": "s2", "name": "Team", "metadata": '{"type":"team"}'},
        {"id": "s3", "name": "Later", "metadata": {"type": "orchestra"}},
    ]
    server.otherwise = answer(json.dumps(spaces).encode())
    assert organizations(connect(server.url), session(server)) == [
        Space("s1", "Olga", "personal", "public"),
        Space("s2", "Team", "team"),
        Space("s3", "Later", "orchestra"),
    ]
    assert server.requests[0].headers["cookie"] == "mana.session_token=abc"
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("metadata", [None, "", "{", "[]", 7, [], {}, {"type": None}, {"type": ""}, '"team"'])
def test_a_type_that_cannot_be_read_is_unknown(server: ScriptedServer, connect: Connect, metadata: object) -> None:
    server.otherwise = answer(json.dumps([{"id": "s1", "metadata": metadata}]).encode())
    assert organizations(connect(server.url), session(server)) == [Space("s1", "", None)]


@pytest.mark.parametrize("reply", [answer(b"{}"), answer(b"[7]"), answer(b'[{"name":"x"}]'), answer(b"null")])
def test_a_senseless_list_of_spaces_is_the_servers_fault(
    server: ScriptedServer, connect: Connect, reply: bytes
) -> None:
    server.otherwise = reply
    with pytest.raises(ServerError):
        organizations(connect(server.url), session(server))


def test_spaces_cannot_be_listed_after_the_session_has_ended(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b'{"message":"Unauthorized","code":"UNAUTHORIZED"}', 401)
    with pytest.raises(SignInError, match="the session has ended"):
        organizations(connect(server.url), session(server))


# --- account ----------------------------------------------------------------------------------------------------------


def test_the_services_own_summary_is_taken_as_it_is(server: ScriptedServer, connect: Connect) -> None:
    text = b'{ "exportVersion": "2.0", "data": {"n": 1.0} }\n'
    server.otherwise = answer(text)
    assert data_export(connect(server.url), TOKEN) == text
    assert (server.requests[0].method, server.requests[0].target) == ("GET", "/api/v1/me/data/export")


def test_a_user_whom_the_service_does_not_know_has_no_summary(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = answer(b'{"error":"User not found"}', 404)
    assert data_export(connect(server.url), TOKEN) is None


@pytest.mark.parametrize("reply", [answer(b"404 Not Found", 404), answer(b"", 500), answer(b"<html>")])
def test_a_service_that_cannot_give_the_summary_is_told(server: ScriptedServer, connect: Connect, reply: bytes) -> None:
    server.otherwise = reply
    with pytest.raises(ServerError):
        data_export(connect(server.url), TOKEN)


def test_the_subscription_is_read_from_the_credits_server(server: ScriptedServer, connect: Connect) -> None:
    server.otherwise = body(active=True, interval="monthly", nextChargeAt="2026-12-01", pausedAt=None, gifted=False)
    assert subscription(connect(server.url), TOKEN) == Subscription(True, False, "monthly", "2026-12-01", None)
    assert server.requests[0].target == "/api/v1/sync/status"


@pytest.mark.parametrize("reply", [answer(b"", 503), body(), answer(b"[]")])
def test_a_credits_server_that_gives_no_state_is_told(server: ScriptedServer, connect: Connect, reply: bytes) -> None:
    server.otherwise = reply
    with pytest.raises(ServerError):
        subscription(connect(server.url), TOKEN)


@pytest.mark.parametrize("found", [b"null", b"[]", b'"x"', b"[{}]", b"7"])
def test_S1_an_answer_that_is_no_object_is_not_taken_for_the_accounts_data(
    server: ScriptedServer, connect: Connect, found: bytes
) -> None:
    server.otherwise = answer(found)
    with pytest.raises(ServerError, match="not an account's data"):
        data_export(connect(server.url), TOKEN)
