"""What places that speak HTTP have in common: reading by ranges, and what a refusal means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

from ..errors import AccessError, LockedError, ManabackupError, NotFoundError, OutputError, ServerError
from ..host.output import NO_SPACE
from ..limits import MIB
from ..remote.answers import Answer
from ..remote.request import Request
from ..remote.transport import Transport
from .ranges import LOOK, TAIL, RangedBytes

Connect = Callable[[str], Transport]
"""Makes the connections to a server, by its origin."""
Ask = Callable[[Mapping[str, str]], Request]
"""A request for the archive, with more headers."""
Refused = Callable[[Answer], ManabackupError]
"""What an answer means that is not what was asked for."""

_MOST_WHOLE = 16 * MIB
"""Bytes of an archive that is taken whole where a server gives no ranges."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
AS_IT_IS = {"Accept-Encoding": "identity"}
"""Nothing may compress what is read by ranges."""


def ranged(transport: Transport, ask: Ask, shown: str, refused: Refused, *, from_end: bool = True) -> RangedBytes:
    """What ``ask`` asks for, read by ranges; one request is made at once, for the end. It owns the transport then.

    Where the server knows no ranges that count ``from_end``, it is two: for the beginning, which tells the size, and
    for the end. It may also turn out only then that it does not. Raises what ``refused`` gives, :class:`ServerError`.
    """
    wanted = f"bytes=-{TAIL}" if from_end else f"bytes=0-{LOOK - 1}"
    try:
        first = transport.request(ask({**AS_IT_IS, "Range": wanted}), receive=_small_or_refused(shown))
    except _WholeError:
        if not from_end:
            raise
        return ranged(transport, ask, shown, refused, from_end=False)
    if first.status == HTTPStatus.OK:
        return RangedBytes(len(first.body), first.body, _nothing_more, transport.close)
    if first.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # as an empty file is answered for
        if from_end:
            return ranged(transport, ask, shown, refused, from_end=False)
        return RangedBytes(0, b"", _nothing_more, transport.close)
    begin, size = _checked(first, shown, refused)
    if (begin + len(first.body) != size) if from_end else (begin, len(first.body)) != (0, min(size, LOOK)):
        raise ServerError(f"{shown}: the server gave another part than was asked for")
    version = _version(first)

    def fetch(begin: int, stop: int) -> bytes:
        answer = transport.request(ask({**AS_IT_IS, "Range": f"bytes={begin}-{stop - 1}"}))
        if answer.status == HTTPStatus.OK or _version(answer) != version:
            raise ServerError(f"{shown} changed while it was read", hint="try again")
        found, now = _checked(answer, shown, refused)
        if (found, len(answer.body), now) != (begin, stop - begin, size):
            raise ServerError(f"{shown}: the server gave another part than was asked for")
        return answer.body

    if from_end or len(first.body) == size:
        return RangedBytes(size, first.body, fetch, transport.close)
    return RangedBytes(size, fetch(max(size - TAIL, 0), size), fetch, transport.close, head=first.body)


def _nothing_more(begin: int, stop: int) -> bytes:
    raise AssertionError("all of it is held")


def _checked(answer: Answer, shown: str, refused: Refused) -> tuple[int, int]:
    """Where the part begins that an answer gives, and how large the whole is."""
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        raise refused(answer)
    match = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if match is None:
        raise ServerError(f"{shown}: the server does not say which part it gives")
    begin, last, size = map(int, match.groups())
    if last - begin + 1 != len(answer.body):
        raise ServerError(f"{shown}: the server gave another part than it says")
    return begin, size


def _version(answer: Answer) -> str | None:
    """By which it is seen that parts belong together."""
    return answer.headers.get("etag") or answer.headers.get("last-modified")


class _WholeError(ServerError):
    """The server gives the whole of what is too large for that."""

    page = ServerError.page


def _small_or_refused(shown: str) -> Callable[[Iterator[bytes]], bytes]:
    def receive(pieces: Iterator[bytes]) -> bytes:
        content = bytearray()
        for piece in pieces:
            content += piece
            if len(content) > _MOST_WHOLE:
                raise _WholeError(
                    f"{shown}: the server gives no parts of files, which reading an archive takes",
                    hint="fetch the whole file first",
                )
        return bytes(content)

    return receive


def refusal(answer: Answer, shown: str, *, login: str) -> ManabackupError:
    """What an answer means that is not what was asked for, where nothing tells it better than its status.

    ``login`` says where credentials come from.
    """
    match answer.status:
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return NotFoundError(f"{shown}: there is no such file")
        case HTTPStatus.UNAUTHORIZED:
            return AccessError(f"{shown}: the server wants to know who asks, or does not believe it", hint=login)
        case HTTPStatus.FORBIDDEN:
            return AccessError(f"{shown}: the server does not allow it", hint=login)
        case HTTPStatus.CONFLICT:
            return no_folder(shown)
        case HTTPStatus.PRECONDITION_FAILED:
            return exists_already(shown)
        case HTTPStatus.LOCKED:
            return LockedError(f"{shown} is locked by somebody")
        case HTTPStatus.INSUFFICIENT_STORAGE | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return OutputError(f"cannot write {shown}: {answer.words()}", hint=NO_SPACE)
        case HTTPStatus.METHOD_NOT_ALLOWED | HTTPStatus.NOT_IMPLEMENTED:
            return OutputError(f"cannot write {shown}: the server takes no files there")
    return ServerError(f"{shown}: {answer.words()}")


def no_folder(shown: str) -> OutputError:
    """The error of a place whose folder is missing."""
    return OutputError(f"cannot write {shown}: its folder does not exist", hint="make the folder first")


def exists_already(shown: str) -> OutputError:
    """The error of a place where something lies already."""
    return OutputError(f"{shown} exists already", hint="--force replaces it")


def cold(shown: str) -> OutputError:
    """The error of what is there, and lies where it takes hours to be fetched from."""
    return OutputError(
        f"cannot read {shown}: it lies in cold storage",
        hint="have it restored first, by its provider's own tools, which takes hours; `prune` leaves it alone",
    )


def no_list(shown: str) -> ServerError:
    """The error of an answer that is no list, where one was asked for: what lies there is unknown then, not nothing."""
    return ServerError(f"{shown}: the server gives no list of what lies there")


def breaks_off(shown: str) -> ServerError:
    """The error of a list that says that there is more, and not where it goes on."""
    return ServerError(f"{shown}: the server breaks off its list of what lies there")
