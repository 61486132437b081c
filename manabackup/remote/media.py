"""The media service: what it says of a file, and the file.

It knows no login, and answers many troubles like things that are not there. Which answer means what was measured at
the real one; two things follow for every caller. A body that ends as it should may still be cut off, so that only size
and SHA-256 of :class:`Medium` tell whether it is whole. And of all refusals one alone means that a file is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ServerError
from ..text.jsontext import JSON
from .answers import Answer, MalformedAnswerError
from .request import Request
from .transport import Receive, Transport

API = "/api/v1"
_GONE = "Media not found"
_SHA256 = re.compile("[0-9a-f]{64}")
_TOLD = ("exif", "metadata", "createdAt", "status")


class FileGoneError(ServerError):
    """The service knows no such file, and will not know one again: an id is never given twice."""


class FileUnavailableError(ServerError):
    """The file cannot be had now. ``reason`` is a stable word or phrase."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Medium:
    """What the media service says of a file."""

    id: str
    size: int
    sha256: str
    """Of exactly the bytes that are given out: what was uploaded may have been converted."""
    type: str
    """By the first bytes, else by the ending of the name; empty where neither is known."""
    name: str | None
    """Of the first upload, perhaps by somebody else."""
    told: Mapping[str, JSON] = field(default_factory=dict)
    """Camera, place and time (``exif``), ``metadata``, ``createdAt`` and ``status``, as they came."""


class MediaClient:
    """The media service behind ``transport``, whose base is the service's origin. Safe to share between threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def describe(self, identifier: str) -> Medium:
        """What there is to know of a file, by its id: a UUID in lower case with hyphens.

        Raises :class:`FileGoneError`, :class:`FileUnavailableError`, :class:`ServerError`.
        """
        answer = self._transport.request(Request("GET", f"{API}/media/{identifier}"))
        if answer.status != 200:
            raise refusal(answer)
        value = answer.json()
        match value:
            case {"hash": str(sha256), "size": int(size)} if _SHA256.fullmatch(sha256) and size >= 0:
                kind, name = value.get("mimeType"), value.get("originalName")
                return Medium(
                    identifier,
                    size,
                    sha256,
                    kind if isinstance(kind, str) else "",
                    name if isinstance(name, str) else None,
                    {key: value[key] for key in _TOLD if value.get(key) is not None},
                )
        raise MalformedAnswerError(f"{answer.source}: says neither size nor hash")

    def download(self, identifier: str, receive: Receive) -> Answer:
        """The file itself, as stored; ``receive`` takes it from its beginning, perhaps several times.

        The answer has its headers. That it came says nothing about whether it is whole. Raises as :meth:`describe`.
        """
        answer = self._transport.request(Request("GET", f"{API}/media/{identifier}/file"), receive=receive)
        if answer.status != 200:
            raise refusal(answer)
        return answer

    def pause(self, attempt: int) -> None:
        """Waits before another attempt, longer each time."""
        self._transport.pause(attempt)


def refusal(answer: Answer) -> FileGoneError | FileUnavailableError:
    """What an answer means that is no file."""
    words = answer.member("error") if "html" not in answer.headers.get("content-type", "") else None
    message = f"{answer.source}: {answer.words()}"
    if answer.status == 404 and words == _GONE:
        return FileGoneError(message)
    return FileUnavailableError(message, reason="File not found" if words == "File not found" else str(answer.status))
