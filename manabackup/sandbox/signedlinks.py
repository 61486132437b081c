"""Links that a store of objects accepts without a login, for a while: AWS Signature Version 4 in the query.

docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_STAMP = "%Y%m%dT%H%M%SZ"
_SIGNATURE = "X-Amz-Signature"
_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and for how long."""

    access_key: str = "minioadmin"
    secret_key: str = field(default="minioadmin", repr=False)
    region: str = "us-east-1"
    seconds: int = 3_600

    def link(self, method: str, url: str, at: datetime, more: Mapping[str, str] | None = None) -> str:
        """``url``, which has no query, with one that lets ``method`` through from ``at`` on."""
        scope = f"{at:%Y%m%d}/{self.region}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": f"{at.astimezone(UTC):{_STAMP}}",
            "X-Amz-Expires": str(self.seconds),
            "X-Amz-SignedHeaders": "host",
            **(more or {}),
        }
        parts = urlsplit(url)
        query[_SIGNATURE] = self._signature(method, parts.path, query, parts.netloc)
        return f"{url}?{_canonical(query)}"

    def refusal(self, method: str, path: str, query: str, host: str, now: datetime) -> tuple[str, str] | None:
        """Code and message of what the store says against a request; None where it is as it was signed.

        ``path`` and ``query`` are as they came.
        """
        given = dict(parse_qsl(query, keep_blank_values=True))
        signature = given.pop(_SIGNATURE, None)
        if signature is None:
            return "AccessDenied", "Access Denied."
        try:
            begin = datetime.strptime(given["X-Amz-Date"], _STAMP).replace(tzinfo=UTC)
            end = begin + timedelta(seconds=int(given["X-Amz-Expires"]))
        except (KeyError, ValueError, OverflowError):
            return "AuthorizationQueryParametersError", "Query-string authentication is not complete."
        if not hmac.compare_digest(signature, self._signature(method, path, given, host)):
            return (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
            )
        return None if now <= end else ("AccessDenied", "Request has expired")

    def _signature(self, method: str, path: str, query: Mapping[str, str], host: str) -> str:
        request = "\n".join((method, path, _canonical(query), f"host:{host}", "", "host", _PAYLOAD))
        stamp = query["X-Amz-Date"]
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
        key = f"AWS4{self.secret_key}".encode()
        for step in (stamp[:8], self.region, "s3", "aws4_request", text):
            key = hmac.digest(key, step.encode(), "sha256")
        return key.hex()


def escaped_path(text: str) -> str:
    """A key as it stands in a path."""
    return quote(text, safe="/-_.~")


def _canonical(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))
