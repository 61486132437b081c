"""One row's way from the archive to its changes: decided on, placed, and checked for what the server would refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...model.rawchange import event_key, event_name
from ...model.registry import Table
from ...model.spaces import SENTINEL
from ...text import jsontext
from ...text.jsontext import JSON
from .archived import ArchivedRow
from .changes import ACTOR, LARGEST_REQUEST, Change, RowPlace, as_stored, insert, later_than, refusal, replace, update
from .decision import AI, Decision, Means, Reason, RowAction, Rules, TargetRow, decide, skipped
from .identity import RowDestination, TargetSpaces, kept_scope_fields, scope_fields
from .in_place import encrypt_fields, replace_in_place
from .outbox import Item


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What is to be done about a row."""

    decision: Decision
    collection: str = ""
    changes: Sequence[bytes] = ()
    """Canonical JSON, in their order; empty when nothing is written."""
    earlier: Sequence[str] = ()
    """The events of this row that the target holds."""
    nested: bool = False
    """It holds plain objects, into which a stale edit of an offline device reaches."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for one account."""

    spaces: TargetSpaces
    rules: Rules
    private_into_shared: bool = False
    """Rows that only their author was to see may go where the server sends them to all members."""

    def work(
        self, row: ArchivedRow, target: TargetRow | None, table: Table, destination: RowDestination | Reason
    ) -> Work:
        """What is to be done about a row that goes to ``destination``, or that something speaks against."""
        decision = decide(row, target, self.rules, app=table.app)
        if decision.means is None:
            return Work(decision)
        if isinstance(destination, Reason):
            return Work(skipped(destination))
        if table.scope == "space" and target is not None and target.record.state != "absent":
            held = target.record.space
            agreed = self.spaces.agreed(destination, held)
            if isinstance(agreed, Reason):
                return Work(skipped(agreed))
            if decision.means is Means.UPDATE or (held is not None and not held.startswith(SENTINEL)):
                destination = agreed
        if destination.shared and not self.private_into_shared and row.values.get("visibility") == "private":
            return Work(skipped(Reason.PRIVATE_INTO_SHARED))
        collection = table.collection if target is None else _collection(table, target)
        place = RowPlace(collection, row.id, destination.space)
        if decision.means is Means.UPDATE:
            assert target is not None
            changes = self._update(decision, target, table, place)
        else:
            own = scope_fields(table, destination, self.spaces.user_id, decision.values)
            changes = self._whole(decision.means, {**decision.values, **own}, row, place)
        return _work(decision, collection, changes, row.id, target)

    def encrypt(self, target: TargetRow, encrypted: Mapping[str, str], table: Table) -> Work:
        """The changes that put ciphertext (field → value) into a row of the target, and leave all else as it is."""
        now, record = self.rules.now, target.record
        collection = _collection(table, target)
        place = RowPlace(collection, record.id, record.space if table.scope == "space" else None)
        changes = encrypt_fields(target, encrypted, table, place, now)
        means = Means.UNTIMED_FIELDS if changes and changes[0]["op"] == "insert" else Means.FIELDS
        if changes is None:
            if table.app == AI and not self.rules.replace_ai:
                return Work(skipped(Reason.AI_NOT_REPLACED))
            changes, means = replace_in_place(target, encrypted, place, now), Means.REPLACE
        return _work(Decision(RowAction.UPDATE, means, encrypted), collection, changes, record.id, target)

    def _update(self, decision: Decision, target: TargetRow, table: Table, place: RowPlace) -> list[Change]:
        record = target.record
        kept = kept_scope_fields(table, record.values, space_filled=record.space_filled)
        return update(place, {**decision.values, **kept}, later_than(self.rules.now, record.latest_time))

    def _whole(self, means: Means, values: Mapping[str, JSON], row: ArchivedRow, place: RowPlace) -> list[Change]:
        """The row with its history, where that fits into a request."""
        now = self.rules.now
        if means is not Means.INSERT:
            return replace(place, values, row, now, delete=means is Means.REPLACE)
        changes = insert(place, values, row, now)
        if len(changes) > 1 and sum(map(len, _texts(changes))) > LARGEST_REQUEST:
            changes = insert(place, values, row, now, history=False)
        return changes


def _work(
    decision: Decision, collection: str, changes: Sequence[Change], record: str, target: TargetRow | None
) -> Work:
    """What is to be done, unless the server would refuse it."""
    texts = _texts(changes)
    reason = refusal(texts, record)
    if reason is not None:
        return Work(skipped(reason))
    nested = any(type(value) is dict for value in decision.values.values())
    return Work(decision, collection, texts, [] if target is None else _earlier(target), nested)


def _texts(changes: Sequence[Change]) -> list[bytes]:
    return [as_stored(jsontext.dumps(change)) for change in changes]


def _collection(table: Table, target: TargetRow) -> str:
    """The collection of the table whose stream is the last to have changes of a row."""
    named = {change.get("table") for change in target.changes if type(change) is dict}
    return next((name for name in reversed(table.collections) if name in named), table.collection)


def _earlier(target: TargetRow) -> list[str]:
    return [event_of(change) for change in target.changes]


def item_of(app: str, table: str, record: str, work: Work, *, number: int = 0) -> Item:
    """What goes into the outbox; ``number`` is that of an item whose place it takes."""
    means = work.decision.means
    assert isinstance(means, Means)
    return Item(number, app, table, record, means.value, work.decision.kind.value, work.changes, work.earlier)


def event_of(change: JSON) -> str:
    """What a change is known by."""
    return event_name(event_key(change))


def is_ours(change: dict[str, JSON]) -> bool:
    """Whether a restore wrote a change."""
    actor = change.get("actor")
    return type(actor) is dict and all(actor.get(name) == value for name, value in ACTOR.items())
