"""An archive that another program packed anew is what it was, or tells with the mend why it is not."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pytest

from manabackup.archive.container import Container
from manabackup.archive.reader import open_archive
from manabackup.archive.sources import BytesSource
from manabackup.errors import DamagedArchiveError
from manabackup.operations.archives.reseal import seal
from manabackup.operations.archives.verify import verify
from tests.support import zips
from tests.support.in_process import Command

from .classified import PASSPHRASE, PLAIN, VECTORS, never_asked, patched


def by_zipfile(method: int, *, streamed: bool = False, zip64: bool = False) -> Callable[[Path, Path], None]:
    """Python's zipfile."""

    class Pipe:
        """Takes bytes and cannot go back."""

        def __init__(self, file: IO[bytes]) -> None:
            self.write, self.flush = file.write, file.flush

    def repack(folder: Path, target: Path) -> None:
        paths = sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True)
        with (
            target.open("wb") as file,
            zipfile.ZipFile(cast("IO[bytes]", Pipe(file)) if streamed else file, "w", method) as container,
        ):
            for path in paths:
                entry = zipfile.ZipInfo.from_file(path, str(path.relative_to(folder)))
                entry.compress_type = method
                with container.open(entry, "w", force_zip64=zip64) as out:
                    out.write(path.read_bytes())

    return repack


def by_command(*command: str) -> Callable[[Path, Path], None]:
    """A program that is called in the folder; ``{}`` is the archive to write."""

    def repack(folder: Path, target: Path) -> None:
        if shutil.which(command[0].split()[0]) is None:
            pytest.skip(f"there is no {command[0].split()[0]} here")
        line = [word.replace("{}", str(target)) for word in command]
        subprocess.run(["sh", "-c", " ".join(line)], cwd=folder, check=True, capture_output=True)

    return repack


REPACKERS = {
    "zipfile": by_zipfile(zipfile.ZIP_DEFLATED),
    "zipfile-stored": by_zipfile(zipfile.ZIP_STORED),
    "zipfile-streamed": by_zipfile(zipfile.ZIP_DEFLATED, streamed=True),
    "zipfile-zip64": by_zipfile(zipfile.ZIP_DEFLATED, zip64=True),
    "zipfile-streamed-zip64": by_zipfile(zipfile.ZIP_DEFLATED, streamed=True, zip64=True),
    "zip": by_command("zip", "-q", "-r", "{}", "."),
    "zip-without-folders": by_command("zip", "-q", "-D", "-X", "-0", "-r", "{}", "."),
    "zip-streamed": by_command("zip", "-q", "-r", "-", ".", "| cat >", "{}"),
    "zip-zip64": by_command("zip", "-q", "-fz", "-r", "{}", "."),
    "jar": by_command("jar", "cfM", "{}", "."),
}


@pytest.mark.parametrize("repacker", REPACKERS)
@pytest.mark.parametrize("kind", PLAIN)
def test_A1_a_plain_archive_that_another_tool_packed_anew_opens(
    plain: dict[str, Path], tmp_path: Path, kind: str, repacker: str
) -> None:
    folder, target = tmp_path / "folder", tmp_path / "x.mana"
    with zipfile.ZipFile(plain[kind]) as container:
        container.extractall(folder)
    REPACKERS[repacker](folder, target)
    before, after = verify(plain[kind]), verify(target)
    assert after.problems == []
    assert (after.rows, after.tables, after.data_sha256) == (before.rows, before.tables, before.data_sha256)


@pytest.mark.parametrize("repacker", REPACKERS)
@pytest.mark.parametrize("kind", ["export", "export-private", "rekey", "web-app"])
def test_A4_a_sealed_archive_that_another_tool_packed_anew_is_what_it_was(
    sealed: dict[str, Path], tmp_path: Path, kind: str, repacker: str
) -> None:
    """Its hash and its tag vouch for the body, whatever lies around it."""
    path = VECTORS / "sealed-small.mana" if kind == "web-app" else sealed[kind]
    folder, target = tmp_path / "folder", tmp_path / "x.mana"
    with zipfile.ZipFile(path) as container:
        container.extractall(folder)
    REPACKERS[repacker](folder, target)
    before, after = verify(path, lambda: PASSPHRASE), verify(target, lambda: PASSPHRASE)
    assert after.problems == []
    assert (after.rows, after.data_sha256, after.status) == (before.rows, before.data_sha256, before.status)
    assert ("packed again by another program; what was in it is what it was" in after.notes) == (kind != "web-app")
    # Damage is still damage, and no wrong passphrase.
    with zipfile.ZipFile(target) as container:
        body = container.getinfo("data.sealed")
    at = body.header_offset + body.compress_size // 2
    with patched(target, at, target.read_bytes()[at] ^ 1), pytest.raises(DamagedArchiveError):
        open_archive(target, never_asked)


