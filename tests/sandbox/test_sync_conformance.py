"""The sandbox's sync server against recordings of the real one, exchange by exchange.

With ``MANABACKUP_CONFORMANCE_SYNC_URL`` and ``MANABACKUP_CONFORMANCE_TOKEN`` (and ``…_TOKEN_2`` of another user) the
exchanges that need nothing but HTTP run against that server too. They write rows into apps with random names.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.changelog import StoredChange
from manabackup.sandbox.tokens import SigningKey

from .sync_recordings import FOLDER, Replay, load, register, request_body


def us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000 + moment.microsecond


def rows(
    server: Sandbox,
    app: str,
    collection: str,
    first: int,
    last: int,
    at: Callable[[int], int | None],
    prefix: str = "r",
) -> None:
    """Rows as they were put straight into the real server's database."""
    server.log.append_many(
        StoredChange(
            "alice",
            "seed",
            app,
            {"table": collection, "id": f"{prefix}{n:06d}", "op": "insert", "data": {"n": n}},
            at(n),
        )
        for n in range(first, last + 1)
    )


def paging_2500(server: Sandbox) -> None:
    rows(server, "pg1", "items", 1, 2500, lambda n: us("2026-03-01T00:00:00Z") + n * 1_000)


def paging_boundary(server: Sandbox) -> None:
    for count in (1000, 1001):
        rows(server, "pg2", f"k{count}", 1, count, lambda n: us("2026-03-01T00:00:00Z") + n * 1_000)


def equal_1500(server: Sandbox) -> None:
    rows(server, "pg3", "same", 1, 1500, lambda n: us("2026-03-02T12:00:00.123456Z"))


def straddle(server: Sandbox) -> None:
    rows(server, "pg4", "mix", 1, 900, lambda n: us("2026-03-02T00:00:00Z") + n * 1_000, "a")
    rows(server, "pg4", "mix", 1, 300, lambda n: us("2026-03-02T01:00:00.5Z"), "b")
    rows(server, "pg4", "mix", 1, 800, lambda n: us("2026-03-02T02:00:00Z") + n * 1_000, "c")


def one_row(server: Sandbox) -> None:
    rows(server, "pg5", "us", 1, 1, lambda n: us("2026-03-03T00:00:00.123456Z"))


def six_thousand(server: Sandbox) -> None:
    change = {"table": "many", "op": "insert"}
    server.log.append_many(StoredChange("alice", "seed", "pg7", {**change, "id": f"r{n:06d}"}) for n in range(1, 6_001))


def late_commit(server: Sandbox) -> None:
    created = server.log.now_ns() // 1_000 - 200_000
    server.log.append(
        "alice", "w2", "rc1", {"table": "t", "id": "late", "op": "insert", "data": {"x": 1}}, created_at_us=created
    )


def unpaid(server: Sandbox) -> None:
    register(server, "unpaid-1")
    server.accounts.set_subscription("unpaid-1", active=False)


def memberships(server: Sandbox) -> None:
    register(server, "alice", "space-team-1")
    register(server, "bob", "space-team-1", "space-other")


def poison(server: Sandbox) -> None:
    for collection, record_id, poisoned in (("t", "bad", True), ("t2", "bad", True), ("t3", "nul", False)):
        change = {"table": collection, "id": record_id, "op": "insert"}
        server.log.append("alice", "seed", "pois", change, poisoned=poisoned)


def membership_outage(server: Sandbox) -> None:
    server.faults.membership_outage = True


def membership_back(server: Sandbox) -> None:
    server.faults.membership_outage = False


def dave_joins(server: Sandbox) -> None:
    register(server, "dave", "space-team-1")
    server.forget_memberships()


def jwks_outage(server: Sandbox) -> None:
    server.accounts.jwks_outage = True


def padded(length: int) -> bytes:
    """A push of one row of exactly ``length`` bytes."""
    start = (
        b'{"clientId":"w","since":"2999-01-01T00:00:00Z","changes":[{"table":"t","id":"1","op":"insert","data":{"v":"'
    )
    end = b'"}}]}'
    return start + b"x" * (length - len(start) - len(end)) + end


def nested(depth: int) -> bytes:
    start = b'{"clientId":"w","since":"2999-01-01T00:00:00Z","changes":[{"table":"poison-depth%d","id":"1",' % depth
    return start + b'"op":"insert","data":{"v":' + b"[" * depth + b"]" * depth + b"}}]}"


