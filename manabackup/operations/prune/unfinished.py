"""What killed runs have left of archives that never appeared, and taking it away.

Nobody tells whether the run that sent something is alive. So what something was sent of within the last day (or what
is said in its place) stays; a run that is alive sends the next part within minutes. On a disk of this machine the lock
tells besides.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from stat import S_ISREG

from ...archive.places import ClearableFolder, Folder, Unfinished
from ...errors import ManabackupError, NotFoundError, OutputError, UsageError
from ...host.output import is_being_written, remove_part
from ...text.jsontext import JSON
from ...text.printable import printable
from .folder import FileIdentity, listed
from .pruning import CHANGED, Fate

A_DAY = timedelta(days=1)
_PART = re.compile(r"\.(.+\.mana|[0-9a-f]{32})(?:\.part|\.[0-9a-f]{16}\.unfinished)", re.DOTALL)
"""What a file is called that is written here, or was sent here by another computer; long names are hashes."""
RECENT = "a run may be sending it"
WRITTEN = "a run is writing it"
NOT_OURS = "another program's, by its name"
AGELESS = "nobody says when it was written"


@dataclass(frozen=True, slots=True)
class Remnant:
    """What was sent of an archive that has not appeared, and what becomes of it."""

    what: Unfinished
    decision: Fate
    """:attr:`Fate.REMOVE` or :attr:`Fate.LEAVE`."""
    reason: str
    """Why it is left; empty for what goes."""

    def to_json(self) -> dict[str, JSON]:
        """A member of ``unfinished``."""
        what = self.what
        return {
            "name": what.name,
            "archive": what.archive,
            "bytes": what.size if what.size >= 0 else None,
            "ageSeconds": None if what.age is None else max(0, int(what.age.total_seconds())),
            "decision": self.decision.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class ClearPlan:
    """What becomes of what killed runs have left in a folder; nothing is done yet."""

    folder: Path | Folder
    remnants: tuple[Remnant, ...]

    @property
    def going(self) -> list[Unfinished]:
        """What is to be removed."""
        return [remnant.what for remnant in self.remnants if remnant.decision is Fate.REMOVE]

    def to_json(self) -> dict[str, JSON]:
        """The plan in the object of ``prune --unfinished --json`` (``formats/schemas/clear.schema.json``)."""
        return {"folder": str(self.folder), "unfinished": [remnant.to_json() for remnant in self.remnants]}


@dataclass(slots=True)
class Cleared:
    """What was done."""

    removed: list[str] = field(default_factory=list)
    """By their names."""
    bytes: int = 0
    """As far as the place says how large they were."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """What should have gone and did not, and why."""

    def to_json(self) -> dict[str, JSON]:
        """The rest of the object."""
        return {
            "removed": list(self.removed),
            "freedBytes": self.bytes,
            "failed": [{"name": name, "reason": why} for name, why in self.failed],
        }


def plan_clear(folder: Path | Folder, *, older_than: timedelta = A_DAY) -> ClearPlan:
    """Judge what lies in a folder of archives that have not appeared: what is older goes.

    Raises :class:`UsageError` for a place that keeps nothing of the kind, :class:`NotFoundError`, and what the place
    raises.
    """
    return ClearPlan(folder, tuple(_judged(what, older_than) for what in _found(folder)))


def clear(plan: ClearPlan) -> Cleared:
    """Remove what a plan removes. What is not as it was judged any more stays."""
    done = Cleared()
    for what in plan.going:
        try:
            what.remove()
        except NotFoundError:
            continue  # its run has ended after all
        except ManabackupError as error:
            done.failed.append((what.name, error.message))
            continue
        done.removed.append(what.name)
        done.bytes += max(0, what.size)
    return done


def _judged(what: Unfinished, older_than: timedelta) -> Remnant:
    if not what.ours:
        return Remnant(what, Fate.LEAVE, NOT_OURS)
    if what.age is None:
        return Remnant(what, Fate.LEAVE, AGELESS)
    if what.age < older_than:
        return Remnant(what, Fate.LEAVE, RECENT)
    if isinstance(what, _Here) and is_being_written(what.path):
        return Remnant(what, Fate.LEAVE, WRITTEN)
    return Remnant(what, Fate.REMOVE, "")


@dataclass(frozen=True, slots=True)
class _Here(Unfinished):
    path: Path


def _found(folder: Path | Folder) -> Iterable[Unfinished]:
    if isinstance(folder, Path):
        return _of_this_machine(folder)
    if isinstance(folder, ClearableFolder):
        return folder.unfinished()
    raise UsageError(f"{folder}: such a place keeps nothing of archives that were not sent to their end")


def _of_this_machine(folder: Path) -> Iterator[_Here]:
    for path in listed(folder):
        match = _PART.fullmatch(path.name)
        try:
            found = path.lstat() if match is not None else None
        except FileNotFoundError:
            continue
        if match is None or found is None or not S_ISREG(found.st_mode):
            continue
        age = timedelta(seconds=time.time() - found.st_mtime)
        remove = partial(_remove, path, FileIdentity.of(path))
        yield _Here(path.name, match[1], found.st_size, age, True, remove, path)


def _remove(path: Path, judged: FileIdentity) -> None:
    try:
        changed = FileIdentity.of(path) != judged
    except FileNotFoundError:
        raise NotFoundError(f"{printable(str(path))} is gone") from None
    if changed:
        raise OutputError(CHANGED)
    remove_part(path)
