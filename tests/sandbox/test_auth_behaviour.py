"""What the account service does over time and between calls, where no single recorded exchange shows it."""

from __future__ import annotations

import os
import stat
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from manabackup.crypto.recovery import parse_recovery_code, unwrap_master_key
from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.auth import auth_app
from manabackup.sandbox.credentials import totp
from manabackup.sandbox.server import HTTPServer
from manabackup.sandbox.tokens import TokenRefused
from manabackup.text import jsontext

from .auth_recordings import Answer, StandingClock, post, send

EMAIL, PASSWORD = "rita@example.invalid", "Correct-Horse-0001 ü"
DAY = 86_400


@dataclass
class Browser:
    """Keeps cookies and says where it comes from."""

    port: int
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._keep(send(self.port, "GET", path, {**self._headers(), **headers}))

    def post(self, path: str, body: Any = None) -> Answer:
        if body is None:
            return self._keep(send(self.port, "POST", path, self._headers()))
        return self._keep(post(self.port, path, body, self._headers()))

    def sign_in(self, email: str = EMAIL, **more: Any) -> Answer:
        return self.post("/api/auth/sign-in/email", {"email": email, "password": PASSWORD, **more})

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Origin": self.origin, **({"Cookie": cookies} if cookies else {})}

    def _keep(self, answer: Answer) -> Answer:
        for name, value in answer.headers:
            if name == "set-cookie":
                pair, _, attributes = value.partition(";")
                key, _, content = pair.partition("=")
                self.cookies.pop(key, None)
                if "Max-Age=0;" not in attributes:
                    self.cookies[key] = content
        return answer


