"""From changes to the lines of an archive, a block of records at a time, each block by itself.

What depends on the blocks before — the numbers of actors and spaces, and the report of what is missing — is left open
in what a block becomes, and filled in where the blocks come together again. So it does not matter who does which block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeVar

import orjson

from ...archive import deflate
from ...crypto.fields import FieldCipher
from ...model.detached import WHOLE, DetachedChange
from ...model.projection import Record, fold, meta_line
from ...model.registry import Table
from ...model.spaces import PERSONAL, is_personal
from ...rows.completeness import Case
from ...rows.rowtext import RowText, encrypted
from ...text import jsontext
from ...text.jsontext import JSON
from .usual import UsualRows

_MARK = b"\0"
"""Around what stands for a number in a meta line: no text of JSON holds one."""
_COPIED = frozenset(("updatedAt", "createdAt", "deletedAt", "spaceId"))
"""Fields whose values also become times and spaces."""
_Key = TypeVar("_Key", bytes, str)
_first = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides which rows are written, and how."""

    cipher: FieldCipher | None
    space_types: Mapping[str, str]
    spaces: Sequence[str]
    """Only rows of these; empty: of all."""
    include_deleted: bool
    as_of: str | None
    tomorrow: str
    """Times beyond it are noted, as text."""
    line_bytes: int
    """What a reader accepts."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One ``data/`` entry to be: its name, its table if it is registered, and the collections that feed it."""

    name: str
    table: Table | None
    app: str
    collections: tuple[str, ...]
    bytes: int
    changes: int


@dataclass(slots=True)
class Block:
    """What some records of one stream became."""

    stream: int
    """Its number."""
    rows: int = 0
    live: int = 0
    deleted: int = 0
    text: bytes = b""
    """The rows' lines."""
    deflated: bytes = b""
    """The same, as :func:`manabackup.archive.deflate.segment` gives it."""
    meta: bytes = b""
    """The meta lines, with marks for numbers: see :func:`numbered`."""
    actors: list[bytes] = field(default_factory=list)
    """As JSON, each once, in the order in which they occur."""
    spaces: list[str] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    """What there is to say about completeness."""
    named: set[str] = field(default_factory=set)
    """What the rows' spaces may be called in a selection, where there is one."""


def numbered(meta: bytes, actors: Sequence[int], spaces: Sequence[int]) -> bytes:
    """The meta lines of a block whose actors and spaces have these numbers."""
    numbers = {b"a%d" % index: b"%d" % number for index, number in enumerate(actors)}
    numbers.update((b"s%d" % index, b"%d" % number) for index, number in enumerate(spaces))
    parts = meta.split(_MARK)
    parts[1::2] = [numbers[mark] for mark in parts[1::2]]
    return b"".join(parts)


def fold_block(terms: Terms, streams: Sequence[Stream], number: int, pairs: Iterable[tuple[str, bytes]]) -> Block:
    """Folds all changes of some records of a stream: (record id, change), those of a record together and in order.

    Changes as :attr:`manabackup.model.detached.DetachedChange.stored` gives them.
    """
    return _Folding(terms, streams[number], Block(number)).run(pairs)


