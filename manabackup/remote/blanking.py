"""What a request proves who asks with, taken out of answers that quote the request.

Error pages of servers and of what stands before them show headers that they could not do with, and what servers say is
shown to people, and kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

_SECRET = ("authorization", "cookie", "x-amz-security-token")
_SHORTEST = 4
"""Characters of a secret; what is shorter would take words to pieces."""
_BLANK = b"(hidden)"


def blanked(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body of an answer to a request with these headers, without what is secret in them."""
    for secret in sorted(set(_secrets(headers)), key=len, reverse=True):
        if len(secret) >= _SHORTEST and secret in body:
            body = body.replace(secret, _BLANK)
    return body


def _secrets(headers: Mapping[str, str]) -> Iterator[bytes]:
    for name, value in headers.items():
        if name.lower() in _SECRET:
            scheme, _, credentials = value.partition(" ")
            yield from (value.encode("utf-8", "replace"), credentials.encode("utf-8", "replace"))
            if scheme.lower() == "basic":
                try:
                    both = base64.b64decode(credentials, validate=True)
                except (ValueError, binascii.Error):
                    continue
                yield from (both, both.partition(b":")[2])
