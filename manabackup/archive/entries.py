"""The entries of an open archive, read and checked: what verify, diff, rekey and seal work with.

:class:`~manabackup.archive.reader.Archive` is the door for everybody else. Here rows come in blocks, parsed or not;
what has been read to an end has been compared with the container, with ``SHA256SUMS`` and with the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import NoReturn

from ..errors import DamagedArchiveError
from ..limits import MIB, Limits
from . import names
from .behind import told, told_behind
from .container import Container, printable
from .lines import line_blocks
from .manifest import Manifest
from .named import damage_named
from .places import Location
from .rowlines import (
    Row,
    ascend,
    bad_line,
    not_in_order,
    row_id,
    rows_one_by_one,
    trimmed,
    unread_rows,
    usual_rows,
)

_WORTH_A_THREAD = 4 * MIB
"""Bytes of an entry whose hashing takes longer than to hand it over."""


class EntryReader:
    """The entries of a ``container``, whose rows ``manifest`` counts and whose hashes ``sums`` states.

    ``sums`` are those of ``SHA256SUMS``, entry → hex; empty when the archive has none. All raise
    :class:`DamagedArchiveError`, naming the archive by its ``path``, entry and line, never content.
    """

    def __init__(
        self, container: Container, manifest: Manifest, sums: dict[str, str], limits: Limits, path: Location
    ) -> None:
        self.container = container
        self.path = path
        self.hashes: dict[str, str] = {}
        """Entry → hex SHA-256 of what has been read to the end so far."""
        self.hashes_behind = False
        """Large entries are hashed by a thread of their own: faster where nothing else goes on beside the reading."""
        self._manifest = manifest
        self._sums = sums
        self._limits = limits

    @property
    def size(self) -> int:
        """Bytes of all entries together, inflated."""
        return sum(entry.size for entry in self.container.entries.values())

    def has_table(self, table: str) -> bool:
        """Whether there is such a table."""
        return names.entry("data", table) in self.container.entries

    def table_size(self, table: str) -> int:
        """Bytes of a table's rows."""
        return self.container.entries[names.entry("data", table)].size

    def rows(self, table: str, *, ordered: bool = False) -> Iterator[Row]:
        """The rows of a table, each checked: one JSON object, a string ``id``, none twice.

        With ``ordered`` the ids must ascend, as they do in archives of this tool. When the iterator ends, the entry's
        size, CRC-32, SHA-256 and number of rows have been checked too.
        """
        return chain.from_iterable(self.row_blocks(table, ordered=ordered))

    def unread_rows(self, table: str) -> Iterator[Row]:
        """:meth:`rows` in order, for those who have each line parsed anyway: here that is done only where it must be.

        They compare the parsed ``id`` with the row's, and where it is another one or the line is no JSON object, they
        call :meth:`refuse_misread`.
        """
        return chain.from_iterable(self.row_blocks(table, ordered=True, unread=True))

    def refuse_misread(self, table: str) -> NoReturn:
        """Raises :class:`DamagedArchiveError` for a table that :meth:`unread_rows` gave a row of that is none."""
        for _ in self.rows(table, ordered=True):
            pass
        raise DamagedArchiveError("a row with more than one id", code="line", where=names.entry("data", table))

    def row_blocks(self, table: str, *, ordered: bool = False, unread: bool = False) -> Iterator[list[Row]]:
        """:meth:`rows`, or :meth:`unread_rows`, some at a time."""
        with damage_named(self.path):
            yield from self._row_blocks(table, ordered=ordered, unread=unread)

    def _row_blocks(self, table: str, *, ordered: bool, unread: bool) -> Iterator[list[Row]]:
        name = names.entry("data", table)
        last: str | None = None
        ascending = True
        number = count = 0
        for lines in self._line_blocks(name):
            usual = (unread_rows(lines) if unread else None) or usual_rows(lines)
            blocks = rows_one_by_one(lines, name, number) if usual is None else iter([usual])
            number += len(lines)
            for block in blocks:
                if ascending and not ascend(last, block):
                    self._refuse_duplicates(name)
                    if ordered:
                        self._refuse_disorder(name)
                    ascending = False
                last = block[-1].id
                count += len(block)
                yield block
        self.check_count(table, count)

    def check_count(self, table: str, count: int) -> None:
        """Whether a table of ``count`` rows is as large as the manifest says, where this tool wrote both.

        Elsewhere the rows win.
        """
        stated = self._manifest.row_counts.get(table)
        if self._manifest.data_sha256 is not None and (type(stated) is not int or stated != count):
            message = f"the manifest counts other rows of {printable(table)} than there are"
            raise DamagedArchiveError(message, code="counts", where=names.MANIFEST)

    def meta_lines(self, subject: str) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, text) of ``meta/<subject>.jsonl``; nothing when the archive has none."""
        name = names.entry("meta", subject)
        return self.lines(name) if name in self.container.entries else iter(())

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, text) of JSON Lines: blank lines left out, ends trimmed as the web app trims them."""
        number = 0
        with damage_named(self.path):
            for lines in self._line_blocks(name):
                yield from trimmed(lines, number)
                number += len(lines)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of any entry; its hash is known and checked when the iterator ends."""
        with damage_named(self.path):
            yield from self._chunks(name)

    def _chunks(self, name: str) -> Iterator[bytes]:
        entry = self.container.entries[name]
        whole = hashlib.sha256()
        chunks = self.container.chunks(entry)
        if self.hashes_behind and entry.size >= _WORTH_A_THREAD:
            chunks = told_behind(chunks, whole.update)
        else:
            chunks = told(chunks, whole.update)
        yield from chunks
        self.check_hash(name, whole.hexdigest())

    def check_hash(self, name: str, digest: str) -> None:
        """Take down the SHA-256 of an entry that was read to its end."""
        self.hashes[name] = digest
        if names.kind(name) == "blob" and names.blob_of(name) != digest:
            raise DamagedArchiveError("a file that is not the one its name says", code="blobs", where=name)
        if self._sums.get(name, digest) != digest:
            raise DamagedArchiveError("its SHA-256 is not the one in SHA256SUMS", code="sums", where=name)

    def _refuse_duplicates(self, name: str) -> None:
        """A pass of its own, and only over tables whose ids do not ascend: ours do, and need no memory for this."""
        seen: set[bytes] = set()
        for number, line in self.lines(name):
            identifier = row_id(line, name, number)
            digest = hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest in seen:
                raise bad_line("an id that stands in the table already", name, number)
            seen.add(digest)

    def _refuse_disorder(self, name: str) -> None:
        """Names the first line of a table that is out of order."""
        last: str | None = None
        for number, line in self.lines(name):
            identifier = row_id(line, name, number)
            if last is not None and identifier <= last:
                raise not_in_order(name, number)
            last = identifier

    def _line_blocks(self, name: str) -> Iterator[list[bytes]]:
        return line_blocks(self._chunks(name), self._limits.line_bytes, name)
