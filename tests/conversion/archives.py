"""Archives to convert: rows put together by hand, and a whole account out of the embedded server."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import manabackup
from manabackup import Mirror, Plan, Sandbox, Seal, StaticToken
from manabackup.archive.writer import About, ArchiveWriter
from manabackup.rows.archived import row_line

Rows = Sequence[Mapping[str, Any]]
Tables = Mapping[str, Rows]
PASSPHRASE = "a passphrase of some length"
ABOUT = About("user-1", "2026-05-01T12:00:00.000Z", {"type": "full"}, fields_plaintext=True)
MADE, CHANGED = "2026-01-01T10:00:00.000Z", "2026-02-01T10:00:00.000Z"


def write_archive(
    path: Path,
    tables: Tables,
    *,
    times: Mapping[str, tuple[str, str]] = {},
    seal: Seal | None = None,
    ciphertext: Mapping[str, Sequence[str]] = {},
    marked: bool = False,
    about: About = ABOUT,
    completeness: Mapping[str, Any] = {},
) -> Path:
    """An archive with just these rows.

    ``times``: id → when a row was made and changed. ``ciphertext``: id → fields that the archive, if it is ``marked``,
    says are ciphertext.
    """
    output = io.BytesIO()
    with ArchiveWriter(output, tables=list(tables), seal=seal, make_spool_file=tempfile.TemporaryFile) as writer:
        for name, rows in tables.items():
            table = writer.table(name)
            for row in sorted(rows, key=lambda row: row["id"]):
                made, changed = times.get(row["id"], (MADE, CHANGED))
                table.add(row_line(row))
                stamp = {"actor": None, "at": changed, "origin": "user"}
                meta = {"id": row["id"], "actor": None, "at": made, "origin": "user", "space": None, "sealed": []}
                if row["id"] in ciphertext:
                    meta["ciphertext"] = ciphertext[row["id"]]
                table.add_meta(json.dumps({**meta, "fields": {"title": stamp}}, sort_keys=True).encode())
            table.close()
        writer.finish(about, {**({"ciphertextMarked": True} if marked else {}), **completeness})
    path.write_bytes(output.getvalue())
    return path


def write_account(path: Path, plan: Plan, *, seal: Seal | None = None) -> Path:
    """An account of the embedded server, exported."""
    with Sandbox() as box, tempfile.TemporaryDirectory() as folder:
        account = manabackup.populate(box.log, box.accounts, plan)
        token = StaticToken(box.accounts.issue_token(account.user_id))
        with (
            manabackup.connect(token, auth_url=box.url, sync_url=box.url) as connection,
            Mirror(Path(folder, "mirror.sqlite"), sync_url=box.url, user_id=account.user_id) as mirror,
        ):
            key = manabackup.unlock(mirror, connection, master_key=account.master_key)
            manabackup.pull(mirror, connection)
            with manabackup.export_source(mirror, key, connection) as source:
                manabackup.export(source, path, seal=seal)
    return path


def rows_of(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Table → id → values, as Python's own parser has them."""
    with manabackup.open_archive(path, lambda: PASSPHRASE) as archive:
        return {table: {row.id: json.loads(row.line) for row in archive.rows(table)} for table in archive.tables}
