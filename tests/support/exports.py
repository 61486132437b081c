"""Archives of every kind that this tool writes, made from the small account in ``fixtures/v1``."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from manabackup.archive.reader import open_archive
from manabackup.archive.v1 import open_events
from manabackup.archive.writer import Seal
from manabackup.crypto.fields import FieldCipher
from manabackup.limits import DEFAULT_LIMITS, Limits
from manabackup.model import registry
from manabackup.operations.archives.event_log import EventLog
from manabackup.operations.export import ExportResult, Selection, Source, export

from .v1_exports import FOLDER, KEY, USER

FIXTURES = Path(__file__).parents[2] / "fixtures"
VECTORS = FIXTURES / "vectors"
PASSPHRASE = "Überraschung für Oma 🔑"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def write_export(
    path: Path,
    *,
    seal: Seal | None = None,
    key: bytes | None = KEY,
    selection: Selection | None = None,
    space_types: dict[str, str] | None = None,
    force: bool = False,
    strict: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> ExportResult:
    """Export the account; the wrong ``key`` makes the export partial."""
    with open_events(FOLDER / "life.mana") as events, EventLog(events, tempfile.TemporaryFile) as log:
        source = Source(
            mirror=log,
            registry=registry.load(),
            user_id=USER,
            pulled_at="2026-04-20T09:30:15Z",
            cipher=FieldCipher(key) if key is not None else None,
            space_types={"space-1": "personal"} if space_types is None else space_types,
            account={"data.json": b'{"email":"oma@example.org"}'},
            notices=[("accountData", "no session")],
        )
        return export(source, path, seal=seal, selection=selection, force=force, strict=strict, now=NOW, limits=limits)


def lines_of(path: Path, passphrase: str = PASSPHRASE) -> dict[str, list[str]]:
    """The rows' texts by table, as this tool reads them."""
    with open_archive(path, lambda: passphrase) as archive:
        return {table: [row.line.decode() for row in archive.rows(table)] for table in archive.tables}
