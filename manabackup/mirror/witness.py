"""What stands beside a mirror: the sums of its file as the last run left it.

A file that has them is what it was, to the last bit, and that is seen as fast as it can be read: so every run looks at
all of its mirror, and only one that has not is looked at closely (:mod:`.inspection`). Whoever writes removes the
witness first. A run that is killed leaves none: then SQLite, too, may leave out what that run wrote last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self
from zlib import crc32

from ..errors import JSONTextError
from ..host.output import write_whole
from ..text import jsontext

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Witness:
    """The state of a mirror's file."""

    version: int
    """The version of the file."""
    generation: int
    """As in the :class:`~manabackup.mirror.ledger.Root`."""
    sums: tuple[int, ...]
    """The CRC-32 of each MiB of the file."""

    @classmethod
    def of(cls, path: Path, version: int, generation: int) -> Self:
        """The state of a file as it is. Raises :class:`OSError`."""
        return cls(version, generation, tuple(_sums(path)))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The witness of a mirror; None where there is none that can be believed. Raises :class:`OSError`."""
        try:
            head, _, content = _beside(path).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        if head != sha256(content).hexdigest().encode():
            return None
        try:
            known = jsontext.parse(content)
        except JSONTextError:
            return None
        return cls(known["version"], known["generation"], tuple(known["sums"]))

    def write(self, path: Path) -> None:
        """Raises :class:`OutputError`."""
        content = jsontext.dumps({"version": self.version, "generation": self.generation, "sums": list(self.sums)})
        write_whole(_beside(path), sha256(content).hexdigest().encode() + b"\n" + content)

    def fits(self, path: Path) -> bool:
        """Whether a file is as it was, and nothing waits in its log. Raises :class:`OSError`."""
        return not has_log(path) and self.sums == tuple(_sums(path))


def has_log(path: Path) -> bool:
    """Whether something waits in the log of a file: nobody has closed it. Raises :class:`OSError`."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def forget(path: Path) -> None:
    """Removes the witness of a mirror. Raises :class:`OSError`."""
    _beside(path).unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sums")


def _sums(path: Path) -> Iterator[int]:
    block = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            yield crc32(block[:size])
