"""What runs that were killed while they sent leave in far places, and `prune --unfinished`, which takes it away."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from manabackup.storage.aws import Account
from manabackup.storage.bucket import Bucket
from tests.support import ceph, s3
from tests.support.archives import ours
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine
from tests.support.relay import Asked, Fault, Relay
from tests.support.schemas import check
from tests.support.sshd import Wire, sshd
from tests.support.webdav import PASSWORD, webdav

from .conftest import PASSPHRASE, hurried, new_bucket, uploads

TWO_DAYS = 2 * 86_400.0
MIDDLE = 8 * 2**20


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of some 36 MiB, which goes in parts into a bucket."""
    rows = [{"id": f"r-{number:03}", "text": os.urandom(100_000).hex()} for number in range(370)]
    return ours(tmp_path_factory.mktemp("larger") / "larger.mana", {"notes": rows})


@dataclass
class There:
    """A folder of some place, in which something else lies too."""

    address: str
    names: Callable[[], list[str]]
    """Of files, but for trials, or of uploads."""
    put: Callable[[str], object]
    """Lays something there that somebody else has begun."""
    killed: Callable[[Callable[[], subprocess.Popen[str]]], None]
    """Has a run killed that sends something there, when some of it is there."""
    age: Callable[[], object]
    """Lets all that lies there be two days old."""
    environ: dict[str, str]


def kill_at(place: Relay | Wire, start: Callable[[], subprocess.Popen[str]]) -> None:
    """Kills a run in the middle of what it sends: nothing of it comes after that."""
    running: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
    over: list[bool] = []

    def kill() -> None:
        if not over:
            process = running.get(timeout=PATIENCE)
            over.append(True)
            process.kill()
            process.wait(PATIENCE)

    def second_part(number: int, asked: Asked) -> Fault | None:
        if "partNumber=2" in asked.path:
            kill()
        return "cut before" if over else None

    if isinstance(place, Relay):
        place.fail = second_part
    else:
        begun = place.bytes
        place.moment = lambda: kill() if place.bytes - begun > MIDDLE else None
    process = start()
    running.put(process)
    _, err = process.communicate(timeout=PATIENCE)
    assert over, f"it ended before it was killed: {err}"
    if isinstance(place, Relay):
        place.fail = lambda number, asked: None
    else:
        place.moment = lambda: None


def in_a_folder(path: Path, wire: Wire, address: str, environ: dict[str, str]) -> There:
    def age() -> None:
        for each in path.iterdir():
            os.utime(each, (time.time() - TWO_DAYS,) * 2)

    return There(
        address,
        lambda: sorted(each.name for each in path.iterdir() if not each.name.startswith(".manabackup-trial")),
        lambda key: (path / key.rpartition("/")[2]).write_bytes(b"mine"),
        lambda start: kill_at(wire, start),
        age,
        environ,
    )


def in_a_bucket(relay: Relay) -> There:
    environ = s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}"}
    account = Account.find(environ | {"HOME": "/nonexistent"})
    bucket = new_bucket(account)

    def leave(key: str) -> None:
        with Bucket(bucket, account, hurried, bucket) as asked:
            assert asked.ask(asked.request("POST", key, {}, params={"uploads": ""})).status == 200

    return There(
        f"s3://{bucket}/a b",
        lambda: uploads(account, bucket),
        leave,
        lambda start: kill_at(relay, start),
        lambda: setattr(relay, "ahead", TWO_DAYS),
        environ,
    )


@pytest.fixture(params=["dav", "s3", "ceph", "sftp"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[There]:
    path = tmp_path / "served" / "a b"
    path.mkdir(parents=True)
    (tmp_path / "sshd").mkdir()
    with ExitStack() as stack:
        if request.param == "dav":
            wire = stack.enter_context(Wire(stack.enter_context(webdav(path.parent))).running())
            environ = {"MANABACKUP_DAV_PASSWORD": PASSWORD}
            yield in_a_folder(path, wire, f"dav://anna@127.0.0.1:{wire.port}/a%20b", environ)
        elif request.param == "sftp":
            home = tmp_path / "ssh-home"
            server = stack.enter_context(sshd(tmp_path / "sshd", home))
            wire = stack.enter_context(Wire(server.port).running())
            server.move_in(home, wire.port)
            address = f"sftp://{server.user}@127.0.0.1:{wire.port}{str(path).replace(' ', '%20')}"
            yield in_a_folder(path, wire, address, {"HOME": str(home), "SSH_AUTH_SOCK": ""})
        else:
            port = stack.enter_context(s3.moto() if request.param == "s3" else ceph.gateway())
            yield in_a_bucket(stack.enter_context(Relay(port).running()))


@pytest.fixture
def manabackup(there: There, tmp_path: Path) -> CommandLine:
    program = CommandLine(tmp_path)
    program.environ |= there.environ | {"MANABACKUP_PASSPHRASE": PASSPHRASE}
    return program


def test_P1_what_a_killed_run_left_goes_when_it_is_old_and_nothing_else_does(
    there: There, manabackup: CommandLine, larger: Path
) -> None:
    there.put("/a b/film.mkv")
    there.put("/film.mana")
    before = there.names()
    # With --force it goes in parts into every bucket, whatever conditions the server keeps.
    there.killed(lambda: manabackup.start("seal", str(larger), "-o", f"{there.address}/x.mana", "--force"))
    left = there.names()
    assert len(left) == len(before) + 1
    young = manabackup("prune", there.address, "--unfinished", "--yes", "--json")
    assert young.code == 0, young.err
    check("clear", young.record)
    assert {each["reason"] for each in young.record["unfinished"] if each["archive"] == "x.mana"} == {
        "a run may be sending it"
    }
    assert there.names() == left
    there.age()
    shown = manabackup("prune", there.address, "--unfinished", "--dry-run")
    assert (shown.code, "x.mana" in shown.out, "last sent 2 days ago" in shown.out) == (0, True, True), shown
    unsure = manabackup("prune", there.address, "--unfinished")
    assert (unsure.code, there.names()) == (2, left)
    assert manabackup("prune", there.address, "--unfinished", "--older-than", "4w", "--yes").code == 0
    assert there.names() == left
    done = manabackup("prune", there.address, "--unfinished", "--yes", "--json")
    assert done.code == 0, done.err
    check("clear", done.record)
    assert (len(done.record["removed"]), there.names()) == (1, before)
    assert done.record["freedBytes"] >= MIDDLE / 2
    assert manabackup("seal", str(larger), "-o", f"{there.address}/x.mana").code == 0
