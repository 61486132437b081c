"""Every fault that a server, or the line to it, can have: one table.

A fault says what the program may make of it: :attr:`Then.PASSES` is worth another try, so that one of its kind does no
harm; :attr:`Then.ENDS` ends the command, whose error names it, and so does :attr:`Then.UNWIELDY` unless a smaller
question helps; :attr:`Then.SURVIVES` is odd, and no reason to fail; :attr:`Then.DEPENDS` may be either, as the
asker makes sense of it or not, and :attr:`Then.LIES` is believed where nobody can know better.
"""

from __future__ import annotations

import gzip
import itertools
import os
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache, partial

import zstandard

from manabackup.limits import MIB
from manabackup.text import jsontext
from manabackup.text.timestamps import format_timestamp, parse_timestamp
from tests.support.line import JSON, Act, Judge, Request, says

from .acts import (
    after_all,
    answers_late,
    chunked,
    cut_at,
    cut_before,
    drips,
    edits,
    edits_json,
    framed,
    hangs_up,
    head,
    is_silent,
    pours,
    repeated,
    resets,
    whole,
    writes,
)

IMPATIENT = {"request_seconds": 0.25, "search_answer_seconds": 0.25, "connect_seconds": 0.25, "attempts": 2}
"""Limits for faults that are waited for."""


ROUNDS = int(os.environ.get("MANABACKUP_FAULT_ROUNDS", "4"))
"""Of faults at random."""


class Then(Enum):
    """What may become of the command."""

    PASSES = auto()
    ENDS = auto()
    UNWIELDY = auto()
    SURVIVES = auto()
    DEPENDS = auto()
    LIES = auto()


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    act: Act
    then: Then
    limits: Mapping[str, float] = field(default_factory=dict)
    """Smaller ones, under which it shows."""

    def limits_of(self, times: int | None) -> dict[str, float]:
        """The limits for so many of it; what is waited for, and goes on for ever, is not waited for twice."""
        lasting = {"attempts": 1} if times is None and "request_seconds" in self.limits else {}
        return {"attempts": 3, **self.limits, **lasting}


def _faults(then: Then, acts: Mapping[str, Act], **limits: float) -> list[Fault]:
    return [Fault(name, act, then, limits) for name, act in acts.items()]


# --- the connection ---------------------------------------------------------------------------------------------------

