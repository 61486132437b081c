"""What is to become of one row: pure decisions, from what the archive says and what the target holds.

A row is written by one of three means. An *insert* where nothing exists. An *update* of all fields where every client
takes it. A *replace* — delete, insert, update — where some client would not: because an insert without a usable time is
stamped by each fresh client with its own clock, which makes it later than any update, or because a key with a dot is to
change, which an update cannot name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ...model.projection import Record, Stamp
from ...model.spaces import OPEN_TO_OTHERS
from ...rows.equality import equal_values
from ...rows.identity import CHANGED_BY, TOKEN
from ...text.jsontext import JSON
from .archived import ArchivedRow
from .web_rule import LATEST_CLOCK, ClientRow, replay

AI = "ai"
"""The app whose runner on the server takes every delete as final."""
_LEFT = frozenset({"createdAt", "updatedAt", "visibility", TOKEN, CHANGED_BY})
"""What the target may have and the archive not, without being different: the app or a restore added it."""


class OnConflict(StrEnum):
    """What happens to a row that the target holds differently."""

    OVERWRITE = "overwrite"
    NEWER = "newer"
    SKIP = "skip"
    FAIL = "fail"


class RowAction(StrEnum):
    """What becomes of a row, in words for people."""

    INSERT = "insert"
    UPDATE = "update"
    REVIVE = "revive"
    REPAIR = "repair"
    """It is as in the archive, and is written so that a device that signs in afresh shows it so, too."""
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    """It differs, and that was to stop everything."""


class Means(StrEnum):
    """How a row is written."""

    INSERT = "insert"
    UPDATE = "update"
    FIELDS = "fields"
    """An update of some fields alone, each under the time that it has."""
    UNTIMED_FIELDS = "untimedFields"
    """The same, where clients stamp some with their own clock: these by an insert without a time."""
    REPLACE = "replace"
    REINSERT = "reinsert"
    """A replace without its delete, of a row that was deleted without a trace."""


class Reason(StrEnum):
    """Why a row is not written."""

    EXISTS = "exists"
    TARGET_IS_NEWER = "targetIsNewer"
    AI_NOT_REPLACED = "aiNotReplaced"
    DELETED = "deleted"
    OTHER_SPACE = "otherSpace"
    UNKNOWN_SPACE = "unknownSpace"
    IN_ANOTHER_SPACE = "inAnotherSpace"
    PRIVATE_INTO_SHARED = "privateIntoShared"
    SUPERSEDED = "superseded"
    EDITED_MEANWHILE = "editedMeanwhile"
    TARGET_UNREADABLE = "targetUnreadable"
    UNKNOWN_TABLE = "unknownTable"
    NUL = "nul"
    NUMBER = "number"
    NESTING = "nesting"
    TOO_LARGE = "tooLarge"
    BAD_ID = "badId"

    @property
    def by_choice(self) -> bool:
        """Whether the caller asked for it, so that nothing is amiss."""
        return self in (Reason.EXISTS, Reason.TARGET_IS_NEWER, Reason.DELETED)


class Fault(StrEnum):
    """What a fresh web client makes of a row that is as it should be by our fold."""

    NOT_SHOWN = "notShown"
    IN_THE_BIN = "inTheBin"
    OTHER_VALUES = "otherValues"


@dataclass(frozen=True, slots=True)
class Need:
    """Why a row that equals the archive's is in need of repair."""

    fault: Fault
    fields: tuple[str, ...] = ()
    """The names of the fields with other values, sorted."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What was asked for, and when."""

    now: str
    """The time of the plan as the app writes it, by the server's clock."""
    on_conflict: OnConflict = OnConflict.OVERWRITE
    replace_ai: bool = False
    repair: bool = False
    """Rows that equal the archive's are written, too, where a fresh client shows something else."""


