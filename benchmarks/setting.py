"""How much is measured, and where what it takes lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .data import Dataset, Wanted, prepared

PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Setting:
    """One run of the benchmarks."""

    cache: Path
    """Datasets; may outlive the run."""
    scratch: Path
    """Archives and other results."""
    quick: bool

    @property
    def rounds(self) -> int:
        """How often each thing is measured, unless it is very short or very long."""
        return 1 if self.quick else 5

    @property
    def rows(self) -> int:
        """Of the account that is exported."""
        return 5_000 if self.quick else 100_000

    def data(self, wanted: Wanted) -> Dataset:
        """The dataset, made now if need be."""
        return prepared(self.cache, wanted)
