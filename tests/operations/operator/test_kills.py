"""Runs that die: what they had made is whole, and the next one goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from manabackup.operations.account.state import StateFolder
from manabackup.operations.ledger import LEDGER
from manabackup.operations.operator import DatabasePlaces, HowWritten, Opening, export_everybody, export_user
from tests.support import mana_database
from tests.support.patience import PATIENCE

from .conftest import Town
from .test_one_user import entries

MOMENTS = int(os.environ.get("MANABACKUP_KILLS", "3"))


def begun(home: Path, dsn: str, *arguments: str) -> subprocess.Popen[bytes]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MANABACKUP_STATE_DIR": str(home / "state"),
        "MANABACKUP_SYNC_DSN": dsn,
    }
    words = [sys.executable, "-m", "manabackup", "export", "--from-database", *arguments]
    return subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_everybodys_archives_that_are_there_stay_and_the_others_follow(town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    running = begun(tmp_path, town.dsn, "--all-users", str(folder))
    until = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < until:
        if (folder / LEDGER).exists() and b'"written"' in (folder / LEDGER).read_bytes():
            running.kill()
    running.wait()
    there = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.mana")}
    done = export_everybody(DatabasePlaces(town.dsn), folder)
    assert done.failed == []
    assert len(done.kept) >= 1
    assert len(done.kept) + len(done.entries) == len(list(folder.glob("*.mana")))
    kept = set(there) - {f"{entry.user}.mana" for entry in done.entries}
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == {name: there[name] for name in kept}
    again = export_everybody(DatabasePlaces(town.dsn), tmp_path / "again", HowWritten(Opening()))
    for entry in again.entries:
        assert entries(folder / f"{entry.user}.mana") == entries(tmp_path / "again" / f"{entry.user}.mana")
    assert not [path for path in folder.iterdir() if path.suffix not in (".mana", ".jsonl")]


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_mirror_that_was_cut_off_goes_on(town: Town, tmp_path: Path, seed: int) -> None:
    who = town.bert.user_id
    target = tmp_path / "b.mana"
    running = begun(tmp_path, town.dsn, "--user", who, "-o", str(target))
    mirrors = tmp_path / "state" / "mirrors"
    until = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < until and not list(mirrors.glob("*.sqlite")):
        time.sleep(0.001)
    time.sleep(Random(seed).random() / 2)
    running.kill()
    running.wait()
    opening = Opening(mana_database.KEK)
    state = StateFolder(tmp_path / "state")
    export_user(DatabasePlaces(town.dsn), who, target, state, opening=opening, force=True)
    fresh = StateFolder(tmp_path / "fresh")
    export_user(DatabasePlaces(town.dsn), who, tmp_path / "fresh.mana", fresh, opening=opening)
    assert entries(target) == entries(tmp_path / "fresh.mana")
