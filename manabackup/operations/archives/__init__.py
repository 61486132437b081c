"""Archives by themselves: describe, verify, list, seal, unseal, convert.

What every use case of archives begins with stands here, for whoever is above.
"""

from ...archive.reader import Archive, open_archive
from ...archive.writer import Seal, Written

__all__ = ["Archive", "Seal", "Written", "open_archive"]
