"""What ``verify`` and the others call a file that is whole and yet no archive of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import schemas, v1_exports, zips
from tests.support.processes import CommandLine


@pytest.fixture
def desk(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def newer(tmp_path: Path) -> str:
    path = tmp_path / "newer.mana"
    path.write_bytes(zips.build([zips.stored("manifest.json", b'{"formatVersion": 3}')]))
    return str(path)


@pytest.fixture
def older(tmp_path: Path) -> str:
    path = tmp_path / "older.mana"
    path.write_bytes(v1_exports.export(v1_exports.life_lines(), ["notes"]))
    return str(path)


@pytest.mark.parametrize(
    "command",
    [["verify"], ["info"], ["cat", "--meta"], ["diff"], ["unseal", "-o", "out"], ["report", "--format", "json"]],
)
def test_a_newer_archive_is_not_called_damaged(desk: CommandLine, newer: str, command: list[str]) -> None:
    more = {"cat": ["notes"], "diff": [newer]}.get(command[0], [])
    done = desk(*command, newer, *more)
    assert done.code == 15
    assert "newer" in done.err
    assert "hint: upgrade manabackup" in done.err
    assert "damaged" not in (done.out + done.err).lower()


@pytest.mark.parametrize("command", ["verify", "info"])
def test_neither_is_a_folder_or_some_other_file(desk: CommandLine, tmp_path: Path, command: str) -> None:
    text = tmp_path / "text"
    text.write_text("no archive")
    for path, told in ((tmp_path, "is a folder"), (text, "is not a .mana archive")):
        done = desk(command, str(path))
        assert done.code == 15
        assert told in done.out + done.err
        assert "damaged" not in (done.out + done.err).lower()


def test_an_archive_of_version_1_is_called_so_and_led_on(desk: CommandLine, older: str) -> None:
    done = desk("verify", older)
    events = len(v1_exports.life_lines())
    assert done.code == 0
    assert done.out.startswith(f"{older}: ok, {events} events in place of rows: version 1\n")
    assert "manabackup convert" in done.out
    record = desk("verify", "--json", older).record
    schemas.check("verify", record)
    assert (record["formatVersion"], record["events"]) == (1, events)
    assert "manabackup convert" in desk("info", older).err
    assert "manabackup convert" in desk("cat", older, "notes").err
