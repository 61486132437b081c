"""Archives that hold files: cards have pictures of them, everything else counts them."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from manabackup.operations.archives.from_database import from_database
from manabackup.operations.archives.readable import convert_to
from manabackup.operations.archives.verify import verify
from tests.support.handmade import file_line, index_of, ours
from tests.support.zips import build

from .test_vcf import cards

FACE, OTHER = b"\x89PNG face", b"\x89PNG other"
ROWS = {
    "contacts": b'{"id":"c-1","firstName":"Ida","photoUrl":"7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90"}\n',
    "notes": b'{"id":"n-1","title":"x"}\n',
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    of_ida: list[dict[str, Any]] = [{"table": "contacts", "id": "c-1", "field": "photoUrl"}]
    lines = {hashlib.sha256(FACE).hexdigest(): file_line(FACE, rows=of_ida)}
    lines[hashlib.sha256(OTHER).hexdigest()] = file_line(OTHER)
    index = index_of(*(lines[name] for name in sorted(lines)))
    stated = {
        "count": 2,
        "bytes": len(FACE) + len(OTHER),
        "sha256": hashlib.sha256(index).hexdigest(),
        "references": 2,
        "leftOut": 0,
    }
    path = tmp_path / "a.mana"
    path.write_bytes(build(ours(ROWS, meta={"blobs": index}, files=(FACE, OTHER), binaryAssets=stated)))
    assert verify(path).ok
    return path


def test_the_picture_of_a_contact_is_in_its_card(archive: Path, tmp_path: Path) -> None:
    result = convert_to(archive, "vcf", tmp_path / "a.vcf")
    assert len(cards(tmp_path / "a.vcf")) == 1
    picture = f"data:image/png;base64,{base64.b64encode(FACE).decode()}"
    assert f"\r\nPHOTO:{picture}\r\n" in (tmp_path / "a.vcf").read_bytes().decode().replace("\r\n ", "")
    assert result.left_out.to_json()["file"] == {"notes": 1}
    assert "notEmbedded" not in result.left_out.to_json()


def test_a_database_does_not_hold_them_and_what_is_made_of_it_opens(archive: Path, tmp_path: Path) -> None:
    result = convert_to(archive, "sqlite", tmp_path / "a.sqlite")
    assert result.left_out.to_json()["file"] == {"contacts": 1, "notes": 1}
    assert result.reversible is False
    returned = from_database(tmp_path / "a.sqlite", tmp_path / "b.mana")
    assert (returned.not_whole, returned.same) == (["files"], True)
    report = verify(tmp_path / "b.mana")
    assert (report.problems, report.status) == ([], "partial")
