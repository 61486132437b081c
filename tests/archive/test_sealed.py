"""Sealed archives: three failures told apart, no bit unguarded, no plaintext used unverified."""

from __future__ import annotations

import json
import os
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.archive.sources import BytesSource
from manabackup.archive.writer import Seal
from manabackup.crypto.seal import BLOCK_BYTES, SealedBody, SealingStream, SealParameters, derive_key, passphrase_bytes
from manabackup.errors import DamagedArchiveError, TamperedArchiveError, UsageError, WrongPassphraseError
from manabackup.limits import Limits
from tests.support import handmade
from tests.support.zips import build

from .conftest import PASSPHRASE, Maker

ROWS = {"notes": [b'{"id":"a","title":"Liebes Tagebuch"}', b'{"id":"b"}'], "tasks": []}


@pytest.fixture
def sealed(tmp_path: Path, make_archive: Maker) -> Path:
    path = tmp_path / "sealed.mana"
    make_archive(path, ROWS, seal=Seal(PASSPHRASE))
    return path


def rows(path: Path, passphrase: str = PASSPHRASE) -> dict[str, list[bytes]]:
    with open_archive(path, lambda: passphrase) as archive:
        return {table: [row.line for row in archive.rows(table)] for table in archive.tables}


def outer_parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as container:
        return {name: container.read(name) for name in container.namelist()}


def test_what_was_sealed_opens_with_its_passphrase_only(sealed: Path) -> None:
    assert rows(sealed) == ROWS
    for wrong in ("", PASSPHRASE + " ", PASSPHRASE.lower(), unicodedata.normalize("NFD", PASSPHRASE)):
        with pytest.raises(WrongPassphraseError):
            rows(sealed, wrong)


@pytest.mark.parametrize(
    "passphrase",
    [PASSPHRASE + " ", "\ufeff" + PASSPHRASE, PASSPHRASE + "\nlogin: anna", PASSPHRASE + "\r", "u\u0308" + PASSPHRASE],
)
def test_any_passphrase_opens_what_was_sealed_under_it(tmp_path: Path, make_archive: Maker, passphrase: str) -> None:
    make_archive(tmp_path / "a.mana", ROWS, seal=Seal(passphrase))
    assert rows(tmp_path / "a.mana", passphrase) == ROWS


def test_a_byte_order_mark_before_a_passphrase_is_tried_without_too(sealed: Path) -> None:
    assert rows(sealed, "\ufeff" + PASSPHRASE) == ROWS
    with pytest.raises(WrongPassphraseError):
        rows(sealed, "\ufeff\ufeff" + PASSPHRASE)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (PASSPHRASE + " ", "ends with a blank"),
        (PASSPHRASE + "\r", "holds 1 line break"),
        (PASSPHRASE + "\nlogin: anna\n", "holds 2 line breaks"),
        (unicodedata.normalize("NFD", PASSPHRASE), "is not composed as keyboards do it (Unicode's NFC)"),
        ("\ufeffanother", "begins with a byte order mark"),
    ],
)
def test_what_does_not_open_is_told_with_what_is_odd_about_it(sealed: Path, given: str, told: str) -> None:
    with pytest.raises(WrongPassphraseError) as caught:
        rows(sealed, given)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"the one given {told}; ")
    assert PASSPHRASE not in caught.value.hint


def test_the_outer_file_tells_nothing_of_the_content(sealed: Path, tmp_path: Path, make_archive: Maker) -> None:
    manifest = json.loads(outer_parts(sealed)["manifest.json"])
    assert not {"dataSha256", "completeness"} & manifest.keys()
    assert b"Tagebuch" not in sealed.read_bytes()
    make_archive(tmp_path / "private.mana", ROWS, seal=Seal(PASSPHRASE, private=True))
    private = json.loads(outer_parts(tmp_path / "private.mana")["manifest.json"])
    assert (private["userId"], private["rowCounts"], private["scope"]) == ("-", {}, {"type": "full"})
    assert private["exportedAt"] == "2026-05-01T00:00:00.000Z"
    with open_archive(tmp_path / "private.mana", lambda: PASSPHRASE) as archive:
        assert archive.manifest.user_id == "user-1"
        assert archive.manifest.exported_at == "2026-05-01T12:00:00.000Z"


def test_equal_contents_have_equal_names_inside_and_nothing_equal_outside(tmp_path: Path, make_archive: Maker) -> None:
    one = make_archive(tmp_path / "one.mana", ROWS, seal=Seal(PASSPHRASE))
    two = make_archive(tmp_path / "two.mana", ROWS, seal=Seal(PASSPHRASE))
    assert one.data_sha256 == two.data_sha256
    first, second = (json.loads(outer_parts(tmp_path / name)["manifest.json"]) for name in ("one.mana", "two.mana"))
    for key in ("kdfSaltBase64", "ivBase64", "plaintextSha256"):
        assert first["passphrase"][key] != second["passphrase"][key]
    assert first["sealedSha256"] != second["sealedSha256"]


