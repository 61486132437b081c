"""Prune: old archives go by rules, the good ones stay.

``policy`` is pure and says which moments are kept; ``folder`` tells what the files of a folder are; ``pruning`` brings
the two together and removes. ``unfinished`` is about what killed runs have left.
"""

from __future__ import annotations

from .policy import UNLIMITED, Duration, Policy
from .pruning import Fate, Judged, Pruned, PrunePlan, plan_prune, prune
from .unfinished import A_DAY, Cleared, ClearPlan, Remnant, clear, plan_clear

__all__ = [
    "A_DAY",
    "UNLIMITED",
    "ClearPlan",
    "Cleared",
    "Duration",
    "Fate",
    "Judged",
    "Policy",
    "PrunePlan",
    "Pruned",
    "Remnant",
    "clear",
    "plan_clear",
    "plan_prune",
    "prune",
]
