"""A sealed body is read several times, and its file may change meanwhile: what changed is never decrypted."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from manabackup.crypto.seal import BLOCK_BYTES, TAG_BYTES, SealedBody, SealingStream
from manabackup.errors import DamagedArchiveError, WrongPassphraseError

KEY, IV = bytes(range(32)), bytes(12)
PLAINTEXT = os.urandom(5 * BLOCK_BYTES + 777)


class Changing:
    """A body that is another one each time it is read from its start; the last one stays."""

    def __init__(self, *contents: bytes) -> None:
        self._contents = list(contents)
        self.current = contents[0]
        self.size = len(contents[0])

    def read_at(self, offset: int, count: int) -> bytes:
        if offset == 0 and self._contents:
            self.current = self._contents.pop(0)
        return self.current[offset : offset + count]


class Failing(Changing):
    """One whose disk dies under the fourth block, once it has been read ``whole`` times."""

    def __init__(self, content: bytes, *, whole: int) -> None:
        super().__init__(content)
        self._whole = whole

    def read_at(self, offset: int, count: int) -> bytes:
        if offset == 3 * BLOCK_BYTES:
            self._whole -= 1
            if self._whole < 0:
                raise DamagedArchiveError("cannot be read: Input/output error", code="unreadable")
        return super().read_at(offset, count)


def sealed(plaintext: bytes = PLAINTEXT) -> bytes:
    ciphertext = bytearray()
    stream = SealingStream(KEY, IV, ciphertext.extend)
    stream.write(plaintext)
    stream.finish()
    return bytes(ciphertext)


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def opened(source: Changing, content: bytes, key: bytes = KEY) -> SealedBody:
    body = SealedBody(source)
    body.verify_ciphertext(hashlib.sha256(content).hexdigest())
    body.unlock(key, IV)
    return body


GOOD = sealed()
BAD_BLOCK = flipped(GOOD, 2 * BLOCK_BYTES + 5)
BAD_TAG = flipped(GOOD, len(GOOD) - TAG_BYTES)


def test_a_body_that_does_not_change_opens() -> None:
    body = opened(Changing(GOOD), GOOD)
    assert body.plaintext_sha256 == hashlib.sha256(PLAINTEXT).hexdigest()
    assert body.read_at(BLOCK_BYTES - 3, 2 * BLOCK_BYTES) == PLAINTEXT[BLOCK_BYTES - 3 : 3 * BLOCK_BYTES - 3]


def test_another_key_is_a_wrong_passphrase() -> None:
    with pytest.raises(WrongPassphraseError):
        opened(Changing(GOOD), GOOD, bytes(32))


def test_a_body_that_never_opened_is_a_wrong_passphrase() -> None:
    with pytest.raises(WrongPassphraseError):
        opened(Changing(BAD_TAG), BAD_TAG)


@pytest.mark.parametrize(
    "passes",
    [
        pytest.param((GOOD, BAD_BLOCK), id="and stays so"),
        pytest.param((GOOD, BAD_BLOCK, GOOD), id="and back"),
        pytest.param((GOOD, BAD_BLOCK, flipped(GOOD, 7)), id="and again"),
        pytest.param((BAD_BLOCK, flipped(BAD_BLOCK, 7)), id="from one that does not open either"),
        pytest.param((GOOD, flipped(GOOD, 0)), id="in its first byte"),
    ],
)
@pytest.mark.parametrize("key", [KEY, bytes(32)], ids=["the right key", "another key"])
def test_A4_what_changed_before_its_tag_was_verified_is_no_wrong_passphrase(
    passes: tuple[bytes, ...], key: bytes
) -> None:
    with pytest.raises(DamagedArchiveError, match="changed while it was read"):
        opened(Changing(*passes), passes[0], key)


def test_A4_a_tag_that_changed_is_no_wrong_passphrase() -> None:
    source = Changing(GOOD)
    body = SealedBody(source)
    body.verify_ciphertext(hashlib.sha256(GOOD).hexdigest())
    source.current = BAD_TAG
    with pytest.raises(DamagedArchiveError, match="changed while it was read"):
        body.unlock(KEY, IV)


def test_A4_only_what_the_tag_was_verified_over_is_decrypted() -> None:
    # The sound body is shown while the tag is verified, another one, which the manifest names, before and after.
    body = opened(Changing(BAD_BLOCK, GOOD, BAD_BLOCK), BAD_BLOCK)
    assert body.read_at(0, 10) == PLAINTEXT[:10]
    with pytest.raises(DamagedArchiveError, match="changed while it was read"):
        body.read_at(2 * BLOCK_BYTES, 10)


@pytest.mark.parametrize("whole", [0, 1])
def test_a_read_error_ahead_is_told_and_leaves_no_thread(whole: int) -> None:
    with pytest.raises(DamagedArchiveError, match="cannot be read"):
        opened(Failing(GOOD, whole=whole), GOOD)
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]
