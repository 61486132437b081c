"""Switches for states of the servers that a healthy sandbox is never in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Faults:
    """May be changed at any time from any thread; the next request sees it."""

    inactive: set[str] = field(default_factory=set)
    """Ids of users whose sync subscription is off: everything they ask of the sync server is answered with 402."""
    jwks_outage: bool = False
    """The servers cannot reach the key set: every token is answered with 401, valid ones too."""
    membership_outage: bool = False
    """The sync server cannot look up memberships, and answers 200 without the rows of shared spaces."""
    commit_lag_us: int = 0
    """Pushed changes are stamped this many microseconds before they become visible: transactions that commit late."""
