"""What somebody is told who follows an account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ...text.jsontext import JSON


class Happening(StrEnum):
    """What happened."""

    STARTED = "started"
    """All that there was has been pulled, and the streams are being opened."""
    CONNECTED = "connected"
    """A stream speaks: the first one, or one after a break."""
    DISCONNECTED = "disconnected"
    """A stream broke, ended or fell silent; it is opened again after a pause."""
    PULLED = "pulled"
    """The apps that streams named were pulled."""
    LOOKED = "looked"
    """A whole pull, whatever the streams say."""
    DELAYED = "delayed"
    """A pull has to wait: for another command, for a server. It is made up."""
    EXPORTED = "exported"
    """An archive was written."""
    EXPORT_FAILED = "exportFailed"
    """None was; it is tried again when the next one is due."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class FollowEvent:
    """One thing that happened."""

    what: Happening
    at: datetime
    """By this computer's clock, which may jump: for people."""
    facts: dict[str, JSON] = field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """A line that ``follow --json`` prints (``formats/schemas/follow.schema.json``)."""
        return {"event": self.what.value, "at": written(self.at), **self.facts}


def written(moment: datetime | None) -> str | None:
    """RFC 3339, to the second."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
