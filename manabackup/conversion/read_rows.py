"""Rows of an archive, fit to be read: without secrets and ciphertext, with the times at which they were made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..archive.rowlines import MisreadRowError
from ..crypto.fields import PREFIX, is_encrypted, may_be_encrypted
from ..model.projection import Record
from ..model.tables import TableModel
from ..rows.marks import Listed, Marks, listed_in
from ..text import jsontext
from ..text.jsontext import JSON
from .left_out import OTHER_SPACE, LeftOut

_PREFIX = PREFIX.encode()
_NOTHING: Mapping[str, JSON] = MappingProxyType({})


RawRow = tuple[str, bytes, bytes | None, Record | None]
"""A row as it stands in the archive: its id, its canonical text, its line of ``meta/`` if it has one, and the field
times of archives that hold them inside their rows. A bare tuple: one with names takes twice as long to other processes.
"""


class ReadRow(NamedTuple):  # of which there are many: a data class takes five times as long to make
    """One row, fit to be read."""

    id: str
    values: dict[str, JSON]
    """Without secrets and without what is still ciphertext, unless that was asked for; ``id`` included."""
    line: bytes
    """The whole row's canonical text; empty in rows that were set aside."""
    created: str | None
    """When it was made, as far as anybody knows: by what it says itself, else the first time that a writer gave."""
    modified: str | None
    """The last such time."""
    closed: Mapping[str, JSON] = _NOTHING
    """Fields that are still ciphertext: they are not among ``values``."""
    meta: bytes | None = None
    """Its line of ``meta/``, if it has one."""
    secrets: int = 0
    """How many fields were taken out because they let somebody in."""
    as_written: bool = False
    """Whether it is known that ``values``, written in their order, are ``line``."""

    def packed(self) -> bytes:
        """All of it that :func:`unpacked` gives back."""
        return jsontext.dumps_to_keep([self.id, self.values, self.created, self.modified])


def unpacked(line: bytes) -> ReadRow:
    """A row that was set aside to be brought into order."""
    identifier, values, created, modified = jsontext.parse_to_rewrite(line)
    return ReadRow(identifier, values, b"", created, modified)


class RowReader:
    """Makes :class:`ReadRow` of the rows of one table, under what was asked for."""

    def __init__(
        self,
        name: str,
        model: TableModel | None,
        marks: Marks,
        *,
        secrets: frozenset[str],
        include_deleted: bool,
        in_space: Callable[[Mapping[str, JSON]], bool] | None,
    ) -> None:
        self._name = name
        self._in_bin = None if include_deleted else model.in_bin if model is not None else is_tombstone
        self._marks = marks
        self._secrets = secrets
        self._in_space = in_space

    def rows(self, raw_rows: Iterable[RawRow], left_out: LeftOut) -> Iterator[ReadRow]:
        """The rows that were asked for; what is not in them is taken down in ``left_out``.

        Raises :class:`MisreadRowError`.
        """
        in_space, in_bin, secrets = self._in_space, self._in_bin, self._secrets
        for identifier, line, text, record in raw_rows:
            values, as_written = jsontext.parse_line(line)
            if type(values) is not dict or values.get("id") != identifier:
                raise MisreadRowError(f"not the row {self._name} was taken for")
            if in_space is not None and not in_space(values):
                left_out.note(OTHER_SPACE, self._name)
                continue
            if in_bin is not None and in_bin(values):
                left_out.note("bin", self._name)
                continue
            meta = None if text is None else jsontext.parse_inexact(text)
            taken = 0 if secrets.isdisjoint(values) else self._take_secrets(values, left_out)
            closed = _NOTHING if _PREFIX not in line else self._take_ciphertext(values, listed_in(meta), left_out)
            created, modified = _times(values, meta, record)
            whole = as_written and not taken and not closed
            yield ReadRow(identifier, values, line, created, modified, closed, text, taken, whole)

    def _take_secrets(self, values: dict[str, JSON], left_out: LeftOut) -> int:
        found = [name for name in values if name in self._secrets and values[name]]
        for name in found:
            del values[name]
        left_out.note("secret", self._name, len(found))
        return len(found)

    def _take_ciphertext(self, values: dict[str, JSON], listed: Listed, left_out: LeftOut) -> dict[str, JSON]:
        """Fields that are still ciphertext: told by the archive's marks, and by their form where it has none."""
        closed = {}
        for name, value in values.items():
            if may_be_encrypted(value):
                told = self._marks.is_ciphertext(name, listed)
                if told or (told is None and is_encrypted(value)):
                    closed[name] = value
        for name in closed:
            del values[name]
        left_out.note("ciphertext", self._name, len(closed))
        return closed


def is_tombstone(values: Mapping[str, JSON]) -> bool:
    """Whether a row was thrown away, as every table has it."""
    return bool(values.get("deletedAt"))


def _times(
    values: Mapping[str, JSON], meta: Mapping[str, JSON] | None, record: Record | None
) -> tuple[str | None, str | None]:
    """When a row was made and last changed. Times of writers are compared as strings, as every web client does."""
    stamps: list[str] = []
    if meta is not None:
        fields = meta.get("fields")
        stamps = [field["at"] for field in fields.values() if field.get("at")] if fields else []
        if meta.get("at"):
            stamps.append(meta["at"])
    elif record is not None:
        stamps = [stamp.at for stamp in record.stamps.values() if stamp.at]
    own = values.get("createdAt")
    created = own if isinstance(own, str) and own else min(stamps, default=None)
    changed = values.get("updatedAt")
    if not stamps and isinstance(changed, str) and changed:
        return created, changed
    return created, max(stamps, default=created)
