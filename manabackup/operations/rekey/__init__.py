"""Rekey: the same rows under another account's key, without a word of whose they were.

``rekeying`` is the use case; ``tables`` reads the old archive table by table and hands blocks of rows to all cores
(``blocks``); ``rows`` makes one row; ``carried`` is what the manifest says anew. What may leave an account, and what
stands for it: :mod:`manabackup.rows.identity`.
"""

from .rekeying import RekeyResult, check_opener, rekey

__all__ = ["RekeyResult", "check_opener", "rekey"]
