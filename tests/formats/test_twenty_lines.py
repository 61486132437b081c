"""``docs/open-sealed.py``, which the README prints, opens sealed archives where this tool is not at hand."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from manabackup.archive.writer import Seal
from tests.support.exports import PASSPHRASE, VECTORS, lines_of, write_export

SCRIPT = Path(__file__).parents[2] / "docs" / "open-sealed.py"


def run(archive: Path, folder: Path, passphrase: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT), str(archive), str(folder)],
        input=passphrase + "\n",
        capture_output=True,
        encoding="utf-8",
        cwd=folder.parent,
        env={"PATH": os.defpath, "PYTHONUTF8": "1"},
        start_new_session=True,  # without a terminal of its own, getpass reads standard input
        check=False,
    )


def data_of(folder: Path) -> dict[str, list[str]]:
    return {
        path.name.removesuffix(".jsonl"): path.read_text(encoding="utf-8").split("\n")[:-1]
        for path in (folder / "data").iterdir()
    }


def test_it_opens_an_archive_of_ours(tmp_path: Path) -> None:
    archive, folder = tmp_path / "sealed.mana", tmp_path / "opened"
    write_export(archive, seal=Seal(PASSPHRASE))
    done = run(archive, folder, PASSPHRASE)
    assert done.returncode == 0, done.stderr
    assert data_of(folder) == lines_of(archive)
    check = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, check=False)
    assert check.returncode == 0, check.stdout
    assert stat.S_IMODE((folder / "manifest.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "passphrase"),
    [("sealed-small", "correct horse battery staple"), ("sealed-pw-umlaut", "Überraschung-größer-ß")],
)
def test_it_opens_an_archive_of_the_web_app(name: str, passphrase: str, tmp_path: Path) -> None:
    archive, folder = VECTORS / "archives" / f"{name}.mana", tmp_path / "opened"
    done = run(archive, folder, passphrase)
    assert done.returncode == 0, done.stderr
    assert data_of(folder) == lines_of(archive, passphrase)


def test_a_wrong_passphrase_writes_nothing(tmp_path: Path) -> None:
    archive, folder = tmp_path / "sealed.mana", tmp_path / "opened"
    write_export(archive, seal=Seal(PASSPHRASE))
    done = run(archive, folder, PASSPHRASE + " ")
    assert done.returncode != 0
    assert "InvalidTag" in done.stderr
    assert not folder.exists()


def test_it_has_about_twenty_lines() -> None:
    lines = [line for line in SCRIPT.read_text().splitlines() if line.strip()]
    assert len(lines) <= 22
    assert "import manabackup" not in SCRIPT.read_text()
