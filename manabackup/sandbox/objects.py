"""The store behind the services: buckets with objects, for whoever has a signed link.

It answers as SeaweedFS was recorded to answer (``fixtures/transcripts/media/25-presigned-links.json``).
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from .clock import iso
from .files_edge import Call, Headers, Reply, not_found
from .filestore import FileStore, StoredObject
from .signedlinks import Signer

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CODES = {"NoSuchKey": 404, "InvalidRange": 416}


class ObjectService:
    """Reads and writes objects by signed links."""

    def __init__(self, files: FileStore, signer: Signer) -> None:
        self.files = files
        self._signer = signer

    async def answer(self, call: Call) -> Reply:
        """The answer to one call."""
        path = "/" + "/".join(call.segments)
        if len(call.segments) < 2:
            return not_found()
        bucket, key = call.value(0), "/".join(call.value(at) for at in range(1, len(call.segments)))
        now = datetime.fromtimestamp(self.files.now() / 1_000, UTC)
        refusal = self._signer.refusal(call.method, path, call.query_text, call.headers.get("host", ""), now)
        if refusal is not None:
            return self._refused(403, *refusal, bucket, key)
        if call.method == "PUT":
            kind = call.headers.get("content-type", "application/octet-stream")
            stored = self.files.put(bucket, key, await call.body(), kind)
            return Reply(200, (("Etag", _etag(self.files.body(stored.sha256))),))
        found = self.files.stored(bucket, key)
        if found is None or call.method != "GET":
            return self._refused(404, "NoSuchKey", "The specified key does not exist.", bucket, key)
        return self._read(call, found)

    def _read(self, call: Call, found: StoredObject) -> Reply:
        body = self.files.body(found.sha256)
        moment = datetime.fromtimestamp(found.stored_at // 1_000, UTC)
        headers: Headers = (
            ("Accept-Ranges", "bytes"),
            ("Content-Type", found.type),
            ("Etag", _etag(body)),
            ("Last-Modified", format_datetime(moment, usegmt=True)),
            *self._own,
        )
        bounds = _bounds(call.headers.get("range", ""), len(body))
        if bounds is None:
            return Reply(200, headers, body, stored=True)
        first, last = bounds
        if first > last:
            key = found.key
            return self._refused(416, "InvalidRange", "The requested range is not satisfiable", found.bucket, key)
        part = ("Content-Range", f"bytes {first}-{last}/{len(body)}")
        return Reply(206, (*headers, part), body[first : last + 1], stored=True)

    @property
    def _own(self) -> Headers:
        return ("Server", "SeaweedFS 8000GB 4.48"), ("X-Amz-Request-Id", self._request)

    @property
    def _request(self) -> str:
        return hashlib.sha256(iso(self.files.now()).encode()).hexdigest()[:24].upper()

    def _refused(self, status: int, code: str, message: str, bucket: str, key: str) -> Reply:
        told = {
            "Code": code,
            "Message": message,
            "Resource": f"/{bucket}/{key}",
            "RequestId": self._request,
            "Key": key,
            "BucketName": bucket,
        }
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in told.items())
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
        headers = ("Accept-Ranges", "bytes"), ("Content-Type", "application/xml"), *self._own
        return Reply(status, headers, text.encode())


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _bounds(text: str, length: int) -> tuple[int, int] | None:
    """First and last byte that are asked for; None where all are."""
    found = _RANGE.fullmatch(text)
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        return max(length - int(found[2]), 0), length - 1
    return int(found[1]), min(int(found[2]) if found[2] else length - 1, length - 1)
