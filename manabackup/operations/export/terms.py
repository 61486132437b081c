"""What an export writes: its streams, and the terms by which their rows are chosen and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ...crypto.fields import FieldCipher
from ...model.registry import Table


class FileTerms(Enum):
    """What is wanted of the files that rows refer to."""

    COUNT = auto()
    """How many references there are."""
    LIST = auto()
    """Each reference, and the files that stand in rows."""


@dataclass(frozen=True, slots=True)
class ExportTerms:
    """What decides which rows are written, and how."""

    cipher: FieldCipher | None
    """None for an account that has no vault."""
    space_types: Mapping[str, str]
    """Space id → ``personal``, ``club``, …; a space that is not listed is of unknown type."""
    spaces: Sequence[str]
    """Only rows of these; empty: of all."""
    include_deleted: bool
    as_of: str | None
    tomorrow: str
    """Times beyond it are noted, as text."""
    line_bytes: int
    """What a reader accepts."""
    files: FileTerms = FileTerms.COUNT
    user_id: str = ""
    """Whose export it is."""
    as_stored: bool = False
    """Ciphertext stays as it is, unopened."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One ``data/`` entry to be: its name, its table if it is registered, and the collections that feed it."""

    name: str
    table: Table | None
    app: str
    collections: tuple[str, ...]
    bytes: int
    changes: int
