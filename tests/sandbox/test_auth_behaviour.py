"""What the account service does over time and between calls, where no single recorded exchange shows it."""

from __future__ import annotations

import pytest

from manabackup.sandbox.credentials import totp
from manabackup.sandbox.tokens import TokenRefused
from manabackup.text import jsontext

from .auth_recordings import post, send
from .browser import DAY, EMAIL, PASSWORD, Service

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
