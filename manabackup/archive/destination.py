"""Where an archive goes: into a file, which appears whole or not at all, or to the standard output, which is given all
of it or nothing.

What is to be replaced is looked at here too: an archive that may be complete does not go for one that is not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from ..errors import DamagedArchiveError, IncompleteError, ManabackupError
from ..host.output import AtomicFile, writing_to
from ..host.set_aside import SetAside, Tell
from ..host.standard_output import StandardOutput
from ..text.printable import printable
from .places import Location, Output, Place
from .reader import open_archive, open_outer
from .writer import Seal

Destination: TypeAlias = Path | StandardOutput | Place
_PARTIAL = "partial"


Opened: TypeAlias = AtomicFile | StandardOutput | AbstractContextManager[Output]


def opened(target: Destination, *, force: bool, tell: Tell | None = None) -> Opened:
    """What takes an archive that is being written, as a context manager. Raises what :class:`AtomicFile` raises.

    ``tell`` is told how far it is sent to a far place, once it is whole here.
    """
    if isinstance(target, Path):
        return AtomicFile(target, force=force)
    return target if isinstance(target, StandardOutput) else _told(target.writing(force=force), tell)


@contextmanager
def _told(sending: AbstractContextManager[Output], tell: Tell | None) -> Iterator[Output]:
    with sending as output:
        if tell is not None and isinstance(output, SetAside):
            output.tell = tell
        yield output


def writing(target: Destination) -> AbstractContextManager[None]:
    """Turns an :class:`OSError` within into an :class:`~manabackup.errors.OutputError` that names what was written."""
    if isinstance(target, Path):
        return writing_to(target)
    # Elsewhere it is set aside first, among temporary files.
    return writing_to(Path(tempfile.gettempdir()), no_space="free some space there, or let TMPDIR name another folder")


def named(target: Destination) -> Location:
    """``target`` as results and messages name it."""
    return Path(str(target)) if isinstance(target, StandardOutput) else target


def keep_complete(output: Opened, target: Destination, status: str, seal: Seal | None, *, strict: bool = False) -> None:
    """Sees to it that an archive of this ``status`` takes no complete one away; for the end of its writing.

    What is in its place, and may be complete, is kept beside it under another name; with ``strict`` it stays where it
    is, which raises :class:`IncompleteError`. Only what says of itself that it is partial, and what is no archive, may
    be replaced. A sealed one says so to whoever has its passphrase: that of ``seal`` is tried. In a far
    place nothing is kept aside: there it always stays where it is.
    """
    if status != _PARTIAL or isinstance(target, StandardOutput):
        return
    if not isinstance(output, AtomicFile):
        if not isinstance(target, Path) and target.state() is not None and _may_be_complete(target, seal):
            raise IncompleteError(
                f"something is missing in the new archive: {printable(str(target))} stays as it was",
                hint="give the new one another name",
            )
        return
    if not output.path.exists() or not _may_be_complete(output.path, seal):
        return
    if strict:
        raise IncompleteError(
            f"something is missing in the new archive: {printable(str(output.path))} stays as it was",
            hint="without --strict the new one takes its place, and the old one is kept beside it",
        )
    output.keep_old("what takes its place is partial")


def _may_be_complete(path: Location, seal: Seal | None) -> bool:
    try:
        outer = open_outer(path)
        outer.resources.close()
        if not outer.manifest.sealed:
            completeness = outer.manifest.completeness
        elif seal is None:
            return True
        else:
            with open_archive(path, lambda: seal.passphrase) as archive:
                completeness = archive.manifest.completeness
    except DamagedArchiveError as error:
        return error.code != "notAnArchive"
    except ManabackupError:
        return True
    return completeness is None or completeness.get("status") != _PARTIAL
