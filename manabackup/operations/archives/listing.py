"""The lines of an open archive, for people and other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...archive.reader import Archive
from ...errors import NotFoundError
from ...rows.archived import clean_rows
from ...text import jsontext
from ...text.printable import counted, one_line


def row_lines(archive: Archive, table: str) -> Iterator[bytes]:
    """The rows of a table as this tool writes them, canonical JSON. Raises :class:`DamagedArchiveError`."""
    for row in clean_rows(archive, table):
        yield row.line


def meta_lines(archive: Archive, table: str) -> Iterator[bytes]:
    """Who changed which field of the rows of a table when, as it stands there. Raises as above."""
    for _, line in archive.reader.meta_lines(table):
        yield line


def lines_of(
    archive: Archive, table: str, *, meta: bool = False, ids: Sequence[str] = (), pretty: bool = False
) -> Iterator[bytes]:
    """The rows of a table, or who changed them when: all, or those of some ids; ``pretty`` with one member a line.

    Raises :class:`DamagedArchiveError`, and :class:`NotFoundError` at the end for ids that are not there.
    """
    missing = set(ids)
    for line in meta_lines(archive, table) if meta else row_lines(archive, table):
        if ids:
            identifier = jsontext.parse(line).get("id")
            if identifier not in missing:
                continue
            missing.discard(identifier)
        yield jsontext.dumps_indented(jsontext.parse(line)).rstrip(b"\n") if pretty else line
        if ids and not missing:
            return
    if missing:
        names = ", ".join(one_line(identifier, 64) for identifier in sorted(missing)[:3])
        raise NotFoundError(f"{one_line(table)} has no {counted(len(missing), 'row').partition(' ')[2]} {names}")
