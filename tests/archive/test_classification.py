"""Damaged, the wrong passphrase, tampered with: every archive that can be made, and every way to spoil it.

What a single flipped bit may do is known bit by bit: in a sealed archive of this tool nothing; in others it may change
a field that means nothing, and never a row.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manabackup.archive.container import Container
from manabackup.archive.reader import open_archive
from manabackup.archive.sources import BytesSource, FileBytes
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import DamagedArchiveError
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.archives.verify import verify
from manabackup.operations.rekey import rekey
from tests.support import handmade, zips
from tests.support.exports import write_export
from tests.support.in_process import Command
from tests.support.v1_exports import FOLDER as V1
from tests.support.v1_exports import KEY

PASSPHRASE = handmade.PASSPHRASE
VECTORS = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives"
SEALED_BY_US = ("export", "export-private", "seal", "seal-private", "rekey", "rekey-of-sealed")
PLAIN = ("export", "unseal", "rekey", "web-app", "v1")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small archive of each command that seals."""
    folder = tmp_path_factory.mktemp("sealed")
    path = {name: folder / f"{name}.mana" for name in SEALED_BY_US}
    write_export(path["export"], seal=Seal(PASSPHRASE))
    write_export(path["export-private"], seal=Seal(PASSPHRASE, private=True))
    seal(VECTORS / "plain-small.mana", path["seal"], lambda: PASSPHRASE)
    seal(VECTORS / "plain-small.mana", path["seal-private"], lambda: PASSPHRASE, private=True)
    for name, source in (("rekey", VECTORS / "plain-small.mana"), ("rekey-of-sealed", path["seal"])):
        with open_archive(source, lambda: PASSPHRASE) as archive:
            rekey(archive, path[name], FieldCipher(KEY), seal=Seal(PASSPHRASE))
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, sealed: dict[str, Path]) -> dict[str, Path]:
    """One small plain archive of each kind."""
    folder = tmp_path_factory.mktemp("plain")
    path = {name: folder / f"{name}.mana" for name in PLAIN}
    write_export(path["export"])
    unseal(sealed["export"], path["unseal"], lambda: PASSPHRASE)
    with open_archive(VECTORS / "plain-small.mana") as archive:
        rekey(archive, path["rekey"], FieldCipher(KEY))
    shutil.copy(VECTORS / "plain-small.mana", path["web-app"])
    shutil.copy(V1 / "life.mana", path["v1"])
    return path


@contextmanager
def patched(path: Path, at: int, byte: int) -> Iterator[None]:
    """The file with one byte another."""
    with path.open("r+b", buffering=0) as file:
        file.seek(at)
        before = file.read(1)
        file.seek(at)
        file.write(bytes([byte]))
        try:
            yield
        finally:
            file.seek(at)
            file.write(before)


def never_asked() -> str:
    """A passphrase is asked for when no damage was found."""
    return pytest.fail("damage was not found, or would have been called a wrong passphrase")


def free_bytes(blob: bytes) -> set[int]:
    """Places that mean nothing in a plain archive: version, time, date, maker, attributes, as ``formats`` has them."""
    found: set[int] = set()
    end = blob.rindex(b"PK\5\6")
    at = int.from_bytes(blob[end + 16 : end + 20], "little")
    while at < end and blob[at : at + 4] == b"PK\1\2":
        found |= {at + place for place in (*range(4, 8), *range(12, 16), *range(36, 42))}
        local = int.from_bytes(blob[at + 42 : at + 46], "little")
        found |= {local + place for place in (4, 5, *range(10, 14))}
        at += 46 + sum(int.from_bytes(blob[at + place : at + place + 2], "little") for place in (28, 30, 32))
    return found


def flips(blob: bytes, *, every: int = 1) -> Iterator[tuple[int, int]]:
    """(place, bit): each bit of what holds an archive together, one of every ``every``-th byte of its contents."""
    contents: set[int] = set()
    for part in zips.taken_apart(blob):
        first = blob.index(part.packed)
        contents.update(range(first, first + len(part.packed)))
    for at in range(len(blob)):
        if at not in contents:
            yield from ((at, bit) for bit in range(8))
        elif at % every == 0:
            yield at, at // every % 8


# --- sealed by this tool ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SEALED_BY_US)
def test_A4_no_bit_of_any_sealed_archive_can_be_flipped_unseen(sealed: dict[str, Path], kind: str) -> None:
    path = sealed[kind]
    whole = path.read_bytes()
    for at, bit in flips(whole, every=29):
        with patched(path, at, whole[at] ^ 1 << bit):
            assert not verify(path, never_asked).ok, (at, bit)
    assert verify(path, lambda: PASSPHRASE).ok


