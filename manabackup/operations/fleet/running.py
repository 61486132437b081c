"""A fleet's run: items of the ledger go to an engine, and what becomes of them is noted, until nothing is left to do.

Nothing is known of an item before it stands in the ledger. Whoever was at work when a process was lost is tried again
alone, when nothing else runs: only what ends its process then, too, is bad.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ...errors import ManabackupError, UsageError
from ...host.output import writing_to
from ...host.workers import Reply
from ...text.printable import printable
from ..places import far_state, is_address
from ..progress import Progress, Step, Watch
from .items import Listed
from .ledger import Claimed, Ledger
from .outcome import INTERRUPTED, PASSING, Outcome
from .placeholders import filled

PAUSES: Final = (10.0, 60.0, 300.0)
"""Seconds before the second attempt at what may be over in a while, and before those after it."""
DONE: Final = "done"
"""How a run ended that came to its end."""
_LOOK: Final = 0.5
"""Seconds at most between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Task:
    """An item on its way to a worker."""

    item: int
    size: int
    order: list[str]
    """What the worker is to do, as :func:`wired` makes it; no secret is in it."""


class Engine(Protocol):
    """Whoever does the work."""

    @property
    def name(self) -> str:
        """``local`` or ``dask``."""

    @property
    def workers(self) -> int:
        """How many items it does at the same time."""

    @property
    def may_repeat(self) -> bool:
        """Whether an item that was given once may be done twice: its output may be there from the first time."""

    def room(self) -> int:
        """How many more items it takes now."""

    def give(self, tasks: Sequence[Task]) -> None:
        """Hands items over."""

    def wait(self, seconds: float) -> Sequence[Reply]:
        """What has come of items, after at most so many seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is done to each item."""

    command: str
    words: Callable[[Claimed], list[str]]
    """The command line for an item, its output's name left out."""
    told: Sequence[str] = ()
    """The words that are the same for all, as the ledger keeps them."""
    output: str | None = None
    """Pattern of the output's name."""
    retries: int = len(PAUSES)
    pauses: Sequence[float] = PAUSES


def wired(words: Iterable[str]) -> list[str]:
    """Words as JSON holds them: names of files are bytes, which need not be text."""
    return [os.fsencode(word).decode("latin-1") for word in words]


def unwired(order: Iterable[str]) -> list[str]:
    """The words again."""
    return [os.fsdecode(word.encode("latin-1")) for word in order]


def output_place(pattern: str, name: str, folder: str) -> str:
    """Where the output of an item goes, a path or an address; equal for the same place."""
    place = filled(pattern, name, folder)
    return place if is_address(place) else os.path.normpath(place)


def check_outputs(ledger: Ledger, pattern: str) -> None:
    """Raises :class:`UsageError` where two items would be written to the same place."""
    places: dict[str, str] = {}
    for _, name, folder in ledger.listed():
        place = output_place(pattern, name, folder)
        if (other := places.setdefault(place, name)) != name:
            message = f"{printable(name)} and {printable(other)} would both be written to {printable(place)}"
            raise UsageError(message, hint="{folder}, {stem} or {name} in -o gives each item a place of its own")


