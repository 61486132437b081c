"""What a script learns from the exit code, and what stands beside it: one line, perhaps a hint, nothing on stdout."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manabackup.operations.account.state import StateFolder
from manabackup.sandbox import Sandbox
from tests.support.homes import Computer, Newcomer, Owner, assert_refused, manifest_of
from tests.support.line import Line
from tests.support.patience import PATIENCE


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ["export"]),
        (2, ["export", "-o", "a.mana", "--passphrase", "hunter2"]),
        (2, ["pull", "--no-such-option"]),
        (2, ["no-such-command"]),
        (10, ["verify", "no-such-file.mana"]),
        (10, ["export", "-o", "a.mana", "--seal", "--passphrase-file", "no-such-file"]),
        (10, ["pull", "--config", "no-such-file.toml"]),
        (13, ["pull"]),
        (15, ["info", __file__]),
        (17, ["export", "-o", "/no/such/folder/a.mana", "--offline", "--key-file", "KEY"]),
    ],
)
def test_an_error_is_one_line_on_stderr_whatever_is_asked_for(
    stocked: Computer, code: int, arguments: list[str]
) -> None:
    if arguments == ["pull"]:
        stocked.environ["MANABACKUP_STATE_DIR"] = str(stocked.home / "nobody")
    if "KEY" in arguments:
        key = stocked.home / "key"
        key.write_bytes(bytes(32))
        key.chmod(0o600)
        arguments = [*arguments[:-1], str(key), "--accept-new-key"]
    done = stocked(*arguments, "--json")
    assert (done.code, done.out) == (code, "")
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in done.err
    assert "hunter2" not in done.err


def test_S9_an_inactive_subscription_is_16_and_what_is_held_can_still_be_exported(
    stocked: Computer, owner: Owner, box: Sandbox
) -> None:
    box.accounts.set_subscription(owner.account.user_id, active=False)
    try:
        assert_refused(stocked.export(), 16, "--offline")
        assert_refused(stocked("pull"), 16, "--offline")
        assert stocked.export("--offline").code == 0
    finally:
        box.accounts.set_subscription(owner.account.user_id, active=True)


def test_an_account_that_the_server_refuses_is_13(theirs: Computer, line: Line) -> None:
    with line.answering(lambda method, target: (403, b"banned") if target.startswith("/sync/") else None):
        assert_refused(theirs("pull"), 13, "banned")


def test_a_server_that_is_not_there_is_14_and_what_is_held_can_still_be_exported(stocked: Computer) -> None:
    stocked.archive.parent.mkdir()
    gone = ["--auth-url", "http://127.0.0.1:9", "--sync-url", "http://127.0.0.1:9"]
    stocked.environ["MANABACKUP_TOKEN"] = "e30.eyJzdWIiOiJ4In0.x"
    assert_refused(stocked("pull", *gone), 14, "no connection")
    del stocked.environ["MANABACKUP_TOKEN"]
    assert stocked.export("--offline").code == 0


def test_S9_a_server_that_keeps_failing_is_14(theirs: Computer, line: Line) -> None:
    asks_for_patience = {"Retry-After": "86400"}
    with line.answering(lambda method, target: (503, b"down for maintenance", asks_for_patience)):
        assert_refused(theirs("pull"), 14, "down for maintenance")
        assert_refused(theirs.export(), 14, "down for maintenance")


# --- 11 ---------------------------------------------------------------------------------------------------------------


def test_two_runs_on_one_state_folder_do_not_meet(here: Computer, line: Line) -> None:
    here.archive.parent.mkdir()
    with line.holding("/sync/") as held:
        first = here.start("pull", "--json")
        held.wait()
        for arguments in (["pull"], ["export", "-o", str(here.archive)], ["logout"]):
            assert_refused(here(*arguments), 11, f"process {first.pid}")
        held.release()
        out, err = first.communicate(timeout=PATIENCE)
    assert (first.returncode, err) == (0, "")
    assert out.startswith("{")


def test_two_runs_on_one_output_do_not_meet(stocked: Computer) -> None:
    from manabackup.host.output import AtomicFile

    stocked.archive.parent.mkdir()
    with AtomicFile(stocked.archive) as file:
        assert_refused(stocked.export("--offline", "--force"), 11, "another run is writing")
        file.write(b"whole")
    assert stocked.archive.read_bytes() == b"whole"


def test_reading_archives_waits_for_nobody(stocked: Computer, pulled: Computer) -> None:
    with StateFolder(stocked.state).lock():
        assert stocked("verify", str(pulled.archive)).code == 0


# --- 17 ---------------------------------------------------------------------------------------------------------------


def _with_limit(computer: Computer, kilobytes: int) -> Computer:
    """No file of it grows beyond this: the kernel says EFBIG, as it says ENOSPC on a disk that is full."""
    computer.program = ["bash", "-c", f'ulimit -f {kilobytes}; exec "$0" "$@"', *computer.program]
    return computer


@pytest.mark.parametrize("sealed", [[], ["--seal"]])
def test_an_output_that_finds_no_room_is_17_and_the_old_one_is_whole(stocked: Computer, sealed: list[str]) -> None:
    stocked.archive.parent.mkdir()
    stocked.archive.write_text("precious")
    done = _with_limit(stocked, 64).export("--offline", "--force", *sealed)
    assert_refused(done, 17, str(stocked.archive))
    assert [path.name for path in stocked.archive.parent.iterdir()] == ["all.mana"]
    assert stocked.archive.read_text() == "precious"


@contextmanager
def _ample(computer: Computer) -> Iterator[Computer]:
    limited, computer.program = computer.program, computer.program[3:]
    yield computer
    computer.program = limited


def test_a_mirror_that_finds_no_room_is_17_and_goes_on_when_there_is_some(here: Computer, owner: Owner) -> None:
    assert_refused(_with_limit(here, 200)("pull", "--json"), 17)
    with _ample(here):
        done = here("pull", "--json")
    assert (done.code, done.record["held"]) == (0, owner.truth.changes)


def _can_mount() -> bool:
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


mounts = pytest.mark.skipif(not _can_mount(), reason="needs user namespaces")


@mounts
def test_a_full_disk_is_17_and_what_was_on_it_stays(stocked: Computer, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=100k none {disk} && echo precious > {disk}/a.mana && "
        f'"$0" "$@" -o {disk}/a.mana; echo $?; ls -A {disk}; cat {disk}/a.mana'
    )
    stocked.program = ["unshare", "-rm", "sh", "-c", script, *stocked.program]
    done = stocked("export", "--offline", "--force", "--json")
    assert done.out == "17\na.mana\nprecious\n"
    assert "No space left on device" in done.err
    assert "hint: free some space" in done.err


@mounts
@pytest.mark.parametrize("what", ["output", "state"])
def test_a_disk_that_is_read_only_is_17(stocked: Computer, what: str) -> None:
    folder = stocked.state if what == "state" else stocked.archive.parent
    stocked.archive.parent.mkdir()
    script = f'mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && exec "$0" "$@"'
    stocked.program = ["unshare", "-rm", "sh", "-c", script, *stocked.program]
    assert_refused(stocked.export("--offline", "--force"), 17, "Read-only file system")
    assert not stocked.archive.exists()


def test_a_full_disk_behind_stdout_is_no_17_when_the_archive_is_there(stocked: Computer) -> None:
    stocked.program = ["sh", "-c", 'exec "$0" "$@" >/dev/full', *stocked.program]
    done = stocked.export("--offline")
    assert done.code == 1
    assert f"error: {stocked.archive} was written, but cannot write to the standard output: " in done.err
    assert manifest_of(stocked.archive)["formatVersion"] == 2


def test_an_account_of_nothing_is_exported_like_any_other(newcomer: Newcomer, theirs: Computer, box: Sandbox) -> None:
    box.log.erase(newcomer.id)
    done = theirs.export()
    assert (done.code, done.record["rows"]) == (0, 0)
    assert theirs("verify", str(theirs.archive)).code == 0
