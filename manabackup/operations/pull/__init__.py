"""Pull: bring the mirror up to date with the sync server, without losing what a cursor would skip.

Each collection that is known is read page by page (``collections``), all of them side by side, and those that somebody
may be writing to once more at the end (``rounds``). When that is done, and seldom, the apps are searched for
collections that nobody told of (``searching``, ``apps``), which is the one question that costs the server more than
what the account holds.
"""

from .rounds import OVERLAP_SECONDS, ClockWentBackError, PullResult, refresh, run
from .searching import SEARCH_DAYS, unsearched_apps

__all__ = [
    "OVERLAP_SECONDS",
    "SEARCH_DAYS",
    "ClockWentBackError",
    "PullResult",
    "refresh",
    "run",
    "unsearched_apps",
]
