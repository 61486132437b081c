"""The rows of an archive in the order of their ids, and the lines of ``meta/`` that go with them.

Archives of this tool are sorted and are read as they are; others are brought into order in constant memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..archive import names
from ..archive.reader import Archive
from ..archive.rowlines import not_in_order
from ..crypto.spools import SpoolFile
from ..errors import DamagedArchiveError, JSONTextError
from ..host.sorting import LineSorter
from ..text import jsontext
from ..text.jsontext import JSON
from .archived import clean_rows, is_ours


def sorted_rows(archive: Archive, table: str, make_file: Callable[[], SpoolFile]) -> Iterator[tuple[str, bytes]]:
    """(id, line) of the clean rows of a table, ids ascending by code point; nothing for a table that is not there.

    Raises :class:`DamagedArchiveError`, also for an archive that claims to be sorted and is not.
    """
    if not archive.reader.has_table(table):
        return
    if is_ours(archive):
        for row in archive.reader.rows(table, ordered=True):
            yield row.id, row.line
        return
    sorter = LineSorter(make_file)
    sorter.add((row.id, row.line) for row in clean_rows(archive, table))
    for identifier, lines in sorter.groups():
        for line in lines:
            yield identifier, line


class MetaLines:
    """The lines of ``meta/<table>.jsonl`` of an archive of this tool, asked for in the order of the rows."""

    def __init__(self, archive: Archive, table: str) -> None:
        self._name = names.entry("meta", table)
        self._lines = archive.reader.meta_lines(table)
        self._last: str | None = None
        self._number = 0
        self.line: dict[str, JSON] | None = None
        """The parsed line that comes next, None at the end."""
        self.text = b""
        """The same as it stands in the archive."""
        self.next()

    @property
    def where(self) -> str:
        """Entry and number of the line that :meth:`of` gave last."""
        return f"{self._name}:{self._number}"

    def of(self, identifier: str) -> dict[str, JSON] | None:
        """The parsed line of a row, None where there is none. Raises :class:`DamagedArchiveError`.

        What the format knows of has no numbers but integers; where a line has others, they may be ``float``.
        """
        while self.line is not None and self.line["id"] < identifier:
            self.next()
        if self.line is None or self.line["id"] != identifier:
            return None
        return self.line

    def finish(self) -> None:
        """Read what is left, so that all lines and the entry's end have been checked."""
        while self.line is not None:
            self.next()

    def next(self) -> None:
        """Go on to the next line. Raises :class:`DamagedArchiveError`."""
        try:
            self._number, self.text = next(self._lines)
        except StopIteration:
            self.line = None
            return
        try:
            line = jsontext.parse_inexact(self.text)
        except JSONTextError:
            line = None
        if type(line) is not dict or type(line.get("id")) is not str:
            raise DamagedArchiveError("not a JSON object with a string id", code="line", where=self.where)
        if self._last is not None and line["id"] <= self._last:
            raise not_in_order(self._name, self._number)
        self._last = line["id"]
        self.line = line
