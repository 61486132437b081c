"""Carries out the outbox: requests that suit the line, and a word from the server about each that stayed unanswered.

A request that failed may have been carried out, wholly or up to some change. Before anything of it is sent again, the
server is read under another client id; what is found there is never sent again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from ...errors import ServerError
from ...limits import MIB
from ...remote.answers import Answer
from ...remote.sync import PushClient, SyncClient, came_too_slowly, clock_of
from ...remote.transport import asks_for_too_long
from ...text import jsontext
from ...text.timestamps import SECOND, format_timestamp, parse_timestamp
from ..progress import Tell
from .edits import mark
from .lookout import Lookout, pages_since
from .outbox import Item, Outbox
from .writing import event_of, is_ours

MOST_CHANGES = 200
"""In one request, as the web app sends them."""
FIRST_BYTES, MOST_BYTES = MIB, 8 * MIB
QUICK_SECONDS = 3.0
"""An upload that takes less lets the next one be twice as large. The server waits 15 seconds for a body."""
_CLOCK_SECONDS = 5
"""By so much a server's clock may step back between two requests."""
_TRIES = 3
"""How often a single row is tried that the server fails at, and a request that it cannot take now."""
_MOST_REFUSED = 20
"""Rows refused one after the other: then it is not the rows."""
_PASSING = frozenset({408, 429, 502, 503, 504})
_MOST_ROUNDS = 4
"""How often is planned anew what somebody touches again and again."""

CLOCK = "serverClock"
"""What the outbox calls the last time that the server told."""


@dataclass(frozen=True, slots=True)
class PushLine:
    """The ways to the server."""

    client: PushClient
    reader: SyncClient
    """Has another client id than ``client``, and none that ever pushed."""
    lookout: Lookout
    seconds: Callable[[], float] = time.monotonic
    """The clock that tells how long an upload took."""


