"""`follow` as a process of its own: lines as it goes, an end by signal, and other commands beside it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from manabackup.operations.account.state import StateFolder
from manabackup.operations.follow.record import FollowerPlace, FollowRecord
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import PushClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Sandbox
from manabackup.sandbox.faults import StreamFault
from manabackup.text import jsontext
from tests.faults.acts import cut_at, hangs_up, resets, writes
from tests.support.homes import Computer, Owner, assert_refused
from tests.support.line import Act, Line, Request
from tests.support.patience import PATIENCE
from tests.support.schemas import check

SECONDS = float(os.environ.get("MANABACKUP_FOLLOW_SECONDS", "5"))
"""How long an account is followed under random faults."""


class Followed:
    """A follower that says what it does, a line each."""

    def __init__(self, computer: Computer, *arguments: str) -> None:
        self.process = computer.start("follow", "--json", *arguments)
        self.lines: list[dict[str, jsontext.JSON]] = []

    def until(self, what: str) -> dict[str, jsontext.JSON]:
        """The next line of a kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(jsontext.parse(line.encode()))
            check("follow", self.lines[-1])
            if self.lines[-1]["event"] == what:
                return self.lines[-1]
        raise AssertionError((self.lines, self.process.stderr and self.process.stderr.read()))

    @property
    def new(self) -> int:
        """Changes that were told of as pulled since the first pull."""
        return sum(int(str(each["new"])) for each in self.lines if each["event"] in ("pulled", "looked"))

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, dict[str, jsontext.JSON], str]:
        """Exit code, the last line, and what was said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        for line in out.splitlines():
            self.lines.append(jsontext.parse(line.encode()))
            check("follow", self.lines[-1])
        return self.process.returncode, self.lines[-1], err


def push(box: Sandbox, owner: Owner, name: str) -> None:
    """The owner's phone writes a task."""
    tokens = StaticToken(box.accounts.issue_token(owner.account.user_id))
    change = {
        "table": "tasks",
        "id": name,
        "op": "insert",
        "data": {"order": 1, "spaceId": owner.account.personal_space},
    }
    with Transport(box.url) as transport:
        assert PushClient(transport, tokens, "phone").push("todo", [jsontext.dumps(change)]).status == 200


