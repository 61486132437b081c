"""Fleets: one command over many archives or accounts, and a ledger that knows what came of each.

What is done to an item is the command itself, in a process of its own (:mod:`manabackup.host.workers`): this room knows
which items there are, what is still to be done, and what becomes of them.
"""

from __future__ import annotations

from .cluster import ClusterEngine as ClusterEngine
from .cluster import Scheduler as Scheduler
from .items import Listed as Listed
from .items import archives as archives
from .ledger import Claimed as Claimed
from .ledger import Ledger as Ledger
from .local import LocalEngine as LocalEngine
from .local import Worker as Worker
from .local import serve_standard_streams as serve_standard_streams
from .local import usable_cores as usable_cores
from .outcome import Outcome as Outcome
from .outcome import State as State
from .outcome import said_of as said_of
from .outcome import worst as worst
from .placeholders import filled as filled
from .placeholders import filled_command as filled_command
from .placeholders import has_any as has_any
from .running import DONE as DONE
from .running import PAUSES as PAUSES
from .running import Engine as Engine
from .running import Job as Job
from .running import run as run
from .running import unwired as unwired
from .summary import FleetSummary as FleetSummary
