"""The account service: spaces, billing, registration and deletion, and the store of it all."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import httpx2
import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import Accounts

from .auth_recordings import send
from .browser import EMAIL, PASSWORD, VAULT, Service

# --- spaces, billing, bootstrap ---------------------------------------------------------------------------------------


def test_a_spaces_metadata_may_be_a_text(service: Service) -> None:
    service.accounts.create_space(service.user_id, "Alt", "team", metadata='{"type":"team"}')
    service.accounts.create_space(service.user_id, "Kaputt", "team", metadata="{")
    browser = service.browser()
    browser.sign_in()
    listed = browser.get("/api/auth/organization/list").json()
    assert [space["metadata"] for space in listed[1:]] == ['{"type":"team"}', "{"]


def test_members_come_and_go(service: Service) -> None:
    other = service.accounts.create_user("milo@example.invalid", PASSWORD, "Milo")
    space = service.accounts.create_space(service.user_id, "Team", "team")
    own = service.accounts.spaces_of(other.id)
    service.accounts.add_member(space, other.id)
    service.accounts.add_member(space, other.id, "admin")
    assert service.accounts.spaces_of(other.id) == {*own, space}
    service.accounts.remove_member(space, other.id)
    assert service.accounts.spaces_of(other.id) == own


def test_the_billing_state_is_told(service: Service) -> None:
    assert service.with_token("GET", "/api/v1/sync/status").json()["active"] is True
    service.accounts.set_subscription(service.user_id, active=False)
    assert service.with_token("GET", "/api/v1/sync/status").json() == {
        "active": False,
        "interval": None,
        "nextChargeAt": None,
        "pausedAt": None,
        "gifted": False,
    }
    assert not service.accounts.subscription_active(service.user_id)


def test_registration_writes_each_singleton_once_unless_the_log_holds_them_already() -> None:
    accounts, written = Accounts(), []
    accounts.on_bootstrap = lambda user_id, app, change: written.append((app, change.get("spaceId")))
    quiet = accounts.create_user("q@example.invalid", PASSWORD, "Q", bootstrap=False)
    assert accounts.bootstrap(quiet.id)[0] is False
    loud = accounts.create_user("l@example.invalid", PASSWORD, "L", space_id="space-of-l")
    assert accounts.bootstrap(loud.id) == (False, {"space-of-l": False})
    assert written == [("kontext", "space-of-l"), ("profile", None)]
    accounts.close()


def test_the_settings_are_the_users_own_and_take_a_token(service: Service) -> None:
    assert send(service.port, "GET", "/api/v1/settings").status == 401
    other = service.accounts.create_user("milo@example.invalid", PASSWORD, "Milo")
    service.accounts.set_settings(service.user_id, globalSettings={"locale": "fr"}, deviceSettings={"phone": {"a": 1}})
    told = service.with_token("GET", "/api/v1/settings").json()
    assert told == {
        "success": True,
        "globalSettings": {"locale": "fr"},
        "appOverrides": {},
        "deviceSettings": {"phone": {"a": 1}},
    }
    assert service.accounts.settings(other.id)["globalSettings"]["locale"] == "de"


def test_guilds_fail_for_whoever_has_a_token(service: Service) -> None:
    assert send(service.port, "GET", "/api/v1/gilden").status == 401
    assert service.with_token("GET", "/api/v1/gilden").status == 500


def test_a_token_outlives_the_deletion_and_finds_nothing_until_the_singletons_are_asked_for() -> None:
    with Sandbox() as box:
        user = box.accounts.create_user(EMAIL, PASSWORD, "Rita")
        box.accounts.set_vault(user.id, "standard", bytes(32))
        headers = {"Authorization": f"Bearer {box.accounts.issue_token(user.id)}"}

        def ask(method: str, path: str) -> httpx2.Response:
            return httpx2.request(method, box.url + path, headers=headers, trust_env=False)

        pull = "/sync/profile/pull?collection=userContext&since=x"
        assert len(ask("GET", pull).json()["serverChanges"]) == 1
        deleted = ask("DELETE", "/api/v1/me/data").json()
        assert (deleted["success"], deleted["totalDeleted"]) == (True, 4)
        assert ask("GET", pull).json()["serverChanges"] == []
        told = {path: ask("GET", path).status_code for path in (f"{VAULT}/key", f"{VAULT}/status")}
        assert told == {f"{VAULT}/key": 500, f"{VAULT}/status": 200}
        assert ask("GET", f"{VAULT}/status").json()["vaultExists"] is False
        assert ask("GET", "/api/v1/me/data/export").status_code == 404
        assert ask("GET", "/api/v1/settings").status_code == 500
        written = ask("POST", "/api/v1/me/bootstrap-singletons").json()
        assert written == {"ok": True, "bootstrapped": {"userContext": True, "spaces": {}}}
        assert len(ask("GET", pull).json()["serverChanges"]) == 1


# --- the store --------------------------------------------------------------------------------------------------------


def test_a_service_that_starts_again_knows_its_sessions_and_tokens(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    first = Accounts(path)
    user = first.create_user(EMAIL, PASSWORD, "Rita")
    session = first.sessions.open(user.id, first.now())
    token = first.session_token(session)
    first.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = Accounts(path)
    assert second.verify_token(token) == user.id
    assert second.sessions.find(session.token, second.now()) == (session, False)
    second.close()


def test_an_address_that_is_taken_is_refused_in_any_case_of_letters() -> None:
    accounts = Accounts()
    accounts.create_user(EMAIL, PASSWORD, "Rita")
    with pytest.raises(ValueError, match="there is a user"):
        accounts.create_user(EMAIL.upper(), PASSWORD, "Rita")
    accounts.close()


def test_many_threads_may_use_the_accounts_at_once(service: Service) -> None:
    tokens: list[str] = []

    def work(index: int) -> None:
        user = service.accounts.create_user(f"user{index}@example.invalid", PASSWORD, "User")
        browser = service.browser()
        browser.sign_in(user.email)
        for _ in range(5):
            tokens.append(browser.get("/api/auth/token").json()["token"])  # noqa: PERF401

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 40
    assert len({service.accounts.verify_token(token) for token in tokens}) == 8


def test_text_that_is_no_unicode_does_no_harm(service: Service) -> None:
    body = b'{"email":"\\ud800@example.invalid","password":"\\udfff"}'
    answer = send(service.port, "POST", "/api/v1/auth/login", {"Content-Type": "application/json"}, body)
    assert (answer.status, answer.json()["error"]) == (401, "INVALID_CREDENTIALS")
