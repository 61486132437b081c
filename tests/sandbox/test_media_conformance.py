"""The sandbox's services that keep files answer as the real ones were recorded to.

With ``MANABACKUP_CONFORMANCE_MEDIA_URL`` (an origin, without ``/api/v1``) a media service that runs elsewhere is asked,
too, and with ``MANABACKUP_CONFORMANCE_API_URL`` and ``MANABACKUP_CONFORMANCE_TOKEN`` (and ``…_TOKEN_2`` of somebody
else) the part of mana-api beside it that keeps documents and songs. What is stored there for the purpose stays there.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from manabackup.remote.session import read_claims
from manabackup.sandbox import FileFault, FileScript, Sandbox
from tests.support.clock import Clock
from tests.support.patience import PATIENCE

from .media_recordings import FOLDER, PUBLIC, PUBLIC_2, Bodies, Replay, load, send

ANNA, BEAT = "kQ7xInventedUserAnna0000000000000", "mB2yInventedUserBeat000000000000"
ORIGINS = ("https://mana.example.org", "https://photos.example.org")
JPEG = "dc80d642-d0d8-4b15-a72e-a80548e63355"
API = ("20", "21", "22", "23", "24", "25", "26", "27")

Step = Callable[[Sandbox, Replay], None]


def failing(fault: FileFault, short: float = 0.5) -> Step:
    """The fault, at each request from now on."""

    def step(box: Sandbox, replay: Replay) -> None:
        box.faults.files, box.faults.short, box.faults.silence_seconds = FileScript(fault, times=None), short, 0.0

    return step


def well(box: Sandbox, replay: Replay) -> None:
    box.faults.files = lambda method, target: None


def part(length: int, of: int) -> Step:
    """A body of so many bytes."""
    return failing(FileFault.SHORT, (length + 0.5) / of)


def lose(box: Sandbox, replay: Replay) -> None:
    box.files.lose(replay.known[JPEG])


def used_up(box: Sandbox, replay: Replay) -> None:
    """The requests that the recording leaves out."""
    headers = {"X-Forwarded-For": "203.0.113.77"}
    for _ in range(197):
        send(box.api_url, "GET", "/api/v1/music/songs/x/cover-url", headers)


def one_more(box: Sandbox, replay: Replay) -> None:
    send(box.api_url, "GET", "/api/v1/music/songs/x/cover-url", {"X-Forwarded-For": "203.0.113.77"})


def in_production(box: Sandbox, replay: Replay) -> None:
    box.link_to("https://objects.example.org", bucket_hosts=True)


@dataclass(frozen=True)
class Scenario:
    """How to replay one recording."""

    prelude: tuple[str, ...] = ("01",)
    """Recordings that the same servers saw before."""
    before: Mapping[int, Step] = field(default_factory=dict)
    """What happened to the servers before the exchange of that index."""
    hasty: frozenset[int] = frozenset()
    """Exchanges that followed the one before at once."""
    exceptions: Mapping[int, str] = field(default_factory=dict)
    live: bool = False
    """Can be asked of a server of which nothing else is known."""


UNDECODED = "the sandbox decodes no picture: it cannot transform SVG and TIFF, nor write AVIF"
OTHER_STORE = "another store's own words; those that are held are in 25"
RACE = "the sandbox stores one upload at a time, so that none of several fails"
COST = "a hundred MiB and more; the limit is tried with a smaller one: test_media_behaviour"

SCENARIOS = {
    "01": Scenario(prelude=(), live=True, hasty=frozenset({0})),
    "02": Scenario(prelude=(), live=True),
    "03": Scenario(live=True),
    "04": Scenario(exceptions=dict.fromkeys((4, 12, 16), UNDECODED), live=True),
    "05": Scenario(live=True),
    "06": Scenario(exceptions={17: "those without a date come in the order of the real database's pages"}),
    "07": Scenario(prelude=(), exceptions=dict.fromkeys((9, 10, 11, 12), RACE), live=True),
    "08": Scenario(prelude=("07",), hasty=frozenset({1}), live=True),
    "09": Scenario(),
    "10": Scenario(
        before={
            2: failing(FileFault.STORE_AWAY),
            10: part(1455104, 3145728),
            9: failing(FileFault.STORE_AWAY),
            11: well,
            12: failing(FileFault.SHORT),
            13: failing(FileFault.STORE_AWAY),
            15: failing(FileFault.CUT, (149436 + 0.5) / 206396),
            16: failing(FileFault.SILENT),
            17: well,
        }
    ),
    "11": Scenario(before={0: failing(FileFault.STORE_AWAY)}),
    "12": Scenario(before={0: lose}),
    "13": Scenario(before={0: failing(FileFault.DATABASE_AWAY)}),
    "14": Scenario(before={0: failing(FileFault.QUEUE_AWAY)}),
    "15": Scenario(
        prelude=(),
        exceptions={
            **dict.fromkeys((0, 1, 2, 3, 4), COST),
            **dict.fromkeys((5, 6), "refused by the announced length: test_media_behaviour"),
            **dict.fromkeys((7, 8), "bytes on the wire: test_media_behaviour"),
        },
    ),
    "16": Scenario(prelude=(), exceptions=dict.fromkeys(range(3), RACE)),
    "17": Scenario(prelude=()),
    "18": Scenario(exceptions=dict.fromkeys(range(10), "clients that stand still: test_media_behaviour")),
    "19": Scenario(exceptions=dict.fromkeys(range(6), "one connection: test_media_behaviour")),
    "20": Scenario(exceptions=dict.fromkeys((12, 13, 14), OTHER_STORE), live=True),
    "21": Scenario(prelude=("01", "20"), exceptions=dict.fromkeys((1, 3, 4, 8, 12), OTHER_STORE), live=True),
    "22": Scenario(prelude=("01", "20", "21")),
    "23": Scenario(prelude=(), before={0: failing(FileFault.STORE_UNSET)}),
    "24": Scenario(prelude=(), before={2: used_up, 4: one_more}),
    "25": Scenario(exceptions={7: "a HEAD's Content-Length is that of the refusal, which does not come"}),
    "26": Scenario(prelude=(), before={0: in_production}),
    "27": Scenario(prelude=(), before={0: failing(FileFault.STORE_AWAY)}),
    "28": Scenario(exceptions={}),
    "29": Scenario(prelude=("01", "07", "08"), hasty=frozenset({1, 2, 3, 4})),
    "30": Scenario(
        prelude=("01", "10"),
        before={
            0: part(149498, 206396),
            1: part(19498, 206396),
            2: part(998, 206396),
            3: part(1999426, 3145728),
            4: part(2443, 5048),
            5: part(39, 191),
            7: failing(FileFault.SHORT),
            8: well,
        },
        exceptions={6: "a variant's length is the sandbox's own"},
    ),
}


@contextmanager
def served(number: str) -> Iterator[tuple[Sandbox, Replay, Clock, str]]:
    """The servers, and another media service for recording 28."""
    clock = Clock()
    origins = None if number == "17" else ORIGINS
    with Sandbox(clock=clock, origins=origins) as box, Sandbox(clock=clock) as other:
        for user in (ANNA, BEAT):
            box.accounts.create_user(f"{user}@example.org", "password", user, user_id=user, bootstrap=False)
        now = clock() // 1_000_000_000
        old = box.accounts.claims(box.accounts.issue_token(ANNA))
        assert old is not None
        tokens = {
            "Bearer <JWT of anna>": f"Bearer {box.accounts.issue_token(ANNA)}",
            "Bearer <JWT of beat>": f"Bearer {box.accounts.issue_token(BEAT)}",
            "Bearer <JWT of old>": f"Bearer {box.accounts.sign({**old, 'exp': now - 60})}",
        }
        public = {PUBLIC: f"{box.media_url}/api/v1"}
        public[PUBLIC_2] = public[PUBLIC] if number == "17" else f"{other.media_url}/api/v1"
        yield box, Replay(box.media_url, tokens, box.store_url, public), clock, other.media_url


def play(number: str, scenario: Scenario, *, compared: bool = True) -> list[str]:
    with served(number) as (box, replay, clock, other):
        for earlier in scenario.prelude:
            _play(earlier, SCENARIOS[earlier], (box, replay, clock, other))
            well(box, replay)
        return _play(number, scenario, (box, replay, clock, other))


def _play(number: str, scenario: Scenario, servers: tuple[Sandbox, Replay, Clock, str]) -> list[str]:
    box, replay, clock, other = servers
    found = []
    for at, exchange in enumerate(load(number)):
        if at in scenario.before:
            scenario.before[at](box, replay)
        if at in scenario.exceptions:
            continue
        if at not in scenario.hasty:
            clock.skip(timedelta(milliseconds=400))
        note = str(exchange.get("note"))
        url = box.api_url if number in API else other if note.startswith("server 2") else None
        differences = replay.differences(exchange["request"], exchange.get("response", {}), url)
        found += [f"[{at}] {note}: {difference}" for difference in differences]
    return found


@pytest.mark.parametrize("number", SCENARIOS)
def test_the_sandbox_answers_as_the_real_services_did(number: str) -> None:
    assert play(number, SCENARIOS[number]) == []


def test_every_recorded_exchange_is_replayed_or_excused() -> None:
    recordings = {path.name[:2]: len(load(path.name[:2])) for path in FOLDER.glob("*.json")}
    assert set(recordings) == set(SCENARIOS)
    excused = sum(len(scenario.exceptions) for scenario in SCENARIOS.values())
    assert (sum(recordings.values()), excused) == (456, 46)


LIVE_URL = os.environ.get("MANABACKUP_CONFORMANCE_MEDIA_URL")
LIVE_API_URL = os.environ.get("MANABACKUP_CONFORMANCE_API_URL")
SECOND_TOKEN = "MANABACKUP_CONFORMANCE_TOKEN_2"
HEIC = "the HEIC here has no picture in it"
EMPTY = "there is one empty file, and another run had it"
LIVE_EXCEPTIONS: Mapping[str, Mapping[int, str]] = {
    "01": {**dict.fromkeys((18, 19, 20, 21, 38), HEIC), **dict.fromkeys((39, 40, 41), EMPTY)},
    "03": {**dict.fromkeys((34, 35), HEIC), **dict.fromkeys((46, 47), EMPTY)},
    "04": {19: EMPTY, 20: HEIC},
}


class Salted(Replay):
    """Every body and every user is new to a server that has seen another run."""

    def __init__(self, url: str, public: str, tokens: Mapping[str, str] | None = None) -> None:
        salt = uuid.uuid4().hex
        names = {ANNA: ANNA[:16] + salt, BEAT: BEAT[:15] + salt}
        for who, name in (("anna", ANNA), ("beat", BEAT)):
            login = f"Bearer <JWT of {who}>"
            if tokens and login in tokens:
                names[name] = str(read_claims(tokens[login].removeprefix("Bearer ")).user_id)
        super().__init__(url, tokens or {}, public={PUBLIC: public, **names})
        self.bodies = Bodies(salt)
        self.uncompared |= {"x-ratelimit-remaining"}  # others ask, too


def settle(replay: Replay) -> None:
    """Waits until the picture that was uploaded is no longer being processed."""
    told = re.match(rb'\{"id":"([0-9a-f-]{36})","status":"processing"', replay.last.body)
    end = time.monotonic() + PATIENCE
    while told is not None and b'"status":"processing"' in _medium(replay, told[1].decode()):
        assert time.monotonic() < end


def _medium(replay: Replay, media_id: str) -> bytes:
    return send(replay.url, "GET", f"/api/v1/media/{media_id}").body


def live_tokens() -> dict[str, str]:
    """Recorded ``Authorization`` → one of a user whom the other server knows."""
    given = {"anna": os.environ.get("MANABACKUP_CONFORMANCE_TOKEN"), "beat": os.environ.get(SECOND_TOKEN)}
    return {f"Bearer <JWT of {who}>": f"Bearer {token}" for who, token in given.items() if token}


def is_unknown(request: Mapping[str, Any], tokens: Mapping[str, str]) -> bool:
    """Whether a request is one of somebody whose token is not there."""
    login = str((request.get("headers") or {}).get("Authorization", ""))
    return login.startswith("Bearer <JWT") and login not in tokens


@pytest.mark.skipif(LIVE_URL is None, reason="no other server was named")
@pytest.mark.parametrize("number", [number for number, scenario in SCENARIOS.items() if scenario.live])
def test_another_server_answers_as_the_real_services_did(number: str) -> None:
    assert LIVE_URL is not None
    if number in API and LIVE_API_URL is None:
        pytest.skip("no other API was named")
    tokens = live_tokens() if number in API else {}
    public = os.environ.get("MANABACKUP_CONFORMANCE_MEDIA_PUBLIC_URL", f"{LIVE_URL}/api/v1")
    replay = Salted(LIVE_URL, public, tokens)
    found = []
    for name in (*SCENARIOS[number].prelude, number):
        excused = {*SCENARIOS[name].exceptions, *LIVE_EXCEPTIONS.get(name, ())}
        for at, exchange in enumerate(load(name)):
            if at in excused or is_unknown(exchange["request"], tokens):
                continue
            if at not in SCENARIOS[name].hasty:
                settle(replay)
            url = LIVE_API_URL if name in API else None
            differences = replay.differences(exchange["request"], exchange.get("response", {}), url)
            found += [f"{name}[{at}] {difference}" for difference in differences]
    assert found == []
