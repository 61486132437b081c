"""A schedule as a launchd agent (launchd.plist(5)).

launchd starts what a sleeping computer missed when it wakes; what was missed while it was off is made up at the next
sign-in, where the run itself sees whether it is due.
"""

from __future__ import annotations

import plistlib
from typing import Any

from .spec import Every, Schedule

IF_DUE = "--if-due"


def label(name: str) -> str:
    """What the agent is called."""
    return f"how.mana.manabackup.{name}"


def agent(schedule: Schedule, command: tuple[str, ...], log: str) -> bytes:
    """The property list; ``log`` is the file for what a run says."""
    when: dict[str, int] = {"Hour": schedule.when.at.hour, "Minute": schedule.when.at.minute}
    if schedule.when.every is Every.WEEK:
        when["Weekday"] = (schedule.when.weekday + 1) % 7  # 0 is Sunday
    described: dict[str, Any] = {
        "Label": label(schedule.name),
        "ProgramArguments": [*command, IF_DUE],
        "StartCalendarInterval": when,
        "RunAtLoad": True,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    return plistlib.dumps(described, sort_keys=False)
