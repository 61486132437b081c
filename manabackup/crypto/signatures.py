"""Signatures by which a service account of Google's proves itself."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def rs256(pem: str, content: bytes) -> bytes:
    """The signature RS256 (RFC 7518, 3.3) by an RSA key in PEM. Raises :class:`ValueError` for what is none."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm):  # one that is encrypted is the former
        key = None
    if isinstance(key, RSAPrivateKey):
        return key.sign(content, PKCS1v15(), SHA256())
    raise ValueError("no RSA key that can be used")
