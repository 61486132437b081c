"""Verify: what passes can be used, and what others would stumble over does not pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError
from manabackup.operations.archives.reseal import seal
from manabackup.operations.archives.verify import verify
from manabackup.operations.compare.diff import Side, diff
from manabackup.operations.rekey import rekey
from tests.support import handmade, zips

META: dict[str, Any] = {"id": "n-1", "at": None, "actor": None, "origin": None, "fields": {}, "sealed": []}


def problems(path: Path, parts: list[zips.Part], passphrase: str = handmade.PASSPHRASE) -> list[tuple[str, str | None]]:
    path.write_bytes(zips.build(parts))
    return [(problem.code, problem.where) for problem in verify(path, lambda: passphrase).problems]


@pytest.mark.parametrize("stated", [True, 1.5, "2", None, [2], 3])
def test_A3_a_count_that_is_no_number_of_rows_is_a_wrong_one(tmp_path: Path, stated: object) -> None:
    one = handmade.ours({"notes": b'{"id":"a"}\n'}, rowCounts={"notes": stated})
    assert problems(tmp_path / "x.mana", one) == [("counts", "manifest.json")]


def test_A3_rows_out_of_order_do_not_pass_where_the_archive_claims_to_be_sorted(tmp_path: Path) -> None:
    rows = b'{"id":"b"}\n{"id":"a"}\n'
    assert problems(tmp_path / "x.mana", handmade.ours({"notes": rows})) == [("order", "data/notes.jsonl:2")]
    assert problems(tmp_path / "x.mana", handmade.of_the_web_app({"notes": rows})) == []


@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        ([META], None, 0),
        ([META, {**META, "id": "n-0"}], "order", 2),
        ([META, META], "order", 2),
        ([{**META, "fields": []}], "line", 1),
        ([{**META, "actor": 1}], "line", 1),
        ([{**META, "sealed": None}], "line", 1),
        ([{**META, "space": -1}], "line", 1),
        ([{key: value for key, value in META.items() if key != "at"}], "line", 1),
    ],
)
def test_A6_meta_lines_that_a_restore_would_refuse_do_not_pass(
    tmp_path: Path, lines: list[dict[str, object]], code: str | None, line: int
) -> None:
    """They were worth nothing on the day of the restore; the time to say so is now."""
    content = b"".join(handmade.text(line, indent=None) for line in lines)
    found = problems(tmp_path / "x.mana", handmade.ours(meta={"notes": content, "actors": b'{"kind":"user"}\n'}))
    assert found == ([] if code is None else [(code, f"meta/notes.jsonl:{line}")])


def test_A1_a_sealed_archive_is_checked_outside_its_seal_too(tmp_path: Path) -> None:
    """Also the web app's, whose seal names no hash of it."""
    parts = handmade.sealed_by_the_web_app()
    parts[-1].packed = b"Sealed?\n"
    assert problems(tmp_path / "x.mana", parts) == [("crc", "README.md")]


def test_A1_what_lies_beside_a_web_apps_seal_is_noted_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.mana"
    smuggled = zips.stored("data/notes.jsonl", b'{"id":"evil"}\n')
    assert problems(path, [*handmade.sealed_by_the_web_app(), smuggled]) == []
    notes = verify(path, lambda: handmade.PASSPHRASE).notes
    assert "an entry outside the seal, which is not read: data/notes.jsonl" in notes
    with open_archive(path, lambda: handmade.PASSPHRASE) as archive:
        assert [row.id for row in archive.rows("notes")] == ["n-1", "n-2"]
    path.write_bytes(zips.build([*handmade.sealed_by_us(), smuggled]))
    with pytest.raises(DamagedArchiveError, match="does not belong beside"):
        open_archive(path, lambda: pytest.fail("asked for a passphrase"))


def test_A3_whoever_reads_rows_to_their_end_finds_that_some_are_missing(tmp_path: Path) -> None:
    """Somebody took a row away and computed all sums anew, but for the manifest's count."""
    path, out = tmp_path / "x.mana", tmp_path / "out.mana"
    path.write_bytes(zips.build(handmade.ours({"notes": b'{"id":"a"}\n'}, rowCounts={"notes": 2})))
    cipher = FieldCipher(bytes(32))

    def compare() -> None:
        with open_archive(path) as archive:
            diff(Side(archive), Side(archive))

    def encrypt() -> None:
        with open_archive(path) as archive:
            rekey(archive, out, cipher)

    for read in (compare, encrypt, lambda: seal(path, out, lambda: "a passphrase of mine")):
        with pytest.raises(DamagedArchiveError) as caught:
            read()
        assert (caught.value.code, caught.value.where) == ("counts", "manifest.json")
    assert not out.exists()
