"""Records of CSV (RFC 4180): cells as text, guarded from spreadsheets that would compute them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from ..host.output_folder import AtomicFolder
from ..text import jsontext
from ..text.jsontext import JSON, Number
from .reading import Reading

Write = Callable[[list[str]], None]
_BOM: Final = b"\xef\xbb\xbf"
_HALF = re.compile("[\ud800-\udfff]")
_COMPUTED = re.compile(r"[\s\x00]*[=+\-@\t\r＝＋－＠|]")
_MOST: Final = 1 << 19
"""Characters that are written at a time."""
_FIRST = frozenset("'=+-@\t\r\n ＝＋－＠|\0")
_HARMLESS = re.compile(r"[+-]?\d+([.,]\d+)?|\+\d[\d\s/().-]*")
"""Numbers, and numbers of telephones."""


@contextmanager
def open_table(reading: Reading, folder: AtomicFolder, path: tuple[str, ...], table: str) -> Iterator[Write]:
    """A file of a table, and what writes one record of it."""
    with folder.file(*path) as file:
        records = Records(reading, file, table)
        yield records.write
        records.flush()


class Records:
    """Writes records, some at a time. Python's own writer takes three times as long: it looks at each character."""

    def __init__(self, reading: Reading, file: BinaryIO, table: str) -> None:
        self._reading = reading
        self._table = table
        self._file = file
        self._pending: list[str] = []
        self._size = 0
        self._guard = not reading.options.raw
        if reading.options.excel:
            file.write(_BOM)

    def write(self, record: list[str]) -> None:
        """One record."""
        cells = []
        for cell in record:
            if cell and cell[0] in _FIRST and self._guard:
                cell = guarded(cell)
            if '"' in cell:
                cell = '"' + cell.replace('"', '""') + '"'
            elif "," in cell or "\n" in cell or "\r" in cell:
                cell = f'"{cell}"'
            cells.append(cell)
        line = ",".join(cells) + "\r\n"
        self._pending.append(line)
        self._size += len(line)
        if self._size >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Everything so far into the file."""
        text = "".join(self._pending)
        try:
            data = text.encode()
        except UnicodeEncodeError:
            text, replaced = _HALF.subn("\ufffd", text)
            self._reading.left_out.note("altered", self._table, replaced)
            data = text.encode()
        self._file.write(data)
        self._pending, self._size = [], 0


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
