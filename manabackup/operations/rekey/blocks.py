"""Rows under another account's key, a block at a time, each block by itself.

What a block needs to know of the archive is known before the first one, but for a space that only a row names: such a
block is left to whoever sees all of them in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from ...archive import deflate
from ...archive.reader import Archive
from ...archive.rowlines import MisreadRowError
from ...crypto.fields import FieldCipher
from ...errors import JSONTextError
from ...limits import KIB
from ...model import registry
from ...model.registry import Table
from ...model.spaces import SpaceNumbers
from ...rows.completeness import Case
from ...rows.identity import ActorKinds, RowIds, Traces
from ...rows.marks import Marks
from ...rows.side_by_side import MetaLines
from ...text import jsontext
from ...text.jsonmembers import member_value, writable_members
from ...text.jsontext import JSON
from .rows import RowMaker

_PIECE_BYTES = 384 * KIB
MOST_SPACES = 1_000
"""Blocks begin with all spaces that an archive lists: one that lists more is no archive of a person."""


class Piece(NamedTuple):
    """Some rows of a table of an archive of this tool."""

    table: str
    rows: list[tuple[str, bytes, bytes | None, str]]
    """Id, line, and meta line, if there is one, with its place."""


@dataclass(slots=True)
class RekeyedBlock:
    """What became of a piece."""

    table: str
    rows: int
    text: bytes
    """The rows' lines."""
    deflated: bytes
    """The same, as :func:`manabackup.archive.deflate.segment` gives it."""
    meta: bytes
    """The meta lines of those that have one."""
    encrypted_fields: int
    actors: bool
    """Whether a meta line names one."""
    cases: list[Case]
    """What there is to say about completeness."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides what becomes of a row."""

    cipher: FieldCipher
    opener: FieldCipher | None
    user_id: str
    """The account whose archive it was."""
    home: str | None
    """The target account's personal space, where it is known."""
    marks: Marks
    keep_visibility: bool
    spaces: Sequence[Mapping[str, JSON]]
    """The lines of the archive's ``meta/spaces.jsonl``."""
    actors: ActorKinds
    """Those of ``meta/actors.jsonl``."""

    @classmethod
    def of(
        cls,
        archive: Archive,
        cipher: FieldCipher,
        opener: FieldCipher | None,
        home: str | None,
        *,
        keep_visibility: bool,
    ) -> Self:
        """Those under which an open archive is rekeyed for ``cipher``. Raises :class:`DamagedArchiveError`."""
        return cls(
            cipher=cipher,
            opener=opener,
            user_id=archive.manifest.user_id,
            home=home,
            marks=Marks.of(archive),
            keep_visibility=keep_visibility,
            spaces=list(archive.meta("spaces")),
            actors=ActorKinds(archive.meta("actors")),
        )

    def maker(self, note: Callable[[Case], object]) -> RowMaker:
        """One that has seen no row. ``note`` takes what there is to say about completeness."""
        known = registry.load()
        spaces = SpaceNumbers(self.spaces)
        return RowMaker(
            known,
            self.cipher,
            self.opener,
            self.marks,
            spaces,
            self.actors.fresh(),
            RowIds(known, spaces, self.home),
            Traces(self.user_id, spaces),
            note,
            self.keep_visibility,
        )


def pieces(archive: Archive, name: str) -> Iterator[Piece]:
    """A table of an archive of this tool; its lines are still to be parsed. Raises :class:`DamagedArchiveError`."""
    metas = MetaLines(archive, name)
    rows: list[tuple[str, bytes, bytes | None, str]] = []
    room = _PIECE_BYTES
    for row in archive.reader.unread_rows(name):
        meta = metas.text if metas.of(row.id) is not None else None
        rows.append((row.id, row.line, meta, metas.where))
        room -= len(row.line)
        if room <= 0:
            yield Piece(name, rows)
            rows, room = [], _PIECE_BYTES
    metas.finish()
    if rows:
        yield Piece(name, rows)


def rekey_block(terms: Terms, piece: Piece) -> RekeyedBlock | None:
    """What becomes of a piece; None where it names a space that the archive does not list."""
    maker = terms.maker(list[Case]().append)  # each piece's are taken apart
    block = rekey_rows(maker, piece)
    return block if len(maker.spaces) == len(terms.spaces) else None


def rekey_rows(maker: RowMaker, piece: Piece) -> RekeyedBlock:
    """The same by a maker that has seen the pieces before.

    Raises :class:`DamagedArchiveError`, and :class:`MisreadRowError` where the archive is to be asked what is wrong.
    """
    table: Table | None = registry.load().by_name.get(piece.table)
    cases: list[Case] = []
    maker.note = cases.append
    encrypted_before = maker.encrypted_fields
    lines: list[bytes] = []
    metas: list[bytes] = []
    for identifier, line, meta_text, where in piece.rows:
        meta = None if meta_text is None else maker.translated(jsontext.parse_inexact(meta_text), where)
        _, new_line, new_meta = maker.make(piece.table, table, identifier, _members(identifier, line), meta)
        lines.append(new_line)
        if new_meta:
            metas.append(new_meta)
    text = _joined(lines)
    return RekeyedBlock(
        piece.table,
        len(lines),
        text,
        deflate.segment(text),
        _joined(metas),
        maker.encrypted_fields - encrypted_before,
        maker.actors.used,
        cases,
    )


def _members(identifier: str, line: bytes) -> dict[str, JSON]:
    try:
        row = writable_members(line)
    except JSONTextError:
        raise MisreadRowError("not a JSON object") from None
    if member_value(row.get("id")) != identifier:
        raise MisreadRowError("has another id")
    return row


def _joined(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b""]) if lines else b""
