"""Convert: an archive of version 1 becomes one of version 2, without a server.

Its events are folded as the changes of a pull are; see ``formats/mana-v1.md``, "From events to rows".
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ...archive.container import Container
from ...archive.destination import Destination
from ...archive.places import Location
from ...archive.reader import open_outer
from ...archive.sources import reading
from ...archive.v1 import holds_events, open_events
from ...archive.writer import Seal
from ...crypto.fields import FieldCipher
from ...errors import UsageError
from ...host.spooling import spool_files
from ...limits import DEFAULT_LIMITS, Limits
from ...model import registry
from ..export import ExportResult, Selection, Source, export
from ..progress import Watch
from .event_log import EventLog


def is_older(path: Location, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether a file is an archive of version 1. Raises :class:`DamagedArchiveError`, :class:`NotFoundError`."""
    with reading(path) as source:
        return holds_events(Container(source, limits, at_once=isinstance(path, Path)), limits)


def check_convertible(path: Location) -> None:
    """Raises :class:`UsageError` for an archive of the present version, and what opening it raises."""
    if not is_older(path):
        open_outer(path).resources.close()
        raise UsageError(f"{path} is of the present version already", hint="--to says what to make of it")


def convert(
    source: Location,
    target: Destination,
    cipher: FieldCipher | None,
    *,
    selection: Selection | None = None,
    seal: Seal | None = None,
    force: bool = False,
    strict: bool = False,
    dated: datetime | None = None,
    progress: Watch | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ExportResult:
    """Write what the v1 archive ``source`` holds to ``target``; the parameters are those of an export.

    ``cipher`` is of the account that made the archive; what it does not open is a loss, and stays as it is. The server
    counts as last read when the archive was made. Raises :class:`DamagedArchiveError`, :class:`NotFoundError`,
    :class:`UsageError`, :class:`OutputError`, :class:`LockedError`.
    """
    with open_events(source, limits) as archive, EventLog(archive, spool_files(target), limits=limits) as log:
        return export(
            Source(
                mirror=log,
                registry=registry.load(),
                user_id=archive.manifest.user_id,
                cipher=cipher,
                pulled_at=archive.manifest.created_at,
            ),
            target,
            selection=selection,
            seal=seal,
            force=force,
            strict=strict,
            dated=dated,
            progress=progress,
            limits=limits,
        )
