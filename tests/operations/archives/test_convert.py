"""Archives of version 1 become archives of version 2: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError, NotFoundError, OutputError, UsageError
from manabackup.operations.archives.convert import convert, is_older
from manabackup.operations.archives.verify import verify
from manabackup.operations.export import Selection
from tests.support.v1_exports import FOLDER, KEY, USER

LIFE = FOLDER / "life.mana"
VECTORS = FOLDER.parent / "vectors" / "archives"


def titles(path: Path) -> list[str]:
    with open_archive(path, lambda: "secret enough") as archive:
        return [row.values()["title"] for row in archive.rows("tasks")]


@pytest.mark.parametrize("seal", [None, Seal("secret enough")])
def test_a_converted_archive_is_sound_and_says_where_it_comes_from(seal: Seal | None, tmp_path: Path) -> None:
    target = tmp_path / "new.mana"
    result = convert(LIFE, target, FieldCipher(KEY), seal=seal)
    assert (result.status, result.sealed) == ("complete", seal is not None)
    assert titles(target) == ["Hafermilch kaufen"]
    assert verify(target, lambda: "secret enough").ok
    with open_archive(target, lambda: "secret enough") as archive:
        assert archive.manifest.user_id == USER
        assert archive.manifest.completeness is not None
        assert archive.manifest.completeness["pulledAt"] == "2026-04-20T09:30:15Z"


@pytest.mark.parametrize("cipher", [None, FieldCipher(bytes(32))])
def test_without_the_right_key_everything_is_there_and_the_archive_says_partial(
    cipher: FieldCipher | None, tmp_path: Path
) -> None:
    result = convert(LIFE, tmp_path / "new.mana", cipher)
    assert result.status == "partial"
    assert result.completeness["losses"] == {"undecryptable": 3}
    assert titles(tmp_path / "new.mana")[0].startswith("enc:1:")


def test_a_selection_applies(tmp_path: Path) -> None:
    convert(LIFE, tmp_path / "new.mana", FieldCipher(KEY), selection=Selection(tables=["notes"]))
    with open_archive(tmp_path / "new.mana") as archive:
        assert archive.tables == ["notes"]
    with pytest.raises(UsageError):
        convert(LIFE, tmp_path / "none.mana", FieldCipher(KEY), selection=Selection(apps=["nothing"]))


@pytest.mark.parametrize("name", ["altered", "no-manifest", "newer-schema"])
def test_nothing_is_written_of_a_damaged_archive(name: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedArchiveError):
        convert(FOLDER / f"{name}.mana", tmp_path / "new.mana", FieldCipher(KEY))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "new.mana"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError):
        convert(LIFE, target, FieldCipher(KEY))
    assert target.read_bytes() == b"precious"
    convert(LIFE, target, FieldCipher(KEY), force=True)
    assert titles(target) == ["Hafermilch kaufen"]
    with pytest.raises(OutputError):
        convert(LIFE, tmp_path / "no folder" / "new.mana", FieldCipher(KEY))


def test_older_archives_are_told_from_present_ones(tmp_path: Path) -> None:
    assert is_older(LIFE)
    assert is_older(FOLDER / "no-manifest.mana")
    assert not is_older(VECTORS / "plain-small.mana")
    assert not is_older(VECTORS / "sealed-small.mana")
    with pytest.raises(DamagedArchiveError):
        is_older(VECTORS / "zip-random-bytes.mana")
    with pytest.raises(NotFoundError):
        is_older(tmp_path / "none.mana")