def test_A4_no_single_bit_can_be_flipped_unseen(sealed: Path) -> None:
    """Never read, never taken for a wrong passphrase. Every bit outside the body, one of each byte in it."""
    whole = bytearray(sealed.read_bytes())
    body = range(100, whole.index(b"PK\3\4", 4) - 100)
    for at in range(len(whole)):
        for bit in (at % 8,) if at in body else range(8):
            whole[at] ^= 1 << bit
            sealed.write_bytes(whole)
            with pytest.raises(DamagedArchiveError):
                rows(sealed)
            whole[at] ^= 1 << bit


def test_A5_truncated_at_any_byte_it_is_damaged(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for length in range(len(whole)):
        sealed.write_bytes(whole[:length])
        with pytest.raises(DamagedArchiveError):
            rows(sealed)


def rewritten(path: Path, change: dict[str, object] | None = None, drop: str | None = None) -> None:
    """The archive with another outer manifest, its CRC-32 and everything else in order, as an attacker would do it."""
    parts = outer_parts(path)
    manifest = json.loads(parts["manifest.json"])
    manifest.update(change or {})
    manifest.pop(drop, None)
    parts["manifest.json"] = json.dumps(manifest).encode()
    blob, directory = bytearray(), bytearray()
    for name, content in parts.items():
        raw, crc = name.encode(), zlib.crc32(content)
        offset = len(blob)
        blob += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, crc, len(content), len(content), len(raw), 0)
        blob += raw + content
        sizes = (crc, len(content), len(content), len(raw), 0, 0, 0, 0, 0o100600 << 16, offset)
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", 0x0314, 20, 0, 0, 0, 0, *sizes) + raw
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(parts), len(parts), len(directory), len(blob), 0)
    path.write_bytes(blob + directory + end)


def test_A3_an_edited_outer_manifest_is_tampering(sealed: Path) -> None:
    rewritten(sealed)  # the rewriting itself does no harm
    assert rows(sealed) == ROWS
    changes: list[dict[str, object]] = [
        {"userId": "somebody-else"},
        {"rowCounts": {"notes": 3}},
        {"new": 1},
        {"scope": {"type": "full "}},
    ]
    for change in changes:
        rewritten(sealed, change)
        with pytest.raises(TamperedArchiveError):
            rows(sealed)
        rewritten(sealed, {"userId": "user-1", "rowCounts": {"notes": 2, "tasks": 0}, "scope": {"type": "full"}}, "new")
        assert rows(sealed) == ROWS


def test_A3_taking_the_guard_away_is_tampering(sealed: Path) -> None:
    rewritten(sealed, drop="sealedSha256")
    with pytest.raises(TamperedArchiveError):
        rows(sealed)


def test_A3_another_salt_iv_or_iteration_count_with_a_fitting_crc_looks_like_a_wrong_passphrase(sealed: Path) -> None:
    """Nothing can tell the two apart, so the milder one is said."""
    passphrase = json.loads(outer_parts(sealed)["manifest.json"])["passphrase"]
    for change in ({"kdfIterations": 600_001}, {"kdfSaltBase64": "A" * 22}, {"ivBase64": "A" * 16}):
        rewritten(sealed, {"passphrase": {**passphrase, **change}})
        with pytest.raises(WrongPassphraseError):
            rows(sealed)


@pytest.mark.parametrize(
    "change",
    [{"kdfIterations": value} for value in (0, -1, 1.5, "600000", 99_999, 2**40, True, None)]
    + [{"kdfSaltBase64": value} for value in ("", "AAAA", "*" * 22, None, 5)]
    + [{"ivBase64": value} for value in ("", "A" * 15, "A" * 22, None)]
    + [{"kdf": "scrypt"}, {"cipher": "ChaCha20"}, {"plaintextSha256": "0"}],
    ids=repr,
)
def test_A2_parameters_that_the_format_does_not_allow_are_damage(sealed: Path, change: dict[str, object]) -> None:
    """At once, without a long computation."""
    passphrase = json.loads(outer_parts(sealed)["manifest.json"])["passphrase"]
    rewritten(sealed, {"passphrase": {**passphrase, **change}})
    with pytest.raises(DamagedArchiveError):
        rows(sealed)


def test_A1_an_entry_smuggled_in_beside_the_seal_is_refused(sealed: Path) -> None:
    with zipfile.ZipFile(sealed, "a") as container:
        container.writestr("data/notes.jsonl", '{"id":"evil"}\n')
    with pytest.raises(DamagedArchiveError):
        rows(sealed)


