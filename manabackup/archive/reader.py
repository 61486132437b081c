"""Opens ``.mana`` v2 archives, plain and sealed, the web app's and ours.

The order of the checks is the promise (``formats/mana-v2.md``, "Reading safely"): the container, then the manifest,
then the sealed body's hash, and only then is a passphrase asked for; the tag; the inner container; the inner manifest
against the outer one. No row is given out before all of that held. Rows are checked as they are read.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import lt
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, NoReturn

import orjson

from ..crypto.passphrases import BOM, oddities
from ..crypto.passphrases import told as told_oddities
from ..crypto.seal import SealedBody, SealParameters, Source, derive_key
from ..errors import DamagedArchiveError, JSONTextError, OlderArchiveError, TamperedArchiveError, WrongPassphraseError
from ..host.ahead import ahead
from ..limits import DEFAULT_LIMITS, MIB, Limits
from ..text import jsontext
from ..text.jsontext import JSON
from . import deflate, names
from .behind import told, told_behind
from .container import Container, Entry, printable
from .lines import line_blocks
from .manifest import Manifest, check_manifest, parse_any_manifest, parse_manifest, without_seal
from .sources import FileSource
from .sums import covered, data_sha256, parse_sums
from .v1 import holds_events

_LARGE = 4 * MIB
_OUTSIDE = ("manifest", "sealed", "readme")
"""What a sealed archive has outside its seal."""
_BOM = b"\xef\xbb\xbf"
# What ECMAScript's String.prototype.trim cuts, besides what bytes.strip() would.
_ECMASCRIPT_BLANKS = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_ECMASCRIPT_BLANKS += "\u2028\u2029\u202f\u205f\u3000\ufeff"


_ID_MEMBER = re.compile(rb'\{"id":"([ !#-\[\]-~]+)"[,}]')
"""At the beginning of a row; ids of ASCII characters that stand for themselves."""


class Row(NamedTuple):
    """One row as it stands in an archive."""

    id: str
    line: bytes
    """Its text, without the line end."""
    loaded: dict[str, Any] | None = None
    """What orjson makes of it, so that numbers may be ``float``, where that was asked for and can be had."""

    def values(self) -> dict[str, JSON]:
        """The parsed row, ``id`` included."""
        values: dict[str, JSON] = jsontext.parse(self.line)
        return values


@dataclass
class Archive:
    """An open archive. Use as a context manager."""

    path: Path
    size: int
    manifest: Manifest
    """The authenticated one where there are two."""
    sealed: bool
    container: Container
    """The one that holds the rows."""
    sums: dict[str, str]
    """What ``SHA256SUMS`` says, entry → hex; empty when the archive has none."""
    notes: list[str] = field(default_factory=list)
    """Oddities that lose nothing: unknown entries, counts that a writer got wrong."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Entry → hex SHA-256 of what has been read to the end so far."""
    hashes_behind: bool = False
    """Large entries are hashed by a thread of their own: faster where nothing else goes on beside the reading."""
    _resources: ExitStack = field(default_factory=ExitStack)
    _limits: Limits = DEFAULT_LIMITS

    @property
    def tables(self) -> list[str]:
        """Table names, in the archive's order."""
        return [names.table_of(entry.name) for entry in self.container.of_kind("data")]

    @property
    def account(self) -> list[str]:
        """Names of the entries under ``account/``."""
        return [entry.name for entry in self.container.of_kind("account")]

    def rows(self, table: str, *, loaded: bool = False, ordered: bool = False) -> Iterator[Row]:
        """The rows of a table, each checked: one JSON object, a string ``id``, none twice.

        With ``loaded`` each keeps what the check made of it, where that was the fast parser's work; with ``ordered``
        the ids must ascend, as they do in archives of this tool.

        When the iterator ends, the entry's size, CRC-32, SHA-256 and number of rows have been checked too. Raises
        :class:`DamagedArchiveError` naming table and line, never content.
        """
        return chain.from_iterable(self.row_blocks(table, loaded=loaded, ordered=ordered))

    def unread_rows(self, table: str) -> Iterator[Row]:
        """:meth:`rows` in order, for those who have each line parsed anyway: here that is done only where it must be.

        They compare the parsed ``id`` with the row's, and where it is another one or the line is no JSON object, they
        call :meth:`refuse_misread`.
        """
        return chain.from_iterable(self.row_blocks(table, ordered=True, unread=True))

    def refuse_misread(self, table: str) -> NoReturn:
        """Raises :class:`DamagedArchiveError` for a table that :meth:`unread_rows` gave a row of that is none."""
        for _ in self.rows(table, ordered=True):
            pass
        raise DamagedArchiveError("a row with more than one id", code="line", where=names.entry("data", table))

    def row_blocks(
        self, table: str, *, loaded: bool = False, ordered: bool = False, unread: bool = False
    ) -> Iterator[list[Row]]:
        """:meth:`rows`, or :meth:`unread_rows`, some at a time."""
        name = names.entry("data", table)
        last: str | None = None
        ascending = True
        number = count = 0
        for lines in self._line_blocks(name):
            usual = (_unread_rows(lines) if unread else None) or _usual_rows(lines, loaded)
            blocks = _rows_one_by_one(lines, name, number) if usual is None else iter([usual])
            number += len(lines)
            for block in blocks:
                if ascending and not _ascend(last, block):
                    self._refuse_duplicates(name)
                    if ordered:
                        self._refuse_disorder(name)
                    ascending = False
                last = block[-1].id
                count += len(block)
                yield block
        self.check_count(table, count)

    def check_count(self, table: str, count: int) -> None:
        """Whether a table of ``count`` rows is as large as the manifest says, where this tool wrote both.

        Elsewhere the rows win. Raises :class:`DamagedArchiveError`.
        """
        stated = self.manifest.row_counts.get(table)
        if self.manifest.data_sha256 is not None and (type(stated) is not int or stated != count):
            message = f"the manifest counts other rows of {printable(table)} than there are"
            raise DamagedArchiveError(message, code="counts", where=names.MANIFEST)

    def meta(self, subject: str) -> Iterator[dict[str, JSON]]:
        """The parsed lines of ``meta/<subject>.jsonl``; nothing when the archive has none."""
        for number, line in self.meta_lines(subject):
            try:
                value = jsontext.parse(line)
            except JSONTextError:
                value = None
            if not isinstance(value, dict):
                raise _bad_line("not a JSON object", names.entry("meta", subject), number)
            yield value

    def meta_lines(self, subject: str) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, text) of ``meta/<subject>.jsonl``; nothing when the archive has none."""
        name = names.entry("meta", subject)
        return self.lines(name) if name in self.container.entries else iter(())

    def check_lines(self, name: str) -> None:
        """Read JSON Lines to their end: each is one JSON object. Raises :class:`DamagedArchiveError`."""
        for number, line in self.lines(name):
            _object(line, name, number)

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, text) of JSON Lines: blank lines left out, ends trimmed as the web app trims them."""
        number = 0
        for lines in self._line_blocks(name):
            yield from _trimmed(lines, number)
            number += len(lines)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of any entry; its hash is known and checked when the iterator ends."""
        entry = self.container.entries[name]
        whole = hashlib.sha256()
        chunks = self.container.chunks(entry)
        if self.hashes_behind and entry.size >= _LARGE:
            chunks = told_behind(chunks, whole.update)
        else:
            chunks = told(chunks, whole.update)
        yield from chunks
        self.check_hash(name, whole.hexdigest())

    def check_hash(self, name: str, digest: str) -> None:
        """Take down the SHA-256 of an entry that was read to its end. Raises :class:`DamagedArchiveError`."""
        self.hashes[name] = digest
        if self.sums.get(name, digest) != digest:
            raise DamagedArchiveError("its SHA-256 is not the one in SHA256SUMS", code="sums", where=name)

    def close(self) -> None:
        """Let go of the file."""
        self._resources.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_duplicates(self, name: str) -> None:
        """A pass of its own, and only over tables whose ids do not ascend: ours do, and need no memory for this."""
        seen: set[bytes] = set()
        for number, line in self.lines(name):
            identifier = _row_id(line, name, number)
            digest = hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest in seen:
                raise _bad_line("an id that stands in the table already", name, number)
            seen.add(digest)

    def _refuse_disorder(self, name: str) -> None:
        """Names the first line of a table that is out of order."""
        last: str | None = None
        for number, line in self.lines(name):
            identifier = _row_id(line, name, number)
            if last is not None and identifier <= last:
                raise not_in_order(name, number)
            last = identifier

    def _line_blocks(self, name: str) -> Iterator[list[bytes]]:
        return line_blocks(self.chunks(name), self._limits.line_bytes, name)


@dataclass(frozen=True, slots=True)
class OuterArchive:
    """What an archive shows without a secret: its container and its outer manifest. Close ``resources`` at the end."""

    path: Path
    size: int
    container: Container
    manifest: Manifest
    ours: bool
    """A sealed archive that this tool wrote."""
    resources: ExitStack

    def check_sealed_body(self) -> SealedBody:
        """The sealed body, its damage ruled out as far as can be without a key (:class:`DamagedArchiveError`)."""
        entry = self.container.entries[names.SEALED]
        sealed: Source
        if entry.compressed == entry.size and entry.method == 0:
            sealed = self.container.stored_part(entry)
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

    def _inflated_copy(self, entry: Entry) -> Source:
        """A deflated ``data.sealed``, as other writers may make it, in an anonymous file: ciphertext only."""
        copy = self.resources.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        for chunk in self.container.chunks(entry):
            copy.write(chunk)
        copy.flush()
        return _TemporarySource(copy, entry.size)


def open_outer(path: Path, limits: Limits = DEFAULT_LIMITS) -> OuterArchive:
    """Open the file and check all that needs no secret but the sealed body.

    Raises :class:`DamagedArchiveError`, :class:`NotFoundError`, :class:`OlderArchiveError`.
    """
    resources = ExitStack()
    source = resources.enter_context(FileSource(path))
    try:
        container = Container(source, limits)
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
    path: Path,
    passphrase: Callable[[], str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow_weak_kdf: bool = False,
) -> Archive:
    """Open an archive for reading its rows.

    ``passphrase`` is called when the archive is sealed and undamaged as far as can be told without it; it is taken
    exactly, and if it begins with a byte order mark, then without that. Raises
    :class:`DamagedArchiveError`, :class:`TamperedArchiveError`, :class:`WrongPassphraseError`,
    :class:`NotFoundError`, :class:`OlderArchiveError`.
    """
    outer = open_outer(path, limits)
    try:
        if not outer.manifest.sealed:
            return _plain(outer, limits)
        parameters = outer.manifest.seal_parameters(limits, allow_weak=allow_weak_kdf)
        body = outer.check_sealed_body()
        if passphrase is None:
            raise TypeError("a sealed archive needs a passphrase")
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
    inner = Container(body, limits)
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
    notes = []
    if outer.container.renamed or (outer.ours and outer.container.is_packed_again()):
        notes.append("packed again by another program; what was in it is what it was")
    notes += [f"unknown entry {printable(other.name)}" for other in container.of_kind("other")]
    if outer.container is not container:
        beside = (other for other in outer.container.entries.values() if other.kind not in _OUTSIDE)
        notes += [f"an entry outside the seal, which is not read: {printable(other.name)}" for other in beside]
    return Archive(
        path=outer.path,
        size=outer.size,
        manifest=manifest,
        sealed=outer.manifest.sealed,
        container=container,
        sums=sums,
        notes=notes,
        _resources=outer.resources,
        _limits=limits,
    )


class _TemporarySource:
    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self.size = size

    def read_at(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count)


def _usual_rows(lines: list[bytes], keep_loaded: bool) -> list[Row] | None:
    """The rows in lines that need no second look; None where there is one that does."""
    if any(line[:1] != b"{" or line[-1:] != b"}" for line in lines):
        return None
    kept: list[dict[str, Any]] = []
    try:
        if keep_loaded:
            kept = [orjson.loads(line) for line in lines]
        ids = [row["id"] for row in kept or map(orjson.loads, lines)]
    except (orjson.JSONDecodeError, KeyError):
        return None
    if not all(type(identifier) is str for identifier in ids):
        return None
    return list(map(Row, ids, lines, kept) if keep_loaded else map(Row, ids, lines))


def _unread_rows(lines: list[bytes]) -> list[Row] | None:
    """The rows in lines that tell their ids at their beginnings; None where there is one that does not."""
    rows: list[Row] = []
    for line in lines:
        id_member = _ID_MEMBER.match(line)
        if id_member is None or line[-1:] != b"}":
            return None
        rows.append(Row(id_member[1].decode(), line))
    return rows


def _rows_one_by_one(lines: list[bytes], name: str, before: int) -> Iterator[list[Row]]:
    """The rows in ``lines``, which ``before`` other lines precede."""
    for number, line in _trimmed(lines, before):
        yield [Row(_row_id(line, name, number), line)]


def not_in_order(name: str, number: int) -> DamagedArchiveError:
    """The error of an archive that claims to be sorted and is not."""
    return DamagedArchiveError("not in the order of the ids", code="order", where=f"{name}:{number}")


def _ascend(last: str | None, rows: list[Row]) -> bool:
    """Whether each id is larger than the one before it."""
    ids = [row.id for row in rows] if last is None else [last, *(row.id for row in rows)]
    return all(map(lt, ids, islice(ids, 1, None)))


def _trimmed(lines: Iterable[bytes], before: int) -> Iterator[tuple[int, bytes]]:
    """(line number, text) of ``lines``, which ``before`` others precede: trimmed, blank ones left out."""
    for number, line in enumerate(lines, before + 1):
        if not (line.startswith(b"{") and line.endswith(b"}")):
            line = _trim(line, first=number == 1)
            if not line:
                continue
        yield number, line


def _row_id(line: bytes, name: str, number: int) -> str:
    identifier = _object(line, name, number).get("id")
    if type(identifier) is not str:
        raise _bad_line("has no string id", name, number)
    return identifier


def _object(line: bytes, name: str, number: int) -> dict[str, JSON]:
    """What a line holds. Numbers may be ``float``."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            value = jsontext.parse(line)
        except JSONTextError:
            raise _bad_line("not one JSON value in UTF-8", name, number) from None
    if type(value) is not dict:
        raise _bad_line("not a JSON object", name, number)
    return value


def _bad_line(message: str, name: str, number: int) -> DamagedArchiveError:
    return DamagedArchiveError(message, code="line", where=f"{name}:{number}")


def _trim(line: bytes, *, first: bool) -> bytes:
    if first:
        line = line.removeprefix(_BOM)
    try:
        return line.decode().strip(_ECMASCRIPT_BLANKS).encode()
    except UnicodeDecodeError:
        return line  # refused where it is parsed
