"""Follow: what a follower costs while another device writes without a pause, and whether its memory stays as it is."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from manabackup.cli.memory import share_one_heap
from manabackup.mirror import Mirror
from manabackup.operations.follow.events import Happening
from manabackup.operations.follow.following import Follower
from manabackup.operations.follow.record import FollowRecord
from manabackup.operations.follow.settings import FollowSettings, Surroundings
from manabackup.remote.connection import connect
from manabackup.remote.session import StaticToken, sign_in
from manabackup.remote.sync import PushClient
from manabackup.remote.transport import Transport

from ..data import everyday
from ..measure import MIB, BrokenOutputError, Meter, run
from ..report import Line
from ..server import serving
from ..setting import Setting

_BATCH = 5
_PAUSE = 0.05
"""Seconds between two pushes."""
_WARM = 0.5
"""The part of all changes after which memory is what it is: from then on each pull reads two minutes once more."""


def measure(setting: Setting) -> list[Line]:
    """Some thousand events, as fast as the embedded server takes them beside everything else."""
    dataset = setting.data(everyday(1_000))
    events = 500 if setting.quick else 10_000
    mirror = setting.scratch / "follow.sqlite"
    with serving(dataset) as url, Transport(url) as transport:
        session = sign_in(transport, dataset.email, dataset.password)
        with connect(session, auth_url=url, sync_url=url) as connection:
            token = connection.tokens.token()
        with _writing(url, token, events, _sign(mirror)):
            done = run(follow_to_the_end, url=url, token=token, mirror=str(mirror), events=events)
    values = done.values
    grown = values["resident"] - values["warm"]
    return [
        Line(
            f"follow, {events:,} changes one after the other",
            f"{values['pulls']:,} pulls, CPU {done.cpu:.1f} s",
            f"in {done.wall:.0f} s",
            f"{done.cpu / done.wall:.2f}",
            "",
        ),
        Line(
            "follow, memory at the end",
            f"{values['resident'] / MIB:.1f} MB",
            f"at half of it {values['warm'] / MIB:.1f} MB",
            f"{values['resident'] / values['warm']:.2f} ({grown / MIB:+.1f} MB)",
            "≤ 1.05",
        ),
        Line(
            "follow, from the word of a change to the mirror",
            f"{values['median']:.2f} s",
            f"longest {values['longest']:.2f} s",
            "",
            "seconds",
        ),
    ]


@contextmanager
def _writing(url: str, token: str, events: int, begin: Path) -> Iterator[None]:
    """Another device, in a thread of this process, as soon as a file is there and while the block runs."""
    over = threading.Event()

    def write() -> None:
        while not begin.exists() and not over.wait(_PAUSE):
            pass
        numbers = count()
        with Transport(url) as transport:
            writer = PushClient(transport, StaticToken(token), "a-phone")
            written = 0
            while written < events and not over.wait(_PAUSE):
                size = min(_BATCH, events - written)
                writer.push("todo", [_change(next(numbers)) for _ in range(size)])
                written += size

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _change(number: int) -> bytes:
    data = {"order": number, "writtenAt": time.time()}
    return json.dumps({"table": "tasks", "id": f"written-{number}", "op": "insert", "data": data}).encode()


def follow_to_the_end(meter: Meter, *, url: str, token: str, mirror: str, events: int) -> dict[str, Any]:
    """Follows until everything is held."""
    share_one_heap()  # as the command does
    path = Path(mirror)
    pauses: list[float] = []
    warm = pulls = new = 0
    with connect(StaticToken(token), auth_url=url, sync_url=url) as connection:

        def opened() -> Mirror:
            return Mirror(path, sync_url=connection.sync.base_url, user_id=connection.user_id)

        told_at: list[datetime] = []

        def keep(record: FollowRecord) -> None:
            if record.pending_since is not None:
                told_at[:] = [record.pending_since]

        follower = Follower(
            connection, opened, FollowSettings(duration=1_800.0, longest_rest=0.0), Surroundings(keep=keep)
        )
        with meter:
            for happened in follower.run():
                if happened.what is Happening.STARTED:
                    _sign(path).touch()
                if happened.what in (Happening.PULLED, Happening.LOOKED):
                    new += int(str(happened.facts["new"]))
                    pulls += 1
                    if not warm and new >= events * _WARM:
                        warm = _resident()
                    pauses += [(datetime.now(UTC) - moment).total_seconds() for moment in told_at]
                    told_at.clear()
                if new >= events:
                    follower.stop()
    if new != events or not warm:
        raise BrokenOutputError(f"{new} changes pulled, {events} written, in {pulls} pulls")
    pauses.sort()
    return {
        "pulls": pulls,
        "warm": warm,
        "resident": _resident(),
        "median": pauses[len(pauses) // 2],
        "longest": pauses[-1],
    }


def _sign(mirror: Path) -> Path:
    """Is there when the follower listens."""
    return mirror.with_suffix(".follows")


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
