"""SFTP, against OpenSSH: archives are read from there by ranges, and appear there whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.errors import ManabackupError, UsageError
from manabackup.storage import place
from tests.support.processes import CommandLine
from tests.support.sshd import Sshd, Wire, sshd

from .conftest import PASSPHRASE, written


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a key."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), home) as server:
        yield server


@pytest.fixture
def manabackup(home: Path, server: Sshd) -> CommandLine:
    program = CommandLine(home)
    program.environ.pop("SSH_AUTH_SOCK", None)
    program.environ["MANABACKUP_PASSPHRASE"] = PASSPHRASE
    server.move_in(home)
    return program


@pytest.fixture
def there(server: Sshd, home: Path, folder: Path) -> str:
    """The address of the folder, of a server that is known."""
    server.move_in(home)
    return f"sftp://{server.user}@127.0.0.1:{server.port}{folder}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".manabackup-trial"))


def test_an_archive_behind_ssh_is_as_good_as_one_on_the_disk(
    manabackup: CommandLine, there: str, folder: Path, plain: Path, large: Path
) -> None:
    done = manabackup("seal", str(plain), "-o", f"{there}/a%20b.mana")
    assert done.code == 0, done.err
    assert names(folder) == ["a b.mana"]
    assert manabackup("verify", f"{there}/a%20b.mana").code == 0
    assert manabackup("diff", str(plain), f"{there}/a%20b.mana").code == 0
    (folder / "large.mana").write_bytes(large.read_bytes())
    assert manabackup("info", f"{there}/large.mana").code == 0
    checked = manabackup("verify", f"{there}/large.mana", "--json")
    assert (checked.code, checked.record["rows"]) == (0, 160)


def test_what_lies_there_is_replaced_by_force_alone(
    manabackup: CommandLine, there: str, folder: Path, plain: Path
) -> None:
    (folder / "x.mana").write_bytes(b"old")
    refused = manabackup("seal", str(plain), "-o", f"{there}/x.mana")
    assert (refused.code, "exists already" in refused.err) == (17, True)
    assert (folder / "x.mana").read_bytes() == b"old"
    assert manabackup("seal", str(plain), "-o", f"{there}/x.mana", "--force").code == 0
    assert names(folder) == ["x.mana"]
    assert manabackup("verify", f"{there}/x.mana").code == 0


def test_P2_what_appears_meanwhile_is_spared(
    there: str, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    ended = None
    try:
        with place(f"{there}/x.mana").writing(force=False) as output:
            output.write(b"ours")
            (folder / "x.mana").write_bytes(b"somebody else's")
    except ManabackupError as error:
        ended = error
    assert ended is not None
    assert (ended.exit_code, "exists already" in ended.message) == (17, True)
    assert names(folder) == ["x.mana"]
    assert (folder / "x.mana").read_bytes() == b"somebody else's"


def test_P4_a_host_that_is_not_known_is_not_spoken_to(
    manabackup: CommandLine, there: str, server: Sshd, home: Path, folder: Path
) -> None:
    known = home / ".ssh" / "known_hosts"
    known.write_text("")
    unknown = manabackup("info", f"{there}/x.mana")
    assert (unknown.code, "not known" in unknown.err) == (14, True)
    other = server.host_key[:-8] + "AAAAAAAA"
    known.write_text(f"[127.0.0.1]:{server.port} {other}\n")
    changed = manabackup("info", f"{there}/x.mana")
    assert (changed.code, "host key" in changed.err) == (14, True)


def test_what_is_not_there_and_who_may_not_ask_have_exit_codes(
    manabackup: CommandLine, there: str, server: Sshd, folder: Path, plain: Path, tmp_path: Path
) -> None:
    assert manabackup("info", f"{there}/x.mana").code == 10
    nowhere = manabackup("seal", str(plain), "-o", f"{there}/no/x.mana")
    assert (nowhere.code, "folder does not exist" in nowhere.err) == (17, True)
    assert "left there" not in nowhere.err
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    server.move_in(stranger)
    refused = manabackup("info", f"{there}/x.mana", env={"HOME": str(stranger)})
    assert (refused.code, "none of the keys" in refused.err) == (13, True)
    assert manabackup("info", "sftp://anna:geheim@127.0.0.1/x.mana").code == 2


def test_without_its_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    for name in ("manabackup.storage.sftp", "manabackup.storage.shell"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UsageError, match="not installed") as told:
        place("sftp://127.0.0.1/x.mana")
    assert "manabackup[sftp]" in str(told.value.hint)


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("once", [True, False])
def test_P1_wherever_the_line_is_cut_there_is_the_old_file_or_the_new_one(
    once: bool,
    force: bool,
    server: Sshd,
    home: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    data = bytes(300_000)
    with Wire(server.port).running() as wire:
        server.move_in(home, wire.port)
        address = f"sftp://{server.user}@127.0.0.1:{wire.port}{folder}/x.mana"
        assert written(place(address), data, force=True) is None
        needed = wire.bytes
        for at in range(1_000, needed, needed // 6):
            for path in folder.iterdir():
                path.unlink()
            if force:
                (folder / "x.mana").write_bytes(b"old")
            caplog.clear()
            wire.bytes, wire.cut_at, wire.once = 0, at, once
            ended = written(place(address), data, force=force)
            wire.cut_at = None
            found = (folder / "x.mana").read_bytes() if (folder / "x.mana").exists() else None
            assert found == (data if ended is None else b"old" if force else None), (at, ended)
            left = list(folder.glob(".x.mana.*.unfinished"))
            assert all(path.name in caplog.text for path in left), (at, left)
            assert not left or not once


def test_names_that_are_no_text_are_names_like_others(
    manabackup: CommandLine, there: str, folder: Path, plain: Path
) -> None:
    for name in (
        b"a\xff.mana",
        b"b\n.mana",
        b"c%41?#.mana",
        b".\xff.mana.0123456789abcdef.unfinished",
        b"d\xfe/e.mana",
    ):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(plain.read_bytes())
    for pattern, count in (("*.mana", 3), ("*/*.mana", 1), ("", 3)):
        done = manabackup("verify", f"{there}/{pattern}")
        assert (done.code, done.out.count(": ok,")) == (0, count), done.err
    cleared = manabackup("prune", there, "--unfinished", "--older-than", "1h", "--dry-run")
    assert (cleared.code, cleared.out.count("a run may be sending it")) == (0, 1), cleared.err


def test_P3_a_file_that_is_replaced_while_it_is_read_is_an_error(
    there: str, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path, other = folder / "x.mana", folder / "other"
    path.write_bytes(bytes(2**20))
    source = place(f"{there}/x.mana").open()
    try:
        other.write_bytes(b"x" * 2**20)
        os.utime(other, (1e9, 1e9))
        other.replace(path)
        with pytest.raises(ManabackupError, match="changed while it was read") as error:
            source.read_at(0, 10)
        assert error.value.exit_code == 14
    finally:
        source.close()
