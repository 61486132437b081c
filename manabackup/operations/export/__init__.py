"""Export: the mirror's changes, folded into rows and decrypted, as a ``.mana`` archive.

``run`` brings the changes of each table together by record and hands blocks of them to all cores. ``folding`` makes
the lines of a block: usual records the short way (``usual``), all others by a fold. The blocks come back in order.
``selection`` says which tables there are to be.
"""

from ..account.source import Changes, Source
from .run import ExportResult, export
from .selection import Selection

__all__ = ["Changes", "ExportResult", "Selection", "Source", "export"]
