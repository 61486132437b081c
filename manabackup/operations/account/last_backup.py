"""The last backup of a profile, as the state folder remembers it.

``profiles/<profile>/last-backup.json``: where it went, when, and whether it was complete. Only an export of everything
is a backup; it is remembered here so that somebody can be told how old their last one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...errors import JSONTextError
from ...host.output import reading_from, write_whole
from ...text import jsontext
from ..places import is_address
from .state import StateFolder, make_room

_VERSION = 1
_NAME = "last-backup.json"


@dataclass(frozen=True, slots=True)
class LastBackup:
    """A backup that was written."""

    archive: Path | None
    """Where it went, absolute; None for the standard output, and for a far place."""
    at: datetime
    """When it was written, by this computer's clock."""
    status: str
    """``complete`` or ``partial``."""
    sealed: bool
    address: str | None = None
    """Of the far place where it went, if it did."""

    def to_json(self) -> dict[str, jsontext.JSON]:
        """As it stands in the file, but for the version, and in the record of a bare ``manabackup --json``."""
        return {
            "archive": self.address if self.archive is None else str(self.archive),
            "at": self.at.astimezone(UTC).isoformat(timespec="seconds"),
            "status": self.status,
            "sealed": self.sealed,
        }


def remember_backup(state: StateFolder, profile: str, backup: LastBackup) -> None:
    """Takes the place of the one remembered before. Raises :class:`OutputError`."""
    path = state.profile_folder(profile) / _NAME
    make_room(path)
    write_whole(path, jsontext.dumps({"version": _VERSION, **backup.to_json()}) + b"\n")


def last_backup(state: StateFolder, profile: str) -> LastBackup | None:
    """The last backup; None where none is known, which a file that cannot be understood counts as.

    Raises :class:`UsageError` for a name that makes no profile, :class:`OutputError` when the disk does not give it.
    """
    path = state.profile_folder(profile) / _NAME
    try:
        with reading_from(path):
            kept = jsontext.parse(path.read_bytes())
    except (FileNotFoundError, JSONTextError):
        return None
    if not isinstance(kept, dict) or kept.get("version") != _VERSION:
        return None
    archive, at, status = kept.get("archive"), kept.get("at"), kept.get("status")
    try:
        moment = datetime.fromisoformat(str(at))
    except ValueError:
        return None
    if moment.tzinfo is None or not isinstance(archive, str | None) or not isinstance(status, str):
        return None
    sealed = kept.get("sealed") is True
    if archive is None or is_address(archive):
        return LastBackup(None, moment, status, sealed, archive)
    return LastBackup(Path(archive), moment, status, sealed)
