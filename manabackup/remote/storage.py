"""The storage and music routes of Mana's API: files and songs by the keys of their objects.

They need a login, and give any login any key. What is missing is answered like every other trouble, so that nothing
here is ever known to be gone. Songs have no download but a link to another host, to which no token goes along.
"""

from __future__ import annotations

from typing import NamedTuple

from ..text import jsontext
from .answers import Answer, MalformedAnswerError
from .authorized import Authorized
from .media import API, Form, Upload, refusal
from .request import Request
from .transport import Receive, is_passing

_ANY_ID = "file"
"""The routes do not look at the id in their path."""
_FAILED = "Download failed"


class NewSong(NamedTuple):
    """A place for a song, in which there is nothing yet."""

    key: str
    link: str
    """Where the content is to be put, within the hour; on another host."""


class StorageClient:
    """Files and songs of the account. Safe to share between threads.

    Raises :class:`FileUnavailableError`, :class:`SignInError`, :class:`ServerError`.
    """

    def __init__(self, api: Authorized) -> None:
        self._api = api

    def download(self, key: str, receive: Receive) -> Answer:
        """The object in the bucket of files."""
        path = f"{API}/storage/files/{_ANY_ID}/download"
        answer = self._api.request(Request("GET", path, {"storagePath": key}), receive=receive)
        if answer.status != 200:
            raise refusal(answer)
        return answer

    def look(self, key: str, receive: Receive) -> bool:
        """The same, and whether there is one: what the service answers of one that is missing is not asked for again,
        though trouble has the same words."""

        def is_worth_asking(answer: Answer) -> bool:
            return is_passing(answer) and answer.member("error") != _FAILED

        path = f"{API}/storage/files/{_ANY_ID}/download"
        answer = self._api.request(Request("GET", path, {"storagePath": key}), receive=receive, passing=is_worth_asking)
        if answer.status == 500 and answer.member("error") == _FAILED:
            return False
        if answer.status != 200:
            raise refusal(answer)
        return True

    def upload(self, upload: Upload) -> str:
        """Sends a document into the bucket of files, and gives its key: a new one each time.

        Of a picture it is the id that the media service gave. Where no answer comes it is sent once more, and the
        bucket may have it twice.
        """
        form = Form(upload)
        headers = {"Content-Type": form.type, "Content-Length": str(form.size)}
        path = f"{API}/storage/files/upload"
        return _told(self._api.request(Request("POST", path, headers=headers, body=form)), "storagePath")

    def new_song(self, name: str) -> NewSong:
        """A key of its own for a song with this file name."""
        path = f"{API}/music/songs/upload"
        headers = {"Content-Type": "application/json"}
        answer = self._api.request(Request("POST", path, headers=headers, body=jsontext.dumps({"filename": name})))
        link = _told(answer, "uploadUrl")
        song = answer.json().get("song")
        match song:
            case {"storagePath": str(key)} if key:
                return NewSong(key, link)
        raise MalformedAnswerError(f"{answer.source}: gives no key")

    def song_link(self, key: str) -> str:
        """An address under which the object in the bucket of songs can be had for an hour. It may not exist."""
        path = f"{API}/music/songs/{_ANY_ID}/download-url"
        answer = self._api.request(Request("GET", path, {"storagePath": key}))
        return _told(answer, "url")

    def pause(self, attempt: int) -> None:
        """Waits before another attempt, longer each time."""
        self._api.transport.pause(attempt)


def _told(answer: Answer, name: str) -> str:
    """A text that an answer has to say."""
    if answer.status not in (200, 201):
        raise refusal(answer)
    found = answer.member(name)
    if not found:
        raise MalformedAnswerError(f"{answer.source}: says no {name}")
    return found
