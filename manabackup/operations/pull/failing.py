"""Passing over what the server fails to give.

One row that the server cannot read fails every page that it falls into. A page from a later instant answers once that
row is behind; what stood before the row in the same page cannot be had either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...remote.sync import FailingPageError, Page
from ...text.timestamps import FAR_FUTURE

Ask = Callable[[int, bool], Page]
"""Asks the server from an instant; tentatively where it is not known yet whether the answer is of use. Then parts of it
are not stored."""


def ask_past_failures(ask: Ask, since: int, likely: Iterable[int] = ()) -> tuple[int, Page]:
    """The server's answer from ``since``, or from the first later instant that it answers, and that instant.

    ``likely`` are instants near which the answers may begin: each saves some fifty questions if it is right. Raises
    :class:`FailingPageError` when the server fails whatever it is asked: then it is not the row's fault.
    """
    try:
        return since, ask(since, False)
    except FailingPageError:
        ask(FAR_FUTURE, False)
    failing, step = since, 1
    page = None
    for answering in sorted(instant for instant in likely if instant > since):
        if (page := _probe(ask, answering)) is not None:
            break
        failing = answering
    while page is None:
        answering = failing + step
        if (page := _probe(ask, answering)) is None:
            failing, step = answering, step * 2
    while answering - failing > 1:
        middle = (failing + answering) // 2
        earlier = _probe(ask, middle)
        if earlier is None:
            failing = middle
        else:
            answering, page = middle, earlier
    try:
        # A server that was in trouble for a while may have failed at any of the questions.
        return since, ask(since, False)
    except FailingPageError:
        return answering, ask(answering, False) if page.handed_over else page


def _probe(ask: Ask, instant: int) -> Page | None:
    """A failure is an answer here."""
    try:
        return ask(min(instant, FAR_FUTURE), True)
    except FailingPageError:
        if instant >= FAR_FUTURE:
            raise
        return None