class Push:
    """One run of pushing.

    Just before each request the lookout looks at its rows. Those that somebody touched are kept back until the others
    are sent, or sent not before they are planned anew where that is to be done ``at_once``: ``plan_anew`` does it; with
    True it is the last time, and leaves what it cannot plan.
    """

    def __init__(
        self,
        outbox: Outbox,
        line: PushLine,
        plan_anew: Callable[[bool], None],
        *,
        at_once: bool = False,
        progress: Tell | None = None,
    ) -> None:
        self._outbox = outbox
        self._client = line.client
        self._reader = line.reader
        self._lookout = line.lookout
        self._plan_anew = plan_anew
        self._at_once = at_once
        self._seconds = line.seconds
        self._progress = progress
        self._size = FIRST_BYTES
        self._items = MOST_CHANGES
        self._tries: Counter[int] = Counter()
        self._timeouts: Counter[int] = Counter()
        self._waits = 0
        self._refused_in_a_row = 0
        self._clock = str(outbox.recall(CLOCK))

    def run(self) -> None:
        """Until every item is stored or refused, or left because of what others do to its row.

        Raises what ``plan_anew`` raises, :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`; the
        next run goes on from there.
        """
        self._settle(self._outbox.in_flight())
        for rounds in count(1):
            self._send_all()
            if not self._outbox.has_stale:
                return
            self._plan_anew(not self._at_once and rounds >= _MOST_ROUNDS)

    def _send_all(self) -> None:
        done, total = self._outbox.settled_changes()
        while (app := self._outbox.next_planned()) is not None:
            if self._at_once and self._outbox.has_stale:
                return
            done += self._request(app)
            if self._progress is not None:
                self._progress(min(done, total), total)

    def finish_begun(self) -> None:
        """Only what may be half done: rows of which the server has some changes and not all. Raises as :meth:`run`."""
        self._settle(self._outbox.in_flight())
        for item in self._outbox.begun():
            self._outbox.send([item], self._since())  # without an answer the next run looks what was stored
            answer = self._client.push(item.app, item.missing)
            if answer.status != 200 or clock_of(answer) is None:
                raise ServerError(f"the sync server does not take the rest of a row: {answer.words()}")
            self._outbox.done([item])

    def _since(self) -> str:
        """The server stores what is sent now after this time, by its own clock."""
        return format_timestamp(parse_timestamp(self._clock) - _CLOCK_SECONDS * SECOND)

    def _request(self, app: str) -> int:
        """One request; gives how many changes more are settled."""
        items = self._outbox.planned(app, items=self._items, changes=MOST_CHANGES, size=self._size)
        self._outbox.send(items, self._since())
        # Nothing stands between the look and the request: what happens in between is found by the verification alone.
        stale = self._lookout.look(items)
        if stale:
            items = [item for item in items if item.id not in stale]
            if self._at_once or not items:
                self._outbox.back(items, [item.sent for item in items])
                return 0
        begun = self._seconds()
        try:
            answer = self._client.push(app, [change for item in items for change in item.missing])
        except ServerError as error:
            return self._failed(items, error.message, None)
        took = self._seconds() - begun
        told = clock_of(answer)
        if told is not None and _instant(told) > _instant(self._clock):
            self._clock = told
        if answer.status == 200 and told is not None:
            return self._stored(items, took)
        if not 400 <= answer.status < 500 or answer.status in _PASSING:  # also a 200 of somebody between
            return self._failed(items, answer.words(), answer)
        self._outbox.back(items, [item.sent for item in items])
        if came_too_slowly(answer):
            return self._too_slow(items, answer.words())
        return self._isolate(items, answer.words())

    def _stored(self, items: Sequence[Item], took: float) -> int:
        self._outbox.done(items)
        self._waits = self._refused_in_a_row = 0
        self._items = min(self._items * 2, MOST_CHANGES)
        if took < QUICK_SECONDS:
            self._size = min(self._size * 2, MOST_BYTES)
        return sum(len(item.missing) for item in items)

    def _too_slow(self, items: Sequence[Item], words: str) -> int:
        """The body did not arrive in time: nothing of it was stored."""
        self._size = max(1, sum(item.bytes for item in items) // 2)
        if len(items) == 1:
            self._timeouts[items[0].id] += 1
            if self._timeouts[items[0].id] > 1:
                return self._refuse(items[0], words)
        return 0

    def _isolate(self, items: Sequence[Item], words: str) -> int:
        """One of the items is refused: fewer of them, until it stands alone."""
        if len(items) == 1:
            return self._refuse(items[0], words)
        self._items = max(1, len(items) // 2)
        return 0

    def _failed(self, items: Sequence[Item], words: str, answer: Answer | None) -> int:
        """No answer, or one that says nothing about what was stored."""
        settled = self._settle(items)
        passing = answer is not None and answer.status in _PASSING
        if settled or passing:
            self._wait(words, answer, counted=not settled)
            return settled
        if len(items) > 1:
            self._items = max(1, len(items) // 2)
            return 0
        self._tries[items[0].id] += 1
        if self._tries[items[0].id] >= _TRIES:
            return self._refuse(items[0], words)
        self._wait(words, answer, counted=False)
        return 0

    def _wait(self, words: str, answer: Answer | None, *, counted: bool) -> None:
        self._waits += counted
        transport = self._client.transport
        if self._waits > transport.limits.attempts or (answer is not None and asks_for_too_long(answer)):
            raise ServerError(f"the sync server cannot take changes now: {words}")
        transport.pause(max(1, self._waits))

    def _refuse(self, item: Item, words: str) -> int:
        self._outbox.fail(item, words)
        self._refused_in_a_row += 1
        if self._refused_in_a_row > _MOST_REFUSED:
            raise ServerError(f"the sync server refuses one row after the other: {words}")
        return len(item.missing)

    def _settle(self, items: Sequence[Item]) -> int:
        """Finds out what of a request is on the server; the rest is to be sent. Gives how many changes were found."""
        found = self._found(items)
        whole = [item for item, count in zip(items, found, strict=True) if count == len(item.changes)]
        part = [(item, count) for item, count in zip(items, found, strict=True) if count < len(item.changes)]
        self._outbox.done(whole)
        self._outbox.back([item for item, _ in part], [count for _, count in part])
        return sum(count - item.sent for item, count in zip(items, found, strict=True))

    def _found(self, items: Sequence[Item]) -> list[int]:
        """The number of the first changes of each item that the server has.

        A change counts by what it does, not by what it led to: somebody may have edited the row since.
        """
        if not items:
            return []
        since = parse_timestamp(str(self._outbox.recall("since")))
        wanted = {item.record for item in items}
        earlier = {event for item in items for event in item.earlier}
        held: set[tuple[str, str]] = set()
        collections = dict.fromkeys((item.app, jsontext.parse(item.changes[0])["table"]) for item in items)
        for app, collection in collections:
            for page, _ in pages_since(self._reader, app, collection, since):
                for change in (jsontext.parse_canonical(raw.text) for raw in page if raw.id in wanted):
                    if is_ours(change) and event_of(change) not in earlier:
                        held.add((change["id"], mark(change)))
        counts = []
        for item in items:
            marks = [(item.record, mark(jsontext.parse(change))) for change in item.changes]
            last = max((index for index, mark in enumerate(marks, 1) if mark in held), default=0)
            counts.append(max(item.sent, last))
        return counts


def _instant(text: str) -> int:
    try:
        return parse_timestamp(text)
    except ValueError:
        return 0
