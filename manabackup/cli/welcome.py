"""What ``manabackup`` alone says: what it is, and what to do next, as far as this computer knows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from ..errors import ManabackupError
from ..operations.account.last_backup import LastBackup, last_backup
from ..text.printable import printable
from . import overview
from .ages import age
from .run import Run

_OLD = timedelta(days=30)
_ABOUT = "manabackup takes your data out of Mana, and puts it back."


def welcome(run: Run) -> None:
    """Tells it. No server is asked, and nothing is written."""
    profile = run.settings.account.profile
    signed_in = run.source("token") is not None or run.state.has_session(profile)
    backup = _last(run, profile)
    record = {
        "version": overview.VERSION,
        "profile": profile,
        "signedIn": signed_in,
        "lastBackup": None if backup is None else backup.to_json(),
    }
    run.terminal.result(record, _lines(signed_in, backup))


def _last(run: Run, profile: str) -> LastBackup | None:
    try:
        return last_backup(run.state, profile)
    except ManabackupError as error:
        run.terminal.warning(error.message)
        return None


def _lines(signed_in: bool, backup: LastBackup | None) -> Iterator[str]:
    yield _ABOUT
    yield ""
    yield _state(signed_in, backup)
    yield ""
    for command, why in _next(signed_in, backup):
        yield f"  {command}"
        yield f"      {why}"
    yield ""
    yield f"`{overview.PROGRAM} --help` lists all commands, `{overview.PROGRAM} help COMMAND` explains one."


def _state(signed_in: bool, backup: LastBackup | None) -> str:
    who = "You are signed in." if signed_in else "Nobody is signed in on this computer."
    if backup is None:
        return f"{who} No backup was made here yet." if signed_in else who
    old = " That is a while." if datetime.now(UTC) - backup.at > _OLD else ""
    partial = "" if backup.status == "complete" else ", and is not complete"
    gone = "" if backup.archive is None or backup.archive.exists() else " (which is not there any more)"
    where = backup.address if backup.archive is None else str(backup.archive)
    place = "" if where is None else f": {printable(where)}{gone}"
    return f"{who} The last backup was made {age(backup.at)}{partial}{place}.{old}"


def _next(signed_in: bool, backup: LastBackup | None) -> list[tuple[str, str]]:
    """Three commands to start with."""
    program = overview.PROGRAM
    new = f"backup-{datetime.now():%Y-%m-%d}.mana"  # noqa: DTZ005 # the day that somebody calls today
    export = (f"{program} export --seal -o {new}", "write everything into an archive")
    if not signed_in:
        return [
            (f"{program} demo", "a tour on this computer; no account is needed"),
            (f"{program} login", "sign in to your account"),
            export,
        ]
    if backup is None:
        return [
            export,
            (f"{program} verify {new}", "check it, first byte to last"),
            (f"{program} view {new} --open", "look into it, in a browser"),
        ]
    there = backup.archive is not None and backup.archive.exists()
    last = shlex.quote(backup.address or (str(backup.archive) if there else new))
    return [
        export,
        (f"{program} verify {last}", "check it, first byte to last"),
        (f"{program} diff {last} --live", "what has changed in the account since"),
    ]
