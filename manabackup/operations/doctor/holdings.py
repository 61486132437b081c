"""What this computer holds: the mirror, the last archive, and the schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from ...archive.reader import open_outer
from ...errors import DamagedArchiveError, LockedError, MirrorError, NotFoundError, OlderMirrorError
from ...limits import MIB
from ...mirror import look
from ...text.printable import counted, printable
from ..account.last_backup import LastBackup
from ..account.state import StateFolder
from ..archives.verify import verify
from ..schedule.status import status
from .checks import Check, attention, broken, unknown, well

OLD: Final = timedelta(days=7)
"""From when on somebody may be losing work that they take for saved."""
_ANOTHER: Final = "do not rely on it; `manabackup export` makes another one"


def mirror(path: Path | None, *, thorough: bool) -> Iterator[Check]:
    """Whether it is whole, and when it was pulled last."""
    if path is None:
        yield unknown("mirror", "whose mirror is meant is known to who is signed in")
        return
    try:
        found = look(path, thorough=thorough)
    except NotFoundError:
        yield attention("mirror", "there is none yet", "`manabackup pull` makes it, and so does the first export")
        return
    except OlderMirrorError:
        yield well("mirror", "of an earlier version; the next pull brings it up to date")
        return
    except LockedError as error:
        yield unknown("mirror", error.message)
        return
    except MirrorError as error:
        yield broken("mirror", error.message, error.hint)
        return
    if found.cut_off:
        yield attention("mirror", "a run was cut off while it wrote", "`manabackup pull` looks at it and goes on")
        return
    how = "all of it read and whole" if thorough else "whole as far as a quick look tells"
    yield well("mirror", f"{found.changes:,} changes, {found.bytes / MIB:.1f} MiB, {how}")
    if found.pulled_at is None:
        yield attention("pull", "never to its end", "`manabackup pull` goes on where it stopped")
    else:
        yield _aged("pull", "the last one was", found.pulled_at, "`manabackup pull`, or an export")


def archive(last: LastBackup | None, *, thorough: bool) -> Iterator[Check]:
    """Whether it is where it was written, and whole."""
    if last is None:
        yield attention(
            "archive",
            "no backup of everything was written from this state folder",
            "`manabackup export --seal -o FILE.mana`",
        )
        return
    if last.archive is None:
        # Far places are not asked: that costs there, and may take long. `verify` does it.
        where = "the standard output" if last.address is None else printable(last.address)
        yield _aged("archive", f"the last one went to {where}", last.at, "`manabackup export`")
        return
    shown = printable(str(last.archive))
    try:
        yield from _whole(last.archive, shown, thorough=thorough)
    except NotFoundError:
        yield attention("archive", f"{shown} is gone", "if you moved it, verify it there: `manabackup verify FILE`")
    except DamagedArchiveError as error:
        yield broken("archive", f"{shown}: {error.message}", _ANOTHER)
    if last.status == "partial":
        yield attention("archive", f"{shown} lacks something", f"`manabackup info {shown}` says what")
    yield _aged("backup", "the last one was made", last.at, "`manabackup export`, or let `manabackup schedule` do it")


def _whole(path: Path, shown: str, *, thorough: bool) -> Iterator[Check]:
    outer = open_outer(path)
    with outer.resources:
        if outer.manifest.sealed:
            outer.check_sealed_body()
            yield well("archive", f"{shown}: sealed, and as it was written; its passphrase was not asked for")
            return
    if not thorough:
        yield well("archive", f"{shown}: opens; `manabackup verify` or --thorough reads all of it")
        return
    report = verify(path)
    if report.ok:
        yield well("archive", f"{shown}: ok, {counted(report.rows, 'row')}")
    else:
        problem = report.problems[0]
        yield broken("archive", f"{shown}: {problem.message}", _ANOTHER)


def schedules(state: StateFolder, zone: tzinfo) -> Iterator[Check]:
    """Whether they will run, and did."""
    found = status(state, zone=zone)
    if not found:
        yield well("schedule", "none")
    for each in found:
        name = f"schedule `{each.name}`"
        if each.problem is not None:
            yield broken("schedule", f"{name}: {each.problem}", "`manabackup schedule install` writes it anew")
        elif each.overdue:
            why = f"; the last run failed: {each.last.message}" if each.last is not None and not each.last.good else ""
            yield broken("schedule", f"{name} is overdue{why}", f"`manabackup schedule run {each.name}`")
        elif each.last is not None and not each.last.good:
            failed = f"{name}: its last run failed: {each.last.message}"
            yield broken("schedule", failed, f"`manabackup schedule run {each.name}`, when that is mended")
        else:
            yield well("schedule", f"{name} runs next at {each.next_due:%Y-%m-%d %H:%M}")


def _aged(what: str, words: str, at: datetime, advice: str) -> Check:
    age = datetime.now(UTC) - at
    found = f"{words} {_words(age)} ago"
    return attention(what, found, advice) if age > OLD else well(what, found)


def _words(age: timedelta) -> str:
    minutes = max(0, int(age / timedelta(minutes=1)))
    for unit, length in (("days", 24 * 60), ("hours", 60)):
        if minutes >= 2 * length:
            return f"{minutes // length} {unit}"
    return f"{minutes} minutes"
