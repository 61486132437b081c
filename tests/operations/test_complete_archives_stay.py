"""A partial archive takes no complete one away."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import IncompleteError
from manabackup.operations.archives.reseal import seal as seal_archive
from manabackup.operations.archives.reseal import unseal
from manabackup.operations.rekey import rekey
from tests.support.exports import PASSPHRASE, VECTORS, write_export
from tests.support.v1_exports import FOLDER as V1
from tests.support.v1_exports import KEY

SEAL = Seal(PASSPHRASE)
OTHER = bytes(32)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def status(path: Path) -> object:
    with open_archive(path, lambda: PASSPHRASE) as archive:
        return (archive.manifest.completeness or {}).get("status")


@pytest.mark.parametrize("seal", [None, SEAL], ids=["plain", "sealed"])
def test_a_complete_archive_is_kept_beside_a_partial_one_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seal: Seal | None
) -> None:
    path, kept = tmp_path / "all.mana", tmp_path / "all.previous.mana"
    write_export(path, seal=seal)
    complete = path.read_bytes()
    result = write_export(path, seal=seal, key=OTHER, force=True)
    assert (result.status, result.previous) == ("partial", kept)
    assert result.to_json()["previous"] == str(kept)
    assert [record.getMessage() for record in caplog.records] == [
        f"all.mana is kept as {kept}: what takes its place is partial"
    ]
    assert kept.read_bytes() == complete
    assert status(path) == "partial"
    # Night after night: nothing piles up, and nothing is lost.
    for _ in range(2):
        assert write_export(path, seal=seal, key=OTHER, force=True).previous is None
    assert write_export(path, seal=seal, force=True).previous is None
    again = path.read_bytes()
    assert write_export(path, seal=seal, key=OTHER, force=True).previous == tmp_path / "all.previous-2.mana"
    assert [*files(tmp_path)] == ["all.mana", "all.previous-2.mana", "all.previous.mana"]
    assert (kept.read_bytes(), (tmp_path / "all.previous-2.mana").read_bytes()) == (complete, again)


@pytest.mark.parametrize("seal", [None, SEAL], ids=["plain", "sealed"])
def test_under_strict_a_partial_archive_replaces_no_complete_one(tmp_path: Path, seal: Seal | None) -> None:
    path = tmp_path / "all.mana"
    write_export(path, seal=seal)
    before = files(tmp_path)
    with pytest.raises(IncompleteError, match="stays as it was") as caught:
        write_export(path, seal=seal, key=OTHER, force=True, strict=True)
    assert caught.value.exit_code == 3
    assert files(tmp_path) == before
    # Where there was none, or a partial one, it does no harm.
    other = tmp_path / "other.mana"
    for _ in range(2):
        assert write_export(other, seal=seal, key=OTHER, force=True, strict=True).previous is None


def in_place(path: Path, kind: str) -> None:
    match kind:
        case "the web app's":
            path.write_bytes((VECTORS / "archives" / "plain-small.mana").read_bytes())
        case "version 1":
            path.write_bytes((V1 / "life.mana").read_bytes())
        case "sealed under another passphrase":
            write_export(path, seal=Seal("another passphrase"), key=OTHER)
        case "sealed, and the new one is not":
            write_export(path, seal=SEAL, key=OTHER)
        case "damaged":
            write_export(path)
            path.write_bytes(path.read_bytes()[:-100])
        case "no archive":
            path.write_bytes(b"a text")
        case "partial":
            write_export(path, key=OTHER)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        ("the web app's", True),
        ("version 1", True),
        ("sealed under another passphrase", True),
        ("sealed, and the new one is not", True),
        ("damaged", True),
        ("no archive", False),
        ("partial", False),
    ],
)
def test_what_may_be_complete_is_kept_and_what_is_not_goes(tmp_path: Path, kind: str, kept: bool) -> None:
    path = tmp_path / "all.mana"
    in_place(path, kind)
    before = path.read_bytes()
    seal = SEAL if kind.startswith("sealed under") else None
    assert (write_export(path, seal=seal, key=OTHER, force=True).previous is not None) == kept
    assert [*files(tmp_path)] == ["all.mana", "all.previous.mana"][: 1 + kept]
    assert not kept or files(tmp_path)["all.previous.mana"] == before


def test_a_complete_archive_replaces_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "all.mana"
    for key in (KEY, OTHER, KEY, KEY):
        (tmp_path / "all.previous.mana").unlink(missing_ok=True)
        write_export(path, key=key, force=True)
    assert [*files(tmp_path)] == ["all.mana"]


def test_archives_that_are_written_anew_are_kept_alike(tmp_path: Path) -> None:
    complete, partial = tmp_path / "complete.mana", tmp_path / "partial.mana"
    write_export(complete)
    write_export(partial, key=OTHER)
    for name in ("seal", "unseal", "rekey"):
        seal_archive(complete, tmp_path / f"{name}.mana", lambda: PASSPHRASE)
    seal_archive(partial, tmp_path / "seal.mana", lambda: PASSPHRASE, force=True)
    seal_archive(partial, tmp_path / "sealed-partial.mana", lambda: PASSPHRASE)
    unseal(tmp_path / "sealed-partial.mana", tmp_path / "unseal.mana", lambda: PASSPHRASE, force=True)
    with open_archive(partial) as archive:
        with pytest.raises(IncompleteError):
            rekey(archive, tmp_path / "rekey.mana", FieldCipher(KEY), force=True, strict=True)
        rekey(archive, tmp_path / "rekey.mana", FieldCipher(KEY), force=True)
    for name in ("seal", "unseal", "rekey"):
        assert status(tmp_path / f"{name}.mana") == "partial"
        assert status(tmp_path / f"{name}.previous.mana") == "complete"
