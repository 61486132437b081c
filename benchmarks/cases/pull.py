"""Pull, against bare loops that ask the same questions and throw the answers away."""

from __future__ import annotations

import http.client
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import quote, urlsplit

from manabackup.mirror import Mirror
from manabackup.model.registry import load
from manabackup.operations.account.account_data import export_source
from manabackup.operations.account.key import unlock
from manabackup.operations.export import export
from manabackup.operations.pull import PullResult
from manabackup.operations.pull.account import pull as pull_account
from manabackup.remote.connection import Connection, connect
from manabackup.remote.session import StaticToken, sign_in
from manabackup.remote.transport import Transport

from ..data import Dataset, everyday
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run, typical
from ..report import Line, rate, seconds, time_ratio
from ..server import REAL_PACE, serving
from ..setting import Setting

CONNECTIONS = 8
FOREIGN_ROWS = 1_000_000
_EPOCH = "1970-01-01T00:00:00Z"
_UNTIL = re.compile(rb'"syncedUntil":"([^"]*)"')
_CLIENT = "a-client-that-never-pushes"


def measure(setting: Setting) -> list[Line]:
    """A pull of nothing new beside a million rows of others; a first pull, and an export that begins with one."""
    dataset = setting.data(everyday(3_000 if setting.quick else 55_000))
    with tempfile.TemporaryDirectory(dir=setting.scratch) as folder:
        mirror = str(Path(folder, "mirror.db"))
        with serving(dataset) as url:
            first = interleaved(setting.rounds, _first(dataset, url, str(Path(folder, "first.db"))))
        with serving(dataset, pace=REAL_PACE) as url:
            paced = interleaved(setting.rounds, _first(dataset, url, str(Path(folder, "first.db"))))
        with serving(dataset, foreign_rows=FOREIGN_ROWS) as url:
            token = token_of(url, dataset)
            _pull(dataset, url, mirror)
            jobs = {
                "bare": lambda: run(bare_round_trips, url=url, token=token),
                "pull": lambda: _pull(dataset, url, mirror),
            }
            again = interleaved(setting.rounds, jobs)
    requests = typical(again["bare"]).values["requests"]
    return [
        Line(
            f"pull, nothing new, {FOREIGN_ROWS:,} rows of others",
            seconds(again["pull"]),
            f"{requests} round trips {seconds(again['bare'])}",
            time_ratio(again["pull"], again["bare"]),
            "≤ 1.3",
        ),
        *_lines(dataset, "", first, ""),
        *_lines(dataset, f", at a real server's {REAL_PACE:,}/s", paced, "≤ 1.1"),
    ]


def _first(dataset: Dataset, url: str, mirror: str) -> dict[str, Callable[[], Measurement]]:
    token = token_of(url, dataset)
    return {
        "bare": lambda: run(bare_pages, url=url, token=token),
        "read": lambda: _pull(dataset, url, mirror, fresh=True, search=False),
        "pull": lambda: _pull(dataset, url, mirror, fresh=True),
        "export": lambda: run(
            export_all, url=url, token=token, mirror=mirror, key=dataset.master_key, expected=dataset.changes
        ),
    }


def _pull(dataset: Dataset, url: str, mirror: str, *, fresh: bool = False, search: bool = True) -> Measurement:
    token = token_of(url, dataset)
    return run(pull_all, url=url, token=token, mirror=mirror, fresh=fresh, search=search, expected=dataset.changes)


def _lines(dataset: Dataset, where: str, measured: dict[str, list[Measurement]], wanted: str) -> list[Line]:
    bare = f"one connection, answers thrown away {rate(measured['bare'], dataset.changes, 'changes')}"
    return [
        Line(
            f"pull of {dataset.changes:,} changes{where}",
            rate(measured["read"], dataset.changes, "changes"),
            bare,
            time_ratio(measured["read"], measured["bare"]),
            wanted,
        ),
        Line(
            "the same, and a search for unknown collections",
            rate(measured["pull"], dataset.changes, "changes"),
            bare,
            time_ratio(measured["pull"], measured["bare"]),
            "",
        ),
        Line(
            f"export of a fresh account{where}",
            seconds(measured["export"]),
            f"its pull {seconds(measured['pull'])}",
            time_ratio(measured["export"], measured["pull"]),
            "≤ 1.3" if wanted else "",
        ),
    ]


def pull_all(
    meter: Meter, *, url: str, token: str, mirror: str, fresh: bool, search: bool, expected: int
) -> dict[str, Any]:
    """What ``pull`` does once it is signed in; without ``search`` as if the server had been searched a while ago."""
    path = Path(mirror)
    if fresh:
        _forget(path)
    with _connected(url, token) as connection, _mirror(path, connection) as held:
        if not search:
            held.move_cursors(dict.fromkeys(load().apps, 0))
            held.remember("searchedAt", datetime.now(UTC).isoformat())
        with meter:
            result = pull_account(held, connection)
    _check(result, expected)
    return {"new": result.changes_new}


def export_all(meter: Meter, *, url: str, token: str, mirror: str, key: str, expected: int) -> dict[str, Any]:
    """What ``export`` does of an account that was never pulled, once it is signed in."""
    path = Path(mirror)
    _forget(path)
    with _connected(url, token) as connection, _mirror(path, connection) as held, meter:
        unlocked = unlock(held, connection, master_key=bytes.fromhex(key))
        result = pull_account(held, connection)
        with export_source(held, unlocked, connection) as source:
            export(source, path.with_suffix(".mana"), force=True)
    _check(result, expected)
    return {}


def _connected(url: str, token: str) -> AbstractContextManager[Connection]:
    return connect(StaticToken(token), auth_url=url, sync_url=url)


def _mirror(path: Path, connection: Connection) -> Mirror:
    return Mirror(path, sync_url=connection.sync.base_url, user_id=connection.user_id)


def _forget(path: Path) -> None:
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()


def _check(result: PullResult, expected: int) -> None:
    if result.changes_held != expected or result.losses:
        raise BrokenOutputError(f"{result.changes_held} changes held, {expected} expected, losses: {result.losses}")


def bare_pages(meter: Meter, *, url: str, token: str) -> dict[str, Any]:
    """Every page of every collection, as the cursors lead, on one connection."""
    with meter:
        requests = _all(url, token, _read_to_end, 1)
    return {"requests": requests}


def bare_round_trips(meter: Meter, *, url: str, token: str) -> dict[str, Any]:
    """One question for each collection, after everything that there is."""
    with meter:
        requests = _all(url, token, _ask_once, CONNECTIONS)
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


def _all(url: str, token: str, read: Callable[[_Bare, str, str], int], connections: int) -> int:
    kept = local()

    def work(task: tuple[str, str]) -> int:
        if not hasattr(kept, "bare"):
            kept.bare = _Bare(url, token)
        return read(kept.bare, *task)

    with ThreadPoolExecutor(connections) as pool:
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


def token_of(url: str, dataset: Dataset) -> str:
    with Transport(url) as transport:
        session = sign_in(transport, dataset.email, dataset.password)
        with connect(session, auth_url=url, sync_url=url) as connection:
            return connection.tokens.token()
