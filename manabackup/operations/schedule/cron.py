"""A schedule as a line of the user's crontab (crontab(5)).

cron makes up for nothing that it missed. So it starts a run every hour and after the computer's start, and the run
itself sees whether it is due. What cron mails is what went wrong. The lines stand between two comments, by which they
are found again.
"""

from __future__ import annotations

import shlex

from ...errors import UsageError
from .launchd import IF_DUE
from .spec import Schedule


def block(schedule: Schedule, command: tuple[str, ...]) -> str:
    """The lines. Raises :class:`UsageError` for paths that no crontab can name."""
    line = f"{shlex.join([*command, IF_DUE])} >/dev/null"
    if not line.isprintable():
        raise UsageError("a path with line breaks or control characters cannot stand in a crontab")
    line = line.replace("%", "\\%")  # which otherwise ends the command
    begin, end = _marks(schedule.name)
    return f"{begin}\n{schedule.when.at.minute} * * * * {line}\n@reboot {line}\n{end}\n"


def with_block(crontab: str, name: str, lines: str) -> str:
    """A crontab with these lines in the place of those that the schedule had, or at its end."""
    rest = without_block(crontab, name)
    return f"{rest}{'' if not rest or rest.endswith(chr(10)) else chr(10)}{lines}"


def without_block(crontab: str, name: str) -> str:
    """A crontab without a schedule's lines; all else stays as it is."""
    begin, end = _marks(name)
    kept: list[str] = []
    inside = False
    for line in crontab.splitlines(keepends=True):
        text = line.rstrip("\r\n")
        if text == begin:
            inside = True
        elif inside and text == end:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise UsageError(f"the crontab has a line `{begin}`, and no `{end}`", hint="mend it with `crontab -e`")
    return "".join(kept)


def has_block(crontab: str, name: str) -> bool:
    """Whether a crontab has a schedule's lines."""
    return _marks(name)[0] in crontab.splitlines()


def _marks(name: str) -> tuple[str, str]:
    return f"# manabackup schedule {name}: begin", f"# manabackup schedule {name}: end"
