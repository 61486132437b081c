"""What can be done to a request in place of answering it well. Each function gives an :data:`~.line.Act`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from manabackup.limits import KIB
from manabackup.text import jsontext
from tests.support.line import JSON, Act, Answer, Call

Edit = Callable[[bytes], bytes]

# --- answers that are well-formed -------------------------------------------------------------------------------------


def edits(edit: Edit, headers: Mapping[str, str] | None = None) -> Act:
    """The servers' answer with another body, and other headers besides or in place of its own."""
    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]

    async def act(call: Call) -> None:
        answer = await call.ask()
        kept = [(name, value) for name, value in answer.headers if name not in dict(fields)]
        await call.answer(Answer(answer.status, kept + fields, edit(answer.body)))

    return act


def edits_json(edit: Callable[[JSON], JSON]) -> Act:
    """The servers' answer with another JSON value."""
    return edits(lambda body: jsontext.dumps(edit(jsontext.parse(body))))


def after_all(act: Act) -> Act:
    """The servers carry the request out, and then this happens to their answer."""

    async def both(call: Call) -> None:
        await call.ask()
        await act(call)

    return both


def stores(count: int, then: Act) -> Act:
    """The first changes of a push are stored, no others, and then this happens."""

    async def act(call: Call) -> None:
        if count:
            await call.ask(jsontext.dumps({**call.request.json, "changes": call.request.changes[:count]}))
        await then(call)

    return act


# --- answers byte by byte ---------------------------------------------------------------------------------------------

Wire = Callable[[Answer], bytes]


def writes(wire: Wire, *, stays: bool = False, reset: bool = False) -> Act:
    """Puts what ``wire`` makes of the servers' answer onto the connection, and ends it unless it ``stays``."""

    async def act(call: Call) -> None:
        await call.write(wire(await call.ask()))
        if stays:
            await call.left()
        else:
            await call.close(reset=reset)

    return act


def whole(answer: Answer) -> bytes:
    """An answer as it should be."""
    return head(answer, f"Content-Length: {len(answer.body)}") + answer.body


def head(answer: Answer, *fields: str, first: str = "") -> bytes:
    """Status line and headers, with ``fields`` for the framing."""
    lines = [first or f"HTTP/1.1 {answer.status} Said", *fields]
    lines += [f"{name.decode()}: {value.decode()}" for name, value in answer.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def chunked(answer: Answer, *, size: int = 64) -> list[bytes]:
    """An answer in chunks: its head, size and content of each by turns, and the end."""
    parts = [head(answer, "Transfer-Encoding: chunked")]
    for at in range(0, len(answer.body), size):
        piece = answer.body[at : at + size]
        parts += [b"%x\r\n" % len(piece), piece + b"\r\n"]
    return [*parts, b"0\r\n\r\n"]


def cut_at(share: float) -> Wire:
    """A body that ends early: after none of it (0), in its middle, or a byte before its end (1)."""

    def wire(answer: Answer) -> bytes:
        kept = min(int(len(answer.body) * share), len(answer.body) - 1)
        return whole(answer)[: len(whole(answer)) - len(answer.body) + max(kept, 0)]

    return wire


def cut_before(mark: bytes, more: int = 0) -> Wire:
    """An answer that ends before the first ``mark`` in its head, or so many bytes later."""
    return lambda answer: whole(answer)[: whole(answer).index(mark) + more]


def framed(*fields: str, first: str = "", behind: bytes = b"") -> Wire:
    """The whole body behind a head that says something else of it; ``{n}`` stands for its length."""

    def wire(answer: Answer) -> bytes:
        told = [field.replace("{n}", str(len(answer.body))) for field in fields]
        return head(answer, *told, first=first) + answer.body + behind

    return wire


# --- ends without an answer -------------------------------------------------------------------------------------------


async def hangs_up(call: Call) -> None:
    """The connection is closed."""
    await call.close()


async def resets(call: Call) -> None:
    """The connection is reset."""
    await call.close(reset=True)


async def is_silent(call: Call) -> None:
    """No byte comes until the client gives up."""
    await call.left()


async def answers_late(call: Call) -> None:
    """The servers carry it out; their answer comes when nobody waits for it any more."""
    answer = await call.ask()
    await call.left()
    call.transport.write(whole(answer))  # goes nowhere


# --- floods -----------------------------------------------------------------------------------------------------------


def drips(before: Wire, drop: bytes = b"x", pace: float = 0.01) -> Act:
    """Begins well, and goes on a little at a time for ever: never silent, never done."""

    async def act(call: Call) -> None:
        await call.write(before(await call.ask()))
        gone = asyncio.ensure_future(call.left())
        while not gone.done():
            await call.write(drop)
            await asyncio.wait([gone], timeout=pace)

    return act


def pours(before: bytes, pieces: Callable[[], Iterable[bytes]]) -> Act:
    """Any number of bytes, made as they are sent."""

    async def act(call: Call) -> None:
        await call.write(before)
        for piece in pieces():
            await call.write(piece)
        await call.close()

    return act


def repeated(piece: bytes, size: int) -> Callable[[], Iterable[bytes]]:
    """``piece`` again and again, until there are ``size`` bytes of it."""
    block = piece * max(1, 64 * KIB // len(piece))
    return lambda: (block for _ in range(-(-size // len(block))))
