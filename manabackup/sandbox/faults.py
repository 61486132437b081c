"""Switches for states of the sync server that a healthy sandbox is never in.

Others stand where the state itself is kept: ``Accounts.jwks_outage``, ``Accounts.set_subscription`` (402), and
``ChangeLog.poison`` (a page that answers 500).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Faults:
    """May be changed at any time from any thread; the next request sees it."""

    membership_outage: bool = False
    """Memberships cannot be looked up: answers are 200 without the rows of shared spaces."""
    commit_lag_us: int = 0
    """Pushed changes are stamped this many microseconds before they become visible: transactions that commit late."""
