"""Schedule: the computer makes a backup by itself, and tells when it did not.

``spec`` says what is due when; ``systemd``, ``launchd`` and ``cron`` write it down for what starts programs here, which
``managers`` speaks to; ``running`` is what they start.
"""

from __future__ import annotations

from ...host.zone import machine_zone
from .installing import COMMANDS, Order, PlannedInstallation, install, plan, remove
from .managers import MANAGERS
from .running import error_of, is_due, run
from .spec import DATE, DEFAULT_NAME, WEEKDAYS, Every, Schedule, SecretKind, SecretPlace, When, check_name
from .status import ScheduleStatus, schedules, status
from .store import RunRecord, ScheduleStore

__all__ = [
    "COMMANDS",
    "DATE",
    "DEFAULT_NAME",
    "MANAGERS",
    "WEEKDAYS",
    "Every",
    "Order",
    "PlannedInstallation",
    "RunRecord",
    "Schedule",
    "ScheduleStatus",
    "ScheduleStore",
    "SecretKind",
    "SecretPlace",
    "When",
    "check_name",
    "error_of",
    "install",
    "is_due",
    "machine_zone",
    "plan",
    "remove",
    "run",
    "schedules",
    "status",
]
