"""The local store of what the sync server holds: every change as it came, in the server's order, with its cursors.

:class:`Mirror` writes, :class:`Snapshot` reads. A change is stored whatever it looks like; what it means is the
projection's business.
"""

from ..model.rawchange import RawChange, UnreadableChange, event_key, prepare
from .changes import MirrorPage
from .look import Look, look
from .losses import UNREADABLE, Loss, LossKind
from .reading import HeldCollection, Snapshot
from .repair import Repair
from .salvage import UNKNOWN_KEY, Salvage
from .store import Batch, Mirror, Stored

__all__ = [
    "UNKNOWN_KEY",
    "UNREADABLE",
    "Batch",
    "HeldCollection",
    "Look",
    "Loss",
    "LossKind",
    "Mirror",
    "MirrorPage",
    "RawChange",
    "Repair",
    "Salvage",
    "Snapshot",
    "Stored",
    "UnreadableChange",
    "event_key",
    "look",
    "prepare",
]