def run(
    ledger: Ledger,
    items: Iterable[Listed],
    job: Job,
    engine: Engine,
    *,
    again: bool = False,
    older_than: float | None = None,
    progress: Watch | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Does what is to be done of ``items``. How it ends is in the ledger.

    What ``progress`` raises, and an interrupt, ends the run: what was not done then is given back. Raises
    :class:`UsageError` where outputs are in each other's way, and what the ledger raises.
    """
    ledger.begin(job.command, job.told, engine=engine.name, workers=engine.workers, now=clock())
    ending = "error"
    try:
        ledger.take_stock(items, again=again, older_than=older_than)
        if job.output is not None:
            check_outputs(ledger, job.output)
        _Running(ledger, job, engine, watch=progress, clock=clock, sleep=sleep).run()
        ending = DONE
    except KeyboardInterrupt:
        ending = "interrupted"
        raise
    finally:
        ledger.end(ending, now=clock())


class _Running:
    def __init__(
        self,
        ledger: Ledger,
        job: Job,
        engine: Engine,
        *,
        watch: Watch | None,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._ledger = ledger
        self._job = job
        self._engine = engine
        self._watch = watch
        self._clock = clock
        self._sleep = sleep
        self._away: dict[int, Claimed] = {}
        """Items that the engine has."""
        self._taken_places: set[int] = set()
        """Items whose outputs something stands in the way of, which no time takes away."""
        counts = ledger.counts()
        self._total = sum(count["items"] for count in counts if count["state"] == "waiting")
        self._done = self._failed = 0

    def run(self) -> None:
        self._tell()
        while True:
            room = self._engine.room()
            if room > 0:
                self._give(self._ledger.claim(room, now=self._clock(), worker=self._engine.name))
            if not self._away:
                self._give(self._ledger.claim(1, now=self._clock(), worker=self._engine.name, blamed=True))
            if self._away:
                self._take(self._waited())
            elif (due := self._ledger.next_due()) is not None:
                self._sleep(max(0.0, min(due - self._clock(), _LOOK)))
            else:
                return
            self._tell()

    def _waited(self) -> Sequence[Reply]:
        try:
            return self._engine.wait(_LOOK)
        except KeyboardInterrupt:
            self._take(self._engine.wait(0))  # what is done need not be done again
            raise

    def _give(self, items: Sequence[Claimed]) -> None:
        places = []
        tasks = []
        for item in items:
            words = self._job.words(item)
            if self._job.output is not None:
                place, free = self._place(item)
                if not free and _is_taken(place) is not None:
                    self._taken_places.add(item.id)
                places.append((item.id, place, free))
                # Where an attempt was cut off after its last word, its output is there already.
                words[1:1] = [f"--output={place}", *(["--force"] if self._is_ours(place, free) else [])]
            tasks.append(Task(item.id, item.size, wired(words)))
            self._away[item.id] = item
        if places:
            self._ledger.places(places)
        if tasks:
            self._engine.give(tasks)

    def _is_ours(self, place: str, free: bool) -> bool:
        """Whether what stands at an output's place, now or then, can only be of this fleet."""
        return free and (self._engine.may_repeat or _is_taken(place) is True)

    def _place(self, item: Claimed) -> tuple[str, bool]:
        assert self._job.output is not None
        place = output_place(self._job.output, item.name, item.folder)
        if not is_address(place):
            with writing_to(Path(place)):
                Path(place).parent.mkdir(parents=True, exist_ok=True)
        return place, (item.free and item.output == place) or _is_taken(place) is False

    def _take(self, replies: Sequence[Reply]) -> None:
        outcomes: dict[int, Outcome] = {}
        for reply in replies:
            item = self._away.pop(reply.number, None)
            if item is None:
                continue  # it came too late, and is somebody else's
            if reply.result is not None and reply.result["exitCode"] != INTERRUPTED:
                outcome = Outcome.from_json(reply.result, seconds=reply.seconds, cpu=reply.cpu, peak=reply.peak)
                tried = item.attempts - item.blamed
                if outcome.exit_code in PASSING and tried <= self._job.retries and item.id not in self._taken_places:
                    pause = self._job.pauses[min(tried, len(self._job.pauses)) - 1]
                    self._ledger.put_off(item.id, outcome, self._clock() + pause)
                else:
                    outcomes[item.id] = outcome
            elif not reply.begun:
                self._ledger.give_back(item.id)
            elif item.blamed:
                died = reply.died or "it was told to end"
                self._ledger.note_bad(item.id, f"{died}, also when it was tried alone", now=self._clock())
                self._done += 1
                self._failed += 1
            else:
                self._ledger.blame(item.id)
        if outcomes:
            self._ledger.note(outcomes, now=self._clock())
            self._done += len(outcomes)
            self._failed += sum(outcome.exit_code != 0 for outcome in outcomes.values())

    def _tell(self) -> None:
        if self._watch is not None:
            note = f"{self._failed:,} not good" if self._failed else ""
            self._watch(Progress(Step.FLEET, self._done, self._total, note))


def _is_taken(place: str) -> bool | None:
    """Whether something lies there; None of a far place that does not say: then nothing there is taken for ours."""
    if not is_address(place):
        return os.path.lexists(place)
    try:
        return far_state(place) is not None
    except ManabackupError:
        return None
