"""Folders of far places: all that lies in one is verified by a pattern, and old archives go from there by rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from manabackup.archive.writer import About
from tests.conversion.archives import write_archive
from tests.support import s3
from tests.support.processes import CommandLine
from tests.support.sshd import sshd
from tests.support.webdav import PASSWORD, webdav

from .buckets import BUCKETS, Bucket

DAYS = ["2026-11-27", "2026-11-28", "2026-11-29"]


@dataclass(frozen=True, slots=True)
class There:
    """A folder of some place, with a space in its name."""

    address: str
    put: Callable[[str, bytes], object]
    names: Callable[[], list[str]]
    environ: dict[str, str]


def _folder(path: Path, address: str, environ: dict[str, str]) -> There:
    def put(name: str, content: bytes) -> None:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)

    return There(
        address,
        put,
        lambda: sorted(each.name for each in path.iterdir() if not each.name.startswith(".manabackup")),
        environ,
    )


@pytest.fixture(scope="module")
def new_bucket() -> Iterator[Callable[[str], Bucket]]:
    """Makes a bucket of a kind, in a server that all tests share."""
    with ExitStack() as servers:
        server = cache(lambda kind: servers.enter_context(BUCKETS[kind]()))
        yield lambda kind: server(kind)()


@pytest.fixture(params=["az", "dav", "gs", "s3", "sftp"])
def there(request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], Bucket]) -> Iterator[There]:
    path = tmp_path / "served" / "a b"
    path.mkdir(parents=True)
    with ExitStack() as stack:
        if request.param == "dav":
            port = stack.enter_context(webdav(path.parent))
            environ = {"MANABACKUP_DAV_PASSWORD": PASSWORD}
            yield _folder(path, f"dav://anna@127.0.0.1:{port}/a%20b", environ)
        elif request.param == "sftp":
            (tmp_path / "sshd").mkdir()
            home = tmp_path / "ssh-home"
            server = stack.enter_context(sshd(tmp_path / "sshd", home))
            address = f"sftp://{server.user}@127.0.0.1:{server.port}{str(path).replace(' ', '%20')}"
            yield _folder(path, address, {"HOME": str(home), "SSH_AUTH_SOCK": ""})
        elif request.param in BUCKETS:
            bucket = new_bucket(request.param)
            yield There(
                f"{bucket.address}/a b",
                lambda name, content: bucket.put(f"a b/{name}", content),
                lambda: [key[4:] for key in bucket.listed() if key.startswith("a b/")],
                bucket.environ(bucket.port),
            )
        else:
            port = stack.enter_context(s3.moto())
            name = s3.new_bucket(port)

            def names() -> list[str]:
                listed = s3.request(port, "GET", f"/{name}?list-type=2&prefix=a%20b/")[1].decode()
                return sorted(key.rpartition("/")[2] for key in re.findall("<Key>(.*?)</Key>", listed))

            yield There(
                f"s3://{name}/a b",
                lambda key, content: s3.request(port, "PUT", f"/{name}/a%20b/{key}", content=content),
                names,
                s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
            )


@pytest.fixture
def manabackup(there: There, tmp_path: Path) -> CommandLine:
    program = CommandLine(tmp_path)
    program.environ |= there.environ
    return program


@pytest.fixture
def filled(there: There, tmp_path: Path) -> There:
    """With an archive of each day, and what is none."""
    for day in DAYS:
        about = About("anna", f"{day}T03:00:00.000Z", {"type": "full"}, fields_plaintext=True)
        rows = {"notes": [{"id": "n", "title": "Beds"}]}
        archive = write_archive(
            tmp_path / "x", rows, about=about, completeness={"completeness": {"status": "complete"}}
        )
        there.put(f"{day}.mana", archive.read_bytes())
    there.put("notes.txt", b"no archive")
    there.put("other.mana", b"no archive either")
    return there


def test_old_archives_go_by_the_rules_and_nothing_else_does(manabackup: CommandLine, filled: There) -> None:
    rules = ("--keep-last", "2")
    shown = manabackup("prune", filled.address, *rules, "--dry-run")
    assert (shown.code, "2026-11-27.mana" in shown.out) == (0, True), shown.err
    assert len(filled.names()) == 5
    done = manabackup("prune", filled.address + "/", *rules, "--yes", "--json")
    assert done.code == 0, done.err
    assert filled.names() == ["2026-11-28.mana", "2026-11-29.mana", "notes.txt", "other.mana"]
    assert done.record["removed"] == [f"{filled.address}/2026-11-27.mana"]


def test_a_damaged_archive_is_not_counted_and_stays(manabackup: CommandLine, filled: There, tmp_path: Path) -> None:
    content = bytearray((tmp_path / "x").read_bytes())
    content[60] ^= 1
    filled.put("2026-11-29.mana", bytes(content))
    done = manabackup("prune", filled.address, "--keep-last", "1", "--yes")
    assert done.code == 15
    assert filled.names() == ["2026-11-28.mana", "2026-11-29.mana", "notes.txt", "other.mana"]


def test_all_that_a_pattern_fits_is_verified(manabackup: CommandLine, filled: There) -> None:
    assert manabackup("verify", f"{filled.address}/2026-*.mana").out.count(": ok,") == 3
    everything = manabackup("verify", f"{filled.address}/")
    assert (everything.code, everything.out.count(": ok,")) == (15, 3)
    assert manabackup("verify", f"{filled.address}/2025-*.mana").code == 10


def test_a_pattern_may_stand_for_folders(manabackup: CommandLine, filled: There, tmp_path: Path) -> None:
    content = (tmp_path / "x").read_bytes()
    for name in ("2026/1.mana", "2026/deep/2.mana", "2025/1.mana", ".old/1.mana", "2025/notes.txt"):
        filled.put(name, content)
    known = {"*/*.mana": 2, "2026*/*": 1, "2026/*/*.mana": 1, "*/deep/": 1, "202[56]/1.mana": 2}
    for pattern, count in known.items():
        done = manabackup("verify", f"{filled.address}/{pattern}")
        assert (done.code, done.out.count(": ok,")) == (0, count), done.err
    for pattern, code in (("none/", 10), ("*/none/*.mana", 10), ("1999*/*.mana", 10), ("**/*.mana", 2)):
        assert manabackup("verify", f"{filled.address}/{pattern}").code == code
    parent = filled.address.rpartition("/")[0]
    words = ["--ledger", str(tmp_path / "l"), "--to", "csv", "-o", f"{tmp_path}/out/{{folder}}/{{stem}}"]
    done = manabackup("fleet", "convert", f"{parent}/a*/*/*.mana", *words)
    assert done.code == 0, done.err
    last = filled.address.rpartition("/")[2]
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("*/*/*")) == [
        f"{last}/2025/1",
        f"{last}/2026/1",
    ]


def test_a_folder_that_is_not_there_is_told(manabackup: CommandLine, there: There) -> None:
    scheme = there.address.partition(":")[0]
    nowhere = f"{scheme}://no-such-bucket/x" if scheme in ("s3", *BUCKETS) else f"{there.address}/no-such"
    assert manabackup("prune", nowhere, "--keep-last", "1").code == 10
    assert manabackup("prune", "https://127.0.0.1:1/x/", "--keep-last", "1").code == 2
