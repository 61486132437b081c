"""Archives of every kind, to be told apart whatever becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manabackup.archive.container import Container
from manabackup.archive.sources import FileBytes
from tests.support import handmade

PASSPHRASE = handmade.PASSPHRASE
VECTORS = Path(__file__).parents[3] / "fixtures" / "vectors" / "archives"
SEALED_BY_US = ("export", "export-private", "seal", "seal-private", "rekey", "rekey-of-sealed")
PLAIN = ("export", "unseal", "rekey", "web-app", "v1")


@contextmanager
def patched(path: Path, at: int, byte: int) -> Iterator[None]:
    """The file with one byte another."""
    with path.open("r+b", buffering=0) as file:
        file.seek(at)
        before = file.read(1)
        file.seek(at)
        file.write(bytes([byte]))
        try:
            yield
        finally:
            file.seek(at)
            file.write(before)


def never_asked() -> str:
    """A passphrase is asked for when no damage was found."""
    return pytest.fail("damage was not found, or would have been called a wrong passphrase")


def read(path: Path) -> dict[str, bytes]:
    """Name → content."""
    with FileBytes(path) as source:
        container = Container(source)
        return {name: b"".join(container.chunks(entry)) for name, entry in container.entries.items()}
