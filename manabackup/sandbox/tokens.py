"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037), and the two ways in which Mana's servers check them.

The account service looks at issuer and audience, the sync server does not; the sync server says in words what it
dislikes, the account service does not. Neither knows a leeway, and both take a token without ``exp``.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..errors import JSONTextError
from ..text import jsontext

AUDIENCE = "mana"
_ALGORITHM = "EdDSA"
_KNOWN_ALGORITHMS = frozenset(
    ("none", _ALGORITHM, *(f"{family}{bits}" for family in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)))
)
_BASE64URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class TokenRefused(Exception):  # noqa: N818 - a name agreed with the sync side; it is no failure of this program
    """The token is not accepted; the message is what the sync server prints after ``unauthorized: ``."""


class SigningKey:
    """The account service's key pair."""

    def __init__(self, seed: bytes, kid: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key()
        self.kid = kid

    def sign(self, claims: Mapping[str, jsontext.JSON], *, header: Mapping[str, jsontext.JSON] | None = None) -> str:
        """A JWT with any claims; ``header`` replaces the whole header, for tokens that are to be refused."""
        head = {"alg": _ALGORITHM, "kid": self.kid} if header is None else dict(header)
        signed = f"{_encode(jsontext.dumps(head))}.{_encode(jsontext.dumps(dict(claims)))}"
        return f"{signed}.{_encode(self._private.sign(signed.encode()))}"

    def key_set(self) -> jsontext.JSON:
        """The JWKS (RFC 7517) with the public half."""
        x = _encode(self._public.public_bytes_raw())
        return {"keys": [{"alg": _ALGORITHM, "crv": "Ed25519", "kty": "OKP", "x": x, "kid": self.kid}]}

    def verifies(self, signed: str, signature: bytes) -> bool:
        """Whether the signature is this key's."""
        try:
            self._public.verify(signature, signed.encode())
        except InvalidSignature:
            return False
        return True


def user_for_sync(token: str, key: SigningKey, now_s: float) -> str:
    """The user id, checked as the sync server does. Raises :class:`TokenRefused` in its words and its order."""
    claims = _signed_claims(token, key)
    dislikes = _dislikes(claims, now_s)
    if dislikes:
        raise TokenRefused(f"parse token: token has invalid claims: {', '.join(dislikes)}")
    subject: str | None = claims.get("sub")
    if not subject:
        raise TokenRefused("missing sub claim")
    return subject


@lru_cache(maxsize=256)
def _signed_claims(token: str, key: SigningKey) -> dict[str, jsontext.JSON]:
    """What a token says, with all checks that its time has no part in: it comes along with thousands of requests."""
    parts = token.split(".")
    if len(parts) != 3:
        raise _malformed("token contains an invalid number of segments")
    header, claims = _object(parts[0], "header"), _object(parts[1], "claim")
    subject = claims.get("sub")
    if subject is not None and not isinstance(subject, str):
        field = "Go struct field Claims.RegisteredClaims.sub of type string"
        raise _malformed(f"could not JSON decode claim: json: cannot unmarshal {_kind(subject)} into {field}")
    algorithm = header.get("alg")
    if algorithm not in _KNOWN_ALGORITHMS:
        raise TokenRefused("parse token: token is unverifiable: signing method (alg) is unavailable")
    if algorithm != _ALGORITHM:
        raise TokenRefused(f"parse token: token signature is invalid: signing method {algorithm} is invalid")
    keyfunc = "parse token: token is unverifiable: error while executing keyfunc"
    if not isinstance(header.get("kid"), str):
        raise TokenRefused(f"{keyfunc}: missing kid in token header")
    if header["kid"] != key.kid:
        raise TokenRefused(f"{keyfunc}: unknown key ID: {header['kid']}")
    if not key.verifies(f"{parts[0]}.{parts[1]}", _decode(parts[2], "signature")):
        raise TokenRefused("parse token: token signature is invalid: ed25519: verification error")
    return claims


def claims_for_account(token: str, key: SigningKey, now_s: float, issuer: str) -> dict[str, jsontext.JSON] | None:
    """The claims, checked as the account service does; None when it refuses, for whatever reason."""
    parts = token.split(".")
    try:
        header, claims = _object(parts[0], "header"), _object(parts[1], "claim")
        signature = _decode(parts[2], "signature")
    except (TokenRefused, IndexError):
        return None
    audience = claims.get("aud")
    fits = (
        len(parts) == 3
        and header.get("alg") == _ALGORITHM
        and header.get("kid", key.kid) == key.kid
        and key.verifies(f"{parts[0]}.{parts[1]}", signature)
        and claims.get("iss") == issuer
        and (AUDIENCE in audience if isinstance(audience, list) else audience == AUDIENCE)
        and not _dislikes(claims, now_s)
    )
    return claims if fits else None


def sign_mailed(claims: Mapping[str, jsontext.JSON], secret: bytes) -> str:
    """The token of a mailed link: a JWT under a secret that only the account service knows (HS256)."""
    signed = f"{_encode(jsontext.dumps({'alg': 'HS256'}))}.{_encode(jsontext.dumps(dict(claims)))}"
    return f"{signed}.{_encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def mailed_claims(token: str, secret: bytes, now_s: float) -> dict[str, jsontext.JSON] | None:
    """What :func:`sign_mailed` signed; None when it was not that or is over."""
    signed, _, signature = token.rpartition(".")
    expected = _encode(hmac.digest(secret, signed.encode("utf-8", "surrogatepass"), "sha256"))
    if not hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), expected.encode()):
        return None
    claims = _object(signed.partition(".")[2], "claim")
    return None if _dislikes(claims, now_s) else claims


def _dislikes(claims: dict[str, jsontext.JSON], now_s: float) -> list[str]:
    found = []
    expires, not_before = _seconds(claims.get("exp")), _seconds(claims.get("nbf"))
    if expires is not None and now_s >= expires:
        found.append("token is expired")
    if not_before is not None and now_s < not_before:
        found.append("token is not valid yet")
    return found


def _seconds(value: jsontext.JSON) -> float | None:
    if isinstance(value, jsontext.Number):
        return float(value.text)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _object(part: str, name: str) -> dict[str, jsontext.JSON]:
    try:
        value = jsontext.parse(_decode(part, name))
    except JSONTextError:
        raise _malformed(f"could not JSON decode {name}: invalid character") from None
    if not isinstance(value, dict):
        raise _malformed(f"could not JSON decode {name}: json: cannot unmarshal {_kind(value)}")
    return value


def _decode(part: str, name: str) -> bytes:
    """base64url without padding, refused with the position that Go's ``encoding/base64`` names."""
    wrong = next((at for at, char in enumerate(part) if char not in _BASE64URL), None)
    if wrong is None and len(part) % 4 == 1:
        wrong = len(part) - 1
    if wrong is not None:
        raise _malformed(f"could not base64 decode {name}: illegal base64 data at input byte {wrong}")
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _malformed(words: str) -> TokenRefused:
    return TokenRefused(f"parse token: token is malformed: {words}")


def _kind(value: jsontext.JSON) -> str:
    """The kind of a JSON value in the words of Go's ``encoding/json``."""
    names = {bool: "bool", int: "number", jsontext.Number: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