@pytest.mark.parametrize("kind", SEALED_BY_US)
def test_A4_every_command_calls_a_flipped_bit_damage(
    manabackup: Command, sealed: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    path, out = tmp_path / "x.mana", tmp_path / "out.mana"
    shutil.copy(sealed[kind], path)
    whole = path.read_bytes()
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    for at in range(5, len(whole), len(whole) // 9):
        with patched(path, at, whole[at] ^ 0x10):
            for arguments in (
                ("verify", path),
                ("info", path),
                ("cat", path, "notes"),
                ("unseal", path, "-o", out),
                ("rekey", path, "-o", out, "--to-key-file", key),
                ("diff", path, path),
            ):
                assert manabackup(*arguments, passphrase=PASSPHRASE).code == 15, (at, arguments)
            assert not out.exists()


@pytest.mark.parametrize("kind", SEALED_BY_US)
def test_A4_an_undamaged_archive_under_another_passphrase_is_always_12(
    manabackup: Command, sealed: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    path, out = sealed[kind], tmp_path / "out.mana"
    for arguments in (("verify", path), ("info", path), ("cat", path, "notes"), ("unseal", path, "-o", out)):
        assert manabackup(*arguments, passphrase=PASSPHRASE + " ").code == 12
    assert not out.exists()


@settings(max_examples=150)
@given(data=st.data())
def test_A4_A5_any_other_bytes_are_damage_too(sealed: dict[str, Path], data: st.DataObject) -> None:
    """Edits of many bytes, swapped blocks, cuts at both ends and in the middle, and another archive's parts."""
    path = sealed[data.draw(st.sampled_from(SEALED_BY_US))]
    whole = path.read_bytes()
    other = sealed[data.draw(st.sampled_from(SEALED_BY_US))].read_bytes()
    one, two, three = sorted(data.draw(st.lists(st.integers(0, len(whole)), min_size=3, max_size=3)))
    edited = data.draw(
        st.sampled_from(
            [
                whole[:one] + data.draw(st.binary(min_size=1, max_size=40)) + whole[two:],
                whole[:one] + whole[two:three] + whole[one:two] + whole[three:],
                whole[:one] + whole[two:],
                whole[one:],
                whole[:one],
                whole + whole[one:two],
                whole[:one] + other[one:],
                whole + other,
            ]
        )
    )
    assume(edited not in (whole, other))
    spoiled = path.with_suffix(".spoiled")
    spoiled.write_bytes(edited)
    assert not verify(spoiled, never_asked).ok


# --- sealed by the web app, and plain ---------------------------------------------------------------------------------


def test_A4_in_the_web_apps_seal_a_flipped_bit_is_damage_or_means_nothing(tmp_path: Path) -> None:
    """It has no sealedSha256: the CRC-32 of each entry must do, also of those that are not used."""
    path = tmp_path / "x.mana"
    whole = zips.build(handmade.sealed_by_the_web_app(iterations=1))
    path.write_bytes(whole)
    accepted = set()
    for at, bit in flips(whole):
        with patched(path, at, whole[at] ^ 1 << bit):
            report = verify(path, lambda: PASSPHRASE, allow_weak_kdf=True)
            if report.ok:
                assert (report.rows, report.sealed) == (2, True)
                accepted.add(at)
    assert accepted == free_bytes(whole)


def test_A4_the_web_apps_own_seal_is_told_apart_alike(tmp_path: Path) -> None:
    path = tmp_path / "x.mana"
    whole = (VECTORS / "sealed-small.mana").read_bytes()
    path.write_bytes(whole)
    unseen = set()

    class AskedError(Exception):
        pass

    def ask() -> str:
        raise AskedError

    for at, bit in flips(whole):
        with patched(path, at, whole[at] ^ 1 << bit), suppress(AskedError):
            if not verify(path, ask).ok:
                continue
        unseen.add(at)
    # A deflate stream ends with bits that mean nothing.
    ends = {whole.index(part.packed) + len(part.packed) - 1 for part in zips.taken_apart(whole) if part.method}
    assert unseen <= free_bytes(whole) | ends


@pytest.mark.parametrize("parts", [handmade.ours, handmade.of_the_web_app], ids=["ours", "the web app's"])
def test_A3_in_a_plain_archive_a_flipped_bit_is_damage_or_means_nothing(
    tmp_path: Path, parts: Callable[[], list[zips.Part]]
) -> None:
    """All entries stored, so that no bit belongs to a compressor. Which bits nobody checks is known to the last one."""
    path = tmp_path / "x.mana"
    whole = zips.build([zips.stored(part.name.decode(), content_of(part)) for part in parts()])
    path.write_bytes(whole)
    accepted = set()
    for at, bit in flips(whole):
        with patched(path, at, whole[at] ^ 1 << bit):
            if verify(path).ok:
                accepted.add(at)
    assert accepted == free_bytes(whole)


def content_of(part: zips.Part) -> bytes:
    """A part's content, whose deflate stream is one stored block."""
    return part.packed if part.method == zips.STORED else part.packed[5:]


@pytest.mark.parametrize("kind", PLAIN)
def test_A3_whatever_bit_is_flipped_in_a_plain_archive_no_row_is_another(plain: dict[str, Path], kind: str) -> None:
    """Also in what a real compressor wrote, where several streams may say the same."""
    path = plain[kind]
    whole = path.read_bytes()
    contents = read(path)
    for at in range(0, len(whole), 1 + len(whole) // 600):
        with patched(path, at, whole[at] ^ 1 << at % 8):
            if verify(path).ok:
                assert read(path) == contents, at


def read(path: Path) -> dict[str, bytes]:
    """Name → content."""
    with FileBytes(path) as source:
        container = Container(source)
        return {name: b"".join(container.chunks(entry)) for name, entry in container.entries.items()}


@pytest.mark.parametrize("kind", PLAIN)
def test_A5_a_plain_archive_cut_at_any_byte_is_damaged(plain: dict[str, Path], kind: str, tmp_path: Path) -> None:
    whole, path = plain[kind].read_bytes(), tmp_path / "x.mana"
    for length in (*range(0, len(whole), 1 + len(whole) // 300), len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not verify(path).ok


# --- repacked by others -----------------------------------------------------------------------------------------------


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
