"""What a pull could not read, or found changed: kept with the mirror until a full pull finds it cured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter

from ..model.rawchange import event_name
from .ledger import Ledger, LedgerRow

_CASES = 100


class LossKind(StrEnum):
    """Stable words for reports."""

    UNREADABLE_TIE = "unreadableTie"
    """More changes of one instant than any call of the server gives."""
    UNREADABLE_PAGE = "unreadablePage"
    """A stretch of time whose changes the server fails to give."""
    UNREADABLE_CHANGE = "unreadableChange"
    """Changes that are larger than any that the server takes; what they did is not held."""
    UNSEARCHED = "unsearchedApp"
    """An app whose answers are too large to be had as a whole: collections that nobody told of were not looked for."""
    EVENT_GONE = "eventGone"
    """Events that are held and that the server has no longer; the held ones stay."""
    EVENT_CHANGED = "eventChanged"
    """Events that the server now gives with another content; the held one stays."""
    EVENT_LOST = "eventLost"
    """Events that were held, that the server has no longer, and that were lost when the mirror was damaged."""
    MIRROR_DAMAGED = "mirrorDamaged"
    """Changes that were held and lost when the mirror was damaged, until they are read again."""


UNREADABLE = frozenset(
    {LossKind.UNREADABLE_TIE, LossKind.UNREADABLE_PAGE, LossKind.UNREADABLE_CHANGE, LossKind.MIRROR_DAMAGED}
)
"""Kinds of which something on the server is not held."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One finding. Of the unreadable kinds there is one for each stretch, of the others one for each collection."""

    kind: LossKind
    app: str
    collection: str | None
    """None: of the whole app, in collections that nobody can name. The app is empty for the whole mirror."""
    count: int
    """Events, or 1 where nobody knows the number."""
    since: int | None = None
    """Where the stretch begins, itself excluded; microseconds since 1970."""
    until: int | None = None
    """Where it ends, itself included."""
    events: tuple[str, ...] = ()
    """Ids of the first events."""
    records: tuple[str | None, ...] = ()
    """For each of ``events`` the record's id, where it was told; of unreadable changes only."""


def encoded(name: str) -> bytes:
    """A name of the server's for SQLite, whose text takes no lone surrogates."""
    return name.encode("utf-8", "surrogatepass")


def decoded(name: bytes) -> str:
    """The name that :func:`encoded` took."""
    return name.decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class NotedLoss:
    """One loss as a run notes it: a stretch of time, an event, or all there is of the collection or the app."""

    kind: LossKind
    app: str
    collection: str | None
    since: int | None = None
    until: int | None = None
    event: bytes | None = None
    """Its key."""
    record: str | None = None
    """The record's id, where it was told."""


def add(ledger: Ledger, run: int, loss: NotedLoss) -> None:
    """Adds a loss of a run, or renews it; a stretch is known by its end."""
    app, name = encoded(loss.app), None if loss.collection is None else encoded(loss.collection)
    held = ledger.rows(
        "loss",
        "kind = ? AND app = ? AND collection IS ? AND until IS ? AND event IS ?",
        loss.kind,
        app,
        name,
        loss.until,
        loss.event,
    )
    for number, _, *rest in held:
        ledger.put("loss", (number, run, *rest))
    if not held:
        record = None if loss.record is None else encoded(loss.record)
        of = (loss.kind.value, app, name, loss.since, loss.until, loss.event, record)
        ledger.add("loss", [(ledger.next_id("loss"), run, *of)])


def read(rows: Iterable[LedgerRow]) -> list[Loss]:
    """All findings, by app and collection."""
    stretches = []
    events: defaultdict[tuple[bytes, bytes | None, str], list[tuple[bytes, bytes | None]]] = defaultdict(list)
    for _, _, kind, app, name, since, until, event, record in rows:
        if event is None:
            stretches.append((app, name or b"", until or 0, kind, name, since, until))
        else:
            events[app, name, kind].append((event, record))
    found = [
        Loss(LossKind(kind), decoded(app), None if name is None else decoded(name), 1, since, until)
        for app, _, _, kind, name, since, until in sorted(stretches, key=lambda row: row[:4])
    ]
    for (app, name, kind), named in sorted(
        events.items(), key=lambda item: (item[0][0], item[0][1] or b"", item[0][2])
    ):
        first = sorted(named, key=itemgetter(0))[:_CASES]
        records = tuple(None if record is None else decoded(record) for _, record in first)
        found.append(
            Loss(
                LossKind(kind),
                decoded(app),
                None if name is None else decoded(name),
                len(named),
                events=tuple(event_name(event) for event, _ in first),
                records=records if kind == LossKind.UNREADABLE_CHANGE else (),
            )
        )
    return found
