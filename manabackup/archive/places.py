"""Archives that are no files of this machine: what reading and writing need of the place where one lies.

The places themselves are made elsewhere (``manabackup/storage``). Whoever opens archives takes a :data:`Location`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from ..crypto.seal import ByteSource


class Output(Protocol):
    """A seekable binary file, empty, at its start."""

    def write(self, data: bytes, /) -> object: ...
    def seek(self, offset: int, /) -> object: ...


class FarSource(ByteSource, Protocol):
    """An archive that is read by ranges: each reading costs a request unless it was made before."""

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """What lies in a place, as far as it shows from outside. Equal states are of the same content."""

    size: int
    """In bytes; negative where the server does not say."""
    version: str


class Place(Protocol):
    """Where one archive lies, or is to lie: its ``str`` is an address without any secret."""

    @property
    def name(self) -> str:
        """The last part of the address."""
        ...

    @property
    def address(self) -> str:
        """By which it is named again, to the character. Other than its ``str`` it is not for everybody to see."""
        ...

    def open(self) -> FarSource:
        """The archive, to be read by ranges. Raises :class:`~manabackup.errors.NotFoundError` and what else fails."""
        ...

    def writing(self, *, force: bool) -> AbstractContextManager[Output]:
        """Takes an archive, which is there when the block has ended well, whole; without ``force`` over nothing.

        Raises :class:`~manabackup.errors.OutputError` where something is there already, before and after the block.
        """
        ...

    def state(self) -> State | None:
        """What is there; None where nothing is, as far as who asks may know."""
        ...

    def remove(self) -> None:
        """Takes away what is there."""
        ...


class Folder(Protocol):
    """Where archives lie beside each other: its ``str`` is an address without any secret."""

    @property
    def name(self) -> str:
        """The last part of the address."""
        ...

    def archives(self) -> Iterable[Place]:
        """What is called like an archive there, by name; hidden names and what lies further down are passed over."""
        ...

    def folders(self) -> Iterable[Folder]:
        """The folders in it, by name; hidden ones are passed over."""
        ...


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What was sent of an archive that has not appeared: a run sends it still, or was killed."""

    name: str
    """By which people find it there."""
    archive: str
    """The name that it was to have."""
    size: int
    """In bytes; negative where the place does not say."""
    age: timedelta | None
    """Since something was last sent of it, by the place's own clock where it tells; None where nobody knows."""
    ours: bool
    """Whether this program has begun it, as far as its name tells."""
    remove: Callable[[], None]
    """Takes it away. Raises :class:`~manabackup.errors.OutputError` where it is not as it was found any more."""


@runtime_checkable
class ClearableFolder(Folder, Protocol):
    """A folder that tells of what was not sent to its end. Others clear that away by themselves, or keep none."""

    def unfinished(self) -> Iterable[Unfinished]:
        """What lies there of archives that have not appeared, by name; what lies further down is passed over."""
        ...


Location: TypeAlias = Path | Place
"""Where an archive lies."""
