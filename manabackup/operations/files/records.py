"""What is known of a fetched file, and what became of one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ...errors import JSONTextError
from ...remote.media import Medium
from ...text import jsontext
from ...text.jsontext import JSON


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that was fetched, and what its service says of it."""

    sha256: str
    size: int
    type: str = ""
    """As the service has it; empty where it knows none."""
    name: str | None = None
    """Under which it was first uploaded, perhaps by somebody else: never a path."""
    told: Mapping[str, JSON] = field(default_factory=dict)
    """``exif``, ``metadata`` and ``createdAt`` of the media service's answer."""

    def text(self) -> bytes:
        """As JSON."""
        return jsontext.dumps(
            {"sha256": self.sha256, "size": self.size, "type": self.type, "name": self.name, "told": dict(self.told)}
        )

    @classmethod
    def of(cls, medium: Medium) -> FileRecord:
        """What the media service says of a file."""
        return cls(medium.sha256, medium.size, medium.type, medium.name, medium.told)

    @classmethod
    def parse(cls, text: bytes) -> FileRecord:
        """What :meth:`text` wrote. Raises :class:`JSONTextError`."""
        value = jsontext.parse(text)
        match value:
            case {"sha256": str(sha256), "size": int(size), "type": str(kind), "name": name, "told": dict(told)}:
                return cls(sha256, size, kind, name if isinstance(name, str) else None, told)
        raise JSONTextError("not what is known of a file")


class FileLossKind(StrEnum):
    """Why a file is not there."""

    GONE = "gone"
    """The service says that there is no such file, and means it for good."""
    UNAVAILABLE = "unavailable"
    """It could not be had now. Asking again later may help."""
    DAMAGED = "damaged"
    """What came, again and again, was not what the service says the file is."""
    TOO_LARGE = "tooLarge"
    FOREIGN = "foreign"
    """It lies on somebody else's server, which was not asked."""
    UNRESOLVED = "unresolved"
    """Nobody can tell where it is."""


@dataclass(frozen=True, slots=True)
class LostFile:
    """A file that is not there."""

    kind: FileLossKind
    reason: str
    """A stable word or phrase."""
