"""Entries of an archive while they are written: content, lines, and the two entries of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ..errors import OutputError
from ..limits import MIB
from .behind import WriteBehind
from .zipwriter import EntryWriter, SpooledEntry

_BLOCK = MIB
_LINE_OVERHEAD = 50
"""Bytes that a line in memory costs besides its own."""


class Content:
    """The content of one entry. All but the handing over happens behind the caller."""

    def __init__(
        self,
        behind: WriteBehind,
        begin: Callable[[], EntryWriter | SpooledEntry],
        count: Callable[[int], object],
        ended: Callable[[str], object],
    ) -> None:
        self._behind = behind
        self._count = count
        self._ended = ended
        self._hash: hashlib._Hash | None = hashlib.sha256()
        self._believed = ""
        behind.do(0, self._begin, begin)

    def believe(self, sha256: str) -> None:
        """Before anything is written: the caller has computed the hash already of what is to come."""
        self._hash, self._believed = None, sha256

    def write(self, data: bytes) -> None:
        """Some more of it."""
        self._behind.do(len(data), self._write, data)

    def write_segment(self, data: bytes, deflated: bytes) -> None:
        """Some more of it, which :func:`deflate.segment` has been made of."""
        self._behind.do(len(data) + len(deflated), self._write_segment, data, deflated)

    def write_lines(self, size: int, lines: list[bytes]) -> None:
        """Lines that take about ``size`` bytes of memory and have no ends yet; the list is given away."""
        self._behind.do(size, self._write_lines, lines)

    def close(self) -> None:
        """End the entry."""
        self._behind.do(0, self._close)

    def _begin(self, begin: Callable[[], EntryWriter | SpooledEntry]) -> None:
        self._entry = begin()

    def _write(self, data: bytes) -> None:
        self._count(len(data))
        if self._hash is not None:
            self._hash.update(data)
        self._entry.write(data)

    def _write_segment(self, data: bytes, deflated: bytes) -> None:
        self._count(len(data))
        if self._hash is not None:
            self._hash.update(data)
        self._entry.write_segment(data, deflated)

    def _write_lines(self, lines: list[bytes]) -> None:
        lines.append(b"")
        self._write(b"\n".join(lines))

    def _close(self) -> None:
        self._entry.close()
        self._ended(self._hash.hexdigest() if self._hash is not None else self._believed)


class LineEntry:
    """An entry of JSON Lines that is being written."""

    def __init__(self, begin: Callable[[], Content], longest: int) -> None:
        self._begin = begin
        self._longest = longest
        self._content: Content | None = None
        self._pending: list[bytes] = []
        self._bytes = 0
        self.lines = 0

    def add(self, line: bytes) -> int:
        """One line, without its end; gives its number, from 0. Raises :class:`OutputError` where it is too long."""
        if len(line) > self._longest:
            raise unreadable(f"a line of more than {self._longest:,} bytes")
        self._add(line)
        return self.lines - 1

    def add_text(self, text: bytes, lines: int) -> None:
        """Several lines at once, each with its end."""
        self._add(text[:-1])
        self.lines += lines - 1

    def _add(self, line: bytes) -> None:
        self._pending.append(line)
        self._bytes += len(line) + _LINE_OVERHEAD
        if self._bytes >= _BLOCK:
            self._drain()
        self.lines += 1

    def add_segment(self, text: bytes, deflated: bytes, lines: int) -> None:
        """Several lines at once, each with its end, that :func:`deflate.segment` has been made of."""
        if self._pending:
            self._drain()
        self._opened().write_segment(text, deflated)
        self.lines += lines

    def close(self, *, empty: bool = False) -> None:
        """End the entry; one without lines is not written unless ``empty`` asks for it."""
        if self._pending:
            self._drain()
        if empty:
            self._opened()
        if self._content is not None:
            self._content.close()

    def _drain(self) -> None:
        self._opened().write_lines(self._bytes, self._pending)
        self._pending, self._bytes = [], 0

    def _opened(self) -> Content:
        if self._content is None:
            self._content = self._begin()
        return self._content


class TableWriter:
    """The open table: one ``data/`` entry being written, one ``meta/`` entry waiting."""

    def __init__(self, data: LineEntry, meta: LineEntry, closed: Callable[[int], object]) -> None:
        self._data = data
        self._meta = meta
        self._closed = closed
        self.add_meta = meta.add

    def add(self, line: bytes, meta_line: bytes | None = None) -> None:
        """One row and its meta line, without line ends. Rows come in ascending order of their ids."""
        self._data.add(line)
        if meta_line is not None:
            self._meta.add(meta_line)

    def add_block(self, text: bytes, deflated: bytes, meta: bytes, rows: int) -> None:
        """Several rows at once: their lines, what :func:`deflate.segment` made of these, and meta lines, if any."""
        self._data.add_segment(text, deflated, rows)
        if meta:
            self._meta.add_text(meta, meta.count(b"\n"))

    def close(self) -> None:
        """End the table."""
        self._data.close(empty=True)
        self._meta.close()
        self._closed(self._data.lines)


def unreadable(what: str) -> OutputError:
    """The error of an archive that its own reader would refuse."""
    return OutputError(
        f"the archive would have {what}, and no reader takes that", hint="make several, of fewer apps or tables each"
    )
