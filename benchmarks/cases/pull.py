"""Pull, against bare loops that ask the same questions and throw the answers away."""

from __future__ import annotations

import http.client
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import quote, urlsplit

from manabackup.mirror import Mirror
from manabackup.operations import pull
from manabackup.registry import load
from manabackup.remote.connection import connect
from manabackup.remote.session import StaticToken, sign_in
from manabackup.remote.sync import SyncClient
from manabackup.remote.transport import Transport

from ..data import Dataset, everyday
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run, typical
from ..report import Line, rate, seconds, time_ratio
from ..server import REAL_PACE, serving
from ..setting import Setting

CONNECTIONS = 8
_EPOCH = "1970-01-01T00:00:00Z"
_UNTIL = re.compile(rb'"syncedUntil":"([^"]*)"')
_CLIENT = "a-client-that-never-pushes"


def measure(setting: Setting) -> list[Line]:
    """A first pull, from a server as fast as the embedded one and as fast as a real one, and a pull of nothing new."""
    dataset = setting.data(everyday(3_000 if setting.quick else 55_000))
    with tempfile.TemporaryDirectory(dir=setting.scratch) as folder:
        mirror = str(Path(folder, "mirror.db"))
        with serving(dataset, pace=REAL_PACE) as url:
            paced = _first(setting, dataset, url, mirror)
        with serving(dataset) as url:
            first = _first(setting, dataset, url, mirror)
            again = interleaved(setting.rounds, _jobs(dataset, url, mirror, bare_round_trips, fresh=False))
    requests = typical(again["bare"]).values["requests"]
    return [
        Line(
            "pull, nothing new",
            seconds(again["pull"]),
            f"{requests} round trips {seconds(again['bare'])}",
            time_ratio(again["pull"], again["bare"]),
            "≤ 1.3",
        ),
        _line(dataset, f"pull of {dataset.changes:,} changes", first),
        _line(dataset, f"the same at a real server's {REAL_PACE:,}/s", paced),
    ]


def _first(setting: Setting, dataset: Dataset, url: str, mirror: str) -> dict[str, list[Measurement]]:
    jobs = _jobs(dataset, url, mirror, bare_pages, fresh=True)
    return interleaved(1 if setting.quick else 3, jobs)


def _jobs(
    dataset: Dataset, url: str, mirror: str, bare: Callable[..., dict[str, Any]], *, fresh: bool
) -> dict[str, Callable[[], Measurement]]:
    token = _token(url, dataset)
    return {
        "bare": lambda: run(bare, url=url, token=token),
        "pull": lambda: run(pull_all, url=url, token=token, mirror=mirror, fresh=fresh, expected=dataset.changes),
    }


def _line(dataset: Dataset, what: str, measured: dict[str, list[Measurement]]) -> Line:
    return Line(
        what,
        rate(measured["pull"], dataset.changes, "changes"),
        f"answers thrown away {rate(measured['bare'], dataset.changes, 'changes')}",
        time_ratio(measured["pull"], measured["bare"]),
        "≤ 1.1",
    )


def pull_all(meter: Meter, *, url: str, token: str, mirror: str, fresh: bool, expected: int) -> dict[str, Any]:
    """What ``pull`` does once it is signed in."""
    tokens = StaticToken(token)
    path = Path(mirror)
    if fresh:
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
    with (
        connect(tokens, auth_url=url, sync_url=url) as connection,
        Mirror(path, sync_url=url, user_id=connection.user_id) as held,
    ):
        client = SyncClient(connection.sync, connection.tokens, held.client_id)
        with meter:
            result = pull.run(held, client, load(), connections=CONNECTIONS)
    if result.changes_held != expected or result.losses:
        raise BrokenOutputError(f"{result.changes_held} changes held, {expected} expected, losses: {result.losses}")
    return {"new": result.changes_new}


def bare_pages(meter: Meter, *, url: str, token: str) -> dict[str, Any]:
    """Every page of every collection, as the cursors lead."""
    with meter:
        requests = _all(url, token, _read_to_end)
    return {"requests": requests}


def bare_round_trips(meter: Meter, *, url: str, token: str) -> dict[str, Any]:
    """One question for each collection, after everything that there is."""
    with meter:
        requests = _all(url, token, _ask_once)
    return {"requests": requests}


class _Bare:
    """A connection that stays open, and reads no more of an answer than where to go on."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._headers = {"Authorization": f"Bearer {token}", "X-Client-Id": _CLIENT}

    def ask(self, app: str, collection: str, since: str) -> bytes:
        path = f"/sync/{quote(app)}/pull?collection={quote(collection)}&since={quote(since)}"
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise BrokenOutputError(f"{app}/{collection}: {answer.status}")
        return body


def _all(url: str, token: str, read: Callable[[_Bare, str, str], int]) -> int:
    kept = local()

    def work(task: tuple[str, str]) -> int:
        if not hasattr(kept, "bare"):
            kept.bare = _Bare(url, token)
        return read(kept.bare, *task)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(work, sorted({(table.app, table.collection) for table in load().tables})))


def _read_to_end(bare: _Bare, app: str, collection: str) -> int:
    since, requests = _EPOCH, 0
    while True:
        body = bare.ask(app, collection, since)
        requests += 1
        # Both stand behind the changes.
        tail = body[-200:]
        found = _UNTIL.findall(tail)
        if b'"hasMore":true' not in tail:
            return requests
        since = found[-1].decode()


def _ask_once(bare: _Bare, app: str, collection: str) -> int:
    bare.ask(app, collection, "2030-01-01T00:00:00Z")
    return 1


def _token(url: str, dataset: Dataset) -> str:
    with Transport(url) as transport:
        session = sign_in(transport, dataset.email, dataset.password)
        with connect(session, auth_url=url, sync_url=url) as connection:
            return connection.tokens.token()
