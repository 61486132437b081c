"""Searching an app for collections that nobody told of.

A push of no changes answers with the first 5,000 changes of an app since an instant, in whatever collections, and
neither says whether there are more nor when they were stored. To read on, an instant is needed whose next change is
among those that came: from there nothing lies between the two answers. Such instants are known from pages of
collections, or are found by bisection.

No index serves that question: the server looks at the changes of all its users for each answer. So it is put seldom
(:mod:`.searching`), and of the answers nothing is kept but the names.
"""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass

from ...errors import ServerError
from ...limits import MIB
from ...mirror import Batch, LossKind, RawChange
from ...remote.answers import UnwieldyAnswerError
from ...remote.sync import Page, Part
from ...text.printable import one_line
from ...text.timestamps import EPOCH, FAR_FUTURE
from .failing import ask_past_failures
from .reading import PullAccess

_OTHERS_BYTES = 64 * MIB
"""Bytes of changes whose collections cannot be asked for by name: they are held until it is certain that nothing is
missing before them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time that was not searched."""

    kind: LossKind
    since: int
    """Itself excluded; microseconds since 1970."""
    until: int
    """Itself included."""


class _Names:
    """The collections that an answer names, noted while it comes."""

    def __init__(self) -> None:
        self.askable: set[str] = set()
        self.others: dict[str, list[RawChange]] = {}
        """Name → changes, of those that cannot be asked for."""
        self._bytes = 0

    def take(self, part: Part) -> None:
        """Takes in a part of the answer. Raises :class:`UnwieldyAnswerError` where too much cannot be had otherwise."""
        if not part.first:  # perhaps not for the first time
            self.others.clear()
            self._bytes = 0
        names = {change.collection for change in part.raw} | {change.collection for change in part.unreadable}
        self.askable |= {name for name in names if can_be_asked_for(name)}
        for change in part.raw:
            if not can_be_asked_for(change.collection):
                self.others.setdefault(change.collection, []).append(change)
                self._bytes += len(change.text)
        if self._bytes > _OTHERS_BYTES:
            raise UnwieldyAnswerError("too many changes of collections that nobody can ask for")


class AppSearch:
    """The search of one app, from an instant to its end.

    ``deadline``, of ``time.monotonic``, is when no further question is put.
    """

    def __init__(self, reading: PullAccess, app: str, since: int, deadline: float) -> None:
        self._reading = reading
        self._deadline = deadline
        self.app = app
        self.since = since
        """Where the search begins; microseconds since 1970."""
        self.reached = since
        """Every collection with a change up to here was seen, but for the gaps."""
        self.found: set[str] = set()
        """The collections that were seen, known ones among them, and have a name that can be asked for."""
        self._named: dict[int, _Names] = {}
        """By the instant of a question, what its answer named."""
        self.gaps: list[Gap] = []

    def run(self) -> None:
        """Searches to the end, passing over what the server fails to give.

        Raises :class:`ServerError` where it cannot go on, or not in time. What was found holds then too.
        """
        page = self._past_failures(self.reached)
        while self._reading.may_be_cut(page):
            page = self._next(page)
        self.reached = page.until

    def give_up(self) -> None:
        """Notes that what is left was not searched."""
        self.gaps.append(Gap(LossKind.UNSEARCHED, self.reached, FAR_FUTURE))

    def _ask(self, since: int, tentative: bool = False) -> Page:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ServerError(f"searching {one_line(self.app)} takes too long")
        names = self._named[since] = _Names()
        seconds = min(left, self._reading.limits.search_answer_seconds)
        page = self._reading.read_app(self.app, since, take=names.take, seconds=seconds, tentative=tentative)
        names.take(Part(len(page.handed_over), page.raw, page.unreadable))
        return page

    def _past_failures(self, since: int) -> Page:
        ends = self._reading.losses_end(self.app)
        likely = [instant for end in ends for instant in (end - 1, end)]
        answered_from, page = ask_past_failures(self._ask, since, likely)
        if answered_from != since:
            # Where a collection's own reading failed in that stretch, what is lost is said already.
            explained = any(since < end <= answered_from for end in ends)
            kind = LossKind.UNSEARCHED if explained else LossKind.UNREADABLE_PAGE
            self.gaps.append(Gap(kind, since, answered_from))
        return self._take(answered_from, page)

    def _take(self, since: int, page: Page) -> Page:
        """Notes the names in an answer that nothing is missing before."""
        if not page.keys and page.has_more:
            raise ServerError(
                f"the sync server's answer for {one_line(self.app)} says that there is more, and gives nothing"
            )
        self.reached = since
        names = self._named[since]
        self._named.clear()
        self.found |= names.askable
        for name, changes in names.others.items():  # nowhere else to be had
            self._reading.store(self.app, {name: Batch(changes, None, since == EPOCH)}).result()
        return page

    def _next(self, page: Page) -> Page:
        """The answer that follows one that may be cut."""
        keys = frozenset(page.keys)
        ends = self._reading.page_ends(self.app)
        known = max((instant - 1 for instant, last in ends if last in keys), default=EPOCH)
        if known > self.reached:
            following = self._ask(known)
            if _adjoins(keys, following) and self._is_worth(following, keys):
                return self._take(known, following)
        return self._bisect(keys)

    def _bisect(self, keys: Set[bytes]) -> Page:
        """The next answer, from the latest instant that leaves no gap, or one that brings much that is new."""
        low, high = self.reached, FAR_FUTURE
        last: Page | None = None
        while high - low > 1:
            middle = (low + high) // 2
            following = self._ask(middle)
            if not _adjoins(keys, following):
                high = middle
                continue
            low, last = middle, following
            if self._is_worth(following, keys):
                break
        if last is not None and (self._is_worth(last, keys) or any(key not in keys for key in last.keys)):
            return self._take(low, last)
        if high == FAR_FUTURE:
            raise ServerError(f"the sync server gives the same changes of {one_line(self.app)} over and over")
        # Everything that came is of one instant, and there may be more of it than any answer holds. The collections
        # that are known have been read by themselves; one that has so much of that instant has said so.
        if high not in self._reading.losses_end(self.app):
            self.gaps.append(Gap(LossKind.UNSEARCHED, high - 1, high))
        return self._past_failures(high)

    def _is_worth(self, following: Page, keys: Set[bytes]) -> bool:
        """Whether an answer ends the search, or at least half of it is new."""
        if not self._reading.may_be_cut(following):
            return True
        return following.keys[len(following.keys) // 2] not in keys


def can_be_asked_for(name: str) -> bool:
    """Whether there is a way to put a collection's name into a question."""
    return bool(name) and name.isprintable()


def _adjoins(keys: Set[bytes], following: Page) -> bool:
    """Whether nothing lies between an answer of these keys and a later one."""
    return bool(following.keys) and following.keys[0] in keys
