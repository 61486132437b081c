"""Session, vault and spaces against the sandbox's account service, over a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from manabackup.crypto.recovery import parse_recovery_code, unwrap_master_key
from manabackup.errors import ServerError, SignInError
from manabackup.remote.account import data_export, organizations, settings
from manabackup.remote.connection import connect as connect_account
from manabackup.remote.session import Session, SessionToken, StaticToken, sign_in, sign_out
from manabackup.remote.transport import Transport
from manabackup.remote.vault import VaultClient, VaultKey, VaultStatus
from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.auth import auth_app
from manabackup.sandbox.credentials import totp
from manabackup.sandbox.server import HTTPServer
from manabackup.text import jsontext

EMAIL = "rita@example.invalid"
PASSWORD = "Correct-Horse-0001 ü"
KEY = bytes(range(32))


@dataclass
class Service:
    accounts: Accounts
    url: str
    user_id: str


@pytest.fixture
def service() -> Iterator[Service]:
    accounts = Accounts()
    server = HTTPServer(auth_app(accounts), port=0, on_stop=lambda: None)
    server.start()
    accounts.issuer = f"http://127.0.0.1:{server.port}"
    yield Service(accounts, accounts.issuer, accounts.create_user(EMAIL, PASSWORD, "Rita").id)
    server.close()
    accounts.close()


@pytest.fixture
def auth(service: Service, connect: Callable[..., Transport]) -> Transport:
    return connect(service.url)


@pytest.fixture
def session(auth: Transport) -> Session:
    return sign_in(auth, EMAIL, PASSWORD)


def test_a_session_gives_tokens_for_its_user(service: Service, auth: Transport, session: Session) -> None:
    assert (session.user_id, session.email) == (service.user_id, EMAIL)
    assert service.accounts.verify_token(SessionToken(auth, session).token()) == service.user_id


def test_a_wrong_password_is_told(auth: Transport, service: Service) -> None:
    with pytest.raises(SignInError, match="e-mail address or the password is wrong"):
        sign_in(auth, EMAIL, "wrong")


def test_an_address_that_is_not_confirmed_is_told(auth: Transport, service: Service) -> None:
    service.accounts.create_user("new@example.invalid", PASSWORD, "New", email_verified=False)
    with pytest.raises(SignInError, match="not confirmed yet"):
        sign_in(auth, "new@example.invalid", PASSWORD)


def test_an_authenticators_code_opens_an_account_with_a_second_factor(auth: Transport, service: Service) -> None:
    secret, _ = service.accounts.enable_totp(service.user_id)
    session = sign_in(auth, EMAIL, PASSWORD, second_factor=lambda: totp(secret, time.time()))
    assert session.user_id == service.user_id
    with pytest.raises(SignInError, match="code of the second factor is wrong"):
        sign_in(auth, EMAIL, PASSWORD, second_factor=lambda: "not a code")


def test_a_backup_code_opens_it_once(auth: Transport, service: Service) -> None:
    _, codes = service.accounts.enable_totp(service.user_id)
    service.accounts.two_factor_mended = True
    assert sign_in(auth, EMAIL, PASSWORD, backup_code=lambda: codes[0]).user_id == service.user_id
    with pytest.raises(SignInError, match="wrong or was used before"):
        sign_in(auth, EMAIL, PASSWORD, backup_code=lambda: codes[0])


def test_the_measured_services_trouble_with_backup_codes_is_explained(auth: Transport, service: Service) -> None:
    _, codes = service.accounts.enable_totp(service.user_id)
    with pytest.raises(ServerError) as caught:
        sign_in(auth, EMAIL, PASSWORD, backup_code=lambda: codes[0])
    assert caught.value.hint is not None
    assert "backup codes" in caught.value.hint


def test_after_signing_out_the_session_is_over(auth: Transport, session: Session) -> None:
    sign_out(auth, session)
    with pytest.raises(SignInError, match="the session has ended"):
        SessionToken(auth, session).token()
    sign_out(auth, session)


def test_spaces_are_asked_for_with_the_session_that_somebody_signed_in_with_meanwhile(
    auth: Transport, session: Session
) -> None:
    again = sign_in(auth, EMAIL, PASSWORD)
    url = auth.base_url
    with connect_account(session, auth_url=url, sync_url=url, stored=lambda: again) as connection:
        connection.tokens.token()
        before = connection.spaces()
        sign_out(auth, session)
        assert connection.spaces() == before is not None
        assert connection.session == again
        sign_out(auth, again)
        with pytest.raises(SignInError, match="the session has ended"):
            connection.spaces()


def test_a_session_replaces_a_token_that_the_service_refuses(
    auth: Transport, service: Service, session: Session
) -> None:
    source = SessionToken(auth, session)
    over = service.accounts.issue_token(service.user_id, lifetime=-1)
    assert source.refresh(over) == source.token()


def test_a_bare_token_that_is_over_is_told(auth: Transport, service: Service) -> None:
    over = StaticToken(service.accounts.issue_token(service.user_id, lifetime=-1))
    with pytest.raises(SignInError, match="access token has expired"):
        VaultClient(auth, over).status()


def test_a_service_that_cannot_reach_its_own_key_set_is_asked_again(
    auth: Transport, service: Service, session: Session, pauses: list[float]
) -> None:
    service.accounts.jwks_outage = True
    tokens = SessionToken(auth, session)
    with pytest.raises(SignInError, match="401"):
        VaultClient(auth, tokens).status()
    assert pauses


def test_an_account_without_a_vault_has_no_key(auth: Transport, session: Session) -> None:
    vault = VaultClient(auth, SessionToken(auth, session))
    assert vault.status() == VaultStatus(False, False, False, None)
    assert vault.key() is None


def test_the_server_knows_the_key_of_a_standard_vault(auth: Transport, service: Service, session: Session) -> None:
    service.accounts.set_vault(service.user_id, "standard", KEY)
    vault = VaultClient(auth, SessionToken(auth, session))
    assert vault.key() == VaultKey(KEY)
    assert vault.status() == VaultStatus(True, False, False, None)


def test_a_recovery_code_opens_a_zero_knowledge_vault(auth: Transport, service: Service, session: Session) -> None:
    code = service.accounts.set_vault(service.user_id, "zero-knowledge", KEY)
    assert code is not None
    vault = VaultClient(auth, SessionToken(auth, session))
    key = vault.key()
    assert key is not None
    assert key.master_key is None
    assert unwrap_master_key(parse_recovery_code(code), key.wrapped, key.iv) == KEY
    assert vault.status().zero_knowledge


def test_the_vault_of_a_deleted_account_is_a_trouble_and_not_no_vault(auth: Transport, service: Service) -> None:
    with pytest.raises(ServerError, match="500"):
        VaultClient(auth, StaticToken(service.accounts.issue_token("nobody"))).key()


def test_spaces_are_listed_with_their_types(auth: Transport, service: Service, session: Session) -> None:
    team = service.accounts.create_space(service.user_id, "Team", "team", metadata='{"type":"team"}')
    odd = service.accounts.create_space(service.user_id, "Odd", "team", metadata="nothing")
    spaces = {space.id: space.type for space in organizations(auth, session)}
    assert (spaces.pop(team), spaces.pop(odd)) == ("team", None)
    assert list(spaces.values()) == ["personal"]


def test_the_services_own_summary_comes_along(auth: Transport, service: Service, session: Session) -> None:
    summary = data_export(auth, SessionToken(auth, session))
    assert summary is not None
    assert EMAIL.encode() in summary
    assert data_export(auth, StaticToken(service.accounts.issue_token("nobody"))) is None


def test_the_settings_come_as_the_service_says_them(auth: Transport, service: Service, session: Session) -> None:
    service.accounts.set_settings(service.user_id, globalSettings={"locale": "fr", "zoom": 1.50})
    told = settings(auth, SessionToken(auth, session))
    assert b'"globalSettings":{"locale":"fr","zoom":1.5}' in told
    assert jsontext.parse(told).keys() >= {"globalSettings", "appOverrides", "deviceSettings"}


def test_the_settings_of_a_deleted_account_are_a_trouble(auth: Transport, service: Service) -> None:
    with pytest.raises(ServerError, match="500"):
        settings(auth, StaticToken(service.accounts.issue_token("nobody")))
