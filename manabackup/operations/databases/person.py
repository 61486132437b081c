"""One person's archive of rows out of a database, and what it says of how it came to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ...archive.destination import Destination, keep_complete, named, opened, writing
from ...archive.names import unknown_tables
from ...archive.places import Location
from ...archive.writer import About, ArchiveWriter, Seal
from ...crypto.spools import SpoolFile
from ...errors import NotFoundError
from ...host.output import AtomicFile
from ...host.set_aside import Tell
from ...rows.completeness import Case, Completeness
from ...sources.catalog import Column, without_modifier
from ...sources.profile import store_of, table_of
from ...sources.values import key_of_column
from ...text import jsontext
from ...text.jsontext import JSON
from .check import fingerprint_of
from .reading import Found, TableReader
from .stores import Stores, Whose

SCHEMA = "account/schema.json"
"""The entry that says what the rows were: types, keys, and what was left out."""


@dataclass(frozen=True, slots=True)
class DatabaseExport:
    """What came of it."""

    archive: Location
    bytes: int
    rows: int
    data_sha256: str
    sealed: bool
    status: str
    fingerprint: str
    tables: Mapping[str, Found]
    """By table of the profile."""
    losses: Mapping[str, int]
    user_found: bool
    previous: Path | None = None
    """Where a complete archive is kept whose place this one took."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``profile export --json`` prints."""
        return {
            "archive": str(self.archive),
            "bytes": self.bytes,
            "rows": self.rows,
            "dataSha256": self.data_sha256,
            "sealed": self.sealed,
            "status": self.status,
            "fingerprint": self.fingerprint,
            "user": {"found": self.user_found},
            "tables": {name: found.to_json() for name, found in self.tables.items()},
            "losses": dict(self.losses),
            **({"previous": str(self.previous)} if self.previous is not None else {}),
        }


class TableRows(NamedTuple):
    """The rows of one table on their way into somebody's archive."""

    bound: int
    """Bytes of the lines with their ends, at most."""
    lines: Iterator[bytes]
    found: Callable[[], Found]
    """What was found, once the lines have been read."""


@dataclass(frozen=True, slots=True)
class HowToWrite:
    """What is the same for all archives of a run."""

    derived: bool = False
    """Whether columns come along that can be computed again."""
    seal: Seal | None = None
    force: bool = False
    dated: datetime | None = None
    """What the manifest says of when."""


def readers_of(stores: Stores, *, derived: bool) -> list[TableReader]:
    """Of all tables whose rows are taken out and that are there, in the profile's order."""
    profile = stores.profile
    tables = [
        table for table in profile.read_tables() if table_of(table.name) in stores.catalogs[store_of(table.name)].tables
    ]
    called = unknown_tables((profile.name, table_of(table.name)) for table in tables)
    return [
        TableReader(stores, table, archived_as=called[profile.name, table_of(table.name)], derived=derived)
        for table in tables
    ]