@dataclass(frozen=True)
class Scenario:
    """How to replay one recording."""

    prelude: tuple[tuple[str, int], ...] = ()
    """Exchanges of another recording whose rows this one saw: the number, and how many."""
    before: Mapping[int, Callable[[Sandbox], None]] = field(default_factory=dict)
    """What was done to the server directly, before the exchange of that index."""
    bodies: Mapping[int, bytes] = field(default_factory=dict)
    """Request bodies that the recording cut."""
    live: bool = False
    """Needs HTTP only."""


SCENARIOS = {
    "01": Scenario(live=True),
    "02": Scenario(live=True),
    "03": Scenario(prelude=(("02", 3),), live=True),
    "04": Scenario(prelude=(("02", 3),), live=True),
    "05": Scenario(prelude=(("02", 3),), live=True),
    "06": Scenario(before={0: paging_2500}),
    "07": Scenario(before={0: paging_boundary}),
    "08": Scenario(before={0: equal_1500}),
    "09": Scenario(before={0: straddle}),
    "10": Scenario(before={0: one_row}),
    "11": Scenario(before={0: six_thousand}),
    "12": Scenario(before={1: late_commit}),
    "13": Scenario(prelude=(("02", 3),), before={24: unpaid}),
    "14": Scenario(live=True),
    "15": Scenario(live=True),
    "16": Scenario(live=True),
    "17": Scenario(
        bodies={
            **{
                index: padded(length) for index, length in enumerate((10485759, 10485760, 10485761, 10489856, 20971520))
            },
            5: padded(1000).ljust(11535336),
        },
        live=True,
    ),
    "18": Scenario(before={0: memberships}),
    "19": Scenario(live=True),
    "20": Scenario(before={0: poison}),
    "21": Scenario(live=True),
    "22": Scenario(before={0: jwks_outage}),
    "25": Scenario(bodies={2: nested(1200), 4: nested(9996)}, live=True),
    "26": Scenario(prelude=(("18", 5),), before={0: membership_outage, 1: membership_back, 4: dave_joins}),
}

EXCEPTIONS = {
    ("16", 59): "a pull whose push is among those left out of the recording",
    ("16", 60): "a remark that 250 more exchanges were left out; the round trips are tested in test_sync_findings",
}
WITHOUT_EXCHANGES = {
    "23": "a race between processes; the sandbox stamps late commits on demand: test_sync_findings",
    "24": "60,000 ties, findings only: test_sync_findings",
    "30": "measured speed",
}


def replayed(number: str) -> list[tuple[int, dict[str, Any]]]:
    """The exchanges of a recording in the order in which they took place."""
    exchanges = [(i, e) for i, e in enumerate(load(number).get("exchanges", ())) if (number, i) not in EXCEPTIONS]
    if number == "16":  # each push was written down after the pull that followed it
        for at in range(len(exchanges) - 1):
            this, following = exchanges[at][1]["request"], exchanges[at + 1][1]["request"]
            if (this["method"], following["method"]) == ("GET", "POST"):
                exchanges[at], exchanges[at + 1] = exchanges[at + 1], exchanges[at]
    return exchanges


def forged(accounts: Accounts) -> dict[str, str]:
    """Authorization headers by the notes of recording 13."""
    now = int(time.time())
    good = {"sub": "alice", "exp": now + 900}
    kid = accounts.key_set()["keys"][0]["kid"]

    def bearer(claims: Mapping[str, Any], **header: str) -> str:
        return f"Bearer {accounts.sign(dict(claims), header=dict(header) or None)}"

    return {
        "Bearer with nothing": "Bearer ",
        "lower-case scheme": bearer(good).replace("Bearer", "bearer"),
        "Basic scheme": "Basic YTpi",
        "garbage token": "Bearer garbage",
        "three garbage segments": "Bearer ?.?.?",
        "expired (exp = now-60)": bearer(good | {"exp": now - 60}),
        "expired 1 s ago (no leeway?)": bearer(good | {"exp": now - 1}),
        "no exp claim at all": bearer({"sub": "alice"}),
        "wrong key, right kid": f"Bearer {SigningKey(bytes(32), kid).sign(good)}",
        "unknown kid": bearer(good, alg="EdDSA", kid="other"),
        "no kid": bearer(good, alg="EdDSA"),
        "alg none": bearer(good, alg="none", kid=kid),
        "alg HS256": bearer(good, alg="HS256", kid=kid),
        "sub missing": bearer({"exp": now + 900}),
        "sub empty": bearer(good | {"sub": ""}),
        "nbf in future": bearer(good | {"nbf": now + 600}),
        "iat in future": bearer(good | {"iat": now + 600}),
        "foreign iss and aud": bearer(good | {"iss": "https://elsewhere.example", "aud": "other"}),
        "trailing space": bearer(good) + " ",
        "two spaces": bearer(good).replace(" ", "  "),
        "sub not string": bearer(good | {"sub": 5}),
        "POST with bad token": "Bearer garbage",
        "POST bad token + bad JSON: auth first": "Bearer garbage",
        "bad token": "Bearer garbage",
    }


