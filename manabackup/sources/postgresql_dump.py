"""What ``pg_dump`` and ``pg_dumpall`` write as plain text: blocks of rows, read in one pass and in constant memory.

Form: PostgreSQL's documentation of COPY, "Text Format", and of ``pg_dump``. A dump says at its end that it is whole;
one that does not is refused, since a table cut off in the middle looks like a shorter one.
"""

from __future__ import annotations

import io
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import zstandard
from isal import igzip

from ..errors import DamagedArchiveError, UsageError
from ..host.output import reading_from
from ..text.printable import printable
from .copied import value_of

DumpRow: TypeAlias = list[bytes | None]
"""A row in the order of its block's columns; None is NULL."""

_BEGUN, _WHOLE = b"-- PostgreSQL database dump\n", b"-- PostgreSQL database dump complete\n"
_CLUSTER, _CLUSTER_WHOLE = b"-- PostgreSQL database cluster dump\n", b"-- PostgreSQL database cluster dump complete\n"
_VERSION = b"-- Dumped from database version "
_END = b"\\.\n"
_NAME = r'(?:"(?:[^"]|"")+"|[^\s",.()]+)'
_COPY = re.compile(rf"COPY (?:({_NAME})\.)?({_NAME}) \((.*)\) FROM stdin;\n")
_COLUMN = re.compile(rf"({_NAME})(?:, |$)")
_INSERT = re.compile(rf"INSERT INTO (?:({_NAME})\.)?({_NAME}) ")
_CONNECT = re.compile(r"\\connect (?:-reuse-previous=on )?(.+)\n")
_SEARCH_PATH = re.compile(rf"SET search_path = ({_NAME}), pg_catalog;\n")
_ENCODING = re.compile(r"SET client_encoding = '([^']*)';\n")
_HIDDEN = b"SET row_security = on;\n"
"""Begins a dump that holds no more than what policies showed to whoever made it."""
_READABLE: Final = frozenset({"UTF8", "SQL_ASCII"})
_CUSTOM, _GZIP, _ZSTD, _TAR = b"PGDMP", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"toc.dat\0"
_HEAD = 16


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one table."""

    database: str
    """The one that was connected to before; empty in a dump of a single one."""
    table: str
    """``schema.table``."""
    columns: tuple[str, ...]
    rows: Iterator[DumpRow] = field(repr=False)
    """To be taken before the next block is asked for; what is not taken is passed over."""


class PostgresqlDump:
    """One dump: a file, or the standard input for ``-``. Compressed by gzip or zstd it is read as well.

    ``wanted`` are tables without whose rows nobody can do: that they stand there as INSERT is an error. Reading raises
    :class:`UsageError` for what is no dump as text, and :class:`DamagedArchiveError` for one that is not whole.
    """

    def __init__(self, path: Path | None, wanted: Sequence[str]) -> None:
        self._path = path
        self._wanted = frozenset(wanted)
        self.name = "the standard input" if path is None else str(path)
        self.version: str | None = None
        """Of the server that was dumped, once that has been read."""

    @property
    def can_be_read_again(self) -> bool:
        """Whether there may be a second pass."""
        return self._path is not None and self._path.is_file()

    def blocks(self) -> Iterator[Block]:
        """The tables' rows, in the order of the dump. At the end it is certain that the dump is whole."""
        with self._opened() as file:
            try:
                yield from self._read(_Lines(file))
            except (EOFError, zlib.error, zstandard.ZstdError, igzip.BadGzipFile):
                raise self._damaged("its compressed data end, or break, in the middle") from None

    def _read(self, lines: _Lines) -> Iterator[Block]:
        begun = whole = clusters = clusters_whole = 0
        database, schema = "", ""
        while line := lines.next():
            if line.startswith(b"--"):
                begun += line == _BEGUN
                whole += line == _WHOLE
                clusters += line == _CLUSTER
                clusters_whole += line == _CLUSTER_WHOLE
                if line.startswith(_VERSION):
                    self.version = line[len(_VERSION) :].split()[0].decode("ascii", "replace")
            elif line.startswith((b"COPY ", b"INSERT INTO ", b"\\connect ", b"SET ")):
                text = line.decode("utf-8", "surrogateescape")
                if match := _COPY.fullmatch(text):
                    yield from self._block(lines, database, schema, match)
                elif match := _INSERT.match(text):
                    self._refuse_inserts(_table(match[1], match[2], schema))
                elif match := _CONNECT.fullmatch(text):
                    database, schema = _connected(match[1]), ""
                elif match := _SEARCH_PATH.fullmatch(text):
                    schema = _unquoted(match[1])
                elif line == _HIDDEN:
                    raise UsageError(
                        f"{printable(self.name)} was made with --enable-row-security: it may lack rows",
                        hint="dump as a superuser, or as a role with BYPASSRLS, without that option",
                    )
                elif (match := _ENCODING.fullmatch(text)) and match[1] not in _READABLE:
                    hint = "`pg_dump -E UTF8` writes one that can be"
                    raise UsageError(
                        f"{printable(self.name)} is in {printable(match[1])}, which is not read", hint=hint
                    )
        if not begun and not clusters:
            raise UsageError(
                f"{printable(self.name)} is no dump of PostgreSQL as plain text",
                hint="pg_dump, or pg_dumpall, writes one",
            )
        if begun != whole or clusters != clusters_whole:
            raise self._damaged("it does not say at its end that it is complete")

    def _block(self, lines: _Lines, database: str, schema: str, match: re.Match[str]) -> Iterator[Block]:
        table = _table(match[1], match[2], schema)
        columns = tuple(_unquoted(name) for name in _COLUMN.findall(match[3]))
        rows = self._rows(lines, table, len(columns))
        if table in self._wanted:
            yield Block(database, table, columns, rows)
            for _ in rows:
                pass
            return
        while (line := lines.next()) != _END:
            if not line:
                raise self._damaged(f"it ends within the rows of {printable(table)}")

    def _rows(self, lines: _Lines, table: str, width: int) -> Iterator[DumpRow]:
        while (line := lines.next()) != _END:
            if not line.endswith(b"\n"):
                raise self._damaged(f"it ends within the rows of {printable(table)}")
            row = [value_of(text) for text in line[:-1].split(b"\t")]
            if len(row) != width:
                raise self._damaged(f"a row of {printable(table)} has not as many values as there are columns")
            yield row

    def _refuse_inserts(self, table: str) -> None:
        if table in self._wanted:
            raise UsageError(
                f"{printable(self.name)} holds rows as INSERT, which are not read", hint="dump without --inserts"
            )

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self._path is None:
            yield self._decompressed(sys.stdin.buffer)
            return
        if self._path.is_dir():
            raise self._other_format(f"pg_restore -f dump.sql {self._path}")
        with reading_from(self._path), self._path.open("rb") as file:
            yield self._decompressed(file)

    def _decompressed(self, file: BinaryIO) -> BinaryIO:
        head = file.peek(_HEAD)[:_HEAD]  # type: ignore[attr-defined]  # both are buffered readers
        if head.startswith((_CUSTOM, _TAR)):
            raise self._other_format(f"pg_restore -f dump.sql {self.name if self._path else 'FILE'}")
        opener = _OPENERS.get(head[:2]) or _OPENERS.get(head[:4])
        return file if opener is None else opener(file)

    def _other_format(self, command: str) -> UsageError:
        return UsageError(
            f"{printable(self.name)} is a dump in another format than plain text",
            hint=f"`{printable(command)}` makes one",
        )

    def _damaged(self, why: str) -> DamagedArchiveError:
        return DamagedArchiveError(
            f"the dump is cut off or damaged: {why}", code="truncated", where=self.name, hint="take another one"
        )


class _Lines:
    """Lines with their ends; nothing at the end of the file."""

    __slots__ = ("next",)

    def __init__(self, file: BinaryIO) -> None:
        self.next: Callable[[], bytes] = file.readline


def _gunzipped(file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(igzip.IGzipFile(fileobj=file, mode="rb"), 1 << 20)  # type: ignore[no-untyped-call]


def _unzstd(file: BinaryIO) -> BinaryIO:
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(reader, 1 << 20)


_OPENERS: Final[dict[bytes, Callable[[BinaryIO], BinaryIO]]] = {_GZIP: _gunzipped, _ZSTD: _unzstd}


def _table(schema: str | None, table: str, default: str) -> str:
    return f"{_unquoted(schema) if schema else default or 'public'}.{_unquoted(table)}"


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _connected(what: str) -> str:
    """The database that ``\\connect`` names: a name, or a connection string in quotes with ``dbname='…'``."""
    name = _unquoted(what.strip())
    found = re.fullmatch(r"dbname='((?:[^'\\]|\\.)*)'", name)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else name
