"""Rows and other JSON objects out of lines: what is usual at once, what is not one line at a time.

Trimmed and passed over is what the web app's reader trims and passes over (``formats/mana-v2.md``, "Reading safely").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import lt
from typing import NamedTuple

from ..errors import DamagedArchiveError, JSONTextError, ManabackupError
from ..text import jsontext
from ..text.jsontext import JSON

_BOM = b"\xef\xbb\xbf"
# What ECMAScript's String.prototype.trim cuts, besides what bytes.strip() would.
_ECMASCRIPT_BLANKS = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_ECMASCRIPT_BLANKS += "\u2028\u2029\u202f\u205f\u3000\ufeff"
_ID_MEMBER = re.compile(rb'\{"id":"([ !#-\[\]-~]+)"[,}]')
"""At the beginning of a row; ids of ASCII characters that stand for themselves."""


class MisreadRowError(ManabackupError):
    """A line is not the row that its beginning says: see :meth:`.EntryReader.unread_rows`."""


class Row(NamedTuple):
    """One row as it stands in an archive."""

    id: str
    line: bytes
    """Its text, without the line end."""

    def values(self) -> dict[str, JSON]:
        """The parsed row, ``id`` included."""
        values: dict[str, JSON] = jsontext.parse(self.line)
        return values


def usual_rows(lines: list[bytes]) -> list[Row] | None:
    """The rows in lines that need no second look; None where there is one that does."""
    if any(line[:1] != b"{" or line[-1:] != b"}" for line in lines):
        return None
    try:
        ids = [row["id"] for row in map(jsontext.parse_inexact, lines)]
    except (JSONTextError, KeyError):
        return None
    if not all(type(identifier) is str for identifier in ids):
        return None
    return list(map(Row, ids, lines))


def unread_rows(lines: list[bytes]) -> list[Row] | None:
    """The rows in lines that tell their ids at their beginnings; None where there is one that does not."""
    rows: list[Row] = []
    for line in lines:
        id_member = _ID_MEMBER.match(line)
        if id_member is None or line[-1:] != b"}":
            return None
        rows.append(Row(id_member[1].decode(), line))
    return rows


def rows_one_by_one(lines: list[bytes], name: str, before: int) -> Iterator[list[Row]]:
    """The rows in ``lines`` of the entry ``name``, which ``before`` other lines precede.

    Raises :class:`DamagedArchiveError` at the first that is none.
    """
    for number, line in trimmed(lines, before):
        yield [Row(row_id(line, name, number), line)]


def ascend(last: str | None, rows: list[Row]) -> bool:
    """Whether each id is larger than the one before it."""
    ids = [row.id for row in rows] if last is None else [last, *(row.id for row in rows)]
    return all(map(lt, ids, islice(ids, 1, None)))


def trimmed(lines: Iterable[bytes], before: int) -> Iterator[tuple[int, bytes]]:
    """(line number, text) of ``lines``, which ``before`` others precede: trimmed, blank ones left out."""
    for number, line in enumerate(lines, before + 1):
        if not (line.startswith(b"{") and line.endswith(b"}")):
            line = _trim(line, first=number == 1)
            if not line:
                continue
        yield number, line


def row_id(line: bytes, name: str, number: int) -> str:
    """The id of a row. Raises :class:`DamagedArchiveError` where the line is none."""
    identifier = json_object(line, name, number).get("id")
    if type(identifier) is not str:
        raise bad_line("has no string id", name, number)
    return identifier


def json_object(line: bytes, name: str, number: int) -> dict[str, JSON]:
    """What a line holds; numbers may be ``float``. Raises :class:`DamagedArchiveError`."""
    try:
        value = jsontext.parse_inexact(line)
    except JSONTextError:
        raise bad_line("not one JSON value in UTF-8", name, number) from None
    if type(value) is not dict:
        raise bad_line("not a JSON object", name, number)
    return value


def bad_line(message: str, name: str, number: int) -> DamagedArchiveError:
    """The error of a line that is not what it should be."""
    return DamagedArchiveError(message, code="line", where=f"{name}:{number}")


def not_in_order(name: str, number: int) -> DamagedArchiveError:
    """The error of an archive that claims to be sorted and is not."""
    return DamagedArchiveError("not in the order of the ids", code="order", where=f"{name}:{number}")


def _trim(line: bytes, *, first: bool) -> bytes:
    if first:
        line = line.removeprefix(_BOM)
    try:
        return line.decode().strip(_ECMASCRIPT_BLANKS).encode()
    except UnicodeDecodeError:
        return line  # refused where it is parsed
