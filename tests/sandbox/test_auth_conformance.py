"""The sandbox's account service answers as the real one was recorded to.

Every exchange is replayed, every observation between them is made again. What is not stands in a table with its reason.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from manabackup.sandbox.credentials import signed_value

from .auth_recordings import Replay, load, post, running
from .auth_scenarios import SCENARIOS, Scenario

UNUSED = "a call of the web app that this tool has no use for, and that the sandbox does not serve"
REMARK = "a remark on the recording, which observes nothing"
COLUMNS = "the columns of the real database; the sandbox has its own"
BROWSER = "the web app's own code, which does not run here"

EXCEPTIONS: dict[tuple[str, int], str] = {
    ("a2_sessions", 2): "needs the real service's secret; that cookies are signed is tested with ours",
    ("a3_totp", 4): REMARK,
    ("a3_totp", 11): COLUMNS,
    ("a3_totp", 46): REMARK,
    ("a4_vault", 45): REMARK,
    ("a5_organizations", 3): COLUMNS,
    ("a5_organizations", 13): COLUMNS,
    ("a5_organizations", 21): COLUMNS,
    **{("a6_me", at): UNUSED for at in (17, 19, 20)},
    ("a7_misc", 30): "an unknown HTTP method is refused by the real service's runtime; ours answers 404 or as GET does",
    **{("a8_web_client_e2e", at): BROWSER for at in (4, 5)},
}

SAME = "one placeholder or recorded value stands for one of ours: the replay has shown it"
COMPARED = "a reading of an answer that was compared as a whole"
IMPLIED: dict[tuple[str, int], str] = {
    ("a1_login", 14): SAME,
    ("a2_sessions", 7): SAME,
    ("a2_sessions", 10): SAME,
    ("a2_sessions", 48): SAME,
    ("a4_vault", 24): SAME,
    ("a4_vault", 26): SAME,
    ("a4_vault", 53): COMPARED,
    ("a5_organizations", 2): COMPARED,
    ("a5_organizations", 26): COMPARED,
}
"""Observations that the exchanges around them hold already."""


UNSENT = {("a7_misc", 28): 146_800_640}
"""Bodies that the real service refuses by their announced size."""


def play(replay: Replay, name: str, scenario: Scenario) -> dict[str, Any]:
    """What differs, by exchange; nothing is passed over but what the two tables name."""
    found: dict[str, Any] = {}
    for at, exchange in enumerate(load(name)):
        if at in scenario.before:
            scenario.before[at](replay)
        if (name, at) in EXCEPTIONS or (name, at) in IMPLIED:
            continue
        if "request" in exchange:
            request = exchange["request"]
            if at in scenario.sent:
                request = scenario.sent[at](replay, request)
            differences = replay.differences(
                request, _in_our_order(exchange["response"]), unsent=UNSENT.get((name, at), 0)
            )
        else:
            differences = list(replay.compare(scenario.observed[at](replay), _observed(name, at, exchange)))
        if differences:
            found[f"[{at}] {exchange['note']}"] = differences
    return found


def _in_our_order(response: dict[str, Any]) -> dict[str, Any]:
    """The export lists sessions as they lie in the real database's pages: in no order."""
    body = response.get("body")
    if not (isinstance(body, dict) and "exportVersion" in body):
        return response
    sessions = sorted(body["details"]["sessions"], key=lambda session: session["createdAt"])
    return {**response, "body": {**body, "details": {**body["details"], "sessions": sessions}}}


def _observed(name: str, at: int, exchange: dict[str, Any]) -> Any:
    observed = exchange["observed"]
    if (name, at) in {("a2_sessions", 47), ("a2_sessions", 50)}:
        return observed.partition(".")[0]
    if name == "a6_me" and at in (0, 3):
        # Both rows are written in one go, in either order; event ids and the log's times are the sync server's.
        return [{key: value for key, value in row.items() if key not in ("id", "created_at")} for row in observed]
    return observed


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_service_answers_as_recorded(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]()
    seconds = int(datetime.fromisoformat(scenario.time).astimezone(UTC).timestamp())
    with running(tmp_path, seconds, production=scenario.production, alone=scenario.alone) as service:
        replay = Replay(service)
        scenario.setup(replay)
        assert play(replay, name, scenario) == {}


def test_every_recorded_exchange_is_replayed_but_for_the_exceptions() -> None:
    recorded = {(name, at) for name in SCENARIOS for at in range(len(load(name)))}
    assert len(recorded) == 378
    assert set(EXCEPTIONS) | set(IMPLIED) <= recorded
    assert (len(EXCEPTIONS), len(IMPLIED)) == (14, 9)


def test_a_cookie_is_signed_with_the_services_secret(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.accounts.create_user("x@example.invalid", "Invented-Pass-0001", "X")
        body = {"email": "x@example.invalid", "password": "Invented-Pass-0001"}
        answer = post(service.port, "/api/auth/sign-in/email", body)
        wire = dict(answer.headers)["set-cookie"].partition("=")[2].partition(";")[0]
        assert signed_value(wire, service.accounts.secret) == answer.json()["token"]
        assert signed_value(wire, b"another secret") is None
