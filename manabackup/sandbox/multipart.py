"""Forms with files in them: ``multipart/form-data`` (RFC 7578), as a browser's runtime on the server reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_DISPOSITION = re.compile(r'(?:^|;)\s*(name|filename)="([^"]*)"', re.IGNORECASE)


class FormError(Exception):
    """What calls itself a form and is none."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    name: str
    type: str
    """As the client says."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """Files and fields by name; the first of each."""

    files: dict[str, Upload] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


def read_form(content_type: str, body: bytes) -> Form:
    """The form in a request's body; an empty one where the request brings none.

    Raises :class:`FormError`.
    """
    form = Form()
    if not content_type.lower().startswith("multipart/form-data"):
        return form
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise FormError("no boundary")
    for head, content in _parts(body, b"--" + boundary[1].encode("latin-1")):
        names = {key.lower(): value for key, value in _DISPOSITION.findall(head.get("content-disposition", ""))}
        if "name" not in names:
            raise FormError("a part without a name")
        if "filename" in names:
            form.files.setdefault(names["name"], Upload(names["filename"], head.get("content-type", ""), content))
        else:
            form.fields.setdefault(names["name"], content.decode("utf-8", "replace"))
    return form


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    at = body.find(delimiter)
    while at >= 0 and not body.startswith(b"--", at + len(delimiter)):
        begin = at + len(delimiter) + 2
        end = body.find(b"\r\n" + delimiter, begin - 2)
        gap = body.find(b"\r\n\r\n", begin - 2)
        if end < 0 or gap < 0 or gap > end:
            raise FormError("a part without an end")
        head = body[begin:gap].decode("utf-8", "replace")
        lines = (line.partition(":") for line in head.split("\r\n") if line)
        yield {name.strip().lower(): value.strip() for name, _, value in lines}, body[gap + 4 : max(end, gap + 4)]
        at = end + 2
    if at < 0:
        raise FormError("no parts")
