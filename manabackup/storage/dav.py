"""``davs://``: WebDAV (RFC 4918), as Nextcloud and many web servers speak it; ``dav://`` on this computer alone.

An archive is sent under a name of its own beside its place and moved there when it is whole. ``MOVE`` with
``Overwrite: F`` is refused where something lies already (RFC 4918, 9.9.3); some servers overwrite all the same. So a
folder is tried first, with two small files that stay in it: one cannot be moved over the other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from unicodedata import normalize
from urllib.parse import quote, unquote, urlsplit

from ..archive.places import State, Unfinished
from ..errors import ManabackupError, NotFoundError, OutputError, ServerError
from ..host.output import NO_SPACE
from ..host.set_aside import SetAside
from ..remote.answers import Answer, BrokenAnswerError
from ..remote.request import Request
from ..remote.transport import Transport, is_never_passing
from .addresses import Address, is_archive, is_shown
from .asking import Connect, breaks_off, exists_already, no_folder, no_list, ranged, refusal
from .far import TRIAL_FILES, TRIAL_WORDS, FarFolder, WritablePlace
from .logins import HINT, authorization
from .markup import characters
from .ranges import RangedBytes
from .writing import CHANGED, SILENT, Again, age_by, http_moment, meant_name, unfinished_name

_log = logging.getLogger(__name__)

_LIST = re.compile(rb"</(?:[\w.-]+:)?multistatus\s*>")
_RESPONSE = re.compile(rb"<(?:[\w.-]+:)?response(?:\s[^<>]*)?>")
_HREF = re.compile(rb"<(?:[\w.-]+:)?href(?:\s[^<>]*)?>([^<]*)</")
_COLLECTION = re.compile(rb"<(?:[\w.-]+:)?collection\b")
_CUT = re.compile(rb"<(?:[\w.-]+:)?status(?:\s[^<>]*)?>\s*HTTP/[\d.]+ 507\b")
"""That of a list which the server cuts off (RFC 5323, 3.2; RFC 6578, 3.6)."""
_AVAILABLE = re.compile(rb"<(?:[\w.-]+:)?quota-available-bytes(?:\s[^<>]*)?>\s*(\d{1,19})\s*</")
_DONE = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)


class DavPlace(WritablePlace):
    """An archive on a WebDAV server."""

    def __init__(self, address: Address, connect: Connect = Transport) -> None:
        super().__init__(address)
        self._connect = connect

    def open(self) -> RangedBytes:
        """The archive, by ranges. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        server = self._server()
        try:
            ask = partial(server.request, "GET", self._address.url_path)
            return ranged(server.transport, ask, str(self), server.refused)
        except BaseException:
            server.transport.close()
            raise

    def state(self) -> State | None:
        """What is there. Raises :class:`AccessError`, :class:`ServerError`."""
        server = self._server()
        with server.transport:
            return server.state(self._address.url_path)

    def remove(self) -> None:
        """Takes away what is there. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        server = self._server()
        with server.transport:
            server.delete(self._address.url_path)

    def _server(self) -> _Server:
        return _server(self._address, self._connect)

    def _send(self, held: SetAside, *, force: bool) -> None:
        server = self._server()
        with server.transport:
            folder = quote(self._address.folder, safe="/%")
            path = self._address.url_path
            part = folder + unfinished_name(path.rsplit("/", 1)[-1])
            try:
                try:
                    spares = force or server.spares(folder)
                    server.put(part, held)
                except NotFoundError:  # which some servers say in place of 409
                    raise no_folder(str(self)) from None
                except ServerError:
                    # Many servers have no word of their own for it.
                    if server.lacks_room(folder, held.size):
                        raise OutputError(f"cannot write {self}: there is no room", hint=NO_SPACE) from None
                    raise
                if not spares:
                    _log.warning(SILENT, self)
                    if server.size(path) is not None:
                        raise exists_already(str(self))
                server.move(part, path, force=force, size=held.size)
            except BaseException:
                server.remove(part)
                raise


class DavFolder(FarFolder):
    """A folder on a WebDAV server."""

    def __init__(self, address: Address, connect: Connect = Transport) -> None:
        super().__init__(address)
        self._connect = connect

    def archives(self) -> Iterator[DavPlace]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        for name in self._names():
            if is_archive(unquote(name)):
                yield DavPlace(replace(self._address, path=self._address.path + name), self._connect)

    def folders(self) -> Iterator[DavFolder]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        for name in self._names():
            if name.endswith("/") and is_shown(unquote(name)):
                yield DavFolder(replace(self._address, path=self._address.path + name), self._connect)

    def _names(self) -> list[str]:
        server = _server(self._address, self._connect)
        with server.transport:
            return sorted(server.names(self._address.url_path), key=unquote)

    def unfinished(self) -> Iterator[Unfinished]:
        """As :meth:`manabackup.archive.places.ClearableFolder.unfinished` says. Raises as :meth:`archives` does."""
        server = _server(self._address, self._connect)
        with server.transport:
            for written in sorted(server.names(self._address.url_path), key=unquote):
                name = unquote(written)
                archive = meant_name(name)
                answer = None if archive is None else server.head(self._address.url_path + written)
                if archive is not None and answer is not None:  # it may have been moved to its place
                    age = age_by(answer.headers, http_moment(answer.headers.get("last-modified", "")))
                    state = _state(answer)
                    yield Unfinished(name, archive, state.size, age, True, partial(self._clear, written, state))

    def _clear(self, written: str, judged: State) -> None:
        server = _server(self._address, self._connect)
        with server.transport:
            path = self._address.url_path + written
            if server.state(path) != judged:
                raise OutputError(CHANGED)
            server.delete(path)


def _server(address: Address, connect: Connect) -> _Server:
    scheme = "https" if address.scheme == "davs" else "http"
    transport = connect(f"{scheme}://{address.authority}")
    return _Server(transport, authorization(address, with_variable=True), str(address))


def _path(href: bytes) -> str:
    return urlsplit(characters(href).strip()).path


def _name(path: str) -> str:
    """The last part of a path, however it is spelled: letters of both cases and of all forms may stand for one."""
    return normalize("NFC", unquote(path.rstrip("/").rpartition("/")[2])).casefold()


def _is_below(path: str, folder: str) -> bool:
    return unquote(path.rpartition("/")[0]) == unquote(folder)


def _state(answer: Answer) -> State:
    length = answer.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else -1
    return State(size, answer.headers.get("etag") or answer.headers.get("last-modified", ""))


class _Server:
    def __init__(self, transport: Transport, login: Mapping[str, str], shown: str) -> None:
        self.transport = transport
        self._login = login
        self._shown = shown

    def request(self, method: str, path: str, headers: Mapping[str, str]) -> Request:
        return Request(method, path, headers={**self._login, **headers})

    def refused(self, answer: Answer) -> ManabackupError:
        return refusal(answer, self._shown, login=HINT)

    def size(self, path: str) -> int | None:
        """Of what lies there, negative where the server does not say; None where nothing does."""
        found = self.state(path)
        return None if found is None else found.size

    def state(self, path: str) -> State | None:
        """What lies there."""
        answer = self.head(path)
        return None if answer is None else _state(answer)

    def head(self, path: str) -> Answer | None:
        """What the server tells of what lies there; None where nothing does."""
        answer = self.transport.request(self.request("HEAD", path, {"Accept-Encoding": "identity"}))
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self.refused(answer)
        return answer

    def names(self, folder: str) -> list[str]:
        """Of what lies in a folder, percent-encoded as the server writes them; those of folders end with a slash."""
        answer = self._propfind(folder, b"resourcetype", depth="1")
        if answer.status != HTTPStatus.MULTI_STATUS:
            raise self.refused(answer)
        if _LIST.search(answer.body) is None:
            raise no_list(self._shown)
        if _CUT.search(answer.body) is not None:
            raise breaks_off(self._shown)
        responses = _RESPONSE.split(answer.body)[1:]
        hrefs = ((_HREF.search(response), _COLLECTION.search(response)) for response in responses)
        found = {_path(href[1]): collection is not None for href, collection in hrefs if href is not None}
        # The folder itself is among them, perhaps by a shorter path than it was asked for: a proxy may cut it.
        own = min(found, key=len, default="").rstrip("/")
        inside = {path.rstrip("/"): is_folder for path, is_folder in found.items() if path.rstrip("/") != own}
        if not found or _name(own) not in ("", _name(folder)):
            raise no_list(self._shown)
        if not all(path.count("/") == own.count("/") + 1 and _is_below(path, own) for path in inside):
            raise no_list(self._shown)
        return [path.rpartition("/")[2] + "/" * is_folder for path, is_folder in inside.items()]

    def _propfind(self, path: str, prop: bytes, *, depth: str) -> Answer:
        body = b'<propfind xmlns="DAV:"><prop><%b/></prop></propfind>' % prop
        headers = {**self._login, "Depth": depth, "Content-Type": "application/xml", "Content-Length": str(len(body))}
        return self.transport.request(Request("PROPFIND", path, headers=headers, body=body))

    def delete(self, path: str) -> None:
        """Takes away what lies there."""
        answer = self.transport.request(self.request("DELETE", path, {}))
        if answer.status not in _DONE:
            raise self.refused(answer)

    def put(self, path: str, held: SetAside) -> None:
        """Sends an archive. The server must have all of it afterwards."""
        body = Again(held.sent)
        headers = {**self._login, "Content-Type": "application/zip", "Content-Length": str(held.size)}
        answer = self.transport.request(Request("PUT", path, headers=headers, body=body))
        if answer.status not in _DONE:
            raise self.refused(answer)
        if self.size(path) not in (held.size, -1):
            raise ServerError(f"{self._shown}: the server did not keep all that was sent")

    def lacks_room(self, folder: str, size: int) -> bool:
        """Whether a folder has no room for so much, as far as the server tells (RFC 4331)."""
        with suppress(ManabackupError):
            answer = self._propfind(folder, b"quota-available-bytes", depth="0")
            told = _AVAILABLE.search(answer.body) if answer.status == HTTPStatus.MULTI_STATUS else None
            return told is not None and int(told[1]) < size
        return False

    def move(self, part: str, path: str, *, force: bool, size: int) -> None:
        """Lets the archive appear. It is asked once: what became of it is looked at where no answer came."""
        headers = {"Destination": self.transport.base_url + path, "Overwrite": "T" if force else "F"}
        request = self.request("MOVE", part, headers)
        try:
            answer = self.transport.request(request, once=True, passing=is_never_passing)
            if answer.status in (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT):
                return
            error = self.refused(answer)
        except BrokenAnswerError as broken:
            error = broken
        # A proxy may have lost its patience while the server went on, or answered in its place.
        if isinstance(error, ServerError):
            with suppress(ManabackupError):
                if self.size(part) is None and self.size(path) == size:
                    return
        raise error

    def spares(self, folder: str) -> bool:
        """Whether the server spares what lies in the way of a file that is moved."""
        first, second = (folder + name for name in TRIAL_FILES)
        headers = {"Destination": self.transport.base_url + first, "Overwrite": "F"}
        for _ in range(3):
            answer = self.transport.request(self.request("MOVE", second, headers))
            if answer.status == HTTPStatus.PRECONDITION_FAILED:
                return True
            if answer.status == HTTPStatus.NO_CONTENT:  # it has replaced the other one
                return False
            if answer.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CREATED, HTTPStatus.CONFLICT):
                raise self.refused(answer)
            for path in (first, second):
                length = {"Content-Length": str(len(TRIAL_WORDS))}
                sent = Request("PUT", path, headers={**self._login, **length}, body=TRIAL_WORDS)
                put = self.transport.request(sent)
                if put.status not in _DONE:
                    raise self.refused(put)
        return False

    def remove(self, part: str) -> None:
        """Takes away what was sent in vain; tells where that cannot be done."""
        try:
            self.delete(part)
            return
        except NotFoundError:
            return
        except ManabackupError:
            pass
        _log.warning("%s: what was sent of it is left there: remove %s", self._shown, part.rsplit("/", 1)[-1])
