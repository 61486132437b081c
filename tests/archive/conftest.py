"""Archives for the tests of this folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from manabackup.archive.writer import About, ArchiveWriter, Seal, Written

PASSPHRASE = "Überraschung für Oma 🔑"

Maker = Callable[..., Written]


@pytest.fixture
def make_archive() -> Maker:
    """Writes an archive: ``make_archive(path, {"notes": [line, …]}, seal=…)``."""

    def make(path: Path, tables: dict[str, list[bytes]], *, seal: Seal | None = None, **options: object) -> Written:
        with path.open("w+b") as file:
            writer = ArchiveWriter(
                file, tables=list(tables), seal=seal, make_spool_file=tempfile.TemporaryFile, **options
            )
            for name, lines in tables.items():
                table = writer.table(name)
                for line in lines:
                    table.add(line, b'{"id":%s}' % line[6:].split(b",")[0].rstrip(b"}"))
                table.close()
            about = About("user-1", "2026-05-01T12:00:00.000Z", {"type": "full"}, fields_plaintext=True)
            return writer.finish(about, {"completeness": {"status": "complete"}})

    return make
