"""The lines of an open archive, for people and other programs."""

from __future__ import annotations

from collections.abc import Iterator

from ...archive.reader import Archive
from ...rows.archived import clean_rows


def row_lines(archive: Archive, table: str) -> Iterator[bytes]:
    """The rows of a table as this tool writes them, canonical JSON. Raises :class:`DamagedArchiveError`."""
    for row in clean_rows(archive, table):
        yield row.line


def meta_lines(archive: Archive, table: str) -> Iterator[bytes]:
    """Who changed which field of the rows of a table when, as it stands there. Raises as above."""
    for _, line in archive.reader.meta_lines(table):
        yield line
