"""The media service: what it says of a file, and the file.

It knows no login, and answers many troubles like things that are not there. Which answer means what was measured at
the real one; two things follow for every caller. A body that ends as it should may still be cut off, so that only size
and SHA-256 of :class:`Medium` tell whether it is whole. And of all refusals one alone means that a file is gone.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import ServerError
from ..model.files import MEDIA_ID
from ..text.jsontext import JSON
from .answers import Answer, MalformedAnswerError
from .request import Request
from .transport import Receive, Transport

API = "/api/v1"
_GONE = "Media not found"
_SHA256 = re.compile("[0-9a-f]{64}")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
"""RFC 6838, 4.2, without parameters."""
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


@dataclass(frozen=True, slots=True)
class MediaPage:
    """A page of the list of a user's files."""

    media: list[Medium]
    items: int
    """How many there were, with those that nobody understands."""
    is_last: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is sent."""

    name: str
    """By its ending the services know the type of what is no picture."""
    size: int
    chunks: Callable[[], Iterator[bytes]] = field(repr=False)
    """The content from its beginning, each time it is called."""
    app: str = ""
    user_id: str = ""
    """With :attr:`app`: whose it is, in the media service's lists."""
    type: str = ""
    """As the archive has it; what is no type is passed over."""

    @property
    def told_type(self) -> str:
        """What a header says of the content."""
        return self.type if _TYPE.fullmatch(self.type) else "application/octet-stream"


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
        return _medium(answer, identifier)

    def find(self, sha256: str) -> Medium | None:
        """The file that has these bytes; None where the service has none.

        Raises :class:`FileUnavailableError`, :class:`ServerError`.
        """
        answer = self._transport.request(Request("GET", f"{API}/media/hash/{sha256}"))
        if answer.status == 200:
            return _medium(answer)
        refused = refusal(answer)
        if isinstance(refused, FileGoneError):
            return None
        raise refused

    def listed(self, user_id: str, offset: int, count: int) -> MediaPage:
        """Files of a user, the oldest first: those that are ready, of the apps for which the service notes a user.

        The list moves while it is read: a file may stand on two pages, or on none. Raises
        :class:`FileUnavailableError`, :class:`ServerError`.
        """
        assert user_id, "without a user the service would tell of everybody's"
        asked = {"userId": user_id, "limit": str(count), "offset": str(offset)}
        order = {"sortBy": "createdAt", "sortOrder": "asc"}
        answer = self._transport.request(
            Request("GET", f"{API}/media/list/all", asked | order), seconds=self._transport.limits.list_answer_seconds
        )
        if answer.status != 200:
            raise refusal(answer)
        match answer.json():
            case {"items": list(items), "hasMore": bool(has_more)}:
                media = [medium for medium in map(_told, items) if medium is not None]
                return MediaPage(media, len(items), not (has_more and items))
        raise MalformedAnswerError(f"{answer.source}: is no list")

    def upload(self, upload: Upload) -> Medium:
        """Sends a file. The id is the service's choice; bytes that it has already keep the one that they have.

        What it has then may be something else than what was sent, since it converts some pictures: the hash tells.
        May be repeated. Raises :class:`FileUnavailableError`, :class:`ServerError`.
        """
        form = Form(upload)
        headers = {"Content-Type": form.type, "Content-Length": str(form.size)}
        answer = self._transport.request(Request("POST", f"{API}/media/upload", headers=headers, body=form))
        if answer.status not in (200, 201):
            raise refusal(answer)
        return _medium(answer)

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


class Form:
    """An upload as ``multipart/form-data`` (RFC 7578), made anew each time it is sent."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        boundary = secrets.token_hex(16)
        fields = {"app": upload.app, "userId": upload.user_id} if upload.app and upload.user_id else {}
        before = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        before += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(upload.name)}"\r\n'
            f"Content-Type: {upload.told_type}\r\n\r\n"
        )
        self._before = before.encode("utf-8", "replace")
        self._after = f"\r\n--{boundary}--\r\n".encode()
        self.type = f"multipart/form-data; boundary={boundary}"
        self.size = len(self._before) + upload.size + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        yield from self._upload.chunks()
        yield self._after


def _quoted(name: str) -> str:
    """A file's name as browsers write it (HTML, "Multipart form data")."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _medium(answer: Answer, identifier: str | None = None) -> Medium:
    """What an answer says of a file, whose id is known or stands there."""
    medium = _told(answer.json(), identifier)
    if medium is None:
        raise MalformedAnswerError(f"{answer.source}: says no id, size or hash")
    return medium


def _told(value: JSON, identifier: str | None = None) -> Medium | None:
    """The same of a part of an answer; None where it is nothing of the kind."""
    match value:
        case {"hash": str(sha256), "size": int(size)} if _SHA256.fullmatch(sha256) and size >= 0:
            kind, name, own = value.get("mimeType"), value.get("originalName"), value.get("id")
            if identifier is None:
                if not isinstance(own, str) or not MEDIA_ID.fullmatch(own):
                    return None
                identifier = own.lower()
            return Medium(
                identifier,
                size,
                sha256,
                kind if isinstance(kind, str) else "",
                name if isinstance(name, str) else None,
                {key: value[key] for key in _TOLD if value.get(key) is not None},
            )
    return None


def refusal(answer: Answer) -> FileGoneError | FileUnavailableError:
    """What an answer means that is no file."""
    words = answer.member("error") if "html" not in answer.headers.get("content-type", "") else None
    message = f"{answer.source}: {answer.words()}"
    if answer.status == 404 and words == _GONE:
        return FileGoneError(message)
    return FileUnavailableError(message, reason="File not found" if words == "File not found" else str(answer.status))
