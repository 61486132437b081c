"""How far an archive is sent is shown where somebody watches, told to whoever asks, and can be stopped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import manabackup as library
from manabackup import Progress, Step
from manabackup.operations.archives.reseal import unseal
from manabackup.storage import place
from tests.support.processes import CommandLine
from tests.support.relay import Relay
from tests.support.webdav import PASSWORD

from .conftest import PASSPHRASE


def test_at_a_terminal_it_is_shown_in_one_line_and_nowhere_else(
    manabackup: CommandLine, relay: Relay, large: Path, folder: Path
) -> None:
    there = f"dav://127.0.0.1:{relay.port}/x.mana"
    watched = manabackup.at_terminal("unseal", str(large), "-o", there)
    assert watched.code == 0, watched.err
    lines = [line for line in re.split(r"[\r\n]+", watched.err) if "sending" in line]
    assert lines
    assert all(len(line) <= 80 for line in lines), lines
    assert all("B/s" in line or "?B" in line for line in lines), lines
    for quiet in ((), ("--json",)):
        told = manabackup("unseal", str(large), "-o", there, "--force", *quiet)
        assert "sending" not in told.err
    hidden = manabackup.at_terminal("unseal", str(large), "-o", there, "--force", "--no-progress")
    assert "sending" not in hidden.err
    assert "verifying" in manabackup.at_terminal("verify", there).err


def test_all_of_it_is_told_and_what_a_watcher_raises_leaves_nothing_there(
    relay: Relay, sealed: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("MANABACKUP_DAV_PASSWORD", PASSWORD)
    told: list[Progress] = []
    target = place(f"dav://anna@127.0.0.1:{relay.port}/x.mana")
    written = unseal(sealed, target, lambda: PASSPHRASE, progress=told.append)
    sent = [one for one in told if one.step is Step.SEND]
    assert (sent[0].done, sent[-1].done, sent[-1].total) == (0, written.bytes, written.bytes)
    assert told.index(sent[0]) > 0
    (folder / "x.mana").unlink()

    class EnoughError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step is Step.SEND:
            raise EnoughError

    with pytest.raises(EnoughError):
        library.unseal(sealed, target, lambda: PASSPHRASE, progress=stop)
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".manabackup-trial")] == []
