"""Manual pages: of every command, as the checkout has them, and without a fault for mandoc."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from manabackup.cli.examples import ENDINGS
from tests.support.processes import CommandLine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    done = CommandLine(home)("man", "-o", str(home / "deep" / "man1"), "--json")
    assert done.code == 0, done.err
    assert set(done.record["pages"]) == {path.name for path in (home / "deep" / "man1").iterdir()}
    assert {path.stat().st_mode & 0o777 for path in (home / "deep" / "man1").iterdir()} == {0o644}
    return home / "deep" / "man1"


def test_every_command_has_one_and_they_are_those_of_the_checkout(pages: Path) -> None:
    texts = {path.name: path.read_text() for path in pages.iterdir()}
    names = [name.replace(" ", "-") for name in ENDINGS]  # which test_help holds against the commands
    assert {f"manabackup-{name}.1" for name in names} | {"manabackup.1"} == set(texts)
    assert texts == {path.name: path.read_text() for path in (ROOT / "man").iterdir()}, "run `make docs`"


def test_mandoc_has_nothing_to_say_of_them(pages: Path) -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        if os.environ.get("MANABACKUP_SHELLS") == "required":
            pytest.fail("mandoc is not installed")
        pytest.skip("mandoc is not installed")
    files = sorted(map(str, pages.iterdir()))
    done = subprocess.run([mandoc, "-T", "lint", "-W", "style", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    shown = subprocess.run([mandoc, "-T", "utf8", *files], capture_output=True, text=True, check=True).stdout
    for text in ("--passphrase-file", "a calendar, …", "12     wrong passphrase"):
        assert text in _plain(shown)


def _plain(shown: str) -> str:
    """Without what a terminal makes bold: each character, a step back, and again."""
    kept: list[str] = []
    for char in shown:
        if char == "\b":
            kept.pop()
        else:
            kept.append(char)
    return "".join(kept)


def test_pages_that_are_there_are_replaced_only_with_force(pages: Path, tmp_path: Path) -> None:
    home = CommandLine(tmp_path)
    (pages / "manabackup.1").write_text("mine")
    assert home("man", "-o", str(pages)).code == 17
    assert (pages / "manabackup.1").read_text() == "mine"
    assert home("man", "-o", str(pages), "--force").code == 0
    assert (pages / "manabackup.1").read_text().startswith(".TH MANABACKUP 1 ")
