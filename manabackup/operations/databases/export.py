"""``profile export``: one person's rows as an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ...archive.destination import Destination, keep_complete, named, opened, writing
from ...archive.names import unknown_tables
from ...archive.writer import About, ArchiveWriter, Seal
from ...errors import NotFoundError
from ...host.output import AtomicFile
from ...host.processes import InOrder, cores_for
from ...host.spooling import spool_files
from ...rows.completeness import Completeness
from ...sources.profile import Profile, ProfiledTable, store_of, table_of
from ...sources.values import key_of_column
from ...text import jsontext
from ...text.jsontext import JSON
from ..progress import Step, Watch, teller
from .check import fingerprint_of
from .making import make
from .reading import Found, TableReader
from .stores import StorePlaces, Stores, Whose, open_stores, refuse

SCHEMA = "account/schema.json"
"""The entry that says what the rows were: types, keys, and what was left out."""


@dataclass(frozen=True, slots=True)
class DatabaseExport:
    """What came of it."""

    archive: Path
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


def export_rows(
    profile: Profile,
    places: StorePlaces,
    user: str,
    target: Destination,
    *,
    derived: bool = False,
    seal: Seal | None = None,
    force: bool = False,
    dated: datetime | None = None,
    progress: Watch | None = None,
) -> DatabaseExport:
    """Writes what ``user`` owns, and what the profile grants of others' rows, out of one snapshot of each database.

    ``derived`` takes columns along that can be computed again. ``dated`` is what the manifest says of when. Raises
    :class:`~manabackup.errors.SourceError` for a database that is not as the profile says, before anything is written,
    :class:`~manabackup.errors.NotFoundError` where nothing is anybody's of that name, and what the destination raises.
    """
    with open_stores(profile, places) as stores:
        refuse(stores.findings())
        whose = stores.whose(user)
        stores.check_proofs(whose)
        return _write(stores, whose, target, derived=derived, seal=seal, force=force, dated=dated, progress=progress)


def _write(
    stores: Stores,
    whose: Whose,
    target: Destination,
    *,
    derived: bool,
    seal: Seal | None,
    force: bool,
    dated: datetime | None,
    progress: Watch | None,
) -> DatabaseExport:
    profile = stores.profile
    tables = [table for table in profile.read_tables() if _is_there(stores, table)]
    called = unknown_tables((profile.name, table_of(table.name)) for table in tables)
    make_file = spool_files(target)
    output = opened(target, force=force)
    tell = teller(progress, Step.EXPORT)
    found: dict[str, Found] = {}
    described: dict[str, JSON] = {}
    readers = [
        TableReader(stores, table, archived_as=called[profile.name, table_of(table.name)], derived=derived)
        for table in tables
    ]
    makers = [maker for reader in readers for maker in reader.makers]
    first = 0
    with (
        writing(target),
        InOrder(partial(make, makers), cores_for(stores.size())) as making,
        output as file,
        ArchiveWriter(file, tables=(), seal=seal, make_spool_file=make_file, may_exceed_4_gib=True) as writer,
    ):
        problems = writer.spool("meta/problems.jsonl")
        completeness = Completeness(problems.add)
        for number, reader in enumerate(readers):
            table = reader.table
            rows, lines = reader.read(whose, making, first, completeness.note, make_file)
            first += len(reader.makers)
            found[table.name] = rows
            written = writer.table(reader.archived_as, bound=rows.bytes)
            for line in lines:
                written.add(line)
            written.close()
            described[reader.archived_as] = _described(table, reader, stores, derived=derived)
            tell(number + 1, len(tables))
        if not whose.found and not any(each.own for each in found.values()):
            raise NotFoundError("nobody of that name is in the database, and no row is theirs")
        problems.close()
        fingerprint = fingerprint_of(stores)
        writer.add(SCHEMA, jsontext.dumps_indented(_schema(stores, described)))
        keep_complete(output, completeness.status, seal)
        amount = sum(each.own + each.reduced for each in found.values())
        about = About(
            user_id=whose.user,
            exported_at=_instant(dated or datetime.now(UTC)),
            scope={"type": "filtered", "appIds": [profile.name]},
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


def _is_there(stores: Stores, table: ProfiledTable) -> bool:
    return table_of(table.name) in stores.catalogs[store_of(table.name)].tables


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


def _described(table: ProfiledTable, reader: TableReader, stores: Stores, *, derived: bool) -> dict[str, JSON]:
    """What a reader needs to know of a table's rows, and what was left out of them."""
    columns: list[JSON] = []
    for column in reader.columns:
        archived = key_of_column(column.name, reader.key)
        meaning = stores.profile.types.get((table.name, column.name))
        columns.append(
            {
                "name": column.name,
                "type": column.type,
                "nullable": column.nullable,
                **({"as": archived} if archived != column.name else {}),
                **({"meaning": meaning} if meaning is not None else {}),
            }
        )
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
        **({"othersColumns": list(table.others.columns)} if table.others is not None else {}),
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