def write_archive(
    stores: Stores,
    whose: Whose,
    readers: Sequence[TableReader],
    rows: Callable[[TableReader, Callable[[Case], object]], TableRows],
    target: Destination,
    *,
    make_file: Callable[[], SpoolFile],
    how: HowToWrite,
    written: Callable[[int], object] = lambda _: None,
    sent: Tell | None = None,
) -> DatabaseExport:
    """Writes somebody's archive; ``rows`` gives those of a table, of which it notes what there is to say.

    ``written`` is told how many tables are done, ``sent`` how far it is sent to a far place.
    Raises :class:`NotFoundError` where nothing is theirs.
    """
    output = opened(target, force=how.force, tell=sent)
    found: dict[str, Found] = {}
    described: dict[str, JSON] = {}
    with (
        writing(target),
        output as file,
        ArchiveWriter(file, tables=(), seal=how.seal, make_spool_file=make_file, may_exceed_4_gib=True) as writer,
    ):
        problems = writer.spool("meta/problems.jsonl")
        completeness = Completeness(problems.add)
        for number, reader in enumerate(readers):
            coming = rows(reader, completeness.note)
            table = writer.table(reader.archived_as, bound=coming.bound)
            for line in coming.lines:
                table.add(line)
            table.close()
            found[reader.table.name] = coming.found()
            described[reader.archived_as] = _described(reader, stores, derived=how.derived)
            written(number + 1)
        if not whose.found and not any(each.own for each in found.values()):
            raise NotFoundError("nobody of that name is in the database, and no row is theirs")
        problems.close()
        fingerprint = fingerprint_of(stores)
        writer.add(SCHEMA, jsontext.dumps_indented(_schema(stores, described)))
        keep_complete(output, target, completeness.status, how.seal)
        amount = sum(each.own + each.reduced for each in found.values())
        about = About(
            user_id=whose.user,
            exported_at=_instant(how.dated or datetime.now(UTC)),
            scope={"type": "filtered", "appIds": [stores.profile.name]},
            fields_plaintext=True,
        )
        losses = completeness.counts()["losses"]
        archived = writer.finish(
            about,
            {
                "ciphertextMarked": True,
                "completeness": {
                    "status": completeness.status,
                    "rows": amount,
                    "live": amount,
                    "deleted": 0,
                    **completeness.cases(),
                },
                "database": _stated(stores, whose, fingerprint, found),
            },
        )
    return DatabaseExport(
        archive=named(target),
        bytes=archived.bytes,
        rows=archived.rows,
        data_sha256=archived.data_sha256,
        sealed=archived.sealed,
        status=completeness.status,
        fingerprint=fingerprint,
        tables=found,
        losses=losses,
        user_found=whose.found,
        previous=output.set_aside if isinstance(output, AtomicFile) else None,
    )


def _stated(stores: Stores, whose: Whose, fingerprint: str, found: Mapping[str, Found]) -> dict[str, JSON]:
    """The manifest's ``database``."""
    profile = stores.profile
    missing: list[JSON] = [table.name for table in profile.read_tables() if table.name not in found]
    return {
        "profile": {"name": profile.name, "title": profile.title, "sha256": profile.sha256},
        "fingerprint": fingerprint,
        "userFound": whose.found,
        "stores": {name: stores.database(name).snapshot() for name in profile.stores if stores.has_its_own(name)},
        "tables": {name: rows.to_json() for name, rows in found.items()},
        **({"missing": missing} if missing else {}),
    }


def _schema(stores: Stores, described: dict[str, JSON]) -> dict[str, JSON]:
    profile = stores.profile
    not_read: dict[str, JSON] = {
        table.name: {"class": str(table.kind), **({"why": table.why} if table.why is not None else {})}
        for table in profile.tables.values()
        if not table.is_read
    }
    return {"profile": profile.name, "tables": described, "notRead": not_read}


def _described(reader: TableReader, stores: Stores, *, derived: bool) -> dict[str, JSON]:
    """What a reader needs to know of a table's rows, and what was left out of them."""
    table = reader.table
    columns: list[JSON] = []
    for column in reader.columns:
        archived = key_of_column(column.name, reader.key)
        meaning = stores.profile.types.get((table.name, column.name))
        columns.append(
            {
                **_typed(column),
                **({"as": archived} if archived != column.name else {}),
                **({"meaning": meaning} if meaning is not None else {}),
            }
        )
    left_out: list[JSON] = [_typed(column) for column in reader.there.columns.values() if column not in reader.columns]
    omitted: dict[str, JSON] = dict(table.omit)
    omitted |= {} if derived else dict.fromkeys(table.derived, "derived")
    references: list[JSON] = [
        {"columns": list(each.columns), "table": each.table, "key": list(each.key)} for each in reader.there.references
    ]
    return {
        "store": store_of(table.name),
        "table": table_of(table.name),
        "class": str(table.kind),
        "key": list(reader.key),
        "columns": columns,
        "references": references,
        **({"order": list(table.order)} if table.order else {}),
        **({"omitted": omitted} if omitted else {}),
        **({"omittedColumns": left_out} if left_out else {}),
        **({"othersColumns": list(table.others.columns)} if table.others is not None else {}),
    }


def _typed(column: Column) -> dict[str, JSON]:
    """A column and its type; also the one beneath, where that decides how values are written."""
    described: dict[str, JSON] = {"name": column.name, "type": column.type, "nullable": column.nullable}
    if column.base not in ("", without_modifier(column.type)):
        described["base"] = column.base
    return described


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
