"""The general way: all changes of a record are folded, and what comes of it is written and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ....model.detached import WHOLE, DetachedChange
from ....model.projection import Numbering, Record, fold, meta_line
from ....model.projection.record import RecordState
from ....model.spaces import PERSONAL, is_personal
from ....rows.completeness import Case
from ....text import jsontext
from ..terms import ExportTerms, Stream
from .rowtext import RowText, encrypted

_COPIED = frozenset(("updatedAt", "createdAt", "deletedAt", "spaceId"))
"""Fields whose values also become times and spaces."""


class FoldedRecord(NamedTuple):
    """What became of a record."""

    state: RecordState = "absent"
    """``absent`` also where the selection leaves it out."""
    lines: tuple[bytes, bytes] | None = None
    """The row's line and its meta line, if it is written."""
    spaces: frozenset[str] = frozenset()
    """What its space may be called in a selection, where there is one and the row is of it."""
    seen: frozenset[str] = frozenset()
    """The same of every row."""


class FoldedRecords:
    """Writes records of one stream. ``note`` takes what there is to say of them."""

    def __init__(
        self, terms: ExportTerms, stream: Stream, numbering: Numbering, note: Callable[[Case], object]
    ) -> None:
        self._terms = terms
        self._stream = stream
        self._numbering = numbering
        self._note = note
        self._text = RowText(terms, stream.name, stream.table, note)

    @property
    def opened(self) -> bool:
        """Whether the key opened any field."""
        return self._text.opened

    @property
    def left_closed(self) -> int:
        """Fields that nobody was to open."""
        return self._text.left_closed

    def record(self, changes: Sequence[bytes]) -> FoldedRecord:
        """What becomes of a record by all of its changes, in order.

        Changes as :attr:`manabackup.model.detached.DetachedChange.stored` gives them.
        """
        terms, name = self._terms, self._stream.name
        record, change = self._folded([DetachedChange.read(stored) for stored in changes])
        for reason in record.malformed:
            self._note(Case("malformedChange", name, record.id, reason=reason))
        spaces = self._spaces(record.space) if terms.spaces else frozenset[str]()
        if terms.spaces and spaces.isdisjoint(terms.spaces):
            return FoldedRecord(seen=spaces)
        for oddity in record.oddities:
            self._note(Case(oddity.kind, name, record.id, oddity.field))
        if record.state == "absent":
            return FoldedRecord(seen=spaces)
        if record.latest_time > terms.tomorrow:
            self._note(Case("futureTime", name, record.id))
        if record.state == "tombstone" and not terms.include_deleted:
            return FoldedRecord(record.state, seen=spaces)
        return FoldedRecord(record.state, self._lines(record, change), spaces, spaces)

    def _folded(self, changes: Sequence[DetachedChange]) -> tuple[Record, DetachedChange]:
        """The record, and the change that its encrypted values stand in as they do in the record."""
        table, as_of = self._stream.table, self._terms.as_of
        if len(changes) == 1:
            change = changes[0]
            record = fold(table, (jsontext.parse_canonical(change.text),), as_of=as_of)
            names = encrypted(record.values)
            # Nearly always so. Else there are ciphertexts where nobody looks for what stands for them.
            if not change.ciphertexts or (change.encrypted_members == len(names) and _COPIED.isdisjoint(names)):
                return record, change
        parsed = (jsontext.parse_canonical(change.whole()) for change in changes)
        return fold(table, parsed, as_of=as_of), WHOLE

    def _lines(self, record: Record, change: DetachedChange) -> tuple[bytes, bytes] | None:
        line = self._text.line(record, change)
        said = meta_line(
            record,
            self._stream.table,
            self._numbering,
            also_encrypted=line.also_encrypted,
            ciphertext=line.ciphertext,
        )
        if line.is_listed and "ciphertext" not in said:
            said["ciphertext"] = []
        meta = jsontext.dumps(said)
        if max(len(line.text), len(meta)) > self._terms.line_bytes:
            reason = "longer than a reader accepts"
        elif not jsontext.nests_within(line.text):
            reason = "nests deeper than a reader accepts"
        else:
            return line.text, meta
        self._note(Case("rowSetAside", self._stream.name, record.id, reason=reason))
        return None

    def _spaces(self, space: str | None) -> frozenset[str]:
        """What a row's space may be called in a selection.

        ``personal`` is the personal space, its sentinels, what names no space, and the tables of the user.
        """
        table = self._stream.table
        if (table is not None and table.scope == "user") or space is None:
            return frozenset((PERSONAL,))  # a row that names no space shows itself to its author alone
        return frozenset((space, PERSONAL) if is_personal(space, self._terms.space_types) else (space,))
