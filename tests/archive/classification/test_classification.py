"""Damaged, the wrong passphrase, tampered with: every archive that can be made, and every way to spoil it.

What a single flipped bit may do is known bit by bit: in a sealed archive of this tool nothing; in others it may change
a field that means nothing, and never a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manabackup.operations.archives.verify import verify
from tests.support import handmade, zips
from tests.support.in_process import Command
from tests.support.v1_exports import KEY

from .classified import PASSPHRASE, PLAIN, SEALED_BY_US, VECTORS, never_asked, patched, read


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


@pytest.mark.parametrize("kind", PLAIN)
def test_A5_a_plain_archive_cut_at_any_byte_is_damaged(plain: dict[str, Path], kind: str, tmp_path: Path) -> None:
    whole, path = plain[kind].read_bytes(), tmp_path / "x.mana"
    for length in (*range(0, len(whole), 1 + len(whole) // 300), len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not verify(path).ok
