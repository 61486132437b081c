"""Shared Key, by which a request to Azure Storage proves who asks.

Source: Microsoft, "Authorize with Shared Key" (versions 2015-02-21 and later), for blobs.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

_COVERED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
"""In this order, each on a line of its own, empty where it is not sent."""


def authorization(
    account: str, key: bytes, *, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
) -> str:
    """The header ``Authorization`` of a request. ``path`` is the URL's, percent-encoded; ``params`` are not."""
    sent = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    if sent.get("content-length") == "0":
        sent["content-length"] = ""
    lines = [method, *(sent.get(name, "") for name in _COVERED)]
    lines += [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
    lines.append(f"/{account}{path}")
    lines += [f"{name}:{params[name]}" for name in sorted(params)]
    signature = base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), "sha256")).decode("ascii")
    return f"SharedKey {account}:{signature}"
