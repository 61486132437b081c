"""Archives that released versions wrote: they open for ever."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError
from manabackup.operations.archives.verify import verify
from tests.support.exports import PASSPHRASE
from tests.support.v1_exports import KEY

from .conftest import Maker

RELEASED = Path(__file__).parents[2] / "fixtures" / "released"
ARCHIVES = sorted(RELEASED.rglob("*.mana"))


def test_there_are_archives_of_every_kind() -> None:
    assert {path.stem for path in ARCHIVES} == {"plain", "sealed", "private", "rekeyed"}


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_archive_of_a_released_version_is_whole(path: Path) -> None:
    report = verify(path, lambda: PASSPHRASE, cipher=FieldCipher(KEY) if path.stem == "rekeyed" else None)
    assert report.problems == []
    assert report.rows > 0
    assert not any("packed again" in note for note in report.notes)


@pytest.mark.parametrize("name", ["sealed", "private"])
def test_A4_no_bit_of_a_header_of_version_0_1_0_can_be_flipped_unseen(tmp_path: Path, name: str) -> None:
    """Its entries have no date at all."""
    path = tmp_path / "x.mana"
    whole = bytearray((RELEASED / "0.1.0" / f"{name}.mana").read_bytes())
    with zipfile.ZipFile(RELEASED / "0.1.0" / f"{name}.mana") as container:
        assert {entry.date_time for entry in container.infolist()} == {(1980, 0, 0, 0, 0, 0)}
        bodies = [
            range(entry.header_offset + 60, entry.header_offset + entry.compress_size) for entry in container.infolist()
        ]
    for at in range(len(whole)):
        if any(at in body for body in bodies):
            continue
        for bit in range(8):
            whole[at] ^= 1 << bit
            path.write_bytes(whole)
            with pytest.raises(DamagedArchiveError):
                open_archive(path, lambda: pytest.fail("damage was not found"))
            whole[at] ^= 1 << bit


def test_entries_have_a_date_that_every_program_knows(tmp_path: Path, make_archive: Maker) -> None:
    for seal in (None, Seal(PASSPHRASE)):
        make_archive(tmp_path / "a.mana", {"notes": [b'{"id":"a"}']}, seal=seal)
        with zipfile.ZipFile(tmp_path / "a.mana") as container:
            assert {entry.date_time for entry in container.infolist()} == {(1980, 1, 1, 0, 0, 0)}
