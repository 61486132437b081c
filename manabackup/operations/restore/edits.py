"""What others did to a row between the plan and the verification, and whether it stands.

An edit stands where the row shows what it would show had nobody else written: that is found by folding the row's
changes without ours. What an edit said of a field that a later edit wrote again is no loss.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...crypto.fields import FieldCipher, may_be_encrypted
from ...errors import FieldDecryptionError
from ...model.projection import accept, fold
from ...model.projection.change import is_data
from ...model.registry import Table
from ...rows.equality import equal_values
from ...text import jsontext
from ...text.jsontext import JSON
from .archived import opened
from .web_rule import LATEST_CLOCK, ClientRow, replay
from .writing import event_of, is_ours


def mark(change: Mapping[str, JSON]) -> str:
    """What tells one of our changes from others of its record: the operation, and the times of its fields."""
    fields = change.get("fields") if change.get("op") == "update" else None
    times = {name: field.get("at") for name, field in fields.items()} if type(fields) is dict else None
    return jsontext.dumps([change.get("op"), change.get("deletedAt"), times]).decode()


@dataclass(frozen=True, slots=True)
class Edits:
    """The changes of one record, told apart."""

    others: Sequence[JSON]
    """Without ours, in the server's order."""
    since: Sequence[JSON]
    """Those of them that came after the plan had looked."""

    @classmethod
    def of(cls, changes: Iterable[JSON], known: Container[str], ours: Iterable[bytes] = ()) -> Edits:
        """``known`` are the events that the plan saw, ``ours`` the changes that were planned."""
        marks = {mark(jsontext.parse(change)) for change in ours}
        others, since = [], []
        for change in changes:
            is_known = event_of(change) in known
            if not is_known and type(change) is dict and is_ours(change) and mark(change) in marks:
                continue
            others.append(change)
            if not is_known:
                since.append(change)
        return cls(others, since)

    @property
    def removed(self) -> bool:
        """Whether one of them deletes the row without a time, which leaves nothing of it."""
        return any(
            accept(change) is None and change["op"] == "delete" and not change.get("deletedAt") for change in self.since
        )

    @property
    def names(self) -> frozenset[str]:
        """The fields that they wrote, and paths into fields."""
        found: set[str] = set()
        for change in self.since:
            if accept(change) is not None:
                continue
            if change.get("deletedAt"):
                found.add("deletedAt")
            elif change["op"] == "insert":
                found.update(change.get("data", {}))
            elif change["op"] == "update":
                found.update(change.get("fields", {}))
        return frozenset(filter(is_data, found))

    def are_undone(self, table: Table, whole: Sequence[JSON], now: str, cipher: FieldCipher | None) -> bool:
        """Whether something of what they wrote is not to be seen in the ``whole`` of the row's changes.

        By our fold, or for a web client that would show it if it were not for us.
        """
        if not self.since:
            return False
        meant, found = fold(table, self.others), fold(table, whole)
        if (self.removed and meant.state == "absent" != found.state) or not _agree(
            self.names, meant.values, found.values, cipher
        ):
            return True
        for clock in (now, LATEST_CLOCK):
            theirs, shown = _values(replay(self.others, clock)), _values(replay(whole, clock))
            would_show = [name for name in self.names if _agree([name], meant.values, theirs, cipher)]
            if not _agree(would_show, meant.values, shown, cipher):
                return True
        return False


def _values(row: ClientRow | None) -> Mapping[str, JSON]:
    return {} if row is None else row.values


def _agree(
    names: Collection[str], one: Mapping[str, JSON], other: Mapping[str, JSON], cipher: FieldCipher | None
) -> bool:
    return all(_equal(_at(one, name), _at(other, name), cipher) for name in names)


def _at(values: Mapping[str, JSON], name: str) -> JSON:
    """What stands in a field, or at a path into one."""
    if name in values or "." not in name:
        return values.get(name)
    found: JSON = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _equal(one: JSON, other: JSON, cipher: FieldCipher | None) -> bool:
    if equal_values(one, other):
        return True
    if cipher is None or not (may_be_encrypted(one) or may_be_encrypted(other)):
        return False
    try:
        return equal_values(opened(cipher, one), opened(cipher, other), exact=True)
    except FieldDecryptionError:
        return False
