"""Pull: bring the mirror up to date with the sync server, without losing what a cursor would skip.

Each app is read as a whole by pushes of no changes, which show also the collections that nobody told of (``apps``). An
app of which that gives too much at once is read collection by collection (``collections``), and then as a whole with
the help of the instants that came to light. At the end every app is asked once more from a little before the run began,
for what was committed late.
"""

from .rounds import OVERLAP_SECONDS, PullResult, run

__all__ = ["OVERLAP_SECONDS", "PullResult", "run"]
