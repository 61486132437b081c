"""``gs://``: buckets of Google Cloud Storage (Google, "Cloud Storage JSON API").

Every archive goes as a resumable upload: a session, which knows all that is said of the new object, its MD5 and the
condition under which it may appear, and then the content, at once or in parts. The object is there when the last byte
is. The XML API's uploads in parts know no conditions ("Request preconditions"), which is why they are not used.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from ..errors import AccessError, ManabackupError, NotFoundError, OutputError, ServerError
from ..host.set_aside import SetAside
from ..remote.answers import Answer, BrokenAnswerError, MalformedAnswerError
from ..remote.request import Request
from ..remote.transport import Transport
from ..text import jsontext
from .asking import Connect, breaks_off, exists_already, no_list, ranged, refusal
from .google_account import HINT, Account
from .ranges import RangedBytes
from .signing import encoded_query
from .store import TRIAL_WORDS, New, Opening, Store, md5_of, parts_of
from .tokens import asked_with
from .writing import Again, iso_moment

_log = logging.getLogger(__name__)

_RUN = "manabackup-write"
"""Under which the metadata of an object say which run wrote it."""
_ONLY_NEW = {"ifGenerationMatch": "0"}
_UNFINISHED = 308
_GIVEN_UP = 499
_TRIES = 5
_FORGOTTEN = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_NO_BUCKET = "bucket does not exist"
_MESSAGE = re.compile(rb'"message": ?"((?:[^"\\]|\\.){1,500})"')
_SIZE = re.compile(r"\d{1,19}", re.ASCII)
_KEPT = re.compile(r"bytes=0-(\d{1,19})", re.ASCII)
_LOCKED = ("retentionpolicynotmet", "objectunderactivehold", "object retention", "retention policy")


def opening(connect: Connect = Transport, account: Account | None = None) -> Opening:
    """By which a bucket is asked, as whom the environment says where no account is given."""
    return lambda name, shown: Bucket(name, account or Account.find(), connect, shown)


class Bucket(Store):
    """Connections to a bucket of Google's."""

    lock_hint = "the bucket has to be made with object retention"

    def __init__(self, name: str, account: Account, connect: Connect, shown: str) -> None:
        super().__init__(connect(account.endpoint), shown)
        self._account = account
        self._path = f"/storage/v1/b/{quote(name, safe='')}/o"

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Request:
        """A request that proves who asks when it is made, for the object of ``path``, which begins with a slash."""
        where = f"{self._path}/{quote(path[1:], safe='')}" if path else self._path
        return self._proved(method, where, encoded_query(params or {}), headers, body)

    def ask(self, request: Request) -> Answer:
        """As :meth:`Store.ask`."""
        return asked_with(self._account.tokens, partial(super().ask, request))

    def refused(self, answer: Answer) -> ManabackupError:
        """What an answer means that is not what was asked for."""
        shown = self._shown
        words = answer.body[:4096].decode("utf-8", "replace").lower()
        answer = _in_words(answer)
        told = f"{shown}: the server says {answer.words()}"
        match answer.status:
            case HTTPStatus.NOT_FOUND if _NO_BUCKET in words:
                return self._no_bucket()
            case HTTPStatus.PRECONDITION_FAILED:
                return exists_already(shown)
            case HTTPStatus.FORBIDDEN if any(word in words for word in _LOCKED):
                return OutputError(f"{shown} is locked, and stays until its time has passed")
            case HTTPStatus.BAD_REQUEST if "retention" in words:
                return OutputError(told, hint="--retain needs a bucket that was made with object retention")
            case HTTPStatus.FORBIDDEN | HTTPStatus.UNAUTHORIZED:
                return AccessError(f"{shown}: who asks may not do that ({answer.status})", hint=HINT)
            case HTTPStatus.CONFLICT:
                return ServerError(told)
        return refusal(answer, shown, login=HINT)

    def _no_bucket(self) -> NotFoundError:
        return NotFoundError(f"{self._shown}: there is no such bucket")

    def open(self, path: str) -> RangedBytes:
        """As :meth:`Store.open`."""
        ask = partial(self.request, "GET", path, params={"alt": "media"})
        # Whether ranges may count from the end is not told of this interface.
        return ranged(self.transport, ask, self._shown, self.refused, from_end=False)

    def head(self, path: str, *, blind: bool = False) -> Mapping[str, str] | None:
        """As :meth:`Store.head`: size, generation as ``etag``, who wrote it, and how it is locked."""
        answer = self.ask(self.request("GET", path, {}, params={"fields": "size,generation,metadata,retention"}))
        if answer.status == HTTPStatus.OK:
            match answer.json():
                case {"size": str(size), "generation": str(generation)} as found if _SIZE.fullmatch(size):
                    return {
                        "content-length": size,
                        "etag": generation,
                        "run": _member(found.get("metadata"), _RUN),
                        "lock": _member(found.get("retention"), "mode"),
                        "until": _member(found.get("retention"), "retainUntilTime"),
                    }
            raise MalformedAnswerError(f"{answer.source}: what is known of the object is not told")
        missing = answer.status == HTTPStatus.NOT_FOUND and _NO_BUCKET.encode() not in answer.body.lower()
        if missing or (blind and answer.status == HTTPStatus.FORBIDDEN):
            return None
        raise self.refused(answer)

    def keys(self, folder: str) -> Iterator[str]:
        """As :meth:`Store.keys`."""
        params = {"prefix": folder[1:], "delimiter": "/", "fields": "items/name,prefixes,nextPageToken"}
        while True:
            answer = self.ask(self.request("GET", "", {}, params=params))
            if answer.status != HTTPStatus.OK:
                raise self._no_bucket() if answer.status == HTTPStatus.NOT_FOUND else self.refused(answer)
            told = answer.json()
            if not isinstance(told, dict):
                raise no_list(self._shown)
            items, prefixes = told.get("items", []), told.get("prefixes", [])
            for name in (
                *(_member(item, "name") for item in (items if isinstance(items, list) else [None])),
                *(prefixes if isinstance(prefixes, list) else [None]),
            ):
                if not (isinstance(name, str) and name):
                    raise no_list(self._shown)
                yield f"/{name}"
            more = _member(told, "nextPageToken")
            if not more:
                return
            if more == params.get("pageToken"):
                raise breaks_off(self._shown)
            params["pageToken"] = more

    def delete(self, path: str) -> None:
        """As :meth:`Store.delete`; where versions are kept, what was there becomes an older one."""
        self.asked(self.request("DELETE", path, {}), HTTPStatus.NO_CONTENT, HTTPStatus.OK)

    def put(self, new: New, held: SetAside) -> None:
        """As :meth:`Store.put`, after a session is begun for it."""
        session = self._begun(new, held.pieces())

        def content() -> Answer:
            self._look(new)
            request = self._part(session, Again(held.sent), 0, new.size, new.size)
            for _ in range(_TRIES):
                answer = self.ask(request)
                if answer.status != _UNFINISHED:  # else it has kept a part of it
                    break
            return answer

        self._settled(new, session, content)

    def put_parts(self, new: New, held: SetAside, size: int) -> None:
        """As :meth:`Store.put_parts`."""
        session = self._begun(new, held.pieces())

        def content() -> Answer:
            begin = 0
            for part in parts_of(held, size):
                end = begin + len(part)
                if end == new.size:
                    self._look(new)
                answer = self._sent(session, part, begin, new.size)
                if answer.status != _UNFINISHED:
                    return answer
                begin = end
            return answer

        self._settled(new, session, content)

    def spares(self, trial: str) -> bool:
        """As :meth:`Store.spares`."""
        new = New(trial, len(TRIAL_WORDS), "trial", spare=True, look=False)
        for _ in range(2):
            try:
                session = self._begun(new, [TRIAL_WORDS])
                answer = self._sent(session, TRIAL_WORDS, 0, new.size)
            except OutputError:
                return True
            if answer.status == HTTPStatus.PRECONDITION_FAILED:
                return True
            if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
                raise self.refused(answer)
        return False

    def spares_parts(self, trial: str) -> bool:
        """As :meth:`Store.spares_parts`: parts make no difference here."""
        return self.spares(trial)

    def _locked_until(self, found: Mapping[str, str]) -> datetime | None:
        return iso_moment(found.get("until")) if found.get("lock") == "Locked" else None

    def _proved(
        self, method: str, where: str, query: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None
    ) -> Request:
        sent = {**headers, **({"Content-Length": str(len(body))} if isinstance(body, bytes) else {})}
        return Request(method, where, query=query, headers=sent, body=body, proof=self._account.headers)

    def _begun(self, new: New, pieces: Iterable[bytes]) -> str:
        """Path and query of a new session. Whoever has them may write that object: they are shown to nobody."""
        said: jsontext.JSON = {
            "contentType": "application/zip",
            "md5Hash": md5_of(pieces),
            "metadata": {_RUN: new.run},
        }
        if new.until is not None:
            said["retention"] = {"mode": "Locked", "retainUntilTime": f"{new.until:%Y-%m-%dT%H:%M:%SZ}"}
        params = {"uploadType": "resumable", "name": new.path[1:], **(_ONLY_NEW if new.spare else {})}
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Upload-Content-Type": "application/zip",
            "X-Upload-Content-Length": str(new.size),
        }
        where = "/upload" + self._path
        answer = self.ask(self._proved("POST", where, encoded_query(params), headers, jsontext.dumps(said)))
        if answer.status == HTTPStatus.NOT_FOUND:
            raise self._no_bucket()
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise self.refused(answer)
        parts = urlsplit(answer.headers.get("location", ""))
        if f"{parts.scheme}://{parts.netloc}" != self.transport.origin or not parts.query:
            raise ServerError(f"{self._shown}: the server names no session of its own to upload in")
        return f"{parts.path}?{parts.query}"

    def _part(self, session: str, body: bytes | Iterable[bytes], begin: int, end: int, size: int) -> Request:
        where, _, query = session.partition("?")
        headers = {"Content-Range": f"bytes {begin}-{end - 1}/{size}", "Content-Length": str(end - begin)}
        return self._proved("PUT", where, query, headers, body)

    def _sent(self, session: str, part: bytes, begin: int, size: int) -> Answer:
        """The answer to a part that begins at some byte of all ``size``: again for what was not kept of it."""
        at, end = begin, begin + len(part)
        for _ in range(_TRIES):
            answer = self.ask(self._part(session, part[at - begin :], at, end, size))
            if answer.status != _UNFINISHED:
                return answer
            match = _KEPT.fullmatch(answer.headers.get("range", "").strip())
            kept = int(match[1]) + 1 if match else 0
            if kept >= end:
                return answer
            if kept < begin:
                break
            at = kept
        raise ServerError(f"{self._shown}: the server does not keep what is sent")

    def _settled(self, new: New, session: str, content: Callable[[], Answer]) -> None:
        """Sends the content; where the last answer is lost or strange, the object tells what became of it."""
        try:
            answer = content()
            if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
                return
            error: ManabackupError = self.refused(answer)
            if answer.status in (*_FORGOTTEN, _UNFINISHED):
                error = ServerError(f"{self._shown}: the server has not ended the upload ({answer.status})")
        except BrokenAnswerError as broken:
            error = broken
        except BaseException:
            self._give_up(session)
            raise
        with suppress(ManabackupError):
            if (self.head(new.path) or {}).get("run") == new.run:
                return
        self._give_up(session)
        raise error

    def _give_up(self, session: str) -> None:
        where, _, query = session.partition("?")
        with suppress(ManabackupError):
            answer = self.ask(self._proved("DELETE", where, query, {"Content-Length": "0"}, None))
            if answer.status in (_GIVEN_UP, HTTPStatus.NO_CONTENT, *_FORGOTTEN):
                return
        _log.warning("%s: what was sent of it is left there unseen, and is dropped after a week", self._shown)


def _in_words(answer: Answer) -> Answer:
    """An answer with what it says of an error to people, and nothing else of it."""
    match = _MESSAGE.search(answer.body[:4096])
    return answer if match is None else replace(answer, body=match[1])


def _member(value: jsontext.JSON, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
