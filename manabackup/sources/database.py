"""What every kind of database gives: its catalog, and answers out of one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from ..text.jsontext import JSON
from .catalog import Catalog
from .queries import Dialect, RowQuery


class Database(Protocol):
    """An open database in one read transaction, until it is closed. What fails is a :class:`SourceError`."""

    @property
    def dialect(self) -> Dialect:
        """How it wants to be asked."""

    def catalog(self) -> Catalog:
        """What it says of itself."""

    def rows(self, question: RowQuery, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The rows that a question is answered with, a few in memory at a time. See the modules for their values."""

    def blocks(self, question: RowQuery, values: Sequence[Any]) -> Iterator[Any]:
        """The same rows, many at a time, in a form that can be given to another process; :meth:`cells` opens it."""

    @staticmethod
    def cells(block: Any) -> Iterator[list[Any]]:
        """The rows of a block."""

    def size(self) -> int:
        """Bytes of all rows, as far as several processes are worth it for them; 0 where they are not."""

    def plan(self, question: RowQuery) -> list[str]:
        """How it would answer, in its own words; nothing is read."""

    def snapshot(self) -> dict[str, JSON]:
        """When and how it is read, for the manifest."""

    def close(self) -> None:
        """End the transaction."""
