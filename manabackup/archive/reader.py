"""Opens ``.mana`` v2 archives, plain and sealed, the web app's and ours.

The order of the checks is the promise (``formats/mana-v2.md``, "Reading safely"): the container, then the manifest,
then the sealed body's hash, and only then is a passphrase asked for; the tag; the inner container; the inner manifest
against the outer one. No row is given out before all of that held. Rows are checked as they are read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from ..crypto.seal import ByteSource, SealedBody, SealParameters, derive_key
from ..errors import (
    DamagedArchiveError,
    JSONTextError,
    OlderArchiveError,
    TamperedArchiveError,
    UsageError,
    WrongPassphraseError,
)
from ..host.ahead import ahead
from ..limits import DEFAULT_LIMITS, MIB, Limits
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.passphrases import BOM, oddities
from ..text.passphrases import told as told_oddities
from ..text.printable import one_line
from . import deflate, names
from .blobs import check_files
from .container import Container, Entry, printable
from .entries import EntryReader
from .kept import KeptBytes
from .manifest import Manifest, check_manifest, parse_any_manifest, parse_manifest, without_seal
from .named import damage_named
from .places import Location
from .rowlines import Row as Row
from .rowlines import bad_line
from .sources import reading
from .sums import covered, data_sha256, parse_sums
from .v1 import holds_events

_OUTSIDE = ("manifest", "sealed", "readme")
"""What a sealed archive has outside its seal."""


class Archive:
    """An open archive. Use as a context manager."""

    def __init__(self, outer: OuterArchive, manifest: Manifest, reader: EntryReader, notes: list[str]) -> None:
        self.path: Location = outer.path
        self.size: int = outer.size
        """Bytes of the file."""
        self.sealed: bool = outer.manifest.sealed
        self.manifest: Manifest = manifest
        """The authenticated one where there are two."""
        self.notes: list[str] = notes
        """Oddities that lose nothing: unknown entries, counts that a writer got wrong."""
        self.reader: EntryReader = reader
        """For those who read in blocks, count bytes, or carry entries over as they are."""
        self._resources = outer.resources

    @property
    def tables(self) -> list[str]:
        """Table names, in the archive's order."""
        return [names.table_of(entry.name) for entry in self.reader.container.of_kind("data")]

    @property
    def account(self) -> list[str]:
        """Names of the entries under ``account/``."""
        return [entry.name for entry in self.reader.container.of_kind("account")]

    @property
    def files(self) -> list[str]:
        """SHA-256 of each file under ``blobs/``, ascending where this tool wrote the archive."""
        return [names.blob_of(entry.name) for entry in self.reader.container.of_kind("blob")]

    def file(self, sha256: str) -> Iterator[bytes]:
        """The content of a file, checked when the iterator ends.

        Raises :class:`DamagedArchiveError`, and :class:`KeyError` for one that is not there.
        """
        return self.reader.chunks(names.blob(sha256))

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table, each checked: one JSON object, a string ``id``, none twice.

        When the iterator ends, the entry's size, CRC-32, SHA-256 and number of rows have been checked too. Raises
        :class:`DamagedArchiveError` naming table and line, never content, and :class:`UsageError` at once for a table
        that the archive does not have.
        """
        if table not in self.tables:
            raise _no_such_table(table, self.tables)
        return self.reader.rows(table)

    def meta(self, subject: str) -> Iterator[dict[str, JSON]]:
        """The parsed lines of ``meta/<subject>.jsonl``; nothing when the archive has none.

        Raises :class:`DamagedArchiveError`.
        """
        for number, line in self.reader.meta_lines(subject):
            try:
                value = jsontext.parse(line)
            except JSONTextError:
                value = None
            if not isinstance(value, dict):
                raise bad_line("not a JSON object", names.entry("meta", subject), number)
            yield value

    def close(self) -> None:
        """Let go of the file."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class OuterArchive:
    """What an archive shows without a secret: its container and its outer manifest. Close ``resources`` at the end."""

    path: Location
    size: int
    container: Container
    manifest: Manifest
    ours: bool
    """A sealed archive that this tool wrote."""
    resources: ExitStack

    def check_sealed_body(self, *, read_again: bool = False) -> SealedBody:
        """The sealed body, its damage ruled out as far as can be without a key (:class:`DamagedArchiveError`).

        ``read_again`` says that it will be opened: what lies in a far place is kept for that.
        """
        entry = self.container.entries[names.SEALED]
        sealed: ByteSource
        if entry.compressed == entry.size and entry.method == 0:
            sealed = self.container.stored_part(entry)
            if read_again and not isinstance(self.path, Path):
                sealed = self.resources.enter_context(KeptBytes(sealed))
        else:
            sealed = self._inflated_copy(entry)
        body = SealedBody(sealed, ahead)
        crc = 0

        def count(piece: bytes) -> None:
            nonlocal crc
            crc = deflate.crc32(piece, crc)

        body.verify_ciphertext(self.manifest.sealed_sha256, count)
        if crc != entry.crc:
            raise DamagedArchiveError("damaged: its CRC-32 does not match", code="crc", where=names.SEALED)
        return body

    def _inflated_copy(self, entry: Entry) -> ByteSource:
        """A deflated ``data.sealed``, as other writers may make it, in an anonymous file: ciphertext only."""
        copy = self.resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        for chunk in self.container.chunks(entry):
            copy.write(chunk)
        copy.flush()
        return _TemporarySource(copy, entry.size)


