"""What each recording of the account service needs around its requests: users, tokens, and what was done meanwhile."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from manabackup.crypto.fields import FieldCipher
from manabackup.crypto.recovery import parse_recovery_code, unwrap_master_key
from manabackup.sandbox import ChangeLog
from manabackup.text import jsontext

from .auth_recordings import ISSUER, Replay, load, post, send, whole_headers

Step = Callable[[Replay], None]
Observation = Callable[[Replay], Any]
"""Gives what was recorded as ``observed``, of our service."""


@dataclass
class Scenario:
    """What a recording needs around its requests. All by the index of the exchange."""

    time: str
    setup: Step
    production: bool = False
    alone: bool = False
    """The account service without the sync server, which answers paths of its own."""
    before: dict[int, Step] = field(default_factory=dict)
    """What was done to the database, or to the service, just before an exchange."""
    observed: dict[int, Observation] = field(default_factory=dict)
    sent: dict[int, Callable[[Replay, dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    """Requests that name what only the real service could have made."""


def user(replay: Replay, email: str, password: str, name: str, user_id: str, space_id: str | None = None) -> None:
    replay.service.accounts.create_user(email, password, name, user_id=user_id, space_id=space_id)


def sql(statement: str) -> Step:
    def step(replay: Replay) -> None:
        replay.service.sql(statement)

    return step


def mended(state: bool) -> Step:
    return lambda replay: setattr(replay.service.accounts, "two_factor_mended", state)


def decoded(replay: Replay, token: str) -> dict[str, Any]:
    header, claims, signature = (urlsafe_b64decode(part + "==") for part in replay.known[token].split("."))
    return {
        "header": jsontext.parse(header),
        "claims": jsontext.parse(claims),
        "signature_bytes": len(signature),
    }


def claims(replay: Replay, token: str, *names: str) -> dict[str, Any]:
    return {name: decoded(replay, token)["claims"][name] for name in names}


# --- a1: login --------------------------------------------------------------------------------------------------------

LOCKED = "lockout-a955d1@example.invalid"


def _a1() -> Scenario:
    def mail(replay: Replay) -> dict[str, str]:
        (sent,) = replay.service.accounts.mails
        lines = ("Hallo Rita Invented,", "Bitte bestätige deine E-Mail-Adresse:")
        link = f'<a href="{sent.link}">E-Mail bestätigen</a>'
        body = "".join(f"<p>{line}</p>" for line in (*lines, link, f"Oder kopiere diesen Link: {sent.link}"))
        return {
            "channel": "email",
            "appId": "mana-auth",
            "recipient": sent.recipient,
            "subject": sent.subject,
            "body": body,
        }

    def attempts(replay: Replay) -> str:
        rows = replay.service.sql("SELECT email FROM login_attempts WHERE email = ?", LOCKED)
        return "\n".join(f"{email}|f|unknown" for (email,) in rows)

    return Scenario(
        time="2026-11-20T13:21:34Z",
        setup=lambda replay: user(
            replay, LOCKED, "Invented-Pass-696fcc2d", "Lockout", "FE9YBRT44va30es9uodIxa8keR4D5NuU"
        ),
        before={
            40: sql("UPDATE login_attempts SET at = at - 14 * 60000"),
            41: sql("UPDATE login_attempts SET at = at - 61000"),
        },
        observed={
            8: mail,
            13: lambda replay: decoded(replay, "jwt#2"),
            38: attempts,
        },
    )


# --- a1b: rate limits -------------------------------------------------------------------------------------------------


def _a1b() -> Scenario:
    credentials = {"email": "rate-76e2ef@example.invalid", "password": "Invented-Pass-bea03b5e"}

    def first_refused(method: str, path: str, address: str) -> Observation:
        def observe(replay: Replay) -> int:
            answers = (send(replay.service.port, method, path, {"X-Forwarded-For": address}).status for _ in range(110))
            return 1 + next(at for at, status in enumerate(answers) if status == 429)

        return observe

    def unlimited(replay: Replay) -> list[int]:
        replay.service.accounts.production = False
        return [post(replay.service.port, "/api/auth/sign-in/email", credentials).status for _ in range(12)]

    return Scenario(
        time="2026-11-20T13:21:36Z",
        production=True,
        setup=lambda replay: user(
            replay, credentials["email"], credentials["password"], "Rate", "qhd1IJ942oGjuXCHt9p7MkTHR1tgM214"
        ),
        observed={
            17: first_refused("GET", "/api/auth/get-session", "203.0.113.9"),
            19: first_refused("POST", "/api/v1/auth/refresh", "203.0.113.10"),
            21: unlimited,
        },
    )


# --- a2: sessions -----------------------------------------------------------------------------------------------------


def _a2() -> Scenario:
    session_id = "rImeEpuVWz8tHVMYiTpH8TC13g5TAokm"
    aged = "UPDATE sessions SET expires_at = expires_at - 129600000, updated_at = updated_at - 129600000"

    def cookie_parts(replay: Replay) -> dict[str, Any]:
        wire = replay.known["cookie-value#1"]
        token, _, signature = unquote(wire).rpartition(".")
        return {
            "name": "mana.session_token",
            "decoded": "<session token>.<signature>",
            "signature_len": len(signature),
            "wire_is_percent_encoded": "%" in wire,
            "body_token_is_first_part": token == replay.known["session-token#1"],
        }

    def with_cookie(request: dict[str, Any], value: str) -> dict[str, Any]:
        return {**request, "headers": {**request["headers"], "Cookie": f"mana.session_token={value}"}}

    def decoded_cookie(replay: Replay, request: dict[str, Any]) -> dict[str, Any]:
        return with_cookie(request, unquote(replay.known["cookie-value#1"]))

    def damaged_cookie(replay: Replay, request: dict[str, Any]) -> dict[str, Any]:
        wire = replay.known["cookie-value#1"]
        at = wire.index(".") + 5
        return with_cookie(request, wire[:at] + ("A" if wire[at] != "A" else "B") + wire[at + 1 :])

    def lifetime(replay: Replay) -> str:
        token = replay.known["session-token#7"]
        ((expires_at,),) = replay.service.sql("SELECT expires_at FROM sessions WHERE token = ?", token)
        left = expires_at / 1_000 - replay.service.accounts.now() / 1_000
        return "6 days 23:59:59" if 604_799 < left <= 604_800 else f"{left} seconds"

    def rows_left(replay: Replay) -> str:
        token = replay.known["session-token#7"]
        return str(len(replay.service.sql("SELECT 1 FROM sessions WHERE token = ?", token)))

    return Scenario(
        time="2026-11-20T13:19:17Z",
        setup=lambda replay: user(
            replay,
            "nadia-820f59@example.invalid",
            "Invented-Pass-59e8e81f",
            "Nadia",
            "26b3d6edjspgqa6E2BbBwSl1YbNWqmvv",
        ),
        before={
            16: sql("UPDATE users SET role = 'admin', access_tier = 'founder'"),
            18: sql("UPDATE users SET role = 'user', access_tier = 'public'"),
            46: sql(aged),
            49: sql(aged),
            51: sql("UPDATE sessions SET expires_at = 0"),
        },
        sent={18: decoded_cookie, 24: damaged_cookie, 25: damaged_cookie},
        observed={
            1: cookie_parts,
            4: lambda replay: decoded(replay, "jwt#1"),
            5: lambda replay: decoded(replay, "jwt#1")["claims"]["exp"] - decoded(replay, "jwt#1")["claims"]["iat"],
            11: lambda replay: replay.known[session_id] == decoded(replay, "jwt#1")["claims"]["sid"],
            17: lambda replay: claims(replay, "jwt#2", "role", "tier"),
            47: lifetime,
            50: lifetime,
            52: rows_left,
        },
    )


# --- a3: the second factor --------------------------------------------------------------------------------------------


def _a3() -> Scenario:
    user_id = "J1FmYiGh57Zoj4epqGrBMxqlu47yA7wy"

    def recorded_factor(replay: Replay) -> None:
        """The codes of the recording fit the recording's secret, at the recording's time."""
        body = load("a3_totp")[5]["response"]["body"]
        secret = body["totpURI"].partition("secret=")[2].partition("&")[0]
        replay.service.accounts.enable_totp(user_id, secret=secret, backup_codes=body["backupCodes"], confirmed=False)
        for code in body["backupCodes"]:
            replay.known.pop(code, None)
        replay.service.accounts.two_factor_mended = False

    def enabled(replay: Replay) -> str:
        ((state,),) = replay.service.sql("SELECT two_factor_enabled FROM users WHERE id = ?", user_id)
        return "t" if state else "f"

    def cookies(replay: Replay) -> list[str]:
        return sorted(replay.cookies)

    return Scenario(
        time="2026-11-20T13:23:48Z",
        setup=lambda replay: user(replay, "tova-551656@example.invalid", "Invented-Pass-c9bfbefc", "Tova", user_id),
        before={5: mended(True), 7: recorded_factor, 47: mended(True), 55: mended(False)},
        observed={
            6: enabled,
            10: enabled,
            **dict.fromkeys((15, 24, 28, 44, 49), cookies),
        },
    )


# --- a4: the vault ----------------------------------------------------------------------------------------------------


def _a4() -> Scenario:
    def setup(replay: Replay) -> None:
        accounts = replay.service.accounts
        vera = accounts.create_user("vera@example.invalid", "Invented-Pass-0004", "Vera").id
        good = {"sub": vera, "iss": ISSUER, "aud": "mana", "exp": accounts.now() // 1_000 + 900}
        now = accounts.now() // 1_000
        replay.known |= {
            "jwt#1": accounts.issue_token(vera),
            "jwt#2": accounts.issue_token(vera, lifetime=-60),
            "jwt#3": accounts.issue_token(vera, lifetime=-2),
            "jwt#4": accounts.sign({name: value for name, value in good.items() if name != "exp"}),
            "jwt#5": accounts.sign({**good, "aud": "other"}),
            "jwt#6": accounts.sign({**good, "iss": "http://other.invalid"}),
            "jwt#7": accounts.sign({**good, "sub": "nobody"}),
            "jwt#8": accounts.sign({"iss": ISSUER, "aud": "mana", "exp": now + 900}),
        }

    exchanges = load("a4_vault")

    def key(index: int) -> str:
        return str(exchanges[index]["response"]["body"]["masterKey"])

    def unwrapped(replay: Replay) -> bool:
        body = exchanges[51]["response"]["body"]
        secret = parse_recovery_code(exchanges[45]["observed"])
        return unwrap_master_key(secret, body["recoveryWrappedMk"], body["recoveryIv"]) == b64decode(key(48))

    return Scenario(
        time="2026-11-20T13:21:38Z",
        setup=setup,
        observed={
            27: lambda replay: len(b64decode(replay.known[key(22)])),
            33: lambda replay: replay.known[key(22)] != replay.known[key(32)],
            52: unwrapped,
        },
    )


# --- a5: spaces -------------------------------------------------------------------------------------------------------

OLGA = ("olga-f72d2a@example.invalid", "Invented-Pass-f97946f8", "Olga", "RJJIZSIlGjlTBM5pVT7jeOAnmNHrX3qF")
MILO = ("milo-3d5013@example.invalid", "Invented-Pass-60f7add7", "Milo", "bgsrQk2zYFCypo0FUo4tmczEYxsW7ouy")
ZOE = ("zoe-e6bf06@example.invalid", "Invented-Pass-8f74f2bc", "Zoe", "jap4SdWFAAtsyzA3atgFzwA0uycf7Fs9")


def _a5() -> Scenario:
    def setup(replay: Replay) -> None:
        user(replay, *OLGA, "KR0-5rn8Y-_FGqgSV_3Lc")
        user(replay, *MILO, "rtm9meoYAQ_YUbTZQj5uZ")
        user(replay, *ZOE, "RxgwFjvy7P1vU7pP9701u")
        accounts = replay.service.accounts
        good = {"sub": OLGA[3], "iss": ISSUER, "aud": "mana", "exp": accounts.now() // 1_000 + 900}
        replay.known |= {
            "jwt#2": accounts.issue_token(OLGA[3]),
            "jwt#3": accounts.issue_token(OLGA[3]),
            "jwt#4": accounts.issue_token(MILO[3]),
            "jwt#5": accounts.issue_token(ZOE[3]),
            "jwt#6": accounts.issue_token(OLGA[3], lifetime=-60),
            "jwt#7": accounts.sign({name: value for name, value in good.items() if name != "exp"}),
            "jwt#8": accounts.sign({**good, "aud": "other"}),
            "jwt#9": accounts.sign({**good, "iss": "http://other.invalid"}),
        }

    return Scenario(
        time="2026-11-20T13:21:40Z",
        setup=setup,
    )


# --- a6: what the service knows of a user -----------------------------------------------------------------------------


def _a6() -> Scenario:
    berta = "olfHP1pCAtknzH5vv1z5TcRZI2Q8x636"

    def setup(replay: Replay) -> None:
        service = replay.service
        user(replay, "berta@example.invalid", "Invented-Pass-0006", "Berta", berta, "WFc3MI9ygHBT-rxo0gag7")
        user(replay, *OLGA, "KR0-5rn8Y-_FGqgSV_3Lc")
        for name, kind, space_id in (
            ("Team Eins", "team", "togTI05xmnIsjE3fvqbnjijHJcr7ihgY"),
            ("Zweit", "personal", "54z7DDvaEu9VhoJ77Ia96veppfXjB2fA"),
        ):
            service.accounts.create_space(OLGA[3], name, kind, space_id=space_id)
        sign_in = {"email": OLGA[0], "password": OLGA[1]}
        for route in ("/api/auth/sign-in/email", *["/api/v1/auth/login"] * 3):
            assert post(service.port, route, sign_in).status == 200
        doro = service.accounts.create_user("doro-ffd1c8@example.invalid", "Invented-Pass-6c5eb4d1", "Doro")
        service.accounts.sessions.open(doro.id, service.accounts.now())
        replay.known |= {
            "jwt#1": service.accounts.issue_token(berta),
            "jwt#2": service.accounts.issue_token(OLGA[3]),
            "jwt#3": service.accounts.issue_token("gone"),
            "jwt#4": service.accounts.issue_token("never-there"),
            "jwt#5": service.accounts.issue_token(doro.id),
        }

    def tasks_pushed(replay: Replay) -> None:
        for task in ("t-shared", "t-own"):
            change = {"table": "tasks", "id": task, "op": "insert", "data": {"id": task}}
            log(replay).append(OLGA[3], "dev-olga", "todo", change)

    def no_singletons(replay: Replay) -> None:
        replay.service.sql(
            "DELETE FROM singletons WHERE owner IN (?, ?)", f"user {berta}", "space WFc3MI9ygHBT-rxo0gag7"
        )
        log(replay).erase(berta)
        replay.service.written.clear()

    def log(replay: Replay) -> ChangeLog:
        assert replay.service.log is not None
        return replay.service.log

    def rows(replay: Replay) -> list[dict[str, Any]]:
        return [row for row in replay.service.written if row["user_id"] == berta]

    return Scenario(
        time="2026-11-20T13:21:42Z",
        setup=setup,
        before={2: no_singletons, 12: tasks_pushed},
        observed={0: rows, 3: rows},
    )


# --- a7: miscellanea --------------------------------------------------------------------------------------------------


def _a7() -> Scenario:
    user_id = "F6icLQbCLMefEszoMJrazPQOStHP8qRF"

    def setup(replay: Replay) -> None:
        user(replay, "gerd-b460f0@example.invalid", "Invented-Pass-22a8d8a7", "Gerd", user_id)
        replay.known["jwt#1"] = replay.service.accounts.issue_token(user_id)

    def outage(replay: Replay) -> None:
        replay.service.accounts.jwks_outage = True
        replay.service.accounts.issuer = "https://auth.mana.invalid"

    def over(replay: Replay) -> None:
        replay.service.accounts.jwks_outage = False
        replay.service.accounts.issuer = ISSUER

    def whole(_replay: Replay, request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "headers": whole_headers(request["headers"])}

    return Scenario(
        time="2026-11-20T13:19:21Z", setup=setup, alone=True, before={32: outage, 35: over}, sent={29: whole}
    )


# --- a8: the web app's own code ---------------------------------------------------------------------------------------


def _a8() -> Scenario:
    observed: list[Any] = [one.get("observed") for one in load("a8_web_client_e2e")]
    steps = {name: value for name, value in observed[0] if name != "getStatus"}
    response = load("a8_web_client_e2e")[1]["response"]["body"]

    def setup(replay: Replay) -> None:
        """The account as the web app left it."""
        accounts = replay.service.accounts
        wendy = accounts.create_user("wendy@example.invalid", "Invented-Pass-0008", "Wendy").id
        accounts.vaults.init(wendy)
        accounts.vaults.set_recovery_wrap(wendy, response, accounts.now())
        accounts.vaults.set_zero_knowledge(wendy, {"enable": True})
        replay.known["jwt#1"] = accounts.issue_token(wendy)

    def statuses(replay: Replay) -> list[Any]:
        """The states that the web app saw on the way, by the same calls."""
        vaults, now = replay.service.accounts.vaults, replay.service.accounts.now()
        user_id = replay.service.accounts.create_user("wanda@example.invalid", "Invented-Pass-0009", "Wanda").id
        found = [["getStatus", vaults.status(user_id)]]
        vaults.init(user_id)
        found += [["unlock (no vault yet: the web client inits)", steps["unlock (no vault yet: the web client inits)"]]]
        found += [["getStatus", vaults.status(user_id)]]
        vaults.set_recovery_wrap(user_id, response, now)
        found += [["setupRecoveryCode", steps["setupRecoveryCode"]], ["getStatus", vaults.status(user_id)]]
        vaults.set_zero_knowledge(user_id, {"enable": True})
        found += [["getStatus after enableZeroKnowledge", vaults.status(user_id)], ["sealed", steps["sealed"]]]
        return found

    def key() -> bytes:
        secret = parse_recovery_code(steps["setupRecoveryCode"]["formattedCode"])
        return unwrap_master_key(secret, response["recoveryWrappedMk"], response["recoveryIv"])

    return Scenario(
        time="2026-11-20T13:23:17Z",
        setup=setup,
        observed={
            0: statuses,
            2: lambda replay: len(key()),
            3: lambda replay: [steps["sealed"], FieldCipher(key()).decrypt(steps["sealed"]).decode()],
        },
    )


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "a1_login": _a1,
    "a1b_rate_limits": _a1b,
    "a2_sessions": _a2,
    "a3_totp": _a3,
    "a4_vault": _a4,
    "a5_organizations": _a5,
    "a6_me": _a6,
    "a7_misc": _a7,
    "a8_web_client_e2e": _a8,
}
