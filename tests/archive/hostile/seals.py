"""Seals: parameters, damage, wrong passphrases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from tests.support.handmade import sealed_by_the_web_app, sealed_by_us
from tests.support.zips import Part, stored

from .cases import NOTES, Case, bad, good, sealed, wrong


def seal_parameters() -> Iterator[Case]:
    """What the key is derived from. None of the bad ones costs a derivation."""
    for key, code, values in (
        ("kdf", "seal", {"missing": ..., "scrypt": "scrypt", "sha1": "PBKDF2-SHA1", "null": None}),
        ("cipher", "seal", {"missing": ..., "ctr": "AES-CTR-256", "128": "AES-GCM-128"}),
        (
            "kdfIterations",
            "kdf",
            {
                "0": 0,
                "minus-1": -1,
                "1": 1,
                "1.5": 1.5,
                "text": "600000",
                "99999": 99_999,
                "10000001": 10_000_001,
                "2^32+100000": 2**32 + 100_000,
                "2^40": 2**40,
                "10^400": 10**400,
                "true": True,
                "null": None,
                "list": [600_000],
                "missing": ...,
            },
        ),
        ("kdfSaltBase64", "kdf", {"empty": "", "15-bytes": "A" * 20}),
        (
            "kdfSaltBase64",
            "seal",
            {
                "missing": ...,
                "number": 5,
                "null": None,
                "stars": "*" * 22,
                "blank": "AAECAwQFBgcI CQoLDA0ODw",
                "one-too-many": "A" * 25,
                "padding-inside": "AAEC==AwQFBgcICQoLDA0ODw",
                "umlaut": "ä" * 22,
            },
        ),
        (
            "ivBase64",
            "seal",
            {
                "missing": ...,
                "empty": "",
                "11-bytes": "A" * 15,
                "13-bytes": "A" * 18,
                "16-bytes": "A" * 22,
                "null": None,
                "stars": "*" * 16,
            },
        ),
    ):
        for name, value in values.items():
            parts = sealed_by_us(block={key: value})
            yield sealed(bad(f"seal-{key}-{name}", "A2", code, f"{key}: {name}", parts, "manifest.json"))
    yield sealed(bad("seal-text", "A2", "seal", "passphrase: a text", sealed_by_us(passphrase="x"), "manifest.json"))
    for name, spelled in {
        "standard-padded": "AAECAwQFBgcICQoLDA0ODw==",
        "bits-left-over": "AAECAwQFBgcICQoLDA0ODx",
    }.items():
        yield sealed(good(f"salt-{name}", "A2", f"a salt: {name}", sealed_by_us(block={"kdfSaltBase64": spelled})))
    odd = bytes([0xFB, 0xFF, 0xFE] * 6)
    yield sealed(good("salt-18-bytes", "A2", "a longer salt, of - and _", sealed_by_us(salt=odd)))
    yield sealed(good("salt-64-bytes", "A2", "a salt of 64 bytes", sealed_by_us(salt=odd * 4)))
    fraction = sealed_by_us()
    fraction[1] = _manifest_edited(fraction[1], b": 100000,", b": 100000.0,")
    yield sealed(good("seal-100000.0", "A2", "100000.0 is the number 100000", fraction))


def seals() -> Iterator[Case]:
    """Damaged, the wrong passphrase, tampered with: told apart."""
    yield sealed(good("sealed", "A4", "sealed by this tool's rules", sealed_by_us()))
    yield sealed(good("sealed-web-app", "A4", "sealed by the web app's", sealed_by_the_web_app()))
    for name, parts in (("", sealed_by_us()), ("-web-app", sealed_by_the_web_app())):
        yield wrong(f"sealed{name}-wrong-passphrase", "A4", "undamaged", parts, "correct horse battery stable")
    flipped = sealed_by_us()
    body = bytearray(flipped[0].packed)
    body[100] ^= 1
    damaged = stored("data.sealed", bytes(body))
    here = "data.sealed"
    crc = [replace(damaged, crc=flipped[0].crc), *flipped[1:]]
    yield sealed(bad("sealed-damaged", "A4", "sealedSha256", "one bit of the body", crc, here))
    parts = [damaged, *flipped[1:]]
    yield sealed(
        bad("sealed-damaged-crc-mended", "A4", "sealedSha256", "one bit of the body, a fitting CRC-32", parts, here)
    )
    off = [replace(flipped[0], crc=1), *flipped[1:]]
    yield sealed(bad("sealed-crc", "A4", "crc", "another CRC-32 in both headers", off, here))
    web = sealed_by_the_web_app()
    body = bytearray(web[0].packed)
    body[100] ^= 1
    damaged = stored("data.sealed", bytes(body))
    parts = [replace(damaged, crc=web[0].crc), *web[1:]]
    yield sealed(bad("sealed-web-app-damaged", "A4", "crc", "one bit of the body", parts, here))
    why = "one bit of the body and a fitting CRC-32: nobody can tell it from a wrong passphrase"
    yield wrong("sealed-web-app-damaged-crc-mended", "A4", why, [damaged, *web[1:]])
    yield sealed(bad("sealed-15-bytes", "A5", "truncated", "less than a tag", _with_body(bytes(15)), here))
    yield sealed(bad("sealed-nothing", "A5", "truncated", "an empty body", _with_body(b""), here))
    swapped = flipped[0].packed
    swapped = swapped[16:32] + swapped[:16] + swapped[32:]
    parts = [stored("data.sealed", swapped), *flipped[1:]]
    yield sealed(bad("sealed-blocks-swapped", "A4", "sealedSha256", "two blocks of the cipher swapped", parts, here))
    other = sealed_by_us({"notes": NOTES}, iv=bytes(12))
    yield sealed(
        bad("sealed-spliced", "A4", "sealedSha256", "the body of another archive", [other[0], *flipped[1:]], here)
    )


def _with_body(sealed_body: bytes) -> list[Part]:
    parts = sealed_by_us(sealedSha256=hashlib.sha256(sealed_body).hexdigest())
    return [stored("data.sealed", sealed_body), *parts[1:]]


def _manifest_edited(part: Part, old: bytes, new: bytes) -> Part:
    return stored("manifest.json", part.packed.replace(old, new))
