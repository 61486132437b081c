"""From the changes of one record to its two lines: the row's in ``data/``, and what ``meta/`` says of it.

There are two ways, and this room is all that knows of them. :class:`FoldedRecords` is the general one: the changes are
folded (``model.projection``), the values decrypted (``rowtext``), and everything odd is noted. :class:`UsualRecords` is
the short one, for a single insert of a live row with nothing to be said of it, as nine records in ten are. At the first
doubt it gives up, and the record goes the general way from its beginning. Where it does not give up, its lines are
those of the general way: ``tests/operations/export/test_records.py`` holds the two against each other, for changes of
every kind of oddity. Whoever changes one looks at the other.
"""

from .folded import FoldedRecords
from .usual import UsualRecords

__all__ = ["FoldedRecords", "UsualRecords"]