def open_outer(path: Location, limits: Limits = DEFAULT_LIMITS, *, source: ByteSource | None = None) -> OuterArchive:
    """Open the file and check all that needs no secret but the sealed body.

    What lies in a far place is checked in the same way but for the local headers of a plain archive's entries: each is
    checked when its entry is read.

    ``source`` is read in place of the file: an archive that lies inside of another one.

    Raises :class:`DamagedArchiveError`, :class:`NotFoundError`, :class:`OlderArchiveError`.
    """
    with damage_named(path):
        return _open_outer(path, limits, source)


def _open_outer(path: Location, limits: Limits, source: ByteSource | None) -> OuterArchive:
    resources = ExitStack()
    far = not isinstance(path, Path)
    try:
        source = source or resources.enter_context(reading(path))
        container = Container(source, limits, at_once=not far)
        if holds_events(container, limits):
            raise OlderArchiveError(f"{path} is an archive of version 1")
        entry = container.entries.get(names.MANIFEST)
        if entry is None:
            raise DamagedArchiveError("has no manifest.json: cut off, or not a .mana archive", code="notAnArchive")
        manifest = parse_manifest(container.read(entry, limits.manifest_bytes))
        if manifest.sealed != (names.SEALED in container.entries):
            message = "manifest and entries disagree about whether the archive is sealed"
            raise DamagedArchiveError(message, code="seal")
        ours = manifest.sealed and manifest.sealed_sha256 is not None
        if ours:
            packed_again = container.is_packed_again()
            if not packed_again:
                container.require_fixed_bytes()
            for other in container.entries.values():
                if other.kind not in _OUTSIDE and not (packed_again and other.kind == "other"):
                    raise DamagedArchiveError("does not belong beside a sealed body", where=printable(other.name))
        if manifest.sealed and names.README in container.entries:
            container.read(container.entries[names.README], MIB)
    except BaseException:
        resources.close()
        raise
    return OuterArchive(path, source.size, container, manifest, ours, resources)