class Authorizations(dict[str, str]):
    """Recorded ``auth`` → header, signed when asked for."""

    def __init__(self, accounts: Accounts) -> None:
        super().__init__()
        self._accounts = accounts

    def __missing__(self, recorded: str) -> str:
        user = recorded.removeprefix("Bearer <token for ").removesuffix(">")
        return f"Bearer {self._accounts.issue_token(user)}"


def play(
    replay: Replay, number: str, scenario: Scenario, server: Sandbox | None, notes: Mapping[str, str]
) -> list[str]:
    for earlier, count in scenario.prelude:
        if server is not None and 0 in SCENARIOS[earlier].before:
            SCENARIOS[earlier].before[0](server)
        for _, exchange in replayed(earlier)[:count]:
            replay_one(replay, exchange, None, notes)
    found = []
    for index, exchange in replayed(number):
        if index in scenario.before and server is not None:
            scenario.before[index](server)
        differences = replay_one(replay, exchange, scenario.bodies.get(index), notes)
        found += [f"[{index}] {exchange.get('note')}: {difference}" for difference in differences]
    return found


def replay_one(replay: Replay, exchange: dict[str, Any], rebuilt: bytes | None, notes: Mapping[str, str]) -> list[str]:
    request = exchange["request"]
    recorded_auth = request["auth"]
    if recorded_auth == "none":
        auth = None
    elif recorded_auth == "<see note>":
        auth = notes[exchange["note"]]
    else:
        auth = replay.authorization[recorded_auth]
    body = replay.body(request_body(request, rebuilt))
    return replay.differences(request, exchange["response"], body, auth)


@pytest.mark.parametrize("number", SCENARIOS)
def test_the_sandbox_answers_as_the_real_server_did(number: str) -> None:
    with Sandbox() as server:
        replay = Replay(server.url, Authorizations(server.accounts))
        assert play(replay, number, SCENARIOS[number], server, forged(server.accounts)) == []


def test_every_recorded_exchange_is_replayed_or_excused() -> None:
    recordings = {path.name[:2]: len(load(path.name[:2]).get("exchanges", ())) for path in FOLDER.glob("*.json")}
    assert set(recordings) == set(SCENARIOS) | set(WITHOUT_EXCHANGES)
    assert all(recordings[number] == 0 for number in WITHOUT_EXCHANGES)
    count = sum(len(replayed(number)) for number in SCENARIOS)
    assert count == sum(recordings.values()) - len(EXCEPTIONS)
    assert (count, len(EXCEPTIONS)) == (277, 2)


LIVE_URL = os.environ.get("MANABACKUP_CONFORMANCE_SYNC_URL")


@pytest.mark.skipif(LIVE_URL is None, reason="no other server was named")
@pytest.mark.parametrize("number", [number for number, scenario in SCENARIOS.items() if scenario.live])
def test_another_server_answers_as_the_real_server_did(number: str) -> None:
    assert LIVE_URL is not None
    authorization = {"Bearer <token for alice>": f"Bearer {os.environ['MANABACKUP_CONFORMANCE_TOKEN']}"}
    if second := os.environ.get("MANABACKUP_CONFORMANCE_TOKEN_2"):
        authorization["Bearer <token for zoe>"] = f"Bearer {second}"
    elif number == "03":
        pytest.skip("needs a second user")
    replay = Replay(LIVE_URL, authorization, app_suffix=f"-{uuid.uuid4().hex}")
    assert play(replay, number, SCENARIOS[number], None, {"bad token": "Bearer garbage"}) == []
