"""Which archive is damaged: those who work with two are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import DamagedArchiveError
from .places import Location


@contextmanager
def damage_named(path: Location) -> Iterator[None]:
    """Damage that is found meanwhile is that of the archive at ``path``."""
    try:
        yield
    except DamagedArchiveError as error:
        if error.archive is None:
            error.archive = path
        raise