WAYS = {
    "a folder around it": by_command("cd .. && zip -q -r {} folder"),
    "a folder around it, without entries of folders": by_command("cd .. && zip -q -D -r {} folder"),
    "dots before the names": by_command("bsdtar --format zip -cf {} ."),
    "bsdtar from outside": by_command("cd .. && bsdtar --format zip -cf {} folder"),
    "7-Zip": by_command("7z a -tzip -bd {} . && mv {}.zip {} 2>/dev/null || true"),
    "7-Zip from outside": by_command("cd .. && 7z a -tzip -bd {}.zip folder && mv {}.zip {}"),
}


def with_names(call: Callable[[str], str], extra: dict[str, bytes] | None = None) -> Callable[[Path, Path], None]:
    """Python's zipfile, with other names."""

    def repack(folder: Path, target: Path) -> None:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as container:
            found = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
            for name, content in {**{name: path.read_bytes() for name, path in found.items()}, **(extra or {})}.items():
                entry = zipfile.ZipInfo("x", (2026, 5, 1, 12, 0, 0))
                entry.filename = name if extra and name in extra else call(name)
                container.writestr(entry, content)

    return repack


APPLE = b"\0\5\x16\7\0\2\0\0Mac OS X        \0\2"
FINDER = {
    "__MACOSX/": b"",
    "__MACOSX/._manifest.json": APPLE,
    "__MACOSX/data/": b"",
    "__MACOSX/data/._notes.jsonl": APPLE,
    "data/.DS_Store": b"Bud1",
    ".DS_Store": b"Bud1",
}
WAYS |= {
    "PowerShell": with_names(lambda name: name.replace("/", "\\")),
    "PowerShell, a folder around it": with_names(lambda name: f"folder\\{name}".replace("/", "\\")),
    "Finder": with_names(str, FINDER),
    "Finder, a folder around it": with_names(
        lambda name: f"my backup/{name}",
        {"my backup/": b"", "__MACOSX/._my backup": APPLE, "__MACOSX/my backup/data/._notes.jsonl": APPLE},
    ),
    "Explorer": with_names(str, {"Thumbs.db": b"x", "data/desktop.ini": b"x"}),
    "folders around it": with_names(lambda name: f"a/b/c/{name}"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "web-app", "sealed", "v1"])
def test_A1_an_archive_under_the_names_of_another_packer_opens(
    plain: dict[str, Path], sealed: dict[str, Path], tmp_path: Path, kind: str, way: str
) -> None:
    path = {"plain": plain["export"], "web-app": plain["web-app"], "sealed": sealed["export"], "v1": plain["v1"]}[kind]
    folder, target = tmp_path / "folder", tmp_path / "x.mana"
    with zipfile.ZipFile(path) as container:
        container.extractall(folder)
    WAYS[way](folder, target)
    before, after = verify(path, lambda: PASSPHRASE), verify(target, lambda: PASSPHRASE)
    assert after.problems == []
    assert (after.rows, after.tables, after.data_sha256) == (before.rows, before.tables, before.data_sha256)
    if kind in ("plain", "web-app"):
        seal(target, tmp_path / "again.mana", lambda: PASSPHRASE)
        assert verify(tmp_path / "again.mana", lambda: PASSPHRASE).rows == before.rows


@pytest.mark.parametrize(
    "names",
    [
        ["a/manifest.json", "b/data/notes.jsonl"],
        ["a/manifest.json", "data/notes.jsonl"],
        ["a/manifest.json", "b/manifest.json"],
        ["manifest.json", "data\\notes.jsonl", "data/tasks.jsonl"],
        ["../manifest.json", "../data/notes.jsonl"],
        ["/manifest.json", "/data/notes.jsonl"],
        ["C:\\manifest.json", "C:\\data\\notes.jsonl"],
        ["..\\manifest.json"],
        ["a/manifest.json", "a/../data/notes.jsonl"],
        ["manifest.json", "__MACOSX/../data/notes.jsonl"],
        ["manifest.json", "a/manifest.json", "a/data/notes.jsonl"],
    ],
)
def test_A1_names_that_leave_doubt_stay_what_they_are(names: list[str]) -> None:
    with pytest.raises(DamagedArchiveError) as caught:
        read_names(names)
    assert caught.value.code in ("entryName", "notAnArchive")


def read_names(names: list[str]) -> None:
    container = Container(BytesSource(zips.build([zips.stored(name, b"{}") for name in names])))
    if "manifest.json" not in container.entries:
        raise DamagedArchiveError("no manifest", code="notAnArchive")


def test_A1_what_another_packer_compressed_in_its_own_way_is_told_with_the_mend(
    manabackup: Command, tmp_path: Path, plain: dict[str, Path]
) -> None:
    parts = zips.taken_apart(plain["web-app"].read_bytes())
    parts[1].method = 9  # as Windows does it with large files
    (tmp_path / "x.mana").write_bytes(zips.build(parts))
    done = manabackup("verify", tmp_path / "x.mana")
    assert done.code == 15
    assert b"DAMAGED" not in done.out
    assert b"PACKED AGAIN" in done.out
    assert "was packed again by another program\nhint: " in done.err
    assert "`zip -X -D -r NEW.mana .`" in done.err
