"""A small JavaScript reader with the web app's habits opens what this tool writes, row for row.

The reader proves itself first: it must say of the web app's own archives what the web app's own reader said.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.writer import Seal
from manabackup.operations.archives.reseal import seal, unseal
from tests.support.exports import PASSPHRASE, VECTORS, lines_of, write_export

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
CASES = {case["name"]: case for case in json.loads((VECTORS / "index.json").read_text())["archives"]}


def read(path: Path, passphrase: str = PASSPHRASE) -> dict[str, Any]:
    assert NODE is not None
    script = str(Path(__file__).with_name("web_reader.mjs"))
    done = subprocess.run([NODE, script, str(path)], input=passphrase.encode(), capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    "name", ["plain-small", "sealed-small", "sealed-pw-umlaut", "sealed-body-deflated", "tombstones-and-corrupt"]
)
def test_it_reads_the_web_apps_archives_as_the_web_app_does(name: str) -> None:
    case = CASES[name]
    expected = json.loads((VECTORS / case["expected"]).read_text())
    found = read(VECTORS / case["file"], case.get("passphrase", ""))
    assert found["ok"]
    assert {table: [json.loads(line) for line in lines] for table, lines in found["tables"].items()} == expected[
        "tables"
    ]


@pytest.mark.parametrize("name", ["sealed-sha-altered", "sealed-body-flip-tag", "manifest-formatVersion-3"])
def test_it_refuses_what_the_web_app_refuses(name: str) -> None:
    case = CASES[name]
    assert not read(VECTORS / case["file"], case.get("passphrase", ""))["ok"]


def test_a_plain_archive_of_ours_opens(tmp_path: Path) -> None:
    path = tmp_path / "plain.mana"
    written = write_export(path)
    found = read(path)
    assert found["tables"] == lines_of(path)
    assert sum(map(len, found["tables"].values())) == written.rows > 0


@pytest.mark.parametrize("private", [False, True])
def test_a_sealed_archive_of_ours_opens_with_its_passphrase_only(private: bool, tmp_path: Path) -> None:
    path = tmp_path / "sealed.mana"
    write_export(path, seal=Seal(PASSPHRASE, private=private))
    found = read(path)
    assert found["ok"], found
    assert found["tables"] == lines_of(path)
    assert read(path, "wrong") == {"ok": False, "error": "wrong passphrase"}


def test_sealing_and_unsealing_an_archive_of_the_web_app_keeps_it_readable_there(tmp_path: Path) -> None:
    ours, back = tmp_path / "sealed.mana", tmp_path / "plain.mana"
    seal(VECTORS / "archives" / "plain-small.mana", ours, lambda: PASSPHRASE)
    unseal(ours, back, lambda: PASSPHRASE)
    for path in (ours, back):
        found = read(path)
        expected = json.loads((VECTORS / "archives" / "plain-small.expected.json").read_text())["tables"]
        assert {
            table: {row["id"]: row for row in map(json.loads, lines)} for table, lines in found["tables"].items()
        } == {table: {row["id"]: row for row in rows} for table, rows in expected.items()}
