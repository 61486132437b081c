"""Signature Version 4, by which a request to S3 proves who asks.

Source: AWS, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

EMPTY = hashlib.sha256().hexdigest()
"""The SHA-256 of no body."""
_UNRESERVED = "-_.~"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of somebody who may ask."""

    access: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Of a session, where the keys are those of one."""
    expires: datetime | None = None


def encoded_path(key: str) -> str:
    """The path of a URL, as it is signed."""
    return quote(key, safe="/" + _UNRESERVED)


def encoded_query(params: Mapping[str, str]) -> str:
    """The query of a URL, as it is signed."""
    pairs = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in params.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


@dataclass(frozen=True, slots=True)
class ToSign:
    """A request before it is signed."""

    method: str
    host: str
    path: str
    """Percent-encoded by :func:`encoded_path`."""
    query: str = ""
    """By :func:`encoded_query`."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sha256: str = EMPTY
    """Of the body, lower-case hex."""


def signed(request: ToSign, keys: Keys, region: str, now: datetime | None = None) -> dict[str, str]:
    """All headers of the request, those that prove it among them."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    stamp, day = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}"
    headers = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": request.sha256}
    if keys.token:
        headers["x-amz-security-token"] = keys.token
    covered = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {"host": request.host}
    names = sorted(name for name in covered if name in ("host", "content-md5", "content-type") or name[:6] == "x-amz-")
    lines = "".join(f"{name}:{covered[name]}\n" for name in names)
    joined = ";".join(names)
    canonical = "\n".join([request.method, request.path, request.query, lines, joined, request.sha256])
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    proof = f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={joined}, Signature={signature}"
    return {**headers, "Authorization": proof}
