"""Info: a description of whatever a manifest says, and no more trust in it than it deserves."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.errors import DamagedArchiveError
from manabackup.operations.archives.inspect import info
from tests.support import handmade, schemas, zips


def written(path: Path, parts: list[zips.Part]) -> Path:
    path.write_bytes(zips.build(parts))
    return path


def test_rows_are_counted_only_where_the_manifest_counts(tmp_path: Path) -> None:
    counts = {"notes": 2, "tasks": -5, "habits": True, "moods": "7", "deep": [[]]}
    described = info(written(tmp_path / "x.mana", handmade.of_the_web_app(rowCounts=counts))).to_json()
    assert described["rows"] == 2
    schemas.check("info", described)


def test_A2_a_seal_too_weak_is_described_only_when_told_to(tmp_path: Path) -> None:
    path = written(tmp_path / "x.mana", handmade.sealed_by_us(iterations=99_999))
    with pytest.raises(DamagedArchiveError) as caught:
        info(path)
    assert caught.value.code == "kdf"
    assert not info(path, allow_weak_kdf=True).to_json()["opened"]
