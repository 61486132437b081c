"""What becomes of the archives of a folder, and doing it.

Compared are archives of one account that hold the same part of it, and complete ones with complete ones: none takes the
place of one that holds more. What is kept is read to its end before anything else is removed, and what is damaged does
not count. Whatever the rules say, the newest of each kind stays, and so does every file that is not known to be a
backup of this program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from pathlib import Path

from ...archive.places import Folder, Location
from ...archive.reader import open_outer
from ...errors import AccessError, DamagedArchiveError, ManabackupError, ServerError, UsageError
from ...host.zone import machine_zone
from ...text.jsontext import JSON
from ...text.timestamps import app_time
from ..archives.verify import verify
from ..progress import Progress, Step, Watch
from .folder import Backup, Identity, Other, files, identity_of
from .policy import Policy

NEWEST = "newest"
CHANGED = "it changed after it was judged"


class Fate(StrEnum):
    """What becomes of a file."""

    KEEP = "keep"
    REMOVE = "remove"
    LEAVE = "leave"
    """It is no business of the rules."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A file, and what becomes of it."""

    path: Location
    decision: Fate
    reasons: tuple[str, ...]
    """Why it is kept or left; empty for what goes."""
    at: datetime | None = None
    """When it was made, by what it says; None where that is unknown, as are the following."""
    user_id: str | None = None
    scope: str | None = None
    complete: bool | None = None
    bytes: int = 0
    damaged: bool = False
    identity: Identity | None = None

    def to_json(self) -> dict[str, JSON]:
        """A member of ``files``."""
        return {
            "archive": str(self.path),
            "decision": self.decision.value,
            "reasons": list(self.reasons),
            "exportedAt": None if self.at is None else app_time(self.at),
            "userId": self.user_id,
            "scope": self.scope,
            "complete": self.complete,
            "bytes": self.bytes,
            "damaged": self.damaged,
        }


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What becomes of the archives of a folder; nothing is done yet."""

    folder: Path | Folder
    files: tuple[Judged, ...]
    """Account by account and kind by kind, newest first; at the end what is left alone."""

    def of(self, decision: Fate) -> list[Judged]:
        """The files with one fate."""
        return [file for file in self.files if file.decision is decision]

    @property
    def damaged(self) -> list[Judged]:
        """What cannot be relied on; it is left where it is."""
        return [file for file in self.files if file.damaged]

    def to_json(self) -> dict[str, JSON]:
        """The plan in the object that ``prune --json`` prints (``formats/schemas/prune.schema.json``)."""
        return {"folder": str(self.folder), "files": [file.to_json() for file in self.files]}


@dataclass(slots=True)
class Pruned:
    """What was done."""

    removed: list[Location] = field(default_factory=list)
    bytes: int = 0
    failed: list[tuple[Location, str]] = field(default_factory=list)
    """What should have gone and did not, and why."""

    def to_json(self) -> dict[str, JSON]:
        """The rest of the object that ``prune --json`` prints."""
        return {
            "removed": [str(path) for path in self.removed],
            "freedBytes": self.bytes,
            "failed": [{"archive": str(path), "reason": why} for path, why in self.failed],
        }


def plan_prune(
    folder: Path | Folder,
    policy: Policy,
    *,
    zone: tzinfo | None = None,
    now: datetime | None = None,
    passphrase: Callable[[], str] | None = None,
    progress: Watch | None = None,
) -> PrunePlan:
    """Judge the archives of a folder. ``zone`` is that of the calendar, this computer's unless given.

    ``passphrase`` opens what it opens; other sealed archives are judged by what stands outside.

    ``progress`` is told of :attr:`Step.PRUNE`: kept archives are read to their end where others are to go.

    Raises :class:`UsageError` for a policy without a rule, :class:`NotFoundError`, :class:`OutputError`.
    """
    if policy.is_empty:
        raise UsageError("no rule says what to keep", hint="such as --keep-daily 7 --keep-weekly 4 --keep-monthly 12")
    backups: dict[tuple[str, str], list[Backup]] = {}
    others: list[Other] = []
    for found in files(folder, passphrase):
        if isinstance(found, Other):
            others.append(found)
        else:
            backups.setdefault((found.user_id, found.what), []).append(found)
    sound = _Soundness(passphrase, progress, sum(len(group) for group in backups.values()))
    decided: list[Judged] = []
    for group in backups.values():
        decided += _decided(group, policy, now or datetime.now(UTC), zone or machine_zone(), sound)
    left = [Judged(other.path, Fate.LEAVE, (other.why,), damaged=other.damaged) for other in others]
    damaged = [file for file in decided if file.damaged]
    return PrunePlan(folder, (*(file for file in decided if not file.damaged), *damaged, *left))


def prune(plan: PrunePlan) -> Pruned:
    """Remove what a plan removes, the oldest first. A file that is not as it was judged stays."""
    done = Pruned()
    for file in sorted(plan.of(Fate.REMOVE), key=lambda file: file.at or datetime.max.replace(tzinfo=UTC)):
        try:
            if identity_of(file.path) != file.identity:
                done.failed.append((file.path, CHANGED))
                continue
            if isinstance(file.path, Path):
                file.path.unlink()
            else:
                file.path.remove()
        except OSError as error:
            done.failed.append((file.path, error.strerror or str(error)))
            continue
        except ManabackupError as error:  # of a far place
            done.failed.append((file.path, error.message))
            continue
        done.removed.append(file.path)
        done.bytes += file.bytes
    return done


def _decided(
    group: Sequence[Backup], policy: Policy, now: datetime, zone: tzinfo, sound: _Soundness
) -> Iterator[Judged]:
    """The fates of archives of one kind, newest first."""
    candidates = sorted(group, key=lambda backup: (backup.at, str(backup.path)))
    damaged: list[Judged] = []
    while True:
        reasons = policy.reasons([backup.at for backup in candidates], now=now, zone=zone)
        if candidates and not reasons[-1]:
            reasons[-1].append(NEWEST)
        # Where nothing goes, nothing needs to be proved.
        found = next(_unsound(candidates, reasons, sound), None) if not all(reasons) else None
        if found is None:
            break
        backup, why = found
        candidates.remove(backup)
        damaged.append(_fate(backup, Fate.LEAVE, [f"damaged: {why}"], damaged=True))
    for backup, why_kept in reversed(list(zip(candidates, reasons, strict=True))):
        yield _fate(backup, Fate.KEEP if why_kept else Fate.REMOVE, why_kept)
    yield from damaged


def _unsound(
    candidates: Iterable[Backup], reasons: Iterable[list[str]], sound: _Soundness
) -> Iterator[tuple[Backup, str]]:
    """Those of the kept ones that cannot be relied on, and why."""
    for backup, why_kept in zip(candidates, reasons, strict=True):
        if why_kept:
            wrong = sound.what_is_wrong(backup)
            if wrong is not None:
                yield backup, wrong


class _Soundness:
    """Which archives are whole; each is read once."""

    def __init__(self, passphrase: Callable[[], str] | None, progress: Watch | None, total: int) -> None:
        self._passphrase = passphrase
        self._progress = progress
        self._total = total
        self._known: dict[Location, str | None] = {}

    def what_is_wrong(self, backup: Backup) -> str | None:
        """What is wrong with an archive; None where nothing is, as far as can be told without its passphrase."""
        if backup.path not in self._known:
            self._known[backup.path] = self._looked_at(backup)
        return self._known[backup.path]

    def _looked_at(self, backup: Backup) -> str | None:
        if self._progress is not None:
            self._progress(Progress(Step.PRUNE, len(self._known), self._total, backup.path.name))
        try:
            if backup.opens:
                report = verify(backup.path, self._passphrase)
                return None if report.ok else report.problems[0].message
            outer = open_outer(backup.path)
            with outer.resources:
                outer.check_sealed_body()
        except DamagedArchiveError as error:
            return error.message
        except (AccessError, ServerError):  # which says nothing of the archive
            raise
        except (OSError, ManabackupError) as error:
            return getattr(error, "strerror", None) or str(error)
        return None


def _fate(backup: Backup, decision: Fate, reasons: Sequence[str], *, damaged: bool = False) -> Judged:
    return Judged(
        backup.path,
        decision,
        tuple(reasons),
        backup.at,
        backup.user_id,
        backup.scope,
        backup.complete,
        backup.identity.size,
        damaged,
        backup.identity,
    )
