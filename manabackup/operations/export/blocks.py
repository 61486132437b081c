"""From changes to the lines of an archive, a block of records at a time, each block by itself.

What depends on the blocks before — the numbers of actors and spaces, and the report of what is missing — is left open
in what a block becomes, and filled in where the blocks come together again. So it does not matter who does which block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeAlias, TypeVar

from ...archive import deflate
from ...model.files import InlineFile, inline_files, may_refer
from ...model.projection import Numbering
from ...rows.completeness import Case
from ...text import jsontext
from ...text.jsontext import JSON, Fragment
from ..files.gathering import count_references, gathered
from .records import FoldedRecords, UsualRecords
from .terms import ExportTerms, FileTerms, Stream

_SEALED = b'"sealed":['
_NONE_SEALED = _SEALED + b"]"
_MARK = b"\0"
"""Around what stands for a number in a meta line: no text of JSON holds one."""
_Key = TypeVar("_Key", bytes, str)
_first = itemgetter(0)


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
    opened: bool = False
    """Whether the key opened any field."""
    left_closed: int = 0
    """Private fields that nobody was to open."""
    named: set[str] = field(default_factory=set)
    """What the spaces of the rows that are written may be called in a selection, where there is one."""
    seen: set[str] = field(default_factory=set)
    """The same of all rows."""
    references: int = 0
    """Places in the rows that lead to a file of Mana's."""
    found: list[tuple[str, bytes]] = field(default_factory=list)
    """The same, and all other references, as :mod:`manabackup.operations.files.gathering` takes them."""
    inline: list[InlineFile] = field(default_factory=list)
    """The files that stand in the rows."""


Task: TypeAlias = tuple[int, list[tuple[str, bytes]]]
"""A stream's number, and all changes of some of its records."""


def fold_task(terms: ExportTerms, streams: Sequence[Stream], task: Task) -> Block:
    """:func:`fold_block` of a task."""
    return fold_block(terms, streams, *task)


def numbered(meta: bytes, actors: Sequence[int], spaces: Sequence[int]) -> bytes:
    """The meta lines of a block whose actors and spaces have these numbers."""
    numbers = {b"a%d" % index: b"%d" % number for index, number in enumerate(actors)}
    numbers.update((b"s%d" % index, b"%d" % number) for index, number in enumerate(spaces))
    parts = meta.split(_MARK)
    parts[1::2] = [numbers[mark] for mark in parts[1::2]]
    return b"".join(parts)


def fold_block(terms: ExportTerms, streams: Sequence[Stream], number: int, pairs: Iterable[tuple[str, bytes]]) -> Block:
    """Folds all changes of some records of a stream: (record id, change), those of a record together and in order.

    Changes as :attr:`manabackup.model.detached.DetachedChange.stored` gives them.
    """
    stream, block = streams[number], Block(number)
    actors, spaces = _Marks[bytes]("a"), _Marks[str]("s")
    numbering = Numbering(partial(_mark_of, actors), spaces)
    usual = UsualRecords(terms, stream.table, numbering)
    folded = FoldedRecords(terms, stream, numbering, block.cases.append)
    rows: list[bytes] = []
    metas: list[bytes] = []
    for _, group in groupby(pairs, key=_first):
        changes = [change for _, change in group]
        lines = usual.lines(changes[0]) if len(changes) == 1 else None
        if lines is not None:
            block.live += 1
        else:
            record = folded.record(changes)
            block.live += record.state == "live"
            block.deleted += record.state == "tombstone"
            block.named |= record.spaces
            block.seen |= record.seen
            lines = record.lines
        if lines is not None:
            rows.append(lines[0])
            metas.append(lines[1])
    block.opened = usual.opened or folded.opened
    block.left_closed = usual.left_closed + folded.left_closed
    if rows:
        _refer(terms, stream, rows, metas, block)
        block.rows = len(rows)
        block.text = _joined(rows)
        block.deflated = deflate.segment(block.text)
        block.meta = _joined(metas)
        block.actors = list(actors.keys)
        block.spaces = list(spaces.keys)
    return block


def _refer(terms: ExportTerms, stream: Stream, rows: list[bytes], metas: list[bytes], block: Block) -> None:
    """Takes down which files the rows refer to."""
    table, name = stream.table, stream.name
    private = table.encrypted if table is not None else frozenset[str]()
    for line, meta in zip(rows, metas, strict=True):
        if not may_refer(name, line):
            continue
        values = jsontext.parse_inexact(line)
        if terms.files is FileTerms.COUNT:
            block.references += count_references(name, values)
            continue
        pairs, references = gathered(name, values, partial(_is_private, private, meta))
        block.found += pairs
        block.references += references
        block.inline += inline_files(name, values)


def _is_private(registered: frozenset[str], meta: bytes, field: str) -> bool:
    """Whether a field was ciphertext: one that is registered, or of which the meta line says so."""
    if field in registered or _NONE_SEALED in meta:
        return field in registered
    # Numbers are still marks there, which no parser takes.
    listed = meta.partition(_SEALED)[2].partition(b"]")[0]
    return jsontext.dumps(field) in listed


class _Marks(Generic[_Key]):
    """Gives each key a mark that stands in a meta line for its number."""

    def __init__(self, letter: str) -> None:
        self._letter = letter.encode()
        self.keys: dict[_Key, Fragment] = {}

    def __call__(self, key: _Key) -> Fragment:
        mark = self.keys.get(key)
        if mark is None:
            mark = self.keys[key] = Fragment(_MARK + b"%b%d" % (self._letter, len(self.keys)) + _MARK)
        return mark


def _mark_of(marks: _Marks[bytes], actor: dict[str, JSON]) -> Fragment:
    return marks(jsontext.dumps(actor))


def _joined(lines: list[bytes]) -> bytes:
    lines.append(b"")
    return b"\n".join(lines)
