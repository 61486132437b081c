from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.archive.places import Place
from manabackup.archive.writer import Seal
from manabackup.errors import ManabackupError
from manabackup.limits import Limits
from manabackup.remote.transport import Transport
from manabackup.storage.aws import Account
from manabackup.storage.bucket import Bucket
from tests.support.archives import ours
from tests.support.processes import CommandLine
from tests.support.relay import Asked, Fault, Relay
from tests.support.webdav import PASSWORD, USER, webdav

PASSPHRASE = "correct horse battery staple"
ROWS = {"notes": [{"id": f"n-{number:04}", "title": f"Notiz {number}", "text": "x" * 50} for number in range(200)]}


def hurried(origin: str) -> Transport:
    """Connections that wait for nothing between two attempts."""
    return Transport(origin, sleep=lambda seconds: None)


def impatient(origin: str) -> Transport:
    """The same, which wait for a second for an answer, and twice."""
    return Transport(origin, sleep=lambda seconds: None, limits=Limits(request_seconds=1.0, attempts=2))


def failing(fault: Fault, at: int, *, lasting: bool) -> Callable[[int, Asked], Fault | None]:
    """Makes a relay fail at one request, or from there on."""
    return lambda number, asked: fault if number == at or (lasting and number >= at) else None


def new_bucket(account: Account, *, locked: bool = False) -> str:
    """Of an S3 server, for somebody whom it knows."""
    name = f"bucket-{uuid4().hex[:12]}"
    with Bucket(name, account, hurried, name) as made:
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if locked else {}
        assert made.ask(made.request("PUT", "", headers)).status == 200
    return name


def uploads(account: Account, bucket: str) -> list[str]:
    """The keys of the uploads in parts that nobody has ended."""
    with Bucket(bucket, account, hurried, bucket) as asked:
        body = asked.ask(asked.request("GET", "", {}, params={"uploads": ""})).body
    return sorted(re.findall("<Upload>.*?<Key>(.*?)</Key>", body.decode(), re.DOTALL))


def written(there: Place, data: bytes, *, force: bool) -> ManabackupError | None:
    """What writing an archive to a place ended with."""
    try:
        with there.writing(force=force) as output:
            output.write(data)
    except ManabackupError as error:
        return error
    return None


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that is not sealed."""
    return ours(tmp_path_factory.mktemp("plain") / "plain.mana", ROWS)


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, sealed."""
    return ours(tmp_path_factory.mktemp("sealed") / "sealed.mana", ROWS, seal=Seal(PASSPHRASE))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed archive of some 20 MiB, which no compression makes smaller."""
    rows = [{"id": f"r-{number:03}", "text": os.urandom(100_000).hex()} for number in range(160)]
    return ours(tmp_path_factory.mktemp("large") / "large.mana", {"notes": rows}, seal=Seal(PASSPHRASE))


@pytest.fixture(scope="session")
def large_plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in many tables, not sealed."""
    tables = {
        f"t{table}": [{"id": f"r-{number:03}", "text": os.urandom(100_000).hex()} for number in range(8)]
        for table in range(20)
    }
    return ours(tmp_path_factory.mktemp("large") / "large.mana", tables)


@pytest.fixture
def manabackup(tmp_path: Path) -> CommandLine:
    """The program, at home where a ``.netrc`` knows the WebDAV server."""
    home = tmp_path / "home"
    home.mkdir()
    netrc = home / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"\n')
    netrc.chmod(0o600)
    program = CommandLine(home)
    program.environ.pop("NETRC", None)
    program.environ["MANABACKUP_PASSPHRASE"] = PASSPHRASE
    return program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the WebDAV server serves."""
    place = tmp_path / "served"
    place.mkdir()
    return place


@pytest.fixture
def relay(folder: Path) -> Iterator[Relay]:
    """In front of a WebDAV server."""
    with webdav(folder) as port, Relay(port).running() as relay:
        yield relay
