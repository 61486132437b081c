"""Which files of an archive cards of contacts have a place for."""

from __future__ import annotations

from typing import Final

from ..limits import MIB
from ..rows.blobs import IndexedFile

_TYPES: Final = frozenset(f"image/{kind}" for kind in ("jpeg", "png", "gif", "webp"))
_LARGEST: Final = MIB
"""Bytes of a picture in a card; telephones refuse larger ones."""


def holds(file: IndexedFile) -> bool:
    """Whether it is the picture of contacts, and of nothing else, and not too large."""
    fits = file.sha256 is not None and file.size <= _LARGEST and file.type in _TYPES
    return fits and bool(file.rows) and all(row.table == "contacts" for row in file.rows)
