"""From a folded record to its lines: fields decrypted, text canonical, everything odd noted.

The plaintext of an encrypted value *is* JSON text, so it is spliced into the line unparsed: nothing in it can change on
the way. What begins like ciphertext, has not the form of one and is opened by no key is text, as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ....crypto.fields import is_encrypted, may_be_encrypted
from ....errors import FieldDecryptionError
from ....model.detached import DetachedChange
from ....model.projection import Record
from ....model.registry import Table
from ....model.spaces import standing_of
from ....rows.authorship import is_by
from ....rows.completeness import Case
from ....text import jsontext
from ....text.jsontext import JSON, Fragment
from ..terms import ExportTerms

_NONE: frozenset[str] = frozenset()


class RowLine(NamedTuple):
    """A row as text, and what its meta line must tell besides."""

    text: bytes
    also_encrypted: Sequence[str]
    """Unregistered fields that were ciphertext."""
    ciphertext: Sequence[str]
    """Fields that still are, where they are to be named."""
    is_listed: bool = False
    """They are to be named even where there are none."""


@dataclass(slots=True)
class RowText:
    """Writes the rows of one stream as text."""

    terms: ExportTerms
    name: str
    """The stream's name."""
    table: Table | None
    note: Callable[[Case], object]
    opened: bool = False
    """Whether the key opened any field."""
    left_closed: int = 0
    """Fields that nobody was to open."""

    def line(self, record: Record, change: DetachedChange) -> RowLine:
        """The row's line. ``change`` is the one that the encrypted values stand in as they do in the row."""
        registered = self.table.encrypted if self.table is not None else _NONE
        values = dict(record.values)
        clear = set(registered)
        also_encrypted: list[str] = []
        closed: list[str] = []
        alike = False
        for field_name in encrypted(values):
            opened = self._open(record, field_name, change)
            if isinstance(opened, Fragment):
                values[field_name] = opened
                clear.discard(field_name)
                if field_name not in registered:
                    also_encrypted.append(field_name)
                continue
            values[field_name] = change.spelled(values[field_name])
            if is_encrypted(values[field_name]):
                clear.discard(field_name)
                closed.append(field_name)
                if not self.terms.as_stored:
                    self._note_closed(record, field_name, opened)
                    continue
                self.left_closed += 1
                if field_name not in registered:
                    also_encrypted.append(field_name)
            else:
                alike = True
                self.note(Case("likeCiphertext", self.name, record.id, field_name))
        for field_name in sorted(clear):
            if values.get(field_name) is not None:
                self.note(Case("plaintextField", self.name, record.id, field_name))
        identifier = b'{"id":' + jsontext.dumps(record.id)
        text = identifier + (b"," + jsontext.dumps(values)[1:] if values else b"}")
        if self.terms.as_stored and not alike:
            closed = []  # all that begins so is, and it need not be said
        return RowLine(text, also_encrypted, closed, self.terms.as_stored and alike)

    def _open(self, record: Record, field_name: str, change: DetachedChange) -> Fragment | FieldDecryptionError:
        """What stands in a value, or what keeps it from being opened."""
        try:
            if self.terms.cipher is None:
                raise FieldDecryptionError("the account has no vault", reason="noKey")
            opened, repaired = change.open(record.values[field_name], self.terms.cipher)
        except FieldDecryptionError as error:
            return error
        self.opened = True
        if repaired:
            self.note(Case("repairedText", self.name, record.id, field_name))
        return Fragment(opened)

    def _note_closed(self, record: Record, field_name: str, error: FieldDecryptionError) -> None:
        kind = "undecryptable"
        if error.reason == "key":
            # A shared space holds what its other members wrote under keys of their own: not this account's loss.
            standing = standing_of(record.space, self.terms.space_types)
            if standing == "shared":
                kind = "foreignCiphertext"
            elif standing == "unknown" and not is_by(self.terms.user_id, record, field_name):
                kind = "foreignOrUndecryptable"  # of a space that may be shared, and not written by the user
        self.note(Case(kind, self.name, record.id, field_name, error.reason))


def encrypted(values: Mapping[str, JSON]) -> list[str]:
    """The fields of a row whose values begin like encrypted ones."""
    return [name for name, value in values.items() if may_be_encrypted(value)]
