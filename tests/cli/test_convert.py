"""Archives of version 1 on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures" / "v1"


def manabackup(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "manabackup", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def key_file(folder: Path) -> Path:
    path = folder / "key"
    path.write_text("00" * 32)
    path.chmod(0o600)
    return path


def test_an_older_archive_is_told_from_a_damaged_one_and_a_way_is_shown() -> None:
    for command in (["cat", FIXTURES / "life.mana", "tasks"], ["unseal", FIXTURES / "life.mana", "-o", "nowhere"]):
        ended = manabackup(*command)
        assert ended.returncode == 2
        assert "version 1" in ended.stderr
        assert "convert" in ended.stderr


def test_verify_and_info_read_it() -> None:
    verified = manabackup("verify", "--json", FIXTURES / "life.mana")
    assert verified.returncode == 0
    assert json.loads(verified.stdout)["ok"] is True
    told = json.loads(manabackup("info", "--json", FIXTURES / "life.mana").stdout)
    assert (told["formatVersion"], told["events"]) == (1, 15)
    assert manabackup("verify", FIXTURES / "altered.mana").returncode == 15


def test_convert_makes_an_archive_of_the_present_version(tmp_path: Path) -> None:
    key = key_file(tmp_path)
    made = manabackup("convert", FIXTURES / "life.mana", "-o", tmp_path / "new.mana", "--key-file", key, "--json")
    result = json.loads(made.stdout)
    # Its private fields are under another key than the one given: named, counted, and in the exit code.
    assert made.returncode == 3
    assert result["status"] == "partial"
    assert result["completeness"]["losses"]["undecryptable"] > 0
    checked = json.loads(manabackup("verify", "--json", tmp_path / "new.mana").stdout)
    assert (checked["ok"], checked["rows"]) == (True, result["rows"])
    again = manabackup("convert", tmp_path / "new.mana", "-o", tmp_path / "newer.mana", "--key-file", key)
    assert (again.returncode, (tmp_path / "newer.mana").exists()) == (2, False)


def test_a_damaged_older_archive_gives_no_output(tmp_path: Path) -> None:
    target = tmp_path / "new.mana"
    ended = manabackup("convert", FIXTURES / "altered.mana", "-o", target, "--key-file", key_file(tmp_path))
    assert ended.returncode == 15
    assert list(tmp_path.iterdir()) == [tmp_path / "key"]
