"""From a database that ``convert --to sqlite`` made, the archive again.

As long as nobody wrote into it, and nothing was left out of it, that is the same content (``dataSha256``). What was
written into it goes into the archive too, and is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...archive.blobs import INDEX, KEY
from ...archive.destination import Destination, keep_complete, opened, writing
from ...archive.writer import About, ArchiveWriter, Seal, Written
from ...conversion.sqlite_back import ConvertedDatabase, WrittenInto, is_database
from ...conversion.sqlite_back import opened as opened_database
from ...errors import DamagedArchiveError
from ...host.spooling import spool_files
from ...limits import MIB
from ...model import registry
from ...rows.archived import RESERVED_META
from ...text.jsontext import JSON
from ..progress import Step, Watch, sending, teller
from .reseal import OWN_KEYS

__all__ = ["Returned", "from_database", "is_database"]


@dataclass(frozen=True, slots=True)
class Returned:
    """An archive that was made from a database."""

    archive: Written
    written: WrittenInto
    """What somebody wrote into the database."""
    left_out: dict[str, dict[str, int]]
    """Kind → table → how many: what the database never held."""
    not_whole: list[str]
    """Tables of which the database did not hold all."""
    same: bool
    """It has the content of the archive that the database was made from."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``convert --to mana --json`` prints of a database."""
        return {
            "bytes": self.archive.bytes,
            "rows": self.archive.rows,
            "tables": len(self.archive.row_counts),
            "dataSha256": self.archive.data_sha256,
            "sealed": self.archive.sealed,
            "same": self.same,
            "written": self.written.to_json(),
            "leftOut": self.left_out,
            "notWhole": self.not_whole,
        }


def from_database(
    source: Path,
    target: Destination,
    *,
    seal: Seal | None = None,
    force: bool = False,
    progress: Watch | None = None,
) -> Returned:
    """Write the archive. Raises :class:`DamagedArchiveError`, :class:`NotFoundError`, :class:`OutputError`."""
    tell = teller(progress, Step.CONVERT)
    with opened_database(source) as database:
        output = opened(target, force=force, tell=sending(progress))
        with (
            writing(target),
            output as file,
            ArchiveWriter(
                file,
                tables=[table.name for table in registry.load().tables],
                seal=seal,
                make_spool_file=spool_files(target),
                may_exceed_4_gib=database.size * 2 >= 2**32 - MIB,
            ) as writer,
        ):
            for number, name in enumerate(database.tables):
                _copy(database, name, writer)
                tell(number + 1, len(database.tables))
            for name, content in database.entries:
                folder, _, rest = name.partition("/")
                if name == INDEX:
                    continue  # of files, which no database has
                if folder == "account" or (folder == "meta" and rest.removesuffix(".jsonl") in RESERVED_META):
                    writer.add(name, content)
            manifest = database.manifest
            carried = {key: value for key, value in manifest.items() if key not in OWN_KEYS}
            not_whole = [*database.not_whole, *(["files"] if _has_files(manifest) else [])]
            if not_whole:
                carried["completeness"] = {**_object(manifest, "completeness"), "status": "partial"}
            keep_complete(output, target, str(_object(carried, "completeness").get("status")), seal)
            written = writer.finish(_about(manifest, source), carried)
        return Returned(
            archive=written,
            written=database.written,
            left_out=database.left_out,
            not_whole=not_whole,
            same=written.data_sha256 == manifest.get("dataSha256"),
        )


def _has_files(manifest: dict[str, JSON]) -> bool:
    """Whether the archive that the database was made from held files."""
    return bool(_object(manifest, KEY).get("count"))


def _copy(database: ConvertedDatabase, name: str, writer: ArchiveWriter) -> None:
    table = writer.table(name, bound=database.size * 2)
    for _, line, meta in database.rows(name):
        table.add(line)
        if meta is not None:
            table.add_meta(meta)
    table.close()


def _about(manifest: dict[str, JSON], source: Path) -> About:
    user_id, exported_at, scope = manifest.get("userId"), manifest.get("exportedAt"), manifest.get("scope")
    if not (isinstance(user_id, str) and isinstance(exported_at, str) and isinstance(scope, dict)):
        raise DamagedArchiveError(f"{source} does not say whose archive it was made from", code="manifest")
    schema_version = manifest.get("schemaVersion")
    return About(
        user_id=user_id,
        exported_at=exported_at,
        scope=scope,
        fields_plaintext=manifest.get("fieldsPlaintext") is True,
        schema_version=schema_version if type(schema_version) is int else 0,
    )


def _object(manifest: dict[str, JSON], key: str) -> dict[str, JSON]:
    value = manifest.get(key)
    return value if isinstance(value, dict) else {}
