"""Uploads in parts that nobody ended: what a bucket tells of them, and giving them up.

Source: Amazon S3 API Reference, ListMultipartUploads, ListParts and AbortMultipartUpload. Their parts lie in no list of
objects, and cost money all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from http import HTTPStatus

from ..archive.places import Unfinished
from ..errors import OutputError
from ..remote.answers import Answer
from .bucket import Bucket
from .markup import element, elements
from .writing import CHANGED, age_by, iso_moment

_UPLOAD_MARKERS = {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
_PART_MARKERS = {"part-number-marker": "NextPartNumberMarker"}

Open = Callable[[], AbstractContextManager[Bucket]]
"""Connections to the bucket."""


_AT_ONCE = 1_000
"""Uploads that one answer tells of, and parts: S3's own most."""


def unfinished(
    bucket: Bucket, folder: str, again: Open, *, ours: Callable[[str], bool], at_once: int = _AT_ONCE
) -> Iterator[Unfinished]:
    """The uploads of what would lie in a folder, each asked about: when its last part came, and how large all are.

    ``folder`` begins and ends with a slash. ``again`` is by what one is given up later, and ``ours``
    tells by a name whether this program would have begun it.
    """
    # Without `encoding-type`: Ceph heeds it, and does not tell so.
    params = {"uploads": "", "prefix": folder[1:], "max-uploads": str(at_once)}
    while True:
        answer = _asked(bucket, "", params)
        for told in elements(answer.body, "Upload"):
            key, upload = element(told, "Key"), element(told, "UploadId")
            name = key.removeprefix(folder[1:])
            if not key.startswith(folder[1:]) or "/" in name or not upload:
                continue
            written, size = _written(bucket, f"/{key}", upload, at_once, begun=element(told, "Initiated"))
            yield Unfinished(
                f"{name} upload {upload}",
                name,
                size,
                age_by(answer.headers, written),
                ours(name),
                partial(_give_up, again, f"/{key}", upload, (written, size), at_once),
            )
        if not _goes_on(bucket, answer, params, _UPLOAD_MARKERS):
            return


def _written(bucket: Bucket, path: str, upload: str, at_once: int, *, begun: str) -> tuple[datetime | None, int]:
    """When the last part of an upload came, or it was begun; and the bytes of all parts."""
    params, size = {"uploadId": upload, "max-parts": str(at_once)}, 0
    last = iso_moment(begun)
    while True:
        answer = _asked(bucket, path, params)
        for part in elements(answer.body, "Part"):
            size += _bytes(element(part, "Size"))
            came = iso_moment(element(part, "LastModified"))
            last = came if last is None or came is None else max(last, came)
        if not _goes_on(bucket, answer, params, _PART_MARKERS):
            return last, size


def _give_up(again: Open, path: str, upload: str, judged: tuple[datetime | None, int], at_once: int) -> None:
    with again() as bucket:
        begun = "" if judged[0] is None else judged[0].isoformat()
        if _written(bucket, path, upload, at_once, begun=begun) != judged:
            raise OutputError(CHANGED)
        request = bucket.request("DELETE", path, {}, params={"uploadId": upload})
        bucket.asked(request, HTTPStatus.NO_CONTENT, HTTPStatus.OK)


def _asked(bucket: Bucket, path: str, params: Mapping[str, str]) -> Answer:
    return bucket.asked(bucket.request("GET", path, {}, params=params), HTTPStatus.OK)


def _goes_on(bucket: Bucket, answer: Answer, params: dict[str, str], markers: Mapping[str, str]) -> bool:
    """Whether there is more of a list, and from where on: that is put into ``params``, by the names of ``markers``."""
    if element(answer.body, "IsTruncated") != "true":
        return False
    told = {name: element(answer.body, marker) for name, marker in markers.items()}
    if not any(told.values()) or told.items() <= params.items():
        raise bucket.breaks_off()
    params |= told
    return True


def _bytes(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