def open_archive(
    path: Location,
    passphrase: Callable[[], str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow_weak_kdf: bool = False,
    source: ByteSource | None = None,
) -> Archive:
    """Open an archive for reading its rows.

    ``passphrase`` is called when the archive is sealed and undamaged as far as can be told without it; it is taken
    exactly, and if it begins with a byte order mark, then without that. ``source`` as in :func:`open_outer`. Raises
    :class:`DamagedArchiveError`, :class:`TamperedArchiveError`, :class:`WrongPassphraseError`,
    :class:`NotFoundError`, :class:`OlderArchiveError`, and :class:`UsageError` for a sealed one without ``passphrase``.
    """
    outer = open_outer(path, limits, source=source)
    try:
        with damage_named(path):
            if not outer.manifest.sealed:
                return _plain(outer, limits)
            parameters = outer.manifest.seal_parameters(limits, allow_weak=allow_weak_kdf)
            body = outer.check_sealed_body(read_again=passphrase is not None)
            if passphrase is None:
                raise UsageError(f"{printable(str(path))} is sealed, and no passphrase was given")
            _unlock(body, parameters, passphrase())
            return _sealed(outer, body, limits)
    except BaseException:
        outer.resources.close()
        raise


def _unlock(body: SealedBody, parameters: SealParameters, passphrase: str) -> None:
    """With the passphrase exactly as it is, then without the byte order mark that is dropped before sealing."""
    try:
        body.unlock(derive_key(passphrase, parameters), parameters.iv)
    except WrongPassphraseError as error:
        if passphrase.startswith(BOM):
            with suppress(WrongPassphraseError):
                body.unlock(derive_key(passphrase.removeprefix(BOM), parameters), parameters.iv)
                return
        found = oddities(passphrase)
        if found:
            raise WrongPassphraseError(
                error.message, hint=f"the one given {told_oddities(found)}; {error.default_hint}"
            ) from None
        raise


def _plain(outer: OuterArchive, limits: Limits) -> Archive:
    return _archive(outer, outer.container, outer.manifest, limits)


def _sealed(outer: OuterArchive, body: SealedBody, limits: Limits) -> Archive:
    if body.plaintext_sha256 != outer.manifest.plaintext_sha256:
        message = "opens, but its content is not what the manifest says"
        if outer.ours:
            raise TamperedArchiveError(message, code="plaintextSha256")
        raise DamagedArchiveError(message, code="plaintextSha256")
    inner = Container(body, limits, at_once=outer.container.at_once)
    entry = inner.entries.get(names.MANIFEST)
    manifest = outer.manifest
    if entry is not None:
        raw = parse_any_manifest(inner.read(entry, limits.manifest_bytes))
        ours = "outer" in raw
        if ours:
            if not outer.ours:
                raise TamperedArchiveError("sealedSha256 was removed from the manifest")
            if jsontext.dumps(raw.pop("outer")) != jsontext.dumps(without_seal(outer.manifest.raw)):
                raise TamperedArchiveError("the outer manifest is not the one that was sealed")
            manifest = check_manifest(raw)
        elif outer.ours:
            raise TamperedArchiveError("the manifest inside the seal is not ours")
    elif outer.ours:
        raise TamperedArchiveError("the manifest inside the seal is missing")
    return _archive(outer, inner, manifest, limits)


def _archive(outer: OuterArchive, container: Container, manifest: Manifest, limits: Limits) -> Archive:
    sums: dict[str, str] = {}
    entry = container.entries.get(names.SUMS)
    if entry is not None:
        sums = parse_sums(container.read(entry, limits.manifest_bytes))
        for name in container.entries:
            if covered(name) and container.entries[name].kind != "other" and name not in sums:
                raise DamagedArchiveError("is not listed in SHA256SUMS", code="sums", where=printable(name))
        for name in sums:
            if name not in container.entries:
                message = "is missing, though SHA256SUMS lists it"
                raise DamagedArchiveError(message, code="missing", where=printable(name))
    if manifest.data_sha256 is not None and (entry is None or data_sha256(sums) != manifest.data_sha256):
        raise DamagedArchiveError("dataSha256 does not fit SHA256SUMS", code="sums", where=names.MANIFEST)
    check_files(container, manifest, sums)
    notes = []
    if outer.container.renamed or (outer.ours and outer.container.is_packed_again()):
        notes.append("packed again by another program; what was in it is what it was")
    notes += [f"unknown entry {printable(other.name)}" for other in container.of_kind("other")]
    if outer.container is not container:
        beside = (other for other in outer.container.entries.values() if other.kind not in _OUTSIDE)
        notes += [f"an entry outside the seal, which is not read: {printable(other.name)}" for other in beside]
    return Archive(outer, manifest, EntryReader(container, manifest, sums, limits, outer.path), notes)


def _no_such_table(table: str, tables: list[str]) -> UsageError:
    import difflib

    near = difflib.get_close_matches(str(table), tables, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "`manabackup info FILE` lists the tables"
    return UsageError(f"the archive has no table {one_line(str(table), 120)}", hint=hint)


class _TemporarySource:
    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.size = size

    def read_at(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count)
