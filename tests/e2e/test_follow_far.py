"""`follow` that writes its archives into far places: names by days, places that are down, secrets, roundtrips there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from tests.support import s3
from tests.support.hasty import hasty
from tests.support.homes import Computer, Owner, move_in
from tests.support.relay import Relay
from tests.support.sshd import Wire, sshd
from tests.support.webdav import PASSWORD, webdav

from .test_follow import Followed

NAME = re.compile(r"mana-\d{4}-\d\d-\d\d(-2)?\.mana")
EACH_SECOND = "from manabackup.cli import follow; follow._LEAST_EXPORT = 1"
"""Lets a program be told to write an archive each second."""


@pytest.fixture(scope="module")
def owner(box: Sandbox) -> Owner:
    """An account that is soon written, of every kind of row."""
    return move_in(box, Plan(seed=21, rows=60, oddities=True))


@dataclass
class There:
    """A folder of some place."""

    address: str
    names: Callable[[], list[str]]
    down: Callable[[bool], object]
    """Lets it answer nobody, or again."""
    environ: dict[str, str]
    secrets: list[str] = field(default_factory=list)


@contextmanager
def in_dav(tmp_path: Path) -> Iterator[There]:
    path = tmp_path / "served"
    path.mkdir()
    with webdav(path) as port, Relay(port).running() as relay:
        environ = {"MANABACKUP_DAV_PASSWORD": PASSWORD}
        yield There(f"dav://anna@127.0.0.1:{relay.port}", lambda: _listed(path), _breaking(relay), environ, [PASSWORD])


@contextmanager
def in_sftp(tmp_path: Path) -> Iterator[There]:
    path, home = tmp_path / "served", tmp_path / "home"
    path.mkdir()
    (tmp_path / "sshd").mkdir()
    with sshd(tmp_path / "sshd", home) as server, Wire(server.port).running() as wire:
        server.move_in(home, wire.port)

        def down(is_down: bool) -> None:
            wire.cut_at = 0 if is_down else None

        key = (home / ".ssh" / "id_ed25519").read_text().splitlines()[2]
        address = f"sftp://{server.user}@127.0.0.1:{wire.port}{path}"
        yield There(address, lambda: _listed(path), down, {"HOME": str(home), "SSH_AUTH_SOCK": ""}, [key])


@contextmanager
def in_s3(tmp_path: Path) -> Iterator[There]:
    with s3.moto() as port, Relay(port).running() as relay:
        bucket = s3.new_bucket(port)

        def names() -> list[str]:
            listed = s3.request(port, "GET", f"/{bucket}?list-type=2&prefix=mana/")[1].decode()
            return _archives(key.rpartition("/")[2] for key in re.findall("<Key>(.*?)</Key>", listed))

        environ = s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}"}
        yield There(f"s3://{bucket}/mana", names, _breaking(relay), environ, [s3.KEYS["AWS_SECRET_ACCESS_KEY"]])


def _breaking(relay: Relay) -> Callable[[bool], None]:
    def down(is_down: bool) -> None:
        relay.fail = lambda number, asked: "cut before" if is_down else None

    return down


def _listed(path: Path) -> list[str]:
    return _archives(each.name for each in path.iterdir())


def _archives(names: Iterator[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith(".manabackup-trial"))


@pytest.fixture(params=[in_dav, in_sftp, in_s3], ids=["dav", "sftp", "s3"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[There]:
    with ExitStack() as stack:
        yield stack.enter_context(request.param(tmp_path / "there"))


@pytest.fixture(autouse=True)
def room(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()


def test_P5_archives_of_a_day_lie_beside_each_other_there_sealed_and_come_back_and_nothing_tells_a_secret(
    there: There, stocked: Computer, owner: Owner
) -> None:
    stocked.environ |= there.environ
    pattern = f"{there.address}/mana-{{date}}.mana"
    for number in (1, 2):
        followed = Followed(stocked, "--export-every", "1h", "--to", pattern, "--seal")
        told = followed.until("exported")
        said = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        code, _, err = followed.end()
        assert code in (0, 3), err
        names = there.names()
        assert len(names) == number
        assert all(NAME.fullmatch(name) for name in names), names
        assert str(told["archive"]).rpartition("/")[2] == names[0 if number == 2 else -1]
        kept = b"".join(path.read_bytes() for path in stocked.state.rglob("follow*/**/*") if path.is_file())
        for secret in (*there.secrets, str(owner.account.recovery_code), stocked.environ["MANABACKUP_PASSPHRASE"]):
            assert secret not in said + err + str(followed.lines)
            assert secret.encode() not in kept
    status = stocked("status", "--json").record["follower"]
    assert (status["archive"], status["archiveProblem"]) == (told["archive"], None)
    back = stocked("roundtrip", str(told["archive"]), "--json")
    assert (back.code, back.err) == (4, ""), back.out  # what belongs to others does not come back
    (tried,) = back.record["files"]
    assert (tried["archive"], "error" in tried) == (told["archive"], False)


@pytest.mark.parametrize("there", [in_s3, in_sftp], ids=["s3", "sftp"], indirect=True)
def test_a_place_that_is_down_is_told_of_and_waited_for_until_the_archive_is_there(
    there: There, stocked: Computer
) -> None:
    stocked.program = hasty(stocked.home, EACH_SECOND)
    stocked.environ |= there.environ
    there.down(True)
    followed = Followed(stocked, "--export-every", "1s", "--to", f"{there.address}/mana-{{date}}.mana", "--seal")
    assert followed.process.stderr is not None
    assert followed.process.stderr.readline().startswith("warning: NO ARCHIVE can be written now: ")
    failed = followed.until("exportFailed")
    assert failed["exitCode"] == 14, failed
    status = stocked("status", "--json").record["follower"]
    assert (status["running"], status["archiveProblem"]) == (True, failed["message"])
    assert "NO ARCHIVE: export:" in stocked("status").out
    there.down(False)
    told = followed.until("exported")
    status = stocked("status", "--json").record["follower"]
    assert (status["archive"], status["archiveProblem"]) == (told["archive"], None)
    code, last, err = followed.end()
    assert (code, last["exports"], there.names()) == (0, 1, [str(told["archive"]).rpartition("/")[2]]), err
    verified = stocked("verify", str(told["archive"]))
    assert verified.code == 0, verified.err


def test_a_place_that_is_not_the_one_that_was_meant_ends_it(tmp_path: Path, stocked: Computer) -> None:
    with in_s3(tmp_path / "there") as there:
        stocked.environ |= there.environ
        name = f"s3://no-{there.address.removeprefix('s3://')}/mana-{{date}}.mana"
        done = stocked("follow", "--export-every", "1h", "--to", name)
    assert (done.code, "there is no such bucket" in done.err) == (10, True), done.err