@dataclass(slots=True, eq=False)
class TargetRow:
    """All that the target holds of one record."""

    record: Record
    changes: list[JSON]
    """In the server's order."""
    columns: frozenset[str] = frozenset()
    """The columns of identity of its table."""
    scope_missing: bool = False
    """It is to get columns of identity that its data do not hold, which an update does not do."""
    _views: dict[str, ClientRow | None] = field(default_factory=dict)

    def view(self, clock: str) -> ClientRow | None:
        """What a fresh client shows of it at that time."""
        if clock not in self._views:
            self._views[clock] = replay(self.changes, clock)
        return self._views[clock]

    def views(self, now: str) -> list[ClientRow | None]:
        """What fresh clients show of it, now and at any later time."""
        latest = self.view(LATEST_CLOCK)
        if latest is not None and LATEST_CLOCK not in latest.stamps.values():
            return [latest]  # no clock played a part
        return [self.view(now), latest]

    def is_unsound(self, now: str) -> bool:
        """Whether some client would not take an update of now."""
        latest = self.view(LATEST_CLOCK)
        return self.record.unsound(now) or (latest is not None and latest.latest_time > now)

    def need(self, now: str) -> Need | None:
        """What fresh clients show of a live row in place of what our fold finds; None where they show the same."""
        values = self.record.values
        differing: set[str] = set()
        for view in self.views(now):
            if view is None:
                return Need(Fault.NOT_SHOWN)
            if view.deleted:
                return Need(Fault.IN_THE_BIN)
            differing.update(
                name
                for name in values.keys() | view.values.keys()
                if name not in self.columns and not equal_values(values.get(name), view.values.get(name))
            )
        return Need(Fault.OTHER_VALUES, tuple(sorted(differing))) if differing else None


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What becomes of a row."""

    kind: RowAction
    means: Means | None = None
    values: Mapping[str, JSON] = field(default_factory=dict)
    """The resulting row as it goes to the server, without ``id`` and without the columns of identity."""
    reason: Reason | None = None
    typed_over: bool = False
    """A value that somebody typed is overwritten: their web client shows a conflict, and offers to undo."""
    need: Need | None = None
    """Why the row, which is as in the archive, is in need of repair; whether it gets it is what :attr:`means` says."""


def skipped(reason: Reason) -> Decision:
    """A row that stays as it is in the target."""
    return Decision(RowAction.SKIPPED, reason=reason)


def decide(row: ArchivedRow, target: TargetRow | None, rules: Rules, *, app: str) -> Decision:
    """What becomes of ``row``, of which the target holds ``target`` (None: no change of that id ever came)."""
    replaceable = app != AI or rules.replace_ai
    if target is None:
        return Decision(RowAction.INSERT, Means.INSERT, row.wire_values())
    if target.record.state == "absent":
        if not replaceable and any(view is not None for view in target.views(rules.now)):
            return skipped(Reason.AI_NOT_REPLACED)  # clients show something that nobody meant
        return Decision(RowAction.INSERT, Means.REPLACE if replaceable else Means.REINSERT, row.wire_values())
    record = target.record
    changed = changed_fields(row, record.values)
    if not changed:
        return _decide_on_equal(row, target, rules, replaceable)
    if rules.on_conflict is OnConflict.FAIL:
        return Decision(RowAction.CONFLICT)
    if rules.on_conflict is OnConflict.SKIP:
        return skipped(Reason.EXISTS)
    values: dict[str, JSON]
    if rules.on_conflict is OnConflict.NEWER:
        if record.state == "tombstone" and not row.is_deleted:
            if row.last_modified <= _deletion_time(record):
                return skipped(Reason.TARGET_IS_NEWER)
            values = _overwritten(row, record)
        else:
            changed = _later(row, record, changed)
            if not changed:
                return skipped(Reason.TARGET_IS_NEWER)
            values = {**_own(target), **{name: row.wire(name) for name in changed}}
    else:
        values = _overwritten(row, record)
    kind = RowAction.REVIVE if record.state == "tombstone" and not row.is_deleted else RowAction.UPDATE
    typed_over = record.state == "live" and _typed(record, changed)
    return _write(Decision(kind, values=values, typed_over=typed_over), target, rules, replaceable)


def changed_fields(row: ArchivedRow, values: Mapping[str, JSON]) -> list[str]:
    """The names of the fields in which the target's row is another than the archive's, sorted."""
    return [
        name
        for name in sorted(row.values.keys() | values.keys())
        if name not in row.columns
        and name not in row.unknown
        and not (name in _LEFT and row.values.get(name) is None)
        and not row.is_same(name, values.get(name))
    ]


def _decide_on_equal(row: ArchivedRow, target: TargetRow, rules: Rules, replaceable: bool) -> Decision:
    """The target holds the row already; it is written only where clients show something else and that was asked for."""
    need = None if row.is_deleted else target.need(rules.now)
    if need is None or not rules.repair or rules.on_conflict in (OnConflict.SKIP, OnConflict.FAIL):
        return Decision(RowAction.UNCHANGED, need=need)
    return _write(Decision(RowAction.REPAIR, values=_own(target), need=need), target, rules, replaceable)


def _write(wanted: Decision, target: TargetRow, rules: Rules, replaceable: bool) -> Decision:
    """A decision to write with the means that reach every client."""
    now = rules.now
    if target.scope_missing or target.is_unsound(now) or not _literal_keys_stand(wanted.values, target, now):
        if not replaceable:
            return replace(skipped(Reason.AI_NOT_REPLACED), need=wanted.need)
        return replace(wanted, means=Means.REPLACE)
    return replace(wanted, means=Means.UPDATE)


def _overwritten(row: ArchivedRow, record: Record) -> dict[str, JSON]:
    """The archive's row over the target's: what only the target has is null afterwards."""
    held = record.values
    values: dict[str, JSON] = {}
    for name in row.values.keys() | held.keys():
        if name in row.columns:
            continue
        if name in row.unknown or (name in _LEFT and row.values.get(name) is None):
            if name in held:
                values[name] = held[name]
        elif row.values.get(name) is None:
            values[name] = None
        elif row.is_same(name, held.get(name)) and row.keeps(name, held[name]):
            values[name] = held[name]
        else:
            values[name] = row.wire(name)
    if held.get("visibility") in OPEN_TO_OTHERS and values.get("visibility") not in OPEN_TO_OTHERS:
        values.update({name: None for name in (TOKEN, CHANGED_BY) if name in values})
    return values


def _own(target: TargetRow) -> dict[str, JSON]:
    return {name: value for name, value in target.record.values.items() if name not in target.columns}


def _literal_keys_stand(values: Mapping[str, JSON], target: TargetRow, now: str) -> bool:
    """Whether every client has the row's keys with a dot already: no update can name one.

    A client that removes old tombstones has forgotten those of a deleted row.
    """
    wanted = _literal_keys(values)
    if wanted and target.record.state != "live":
        return False
    held = [target.record.values, *(view.values if view is not None else {} for view in target.views(now))]
    return all(
        found.keys() == wanted.keys() and all(equal_values(wanted[name], found[name]) for name in wanted)
        for found in map(_literal_keys, held)
    )


def _literal_keys(values: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in values.items() if "." in name and value is not None}


def _later(row: ArchivedRow, record: Record, changed: Iterable[str]) -> list[str]:
    """The fields that differ and that the archive knows a later time of."""
    later = [name for name in changed if name in row.values and row.time(name) > _time(record.stamps, name)]
    if "deletedAt" in later and row.is_deleted and row.time("deletedAt") <= record.latest_time:
        later.remove("deletedAt")  # it was deleted there before it was last changed here
    return later


def _time(stamps: Mapping[str, Stamp], name: str) -> str:
    """The latest time of a field, or of a path into it."""
    path = f"{name}."
    return max((stamp.at for at, stamp in stamps.items() if at == name or at.startswith(path)), default="")


def _deletion_time(record: Record) -> str:
    stamp = record.stamps.get("deletedAt")
    value = record.values.get("deletedAt")
    return stamp.at if stamp is not None and stamp.at else value if type(value) is str else ""


def _typed(record: Record, changed: Iterable[str]) -> bool:
    for name in changed:
        path = f"{name}."
        for at, stamp in record.stamps.items():
            if (at == name or at.startswith(path)) and stamp.actor is not None and stamp.actor.get("kind") == "user":
                return True
    return False
