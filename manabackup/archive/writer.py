"""Writes ``.mana`` v2 archives, plain or sealed, in one pass and in constant memory.

Rows stream into the container table by table; what belongs to other entries meanwhile (meta lines, problems) waits in
encrypted spools. The manifest comes last, when everything it states is known. In a sealed archive all of that is the
plaintext of one AES-GCM message that never touches the disk.

Hashing, deflating, encrypting and writing go on behind the caller, on a thread of their own, in the caller's order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from ..about import PRODUCT
from ..crypto.seal import SealingStream, SealParameters, derive_key
from ..crypto.spools import CipherSpool, SpoolFile
from ..errors import DamagedArchiveError, OutputError, UsageError
from ..limits import DEFAULT_LIMITS, GIB, KIB, MIB, Limits
from ..text import jsontext
from ..text.jsontext import JSON
from . import deflate, names, readme
from .behind import WriteBehind
from .blobs import INDEX, KEY, BinaryAssets
from .content import Content, LineEntry, TableWriter, unreadable
from .entries import EntryReader
from .manifest import FORMAT_VERSION, seal_block, write_manifest
from .places import Output
from .reader import Archive
from .sums import covered, data_sha256, write_sums
from .zipwriter import DEFLATED, STORED, ZipWriter

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_NONCE_BYTES = 32
_MAY_NEED_ZIP64 = 4 * GIB - 64 * KIB
"""Bytes of content that, deflated as badly as can be, may fill the 32 bits of a ZIP header."""
ENTRIES_AROUND = 3
"""In one container, besides tables, meta lines and account data: sums, manifest, and the nonce or README."""
WEB_APP_MAX_BYTES = 4 * GIB - 1
"""The web app's reader knows no Zip64: larger files or entries do not open there."""
_ROOM_AROUND = 64 * MIB
"""Left for what is written after the files."""
_ROOM_BY_FILE = 4 * KIB
_SAMPLE_BYTES = 64 * KIB
_WORTH_DEFLATING = 0.95
_COMPRESSED = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"ID3", b"OggS", b"fLaC")
"""What formats begin with that are compressed already: JPEG, PNG, GIF, MP3, Ogg, FLAC. Others say so further behind."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an archive."""

    bytes: int
    rows: int
    row_counts: dict[str, int]
    data_sha256: str
    sealed: bool
    files: int
    file_bytes: int
    web_app_reads_it: bool
    """False beyond 4 GiB."""


