"""The files of a rekeyed archive: carried over as they are, since they lie in clear on the server.

What is known of them only because a private field tells it stays behind: such a field is ciphertext in a rekeyed
archive, and its content must not stand beside it in clear.
"""

from __future__ import annotations

from dataclasses import replace

from ...archive import names
from ...archive.blobs import BinaryAssets, carried_assets
from ...archive.reader import Archive
from ...archive.writer import ArchiveWriter
from ...rows.blobs import Referrer, indexed_files
from ...rows.identity import RowIds


def carry_files(archive: Archive, writer: ArchiveWriter, ids: RowIds) -> BinaryAssets | None:
    """Writes the files and their index; gives what the manifest is to say of references."""
    assets = carried_assets(archive.manifest)
    if assets is None:
        return None
    index = writer.spool(names.entry("meta", "blobs"))
    dropped = 0
    for file in indexed_files(archive):
        public = [row for row in file.rows if not row.private]
        dropped += len(file.rows) - len(public)
        if not public and not file.ids:
            continue  # it stands in a private field as a whole, or its address does
        if file.sha256 is not None:
            writer.copy(archive, names.blob(file.sha256))
        rows = [_renamed(row, ids) for row in public]
        index.add(replace(file, rows=rows, addresses=file.addresses if public else ()).text())
    index.close()
    return replace(assets, references=max(0, assets.references - dropped))


def _renamed(row: Referrer, ids: RowIds) -> Referrer:
    return replace(row, id=ids.rewritten(row.table, row.id).id)
