from __future__ import annotations

import base64
import os

import pytest

from manabackup.crypto.kek import parse_kek, unwrap, wrap
from manabackup.errors import SourceError, WrongKeyError

KEK, KEY, IV = bytes(range(32)), bytes(range(50, 82)), bytes(12)


def test_a_wrapped_key_opens_under_its_kek_and_no_other() -> None:
    wrapped, iv = wrap(KEK, KEY, os.urandom(12))
    assert len(base64.b64decode(wrapped)) == 48
    assert unwrap(KEK, wrapped, iv) == KEY
    with pytest.raises(WrongKeyError, match="wrong key"):
        unwrap(KEY, wrapped, iv)


def test_what_has_not_the_form_of_one_is_damaged_and_no_wrong_key() -> None:
    wrapped, iv = wrap(KEK, KEY, IV)
    for key, nonce in ((wrapped[:-4], iv), (wrapped, iv[:-4]), ("?", iv), (wrapped, ""), ("ü", iv)):
        with pytest.raises(SourceError, match="damaged"):
            unwrap(KEK, key, nonce)


def test_a_kek_is_base64_of_32_bytes_and_nothing_of_it_is_quoted() -> None:
    text = base64.b64encode(KEK)
    assert parse_kek(text + b"\n") == KEK
    for content in (b"", KEK, KEK.hex().encode(), text[:-4], b"\xff" * 44):
        with pytest.raises(WrongKeyError) as refused:
            parse_kek(content)
        assert content.decode("latin1")[:8] not in refused.value.message or not content
