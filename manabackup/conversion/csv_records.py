"""Records of CSV (RFC 4180): cells as text, guarded from spreadsheets that would compute them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ..host.output_folder import AtomicFolder
from ..text import jsontext
from ..text.jsontext import JSON, Number
from .reading import Reading

Write = Callable[[list[str]], None]
_QUOTE, _COMMA, _CR, _LF = b'",\r\n'  # as numbers: to look for bytes in bytes takes four times as long
_BOM: Final = b"\xef\xbb\xbf"
_HALF = re.compile("[\ud800-\udfff]")
_COMPUTED = re.compile(r"[\s\x00]*[=+\-@\t\r＝＋－＠|]")
_FIRST = frozenset("'=+-@\t\r\n ＝＋－＠|\0")
_HARMLESS = re.compile(r"[+-]?\d+([.,]\d+)?|\+\d[\d\s/().-]*")
"""Numbers, and numbers of telephones."""


@contextmanager
def open_table(reading: Reading, folder: AtomicFolder, path: tuple[str, ...], table: str) -> Iterator[Write]:
    """A file of a table, and what writes one record of it."""
    records = Records(reading, table)
    with folder.file(*path) as file:
        file.write(records.begin)

        def write(record: list[str]) -> None:
            file.write(records.record(list(map(records.cell, record))))

        yield write


class Records:
    """Makes records. Python's own writer takes three times as long: it looks at each character."""

    def __init__(self, reading: Reading, table: str) -> None:
        self._reading = reading
        self._table = table
        self._guard = not reading.options.raw
        self.begin = _BOM if reading.options.excel else b""
        """What a file begins with."""

    def cell(self, text: str) -> bytes:
        """A text as a record has it."""
        if not text:
            return b""
        if self._guard and text[0] in _FIRST:
            text = guarded(text)
        try:
            data = text.encode()  # of each by itself: texts that were read from JSON have this at hand
        except UnicodeEncodeError:
            text, replaced = _HALF.subn("\ufffd", text)
            self._reading.left_out.note("altered", self._table, replaced)
            data = text.encode()
        if _QUOTE in data:
            return b'"%b"' % data.replace(b'"', b'""')
        return b'"%b"' % data if _COMMA in data or _LF in data or _CR in data else data

    def record(self, cells: list[bytes]) -> bytes:
        """One record of finished cells."""
        return b",".join(cells) + b"\r\n"


def guarded(cell: str) -> str:
    """A cell that no spreadsheet computes: with an apostrophe before it, as before those that begin with one."""
    if cell[0] == "'" or (_COMPUTED.match(cell) and not _HARMLESS.fullmatch(cell)):
        return f"'{cell}"
    return cell


def written(value: JSON) -> str:
    """Any value as a cell: nothing for null, lists of single values joined by semicolons, other nested ones as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(one, str) and ";" not in one for one in value):
        return "; ".join(value)
    return value.text if isinstance(value, Number) else text_of(value)


def text_of(value: JSON) -> str:
    """The JSON text of a value."""
    return jsontext.dumps(value).decode()
