"""Writes ``.mana`` v2 archives, plain or sealed, in one pass and in constant memory.

Rows stream into the container table by table; what belongs to other entries meanwhile (meta lines, problems) waits in
encrypted spools. The manifest comes last, when everything it states is known. In a sealed archive all of that is the
plaintext of one AES-GCM message that never touches the disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .. import __version__
from ..crypto.seal import CipherSpool, SealingStream, SealParameters, SpoolFile, derive_key
from ..jsontext import JSON
from ..limits import GIB, KIB
from . import names, readme
from .manifest import FORMAT_VERSION, seal_block, write_manifest
from .sums import covered, data_sha256, write_sums
from .zipwriter import STORED, EntryWriter, SpooledEntry, ZipWriter

_NONCE_BYTES = 32
_LARGE = 4 * GIB - 64 * KIB
WEB_APP_MAX_BYTES = 4 * GIB - 1
"""The web app's reader knows no Zip64: larger files or entries do not open there."""


class Output(Protocol):
    """A seekable binary file, empty, at its start."""

    def write(self, data: bytes, /) -> object: ...
    def seek(self, offset: int, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an archive."""

    bytes: int
    rows: int
    row_counts: dict[str, int]
    data_sha256: str
    sealed: bool
    web_app_reads_it: bool
    """False beyond 4 GiB."""


class TableWriter:
    """The open table: one ``data/`` entry being written, one ``meta/`` entry waiting."""

    def __init__(self, archive: ArchiveWriter, table: str, data: EntryWriter) -> None:
        self._archive = archive
        self._table = table
        self._data = data
        self._data_hash = hashlib.sha256()
        self._meta: LineSpool | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.rows = 0

    def add(self, line: bytes, meta_line: bytes | None = None) -> None:
        """One row and its meta line, without line ends. Rows come in ascending order of their ids."""
        self._pending.append(line)
        self._pending_bytes += len(line)
        self.rows += 1
        if self._pending_bytes >= 256 * KIB:
            self._drain()
        if meta_line is not None:
            self.add_meta(meta_line)

    def add_meta(self, meta_line: bytes) -> None:
        """A meta line by itself; they come in the rows' order."""
        if self._meta is None:
            self._meta = self._archive.spool(names.entry("meta", self._table))
        self._meta.add(meta_line)

    def close(self) -> None:
        """End the table."""
        self._drain()
        self._data.close()
        self._archive.end_entry(names.entry("data", self._table), self._data_hash.hexdigest())
        self._archive.row_counts[self._table] = self.rows
        if self._meta is not None:
            self._meta.close()

    def _drain(self) -> None:
        if self._pending:
            self._pending.append(b"")
            block = b"\n".join(self._pending)
            self._data_hash.update(block)
            self._data.write(block)
            self._pending.clear()
            self._pending_bytes = 0


class LineSpool:
    """An entry of JSON Lines that grows beside the open one and lands when it is closed."""

    def __init__(self, archive: ArchiveWriter, entry: SpooledEntry) -> None:
        self._archive = archive
        self._entry = entry
        self._hash = hashlib.sha256()
        self._pending: list[bytes] = []
        self.lines = 0

    def add(self, line: bytes) -> int:
        """One line, without its end; gives the line's number, from 0."""
        self._pending.append(line)
        self.lines += 1
        if len(self._pending) >= 512:
            self._drain()
        return self.lines - 1

    def close(self) -> None:
        """End the entry; one without lines is not written."""
        if not self.lines:
            self._entry.discard()
            return
        self._drain()
        self._entry.close()
        self._archive.end_entry(self._entry.name, self._hash.hexdigest())

    def _drain(self) -> None:
        if self._pending:
            self._pending.append(b"")
            block = b"\n".join(self._pending)
            self._hash.update(block)
            self._entry.write(block)
            self._pending.clear()


@dataclass(frozen=True, slots=True)
class About:
    """What the manifest says in the keys that the web app knows."""

    user_id: str
    exported_at: str
    """RFC 3339, UTC, milliseconds."""
    scope: dict[str, JSON]
    fields_plaintext: bool
    schema_version: int = 0
    """Of the web app's local database; 0 = unknown, which it always accepts."""

    def manifest(self, row_counts: dict[str, int]) -> dict[str, JSON]:
        """The keys in the web app's order."""
        return {
            "formatVersion": FORMAT_VERSION,
            "schemaVersion": self.schema_version,
            "producedBy": f"manabackup/{__version__}",
            "exportedAt": self.exported_at,
            "userId": self.user_id,
            "scope": self.scope,
            "rowCounts": row_counts,
            "fieldsPlaintext": self.fields_plaintext,
        }


@dataclass(frozen=True, slots=True)
class Seal:
    """How an archive is sealed."""

    passphrase: str = field(repr=False)
    private: bool = False
    """Reduce the outer manifest to the minimum that the format demands."""


class ArchiveWriter:
    """An archive being written to ``output``.

    ``tables`` gives the order of the central directory. ``make_spool_file`` makes an anonymous temporary file; what is
    written to it is encrypted. ``may_exceed_4_gib`` must be true unless the whole content is known to be smaller.
    """

    def __init__(
        self,
        output: Output,
        *,
        tables: Sequence[str],
        seal: Seal | None = None,
        make_spool_file: Callable[[], SpoolFile],
        may_exceed_4_gib: bool = False,
    ) -> None:
        self._order = names.EntryOrder(tables)
        self._seal = seal
        self._make_spool_file = make_spool_file
        self._hashes: dict[str, str] = {}
        self.row_counts: dict[str, int] = {}
        self._outer = ZipWriter(output, seekable=output)
        if seal is None:
            self._container = self._outer
        else:
            self._parameters = SealParameters.fresh()
            key = derive_key(seal.passphrase, self._parameters)
            self._body = self._outer.open(names.SEALED, method=STORED, may_exceed_4_gib=may_exceed_4_gib)
            self._sealing = SealingStream(key, self._parameters.iv, self._body.write)
            self._container = ZipWriter(self._sealing)
            # Random bytes, so that plaintextSha256 of equal contents differs and confirms no guess.
            self._container.add(names.NONCE, os.urandom(_NONCE_BYTES), method=STORED)

    def table(self, table: str, *, bound: int = 0) -> TableWriter:
        """Begin a table of at most ``bound`` bytes; the one before must be closed."""
        entry = self._container.open(names.entry("data", table), may_exceed_4_gib=bound >= _LARGE)
        return TableWriter(self, table, entry)

    def spool(self, name: str) -> LineSpool:
        """Begin an entry of JSON Lines beside whatever is open."""
        return LineSpool(self, self._container.spooled(name, CipherSpool(self._make_spool_file)))

    def add(self, name: str, content: bytes) -> None:
        """A whole entry under ``account/`` or ``meta/``; no table may be open."""
        self._container.add(name, content)
        self.end_entry(name, hashlib.sha256(content).hexdigest())

    def stream(self, name: str, chunks: Iterable[bytes], *, bound: int) -> None:
        """As :meth:`add`, for content of at most ``bound`` bytes that comes in pieces."""
        entry = self._container.open(name, may_exceed_4_gib=bound >= _LARGE)
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            entry.write(chunk)
        entry.close()
        self.end_entry(name, digest.hexdigest())

    def end_entry(self, name: str, sha256: str) -> None:
        """Called by the entries: remember what was written."""
        if covered(name):
            self._hashes[name] = sha256

    def finish(self, about: About, additions: dict[str, JSON]) -> Written:
        """Write sums, manifest and directory. ``additions`` are the manifest keys that the web app does not know."""
        counts = dict(sorted(self.row_counts.items(), key=lambda item: self._order(names.entry("data", item[0]))))
        known = about.manifest(counts)
        content = data_sha256(self._hashes)
        inner = {**known, **additions, "dataSha256": content}
        self._container.add(names.SUMS, write_sums(self._hashes))
        if self._seal is None:
            self._container.add(names.MANIFEST, write_manifest(inner))
            self._container.add(names.README, readme.PLAIN.encode())
        else:
            outer = _private(known) if self._seal.private else known
            self._container.add(names.MANIFEST, write_manifest({**inner, "outer": outer}))
            self._container.finish(self._order)
            plaintext_sha256, sealed_sha256 = self._sealing.finish()
            self._body.close()
            outer = {
                **outer,
                "passphrase": seal_block(self._parameters, plaintext_sha256),
                "sealedSha256": sealed_sha256,
            }
            self._outer.add(names.MANIFEST, write_manifest(outer), method=STORED)
            self._outer.add(names.README, readme.SEALED.encode(), method=STORED)
        self._outer.finish(self._order)
        return Written(
            bytes=self._outer.position,
            rows=sum(counts.values()),
            row_counts=counts,
            data_sha256=content,
            sealed=self._seal is not None,
            web_app_reads_it=self._outer.position <= WEB_APP_MAX_BYTES
            and self._container.position <= WEB_APP_MAX_BYTES,
        )


def _private(manifest: dict[str, JSON]) -> dict[str, JSON]:
    """The least that the format demands of an outer manifest."""
    return {
        **manifest,
        "exportedAt": f"{str(manifest['exportedAt'])[:10]}T00:00:00.000Z",
        "userId": "-",
        "scope": {"type": "full"},
        "rowCounts": {},
    }
