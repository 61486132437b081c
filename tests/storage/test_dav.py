"""WebDAV: archives are read from there by ranges, and appear there whole or not at all."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from manabackup.archive.places import Place
from manabackup.errors import ManabackupError
from manabackup.limits import Limits
from manabackup.remote.transport import Transport
from manabackup.storage.addresses import Address
from manabackup.storage.dav import DavPlace
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine
from tests.support.relay import Asked, Fault, Relay
from tests.support.webdav import PASSWORD, webdav

from .conftest import PASSPHRASE, failing, hurried, impatient


def test_an_archive_in_a_webdav_folder_is_as_good_as_one_on_the_disk(
    manabackup: CommandLine, relay: Relay, folder: Path, plain: Path
) -> None:
    there = f"dav://127.0.0.1:{relay.port}/a%20b.mana"
    written = manabackup("seal", str(plain), "-o", there, "--json")
    assert (written.code, written.record["archive"]) == (0, there), written.err
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".manabackup-trial")] == ["a b.mana"]
    assert manabackup("verify", there).code == 0
    assert manabackup("info", there).code == 0
    assert manabackup("diff", str(plain), there).code == 0
    assert manabackup("cat", there, "notes").out == manabackup("cat", str(plain), "notes").out
    back = manabackup("unseal", there, "-o", "-")
    assert back.code == 0
    again = manabackup("rekey", there, "-o", there, "--to-key-file", "/dev/null", "--force")
    assert (again.code, "is the archive itself" in again.err) == (2, True)


def test_a_plain_archive_is_the_same_bytes_there_as_here(
    manabackup: CommandLine, relay: Relay, folder: Path, sealed: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here.mana", f"dav://127.0.0.1:{relay.port}/there.mana"
    assert manabackup("unseal", str(sealed), "-o", str(here)).code == 0
    assert manabackup("unseal", str(sealed), "-o", there).code == 0
    assert (folder / "there.mana").read_bytes() == here.read_bytes()


def test_what_lies_there_is_replaced_by_force_alone(
    manabackup: CommandLine, relay: Relay, folder: Path, plain: Path
) -> None:
    (folder / "x.mana").write_bytes(b"old")
    there = f"dav://127.0.0.1:{relay.port}/x.mana"
    refused = manabackup("seal", str(plain), "-o", there)
    assert (refused.code, "exists already" in refused.err) == (17, True)
    assert (folder / "x.mana").read_bytes() == b"old"
    assert manabackup("seal", str(plain), "-o", there, "--force").code == 0
    assert manabackup("verify", there).code == 0


@pytest.mark.parametrize("spares", [True, False])
def test_P2_what_appears_meanwhile_is_spared_and_a_server_that_overwrites_is_known(
    spares: bool, manabackup: CommandLine, folder: Path, plain: Path
) -> None:
    with webdav(folder, spares=spares) as port, Relay(port).running() as relay:

        def appears(number: int, asked: Asked) -> Fault | None:
            if asked.method == "PUT" and asked.path.endswith(".unfinished"):
                (folder / "x.mana").write_bytes(b"somebody else's")
            return None

        relay.fail = appears
        refused = manabackup("seal", str(plain), "-o", f"dav://127.0.0.1:{relay.port}/x.mana")
    assert (refused.code, "exists already" in refused.err) == (17, True)
    assert ("overwrites what it was told to spare" in refused.err) is not spares
    assert (folder / "x.mana").read_bytes() == b"somebody else's"
    assert not list(folder.glob(".*.unfinished"))


def test_info_of_a_large_archive_costs_two_requests(
    manabackup: CommandLine, relay: Relay, folder: Path, large: Path, large_plain: Path
) -> None:
    for archive, most in ((large, 2), (large_plain, 1)):
        (folder / "x.mana").write_bytes(archive.read_bytes())
        relay.asked.clear()
        described = manabackup(
            "info", f"dav://127.0.0.1:{relay.port}/x.mana", "--json", env={"MANABACKUP_PASSPHRASE": ""}
        )
        assert described.code == 0, described.err
        assert described.record["bytes"] == archive.stat().st_size
        assert len(relay.asked) <= most, relay.asked


def test_verify_reads_on_and_fetches_nothing_of_a_plain_archive_twice(
    manabackup: CommandLine, relay: Relay, folder: Path, large_plain: Path
) -> None:
    (folder / "x.mana").write_bytes(large_plain.read_bytes())
    assert manabackup("verify", f"dav://127.0.0.1:{relay.port}/x.mana").code == 0
    size, ranges = large_plain.stat().st_size, [asked.range for asked in relay.asked if asked.range]
    fetched = 0
    for each in ranges:
        first, _, last = each.removeprefix("bytes=").partition("-")
        fetched += int(last) if not first else int(last) - int(first) + 1
    assert fetched < size * 1.1
    assert len(ranges) < size / 2**20


def test_P3_a_verified_archive_that_is_damaged_there_is_told(
    manabackup: CommandLine, relay: Relay, folder: Path, plain: Path
) -> None:
    content = bytearray(plain.read_bytes())
    content[400] ^= 1
    (folder / "x.mana").write_bytes(content)
    assert manabackup("verify", f"dav://127.0.0.1:{relay.port}/x.mana").code == 15


@pytest.mark.parametrize("fault", ["cut before", "cut after", "full", "denied", "broken"])
@pytest.mark.parametrize("lasting", [True, False])
def test_P1_whatever_fails_at_whatever_request_there_is_the_old_file_or_the_new_one(
    fault: Fault,
    lasting: bool,
    folder: Path,
    relay: Relay,
    sealed: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("MANABACKUP_DAV_PASSWORD", PASSWORD)
    there = DavPlace(Address.parse(f"dav://anna@127.0.0.1:{relay.port}/x.mana"), hurried)
    content = sealed.read_bytes()
    at = 0
    while True:
        for path in folder.iterdir():
            path.unlink()
        (folder / "x.mana").write_bytes(b"old")
        relay.asked.clear()
        relay.fail = failing(fault, at, lasting=lasting)
        ended = _written(there, content)
        relay.fail = lambda number, asked: None
        found = (folder / "x.mana").read_bytes()
        # Where no answer came and none comes any more, nobody can know whether the move was made.
        assert found == content if ended is None else found == b"old" or (fault == "cut after" and found == content)
        left = list(folder.glob(".*.unfinished"))
        # What cannot be removed, since the server is gone for good, is named.
        assert not left or lasting, (at, left)
        if at >= len(relay.asked):
            break
        at += 1
    assert at >= 3


@pytest.mark.parametrize("lasting", [True, False])
def test_P1_a_server_that_says_nothing_is_given_up_and_leaves_the_old_file_or_the_new_one(
    lasting: bool, folder: Path, relay: Relay, sealed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("MANABACKUP_DAV_PASSWORD", PASSWORD)
    there = DavPlace(Address.parse(f"dav://anna@127.0.0.1:{relay.port}/x.mana"), impatient)
    content = sealed.read_bytes()
    for at in range(3):
        (folder / "x.mana").write_bytes(b"old")
        relay.asked.clear()
        relay.fail = failing("stall", at, lasting=lasting)
        ended = _written(there, content)
        relay.fail = lambda number, asked: None
        assert (folder / "x.mana").read_bytes() == (content if ended is None else b"old"), (at, ended)
        assert ended is None or ended.exit_code == 14


def test_a_run_that_is_killed_at_whatever_request_leaves_the_old_file_whole_and_parts_of_known_names(
    manabackup: CommandLine, folder: Path, relay: Relay, plain: Path
) -> None:
    address, at = f"dav://127.0.0.1:{relay.port}/x.mana", 0
    while _killed_at(at, relay, folder, lambda: manabackup.start("seal", str(plain), "-o", address, "--force")):
        content = (folder / "x.mana").read_bytes()
        names = {path.name for path in folder.iterdir()} - {"x.mana"}
        assert content == b"old" or manabackup("verify", address).code == 0
        assert all(name.startswith(".x.mana.") for name in names), names
        at += 1
    assert at >= 3


def _killed_at(at: int, relay: Relay, folder: Path, start: Callable[[], subprocess.Popen[str]]) -> bool:
    """Whether a run that writes over an old file came so far that it was killed at a request."""
    for path in folder.iterdir():
        path.unlink()
    (folder / "x.mana").write_bytes(b"old")
    relay.asked.clear()
    running: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()

    def kill(number: int, asked: Asked) -> Fault | None:
        if number == at:
            running.get(timeout=PATIENCE).kill()
        return None

    relay.fail = kill
    process = start()
    running.put(process)
    process.communicate()
    relay.fail = lambda number, asked: None
    return process.returncode != 0


def _written(there: Place, content: bytes) -> ManabackupError | None:
    try:
        with there.writing(force=True) as output:
            output.write(content)
    except ManabackupError as error:
        return error
    return None


def test_a_file_may_be_larger_than_any_answer(folder: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANABACKUP_DAV_PASSWORD", PASSWORD)
    (folder / "x.mana").write_bytes(bytes(5_000))
    address = Address.parse(f"dav://anna@127.0.0.1:{relay.port}/x.mana")
    found = DavPlace(address, lambda origin: Transport(origin, limits=Limits(answer_bytes=1_000))).state()
    assert found is not None
    assert found.size == 5_000


def test_a_server_that_does_not_know_who_asks_is_an_answer_of_its_own(
    manabackup: CommandLine, relay: Relay, plain: Path, folder: Path
) -> None:
    (folder / "x.mana").write_bytes(plain.read_bytes())
    there = f"dav://127.0.0.1:{relay.port}/x.mana"
    nobody = manabackup("info", there, env={"NETRC": "/dev/null"})
    assert (nobody.code, "netrc" in nobody.err) == (13, True)
    variable = {"NETRC": "/dev/null", "MANABACKUP_DAV_PASSWORD": PASSWORD}
    assert manabackup("info", f"dav://anna@127.0.0.1:{relay.port}/x.mana", env=variable).code == 0
    assert manabackup("info", there, env=variable).code == 13


def test_what_is_not_there_and_where_nothing_can_be_is_told_by_exit_codes(
    manabackup: CommandLine, relay: Relay, plain: Path
) -> None:
    assert manabackup("info", f"dav://127.0.0.1:{relay.port}/x.mana").code == 10
    nowhere = manabackup("seal", str(plain), "-o", f"dav://127.0.0.1:{relay.port}/no/x.mana")
    assert (nowhere.code, "folder does not exist" in nowhere.err) == (17, True)
    folder = manabackup("info", f"dav://127.0.0.1:{relay.port}/x/")
    assert (folder.code, "names a folder" in folder.err) == (2, True)
    assert manabackup("info", "dav://backup.example.org/x.mana").code == 2  # not encrypted
    assert manabackup("info", "ftp://backup.example.org/x.mana").code == 2


def test_P5_a_password_in_an_address_is_refused_and_not_repeated(manabackup: CommandLine, tmp_path: Path) -> None:
    for kind in ("davs://", "https://", "davs:/", "dav:", "sftp:"):
        told = manabackup("info", f"{kind}anna:{PASSPHRASE.split()[0]}@127.0.0.1:1/x.mana")
        assert (told.code, PASSPHRASE.split()[0] in told.err + told.out) == (2, False)


def test_with_json_an_address_is_what_was_given(
    manabackup: CommandLine, relay: Relay, folder: Path, plain: Path
) -> None:
    (folder / "x.mana").write_bytes(plain.read_bytes())
    there = f"dav://127.0.0.1:{relay.port}/x.mana"
    assert json.loads(manabackup("verify", there, "--json").out)["archive"] == there
