"""Disks that really are full: behind an SFTP and a WebDAV server, and the one on which an archive is set aside here."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes import CommandLine, Finished
from tests.support.relay import Relay
from tests.support.sshd import sshd
from tests.support.webdav import webdav

ROOM = "6m"
"""On the disk: for an old archive, and not for a new one of some 20 MiB."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=700", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here, which takes root: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(params=["dav", "sftp"])
def there(request: pytest.FixtureRequest, tmp_path: Path, disk: Path, manabackup: CommandLine) -> Iterator[str]:
    """The address of the folder that the disk is."""
    with ExitStack() as stack:
        if request.param == "dav":
            stack.callback(gc.collect)
            yield f"dav://127.0.0.1:{stack.enter_context(webdav(disk))}"
        else:
            (tmp_path / "sshd").mkdir()
            home = tmp_path / "ssh-home"
            server = stack.enter_context(sshd(tmp_path / "sshd", home))
            manabackup.environ |= {"HOME": str(home), "SSH_AUTH_SOCK": ""}
            yield f"sftp://{server.user}@127.0.0.1:{server.port}{disk}"


def assert_no_room(done: Finished) -> None:
    error, *more = done.err.splitlines()
    assert done.code == 17, done.err
    assert error.startswith("error: cannot write "), done.err
    assert all(line.startswith(("hint: ", "warning: ")) for line in more), done.err


# WsgiDAV leaves the file open that it had no room for.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("force", [True, False])
def test_P1_no_room_behind_a_server_leaves_the_old_archive_and_nothing_else(
    force: bool, manabackup: CommandLine, there: str, disk: Path, plain: Path, large_plain: Path
) -> None:
    old, target = disk / "old.mana", "old.mana" if force else "new.mana"
    old.write_bytes(plain.read_bytes())
    done = manabackup("seal", str(large_plain), "-o", f"{there}/{target}", *(["--force"] if force else []))
    assert_no_room(done)
    assert old.read_bytes() == plain.read_bytes()
    left = {path.name for path in disk.iterdir() if not path.name.startswith(".manabackup-trial")} - {"old.mana"}
    assert all(name in done.err for name in left), (left, done.err)
    assert left == set()
    if there.startswith("sftp"):  # the other server keeps the room for as long as it has the file open
        assert manabackup("seal", str(plain), "-o", f"{there}/fits.mana").code == 0


def test_no_room_for_what_is_set_aside_here_sends_nothing(
    manabackup: CommandLine, relay: Relay, folder: Path, disk: Path, plain: Path, large_plain: Path
) -> None:
    there = f"dav://127.0.0.1:{relay.port}/x.mana"
    (folder / "x.mana").write_bytes(plain.read_bytes())
    manabackup.cold = True  # a fork knows the folder of the process that it comes from
    done = manabackup("seal", str(large_plain), "-o", there, "--force", env={"TMPDIR": str(disk)})
    assert_no_room(done)
    assert (str(disk) in done.err, "TMPDIR" in done.err) == (True, True), done.err
    assert [asked for asked in relay.asked if asked.method not in ("HEAD", "GET")] == []
    assert ([path.name for path in folder.iterdir()], list(disk.iterdir())) == (["x.mana"], [])
    assert (folder / "x.mana").read_bytes() == plain.read_bytes()
