"""Export: the mirror's changes, folded into rows and decrypted, as a ``.mana`` archive.

``selection`` says which tables there may be, ``plan`` which there are to be and by what their rows are chosen and
written (``terms``). ``exporting`` has the changes of each table brought together by record (``gathering``) and hands
blocks of them to all cores. ``blocks`` makes the lines of a block, record by record (``records``). The blocks come back
in order.
"""

from ..account.source import Changes, Source
from .exporting import ExportResult, export
from .selection import Selection, check_apps

__all__ = ["Changes", "ExportResult", "Selection", "Source", "check_apps", "export"]