def resident(process: int) -> int:
    """MiB of a process."""
    fields = Path(f"/proc/{process}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def wait_until_listened_to(line: Line, app: str = "todo") -> None:
    until = time.monotonic() + PATIENCE
    while not any(target.startswith(f"/sync/{app}/stream") for _, target in line.asked):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_changes_are_pulled_at_once_and_a_signal_is_the_usual_end(
    stocked: Computer, owner: Owner, box: Sandbox, line: Line, number: signal.Signals
) -> None:
    line.forget()
    followed = Followed(stocked)
    followed.until("started")
    wait_until_listened_to(line)
    push(box, owner, f"by-{number.name}")
    while followed.until("pulled")["new"] == 0:  # because a stream has spoken for the first time
        pass
    assert followed.lines[-1]["new"] == 1
    code, ended, err = followed.end(number)
    assert (code, ended["event"], ended["pending"], err) == (0, "ended", False, "")
    assert stocked("status", "--json").record["follower"]["running"] is False


def test_for_as_long_as_it_is_let_nothing_is_missed_and_nothing_is_twice(
    stocked: Computer, owner: Owner, box: Sandbox, line: Line
) -> None:
    """Under random faults of streams and pulls, of which one in a hundred answers is cut short."""
    line.forget()
    chance = random.Random(SECONDS)
    faults = list(StreamFault)

    def disturbed(_: str, name: str) -> StreamFault | None:
        return chance.choice(faults) if chance.random() < (0.02 if name == "heartbeat" else 0.2) else None

    def judge(request: Request) -> Act | None:
        if request.method != "GET" or "/stream" in request.target or chance.random() > 0.01:
            return None
        return chance.choice([hangs_up, resets, writes(cut_at(0.5))])

    followed = Followed(stocked, "--look-every", "60s")
    before = int(str(followed.until("started")["held"]))
    wait_until_listened_to(line)
    reading = threading.Thread(target=followed.until, args=["ended"])
    reading.start()
    box.faults.streams = disturbed
    written, sizes = 0, []
    until = time.monotonic() + SECONDS
    with line.under(judge):
        while time.monotonic() < until:
            for _ in range(chance.choice([1, 1, 1, 5, 40])):
                push(box, owner, f"soak-{written}")
                written += 1
            sizes.append(resident(followed.process.pid))
            time.sleep(chance.random() * 3)
    box.faults.streams = lambda *_: None
    print(
        f"{written} changes; MiB: {sizes[len(sizes) // 5]} after a fifth, {sizes[-1]} in the end, {max(sizes)} at most"
    )
    until = time.monotonic() + PATIENCE
    while followed.new < written and reading.is_alive() and time.monotonic() < until:
        time.sleep(0.05)
    followed.process.send_signal(signal.SIGTERM)
    reading.join()
    _, err = followed.process.communicate()
    ended = followed.lines[-1]
    assert (followed.process.returncode, followed.new, err) == (0, written, "")
    assert ended["pending"] is False
    assert stocked("status", "--json").record["mirror"]["changes"] == before + written


def test_other_commands_work_beside_it_and_a_second_one_is_told_so(
    stocked: Computer, box: Sandbox, line: Line, tmp_path: Path
) -> None:
    line.forget()
    followed = Followed(stocked)
    followed.until("started")
    done = stocked.export("--wait", "600")
    assert done.code in (0, 3), done.err
    follower = stocked("status", "--json").record["follower"]
    assert (follower["running"], follower["process"]) == (True, followed.process.pid)
    assert f"running (process {followed.process.pid})" in stocked("status").out
    assert_refused(stocked("follow"), 11, f"`manabackup follow` (process {followed.process.pid}) follows this account")
    assert followed.process.poll() is None
    followed.end()


def test_archives_are_written_at_the_beginning_sealed_and_whole(stocked: Computer, tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    followed = Followed(
        stocked, "--export-every", "1h", "--to", str(folder / "mana-{date}.mana"), "--seal", "--private"
    )
    told = followed.until("exported")
    code, _, _ = followed.end()
    assert (code, told["status"]) in [(3, "partial"), (0, "complete")]
    (archive,) = folder.iterdir()
    assert told["archive"] == str(archive)
    assert "{" not in archive.name
    verified = stocked("verify", str(archive), "--json")
    assert verified.record["sealed"] is True


def test_a_first_archive_that_cannot_be_written_ends_it_with_that_error(stocked: Computer, tmp_path: Path) -> None:
    stocked.environ.pop("MANABACKUP_RECOVERY_CODE")
    done = stocked("follow", "--export-every", "1h", "--to", str(tmp_path / "a.mana"), "--json")
    assert done.code == 2
    assert "recovery code" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--export-every", "1h"], 2, "go together"),
        (["--to", "x.mana"], 2, "go together"),
        (["--seal"], 2, "go together"),
        (["--retain", "2d"], 2, "go together"),
        (["--export-every", "1h", "--to", "x-{date}.mana", "--retain", "2d"], 2, "--retain is for buckets"),
        (["--export-every", "1h", "--to", "s3://b/x-{date}.mana", "--retain", "ever"], 2, "span of time"),
        (["--export-every", "1s", "--to", "x.mana"], 2, "at least 60s"),
        (["--export-every", "1h", "--to", "x.mana", "--private"], 2, "goes with --seal"),
        (["--export-every", "1h", "--to", "-"], 2, "into files"),
        (["--export-every", "1h", "--to", "nowhere/x.mana"], 10, "does not exist"),
        (["--export-every", "1h", "--to", "{date}/x.mana"], 2, "file's name"),
        (["--look-every", "1s"], 2, "at least 10s"),
        (["--for", "soon"], 2, "not a span of time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_said_before_anything_is_done(
    stocked: Computer, line: Line, arguments: list[str], code: int, words: str
) -> None:
    line.forget()
    assert_refused(stocked("follow", *arguments), code, words)
    assert line.asked == []


def test_an_archive_without_a_day_in_its_name_takes_no_others_place_unasked(stocked: Computer, tmp_path: Path) -> None:
    place = tmp_path / "mine.mana"
    place.write_text("precious")
    assert_refused(stocked("follow", "--export-every", "1h", "--to", str(place)), 2, "{date}")
    assert place.read_text() == "precious"


def test_it_ends_by_itself(stocked: Computer) -> None:
    done = stocked("follow", "--for", "0s")
    assert done.code in (0, 3), done.err
    started, ended = done.out.splitlines()
    assert "  started: " in started
    assert "  ended: " in ended


def test_a_server_that_does_not_answer_at_the_beginning_is_an_error(stocked: Computer, line: Line) -> None:
    with line.answering(lambda _, target: (403, b"no") if target.startswith("/sync/") else None):
        assert_refused(stocked("follow"), 13)
    assert stocked("status", "--json").record["follower"]["running"] is False


def test_who_is_not_signed_in_is_told_so(tmp_path: Path, box: Sandbox) -> None:
    assert_refused(Computer(tmp_path / "new", box.url)("follow"), 13, "not signed in")


def test_no_secret_stands_in_what_is_kept_or_started(stocked: Computer, owner: Owner, tmp_path: Path) -> None:
    followed = Followed(stocked, "--export-every", "1h", "--to", str(tmp_path / "m-{date}.mana"), "--seal")
    followed.until("exported")
    code = str(owner.account.recovery_code)
    kept = b"".join(path.read_bytes() for path in (stocked.state / "followers").rglob("*") if path.is_file())
    assert code.encode() not in kept
    said = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert code not in said
    followed.end()


def _kept(box: Sandbox, computer: Computer, owner: Owner, record: FollowRecord) -> FollowerPlace:
    """What a follower wrote last."""
    place = FollowerPlace(StateFolder(computer.state).follower_folder(box.url, owner.account.user_id))
    with place.lock():
        place.write(record)
    return place


MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
RUNNING = FollowRecord(started_at=MOMENT, alive_at=MOMENT, last_pull_at=MOMENT, streams=63, streams_wanted=63)
REFUSED = "sign in again with `manabackup login`"


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        (replace(RUNNING, last_pull_at=None, streams_wanted=0), ["first pull under way"]),
        (replace(RUNNING, streams=1, streams_connecting=62), ["1 of 63 streams, connecting to 62"]),
        (
            replace(RUNNING, problem="the session has ended", problem_since=MOMENT, hint=REFUSED),
            ["GETS NOTHING since 2026-01-02 03:04 UTC: the session has ended", f"to do: {REFUSED}"],
        ),
        (replace(RUNNING, problem="another run works with it"), ["63 of 63 streams", "waits: another run works"]),
        (
            replace(RUNNING, pending_since=MOMENT, archive_problem=f"{'a place that is down ' * 6}(503)"),
            ["BEHIND: told of changes", "NO ARCHIVE: a place that is down"],
        ),
    ],
)
def test_how_far_it_is_is_said_in_lines_that_80_columns_hold(
    stocked: Computer, owner: Owner, box: Sandbox, record: FollowRecord, lines: list[str]
) -> None:
    with _kept(box, stocked, owner, record).lock():
        done = stocked("status")
    told = done.out.splitlines()
    follower = told[next(number for number, line in enumerate(told) if line.startswith("follower")) :]
    for line in lines:
        assert any(line in each for each in follower), done.out
    assert all(len(line) <= 80 for line in told if "/" not in line), done.out


def test_why_it_ended_is_said_until_it_is_started_again(stocked: Computer, owner: Owner, box: Sandbox) -> None:
    _kept(box, stocked, owner, replace(RUNNING, ended_at=MOMENT, ended_by="the session has ended", hint=REFUSED))
    out = stocked("status").out
    assert "NOTHING IS FOLLOWED: the session has ended" in out
    assert f"to do: {REFUSED}" in out
    record = stocked("status", "--json").record
    check("status", record)
    assert record["follower"]["endedBy"] == "the session has ended"