CONNECTION = [
    *_faults(
        Then.PASSES,
        {
            "hangs up before the answer": hangs_up,
            "resets before the answer": resets,
            "hangs up when all is done": after_all(hangs_up),
            "resets when all is done": after_all(resets),
            "cut in the protocol's name": writes(cut_before(b"P/1.1")),
            "cut in the status": writes(cut_before(b" ", 2)),
            "cut behind the status line": writes(cut_before(b"\r\n", 2)),
            "cut in a header's name": writes(cut_before(b"-Length")),
            "cut in a header's value": writes(cut_before(b"Length: ", 8)),
            "cut behind a header": writes(cut_before(b"\r\n\r\n", 2)),
            "reset in a header": writes(cut_before(b"-Length"), reset=True),
            "cut before the body": writes(cut_at(0)),
            "cut in the body": writes(cut_at(0.5)),
            "reset in the body": writes(cut_at(0.5), reset=True),
            "cut a byte before the end": writes(cut_at(1)),
            "cut in a chunk's size": writes(lambda answer: chunked(answer)[0] + b"3"),
            "cut in a chunk": writes(lambda answer: b"".join(chunked(answer))[: -len(answer.body) // 2]),
            "cut before the last chunk": writes(lambda answer: b"".join(chunked(answer)[:-1])),
            "cut in the last chunk": writes(lambda answer: b"".join(chunked(answer))[:-2]),
        },
    ),
    *_faults(
        Then.PASSES,
        {
            "never answers": is_silent,
            "answers too late": answers_late,
            "stops in the headers": writes(cut_before(b"-Length"), stays=True),
            "stops in the body": writes(cut_at(0.5), stays=True),
            "drips headers": drips(lambda answer: b"HTTP/1.1 200 OK\r\nX: "),
            "drips a body": drips(framed(first="HTTP/1.1 200 OK"), b" "),
            "drips chunks": drips(lambda answer: chunked(answer)[0], b"1\r\n \r\n"),
            "drips 103": drips(lambda answer: b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
            "promises more than it gives, and stays": writes(framed("Content-Length: 1{n}"), stays=True),
        },
        **IMPATIENT,
    ),
]

# --- framing ----------------------------------------------------------------------------------------------------------


def _with_chunks(change: Callable[[list[bytes]], list[bytes]]) -> Act:
    return writes(lambda answer: b"".join(change(chunked(answer))))


def _first_size(size: bytes) -> Act:
    return _with_chunks(lambda parts: [parts[0], size, *parts[2:]])


FRAMING = [
    *_faults(
        Then.PASSES,
        {
            "length too long": writes(framed("Content-Length: 1{n}")),
            "length negative": writes(framed("Content-Length: -1")),
            "length no number": writes(framed("Content-Length: many")),
            "length with a sign": writes(framed("Content-Length: +{n}")),
            "length in other digits": writes(framed("Content-Length: ٣")),
            "length empty": writes(framed("Content-Length: ")),
            "length of 5,000 digits": writes(framed("Content-Length: " + "9" * 5_000)),
            "two different lengths": writes(framed("Content-Length: {n}", "Content-Length: 1{n}")),
            "two lengths in one": writes(framed("Content-Length: {n}, 1{n}")),
            "chunk size no number": _first_size(b"zz\r\n"),
            "chunk size negative": _first_size(b"-5\r\n"),
            "chunk size empty": _first_size(b"\r\n"),
            "chunk size of 5,000 digits": _first_size(b"f" * 5_000 + b"\r\n"),
            "chunk longer than said": _first_size(b"1\r\n"),
            "chunk shorter than said": _first_size(b"ff\r\n"),
            "unknown transfer coding": writes(framed("Transfer-Encoding: gzip")),
            "two transfer codings": writes(framed("Transfer-Encoding: gzip, chunked")),
            "no HTTP": writes(lambda answer: b"220 smtp.example.org ESMTP\r\n" + answer.body),
            "the body alone": writes(lambda answer: answer.body),
            "no status": writes(framed("Content-Length: {n}", first="HTTP/1.1 OK")),
            "status of four digits": writes(framed("Content-Length: {n}", first="HTTP/1.1 2000 OK")),
            "status 000": writes(framed("Content-Length: {n}", first="HTTP/1.1 000 OK")),
            "status 099": writes(framed("Content-Length: {n}", first="HTTP/1.1 099 OK")),
            "HTTP 2": writes(framed("Content-Length: {n}", first="HTTP/2 200 OK")),
            "a header without a colon": writes(framed("Content-Length: {n}", "nonsense")),
            "a header that begins with a blank": writes(framed(" folded", "Content-Length: {n}")),
            "NUL in a header": writes(framed("Content-Length: {n}", "X: \0")),
            "blanks in a header's name": writes(framed("Content-Length: {n}", "X Y: z")),
            "a header of 10 MB": pours(b"HTTP/1.1 200 OK\r\nX: ", repeated(b"y", 10 * MIB)),
            "endless headers": pours(b"HTTP/1.1 200 OK\r\n", repeated(b"X: y\r\n", 10 * MIB)),
            "nothing but blank lines": pours(b"", repeated(b"\r\n", MIB)),
            "endless chunk extension": pours(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", repeated(b"x", 10 * MIB)
            ),
            "endless trailers": pours(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n", repeated(b"X: y\r\n", 10 * MIB)
            ),
        },
    ),
    *_faults(
        Then.SURVIVES,
        {
            "the same length twice": writes(framed("Content-Length: {n}", "Content-Length: {n}")),
            "no length": writes(framed("Connection: close")),
            "HTTP 1.0": writes(framed(first="HTTP/1.0 200 OK")),
            "well-chunked": writes(lambda answer: b"".join(chunked(answer))),
            "chunks of one byte": writes(lambda answer: b"".join(chunked(answer, size=1))),
            "chunks and a length": writes(
                lambda answer: b"".join(chunked(answer)).replace(b"\r\n", b"\r\nContent-Length: 3\r\n", 1)
            ),
            "trailers": writes(lambda answer: b"".join(chunked(answer))[:-2] + b"X: y\r\n\r\n"),
            "no reason": writes(framed("Content-Length: {n}", first="HTTP/1.1 200 ")),
            "a hundred times 100": writes(lambda answer: b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + whole(answer)),
            "ten thousand times 103": writes(
                lambda answer: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10_000 + whole(answer)
            ),
            "three thousand headers": writes(
                lambda answer: head(answer, f"Content-Length: {len(answer.body)}", *["X: y"] * 3_000) + answer.body
            ),
        },
    ),
    *_faults(Then.UNWIELDY, {"length of an exabyte": writes(framed("Content-Length: " + "9" * 18))}),
    *_faults(
        Then.DEPENDS, {"length too short": writes(lambda answer: head(answer, "Content-Length: 5") + answer.body)}
    ),
]

# --- statuses ---------------------------------------------------------------------------------------------------------

_RETRY = {"Retry-After": "1"}
STATUSES = [
    *_faults(
        Then.PASSES, {f"{status}": says(status, "it rains") for status in (408, 429, 500, 501, 502, 503, 504, 599)}
    ),
    *_faults(
        Then.PASSES,
        {
            "500 when all is done": after_all(says(500, "it rains")),
            "503 in HTML": says(503, "<html>" + "x" * 9_000, {"Content-Type": "text/html"}),
            "429 with Retry-After": says(429, "later", _RETRY),
            "503 with Retry-After": says(503, "later", _RETRY),
            **{
                f"429 with Retry-After {words[:20]!r}": says(429, "later", {"Retry-After": words})
                for words in ("-1", "soon", "1e9", "0", "9" * 400, "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Foo 0")
            },
            "429 as the account service says it": says(429, '{"message":"Too many"}', {"X-Retry-After": "1"}),
            "401, the token has expired": says(401, "unauthorized: token is expired\n"),
            "401 for want of the key set": says(401, "unauthorized: error while executing keyfunc: fetch JWKS\n"),
        },
    ),
    *_faults(
        Then.ENDS,
        {
            **{f"{status}": says(status, "no \x1b[31m way\r\n") for status in (402, 403, 405, 413, 418, 431)},
            "400": says(400, "bad request"),
            "404 in HTML": says(404, "<html>", {"Content-Type": "text/html"}),
            "402 as the sync server says it": says(402, '{"error":"sync_inactive","message":"aus"}'),
            **{
                f"{status} to {place!r}": says(status, "", {"Location": place})
                for status, place in (
                    (300, ""),
                    (301, "https://evil.invalid/"),
                    (302, "http://127.0.0.1:9/"),
                    (302, "/api/auth/token"),
                    (303, "//evil.invalid"),
                    (304, ""),
                    (305, "http://evil.invalid:80"),
                    (307, "https://evil.invalid/sync"),
                    (308, "http://["),
                )
            },
            "429 with Retry-After of a day": says(429, "later", {"Retry-After": "86400"}),
        },
    ),
    *_faults(
        Then.UNWIELDY,
        {"503 with Retry-After in 2199": says(503, "later", {"Retry-After": "Tue, 01 Jan 2199 00:00:00 GMT"})},
    ),
    *_faults(
        Then.DEPENDS,
        {
            "400 after a slow upload": says(400, "invalid JSON: read tcp 10.0.0.1:3050: i/o timeout\n"),
            "101": writes(framed("Upgrade: x", "Connection: upgrade", first="HTTP/1.1 101 Switching Protocols")),
            "201": edits(lambda body: body),
            "204": writes(lambda answer: b"HTTP/1.1 204 No Content\r\n\r\n"),
            "200 without a body": says(200),
        },
    ),
]

# --- bodies -----------------------------------------------------------------------------------------------------------


@cache
def _zeros(coding: str) -> bytes:
    """64 MiB of zeros."""
    if coding == "zstd":
        return zstandard.ZstdCompressor(19).compress(bytes(64 * MIB))
    deflate = zlib.compressobj(9, wbits=31)
    block = bytes(MIB)
    return b"".join([deflate.compress(block) for _ in range(64)]) + deflate.flush()


def _coded(encode: Callable[[bytes], bytes], coding: str) -> Act:
    return edits(encode, {"Content-Encoding": coding})


def _bomb(coding: str) -> Act:
    return _coded(lambda body: _zeros(coding), coding)


def _beside(text: bytes) -> Act:
    """One member more, whose value is ``text``, in the answer's first object."""

    def edit(body: bytes) -> bytes:
        before, opening, rest = body.partition(b"{")
        comma = b"" if rest.startswith(b"}") else b","
        return before + opening + b'"unheard of":' + text + comma + rest

    return edits(edit)


CODINGS = [
    *_faults(
        Then.SURVIVES,
        {
            "gzip": _coded(gzip.compress, "gzip"),
            "zstd": _coded(zstandard.compress, "zstd"),
            "gzip in two members": _coded(lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]), "GZIP"),
            "gzip with ten thousand empty members": _coded(
                lambda body: gzip.compress(b"") * 10_000 + gzip.compress(body), "gzip"
            ),
        },
    ),
    *_faults(
        Then.PASSES,
        {
            "gzip cut": _coded(lambda body: gzip.compress(body)[:-5], "gzip"),
            "zstd cut": _coded(lambda body: zstandard.compress(body)[:-2], "zstd"),
            "gzip with a wrong sum": _coded(lambda body: gzip.compress(body)[:-8] + bytes(8), "gzip"),
            "gzip called zstd": _coded(gzip.compress, "zstd"),
            "zstd called gzip": _coded(zstandard.compress, "gzip"),
            "plain called gzip": _coded(lambda body: body, "gzip"),
            "plain called br": _coded(lambda body: body, "br"),
            "gzip in gzip": _coded(lambda body: gzip.compress(gzip.compress(body)), "gzip, gzip"),
            "a bomb in a bomb": _coded(lambda body: gzip.compress(_zeros("gzip")), "gzip, gzip"),
            "a coding of 9,000 letters": _coded(lambda body: body, "x" * 9_000),
            "a window of 2 GB": _coded(lambda body: b"\x28\xb5\x2f\xfd\x00\xa8" + body, "zstd"),
        },
    ),
    *_faults(
        Then.UNWIELDY,
        {
            "gzip bomb": _bomb("gzip"),
            "zstd bomb": _bomb("zstd"),
            "half a gigabyte": pours(b"HTTP/1.1 200 OK\r\n\r\n[", repeated(b"1,", 500 * MIB)),
            "half a gigabyte as announced": pours(
                b"HTTP/1.1 200 OK\r\nContent-Length: 524288000\r\n\r\n[", repeated(b"1,", 500 * MIB)
            ),
        },
        answer_bytes=4 * MIB,
    ),
]

BODIES = [
    *_faults(
        Then.SURVIVES,
        {
            "called HTML": edits(lambda body: body, {"Content-Type": "text/html"}),
            "called nothing": edits(lambda body: body, {"Content-Type": ""}),
            "with blanks around": edits(lambda body: b"\n\t " + body + b" \r\n" * 99),
            "with a number of 200,000 digits": _beside(b"9" * 200_000),
            "with a fraction of 200,000 digits": _beside(b"0." + b"3" * 200_000),
            "with 1e999999999999": _beside(b"1e999999999999"),
            "with -0 and 1E+2": _beside(b"[-0,1E+2,0.10]"),
            "with lone surrogates": _beside(rb'"\ud800\udfff \udc00"'),
            "with lone surrogates for a key": _beside(rb'{"\ud800":1}'),
            "nested 9,996 deep": _beside(b"[" * 9_996 + b"]" * 9_996),
            "nested 9,996 deep in objects": _beside(b'{"":' * 9_996 + b"0" + b"}" * 9_996),
            "with a key of 1 MB": _beside(b'{"%b":0}' % (b"k" * MIB)),
        },
    ),
    *_faults(
        Then.ENDS,
        {
            "HTML": says(200, "<html>sign in to the hotel's network</html>", {"Content-Type": "text/html"}),
            "a text": edits(lambda body: b"OK"),
            "half of it": edits(lambda body: body[: len(body) // 2]),
            "all but its last byte": edits(lambda body: body.rstrip()[:-1]),
            "two values": edits(lambda body: body + body),
            "a byte order mark": edits(lambda body: b"\xef\xbb\xbf" + body),
            "UTF-16": edits(lambda body: body.decode().encode("utf-16")),
            "not UTF-8": _beside(b'"\xff"'),
            "surrogates in UTF-8": _beside(b'"\xed\xa0\x80"'),
            "NUL behind it": edits(lambda body: body + b"\0"),
            "NUL inside": _beside(b'"\0"'),
            "NaN": _beside(b"NaN"),
            "a comma too many": edits(lambda body: body.rstrip()[:-1] + b"," + body.rstrip()[-1:]),
            "nested 100,000 deep": _beside(b"[" * 100_000 + b"]" * 100_000),
            "nested 100,000 deep in objects": _beside(b'{"":' * 100_000 + b"0" + b"}" * 100_000),
        },
    ),
    *_faults(
        Then.UNWIELDY,
        {
            "nothing but brackets": edits(lambda body: b"[" * 3_000_000),
            "an open string": edits(lambda body: b'"' + b"x" * 3_000_000),
        },
    ),
    *_faults(
        Then.DEPENDS,
        {
            f"nothing but {text}": edits(lambda body, text=text: text.encode())  # type: ignore[misc]
            for text in ("null", "true", "0", '""', "[null]", "[[]]", "[{}]")
        },
    ),
    *_faults(
        Then.LIES,
        {
            f"nothing but {text}": edits(lambda body, text=text: text.encode())  # type: ignore[misc]
            for text in ("[]", "{}", '{"error":7}', '{"": null}')
        },
    ),
]

# --- shapes: every member missing, and of every wrong type ------------------------------------------------------------

_WRONG: tuple[JSON, ...] = (
    None,
    True,
    False,
    0,
    -1,
    jsontext.Number("1e400"),
    "",
    "x",
    "\ud800",
    "\0",
    "x" * 70_000,
    [],
    [None],
    {},
    {"": None},
)


def shapes(answer: JSON) -> Iterator[Callable[[JSON], JSON]]:
    """Ways to spoil one member of an answer like this one."""
    holder: JSON = answer[0] if isinstance(answer, list) and answer else answer
    for key in holder if isinstance(holder, dict) else ():
        yield partial(_changed, key)
        for wrong in _WRONG:
            yield partial(_changed, key, wrong=[wrong])


def _changed(key: str, value: JSON, *, wrong: Sequence[JSON] = ()) -> JSON:
    if isinstance(value, list):
        return [_changed(key, item, wrong=wrong) for item in value]
    if not isinstance(value, dict):
        return value
    rest = {name: kept for name, kept in value.items() if name != key}
    return {**rest, key: wrong[0]} if wrong else rest


# --- pages of the sync server -----------------------------------------------------------------------------------------

Changes = list[JSON]


def _pages(edit: Callable[[JSON], JSON]) -> Act:
    return edits_json(lambda page: {**page, **edit(page)})


def _changes(edit: Callable[[Changes], Changes]) -> Act:
    return _pages(lambda page: {"serverChanges": edit(page["serverChanges"])})


_NO_INSTANTS: list[JSON] = [
    "",
    "yesterday",
    "2026-13-01T00:00:00Z",
    "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00",
    "2026-01-01",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "٢٠٢٦-01-01T00:00:00Z",
    "\ud800",
    "2026-01-01T00:00:00." + "1" * 100_000,
    1_767_225_600,
    None,
    [],
]


def _until(text: JSON, *, more: bool | None = None) -> Act:
    return _pages(lambda page: {"syncedUntil": text, **({} if more is None else {"hasMore": more})})


def _invented(number: int, **more: JSON) -> JSON:
    return {"eventId": f"invented-{number}", "schemaVersion": 1, "table": "tasks", "id": f"i{number}", **more}


MALFORMED: Changes = [
    7,
    None,
    True,
    "text",
    [],
    {},
    {"table": "tasks"},
    {"table": "tasks", "id": 3, "op": "insert", "data": {}},
    {"eventId": None, "table": None, "id": None, "op": None, "data": None},
    {"eventId": 5, "table": "tasks", "id": "a", "op": "insert", "data": {}},
    {"eventId": "", "table": "", "id": "", "op": ""},
    {"eventId": "\ud800", "table": "\ud800", "id": "\ud800", "op": "insert", "data": {"\ud800": "\ud800"}},
    {"eventId": "../../x", "table": "../../x", "id": "../../x\0", "op": "insert", "data": {}},
    _invented(1, op="merge", data={}),
    _invented(2, op="insert", data=[]),
    _invented(3, op="insert", data="text"),
    _invented(4, op="update", fields=[]),
    _invented(5, op="update", fields={"a": 1}),
    _invented(6, op="update", fields={"a": {"value": 1, "at": 5}}),
    _invented(7, op="delete", deletedAt=7),
    _invented(8, op="insert", data={"createdAt": {}, "spaceId": 5}, actor="me", origin=[], spaceId={}),
    _invented(9, op="insert", data={}, schemaVersion=99),
    _invented(10, op="insert", data={}, schemaVersion="1"),
    _invented(11, op="update", fields={".": {"value": 1, "at": ""}, "a..b": {"at": "x"}, "a." * 5_000: {"value": 1}}),
]

PAGES = [
    *_faults(
        Then.SURVIVES,
        {
            "every change twice": _changes(lambda changes: [one for one in changes for _ in range(2)]),
            "the page twice": _changes(lambda changes: changes + changes),
            "syncedUntil in another zone": _pages(
                lambda page: {"syncedUntil": _shifted(page["syncedUntil"], "+14:00", 14 * 3_600)}
            ),
            "hasMore false": _pages(lambda page: {"hasMore": False}),
            "conflicts": _pages(lambda page: {"conflicts": [{"id": "x"}, None]}),
            "members of other case": _pages(lambda page: {"ServerChanges": [], "SyncedUntil": 7}),
            "the last changes come later": _changes(lambda changes: changes[:-1]),
            "an empty page": _changes(lambda changes: []),
            "clock with 300 digits of a second": _pages(
                lambda page: {
                    "syncedUntil": page["syncedUntil"].removesuffix("Z").split(".")[0] + "." + "1" * 300 + "Z"
                }
            ),
        },
    ),
    *_faults(
        Then.LIES,
        {
            "backwards": _changes(lambda changes: changes[::-1]),
            "shuffled": _changes(lambda changes: changes[1::2] + changes[::2]),
            "clock in 1970": _until("1970-01-01T00:00:00Z"),
            "clock in the year 1": _until("0001-01-01T00:00:00Z"),
            "malformed changes": _changes(lambda changes: [*MALFORMED, *changes]),
            "malformed changes among others": _changes(
                lambda changes: [one for pair in itertools.zip_longest(MALFORMED, changes) for one in pair if one]
            ),
            "another's changes under known ids": _changes(
                lambda changes: [{**one, "table": "elsewhere", "op": "delete"} for one in changes]
            ),
            "more, from where it stands": _pages(lambda page: {"hasMore": True}),
            "clock in 2998": _until("2998-01-01T00:00:00Z"),
            "clock at the end of time": _until("9999-12-31T23:59:59.999999999Z"),
            "more, at the end of time": _until("9999-12-31T23:59:59.999999999Z", more=True),
            "more, in the year 1": _until("0001-01-01T00:00:00Z", more=True),
            "more, from the epoch": _until("1970-01-01T00:00:00Z", more=True),
            "more of nothing": _pages(lambda page: {"serverChanges": [], "hasMore": True}),
        },
    ),
    *_faults(
        Then.ENDS,
        {f"syncedUntil {text!r:.30}": _until(text) for text in _NO_INSTANTS},
    ),
]


def _shifted(text: str, zone: str, seconds: int) -> str:
    """The same instant in another zone."""
    return format_timestamp(parse_timestamp(text) + seconds * 1_000_000).removesuffix("Z") + zone


EVERYWHERE = [*CONNECTION, *FRAMING, *STATUSES, *CODINGS, *BODIES]
"""What can happen to any request."""
FAULTS = {fault.name: fault for fault in [*EVERYWHERE, *PAGES]}
"""By name."""


def at_random(seed: int, *, share: float) -> Judge:
    """A judge that spoils a ``share`` of all requests, each in another way; never by waiting, never by lies."""
    rng = random.Random(seed)
    choice = [fault for fault in [*EVERYWHERE, *PAGES] if fault.then is not Then.LIES and not fault.limits]

    def judge(request: Request) -> Act | None:
        return rng.choice(choice).act if request.target.startswith("/sync/") and rng.random() < share else None

    return judge


assert len(FAULTS) == len([*EVERYWHERE, *PAGES]), "two faults of one name"