def test_A4_a_file_that_changes_between_the_passes_is_not_decrypted(tmp_path: Path, make_archive: Maker) -> None:
    path = tmp_path / "large.mana"
    lines = [b'{"id":"%06d","noise":"%s"}' % (number, os.urandom(500).hex().encode()) for number in range(8_000)]
    make_archive(path, {"notes": lines}, seal=Seal(PASSPHRASE))
    assert path.stat().st_size > 3 * BLOCK_BYTES
    with open_archive(path, lambda: PASSPHRASE) as archive:
        with path.open("r+b") as file:
            file.seek(2 * BLOCK_BYTES)
            file.write(b"changed")
        with pytest.raises(DamagedArchiveError, match="changed while it was read"):
            list(archive.rows("notes"))


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "the web app's"])
def test_A4_a_file_that_changes_while_the_passphrase_is_typed_is_no_wrong_passphrase(
    tmp_path: Path, ours: bool
) -> None:
    """Between the check for damage and the one of the tag, any byte of the body, its tag included, and its length."""
    path = tmp_path / "x.mana"
    whole = build(handmade.sealed_by_us() if ours else handmade.sealed_by_the_web_app())
    body = range(41, whole.index(b"PK\3\4", 4))

    def changed(content: bytes) -> Callable[[], str]:
        def passphrase() -> str:
            path.write_bytes(content)  # the same file: its bytes and not its name
            return handmade.PASSPHRASE

        return passphrase

    tag = range(body.stop - 16, body.stop)
    for at in (*range(body.start, tag.start, 97), *tag):
        path.write_bytes(whole)
        edited = bytearray(whole)
        edited[at] ^= 1
        with pytest.raises(DamagedArchiveError, match="changed while it was read"):
            open_archive(path, changed(bytes(edited)))
    for length in (0, body.start, body.stop - 17):
        path.write_bytes(whole)
        with pytest.raises(DamagedArchiveError):
            open_archive(path, changed(whole[:length]))


def test_A4_the_passphrase_is_asked_for_after_damage_is_ruled_out(sealed: Path) -> None:
    whole = bytearray(sealed.read_bytes())
    whole[100] ^= 1  # inside data.sealed, which comes first
    sealed.write_bytes(whole)
    with pytest.raises(DamagedArchiveError, match=r"data\.sealed"):
        open_archive(sealed, lambda: pytest.fail("asked for a passphrase"))


@settings(max_examples=40)
@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 300)), max_size=6))
def test_any_part_of_a_sealed_body_can_be_read(seed: bytes, places: list[tuple[int, int]]) -> None:
    plaintext = (seed + b"-") * 20
    key, iv = bytes(32), bytes(12)
    ciphertext = bytearray()
    stream = SealingStream(key, iv, ciphertext.extend)
    for at in range(0, len(plaintext), 37):
        stream.write(plaintext[at : at + 37])
    plaintext_sha256, sealed_sha256 = stream.finish()
    body = SealedBody(BytesSource(bytes(ciphertext)))
    body.verify_ciphertext(sealed_sha256)
    body.unlock(key, iv)
    assert body.plaintext_sha256 == plaintext_sha256
    for offset, count in places:
        assert body.read_at(offset, count) == plaintext[offset : offset + count]


def test_reading_across_blocks_decrypts_with_the_right_counters() -> None:
    plaintext = os.urandom(2 * BLOCK_BYTES + 12_345)
    key, iv = os.urandom(32), os.urandom(12)
    ciphertext = bytearray()
    stream = SealingStream(key, iv, ciphertext.extend)
    stream.write(plaintext)
    stream.finish()
    body = SealedBody(BytesSource(bytes(ciphertext)))
    body.verify_ciphertext(None)
    body.unlock(key, iv)
    for offset in (0, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES - 3, 2 * BLOCK_BYTES + 12_340):
        assert body.read_at(offset, 70_000) == plaintext[offset : offset + 70_000]
    assert body.read_at(0, len(plaintext)) == plaintext


def test_a_body_beyond_what_gcm_can_do_is_refused() -> None:
    stream = SealingStream(bytes(32), bytes(12), lambda data: None, Limits(sealed_body_bytes=100))
    stream.write(b"x" * 100)
    with pytest.raises(UsageError, match="64 GiB"):
        stream.write(b"x")


def test_passphrases_are_utf_8_and_not_normalised() -> None:
    assert passphrase_bytes("ü") == b"\xc3\xbc" != passphrase_bytes("u\u0308")
    assert passphrase_bytes("x\ud83d") == "x\ufffd".encode()
    assert passphrase_bytes("\ud83d\ude00") == "😀".encode()


def test_the_key_is_pbkdf2_as_rfc_8018_has_it() -> None:
    # Computed with openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt iter:1000 … PBKDF2
    parameters = SealParameters(salt=b"0123456789abcdef", iv=bytes(12), iterations=1_000)
    assert (
        derive_key("password", parameters).hex() == "8514638175a45bc45eb1f22f04ff7d27f4f8be480498c455ff4b494ce8d1e7d2"
    )