class _Folding:
    # What is large here goes as soon as the block is done: nothing it refers to refers back to it.

    def __init__(self, terms: Terms, stream: Stream, block: Block) -> None:
        self._terms = terms
        self._stream = stream
        self._block = block
        self._note = block.cases.append
        self._text = RowText(terms.cipher, terms.space_types, self._note)
        self._actor_marks = _Marks[bytes]("a")
        self._actor_mark = partial(_mark_of, self._actor_marks)
        self._space_marks = _Marks[str]("s")
        self._lines: list[bytes] = []
        self._metas: list[bytes] = []
        self._usual = UsualRows(
            terms.cipher,
            stream.table,
            tomorrow=terms.tomorrow,
            line_bytes=terms.line_bytes,
            actor=self._actor_mark,
            space=self._space_marks,
        )
        self._all_count = terms.as_of is None and not terms.spaces

    def run(self, pairs: Iterable[tuple[str, bytes]]) -> Block:
        block = self._block
        for _, group in groupby(pairs, key=_first):
            changes = [change for _, change in group]
            usual = self._usual.lines(changes[0]) if len(changes) == 1 and self._all_count else None
            if usual is None or not jsontext.nests_within(usual[0]):
                self._record(changes)
            else:
                line, meta = usual
                self._lines.append(line)
                self._metas.append(meta)
                block.live += 1
        block.rows = len(self._lines)
        if self._lines:
            block.text = _joined(self._lines)
            block.deflated = deflate.segment(block.text)
            block.meta = _joined(self._metas)
            block.actors = list(self._actor_marks.keys)
            block.spaces = list(self._space_marks.keys)
        return block

    def _record(self, changes: list[bytes]) -> None:
        terms, stream, block = self._terms, self._stream, self._block
        record, change = self._folded(list(map(DetachedChange.read, changes)))
        for reason in record.malformed:
            self._note(Case("malformedChange", stream.name, record.id, reason=reason))
        names: set[str] = set()
        if terms.spaces:
            names = self._names(record.space)
            if names.isdisjoint(terms.spaces):
                return
        for oddity in record.oddities:
            self._note(Case(oddity.kind, stream.name, record.id, oddity.field))
        if record.state == "absent":
            return
        if record.latest_time > terms.tomorrow:
            self._note(Case("futureTime", stream.name, record.id))
        if record.state == "tombstone":
            block.deleted += 1
            if not terms.include_deleted:
                return
        else:
            block.live += 1
        block.named |= names
        line = self._text.line(stream.name, stream.table, record, change)
        meta = jsontext.dumps(
            meta_line(
                record,
                stream.table,
                self._actor_mark,
                self._space_marks,
                sealed=line.sealed,
                ciphertext=line.ciphertext,
            )
        )
        if max(len(line.text), len(meta)) > terms.line_bytes:
            self._note(Case("rowSetAside", stream.name, record.id, reason="longer than a reader accepts"))
        elif not jsontext.nests_within(line.text):
            self._note(Case("rowSetAside", stream.name, record.id, reason="nests deeper than a reader accepts"))
        else:
            self._lines.append(line.text)
            self._metas.append(meta)

    def _folded(self, changes: list[DetachedChange]) -> tuple[Record, DetachedChange]:
        """The record, and the change that its encrypted values stand in as they do in the record."""
        table, as_of = self._stream.table, self._terms.as_of
        if len(changes) == 1:
            (change,) = changes
            record = fold(table, (jsontext.parse_canonical(change.text),), as_of=as_of)
            names = encrypted(record.values)
            # Nearly always so. Else there are ciphertexts where nobody looks for what stands for them.
            if not change.ciphertexts or (change.encrypted_members == len(names) and _COPIED.isdisjoint(names)):
                return record, change
        parsed = (jsontext.parse_canonical(change.whole()) for change in changes)
        return fold(table, parsed, as_of=as_of), WHOLE

    def _names(self, space: str | None) -> set[str]:
        """What a row's space may be called in a selection.

        ``personal`` is the personal space, its sentinels, what names no space, and the tables of the user.
        """
        table = self._stream.table
        if (table is not None and table.scope == "user") or space is None:
            return {PERSONAL}  # a row that names no space shows itself to its author alone
        return {space, PERSONAL} if is_personal(space, self._terms.space_types) else {space}


class _Marks(Generic[_Key]):
    """Gives each key a mark that stands in a meta line for its number."""

    def __init__(self, letter: str) -> None:
        self._letter = letter.encode()
        self.keys: dict[_Key, orjson.Fragment] = {}

    def __call__(self, key: _Key) -> orjson.Fragment:
        mark = self.keys.get(key)
        if mark is None:
            mark = self.keys[key] = orjson.Fragment(_MARK + b"%b%d" % (self._letter, len(self.keys)) + _MARK)
        return mark


def _mark_of(marks: _Marks[bytes], actor: dict[str, JSON]) -> orjson.Fragment:
    return marks(jsontext.dumps(actor))


def _joined(lines: list[bytes]) -> bytes:
    lines.append(b"")
    return b"\n".join(lines)