@dataclass
class Service:
    accounts: Accounts
    clock: StandingClock
    port: int
    user_id: str

    def browser(self) -> Browser:
        return Browser(self.port, self.accounts.issuer)

    def wait(self, seconds: float) -> None:
        self.clock.nanoseconds += int(seconds * 1e9)

    def with_token(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Authorization": f"Bearer {self.accounts.issue_token(self.user_id)}"}
        if body is None:
            return send(self.port, method, path, headers)
        return send(self.port, method, path, headers, jsontext.dumps(body))


@pytest.fixture
def service() -> Iterator[Service]:
    clock = StandingClock(1_795_180_000)
    accounts = Accounts(clock=clock)
    server = HTTPServer(auth_app(accounts), port=0, on_stop=lambda: None)
    server.start()
    accounts.issuer = f"http://127.0.0.1:{server.port}"
    yield Service(accounts, clock, server.port, accounts.create_user(EMAIL, PASSWORD, "Rita").id)
    server.close()
    accounts.close()


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_lives_for_a_week_and_no_longer(service: Service) -> None:
    browser = service.browser()
    browser.sign_in()
    service.wait(7 * DAY - 1)
    other = service.browser()
    other.cookies = dict(browser.cookies)
    assert other.get("/api/auth/token").status == 200
    fresh = service.browser()
    fresh.sign_in()
    service.wait(7 * DAY)
    assert fresh.get("/api/auth/token").status == 401


def test_a_session_in_use_does_not_end(service: Service) -> None:
    browser = service.browser()
    browser.sign_in()
    for _ in range(5):
        service.wait(3 * DAY)
        assert browser.get("/api/auth/token").status == 200


def test_a_session_that_is_not_to_be_remembered_ends_after_a_day_used_or_not(service: Service) -> None:
    browser = service.browser()
    browser.sign_in(rememberMe=False)
    service.wait(DAY - 60)
    assert browser.get("/api/auth/token").status == 200
    service.wait(61)
    assert browser.get("/api/auth/token").status == 401


def test_a_token_outlives_the_session_and_the_account(service: Service) -> None:
    browser = service.browser()
    browser.sign_in()
    token = browser.get("/api/auth/token").json()["token"]
    assert browser.post("/api/auth/sign-out").json() == {"success": True}
    assert browser.cookies == {}
    service.accounts.delete_user(service.user_id)
    assert service.accounts.verify_token(token) == service.user_id
    service.wait(900)
    with pytest.raises(TokenRefused, match=r"^parse token: token has invalid claims: token is expired$"):
        service.accounts.verify_token(token)


def test_signing_out_ends_the_session_for_whoever_copied_its_cookie(service: Service) -> None:
    browser, thief = service.browser(), service.browser()
    browser.sign_in()
    thief.cookies = dict(browser.cookies)
    assert browser.post("/api/v1/auth/logout").status == 200
    assert thief.get("/api/auth/token").status == 401


def test_over_https_the_cookies_have_another_name(service: Service) -> None:
    service.accounts.issuer = "https://auth.example.invalid"
    browser = service.browser()
    answer = browser.sign_in()
    (cookie,) = [value for name, value in answer.headers if name == "set-cookie"]
    assert cookie.startswith("__Secure-mana.session_token=")
    assert cookie.endswith("; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert browser.get("/api/auth/token").status == 200
    browser.cookies = {"mana.session_token": browser.cookies["__Secure-mana.session_token"]}
    assert browser.get("/api/auth/token").status == 401


def test_signing_out_without_an_origin_is_refused_on_both_routes(service: Service) -> None:
    browser = service.browser()
    browser.sign_in()
    cookie = {"Cookie": f"mana.session_token={browser.cookies['mana.session_token']}"}
    for path in ("/api/auth/sign-out", "/api/v1/auth/logout"):
        answer = send(service.port, "POST", path, cookie)
        assert (answer.status, answer.json()["code"]) == (403, "MISSING_OR_NULL_ORIGIN")
    assert browser.get("/api/auth/token").status == 200


# --- the second factor ------------------------------------------------------------------------------------------------


def test_the_simple_login_is_a_dead_end_for_an_account_with_a_second_factor(service: Service) -> None:
    service.accounts.enable_totp(service.user_id)
    answer = post(service.port, "/api/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
    assert (answer.status, answer.json()) == (200, {"twoFactorRedirect": True})
    assert "set-cookie" not in dict(answer.headers)


def test_a_challenge_is_over_after_ten_minutes(service: Service) -> None:
    secret, _ = service.accounts.enable_totp(service.user_id)
    browser = service.browser()
    browser.sign_in()
    service.wait(601)
    answer = browser.post("/api/auth/two-factor/verify-totp", {"code": totp(secret, service.clock() / 1e9)})
    assert (answer.status, answer.json()["code"]) == (401, "INVALID_TWO_FACTOR_COOKIE")


def test_a_challenge_is_good_for_one_session(service: Service) -> None:
    secret, _ = service.accounts.enable_totp(service.user_id)
    browser = service.browser()
    browser.sign_in()
    copy = service.browser()
    copy.cookies = dict(browser.cookies)
    code = {"code": totp(secret, service.clock() / 1e9)}
    assert browser.post("/api/auth/two-factor/verify-totp", code).status == 200
    assert copy.post("/api/auth/two-factor/verify-totp", code).status == 401


def test_a_trusted_device_is_trusted_for_thirty_days_and_for_its_own_user(service: Service) -> None:
    secret, _ = service.accounts.enable_totp(service.user_id)
    other = service.accounts.create_user("milo@example.invalid", PASSWORD, "Milo")
    service.accounts.enable_totp(other.id)
    browser = service.browser()
    browser.sign_in()
    code = {"code": totp(secret, service.clock() / 1e9), "trustDevice": True}
    assert browser.post("/api/auth/two-factor/verify-totp", code).status == 200
    trust = browser.cookies["mana.trust_device"]

    browser.cookies = {"mana.trust_device": trust}
    service.wait(29 * DAY)
    assert "token" in browser.sign_in().json()
    renewed = browser.cookies["mana.trust_device"]
    assert renewed != trust

    for cookie, email in ((trust, EMAIL), (renewed, "milo@example.invalid")):
        browser.cookies = {"mana.trust_device": cookie}
        assert browser.sign_in(email).json() == {"twoFactorRedirect": True}

    browser.cookies = {"mana.trust_device": renewed}
    service.wait(30 * DAY)
    assert browser.sign_in().json() == {"twoFactorRedirect": True}


def test_a_backup_code_fits_once_where_the_service_is_mended(service: Service) -> None:
    _, codes = service.accounts.enable_totp(service.user_id)
    path, body = "/api/auth/two-factor/verify-backup-code", {"code": codes[3]}
    statuses = []
    for mended in (False, True, True):
        service.accounts.two_factor_mended = mended
        browser = service.browser()
        browser.sign_in()
        statuses.append(browser.post(path, body).status)
    assert statuses == [500, 200, 401]


@pytest.mark.parametrize(
    ("at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_one_time_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    # Appendix B, SHA-1, the last six of eight digits; the secret is "12345678901234567890".
    assert totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at) == code


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_wrong_password_counts_until_it_is_a_quarter_of_an_hour_old(service: Service) -> None:
    def login(password: str) -> int:
        return post(service.port, "/api/v1/auth/login", {"email": EMAIL, "password": password}).status

    for _ in range(5):
        assert login("wrong") == 401
        service.wait(100)
    assert login(PASSWORD) == 429
    service.wait(15 * 60 - 450)
    assert login(PASSWORD) == 200


def test_in_production_a_window_opens_again(service: Service) -> None:
    service.accounts.production = True
    secret, _ = service.accounts.enable_totp(service.user_id)
    address = {"X-Forwarded-For": "203.0.113.20", "Content-Type": "application/json"}
    for path in ("/api/auth/sign-in/email", "/api/auth/two-factor/verify-totp"):
        body = jsontext.dumps({"email": EMAIL, "password": PASSWORD, "code": totp(secret, 0)})
        statuses = [send(service.port, "POST", path, address, body).status for _ in range(4)]
        assert statuses[3] == 429
        assert 429 not in statuses[:3]
        service.wait(10.1)
        assert send(service.port, "POST", path, address, body).status != 429


def test_the_vault_has_no_rate_limit(service: Service) -> None:
    service.accounts.production = True
    statuses = {service.with_token("GET", "/api/v1/me/encryption-vault/status").status for _ in range(150)}
    assert statuses == {200}


# --- vault ------------------------------------------------------------------------------------------------------------

VAULT = "/api/v1/me/encryption-vault"


def test_the_recovery_code_of_a_zero_knowledge_vault_opens_what_the_service_gives(service: Service) -> None:
    master_key = os.urandom(32)
    code = service.accounts.set_vault(service.user_id, "zero-knowledge", master_key)
    body = service.with_token("GET", f"{VAULT}/key").json()
    assert code is not None
    assert unwrap_master_key(parse_recovery_code(code), body["recoveryWrappedMk"], body["recoveryIv"]) == master_key
    assert "masterKey" not in body


def test_leaving_zero_knowledge_mode_takes_any_key(service: Service) -> None:
    service.accounts.set_vault(service.user_id, "zero-knowledge", bytes(32))
    other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
    for wrong in (None, "", "AQE=", 7):
        answer = service.with_token("POST", f"{VAULT}/zero-knowledge", {"enable": False, "masterKey": wrong})
        assert (answer.status, answer.json()["code"]) == (400, "BAD_REQUEST")
    answer = service.with_token("POST", f"{VAULT}/zero-knowledge", {"enable": False, "masterKey": other})
    assert answer.json() == {"ok": True, "zeroKnowledge": False}
    assert service.with_token("GET", f"{VAULT}/key").json()["masterKey"] == other


def test_rotating_makes_a_vault_where_there_is_none_and_forgets_the_recovery_wrap(service: Service) -> None:
    first = service.with_token("POST", f"{VAULT}/rotate").json()["masterKey"]
    wrap = {"recoveryWrappedMk": "x", "recoveryIv": "y"}
    assert service.with_token("POST", f"{VAULT}/recovery-wrap", wrap).status == 200
    assert service.with_token("POST", f"{VAULT}/rotate").json()["masterKey"] != first
    status = service.with_token("GET", f"{VAULT}/status").json()
    assert (status["hasRecoveryWrap"], status["recoverySetAt"]) == (False, None)


def test_a_damaged_vault_is_no_missing_one(service: Service) -> None:
    service.accounts.set_vault(service.user_id, "standard", bytes(32))
    service.accounts.vaults.damage(service.user_id)
    assert service.with_token("GET", f"{VAULT}/key").status == 500
    assert service.with_token("GET", f"{VAULT}/status").json()["vaultExists"] is True


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_the_key_set_verifies_the_tokens(service: Service) -> None:
    token = service.accounts.issue_token(service.user_id)
    (key,) = service.browser().get("/api/auth/jwks").json()["keys"]
    signed, _, signature = token.rpartition(".")
    public = Ed25519PublicKey.from_public_bytes(_decoded(key["x"]))
    public.verify(_decoded(signature), signed.encode())
    assert jsontext.parse(_decoded(signed.partition(".")[0]))["kid"] == key["kid"]


def test_without_the_key_set_both_servers_refuse_a_valid_token(service: Service) -> None:
    token = service.accounts.issue_token(service.user_id)
    service.accounts.jwks_outage = True
    assert service.with_token("GET", f"{VAULT}/status").status == 401
    with pytest.raises(TokenRefused, match=r"^fetch JWKS: "):
        service.accounts.verify_token(token)
    service.accounts.jwks_outage = False
    assert service.accounts.verify_token(token) == service.user_id


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    found = Accounts()
    yield found
    found.close()


@given(
    text=st.text() | st.lists(st.text(max_size=8) | st.sampled_from(["e30", "bnVsbA", "W10"]), max_size=4).map(".".join)
)
def test_no_text_but_a_token_is_taken(accounts: Accounts, text: str) -> None:
    with pytest.raises(TokenRefused):
        accounts.verify_token(text)
    assert accounts.claims(text) is None


@given(data=st.data())
def test_a_token_is_refused_when_a_letter_of_what_it_says_is_another(accounts: Accounts, data: st.DataObject) -> None:
    token = accounts.issue_token("anna")
    at = data.draw(st.integers(0, token.rindex(".") - 1))
    letter = data.draw(st.sampled_from("ABCdef012_-."))
    other = token[:at] + letter + token[at + 1 :]
    if other != token:
        with pytest.raises(TokenRefused):
            accounts.verify_token(other)
        assert accounts.claims(other) is None


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


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
