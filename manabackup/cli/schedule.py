"""The group ``schedule``."""

from __future__ import annotations

from .frame import Group

schedule = Group(
    "schedule",
    [
        ("install", "scheduling", "let the computer run a command every day or week"),
        ("status", "scheduling", "show schedules, how they ran last, and whether one is overdue"),
        ("run", "scheduling", "run one now, as the computer does"),
        ("remove", "scheduling", "take a schedule away; its archives stay"),
    ],
    help="Backups that the computer makes by itself: a timer of systemd, an agent of launchd, or a line for cron.",
)
