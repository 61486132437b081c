"""The text in which PostgreSQL's ``COPY`` gives rows (documentation of PostgreSQL, "COPY", "Text Format")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NULL = r"\N"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
NULL = rb"\N"
"""A cell without a value."""
_ESCAPED_BYTES = re.compile(rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_SPELLING = {b"\\": rb"\\"} | {meant.encode(): f"\\{name}".encode() for name, meant in _MEANT.items()}
_SPELLED = re.compile(rb"[\\\b\f\n\r\t\v]")
_MEANT_BYTES = {name.encode(): meant.encode() for name, meant in _MEANT.items()}


class BrokenRow(list[Any]):
    """A row with texts that are not UTF-8: these stay bytes."""


def copied_rows(block: bytes) -> Iterator[list[Any]]:
    """The rows of a text that holds whole ones, each with its end: their texts, and None for NULL."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        for line in block.split(b"\n")[:-1]:
            yield _row(line.decode("utf-8", "surrogateescape"), is_sure=False)
        return
    # Line ends and tabs within values are escaped.
    for row in text.split("\n")[:-1]:
        yield row.split("\t") if "\\" not in row else _row(row, is_sure=True)


def _row(row: str, *, is_sure: bool) -> list[Any]:
    cells = [None if cell == _NULL else _meant(cell) if "\\" in cell else cell for cell in row.split("\t")]
    if is_sure:
        return cells
    mixed = [cell if cell is None or _is_utf8(cell) else cell.encode("utf-8", "surrogateescape") for cell in cells]
    return BrokenRow(mixed) if any(type(cell) is bytes for cell in mixed) else mixed


def _is_utf8(text: str) -> bool:
    """Of a text that was decoded with ``surrogateescape``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _meant(cell: str) -> str:
    # In JSON, and that is most of what has any, backslashes alone are escaped.
    parts = cell.split("\\\\")
    for number, part in enumerate(parts):
        if "\\" in part:
            parts[number] = _ESCAPED.sub(lambda mark: _MEANT.get(mark[1], mark[1]), part)
    return "\\".join(parts)


def cell_of(value: bytes) -> bytes:
    """A value as the server copies it: in one spelling, so that equal values have equal cells."""
    return _SPELLED.sub(lambda mark: _SPELLING[mark[0]], value)


def value_of(cell: bytes) -> bytes | None:
    """What a cell of a row says, as bytes; None for NULL. Takes every spelling that ``COPY FROM`` takes."""
    if b"\\" not in cell:
        return cell
    return None if cell == NULL else _ESCAPED_BYTES.sub(_meant_bytes, cell)


def _meant_bytes(match: re.Match[bytes]) -> bytes:
    hexadecimal, octal, other = match.groups()
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    return _MEANT_BYTES.get(other, other)
