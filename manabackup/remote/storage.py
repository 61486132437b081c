"""The storage and music routes of Mana's API: files and songs by the keys of their objects.

They need a login, and give any login any key. What is missing is answered like every other trouble, so that nothing
here is ever known to be gone. Songs have no download but a link to another host, to which no token goes along.
"""

from __future__ import annotations

from .answers import Answer, MalformedAnswerError
from .authorized import Authorized
from .media import API, refusal
from .request import Request
from .transport import Receive

_ANY_ID = "file"
"""The routes do not look at the id in their path."""


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

    def song_link(self, key: str) -> str:
        """An address under which the object in the bucket of songs can be had for an hour. It may not exist."""
        path = f"{API}/music/songs/{_ANY_ID}/download-url"
        answer = self._api.request(Request("GET", path, {"storagePath": key}))
        if answer.status != 200:
            raise refusal(answer)
        url = answer.member("url")
        if url is None:
            raise MalformedAnswerError(f"{answer.source}: gives no address")
        return url
