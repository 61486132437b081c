"""The rows of an archive as this tool writes them, whoever wrote the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..archive.manifest import Manifest
from ..archive.reader import Archive
from ..errors import UsageError
from ..model.projection import Record, Stamp, from_field_meta
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.printable import printable

RESERVED_META = frozenset({"actors", "blobs", "problems", "spaces"})
"""What ``meta/`` holds besides the lines of tables; a table of such a name has none."""


@dataclass(frozen=True, slots=True)
class CleanRow:
    """A row without internal keys. ``record`` is given where the archive held field times inside its rows."""

    id: str
    line: bytes
    record: Record | None = None


def require_mana(manifest: Manifest) -> None:
    """Raises :class:`UsageError` for an archive of another database: Mana knows none of its tables."""
    profile = manifest.profile
    if profile is not None:
        raise UsageError(
            f"the archive holds rows of another database, by the profile {printable(profile)}, and none of Mana's",
            hint="verify, info, cat, find, diff, seal, unseal, view and convert work on it",
        )


def is_ours(archive: Archive) -> bool:
    """Whether the rows are clean and sorted already, because this tool wrote them."""
    return archive.manifest.data_sha256 is not None


def clean_rows(archive: Archive, table: str) -> Iterator[CleanRow]:
    """The rows of a table, in the archive's order. Internal keys of the web app's own archives become a record."""
    if is_ours(archive):
        for row in archive.rows(table):
            yield CleanRow(row.id, row.line)
        return
    for row in archive.rows(table):
        values, stamps = from_field_meta(row.values())
        yield CleanRow(row.id, row_line(values), _record(row.id, values, stamps))


def row_line(values: Mapping[str, JSON]) -> bytes:
    """A row's canonical text: ``id`` first, the other keys sorted. ``values`` hold ``id``."""
    rest = {name: value for name, value in values.items() if name != "id"}
    identifier = b'{"id":' + jsontext.dumps(values["id"])
    return identifier + (b"," + jsontext.dumps(rest)[1:] if rest else b"}")


def _record(identifier: str, values: Mapping[str, JSON], stamps: Mapping[str, Stamp]) -> Record:
    record = Record(identifier)
    record.values = {name: value for name, value in values.items() if name != "id"}
    record.stamps = dict(stamps)
    space = values.get("spaceId")
    record.space = space if isinstance(space, str) else None
    return record