@dataclass(frozen=True, slots=True)
class About:
    """What the manifest says in the keys that the web app knows."""

    user_id: str
    exported_at: str
    """RFC 3339, UTC, milliseconds."""
    scope: dict[str, JSON]
    fields_plaintext: bool
    schema_version: int = 0
    """The version of the web app's local database; 0 = unknown, which it always accepts."""

    def manifest(self, row_counts: dict[str, int]) -> dict[str, JSON]:
        """The keys in the web app's order."""
        return {
            "formatVersion": FORMAT_VERSION,
            "schemaVersion": self.schema_version,
            "producedBy": PRODUCT,
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

    def __post_init__(self) -> None:
        """Raises :class:`UsageError` for an empty passphrase, which protects nothing."""
        if not self.passphrase:
            raise UsageError("the passphrase is empty")


class ArchiveWriter:
    """An archive being written to ``output``, until the ``with`` block ends.

    ``tables`` gives the order of the central directory. ``make_spool_file`` makes an anonymous temporary file; what is
    written to it is encrypted. ``may_exceed_4_gib`` must be true unless the whole content is known to be smaller.

    ``rewritten`` is an archive whose tables and account entries are written: another writer's names may have to change.
    ``limits`` are those of readers: what they would refuse is an :class:`OutputError` here. What goes wrong while
    writing is raised by a later call, at the latest by :meth:`finish`.
    """

    def __init__(
        self,
        output: Output,
        *,
        tables: Sequence[str],
        seal: Seal | None = None,
        make_spool_file: Callable[[], SpoolFile],
        may_exceed_4_gib: bool = False,
        rewritten: Archive | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._tables: dict[str, str] = {}
        self._account: dict[str, str] = {}
        if rewritten is not None:
            entries = rewritten.reader.container.entries.values()
            subjects = {names.table_of(entry.name) for entry in entries if entry.kind in ("data", "meta")}
            self._tables = names.written_tables(subjects)
            self._account = names.written_names(names.account_of(name) for name in rewritten.account)
        self._limits = limits
        self._bytes = 0
        self._order = names.EntryOrder(tables)
        self._seal = seal
        self._make_spool_file = make_spool_file
        self._hashes: dict[str, str] = {}
        self._places: set[str] = set()
        self._files = self._file_bytes = 0
        self.row_counts: dict[str, int] = {}
        self._behind = WriteBehind()
        self._outer = ZipWriter(output, seekable=output)
        if seal is None:
            self._container = self._outer
        else:
            self._parameters = SealParameters.fresh()
            key = derive_key(seal.passphrase, self._parameters)
            self._body = self._outer.open(names.SEALED, method=STORED, may_exceed_4_gib=may_exceed_4_gib)
            self._sealing = SealingStream(key, self._parameters.iv, self._body.write, limits)
            self._container = ZipWriter(self._sealing)
            # Random bytes, so that plaintextSha256 of equal contents differs and confirms no guess.
            self._container.add(names.NONCE, os.urandom(_NONCE_BYTES), method=STORED)
            self._bytes = _NONCE_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._behind.close()

    def table(self, table: str, *, bound: int = 0) -> TableWriter:
        """Begin a table of at most ``bound`` bytes; the one before must be closed."""
        table = self._called(table)
        data = LineEntry(partial(self._begin, names.entry("data", table), bound), self._limits.line_bytes)
        return TableWriter(data, self.spool(names.entry("meta", table)), partial(self.row_counts.__setitem__, table))

    def spool(self, name: str) -> LineEntry:
        """Begin an entry of JSON Lines beside whatever is open."""
        return LineEntry(partial(self._begin_spooled, name), self._limits.line_bytes)

    def add(self, name: str, content: bytes) -> None:
        """A whole entry under ``account/`` or ``meta/``; no table may be open."""
        self.stream(name, [content], bound=len(content))

    def stream(self, name: str, chunks: Iterable[bytes], *, bound: int) -> None:
        """As :meth:`add`, for content of at most ``bound`` bytes that comes in pieces."""
        content = self._begin(name, bound)
        for chunk in chunks:
            content.write(chunk)
        content.close()

    def room(self) -> int:
        """Bytes of files that there is still place for, as far as can be told: what is open counts when it is ended."""
        limits = self._limits
        most = limits.total_bytes if self._seal is None else min(limits.total_bytes, limits.sealed_body_bytes)
        # Beside each file its headers, its line in SHA256SUMS, and the index.
        return most - self._bytes - _ROOM_AROUND - self._files * _ROOM_BY_FILE if self._files < limits.blobs else 0

    def file(self, sha256: str, size: int, chunks: Iterable[bytes], *, is_proved: bool = False) -> None:
        """A whole file; no table may be open. It is compressed where that is worth it.

        What ``chunks`` give must be the content that ``sha256`` names, else :meth:`finish` raises :class:`OutputError`.
        ``is_proved``: the caller has these very bytes in memory, and has computed their SHA-256.
        """
        name = self._place(names.blob(sha256))
        waiting = iter(chunks)
        first = next(waiting, b"")
        method = DEFLATED if _is_compressible(first) else STORED
        begin = partial(self._container.open, name, method=method, may_exceed_4_gib=size >= _MAY_NEED_ZIP64)
        content = Content(self._behind, begin, self._counter(), partial(self._file_ended, sha256))
        if is_proved:
            content.believe(sha256)
        content.write(first)
        for chunk in waiting:
            content.write(chunk)
        content.close()
        self._files += 1
        self._file_bytes += size

    def _file_ended(self, sha256: str, digest: str) -> None:
        if digest != sha256:
            raise OutputError("a file changed while it was written into the archive", hint="try again")
        self._hashes[names.blob(sha256)] = digest

    def copy(self, archive: Archive, name: str) -> None:
        """An entry as it is in another archive, compressed as it is, checked on the way.

        Raises :class:`DamagedArchiveError`, as late as :meth:`finish`.
        """
        reader = archive.reader
        entry = reader.container.entries[name]
        place = self._place(name)
        do = self._behind.do
        do(0, self._counter(), entry.size)
        begin = partial(
            self._container.begin_finished,
            place,
            entry.method,
            crc=entry.crc,
            compressed=entry.compressed,
            size=entry.size,
        )
        do(0, begin)
        whole, lines = hashlib.sha256(), 0
        for chunk in reader.container.chunks(entry, lambda piece: do(len(piece), self._container.put, piece)):
            do(len(chunk), whole.update, chunk)
            lines += chunk.count(b"\n")
        do(0, self._end_copy, reader, name, place, whole)
        if entry.kind == "blob":
            self._files += 1
            self._file_bytes += entry.size
        if entry.kind == "data":
            table = names.table_of(name)
            reader.check_count(table, lines)
            self.row_counts[self._called(table)] = lines

    def _end_copy(self, reader: EntryReader, name: str, place: str, whole: Hash) -> None:
        digest = whole.hexdigest()
        reader.check_hash(name, digest)
        self._ended(place)(digest)

    def finish(self, about: About, additions: dict[str, JSON], *, assets: BinaryAssets | None = None) -> Written:
        """Write sums, manifest and directory. ``additions`` are the manifest keys that the web app does not know.

        ``assets`` is what there is to say of references to files; the files themselves are counted here.
        """
        self._behind.finish()
        if assets is not None:
            stated = assets.with_files(self._files, self._file_bytes, self._hashes.get(INDEX))
            additions = {**additions, KEY: stated.to_json()}
        counts = dict(sorted(self.row_counts.items(), key=lambda item: self._order(names.entry("data", item[0]))))
        known = about.manifest(counts)
        content = data_sha256(self._hashes)
        inner = {**known, **additions, "dataSha256": content}
        self._add_last(names.SUMS, write_sums(self._hashes))
        if self._seal is None:
            self._add_last(names.MANIFEST, _manifest_text(inner, self._limits))
            self._add_last(names.README, readme.PLAIN.encode())
        else:
            outer = _private(known) if self._seal.private else known
            self._add_last(names.MANIFEST, _manifest_text({**inner, "outer": outer}, self._limits))
            self._container.finish(self._order)
            plaintext_sha256, sealed_sha256 = self._sealing.finish()
            self._body.close()
            outer = {
                **outer,
                "passphrase": seal_block(self._parameters, plaintext_sha256),
                "sealedSha256": sealed_sha256,
            }
            self._outer.add(names.MANIFEST, _manifest_text(outer, self._limits), method=STORED)
            self._outer.add(names.README, readme.SEALED.encode(), method=STORED)
        self._outer.finish(self._order)
        return Written(
            bytes=self._outer.position,
            rows=sum(counts.values()),
            row_counts=counts,
            data_sha256=content,
            sealed=self._seal is not None,
            files=self._files,
            file_bytes=self._file_bytes,
            web_app_reads_it=self._outer.position <= WEB_APP_MAX_BYTES
            and self._container.position <= WEB_APP_MAX_BYTES,
        )

    def _add_last(self, name: str, content: bytes) -> None:
        if len(content) > self._limits.manifest_bytes:
            raise unreadable(f"{name} of more than {self._limits.manifest_bytes:,} bytes")
        self._counter()(len(content))
        self._container.add(name, content)

    def _begin(self, name: str, bound: int) -> Content:
        name = self._place(name)
        begin = partial(self._container.open, name, may_exceed_4_gib=bound >= _MAY_NEED_ZIP64)
        return Content(self._behind, begin, self._counter(), self._ended(name))

    def _begin_spooled(self, name: str) -> Content:
        name = self._place(name)
        begin = partial(self._container.spooled, name, CipherSpool(self._make_spool_file))
        return Content(self._behind, begin, self._counter(), self._ended(name))

    def _counter(self) -> Callable[[int], None]:
        """Takes down how large a new entry grows, and all together."""
        limits, size = self._limits, 0

        def count(more: int) -> None:
            nonlocal size
            size += more
            self._bytes += more
            if size > limits.entry_bytes:
                raise unreadable(f"an entry of more than {limits.entry_bytes:,} bytes")
            if self._bytes > limits.total_bytes:
                raise unreadable(f"more than {limits.total_bytes:,} bytes")

        return count

    def _place(self, name: str) -> str:
        """What an entry will be called, and nothing else: two names of another writer may become one."""
        if name.startswith("blobs/"):
            if self._files >= self._limits.blobs:
                raise unreadable(f"more than {self._limits.blobs:,} files")
            if name in self._places:
                raise DamagedArchiveError("two files of one name", code="duplicateEntry", where=name)
            self._places.add(name)
            return name
        if name.startswith("account/"):
            account = names.account_of(name)
            name = f"account/{self._account.get(account) or names.written(account)}"
        else:
            folder: Literal["data", "meta"] = "data" if name.startswith("data/") else "meta"
            name = names.entry(folder, self._called(names.table_of(name)))
        if name in self._places:
            raise DamagedArchiveError("two entries would be written under this name", code="duplicateEntry", where=name)
        if len(name) > self._limits.entry_name:
            raise unreadable(f"an entry with a name of more than {self._limits.entry_name:,} bytes")
        if len(self._places) - self._files + 1 + ENTRIES_AROUND > self._limits.entries:
            raise unreadable(f"more than {self._limits.entries:,} entries")
        self._places.add(name)
        return name

    def _called(self, table: str) -> str:
        """What a table will be called."""
        return self._tables.get(table) or names.written(table)

    def _ended(self, name: str) -> Callable[[str], None]:
        """Takes down the hash of a finished entry."""
        return partial(self._hashes.__setitem__, name) if covered(name) else lambda _: None


def _is_compressible(content: bytes) -> bool:
    """Whether deflate makes anything of a file, by its beginning. Of pictures and recordings it does not."""
    if content.startswith(_COMPRESSED) or content[8:12] == b"WEBP" or content[4:8] == b"ftyp":
        return False
    sample = content[:_SAMPLE_BYTES]
    return len(deflate.segment(sample)) < len(sample) * _WORTH_DEFLATING


def _manifest_text(manifest: dict[str, JSON], limits: Limits) -> bytes:
    """The text of a manifest, if a reader takes it: what was carried over may be as large and deep as anything."""
    text = write_manifest(manifest)
    if len(text) > limits.manifest_bytes or not jsontext.nests_within(text, limits.nesting):
        raise unreadable(f"a manifest of more than {limits.manifest_bytes:,} bytes, or {limits.nesting:,} levels")
    return text


def _private(manifest: dict[str, JSON]) -> dict[str, JSON]:
    """The least that the format demands of an outer manifest."""
    return {
        **manifest,
        "exportedAt": f"{str(manifest['exportedAt'])[:10]}T00:00:00.000Z",
        "userId": "-",
        "scope": {"type": "full"},
        "rowCounts": {},
    }
