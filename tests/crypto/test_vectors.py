"""Encrypted values and recovery codes against vectors made by the web app's own code (fixtures/vectors)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.crypto import recovery
from manabackup.crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from manabackup.crypto.keys import fingerprint, parse_master_key
from manabackup.errors import FieldDecryptionError, JSONTextError, WrongKeyError, WrongRecoveryCodeError
from manabackup.text import jsontext

VECTORS = Path(__file__).parents[2] / "fixtures" / "vectors"
ENC = json.loads((VECTORS / "enc.json").read_text())
RECOVERY = json.loads((VECTORS / "recovery.json").read_text())
KEY = base64.b64decode(ENC["key_b64"])
CIPHER = FieldCipher(KEY)

# A 1-byte IV: whether it opens depends on the browser's engine (the vectors list it as such). No writer makes one.
ENGINE_SPECIFIC = set(ENC["node_specific"])


def by_name(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", by_name(ENC["vectors"]))
def test_opens_what_the_web_app_encrypted_with_its_text_unchanged(case: dict[str, Any]) -> None:
    assert CIPHER.decrypt(case["enc"]) == base64.b64decode(case["plaintext_b64"])


@pytest.mark.parametrize("case", by_name(ENC["foreign_plaintext"]))
def test_opens_what_other_writers_could_have_encrypted(case: dict[str, Any]) -> None:
    if not case["ok"]:
        with pytest.raises(FieldDecryptionError) as caught:
            CIPHER.decrypt(case["enc"])
        assert caught.value.reason == "json"
        return
    opened = CIPHER.open(case["enc"])
    assert b"\n" not in opened.text
    if case.get("is_minus_zero"):
        assert opened.text == b"-0"
    elif case.get("is_infinity"):
        assert opened.text == b"1e400"
    else:
        assert json.loads(opened.text, parse_int=float) == json.loads(case["value_json"], parse_int=float)
    assert opened.repaired == ("\ufffd" in case["value_json"])


@pytest.mark.parametrize("case", by_name(ENC["negative"]))
def test_treats_broken_values_as_the_web_app_does(case: dict[str, Any]) -> None:
    assert may_be_encrypted(case["blob"]) == case["is_encrypted"]
    if not case["is_encrypted"] or case["name"] in ENGINE_SPECIFIC:
        return
    cipher = FieldCipher(base64.b64decode(case["key_b64"])) if "key_b64" in case else CIPHER
    if case["ok"]:
        assert json.loads(cipher.decrypt(case["blob"])) == case["value"]
    else:
        with pytest.raises(FieldDecryptionError):
            cipher.decrypt(case["blob"])


@pytest.mark.parametrize("case", by_name(ENC["vectors"]))
def test_what_the_web_app_encrypted_has_the_form_of_it(case: dict[str, Any]) -> None:
    assert is_encrypted(case["enc"])


@pytest.mark.parametrize(
    "value",
    [
        "enc:1:",
        "enc:1: is how it begins",
        "enc:1:AAAAAAAAAAAAAAAA.",
        "enc:1:AAAAAAAAAAAAAAAA." + "A" * 22 + "==",  # a tag, and nothing that it is of
        "enc:1:AAAAAAAAAAAAAAAA." + "A" * 25,
        "enc:1:AAAAAAAAAAAAAAAA." + "A" * 24 + "=",
        "enc:1:AAAAAAAAAAAAAAAA." + "A" * 24 + "\n",
        "enc:1:AAAAAAAAAAAAAAA=." + "A" * 24,
        "enc:1:AAAAAAAAAAAAAAAAAAAA." + "A" * 24,
        "enc:1:AAAAAAAAAAAAAAAA." + "A" * 23 + "é",
        "enc:2:AAAAAAAAAAAAAAAA." + "A" * 24,
        " enc:1:AAAAAAAAAAAAAAAA." + "A" * 24,
        7,
        None,
    ],
)
def test_what_only_begins_like_ciphertext_has_not_the_form_of_it(value: object) -> None:
    assert not is_encrypted(value)


@pytest.mark.parametrize("rest", ["A" * 23, "A" * 23 + "=", "A" * 24, "A" * 26, "A" * 26 + "=="])
def test_padding_may_be_missing(rest: str) -> None:
    assert is_encrypted(f"enc:1:AAAAAAAAAAAAAAAA.{rest}")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=9))
def test_what_is_encrypted_opens_again_and_never_twice_alike(value: object) -> None:
    text = jsontext.dumps(jsontext.parse(json.dumps(value)))
    one, two = CIPHER.encrypt(text), CIPHER.encrypt(text)
    assert one != two
    assert CIPHER.decrypt(one) == CIPHER.decrypt(two) == text


@pytest.mark.parametrize("case", RECOVERY["cases"], ids=lambda case: case["code"][:9])
def test_recovery_codes_open_the_wrapped_key(case: dict[str, Any]) -> None:
    secret = recovery.parse_recovery_code(case["code"])
    assert secret == base64.b64decode(case["secret_b64"])
    assert recovery.format_recovery_code(secret) == case["code"]
    wrapped, iv = case["recoveryWrappedMk"], case["recoveryIv"]
    assert recovery.unwrap_master_key(secret, wrapped, iv) == base64.b64decode(case["mk_b64"])


@pytest.mark.parametrize("case", by_name(RECOVERY["parse"]))
def test_reads_the_spellings_of_a_recovery_code_that_the_web_app_reads(case: dict[str, Any]) -> None:
    if case["ok"]:
        assert recovery.parse_recovery_code(case["input"]) == base64.b64decode(case["secret_b64"])
    else:
        with pytest.raises(WrongRecoveryCodeError, match="malformed recovery code") as caught:
            recovery.parse_recovery_code(case["input"])
        assert case["input"] not in str(caught.value) or not case["input"]


@pytest.mark.parametrize("case", by_name(RECOVERY["failures"]))
def test_a_wrong_code_and_a_damaged_vault_are_one_error(case: dict[str, Any]) -> None:
    secret = recovery.parse_recovery_code(case["code"])
    if case["ok"]:
        assert len(recovery.unwrap_master_key(secret, case["wrapped"], case["iv"])) == 32
        return
    with pytest.raises(WrongRecoveryCodeError, match="wrong recovery code or corrupted vault"):
        recovery.unwrap_master_key(secret, case["wrapped"], case["iv"])


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_wrapped_key_opens_with_its_code_only(secret: bytes, master_key: bytes) -> None:
    wrapped, iv = recovery.wrap_master_key(secret, master_key)
    assert recovery.unwrap_master_key(secret, wrapped, iv) == master_key
    other = bytes([secret[0] ^ 1]) + secret[1:]
    with pytest.raises(WrongRecoveryCodeError):
        recovery.unwrap_master_key(other, wrapped, iv)


def test_key_files_hold_raw_bytes_hex_or_base64() -> None:
    url_safe = base64.urlsafe_b64encode(KEY).rstrip(b"=")
    for spelling in (KEY, KEY.hex().encode() + b"\n", KEY.hex().upper().encode(), base64.b64encode(KEY), url_safe):
        assert parse_master_key(spelling) == KEY
    bom = b"\xef\xbb\xbf"
    assert parse_master_key(bom + KEY.hex().encode() + b"\r\n") == parse_master_key(bom + url_safe) == KEY
    for raw in (bom + KEY[3:], bytes(range(32, 64)), b"\r\n" * 16):  # raw bytes may be nearly anything
        assert parse_master_key(raw) == raw
    for wrong in (b"", b"x" * 31, b"x" * 33, b"zz" * 32, base64.b64encode(KEY + b"!")):
        with pytest.raises(WrongKeyError):
            parse_master_key(wrong)


@pytest.mark.parametrize(
    "text",
    [KEY.hex()[:32], base64.b64encode(KEY)[:32].decode(), KEY.hex()[:30] + "\r\n", KEY.hex()[:31] + "\n"],
)
def test_32_digits_are_no_key(text: str) -> None:
    with pytest.raises(WrongKeyError) as caught:
        parse_master_key(text.encode())
    assert caught.value.hint is not None
    assert "64 digits" in caught.value.hint or "64 hex digits" in caught.value.hint
    assert text.strip() not in repr(caught.value)


def test_the_fingerprint_is_the_published_one() -> None:
    # HMAC-SHA256(key, "manabackup key fingerprint v1"), computed with openssl for formats/mana-v2.md
    assert fingerprint(KEY) == CIPHER.fingerprint
    assert fingerprint(KEY) == "f50954ea10627142"


def test_json_errors_do_not_leave_the_cipher_as_json_errors() -> None:
    with pytest.raises(FieldDecryptionError):
        CIPHER.open(CIPHER.encrypt(b"{"))
    with pytest.raises(JSONTextError):
        jsontext.parse(b"{")
