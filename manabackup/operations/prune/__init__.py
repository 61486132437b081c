"""Prune: old archives go by rules, the good ones stay.

``policy`` is pure and says which moments are kept; ``folder`` tells what the files of a folder are; ``pruning`` brings
the two together and removes.
"""

from __future__ import annotations

from .policy import UNLIMITED, Duration, Policy
from .pruning import Fate, Judged, Pruned, PrunePlan, plan_prune, prune

__all__ = [
    "UNLIMITED",
    "Duration",
    "Fate",
    "Judged",
    "Policy",
    "PrunePlan",
    "Pruned",
    "plan_prune",
    "prune",
]
